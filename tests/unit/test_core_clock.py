"""Nodes whose wall clocks step or are wrong: what they sign, what they tell, what others lose."""

from __future__ import annotations

import pytest

from node.core.clock_watch import ClockWatch
from node.core.effects import Report, ReserveSlot
from node.core.own_blocks import OwnBlocks
from node.core.settings import CoreSettings
from protocol.genesis_form import Genesis
from tests.support.chain import TestChain, make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.world import BLOCK_INTERVAL_S

HOUR_MS = 3_600_000
NODES = 4
ROUND_MS = NODES * BLOCK_INTERVAL_S * 1_000


class Clocks:
    """A network of single witnesses, whose wall clocks may be set apart from the timers."""

    def __init__(self, genesis: Genesis) -> None:
        names = witness_names(NODES)
        self.nodes = [CoreNode(genesis, [name], name=i + 1) for i, name in enumerate(names)]
        self.ahead_ms = [0] * NODES
        self.now_ms = START_MS
        for number, node in enumerate(self.nodes):
            for other in self.nodes[number + 1 :]:
                node.connect(other, START_MS)

    def run(self, duration_ms: int) -> None:
        """Four ticks a second for all nodes."""
        for _ in range(duration_ms // 250):
            self.now_ms += 250
            for node, ahead_ms in zip(self.nodes, self.ahead_ms, strict=True):
                node.core.read_clock(self.now_ms + ahead_ms, self.now_ms)
                node.core.tick(self.now_ms)
            while sum(node.carry(self.now_ms) for node in self.nodes):
                pass

    def signed(self, node: int) -> list[int]:
        """Times of the slots that a node has signed, in seconds."""
        return [e.slot_time_s for e in self.nodes[node].seen if isinstance(e, ReserveSlot)]

    def told(self, node: int, name: str) -> list[dict[str, str | int]]:
        """What a node has reported under a name."""
        return [e.fields for e in self.nodes[node].seen if isinstance(e, Report) and e.name == name]


@pytest.fixture
def clocks() -> Clocks:
    """Four nodes that have made some rounds."""
    found = Clocks(make_genesis("alice", witnesses=NODES))
    found.run(3 * ROUND_MS)
    assert all(found.signed(node) for node in range(NODES))
    return found


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_step_of_ten_seconds_costs_no_slot(clocks: Clocks, step_ms: int) -> None:
    """P9, T-K1: nothing is signed for the future, and the witness goes on."""
    head = clocks.nodes[1].chain.head_num
    clocks.ahead_ms[0] = step_ms
    clocks.run(10_000)
    clocks.ahead_ms[0] = 0
    clocks.run(2 * ROUND_MS)
    assert max(clocks.signed(0)) * 1_000 <= clocks.now_ms
    assert clocks.nodes[1].chain.head_num - head >= (10_000 + 2 * ROUND_MS) // 5_000 - 1
    assert clocks.nodes[0].chain.head_id == clocks.nodes[1].chain.head_id
    assert [news["change"] for news in clocks.told(0, "clock")] == ["stepped", "came back"]


def test_no_slot_is_lost_when_all_clocks_step_together(clocks: Clocks) -> None:
    """P9: a network on one machine, whose clock is set an hour ahead and back."""
    head = clocks.nodes[1].chain.head_num
    clocks.ahead_ms = [HOUR_MS] * NODES
    clocks.run(10_000)
    clocks.ahead_ms = [0] * NODES
    clocks.run(10_000)
    assert clocks.nodes[1].chain.head_num - head >= 3
    assert clocks.nodes[0].chain.head_time * 1_000 <= clocks.now_ms


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_that_stays_wrong_silences_its_own_witness_only(
    clocks: Clocks, step_ms: int
) -> None:
    """T-K1: the others lose no slot but its own; the node says why it makes no block."""
    clocks.ahead_ms[0] = step_ms
    clocks.run(70_000)
    before = [len(clocks.signed(node)) for node in range(NODES)]
    clocks.run(3 * ROUND_MS)
    after = [len(clocks.signed(node)) for node in range(NODES)]
    assert after[0] == before[0]
    assert all(now - then >= 2 for now, then in zip(after[1:], before[1:], strict=True))
    assert all(
        slot_s * 1_000 <= clocks.now_ms for node in range(NODES) for slot_s in clocks.signed(node)
    )
    assert clocks.told(0, "not_producing")[-1]["reason"] == "clock_off"
    assert "off" in [news["change"] for news in clocks.told(0, "clock")]
    clocks.ahead_ms[0] = 0
    clocks.run(130_000 + ROUND_MS)
    assert len(clocks.signed(0)) > after[0], "once the clock is right again, so is the witness"


def test_peers_notice_no_step(clocks: Clocks) -> None:
    """P9: whatever waits, waits by the timers: nobody is dropped, nothing is asked again."""
    peers = [node.core.peers.statistics().peers for node in clocks.nodes]
    clocks.ahead_ms = [HOUR_MS, -HOUR_MS, HOUR_MS, 0]
    clocks.run(90_000)
    assert [len(node.core.peers.statistics().peers) for node in clocks.nodes] == [
        len(known) for known in peers
    ]


def test_a_second_of_skew_costs_nobody_a_slot(clocks: Clocks) -> None:
    """T-K1: +-1 s on all nodes, as desks are."""
    head = clocks.nodes[1].chain.head_num
    clocks.ahead_ms = [1_000, -1_000, 0, 400]
    clocks.run(70_000)
    head = clocks.nodes[1].chain.head_num
    clocks.run(3 * ROUND_MS)
    assert clocks.nodes[1].chain.head_num - head >= 3 * NODES - 1


def test_who_builds_before_all_others_hears_their_clocks() -> None:
    """T-K1: blocks that come too late to be its head, and are as high, tell how far it is ahead."""
    node = TestChain(witnesses=3)
    rivals = [node.twin(), node.twin()]
    own = OwnBlocks(
        node.chain, CoreSettings(), [node.witness_secret(node.chain.scheduled_witness(1))], {}
    )
    watch, now_ms = ClockWatch(node.chain, own), node.chain.slot_time(1) * 1_000
    watch.read(now_ms + HOUR_MS, now_ms)
    node.block()
    for slot, rival in enumerate(rivals, 2):
        assert watch.refusal(now_ms) is None, "two of three are a majority"
        front = rival.block(slot=slot).envelope.front
        assert front.num == node.chain.head_num
        watch.note_block(front, now_ms)
    refusal = watch.refusal(now_ms)
    assert refusal is not None
    assert refusal.name == "clock_off"
