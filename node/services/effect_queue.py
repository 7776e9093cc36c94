"""The order in which effects are carried out; one place for the real shell and the simulated one.

Whatever waits makes one batch: its slots are reserved and its blocks stored first, durably, then
everything else follows in order. Storing early is always safe, and one flush serves many blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.core.effects import Effect, LaterEffect, ReserveSlot, StoreBlocks
from protocol.block import block_num_of


@dataclass(frozen=True, slots=True)
class Batch:
    """Effects that are carried out together."""

    slots: tuple[ReserveSlot, ...]
    """To be made durable before anything else."""
    moves: tuple[StoreBlocks, ...]
    """To be made durable before anything of `rest`."""
    rest: tuple[LaterEffect, ...]


class EffectQueue:
    """Effects between the core, which never waits, and the disk, for which all else waits."""

    def __init__(self) -> None:
        self._waiting: list[Effect] = []
        self._has_moves = False

    @property
    def may_report(self) -> bool:
        """Whether no block waits to be stored.

        While one does, a `FlushSessions` is to be passed over, for clients would be told of a
        block that a crash can still take back; another one waits behind that block.
        """
        return not self._has_moves

    def put(self, effects: Iterable[Effect]) -> None:
        """Add what the core wants done now."""
        for effect in effects:
            self._waiting.append(effect)
            self._has_moves = self._has_moves or isinstance(effect, StoreBlocks)

    def take_batch(self) -> Batch | None:
        """Everything that waits; None for nothing."""
        if not self._waiting:
            return None
        effects, self._waiting, self._has_moves = self._waiting, [], False
        slots: list[ReserveSlot] = []
        moves: list[StoreBlocks] = []
        rest: list[LaterEffect] = []
        for effect in effects:
            match effect:
                case ReserveSlot():
                    slots.append(effect)
                case StoreBlocks():
                    moves.append(effect)
                case _:
                    rest.append(effect)
        return Batch(tuple(slots), tuple(join_moves(moves)), tuple(rest))


def join_moves(moves: Sequence[StoreBlocks]) -> list[StoreBlocks]:
    """Fewer moves of the main chain with the same outcome: each flush serves as many as it can."""
    joined: list[StoreBlocks] = []
    for move in moves:
        last = joined[-1] if joined else None
        if last is not None and last.main_chain and _extends(last, move):
            joined[-1] = StoreBlocks(
                last.blocks + move.blocks,
                move.head,
                last.main_chain + move.main_chain,
                move.irreversible_num,
            )
        else:
            joined.append(move)
    return joined


def _extends(last: StoreBlocks, move: StoreBlocks) -> bool:
    if not move.main_chain:
        return move.head == last.head
    return block_num_of(move.main_chain[0]) == block_num_of(last.main_chain[-1]) + 1
