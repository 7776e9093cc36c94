"""What might make a refused operation on a liquidity pool pass, beside other numbers in it (L4-L8).

As all candidates these are tried before they are told. Without a remedy of their own stay an empty
pool, which its owner fills as she likes (L6), and an asset that is no share of anybody's choice
(L3): the sentence of the rule says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from node.explain.candidates import Candidate, Scale
from node.explain.records import Remedy
from node.explain.wording import Wording
from node.state.database import State
from node.state.errors import PermissionDenied, PoolNotEmpty, UnfillablePrice, ZeroOutcome
from protocol.asset import NO_FEE, AssetAmount, ceil_div
from protocol.errors import PegboardError
from protocol.fees import with_required_fee
from protocol.operations.base import Operation
from protocol.operations.liquidity_pool import (
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)


def pool_candidates(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[Candidate]:
    """Changes of an operation on a pool, and what its owner may do before."""
    if isinstance(op, LiquidityPoolDelete) and isinstance(error, PoolNotEmpty):
        yield from _empty_first(state, op, words)
    elif isinstance(op, LiquidityPoolUpdate) and isinstance(error, PermissionDenied):
        changed = replace(op, withdrawal_fee_percent=0)
        text = "set withdrawal_fee_percent to 0 as well"
        yield Candidate(Remedy(text, "withdrawal_fee_percent", operation=changed), (changed,))
    elif isinstance(op, LiquidityPoolDeposit) and isinstance(error, ZeroOutcome):
        yield from _worth_a_share(state, op, words)
    elif isinstance(op, LiquidityPoolWithdraw) and isinstance(error, ZeroOutcome):
        held = state.balance_of(op.account, op.share_amount.asset_id)
        yield from _more(
            op.share_amount,
            held,
            lambda amount: replace(op, share_amount=amount),
            ("give back", "share_amount"),
            words,
        )
    elif isinstance(op, LiquidityPoolExchange) and isinstance(error, UnfillablePrice):
        held = state.balance_of(op.account, op.amount_to_sell.asset_id)
        yield from _more(
            op.amount_to_sell,
            held,
            lambda amount: replace(op, amount_to_sell=amount),
            ("sell", "amount_to_sell"),
            words,
        )


def _empty_first(state: State, op: LiquidityPoolDelete, words: Wording) -> Iterator[Candidate]:
    """The owner gives back all shares, if nobody else has any."""
    pool = state.liquidity_pools.get(op.pool)
    supply = state.figures_of(pool.share_asset).current_supply
    shares = AssetAmount(supply, pool.share_asset)
    free = LiquidityPoolWithdraw(NO_FEE, op.account, op.pool, shares)
    withdraw = with_required_fee(free, state.parameters.current_fees)
    text = f"{words.account(op.account)} withdraws all {words.amount(shares)} first"
    remedy = Remedy(text, "", before=(withdraw,), accounts=(op.account,))
    yield Candidate(remedy, (withdraw, op))


def _worth_a_share(state: State, op: LiquidityPoolDeposit, words: Wording) -> Iterator[Candidate]:
    """The least of both assets that gives one share."""
    pool = state.liquidity_pools.get(op.pool)
    supply = state.figures_of(pool.share_asset).current_supply
    if supply == 0:
        return
    least_a, least_b = (
        replace(amount, amount=max(amount.amount, ceil_div(balance, supply)))
        for amount, balance in ((op.amount_a, pool.balance_a), (op.amount_b, pool.balance_b))
    )
    changed = replace(op, amount_a=least_a, amount_b=least_b)
    text = f"deposit at least {words.amount(least_a)} and {words.amount(least_b)}"
    yield Candidate(Remedy(text, "amount_a", least_a, operation=changed), (changed,))


def _more(
    old: AssetAmount,
    held: int,
    put: Callable[[AssetAmount], Operation],
    how: tuple[str, str],
    words: Wording,
) -> Iterator[Candidate]:
    """The least of what the account holds that is enough."""
    verb, field = how

    def at(amount: int) -> Candidate:
        new = replace(old, amount=amount)
        changed = put(new)
        remedy = Remedy(f"{verb} at least {words.amount(new)}", field, new, operation=changed)
        return Candidate(remedy, (changed,))

    if held > old.amount:
        yield at(held)._replace(scale=Scale(old.amount, held, at))
