"""Blocks between the chain, which forgets them once they are irreversible, and the store.

A chain of few witnesses runs ahead of its disk: a block can be irreversible before it is stored.
"""

from __future__ import annotations

from collections import deque

from node.core.effects import StoreBlocks
from protocol.block import block_num_of
from protocol.schema import BlockId


class UnstoredBlocks:
    """The blocks of moves that are not stored yet, and their places on the main chain."""

    def __init__(self) -> None:
        self._moves: deque[StoreBlocks] = deque()
        self._blocks: dict[BlockId, bytes] = {}
        self._main_chain: dict[int, BlockId] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, move: StoreBlocks) -> None:
        """Keep the blocks of a move; one that went back takes the places above its head away."""
        if move.went_back:
            top = block_num_of(move.head)
            for num in [num for num in self._main_chain if num > top]:
                del self._main_chain[num]
        self._moves.append(move)
        self._blocks.update((block_id, data) for block_id, _, data in move.blocks)
        self._main_chain.update((block_num_of(block_id), block_id) for block_id in move.main_chain)

    def drop(self, serial: int) -> None:
        """Forget the moves up to a number, which are stored."""
        while self._moves and self._moves[0].serial <= serial:
            move = self._moves.popleft()
            for block_id, num, _ in move.blocks:
                self._blocks.pop(block_id, None)
                if self._main_chain.get(num) == block_id:
                    del self._main_chain[num]

    def block(self, block_id: BlockId) -> bytes | None:
        """The binary form of a block."""
        return self._blocks.get(block_id)

    def id_at(self, num: int) -> BlockId | None:
        """Id of the main chain's block of a number."""
        return self._main_chain.get(num)
