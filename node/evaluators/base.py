"""Execution of one operation: checks, fee, effect, in the order of R8.18."""

from __future__ import annotations

from typing import cast

from node.evaluators import EVALUATORS
from node.evaluators.development import is_carried_out
from node.evaluators.fees import check_fee, collect_fee
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.errors import FeatureNotBuilt
from protocol.fees import check_parameters
from protocol.operations import ENTRY_OF, PAYER_OF
from protocol.operations.base import Operation
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalCreate
from protocol.operations.results import OperationResult

_evaluator_of = EVALUATORS.get


def apply_operation(ctx: Context, op: Operation, fee_free: bool = False) -> OperationResult:
    """Execute a validated operation; the caller's session undoes what a refusal leaves.

    The order is that of R8.18 (G0.1): all checks; then the fee is converted and set aside; then the
    effect; only then is the fee debited, so it must still be affordable. With `fee_free` the
    schedule asks for nothing, as inside a proposal (R8.23); a fee that the operation states is
    still paid. Raises `TransactionRejected`, or `PriceOverflow` from an absurd price.
    """
    cls = type(op)
    found = _evaluator_of(cls)
    if found is None:
        raise _not_executed(op)
    if cls is ProposalCreate:
        _check_proposed(cast(ProposalCreate, op))
    payer = ctx.state.accounts.at[PAYER_OF[cls](op)]
    if cls is Custom:
        fee_free = fee_free or is_carried_out(ctx.state, cast(Custom, op))
    core_worth = check_fee(ctx, op, payer, fee_free)
    evaluate, apply = found.evaluate, found.apply
    checked = evaluate(ctx, op)
    fee = op.fee
    if fee.amount:
        collect_fee(ctx.state, payer, fee, core_worth, found.fee_use)
    result = apply(ctx, op, checked)
    if fee.amount:
        adjust_balance(ctx.state, payer.id, fee.asset_id, -fee.amount)
    return result


def _check_proposed(op: ProposalCreate) -> None:
    """Refuse at once what could never be executed when its time comes."""
    waiting = [op]
    while waiting:
        for proposed in waiting.pop().proposed_ops:
            if type(proposed.op) not in EVALUATORS:
                raise _not_executed(proposed.op)
            if isinstance(proposed.op, ProposalCreate):
                waiting.append(proposed.op)
            elif isinstance(proposed.op, CommitteeMemberUpdateGlobalParameters):
                check_parameters(proposed.op.new_parameters)


def _not_executed(op: Operation) -> FeatureNotBuilt:
    """The refusal of what only the chain emits, or what is never executed (R2.18, Y4)."""
    entry = ENTRY_OF[type(op)]
    what = (
        "virtual, only the chain emits it" if entry.virtual else "known, not executed by this node"
    )
    return FeatureNotBuilt(f"{entry.name} is {what}", rule="R9.6", value=entry.name)


def run_proposed_operation(ctx: Context, op: Operation) -> OperationResult:
    """Execute one operation of a proposal and record it as virtual: `Context.run_operation`.

    Of whatever kind: a proposal may also redeem a contract (R8.23, H7.2).
    """
    ctx.emit(op)
    entry = ctx.applied[-1]
    entry.result = apply_operation(ctx, op, fee_free=True)
    return entry.result
