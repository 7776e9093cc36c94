"""T-R1, T-R2: a witness with little memory and few file descriptors, and clients who take both.

Prints its figures (`pytest -rP`).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = pytest.mark.functional

DESCRIPTORS = 128
CLIENTS = 1_000
HOLD_S = 4.0
PROGRAM = (
    "-c",
    f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS},) * 2)\n"
    "from node.start import main; main()",
)
"""A node whose system gives it no more."""
LIMIT_MIB = 128
NON_READERS = 12


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    live = LiveNetwork.create(tmp_path_factory.mktemp("scarcity") / "net", 1, 1)
    found = live.nodes["init0"]
    found.program = PROGRAM
    text = found.plan.settings.read_text()
    found.plan.settings.write_text(f"max_rss_mib = {LIMIT_MIB}\n{text}")
    try:
        found.start()
        live.wait_for_height("init0", 2)
        yield found
    finally:
        live.stop_all()


def address_of(node: LiveNode) -> tuple[str, int]:
    return "127.0.0.1", int(json.loads(node.endpoints.read_text())["api"])


def cpu_s(node: LiveNode) -> float:
    """Processor time that the node has used."""
    fields = stat_of(node, "stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(node: LiveNode) -> float:
    """Memory that it takes."""
    return int(stat_of(node, "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def stat_of(node: LiveNode, name: str) -> str:
    assert node.process is not None
    return Path(f"/proc/{node.process.pid}/{name}").read_text()


def test_a_thousand_clients_and_128_descriptors(node: LiveNode) -> None:
    """T-R2: blocks go on, the processor is idle, and once they are gone everybody is served."""
    used_s, log_bytes, began = cpu_s(node), node.plan.log.stat().st_size, time.monotonic()
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(address_of(node))
        time.sleep(HOLD_S)
        share = (cpu_s(node) - used_s) / (time.monotonic() - began)
    num = wait_for(lambda: node.head().num, "an answer", 20, [node])
    wait_for(lambda: node.head().num > num, "one more block", 10, [node])
    print(
        f"{CLIENTS} clients, {DESCRIPTORS} descriptors: {share:.0%} of a processor,"
        f" {node.plan.log.stat().st_size - log_bytes:,} bytes of log"
    )
    assert share < 0.5, "it spins"
    assert num > 3, "no block was made meanwhile"


def test_clients_who_do_not_read_and_little_memory(node: LiveNode) -> None:
    """T-R1: they get no more than there is room for; blocks and others' calls go on."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}
    batch = json.dumps([call] * 50)
    head = (
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(batch)}",
    )
    before = most = rss_mib(node)
    num = node.head().num
    with ExitStack() as stack:
        for _ in range(NON_READERS):
            one = stack.enter_context(socket.create_connection(address_of(node)))
            one.sendall("\r\n".join((*head, "", batch)).encode())
        until = time.monotonic() + HOLD_S
        while time.monotonic() < until:
            time.sleep(0.05)
            most = max(most, rss_mib(node))
        wait_for(lambda: node.head().num > num + 1, "two more blocks", 20, [node])
    print(
        f"{NON_READERS} that ask for 12 MB each and do not read: {before:.0f} MiB before,"
        f" {most:.0f} at most, {LIMIT_MIB} allowed"
    )
    assert most < LIMIT_MIB
