"""SIGSTOP and SIGCONT on real witnesses: a partition in time, which the process does not notice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from node.cli.client import as_int, as_object
from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = pytest.mark.functional

WITNESSES = ("init0", "init1", "init2")
PAUSE_S = 8.0
"""Longer than two rounds of one slot a second: others fill slots that the paused ones believe
to be theirs."""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", len(WITNESSES), 1)
    try:
        for name in WITNESSES:
            live.nodes[name].start()
        live.wait_until_agreed(WITNESSES, above=3)
        yield live
    finally:
        tell(live.nodes.values(), signal.SIGCONT)
        live.stop_all()


def tell(nodes: Iterable[LiveNode], number: signal.Signals) -> None:
    """Send a signal to all that run."""
    for node in nodes:
        if node.process is not None and node.process.poll() is None:
            node.process.send_signal(number)


def signed_slots(node: LiveNode, up_to: int) -> list[tuple[str, str]]:
    """Time and witness of every block of the chain, as a node has it."""
    client = node.client
    assert client is not None
    headers = [
        as_object(client.call("database", "get_block_header", num)) for num in range(1, up_to + 1)
    ]
    return [(str(item["timestamp"]), str(item["witness"])) for item in headers]


def goes_on_above(node: LiveNode, num: int) -> bool:
    """Whether a later block is irreversible."""
    assert node.client is not None
    properties = as_object(node.client.call("database", "get_dynamic_global_properties"))
    return as_int(properties["last_irreversible_block_num"]) > num


@pytest.mark.parametrize("paused", [("init1",), ("init1", "init2"), WITNESSES])
def test_witnesses_that_were_paused_come_together_again(
    network: LiveNetwork, paused: tuple[str, ...]
) -> None:
    """S7, S1, T-W1, T-K1: one, most or all of them sleep over slots of their own; after it there is
    one chain, nobody has signed a slot twice, and production goes on with everybody."""
    nodes = [network.nodes[name] for name in paused]
    before = network.wait_until_agreed(WITNESSES, above=3)
    tell(nodes, signal.SIGSTOP)
    time.sleep(PAUSE_S)
    tell(nodes, signal.SIGCONT)
    after = network.wait_until_agreed(WITNESSES, above=before.num + 6)
    chains = [signed_slots(network.nodes[name], after.num) for name in WITNESSES]
    assert chains[0] == chains[1] == chains[2]
    times = [moment for moment, _ in chains[0]]
    assert sorted(set(times)) == times, "two blocks of one slot"
    for name in WITNESSES:
        node = network.nodes[name]
        goes_on = partial(goes_on_above, node, before.num)
        wait_for(goes_on, "irreversibility", 30, [node])
        assert '"level": "error"' not in node.plan.log.read_text()
