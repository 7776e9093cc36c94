"""A chain whose witnesses are away for too long waits for them, and goes on (P6, R8.9, F9)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.chain import apply_block
from node.core.effects import Report, StopNode
from node.core.settings import CoreSettings
from node.state.errors import TooManyMissedBlocks
from node.witness import undo_reserve
from protocol.genesis import FINALITY_BITSHARES, FINALITY_VOTES
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run
from tests.support.world import BLOCK_INTERVAL_S

LIMIT = 16
"""Stands for the 10,000 blocks of R8.9."""

NAMES = witness_names(3)
SETTINGS = CoreSettings(enable_stale=True, start_grace_ms=0, required_participation=0)
ANYHOW = CoreSettings(by_the_clock=False)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can reach."""
    monkeypatch.setattr(apply_block, "MAX_UNDO_HISTORY", LIMIT)
    monkeypatch.setattr(undo_reserve, "MAX_UNDO_HISTORY", LIMIT)
    monkeypatch.setattr(undo_reserve, "RESERVE_BLOCKS", 7)


class Desk:
    """Two nodes of one witness each, and what time it is; the third witness is away."""

    def __init__(self, finality: str) -> None:
        self.genesis = make_genesis("alice", finality=finality)
        self.nodes = [CoreNode(self.genesis, [NAMES[at]], SETTINGS, name=at + 1) for at in (0, 1)]
        self.nodes[0].connect(self.nodes[1], START_MS)
        self.now_ms = START_MS

    def run(self, slots: int) -> None:
        """A tick a second."""
        seconds = slots * BLOCK_INTERVAL_S
        self.now_ms = run(self.nodes, self.now_ms + 1_000, seconds, tick_ms=1_000) - 1_000

    def let_the_third_come(self) -> None:
        """It starts from nothing, and both others are its peers."""
        third = CoreNode(self.genesis, [NAMES[2]], SETTINGS, name=3)
        for node in self.nodes:
            third.connect(node, self.now_ms)
        self.nodes.append(third)

    def restart(self, checkpoint: bool) -> None:
        """All nodes end and start again, with the head as checkpoint or without one."""
        head = self.nodes[0].chain.head_id
        stores = [(node.blocks, node.guard, node.snapshots) for node in self.nodes]
        self.nodes = [
            CoreNode(
                self.genesis,
                [NAMES[at]],
                SETTINGS,
                name=at + 1,
                stores=stores[at],
                checkpoint=head if checkpoint else None,
            )
            for at in range(len(stores))
        ]
        self.nodes[0].connect(self.nodes[1], self.now_ms)

    def above_irreversible(self) -> int:
        """How far the head is above the last irreversible block."""
        chain = self.nodes[0].chain
        return chain.head_num - chain.last_irreversible_num

    def refusals(self) -> Sequence[tuple[str, str]]:
        """What the first node has told of why it makes no block."""
        told = [effect.fields for effect in self.nodes[0].seen if isinstance(effect, Report)]
        return [(str(one["reason"]), str(one["detail"])) for one in told if "detail" in one]

    def fill(self) -> None:
        """Let liars fill the chain up to the very limit, whatever honest witnesses leave out."""
        while self.above_irreversible() < LIMIT - 1:
            for node in self.nodes:
                node.core.settings = ANYHOW
            self.nodes[0].core.generate_blocks(1, self.now_ms)
            self.now_ms = max(self.now_ms, self.nodes[0].chain.head_time * 1_000)
            while sum(node.carry(self.now_ms) for node in self.nodes):
                pass
        for node in self.nodes:
            node.core.settings = SETTINGS


@pytest.fixture(params=[FINALITY_VOTES, FINALITY_BITSHARES])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Both rules of irreversibility."""
    return Desk(request.param)


def test_a_chain_slows_down_and_says_whom_it_waits_for(desk: Desk) -> None:
    """P6: it never comes to its end, and no node stops; one more witness, and it goes on."""
    desk.run(LIMIT)
    early = desk.nodes[0].chain.head_num
    desk.run(12 * LIMIT)
    assert early < desk.nodes[0].chain.head_num
    assert desk.above_irreversible() == LIMIT - 1 - len(NAMES)
    desk.run(4 * LIMIT)
    assert desk.above_irreversible() == LIMIT - 1 - len(NAMES)
    assert not any(isinstance(e, StopNode) for node in desk.nodes for e in node.seen)
    name, detail = desk.refusals()[-1]
    assert name == "standstill"
    assert "1.6.3" in detail
    assert f'checkpoint = "{desk.nodes[0].chain.head_id.hex()}"' in detail
    desk.let_the_third_come()
    desk.run(4 * len(NAMES))
    assert desk.above_irreversible() <= len(NAMES)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_checkpoint_brings_a_chain_on(desk: Desk, is_full: bool) -> None:
    """P6, F9: from the same data directories, also if liars have used up every number."""
    desk.run(12 * LIMIT)
    if is_full:
        desk.fill()
    before = desk.nodes[0].chain.head_num
    desk.restart(checkpoint=False)
    desk.run(LIMIT)
    assert desk.nodes[0].chain.head_num == before
    desk.restart(checkpoint=True)
    desk.run(LIMIT)
    assert desk.nodes[0].chain.last_irreversible_num >= before
    assert desk.nodes[0].chain.head_num >= before + LIMIT // 3


def test_the_missing_come_back_at_the_very_limit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6, R8.9: a block that brings irreversibility on is good however late it comes; a node whose
    own block is refused for its height goes on and says so."""
    desk.run(LIMIT)
    desk.fill()
    assert desk.above_irreversible() == LIMIT - 1
    monkeypatch.setattr(undo_reserve, "RESERVE_BLOCKS", -LIMIT)
    desk.run(LIMIT)
    assert desk.above_irreversible() == LIMIT - 1
    assert TooManyMissedBlocks.name in dict(desk.refusals())
    assert not any(isinstance(e, StopNode) for node in desk.nodes for e in node.seen)
    desk.let_the_third_come()
    desk.run(4 * len(NAMES))
    assert desk.above_irreversible() <= len(NAMES)
