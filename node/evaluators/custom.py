"""Operations that change nothing: data for others to read, and assertions."""

from __future__ import annotations

from node.evaluators.development import apply_action, evaluate_action
from node.state.context import Context
from node.state.database import State
from node.state.errors import AssertionFailed, LimitExceeded
from protocol.block import block_num_of
from protocol.development import Action
from protocol.operations.custom import (
    AccountNamePredicate,
    Assert,
    AssetSymbolPredicate,
    BlockIdPredicate,
    Custom,
    Predicate,
)
from protocol.operations.results import VoidResult

PREDICATE_TAGS: dict[type, int] = {
    AccountNamePredicate: 0,
    AssetSymbolPredicate: 1,
    BlockIdPredicate: 2,
}
"""The number of each predicate on the wire, which `max_predicate_opcode` limits."""


def evaluate_custom(ctx: Context, op: Custom) -> Action | None:
    """Anything goes: the fee and the authorities are all the chain asks for.

    A development chain finds out what it is asked to do (R9.10).
    """
    return evaluate_action(ctx, op)


def apply_custom(ctx: Context, op: Custom, checked: Action | None) -> VoidResult:
    """Nothing to do: the data stands in the block; unless a development chain carries it out."""
    if checked is not None:
        apply_action(ctx, checked)
    return VoidResult()


def evaluate_assert(ctx: Context, op: Assert) -> None:
    """Every predicate is allowed and true."""
    limit = ctx.state.parameters.max_predicate_opcode
    for position, predicate in enumerate(op.predicates):
        tag = PREDICATE_TAGS[type(predicate)]
        if tag >= limit:
            raise LimitExceeded("predicate is not allowed", rule="R9.9", value=tag, limit=limit)
        if not _is_true(ctx.state, predicate):
            raise AssertionFailed(f"predicate {position} is false", rule="R9.9", value=predicate)


def _is_true(state: State, predicate: Predicate) -> bool:
    if isinstance(predicate, AccountNamePredicate):
        return state.accounts.get(predicate.account_id).name == predicate.name
    if isinstance(predicate, AssetSymbolPredicate):
        return state.assets.get(predicate.asset_id).symbol == predicate.symbol
    block_num = block_num_of(predicate.id)
    summary = state.block_summary(block_num)
    return summary is not None and summary.block_id == predicate.id


def apply_assert(ctx: Context, op: Assert, checked: None) -> VoidResult:
    """Nothing to do."""
    return VoidResult()
