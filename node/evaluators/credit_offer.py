"""Credit offers: lending an amount at fixed terms, and borrowing by them (O2-O5)."""

from __future__ import annotations

from node.evaluators.lists import check_authorized
from node.evaluators.membership import check_owner
from node.state.balances import adjust_balance, credit, debit
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    BorrowerNotAccepted,
    CollateralNotAccepted,
    InsufficientCollateral,
    LimitExceeded,
    OfferDisabled,
    OfferInUse,
    WrongAssetType,
)
from node.state.objects.credit import CreditDeal, CreditDealSummary, CreditOffer
from protocol.asset import AssetAmount, multiply_ceil
from protocol.constants import MAX_AMOUNT
from protocol.errors import SECONDS, TIME
from protocol.ids import (
    AssetId,
    ObjectId,
    account_text,
    asset_text,
    credit_offer_text,
)
from protocol.operations.credit_offer import (
    MAX_CREDIT_DEAL_S,
    AcceptableBorrowers,
    AcceptableCollateral,
    AutoRepayment,
    CreditOfferAccept,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.schema import MAX_TIMESTAMP


def evaluate_credit_offer_create(ctx: Context, op: CreditOfferCreate) -> None:
    """An enabled offer ends in time, what it names exists, and its owner may hold the asset."""
    state = ctx.state
    if op.enabled:
        _check_end(ctx, op.auto_disable_time, "O2")
    _check_collateral(state, op.acceptable_collateral)
    _check_borrowers(state, op.acceptable_borrowers)
    asset = state.assets.get(op.asset_type)
    check_authorized(state.accounts.get(op.owner_account), asset)


def apply_credit_offer_create(ctx: Context, op: CreditOfferCreate, _: None) -> ObjectId:
    """Put the amount aside."""
    state = ctx.state
    debit(state, op.owner_account, AssetAmount(op.balance, op.asset_type))
    offer_id = state.credit_offers.next_id
    state.credit_offers.create(
        CreditOffer(
            id=offer_id,
            owner_account=op.owner_account,
            asset_type=op.asset_type,
            total_balance=op.balance,
            current_balance=op.balance,
            fee_rate=op.fee_rate,
            max_duration_seconds=op.max_duration_seconds,
            min_deal_amount=op.min_deal_amount,
            enabled=op.enabled,
            auto_disable_time=op.auto_disable_time,
            acceptable_collateral=op.acceptable_collateral,
            acceptable_borrowers=op.acceptable_borrowers,
        )
    )
    return state.credit_offers.object_id(offer_id)


def evaluate_credit_offer_delete(ctx: Context, op: CreditOfferDelete) -> CreditOffer:
    """The offer, once its owner asks and nothing of it is lent (O3)."""
    offer = ctx.state.credit_offers.get(op.offer_id)
    check_owner(op.owner_account, offer.owner_account, "credit offer", rule="O3")
    if offer.lent:
        raise OfferInUse(
            "something of the credit offer is lent",
            rule="O3",
            value=offer.lent,
            limit=0,
            unit=asset_text(offer.asset_type),
        )
    return offer


def apply_credit_offer_delete(
    ctx: Context, op: CreditOfferDelete, offer: CreditOffer
) -> AssetAmount:
    """Give back what is there, which may be nothing; answers with it."""
    released = AssetAmount(offer.current_balance, offer.asset_type)
    credit(ctx.state, op.owner_account, released)
    ctx.state.credit_offers.remove(offer)
    return released


def evaluate_credit_offer_update(ctx: Context, op: CreditOfferUpdate) -> CreditOffer:
    """The offer, once the change is its owner's, possible, and leaves a lawful offer (O4)."""
    state = ctx.state
    offer = state.credit_offers.get(op.offer_id)
    check_owner(op.owner_account, offer.owner_account, "credit offer", rule="O4")

    delta = 0 if op.delta_amount is None else op.delta_amount.amount
    if op.delta_amount is not None:
        _check_asset(op.delta_amount, offer.asset_type, "O4")
        _check_delta(state, offer, delta)
    enabled = offer.enabled if op.enabled is None else op.enabled
    end = offer.auto_disable_time if op.auto_disable_time is None else op.auto_disable_time
    if enabled:
        _check_end(ctx, end, "O4")
    if op.acceptable_collateral is not None:
        _check_collateral(state, op.acceptable_collateral)
        for _, price in op.acceptable_collateral:
            _check_asset(price.base, offer.asset_type, "O4")
    if op.acceptable_borrowers is not None:
        _check_borrowers(state, op.acceptable_borrowers)
    if offer.total_balance + delta <= 0:
        raise LimitExceeded(
            "nothing is left of the credit offer; refill or delete it",
            rule="O4",
            value=delta,
            limit=1,
            unit=asset_text(offer.asset_type),
        )
    return offer


def apply_credit_offer_update(
    ctx: Context, op: CreditOfferUpdate, offer: CreditOffer
) -> VoidResult:
    """Move the difference and replace what is given; open deals keep their terms."""
    delta = op.delta_amount
    if delta is not None:
        adjust_balance(ctx.state, op.owner_account, delta.asset_id, -delta.amount)
    ctx.state.credit_offers.edit(offer)
    if delta is not None:
        offer.total_balance += delta.amount
        offer.current_balance += delta.amount
    if op.fee_rate is not None:
        offer.fee_rate = op.fee_rate
    if op.max_duration_seconds is not None:
        offer.max_duration_seconds = op.max_duration_seconds
    if op.min_deal_amount is not None:
        offer.min_deal_amount = op.min_deal_amount
    if op.enabled is not None:
        offer.enabled = op.enabled
    if op.auto_disable_time is not None:
        offer.auto_disable_time = op.auto_disable_time
    if op.acceptable_collateral is not None:
        offer.acceptable_collateral = op.acceptable_collateral
    if op.acceptable_borrowers is not None:
        offer.acceptable_borrowers = op.acceptable_borrowers
    return VoidResult()


def evaluate_credit_offer_accept(ctx: Context, op: CreditOfferAccept) -> CreditOffer:
    """The offer, once it lends such an amount to the borrower at these terms, in O5's order."""
    state, amount = ctx.state, op.borrow_amount
    offer = state.credit_offers.get(op.offer_id)
    borrower, owner = state.accounts.get(op.borrower), state.accounts.get(offer.owner_account)

    if not offer.enabled:
        raise OfferDisabled(
            "the credit offer is not enabled", rule="O5", value=credit_offer_text(offer.id)
        )
    _check_asset(amount, offer.asset_type, "O5")
    _check_terms(offer, op)
    prices = dict(offer.acceptable_collateral)
    price = prices.get(op.collateral.asset_id)
    if price is None:
        raise CollateralNotAccepted(
            "the credit offer does not accept this collateral",
            rule="O5",
            value=asset_text(op.collateral.asset_id),
            limit=", ".join(map(asset_text, prices)),
        )
    for account in (borrower, owner):
        check_authorized(account, state.assets.get(offer.asset_type))
        check_authorized(account, state.assets.get(op.collateral.asset_id))
    required = multiply_ceil(amount, price)
    if op.collateral.amount < required.amount:
        raise InsufficientCollateral(
            "too little collateral at the credit offer's price",
            rule="O5",
            value=op.collateral.amount,
            limit=required.amount,
            unit=asset_text(required.asset_id),
        )
    _check_borrower(state, offer, op)
    if not offer.max_duration_seconds:
        raise LimitExceeded(
            "the deal would be due at once", rule="O5", value=0, limit=1, unit=SECONDS
        )
    return offer


def apply_credit_offer_accept(
    ctx: Context, op: CreditOfferAccept, offer: CreditOffer
) -> ExtendableOperationResult:
    """Lock the collateral and hand out the loan; answers with the deal (O5)."""
    state, amount = ctx.state, op.borrow_amount
    auto_repay = op.extensions.auto_repay
    debit(state, op.borrower, op.collateral)
    credit(state, op.borrower, amount)
    state.credit_offers.edit(offer).current_balance -= amount.amount
    deal_id = state.credit_deals.next_id
    state.credit_deals.create(
        CreditDeal(
            id=deal_id,
            borrower=op.borrower,
            offer_id=offer.id,
            offer_owner=offer.owner_account,
            debt_asset=offer.asset_type,
            debt_amount=amount.amount,
            collateral_asset=op.collateral.asset_id,
            collateral_amount=op.collateral.amount,
            fee_rate=offer.fee_rate,
            latest_repay_time=min(ctx.now + offer.max_duration_seconds, MAX_TIMESTAMP),
            auto_repay=AutoRepayment.NONE if auto_repay is None else auto_repay,
        )
    )
    summary = state.credit_summaries_of_offer.find(offer.id, op.borrower)
    if summary is not None:
        state.credit_deal_summaries.edit(summary).total_debt_amount += amount.amount
    else:
        state.credit_deal_summaries.create(
            CreditDealSummary(
                id=state.credit_deal_summaries.next_id,
                borrower=op.borrower,
                offer_id=offer.id,
                offer_owner=offer.owner_account,
                debt_asset=offer.asset_type,
                total_debt_amount=amount.amount,
            )
        )
    return ExtendableOperationResult(
        impacted_accounts=(offer.owner_account,),
        new_objects=(state.credit_deals.object_id(deal_id),),
    )


def check_growth(offer: CreditOffer, more: int, rule: str) -> None:
    """Raise unless what the offer counts as its own still fits: units that were lent may come back
    to it any number of times, so that the sum is not bounded by the supply."""
    if offer.total_balance + more > MAX_AMOUNT:
        raise LimitExceeded(
            "the credit offer would count more than a field holds; make another one",
            rule=rule,
            value=offer.total_balance + more,
            limit=MAX_AMOUNT,
            unit=asset_text(offer.asset_type),
        )


def _check_end(ctx: Context, end: int, rule: str) -> None:
    """An enabled offer ends after now, and not too late (O2)."""
    latest = ctx.now + MAX_CREDIT_DEAL_S
    if not ctx.now < end <= latest:
        raise LimitExceeded(
            "an enabled credit offer ends in the past, or too late",
            rule=rule,
            value=end,
            limit=ctx.now + 1 if end <= ctx.now else latest,
            unit=TIME,
        )


def _check_collateral(state: State, collateral: AcceptableCollateral) -> None:
    for asset, _ in collateral:
        state.assets.get(asset)


def _check_borrowers(state: State, borrowers: AcceptableBorrowers) -> None:
    for account, _ in borrowers:
        state.accounts.get(account)


def _check_asset(amount: AssetAmount, asset: AssetId, rule: str) -> None:
    if amount.asset_id != asset:
        raise WrongAssetType(
            "the credit offer lends another asset",
            rule=rule,
            value=asset_text(amount.asset_id),
            limit=asset_text(asset),
        )


def _check_delta(state: State, offer: CreditOffer, delta: int) -> None:
    """What is added the owner may hold; what is taken is there, and leaves something (O4)."""
    if delta > 0:
        owner = state.accounts.get(offer.owner_account)
        check_authorized(owner, state.assets.get(offer.asset_type))
        check_growth(offer, delta, "O4")
        return
    available = min(offer.total_balance - 1, offer.current_balance)
    if -delta > available:
        raise LimitExceeded(
            "not so much can be taken out; delete a credit offer to take all",
            rule="O4",
            value=-delta,
            limit=available,
            unit=asset_text(offer.asset_type),
        )


def _check_terms(offer: CreditOffer, op: CreditOfferAccept) -> None:
    """The amount is there and not too small, and the terms are no worse than asked (O5)."""
    amount, unit = op.borrow_amount.amount, asset_text(offer.asset_type)
    if amount > offer.current_balance:
        raise LimitExceeded(
            "the credit offer has less to lend",
            rule="O5",
            value=amount,
            limit=offer.current_balance,
            unit=unit,
        )
    if amount < offer.min_deal_amount:
        raise LimitExceeded(
            "the credit offer lends more at once",
            rule="O5",
            value=amount,
            limit=offer.min_deal_amount,
            unit=unit,
        )
    if offer.fee_rate > op.max_fee_rate:
        raise LimitExceeded(
            "the fee rate of the credit offer is above max_fee_rate",
            rule="O5",
            value=op.max_fee_rate,
            limit=offer.fee_rate,
        )
    if offer.max_duration_seconds < op.min_duration_seconds:
        raise LimitExceeded(
            "deals of the credit offer last shorter than min_duration_seconds",
            rule="O5",
            value=op.min_duration_seconds,
            limit=offer.max_duration_seconds,
            unit=SECONDS,
        )


def _check_borrower(state: State, offer: CreditOffer, op: CreditOfferAccept) -> None:
    """An offer that names borrowers names this one, which then owes no more than it may (O5)."""
    if not offer.acceptable_borrowers:
        return
    limit = dict(offer.acceptable_borrowers).get(op.borrower)
    if limit is None:
        raise BorrowerNotAccepted(
            "the credit offer names its borrowers, and not this one",
            rule="O5",
            value=account_text(op.borrower),
        )
    summary = state.credit_summaries_of_offer.find(offer.id, op.borrower)
    owed = 0 if summary is None else summary.total_debt_amount
    if owed + op.borrow_amount.amount > limit:
        raise LimitExceeded(
            "the borrower would owe more than the credit offer lends to it",
            rule="O5",
            value=owed + op.borrow_amount.amount,
            limit=limit,
            unit=asset_text(offer.asset_type),
        )
