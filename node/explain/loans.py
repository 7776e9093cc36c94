"""What would make a refused operation of a credit offer or deal pass (O3-O6).

Where one number is wrong, `candidates` finds it; here is what takes more than one.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from node.explain.records import Remedy
from node.explain.wording import Wording
from node.market.credit import credit_fee
from node.state.database import State
from node.state.errors import BorrowerNotAccepted, OfferDisabled
from node.state.objects.credit import CreditOffer
from protocol.asset import NO_FEE, AssetAmount, multiply_ceil
from protocol.errors import PegboardError, PriceOverflow
from protocol.json_form import format_time
from protocol.operations.base import Operation
from protocol.operations.credit_offer import (
    MAX_CREDIT_DEAL_S,
    CreditDealRepay,
    CreditOfferAccept,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.schema import schema_of


def changed_loans(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[Remedy]:
    """The operation at the terms of its offer or deal; each is a guess, to be tried."""
    if isinstance(op, CreditOfferAccept):
        offer = state.credit_offers.find(op.offer_id)
        if offer is not None and error.rule in ("O5", "R1.4"):
            yield from _accept(state, op, offer, words)
    elif isinstance(op, CreditDealRepay):
        yield from _repay(state, op, words)
    elif isinstance(op, CreditOfferUpdate) and error.rule == "O4":
        yield from _refill(state, op, words)


def _accept(
    state: State, op: CreditOfferAccept, offer: CreditOffer, words: Wording
) -> Iterator[Remedy]:
    """As much as the offer lends to this borrower, against the collateral that it asks for."""
    most = offer.current_balance
    limit = dict(offer.acceptable_borrowers).get(op.borrower)
    if limit is not None:
        summary = state.credit_summaries_of_offer.find(offer.id, op.borrower)
        most = min(most, limit - (0 if summary is None else summary.total_debt_amount))
    wanted = op.borrow_amount.amount if op.borrow_amount.asset_id == offer.asset_type else most
    amount = AssetAmount(max(min(wanted, most), offer.min_deal_amount, 1), offer.asset_type)
    prices = dict(offer.acceptable_collateral)
    asset = op.collateral.asset_id
    price = prices.get(asset) or next(iter(prices.values()))
    try:
        required = multiply_ceil(amount, price)
    except PriceOverflow:
        return
    is_enough = asset == required.asset_id and op.collateral.amount >= required.amount
    changed = replace(
        op,
        borrow_amount=amount,
        collateral=op.collateral if is_enough else required,
        max_fee_rate=max(op.max_fee_rate, offer.fee_rate),
        min_duration_seconds=min(op.min_duration_seconds, offer.max_duration_seconds),
    )
    text = f"borrow {words.amount(amount)} against {words.amount(changed.collateral)}"
    fee = AssetAmount(credit_fee(amount.amount, offer.fee_rate), amount.asset_id)
    text += f", for a fee of {words.amount(fee)}"
    if _fields_changed(op, changed) > 1:
        yield Remedy(text, "borrow_amount", amount, changed)


def _repay(state: State, op: CreditDealRepay, words: Wording) -> Iterator[Remedy]:
    """No more than is owed, with the fee for it."""
    deal = state.credit_deals.find(op.deal_id)
    if deal is None:
        return
    amount = min(op.repay_amount.amount, deal.debt_amount)
    if op.repay_amount.asset_id != deal.debt_asset:
        amount = deal.debt_amount
    repaid = AssetAmount(amount, deal.debt_asset)
    fee = AssetAmount(credit_fee(max(amount, 0), deal.fee_rate), deal.debt_asset)
    changed = replace(op, account=deal.borrower, repay_amount=repaid, credit_fee=fee)
    text = f"repay {words.amount(repaid)} with a fee of {words.amount(fee)}"
    if _fields_changed(op, changed) > 1:
        yield Remedy(text, "repay_amount", repaid, changed)


def _fields_changed(old: Operation, new: Operation) -> int:
    fields = schema_of(type(old)).fields
    return sum(getattr(old, one.name) != getattr(new, one.name) for one in fields)


def _refill(state: State, op: CreditOfferUpdate, words: Wording) -> Iterator[Remedy]:
    """An offer that defaults have emptied gets something, or goes."""
    offer = state.credit_offers.find(op.offer_id)
    if offer is None or offer.total_balance:
        return
    least = AssetAmount(1, offer.asset_type)
    refilled = replace(op, delta_amount=least)
    yield Remedy(f"put at least {words.amount(least)} in", "delta_amount", least, refilled)
    delete = CreditOfferDelete(op.fee, op.owner_account, offer.id)
    yield Remedy("delete the credit offer", "", operation=delete)


def deeds_of_lenders(
    state: State, op: Operation, error: PegboardError, words: Wording
) -> Iterator[tuple[Operation, str]]:
    """What the owner of an offer may do before it lends, each in a sentence."""
    if not isinstance(op, CreditOfferAccept) or error.rule != "O5":
        return
    offer = state.credit_offers.find(op.offer_id)
    if offer is None:
        return
    owner = words.account(offer.owner_account)
    base = CreditOfferUpdate(NO_FEE, offer.owner_account, offer.id)
    if isinstance(error, OfferDisabled):
        end = state.dynamic.time + MAX_CREDIT_DEAL_S
        yield (
            replace(base, enabled=True, auto_disable_time=end),
            f"{owner} enables the credit offer first, until {format_time(end)} at the latest",
        )
    admitted = dict(offer.acceptable_borrowers)
    if admitted and (isinstance(error, BorrowerNotAccepted) or op.borrower in admitted):
        amount = op.borrow_amount
        summary = state.credit_summaries_of_offer.find(offer.id, op.borrower)
        admitted[op.borrower] = amount.amount + (
            0 if summary is None else summary.total_debt_amount
        )
        yield (
            replace(base, acceptable_borrowers=tuple(sorted(admitted.items()))),
            f"{owner} lets {words.account(op.borrower)} owe {words.amount(amount)} more first",
        )


def last_end(state: State, offer: CreditOffer) -> int | None:
    """When the last open deal of an offer ends; None where there is none."""
    ends = (deal.latest_repay_time for deal in state.credit_deals_of_offer.items(offer.id))
    return max(ends, default=None)
