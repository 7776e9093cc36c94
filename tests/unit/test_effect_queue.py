"""The order of effects: what must be durable before what."""

from __future__ import annotations

from node.core.effects import FlushSessions, RecoverKeys, Report, ReserveSlot, StoreBlocks
from node.p2p.effects import PeerKey, SendBytes
from node.services.effect_queue import EffectQueue, join_moves
from protocol.ids import WitnessId
from protocol.schema import BlockId


def id_of(num: int, fork: int = 0) -> BlockId:
    """The id of a block of a number on one of several forks."""
    return BlockId(num.to_bytes(4, "big") + bytes([fork]) * 16)


def move(*nums: int, fork: int = 0) -> StoreBlocks:
    """Blocks that become the top of the main chain."""
    ids = tuple(id_of(num, fork) for num in nums)
    return StoreBlocks(((ids[-1], nums[-1], b"block"),), ids[-1], ids, nums[0], nums[-1])


def test_slots_and_blocks_come_before_all_else_of_their_batch() -> None:
    """T-S1, T-W1: nothing is sent before what it rests on is durable; the rest keeps its order."""
    queue = EffectQueue()
    assert queue.take_batch() is None
    slot, send, report = ReserveSlot(WitnessId(1), 5, 1), SendBytes(PeerKey(1), b"x"), Report("x")
    queue.put([report, slot, move(1), send])
    queue.put([FlushSessions(), move(2)])
    batch = queue.take_batch()
    assert batch is not None
    assert batch.slots == (slot,)
    assert [item.main_chain for item in batch.moves] == [(id_of(1), id_of(2))]
    assert batch.rest == (report, send, FlushSessions())
    assert queue.take_batch() is None


def test_questions_about_keys_wait_for_no_disk() -> None:
    """The workers go on while blocks are being stored; slots, blocks and what is told wait."""
    queue = EffectQueue()
    first, second = RecoverKeys(1, b"x"), RecoverKeys(2, b"y")
    queue.put([move(1), first, FlushSessions(), second])
    batch = queue.take_batch()
    assert batch is not None
    assert batch.questions == (first, second)
    assert batch.rest == (FlushSessions(),)


def test_only_moves_that_continue_each_other_are_joined() -> None:
    """T-S1: a switch to another fork stays a move of its own."""
    grown = StoreBlocks(((id_of(2, 9), 2, b"fork"),), id_of(2), (), 2, 3)
    joined = join_moves([move(1), move(2), grown, move(2, 3, fork=1), move(4, fork=1)])
    assert [(item.head, item.main_chain) for item in joined] == [
        (id_of(2), (id_of(1), id_of(2))),
        (id_of(4, 1), (id_of(2, 1), id_of(3, 1), id_of(4, 1))),
    ]
    assert [len(item.blocks) for item in joined] == [3, 2]
    assert [item.irreversible_num for item in joined] == [2, 4]
    assert [item.serial for item in joined] == [3, 4]
