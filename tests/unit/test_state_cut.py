"""A cut of the state: read in slices, it is what one block left, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from node.chain.chain import Chain
from node.core import snapshot_slices
from node.core.effects import SaveSnapshot
from node.core.snapshot_slices import SnapshotSlices, SnapshotTurns
from node.state.cut import StateCut
from node.state.database import State
from node.state.errors import CutReverted
from protocol.asset import NO_FEE
from protocol.msgpack_form import pack_document
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from tests.support.chain import TestChain
from tests.support.cuts import CutTwin


def chain_with_orders() -> TestChain:
    chain = TestChain("alice", "bob", "carol", witnesses=7)
    chain.push(*chain.feed("USD", 1, 2))
    for _ in range(4):
        chain.push(order(chain))
    chain.block()
    return chain


def order(chain: TestChain) -> LimitOrderCreate:
    sold, wanted = chain.amount(10), chain.amount(10, "USD")
    return LimitOrderCreate(NO_FEE, chain.account("alice"), sold, wanted)


def cancel(chain: TestChain, place: int = 0) -> LimitOrderCancel:
    found = list(chain.state.limit_orders.in_order())[place]
    return LimitOrderCancel(NO_FEE, found.seller, found.id)


def cuts_of(chain: TestChain) -> list[StateCut]:
    return [one for one in chain.state.log.listeners if isinstance(one, StateCut)]


def test_orders_come_and_go_while_a_cut_is_read() -> None:
    """T-S1: created, edited and removed objects, by pending transactions and by blocks."""
    chain = chain_with_orders()
    chain.push(cancel(chain), order(chain))
    twin = CutTwin(chain.chain, 3)
    twin.advance()
    chain.push(cancel(chain))
    twin.advance()
    chain.block(order(chain))
    twin.advance()
    chain.push(cancel(chain))
    chain.block(cancel(chain))
    twin.finish()
    assert not twin.is_reverted


def test_a_pending_transaction_after_a_block_is_left_out() -> None:
    chain = chain_with_orders()
    chain.push(cancel(chain), order(chain))
    twin = CutTwin(chain.chain, 3)
    twin.advance()
    chain.block()
    chain.push(chain.transfer("bob", "carol", 7))
    twin.finish()
    assert not twin.is_reverted


def test_an_order_that_came_and_went_since_is_left_out() -> None:
    chain = chain_with_orders()
    twin = CutTwin(chain.chain, 3)
    chain.block(order(chain))
    chain.block(cancel(chain, -1))
    twin.finish()
    assert not twin.is_reverted


@pytest.mark.parametrize("advanced", range(0, 40, 3))
def test_blocks_of_a_fork_are_popped_while_a_cut_is_read(advanced: int) -> None:
    """R9.2: what lies above the cut may be another branch by the time it is finished."""
    chain = chain_with_orders()
    other = chain.twin()
    other.follow(chain)
    twin = CutTwin(chain.chain, 2)
    chain.block(cancel(chain), order(chain), chain.transfer("alice", "bob", 7))
    for _ in range(advanced):
        twin.advance()
    for block in (other.block(other.transfer("bob", "carol", 9), slot=2), other.block()):
        result = chain.receive(block.envelope)
    assert result.popped
    twin.finish()
    assert not twin.is_reverted


def test_a_cut_ends_with_its_block() -> None:
    chain = chain_with_orders()
    other = chain.twin()
    other.follow(chain)
    chain.block(chain.transfer("alice", "bob", 7))
    cut = chain.chain.cut()
    slices = cut.dump_slices(2)
    next(slices)
    for _ in range(2):
        chain.receive(other.block(slot=2).envelope)
    with pytest.raises(CutReverted):
        next(slices)
    assert not cuts_of(chain), "it follows no more"


def test_one_snapshot_is_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-S1: every so manieth block has its turn, unless the one before is still being packed."""
    monkeypatch.setattr(snapshot_slices, "SLICE_OBJECTS", 4)
    chain = chain_with_orders()
    turns = SnapshotTurns(chain.chain, 2)
    turns.begin()
    assert turns.advance() is None
    assert not cuts_of(chain), "block 1 has no turn"
    for _ in range(3):
        chain.block()
        turns.begin()
        assert turns.advance() is None
        assert len(cuts_of(chain)) == 1
    saved = None
    while saved is None:
        saved = turns.advance()
    assert (saved.num, chain.chain.head_num) == (2, 4)
    assert not cuts_of(chain)


@pytest.mark.parametrize("read", [StateCut.dump_slices, StateCut.hash_slices])
def test_no_slice_reads_more_objects_than_its_size(
    read: Callable[[StateCut, int], Iterator[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the main loop is bounded, however many objects and tables there are."""
    chain = chain_with_orders()
    objects = sum(len(table) for table in chain.state.tables)
    runs: list[int] = []
    real = StateCut._runs

    def counted(*args: object) -> object:
        for items in real(*args):  # type: ignore[arg-type]
            runs.append(len(items))
            yield items

    monkeypatch.setattr(StateCut, "_runs", counted)
    slices = read(chain.chain.cut(), 5)
    steps = [0, *(sum(runs) for _ in slices), sum(runs)]
    assert sum(runs) == objects
    assert all(b - a <= 5 for a, b in pairwise(steps))


def test_a_snapshot_is_made_in_slices_and_holds_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-S1: blocks go on meanwhile; the chain of the snapshot is that of its block."""
    monkeypatch.setattr(snapshot_slices, "SLICE_OBJECTS", 4)
    chain = chain_with_orders()
    expected, state_hash = pack_document(chain.chain.dump()), chain.chain.state_hash()
    block = chain.chain.head_num, chain.chain.head_id
    making = SnapshotSlices(chain.chain)
    steps, saved = 0, None
    while saved is None:
        assert not making.is_over
        saved = making.advance()
        steps += 1
        if steps % 5 == 0:
            chain.block(cancel(chain), order(chain))
    assert isinstance(saved, SaveSnapshot)
    assert making.is_over
    assert steps > 10
    assert (saved.num, saved.block_id) == block
    assert b"".join(saved.payload) == expected
    restored = Chain.continue_from(chain.genesis, State.read(b"".join(saved.payload)))
    assert restored.state_hash() == state_hash
    assert not cuts_of(chain), "it follows no more"
