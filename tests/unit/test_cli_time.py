"""The commands that take a development chain through time, and change it around its rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node.api.errors import no_development
from node.cli.chain_file import read_chain, write_chain
from node.cli.client import NodeClient, as_object
from node.cli.exits import FileUnreadable
from protocol.json_form import parse_time
from tests.support.api import ChainDevelopment
from tests.support.chain import supply_of
from tests.support.desk import Desk, Json

CORE = 100_000
"""Smallest units of a core token."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys, development=True)


def run(desk: Desk, *arguments: str) -> Json:
    """The JSON of a command that must go well."""
    ended = desk.run(*arguments, "--json")
    assert ended.code == 0, ended.err
    return ended.json()


def refused(desk: Desk, *arguments: str) -> Json:
    """The error of a command that must be refused."""
    ended = desk.run(*arguments, "--json")
    assert ended.code != 0, ended.out
    return json.loads(ended.err)["error"]


def impersonated(desk: Desk) -> list[int]:
    """Who acts without signatures."""
    development = desk.chain.state.development
    assert development is not None
    return list(development.impersonated)


def test_mine_and_travel(desk: Desk) -> None:
    """A number of blocks, and one block at a time."""
    num, time = desk.chain.chain.head_num, desk.chain.chain.head_time
    assert run(desk, "mine")["head_block_number"] == num + 1
    assert run(desk, "mine", "7")["head_block_number"] == num + 8
    head = run(desk, "travel", "+1d")
    assert head["head_block_number"] == num + 9
    assert parse_time(head["head_block_time"]) >= time + 86_400
    assert "travelled, head" in desk.run("travel", "+1h").out
    assert refused(desk, "travel", "2020-01-01T00:00:00")["name"] == "invalid_params"


def test_snapshots_and_blocks_are_gone_back_to(desk: Desk) -> None:
    """The state is as it was; what is not there is refused by its name."""
    before = desk.chain.chain.state_hash()
    place = run(desk, "snapshot")
    run(desk, "mine", "20")
    desk.wallet("alice", "transfer", "bob", "5 TEST")
    head = run(desk, "revert")
    assert (head["head_block_id"], head["popped"]) == (place["block_id"], 21)
    assert desk.chain.chain.state_hash() == before
    run(desk, "mine", "20")
    assert "20 blocks taken back, head" in desk.run("revert", str(place["snapshot"])).out
    run(desk, "mine", "20")
    assert run(desk, "rewind", str(place["block_num"] + 5))["popped"] == 15
    assert place["block_id"] in desk.run("snapshot", "--list").out
    assert run(desk, "snapshot", "--drop", "1") == {"dropped": 1}
    assert refused(desk, "revert", "1")["name"] == "not_possible"
    assert refused(desk, "rewind", "1000")["name"] == "not_undoable"
    assert desk.run("rewind", "0").code == 64


def test_branches_are_named_and_dropped(desk: Desk) -> None:
    """One is come back to by its name; without a name there is a list."""
    place = run(desk, "branch", "calm")
    run(desk, "mine", "3")
    assert run(desk, "branch", "calm", "--switch")["head_block_id"] == place["block_id"]
    assert [one["branch"] for one in run(desk, "branch")] == ["calm"]
    assert run(desk, "branch", "calm", "--drop") == {"dropped": "calm"}
    assert run(desk, "branch") == []
    assert refused(desk, "branch", "calm", "--switch")["value"] == "calm"
    assert desk.run("branch", "--switch").code == 64


def test_a_balance_is_set_and_the_supply_with_it(desk: Desk) -> None:
    """R9.10: up and down; a BitAsset's units are debts (I3); the maximum is the maximum."""
    supply = supply_of(desk.chain)
    answer = run(desk, "set-balance", "alice", "5 TEST")
    assert desk.chain.balance("alice") == 5 * CORE
    assert supply_of(desk.chain) == supply + int(answer["supply_change"])
    assert int(answer["supply_change"]) < 0
    assert "the supply changes by 2.00000 TEST" in desk.run("set-balance", "alice", "7 TEST").out
    error = refused(desk, "set-balance", "alice", "1 bitUSD")
    assert (error["name"], error["rule"]) == ("supply_is_debt", "I3")
    assert refused(desk, "set-balance", "alice", "9000000000 TEST")["name"] == "max_supply_exceeded"
    desk.chain.blocks(0)
    assert supply_of(desk.chain) == supply + int(answer["supply_change"]) + 2 * CORE


def test_an_impersonated_account_needs_no_signature(desk: Desk) -> None:
    """R9.10, R9.5: until that is stopped; no other account's operations pass."""
    chain = desk.chain
    order = ("wallet", "transfer", "bob", "5 TEST", "-a", "alice", "--wallet", "nowhere")
    assert refused(desk, *order)["name"] == "key_missing"
    run(desk, "impersonate", "alice")
    held = chain.balance("bob")
    run(desk, *order)
    assert chain.balance("bob") == held + 5 * CORE
    assert refused(desk, *order[:-3], "carol", *order[-2:])["name"] == "key_missing"
    desk.wallet("alice", "transfer", "bob", "1 TEST")
    assert impersonated(desk) == [chain.account("alice")]
    zoe = run(desk, "faucet", "zoe", "--amount", "3 TEST")
    assert impersonated(desk) == [chain.account("alice")]
    assert (zoe["is_new"], zoe["funder"]) == (True, "nathan")
    run(desk, "impersonate", "alice", "--stop")
    assert impersonated(desk) == []
    assert refused(desk, *order)["name"] == "key_missing"


def test_a_faucet_makes_key_account_and_money_in_one_step(desk: Desk) -> None:
    """The account acts at once by its development key; a second time it only gets money."""
    ended = desk.run("faucet", "zoe", "--amount", "1000 TEST")
    assert ended.code == 0, ended.err
    assert "--dev-keys -a zoe" in ended.out
    assert desk.chain.balance("zoe") == 1_000 * CORE
    desk.wallet("zoe", "transfer", "bob", "10 TEST")
    assert run(desk, "faucet", "zoe", "--amount", "1")["is_new"] is False
    parameters = ["pegboard_dev", "faucet", ["yin", None, "TEST", 20 * CORE]]
    body = json.dumps({"id": 1, "method": "call", "params": parameters})
    assert as_object(desk.exchange(body.encode())["result"])["is_new"] is True
    desk.chain.blocks(1)
    desk.wallet("yin", "transfer", "bob", "10 TEST")
    assert refused(desk, "faucet", "Zoe!", "--amount", "1 TEST")["name"] == "validation_error"
    assert refused(desk, "faucet", "yan", "--amount", "1 bitUSD")["name"] == "not_possible"


def test_a_chain_of_several_owners_is_left_alone(desk: Desk) -> None:
    """T-A4: each command is refused, whatever it would do."""
    desk.backend.is_development = False
    for line in ("mine", "travel +1h", "snapshot", "revert", "rewind 1", "branch x", "faucet zoe"):
        assert refused(desk, *line.split())["message"] == no_development().what, line
    for line in ("impersonate alice", "dump chain"):
        assert refused(desk, *line.split())["name"] == "is_allowed", line


def test_a_genesis_without_the_option_lets_nobody_change_the_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R9.10, R8.17: there the same operation is refused for its fee."""
    desk = Desk(monkeypatch, capsys)
    assert refused(desk, "set-balance", "alice", "5 TEST")["name"] == "insufficient_fee"
    assert refused(desk, "impersonate", "alice")["name"] == "insufficient_fee"


def test_a_chain_goes_into_a_file_and_back(desk: Desk, tmp_path: Path) -> None:
    """Head and state are those of the file; what the chain has beyond it is gone."""
    path = tmp_path / "saved.chain"
    run(desk, "snapshot")
    desk.wallet("alice", "transfer", "bob", "5 TEST")
    run(desk, "mine", "3")
    saved = run(desk, "dump", str(path))
    assert saved["state_hash"] == desk.chain.chain.state_hash().hex()
    run(desk, "revert")
    desk.wallet("alice", "transfer", "bob", "9 TEST")
    loaded = run(desk, "load", str(path))
    assert loaded["block_id"] == saved["head_block_id"] == desk.chain.chain.head_id.hex()
    assert loaded["state_hash"] == saved["state_hash"]
    run(desk, "mine", "2")
    run(desk, "load", str(path))
    assert desk.chain.chain.head_id.hex() == saved["head_block_id"]


def test_a_file_is_loaded_while_no_block_is_made(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The witnesses' next block comes after all is there and was compared."""
    path = tmp_path / "saved.chain"
    run(desk, "snapshot")
    run(desk, "mine", "3")
    saved = run(desk, "dump", str(path))
    run(desk, "revert")
    monkeypatch.setattr(ChainDevelopment, "resume", lambda one, by: one.backend.produce())
    loaded = run(desk, "load", str(path))
    assert loaded["block_id"] == saved["head_block_id"]
    assert desk.chain.chain.head_num == saved["head_block_number"] + 1


def test_processes_come_back_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A place that one of them has forgotten is refused before any of them moves."""
    other = Desk(monkeypatch, capsys, development=True)
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    desks = dict(zip(urls, (other, desk), strict=True))
    monkeypatch.setattr(ChainDevelopment, "members", urls)
    monkeypatch.setattr("node.cli.time_network.PAUSE_S", 0)
    monkeypatch.setattr("node.cli.time_network.AGREEMENT_TIMEOUT_S", 0)
    monkeypatch.setattr(
        NodeClient,
        "_exchange",
        lambda client, body: desks.get(client.url, desk).exchange(body),
    )
    place = run(desk, "snapshot")["block_id"]
    run(desk, "branch", "calm")
    for one in desks.values():
        for _ in range(3):
            one.backend.produce()
    desk.backend.clock_offset_ms = 5
    assert run(desk, "revert")["head_block_id"] == place
    assert other.backend.clock_offset_ms == 5
    assert other.chain.chain.head_id.hex() == place
    other.backend.produce()
    desk.backend.produce()
    other.backend.places.clear()
    head = desk.chain.chain.head_id
    assert refused(desk, "revert", "1")["name"] == "no_common_place"
    assert refused(desk, "branch", "calm", "--switch")["name"] == "no_common_place"
    assert desk.chain.chain.head_id == other.chain.chain.head_id == head
    other.backend.produce()
    assert refused(desk, "snapshot")["name"] == "no_common_head"

    def catch_up(_: float) -> None:
        """What comes while they are left alone: a pause ends their connections."""
        assert paused == []
        desk.backend.produce()

    def pause(one: ChainDevelopment, by: str) -> None:
        paused.append(one)

    paused: list[ChainDevelopment] = []
    monkeypatch.setattr(ChainDevelopment, "pause", pause)
    monkeypatch.setattr("node.cli.time_network.AGREEMENT_TIMEOUT_S", 60)
    monkeypatch.setattr("node.cli.time_network.sleep_s", catch_up)
    assert run(desk, "snapshot")["block_id"] == other.chain.chain.head_id.hex()
    assert len(paused) == 2


DAMAGES: dict[str, Callable[[list[str]], list[str]]] = {
    "line 1: another version": lambda lines: [lines[0].replace('"version": 2', '"version": 9')],
    "line 1: not a chain": lambda lines: [lines[0].replace("pegboard chain", "other")],
    "cut": lambda lines: lines[:-2],
    "line 3": lambda lines: [*lines[:2], lines[2][:10]],
    "altered": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_file_is_refused_with_its_line(desk: Desk, tmp_path: Path, what: str) -> None:
    """Cut, altered, or of another version: nothing is loaded."""
    path = tmp_path / "saved.chain"
    run(desk, "mine", "3")
    run(desk, "dump", str(path))
    lines = path.read_text().splitlines(keepends=True)
    changed = DAMAGES[what](lines)
    path.write_text("".join([*changed, *lines[len(changed) :]] if len(changed) == 1 else changed))
    with pytest.raises(FileUnreadable, match=what):
        read_chain(path)
    head = desk.chain.chain.head_id
    error = refused(desk, "load", str(path))
    assert (error["name"], error["exit_code"]) == ("file_unreadable", 65)
    assert desk.chain.chain.head_id == head


def test_a_file_of_another_chain_is_refused(desk: Desk, tmp_path: Path) -> None:
    """The refusal names the file, the line and what differs."""
    path = tmp_path / "saved.chain"
    run(desk, "dump", str(path))
    desk.chain.chain.chain_id = type(desk.chain.chain.chain_id)(bytes(32))
    error = refused(desk, "load", str(path))
    assert error["name"] == "other_chain"
    assert "line 1: of another chain: chain_id" in error["message"]


def test_a_file_of_another_state_is_told(desk: Desk, tmp_path: Path) -> None:
    """The blocks are the chain's, and have not made the state that the file names."""
    path = tmp_path / "saved.chain"
    run(desk, "dump", str(path))
    found = read_chain(path)
    write_chain(path, {**found.header, "state_hash": "00" * 32}, found.blocks)
    error = refused(desk, "load", str(path))
    assert (error["name"], error["limit"]) == ("other_state", "00" * 32)
