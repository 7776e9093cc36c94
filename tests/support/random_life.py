"""Operations of every kind, drawn from a seed, on a chain where each of them may apply."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from protocol.errors import PegboardError
from protocol.operations.base import Operation
from protocol.operations.witness import WitnessUpdate
from tests.fuzz.targets import check_refusal
from tests.support.every_operation import BusyChain
from tests.support.leaves import Leaf, leaves
from tests.support.next_blocks import maintenance_slot

OPERATIONS_OF_A_LIFE = 400
"""Then most of what the examples are about is gone, and another chain begins."""
SLOTS = (1, 1, 1, 1, 2, 5, 100)
CHANGED_MAX = 3
"""Numbers of one operation that are drawn anew."""


class RandomLife:
    """A chain whose people try whatever comes to their minds (T-E1, T-E2, T-E4).

    `BusyChain` recounts all invariants after each block. Witnesses keep their keys, or nobody here
    could sign for them.
    """

    def __init__(self, seed: int | str) -> None:
        self.chance = Random(f"life {seed}")
        self.node = BusyChain()
        self.tried = self.applied = 0
        self._examples = [
            operation
            for operation in self.node.examples()
            if not isinstance(operation, WitnessUpdate)
        ]

    def live(self, operations: int) -> None:
        """Try so many operations, with blocks in between."""
        for _ in range(operations):
            self.try_one()
            if self.chance.randrange(4) == 0:
                self.make_block()
        self.make_block()

    def try_one(self) -> None:
        """Push one operation; what is refused is refused typed."""
        self.tried += 1
        try:
            self.node.push(self._draw())
            self.applied += 1
        except PegboardError as refusal:
            check_refusal(refusal)

    def make_block(self) -> None:
        """A block of what is pending, at times a late one or one of a maintenance."""
        self.node.block(slot=self.draw_slot())

    def draw_slot(self) -> int:
        """The slot of the next block."""
        if self.chance.randrange(20) == 0:
            return maintenance_slot(self.node)
        return self.chance.choice(SLOTS)

    def _draw(self) -> Operation:
        operation = self.chance.choice(self._examples)
        for _ in range(self.chance.randrange(CHANGED_MAX + 1)):
            numbers = list(leaves(operation))
            if numbers:
                operation = self._change(self.chance.choice(numbers))
        return operation

    def _change(self, leaf: Leaf) -> Operation:
        near = leaf.value + self.chance.randrange(-3, 4)
        some = self.chance.randrange(max(2, 2 * abs(leaf.value)))
        value = self.chance.choice((near, some, some // 100, leaf.smallest, leaf.largest))
        changed: Operation = leaf.change(min(max(value, leaf.smallest), leaf.largest))
        return changed


def lives(seed: int, operations: int) -> Iterator[tuple[RandomLife, int]]:
    """Lives that make up so many operations, and how many each of them has."""
    for number, first in enumerate(range(0, operations, OPERATIONS_OF_A_LIFE)):
        yield RandomLife(f"{seed}/{number}"), min(OPERATIONS_OF_A_LIFE, operations - first)


def state_after(seed: int | str, operations: int) -> str:
    """The state hash, in hexadecimal, that a life of so many operations comes to (T-E5)."""
    life = RandomLife(seed)
    life.live(operations)
    return life.node.chain.state_hash().hex()
