"""A witness whose wall clock is set an hour ahead and back, among others whose clocks are right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.client import as_object
from protocol.json_form import parse_time
from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = pytest.mark.functional

WITNESSES = ("init0", "init1", "init2", "init3")
STEPPED = WITNESSES[0]
HOUR_MS = 3_600_000


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", len(WITNESSES), 1)
    stepped = live.nodes[STEPPED]
    stepped.program = ("-m", "tests.support.stepped_node", str(clock_file(stepped)))
    try:
        yield live
    finally:
        live.stop_all()


def clock_file(node: LiveNode) -> Path:
    """Where a test says how far the clock is ahead."""
    return node.directory / "ahead_ms"


def witnesses_of(node: LiveNode, first: int, last: int) -> list[str]:
    """Who made these blocks; none of them is of a time that has not come."""
    assert node.client is not None
    found = []
    for num in range(first, last + 1):
        block = as_object(node.client.call("database", "get_block", num))
        assert parse_time(str(block["timestamp"])) <= time.time() + 1, block
        found.append(str(block["witness"]))
    return found


def test_an_hour_ahead_for_ten_seconds(network: LiveNetwork) -> None:
    """P9, T-K1: it is told, nothing is signed for the future, and the witness goes on at once."""
    for name in WITNESSES:
        network.nodes[name].start()
    network.wait_until_agreed(WITNESSES, above=2 * len(WITNESSES))
    stepped, other = network.nodes[STEPPED], network.nodes[WITNESSES[1]]
    before = other.head().num
    clock_file(stepped).write_text(str(HOUR_MS))
    time.sleep(10)
    clock_file(stepped).write_text("0")
    back = other.head().num
    assert back - before >= 6, "the others lose no more than its slots"

    def again() -> bool:
        return "1.6.1" in witnesses_of(other, back + 1, other.head().num)

    wait_for(again, "a block of the witness", 20, [stepped])
    network.wait_until_agreed(WITNESSES, above=back)
    witnesses_of(other, before, other.head().num)
    log = stepped.plan.log.read_text()
    assert '"change": "stepped", "by_ms": 3' in log
    assert '"change": "came back"' in log
