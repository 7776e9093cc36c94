"""What would make a refused transaction pass, found by the evaluators' own checks (R3.4, I6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from node.evaluators import EVALUATORS
from node.evaluators.asset_rules import bitasset_data_of
from node.evaluators.call_order import NewPosition, check_ratio
from node.explain.records import Refusal, Remedy
from node.explain.thresholds import highest_where
from node.explain.wording import Wording
from node.rules import sentence_of
from node.state.context import Context
from node.state.errors import (
    BelowRequiredRatio,
    InsufficientBalance,
    InsufficientFee,
    WouldBlackSwan,
)
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import PegboardError
from protocol.operations.base import Operation
from protocol.operations.call_order import CallOrderUpdate


def explain_refusal(
    ctx: Context, operations: Sequence[Operation], error: PegboardError, words: Wording
) -> Refusal:
    """A refusal by its rule, and what would make the transaction pass; writes nothing.

    `ctx` is of the state on which the transaction was refused.
    """
    place = _refused_place(ctx, operations, error)
    op = None if place is None else operations[place]
    return Refusal(
        name=error.name,
        what=error.what,
        rule=error.rule,
        rule_says=sentence_of(error.rule) or "",
        value=None if error.value is None else str(error.value),
        limit=None if error.limit is None else str(error.limit),
        unit=error.unit,
        operation=place,
        remedies=tuple(_remedies(ctx, op, error, words)),
    )


def _refused_place(
    ctx: Context, operations: Sequence[Operation], error: PegboardError
) -> int | None:
    """The first operation that is refused in the same way on the state as it is, if any."""
    for place, op in enumerate(operations):
        try:
            op.validate()
            EVALUATORS[type(op)].evaluate(ctx, op)
        except PegboardError as found:
            if _same(found, error):
                return place
    return None


def _same(found: PegboardError, error: PegboardError) -> bool:
    """Whether two refusals are one, by what they found too: operations before may change that."""
    return (found.name, found.rule, found.value, found.limit) == (
        error.name,
        error.rule,
        error.value,
        error.limit,
    )


def _remedies(
    ctx: Context, op: Operation | None, error: PegboardError, words: Wording
) -> Iterator[Remedy]:
    if isinstance(error, BelowRequiredRatio | WouldBlackSwan):
        if isinstance(op, CallOrderUpdate):
            yield from _ratio_remedies(ctx, op, words)
    elif isinstance(error, InsufficientBalance):
        yield from _balance_remedies(error, words)
    elif isinstance(error, InsufficientFee) and isinstance(error.limit, int):
        fee = AssetAmount(error.limit, CORE_ASSET)
        yield Remedy(f"pay a fee of at least {words.amount(fee)}", "fee", fee)


def _balance_remedies(error: InsufficientBalance, words: Wording) -> Iterator[Remedy]:
    held, taken = error.value, error.limit
    if error.asset_id is None or not isinstance(held, int) or not isinstance(taken, int):
        return
    missing = AssetAmount(taken - held, error.asset_id)
    who = "the account" if error.holder is None else words.account(error.holder)
    yield Remedy(f"{who} needs {words.amount(missing)} more", "balance", missing)


def _ratio_remedies(ctx: Context, op: CallOrderUpdate, words: Wording) -> Iterator[Remedy]:
    """The least collateral and the most debt with which the position would pass."""
    state = ctx.state
    asset = state.assets.get(op.delta_debt.asset_id)
    data = bitasset_data_of(state, asset)
    position = state.positions_of_account.find(op.funding_account, asset.id)
    held = 0 if position is None else position.collateral
    owed = 0 if position is None else position.debt
    collateral, debt = held + op.delta_collateral.amount, owed + op.delta_debt.amount

    def passes(new: NewPosition) -> bool:
        try:
            check_ratio(data, new)
        except PegboardError:
            return False
        return True

    spare = highest_where(
        lambda less: passes(NewPosition(position, MAX_SUPPLY - less, debt)), 0, MAX_SUPPLY - 1
    )
    if spare is not None:
        least = MAX_SUPPLY - spare - held
        amount = replace(op.delta_collateral, amount=least)
        what = "put in at least" if least > 0 else "take out at most"
        text = f"{what} {words.amount(replace(amount, amount=abs(least)))} of collateral"
        yield Remedy(text, "delta_collateral", amount)
    most = highest_where(lambda debt: passes(NewPosition(position, collateral, debt)), 1, debt)
    if most is not None and most - owed != 0:
        amount = replace(op.delta_debt, amount=most - owed)
        what = "borrow at most" if amount.amount > 0 else "pay back at least"
        text = f"{what} {words.amount(replace(amount, amount=abs(amount.amount)))}"
        yield Remedy(text, "delta_debt", amount)
