"""Follows what a refusal says would make it pass, and sees whether it does."""

from __future__ import annotations

from collections.abc import Sequence

from node.evaluators.base import apply_operation
from node.explain.records import Refusal
from node.explain.refusal import Refused, explain_refusal
from node.explain.wording import Wording
from node.state.context import Context
from protocol.errors import PegboardError
from protocol.operations.base import Operation


def explained(ctx: Context, op: Operation, error: PegboardError) -> Refusal:
    """The explanation of an operation's refusal."""
    words = Wording(ctx.state, "bit", "TEST")
    refused = Refused((op,), (), error)
    steps = explain_refusal(ctx.state, refused, lambda ops: refusal_of(ctx, ops), words)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Refusal = end.value
            return found


def follow_remedies(ctx: Context, op: Operation, error: PegboardError) -> None:
    """Each remedy that is an operation, or operations of others, makes it pass."""
    for remedy in explained(ctx, op, error).remedies:
        if remedy.operation is not None or remedy.before:
            after = refusal_of(ctx, (*remedy.before, remedy.operation or op))
            assert after is None, (remedy.text, after)


def refusal_of(ctx: Context, operations: Sequence[Operation]) -> PegboardError | None:
    """What refuses operations one after the other, which are taken back."""
    log = ctx.state.log
    log.begin()
    try:
        for op in operations:
            op.validate()
            apply_operation(ctx, op)
    except PegboardError as error:
        return error
    finally:
        log.undo()
    return None
