"""The order in which effects are carried out; one place for the real shell and the simulated one.

Whatever waits makes one batch: what is to be worked out is begun, blocks are stored, then slots and
votes recorded, durably, then everything else follows in order. Storing early is always safe, and
one flush serves many blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.core.effects import (
    Effect,
    LaterEffect,
    RecoverKeys,
    ReserveSlot,
    ReserveVote,
    StoreBlocks,
)
from protocol.block import block_num_of
from protocol.schema import BlockId, Record


class Batch(Record, gc=True):
    """Effects that are carried out together."""

    questions: tuple[RecoverKeys, ...]
    """To be asked at once: they tell nobody anything, and no worker must wait for the disk."""
    moves: tuple[StoreBlocks, ...]
    """To be made durable before all that follows. A recorded vote for a block that was lost could
    forbid its key to vote ever again (F5); an own block without a record of its slot was told to
    nobody, and the chain shows it at the next start (T-W1)."""
    slots: tuple[ReserveSlot, ...]
    """To be made durable after `moves`, and before anything of `rest`."""
    votes: tuple[ReserveVote, ...]
    """As `slots`, in the same write."""
    rest: tuple[LaterEffect, ...]


class EffectQueue:
    """Effects between the core, which never waits, and the disk, for which all else waits."""

    def __init__(self) -> None:
        self._waiting: list[Effect] = []

    def put(self, effects: Iterable[Effect]) -> None:
        """Add what the core wants done now."""
        self._waiting.extend(effects)

    def take_batch(self) -> Batch | None:
        """Everything that waits; None for nothing."""
        if not self._waiting:
            return None
        effects, self._waiting = self._waiting, []
        questions: list[RecoverKeys] = []
        slots: list[ReserveSlot] = []
        votes: list[ReserveVote] = []
        moves: list[StoreBlocks] = []
        rest: list[LaterEffect] = []
        for effect in effects:
            match effect:
                case RecoverKeys():
                    questions.append(effect)
                case ReserveSlot():
                    slots.append(effect)
                case ReserveVote():
                    votes.append(effect)
                case StoreBlocks():
                    moves.append(effect)
                    if effect.went_back:
                        slots.clear()
                        votes.clear()
                case _:
                    rest.append(effect)
        moved = tuple(join_moves(moves))
        return Batch(tuple(questions), moved, tuple(slots), tuple(votes), tuple(rest))


def join_moves(moves: Sequence[StoreBlocks]) -> list[StoreBlocks]:
    """Fewer moves of the main chain with the same outcome: each flush serves as many as it can."""
    runs: list[list[StoreBlocks]] = []
    main_chain: tuple[BlockId, ...] = ()
    for move in moves:
        if main_chain and _extends(main_chain, move) and not _is_apart(move):
            runs[-1].append(move)
            main_chain = move.main_chain or main_chain
        else:
            runs.append([move])
            main_chain = () if _is_apart(move) else move.main_chain
    return [_join(run) for run in runs]


def _is_apart(move: StoreBlocks) -> bool:
    """Whether a move asks for more than blocks."""
    return move.went_back or move.clock_offset_ms is not None


def _extends(main_chain: tuple[BlockId, ...], move: StoreBlocks) -> bool:
    """Whether a move goes on where another one ended, with these ids."""
    if not move.main_chain:
        return move.head == main_chain[-1]
    return block_num_of(move.main_chain[0]) == block_num_of(main_chain[-1]) + 1


def _join(run: Sequence[StoreBlocks]) -> StoreBlocks:
    last = run[-1]
    if len(run) == 1:
        return last
    return StoreBlocks(
        tuple(block for move in run for block in move.blocks),
        last.head,
        tuple(block_id for move in run for block_id in move.main_chain),
        last.irreversible_num,
        last.serial,
    )
