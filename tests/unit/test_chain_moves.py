"""What follows a move of the chain: stored first, and told to all who go by it, in this order."""

from __future__ import annotations

import pytest

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.vote_pool import VotePool
from node.core.chain_moves import ChainMoves
from node.core.effect_list import EffectList
from node.core.effects import FlushSessions, Report, StoreBlocks, StoreHistory
from node.core.snapshot_slices import SnapshotTurns
from node.core.unstored_blocks import UnstoredBlocks
from node.state.errors import UnlinkableBlock
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain

STORED = [StoreBlocks, FlushSessions, StoreHistory, Report]
"""What a move of new blocks begins with."""


class Desk:
    """The moves of one chain, what they want done, and what an observer hears beside it."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.effects = EffectList()
        self.unstored = UnstoredBlocks()
        pool, turns = VotePool(chain, ()), SnapshotTurns(chain, 1_000)
        self.moves = ChainMoves(chain, pool, self.effects, turns, self.unstored)
        self.moves.observe(self)
        self.heard: list[str] = []
        self.made: list[int] = []
        """The number of moves that were made, each time that something was heard..."""
        self.wanted: list[int] = []
        """...and that of effects."""

    def push(self, *blocks: BlockEnvelope) -> None:
        """Push blocks, each followed for itself."""
        for block in blocks:
            self.moves.follow(self.chain.push_block(block))

    def kinds(self) -> list[type]:
        """What is wanted by now; it leaves."""
        return [type(effect) for effect in self.effects.take()]

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        self.made.append(self.moves.durability.made)
        self.wanted.append(len(self.effects))

    def block_applied(self, block: AppliedBlock) -> None:
        self._hear(f"+{block.envelope.num}")

    def block_popped(self, block: BlockEnvelope) -> None:
        self._hear(f"-{block.num}")

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        self._hear("pending")

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        self._hear("dropped")


@pytest.fixture
def maker() -> TestChain:
    """A chain with some blocks to push elsewhere."""
    maker = TestChain("alice", "bob")
    maker.blocks(4)
    return maker


@pytest.fixture
def desk(maker: TestChain) -> Desk:
    return Desk(Chain(maker.genesis))


def test_a_block_is_stored_before_it_is_told(maker: TestChain, desk: Desk) -> None:
    """T-S1: whoever hears of it already rests on its move, which is the first thing to be done."""
    desk.push(maker.main[1])
    assert desk.heard == ["+1"]
    assert desk.made == [1]
    assert desk.wanted == [len(STORED)]
    store, *others = desk.effects.take()
    assert [StoreBlocks, *map(type, others)] == STORED
    assert isinstance(store, StoreBlocks)
    assert (store.head, store.main_chain, store.serial) == (desk.chain.head_id, (store.head,), 1)


def test_a_fork_that_wins_is_stored_and_told_as_a_whole(maker: TestChain, desk: Desk) -> None:
    """T-P6: nothing while it only grows; then what was popped is told before what came for it."""
    other = maker.twin()
    other.block(slot=2)
    other.blocks(2)
    desk.push(maker.main[1], maker.main[2])
    desk.effects.take()
    desk.heard.clear()
    desk.push(other.main[1], other.main[2])
    assert (desk.heard, desk.kinds(), desk.moves.durability.made) == ([], [], 2)
    desk.push(other.main[3])
    assert desk.heard == ["-2", "-1", "+1", "+2", "+3"]
    effects = desk.effects.take()
    assert [type(effect) for effect in effects] == [*STORED, Report]
    assert isinstance(effects[0], StoreBlocks)
    assert effects[0].main_chain == tuple(other.main[num].id for num in (1, 2, 3))
    assert isinstance(effects[-1], Report)
    assert effects[-1].name == "fork_switch"


def test_joined_blocks_are_one_move_before_all_that_follows(maker: TestChain, desk: Desk) -> None:
    """T-S1: what is wanted while they are pushed comes after the move that stores all of them."""
    desk.effects.report("before")
    with desk.moves.joined() as follow:
        for num in (1, 2, 3):
            follow(desk.chain.push_block(maker.main[num]))
            desk.effects.report("after")
    assert (desk.heard, desk.made) == (["+1", "+2", "+3"], [1, 1, 1])
    effects = desk.effects.take()
    assert [type(effect) for effect in effects] == [Report, *STORED, Report, Report, Report]
    store = effects[1]
    assert isinstance(store, StoreBlocks)
    assert (len(store.main_chain), store.serial) == (3, 1)


def test_joined_blocks_are_stored_although_they_end_midway(maker: TestChain, desk: Desk) -> None:
    """T-S1, T-D2: those that were told of stay; nothing is stored where none came."""

    def push_some(*numbers: int) -> None:
        with desk.moves.joined() as follow:
            for num in numbers:
                follow(desk.chain.push_block(maker.main[num]))

    with pytest.raises(UnlinkableBlock):
        push_some(1, 3)
    assert desk.kinds() == STORED
    with pytest.raises(UnlinkableBlock):
        push_some(3)
    assert (desk.kinds(), desk.moves.durability.made) == ([], 1)


def test_blocks_can_be_read_until_they_are_stored(maker: TestChain, desk: Desk) -> None:
    """T-S1: between the chain, which may forget them, and the disk; then who waits is told."""
    told: list[str] = []
    desk.push(maker.main[1], maker.main[2])
    desk.moves.durability.when_complete(lambda: told.append("durable"))
    for serial, left in ((1, 1), (2, 0)):
        assert told == []
        desk.moves.stored(serial)
        assert len(desk.unstored) == left
    assert told == ["durable"]


def test_a_clock_is_stored_once_there_is_a_block(maker: TestChain, desk: Desk) -> None:
    """C18: as a move that has no blocks, and that goes back where the chain does."""
    desk.moves.store_clock(5_000)
    assert (desk.kinds(), desk.moves.durability.made) == ([], 0)
    desk.push(maker.main[1], maker.main[2])
    desk.effects.take()
    desk.heard.clear()
    desk.moves.store_clock(5_000)
    desk.moves.follow_rewind(desk.chain.rewind(1), 3_000)
    ahead, back = desk.effects.take()
    second, first = maker.main[2].id, maker.main[1].id
    lib = desk.chain.last_irreversible_num
    assert ahead == StoreBlocks((), second, (), lib, 3, went_back=False, clock_offset_ms=5_000)
    assert back == StoreBlocks((), first, (), lib, 4, went_back=True, clock_offset_ms=3_000)
    assert (desk.heard, desk.made[-1]) == (["-2"], 4)


def test_a_mended_block_is_stored_and_moves_nothing(maker: TestChain, desk: Desk) -> None:
    """T-S3: the head stays, and nobody is told."""
    desk.push(maker.main[1], maker.main[2])
    desk.effects.take()
    desk.heard.clear()
    block = maker.main[1]
    desk.moves.store_again(block)
    [store] = desk.effects.take()
    assert isinstance(store, StoreBlocks)
    assert store.blocks == ((block.id, 1, block.packed),)
    assert (store.head, store.main_chain, store.went_back) == (maker.main[2].id, (), False)
    assert desk.heard == []


def test_sessions_are_flushed_after_a_pending_transaction_was_told(desk: Desk) -> None:
    """C15: observers first, whose messages leave with the flush."""
    chain = TestChain("alice", "bob")
    desk.moves.tell_pending(chain.transaction(chain.transfer("alice", "bob", 1)))
    assert (desk.heard, desk.kinds()) == (["pending"], [FlushSessions])
