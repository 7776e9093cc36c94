"""What executes one kind of operation: a check that writes nothing, and the writing."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar, cast

from node.state.context import Context
from protocol.operations.base import Operation
from protocol.operations.results import OperationResult
from protocol.schema import Record

Op = TypeVar("Op", bound=Operation)
Checked = TypeVar("Checked")


class FeeUse(Enum):
    """Where the CORE worth of an operation's fee goes."""

    DISTRIBUTE = "distribute"
    """To the payer's pending fees, shared out at maintenance (R8.20)."""
    DEFER = "defer"
    """Into the new order, shared out when it is filled or ends (R2.12)."""
    SEED_POOL = "seed_pool"
    """Half into the fee pool of the new asset, the rest shared out (R8.19)."""


class Evaluator(Record):
    """The two halves of an operation's execution, with the types of one operation erased."""

    evaluate: Callable[[Context, Operation], object]
    """Load, check, compute; writes nothing. Raises `TransactionRejected`."""
    apply: Callable[[Context, Operation, object], OperationResult]
    """Write what `evaluate` computed; refuses only what the writing itself decides."""
    fee_use: FeeUse


def evaluator(
    evaluate: Callable[[Context, Op], Checked],
    apply: Callable[[Context, Op, Checked], OperationResult],
    *,
    fee_use: FeeUse = FeeUse.DISTRIBUTE,
) -> Evaluator:
    """Pair two functions of one operation class; the types of both are checked here."""
    return Evaluator(
        cast("Callable[[Context, Operation], object]", evaluate),
        cast("Callable[[Context, Operation, object], OperationResult]", apply),
        fee_use,
    )
