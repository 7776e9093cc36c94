"""The catalogue of threats is complete, its numbers are the code's, and what shows them exists.

Each threat and scenario has one paragraph on a page beside the code that carries it out (see
`test_rules_cited`), with its limits as numbers and, under "Shown by", tests that cite it and
commands that do at length what no fast test can.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from node.api import fair_queue, json_text, outbox, subscriptions
from node.api.methods import tables
from node.p2p.limits import PeerLimits
from node.rules import Rule, rules
from node.services import (
    connection_table,
    descriptors,
    http_head,
    listening,
    p2p_server,
    request_runner,
    step_watch,
)
from protocol import constants
from protocol.crypto import keystore
from protocol.p2p import framing, messages, noise_transport
from tests.test_rules_cited import cited_in, ids_in

REPO = Path(__file__).resolve().parent.parent
FAMILIES = {
    "T-P": 13,
    "T-A": 8,
    "T-C": 5,
    "T-E": 5,
    "T-V": 1,
    "T-W": 6,
    "T-S": 6,
    "T-K": 1,
    "T-R": 4,
    "T-X": 2,
    "T-D": 3,
    "S": 8,
}
"""How many threats of each kind there are; one more is counted here."""
TABLE = {f"{kind}{n}" for kind, count in FAMILIES.items() for n in range(1, count + 1)} | {"T-N5"}
IS_THREAT = re.compile(r"T-[A-Z][0-9]+|S[0-9]+")
OPTION = re.compile(r"--[a-z-]+")
MODULE = re.compile(r"-m ([a-z_.]+)")

LIMITS = PeerLimits()
NUMBERS: tuple[tuple[str, str, object, object], ...] = (
    ("T-P1", "for 10 seconds the first time, doubling up to an hour",
     (LIMITS.protocol_ban_ms, LIMITS.max_ban_ms), (10_000, 3_600_000)),
    ("T-P2", "at most 2 MiB, before the greeting 1 KiB",
     (framing.MAX_FRAME_BYTES, framing.MAX_HANDSHAKE_FRAME_BYTES), (2 << 20, 1 << 10)),
    ("T-P4", "connection for ten minutes", LIMITS.invalid_item_ban_ms, 600_000),
    ("T-P5", "greet within 5 seconds", LIMITS.handshake_timeout_ms, 5_000),
    ("T-P5", "finish a frame within 30", LIMITS.frame_timeout_ms, 30_000),
    ("T-P5", "answer a request within 30", LIMITS.request_timeout_ms, 30_000),
    ("T-P5", "read what it is sent within 20", p2p_server.WRITE_STALL_S, 20),
    ("T-P5", "at most 200, 3 from one address, 10 from one network group and 50 that have not",
     (LIMITS.max_inbound, LIMITS.max_inbound_per_host, LIMITS.max_inbound_per_group,
      LIMITS.max_in_handshake), (200, 3, 10, 50)),
    ("T-P5", "begin 20 connections at once, and one more each second",
     (LIMITS.handshake_burst, LIMITS.handshake_every_ms), (20, 1_000)),
    ("T-P5", "1 MiB beside the largest item and 64 MiB for all",
     (p2p_server.SEND_QUEUE_BYTES, p2p_server.SEND_QUEUES_BYTES), (1 << 20, 64 << 20)),
    ("T-P7", "50 milliseconds' worth are judged before others", LIMITS.judged_at_once, 50_000),
    ("T-P7", "4 MiB may wait", LIMITS.waiting_transactions_bytes, 4 << 20),
    ("T-P9", "opens 8 connections", LIMITS.target_outbound, 8),
    ("T-P9", "200 a message", messages.MAX_ADDRESSES, 200),
    ("T-P12", "at most 16 KiB", noise_transport.MAX_PLAIN_BYTES, 16 << 10),
    ("T-N5", "after half a second", LIMITS.block_hedge_ms, 500),
    ("T-N5", "after three seconds", LIMITS.hedge_ms, 3_000),
    ("S5", "2,000 an answer, at most 400 blocks ahead are fetched, and 32 MiB of them wait",
     (messages.MAX_BLOCK_IDS, LIMITS.sync_window, LIMITS.sync_buffer_bytes),
     (2_000, 400, 32 << 20)),
    ("T-A1", "a text with some has 64 levels", json_text.RESTRICTIONS_DEPTH_MAX, 64),
    ("T-A1", "at most 1 MiB, 32 levels, 100,000 values and 64 KiB a string",
     (json_text.REQUEST_BYTES_MAX, json_text.DEPTH_MAX, json_text.VALUES_MAX,
      json_text.STRING_BYTES_MAX), (1 << 20, 32, 100_000, 64 << 10)),
    ("T-A2", "in slices of 0.1 ms", fair_queue.SLICE_S, 0.000_1),
    ("T-A2", "more than 30 seconds", request_runner.REQUEST_TIMEOUT_S, 30),
    ("T-A3", "at most 1,000 objects", subscriptions.SUBSCRIPTIONS_MAX, 1_000),
    ("T-A3", "When 1 MiB of them waits", outbox.OUTBOX_BYTES_MAX, 1 << 20),
    ("T-A3", "all 200 connections", connection_table.CONNECTIONS_MAX, 200),
    ("T-A8", "at most 16 KiB and 100 lines",
     (http_head.HEAD_BYTES_MAX, http_head.HEADER_LINES_MAX), (16 << 10, 100)),
    ("T-C4", "has 20 signatures at most", constants.MAX_TRANSACTION_SIGNATURES, 20),
    ("T-E3", "supplies are at most 10^15", constants.MAX_SUPPLY, 10**15),
    ("T-R2", "64 file descriptors are left", descriptors.RESERVED, 64),
    ("T-R2", "raises its own limit to 4,096", descriptors.WANTED, 4_096),
    ("T-R2", "after a tenth of a second", listening.PAUSE_S, 0.1),
    ("T-R3", "more than 50 milliseconds", step_watch.STEP_MAX_S, 0.05),
    ("T-X1", "a password of 8 to 1,024 characters",
     (keystore.PASSWORD_LENGTH_MIN, keystore.PASSWORD_LENGTH_MAX), (8, 1_024)),
    ("T-X1", "(n of 2^14 to 2^20, 2^18 for new ones",
     (keystore.SCRYPT_N_MIN, keystore.SCRYPT_N_MAX, keystore.SCRYPT_N_DEFAULT),
     (1 << 14, 1 << 20, 1 << 18)),
)  # fmt: skip
"""Threat, words of its paragraph, the code's value, and what the words say that it is."""


def threats() -> list[Rule]:
    """The paragraphs of threats and scenarios."""
    return [item for item in rules().values() if IS_THREAT.fullmatch(item.id)]


@cache
def documents_of(path: Path) -> dict[str, str]:
    """Of a test module each function with its docstring."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@cache
def module_document(path: Path) -> str:
    """The docstring of a test module."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def faults_of_test(rule_id: str, place: str) -> Iterator[str]:
    """What is wrong with a test that is said to show a threat."""
    file, _, name = place.partition("::")
    path = REPO / file
    if not path.is_file() or name not in documents_of(path):
        yield f"{rule_id}: there is no {place}"
    elif rule_id not in ids_in(documents_of(path)[name]) | ids_in(module_document(path)):
        yield f"{rule_id}: {place} does not cite it"


def faults_of_command(rule_id: str, command: str) -> Iterator[str]:
    """What is wrong with a command that is said to show a threat."""
    script = REPO / command.split()[0]
    if not script.is_file():
        yield f"{rule_id}: there is no {script.name}"
        return
    found = MODULE.search(script.read_text())
    module = REPO.joinpath(*found[1].split(".")) if found else script
    main = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
    text = main.read_text()
    for option in OPTION.findall(command):
        if f'"{option}"' not in text:
            yield f"{rule_id}: {script.name} has no {option}"


def faults_of(item: Rule) -> Iterator[str]:
    """What is wrong with what a threat is shown by."""
    tests = [place for place in item.shown if place.startswith("tests/")]
    if not tests:
        yield f"{item.id}: shown by no test"
    for place in item.shown:
        if place.startswith("tests/"):
            yield from faults_of_test(item.id, place)
        elif place.startswith("scripts/"):
            yield from faults_of_command(item.id, place)
        elif not place.startswith("--"):
            yield f"{item.id}: {place} is neither a test nor a script"


def test_every_threat_has_its_paragraph() -> None:
    """None of the catalogue is left out, and none is on a page that is not counted here."""
    assert {item.id for item in threats()} == TABLE


def test_every_threat_is_shown() -> None:
    """By tests that cite it, and by commands that exist with these options."""
    assert [fault for item in threats() for fault in faults_of(item)] == []


@pytest.mark.parametrize(
    ("rule_id", "words", "value", "stated"), NUMBERS, ids=[f"{row[0]}: {row[1]}" for row in NUMBERS]
)
def test_numbers_of_the_pages_are_the_codes(
    rule_id: str, words: str, value: object, stated: object
) -> None:
    """What a paragraph promises is what the code is set to."""
    assert words in " ".join(rules()[rule_id].text.split())
    assert value == stated


GOOD = rules()["T-P5"]
PLANTED: list[tuple[str, Callable[[], list[str]]]] = [
    ("nothing shows it", lambda: list(faults_of(GOOD._replace(shown=())))),
    ("a command alone", lambda: list(faults_of(GOOD._replace(shown=("scripts/siege",))))),
    ("a lost test", lambda: list(faults_of_test("T-P5", "tests/unit/test_p2p_peers.py::test_x"))),
    ("a lost file", lambda: list(faults_of_test("T-P5", "tests/unit/test_x.py::test_x"))),
    ("a test of another threat", lambda: list(faults_of_test("T-C1", GOOD.shown[0]))),
    ("a lost script", lambda: list(faults_of_command("T-P5", "scripts/sieges"))),
    ("a lost option", lambda: list(faults_of_command("T-P5", "scripts/siege --ghosts 3"))),
]


@pytest.mark.parametrize(("case", "found"), PLANTED, ids=[row[0] for row in PLANTED])
def test_a_planted_fault_is_caught(case: str, found: Callable[[], list[str]]) -> None:
    """The checks above can fail."""
    assert found(), case


def test_the_api_has_methods() -> None:
    """T-A6 is about all of them: the table that its test walks is not empty."""
    assert sum(map(len, tables.APIS.values())) > 100
    assert cited_in('"""T-A6"""') == {"T-A6"}
