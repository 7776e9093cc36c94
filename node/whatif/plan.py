"""What is to be tried on a chain, and how much work that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from protocol.errors import ValidationError
from protocol.operations.base import Operation
from protocol.schema import Mutable, Record


class Transact(Record):
    """One transaction, which nobody has to sign.

    An operation whose fee is 0 pays the required one in CORE; with `fee_free` it pays nothing.
    """

    operations: tuple[Operation, ...]
    fee_free: bool = False


class MakeBlocks(Record):
    """Make blocks at the next slots, the first of them of what was transacted before."""

    count: int = 1


class MakeBlockAt(Record):
    """Make one block at the first slot from a time on, in seconds; those before stay empty."""

    time_s: int


Step = Transact | MakeBlocks | MakeBlockAt
Plan = Sequence[Step]


class Limits(Record):
    """How much one simulation may do, whatever it is asked for."""

    operations: int = 1_000
    blocks: int = 1_000
    effects: int = 100_000
    """Virtual operations: fills, expiries, cancellations."""


LIMITS = Limits()


class PlannedBlock(Mutable):
    """The transactions of a block to be made, each with the number of its step, and its time."""

    earliest_s: int = 0
    transactions: list[tuple[int, Transact]] = msgspec.field(default_factory=list)


def planned_blocks(plan: Plan) -> Iterator[PlannedBlock]:
    """The blocks of a plan; what is transacted last is in a block of its own, and one is made."""
    block, made = PlannedBlock(), 0
    for number, step in enumerate(plan):
        match step:
            case Transact():
                block.transactions.append((number, step))
            case MakeBlocks(count):
                for _ in range(count):
                    yield block
                    block, made = PlannedBlock(), made + 1
            case MakeBlockAt(time_s):
                block.earliest_s = time_s
                yield block
                block, made = PlannedBlock(), made + 1
    if block.transactions or not made:
        yield block


def check_plan(plan: Plan, limits: Limits) -> None:
    """Raise `ValidationError` for a plan that holds more than may be tried at once (T-A2)."""
    operations = sum(len(step.operations) for step in plan if isinstance(step, Transact))
    if operations > limits.operations:
        raise ValidationError(
            "too many operations", rule="T-A2", value=operations, limit=limits.operations
        )
