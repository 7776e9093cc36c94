"""Operations and turns in a line for people: who, what, how much.

The same words at the node, over its state, and on the command line, over what a node answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from protocol.asset import AssetAmount, Price
from protocol.constants import NULL_ACCOUNT
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    ForceSettlementId,
    LimitOrderId,
    credit_deal_text,
    credit_offer_text,
    fund_text,
    htlc_text,
    order_text,
    pool_text,
    ticket_text,
)
from protocol.operations import ENTRY_OF, fee_payer
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetSettleCancel,
    BidCollateral,
    ExecuteBid,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditOfferAccept,
    CreditOfferCreate,
)
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem, HtlcRedeemed, HtlcRefund
from protocol.operations.limit_order import (
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolWithdraw,
)
from protocol.operations.samet_fund import SametFundBorrow, SametFundCreate, SametFundRepay
from protocol.operations.ticket import TicketCreate, TicketType, TicketUpdate
from protocol.operations.transfer import Transfer


class Names(Protocol):
    """What accounts and assets are called."""

    def account(self, account: AccountId) -> str:
        """The name of an account."""

    def symbol(self, asset_id: AssetId) -> str:
        """What people call an asset."""

    def amount(self, amount: AssetAmount) -> str:
        """An amount such as "12.5000 bitUSD"."""

    def price(self, price: Price) -> str:
        """A price as whole units of its base for one of its quote."""


def describe(op: Operation, names: Names, *, how: str | None = None) -> str:
    """An operation; `how` is what became of a position, where its fill alone does not tell."""
    if isinstance(op, FillOrder):
        return _fill_order(op, names, how=how)
    words = _WORDS.get(type(op))
    if words is not None:
        return words(op, names)
    return f"{names.account(fee_payer(op))}: {ENTRY_OF[type(op)].name.replace('_', ' ')}"


def describe_turn(asset: AssetId, event: str, price: Price, fund: AssetAmount, names: Names) -> str:
    """A turn in the life of a BitAsset that no operation records; see `AssetEventRecord`."""
    symbol = names.symbol(asset)
    if event == "global_settlement":
        at = _price(price, names)
        return f"{symbol} is settled globally at {at}; fund {names.amount(fund)}"
    return {
        "revival": f"{symbol} lives again after its global settlement",
        "individual_settlement": f"the pool of {symbol} gets a debt, and {names.amount(fund)}",
        "feed_expired": f"the oldest feed of {symbol} has expired",
    }.get(event, f"{symbol}: {event.replace('_', ' ')}")


def _price(price: Price, names: Names) -> str:
    base, quote = names.symbol(price.base.asset_id), names.symbol(price.quote.asset_id)
    return f"{names.price(price)} {base} for 1 {quote}"


def _transfer(op: Transfer, names: Names) -> str:
    memo = " with a memo" if op.memo else ""
    amount = names.amount(op.amount)
    return f"{names.account(op.from_)} sends {amount} to {names.account(op.to)}{memo}"


def _limit_order_create(op: LimitOrderCreate, names: Names) -> str:
    gives, wants = names.amount(op.amount_to_sell), names.amount(op.min_to_receive)
    return f"{names.account(op.seller)} offers {gives} for {wants}"


def _limit_order_update(op: LimitOrderUpdate, names: Names) -> str:
    parts = []
    delta = op.delta_amount_to_sell
    if delta is not None:
        amount = names.amount(replace(delta, amount=abs(delta.amount)))
        parts.append(f"{'adds' if delta.amount > 0 else 'takes out'} {amount}")
    if op.new_price is not None:
        parts.append(f"asks for {_price(op.new_price.inverse(), names)}")
    if op.on_fill is not None:
        parts.append("has another action on a fill")
    text = " and ".join(parts) or "has another expiration"
    return f"{names.account(op.seller)} changes {order_text(op.order)}: {text}"


def _limit_order_cancel(op: LimitOrderCancel, names: Names) -> str:
    return f"{names.account(op.fee_paying_account)} cancels {order_text(op.order)}"


def _call_order_update(op: CallOrderUpdate, names: Names) -> str:
    parts = []
    for delta, up, down in (
        (op.delta_debt, "borrows", "pays back"),
        (op.delta_collateral, "locks", "frees"),
    ):
        if delta.amount:
            text = names.amount(replace(delta, amount=abs(delta.amount)))
            parts.append(f"{up if delta.amount > 0 else down} {text}")
    return f"{names.account(op.funding_account)} {' and '.join(parts)}"


def _offer(op: CreditOfferCreate, names: Names) -> str:
    owner, lent = names.account(op.owner_account), AssetAmount(op.balance, op.asset_type)
    return f"{owner} offers to lend {names.amount(lent)}"


def _borrow(op: CreditOfferAccept, names: Names) -> str:
    lent, locked = names.amount(op.borrow_amount), names.amount(op.collateral)
    offer = credit_offer_text(op.offer_id)
    return f"{names.account(op.borrower)} borrows {lent} against {locked} by {offer}"


def _repay(op: CreditDealRepay, names: Names) -> str:
    repaid, fee = names.amount(op.repay_amount), names.amount(op.credit_fee)
    deal = credit_deal_text(op.deal_id)
    return f"{names.account(op.account)} repays {repaid} of {deal} with a fee of {fee}"


def _default(op: CreditDealExpired, names: Names) -> str:
    owed, lost = names.amount(op.unpaid_amount), names.amount(op.collateral)
    borrower, owner = names.account(op.borrower), names.account(op.offer_owner)
    deal = credit_deal_text(op.deal_id)
    return f"deal ended unpaid: {borrower} owed {owed}, {owner} gets {lost} ({deal})"


def _fill_order(op: FillOrder, names: Names, *, how: str | None) -> str:
    is_position = op.order_id.is_of(CallOrderId)
    kind = next((word for id_type, word in _FILLED if op.order_id.is_of(id_type)), "fill")
    if is_position:
        kind = f"position {how or ('settled' if op.is_maker else 'called')}"
    pays, receives, fee = names.amount(op.pays), names.amount(op.receives), ""
    if op.fee.amount:
        # A position, or the pool, pays its fee on top of what the other side gets; the others get
        # less by it.
        if is_position or op.account_id == NULL_ACCOUNT:
            pays += f", of which {names.amount(op.fee)} to the issuer,"
        else:
            fee = f" less a fee of {names.amount(op.fee)}"
    account = names.account(op.account_id)
    return f"{kind}: {account} pays {pays} for {receives}{fee} ({op.order_id})"


def _asset_settle(op: AssetSettle, names: Names) -> str:
    return f"{names.account(op.account)} asks to settle {names.amount(op.amount)}"


def _publish_feed(op: AssetPublishFeed, names: Names) -> str:
    at = _price(op.feed.settlement_price, names)
    return f"{names.account(op.publisher)} publishes {at}"


def _global_settle(op: AssetGlobalSettle, names: Names) -> str:
    symbol, at = names.symbol(op.asset_to_settle), _price(op.settle_price, names)
    return f"{names.account(op.issuer)} settles all {symbol} at {at}"


def _settle_cancel(op: AssetSettleCancel, names: Names) -> str:
    amount = names.amount(op.amount)
    return f"settlement ended: {names.account(op.account)} gets {amount} back"


def _bid_collateral(op: BidCollateral, names: Names) -> str:
    bidder, debt = names.account(op.bidder), op.debt_covered
    if not debt.amount:
        return f"{bidder}'s bid for {names.symbol(debt.asset_id)} ends"
    added = names.amount(op.additional_collateral)
    return f"{bidder} bids {added} to take over {names.amount(debt)} of debt"


def _execute_bid(op: ExecuteBid, names: Names) -> str:
    debt, collateral = names.amount(op.debt), names.amount(op.collateral)
    return f"revived: {names.account(op.bidder)} takes over {debt} of debt with {collateral}"


def _htlc_create(op: HtlcCreate, names: Names) -> str:
    creator, amount, to = names.account(op.from_), names.amount(op.amount), names.account(op.to)
    return f"{creator} locks {amount} for {to} for {op.claim_period_seconds} s"


def _htlc_redeem(op: HtlcRedeem, names: Names) -> str:
    return f"{names.account(op.redeemer)} shows the preimage of {htlc_text(op.htlc_id)}"


def _htlc_redeemed(op: HtlcRedeemed, names: Names) -> str:
    to, creator = names.account(op.to), names.account(op.from_)
    return f"redeemed: {to} gets {names.amount(op.amount)} of {creator} ({htlc_text(op.htlc_id)})"


def _htlc_extend(op: HtlcExtend, names: Names) -> str:
    name, htlc = names.account(op.update_issuer), htlc_text(op.htlc_id)
    return f"{name} gives {htlc} {op.seconds_to_add} s more"


def _htlc_refund(op: HtlcRefund, names: Names) -> str:
    creator, amount = names.account(op.to), names.amount(op.htlc_amount)
    return f"not claimed: {creator} has {amount} back ({htlc_text(op.htlc_id)})"


def _ticket_create(op: TicketCreate, names: Names) -> str:
    amount, target = names.amount(op.amount), _ticket_type(op.target_type)
    return f"{names.account(op.account)} locks {amount} in a ticket for {target}"


def _ticket_update(op: TicketUpdate, names: Names) -> str:
    part = op.amount_for_new_target
    what = ticket_text(op.ticket) if part is None else f"{names.amount(part)} of it"
    ticket = "" if part is None else f" splits {ticket_text(op.ticket)}:"
    name, target = names.account(op.account), _ticket_type(op.target_type)
    return f"{name}{ticket} turns {what} to {target}"


def _ticket_type(number: int) -> str:
    return TicketType(number).name.lower().replace("_", " ")


def _pool_create(op: LiquidityPoolCreate, names: Names) -> str:
    a, b, share = map(names.symbol, (op.asset_a, op.asset_b, op.share_asset))
    return f"{names.account(op.account)} makes a pool of {a} and {b} with the share {share}"


def _pool_deposit(op: LiquidityPoolDeposit, names: Names) -> str:
    both = f"{names.amount(op.amount_a)} and {names.amount(op.amount_b)}"
    return f"{names.account(op.account)} deposits at most {both} in {pool_text(op.pool)}"


def _pool_withdraw(op: LiquidityPoolWithdraw, names: Names) -> str:
    shares = names.amount(op.share_amount)
    return f"{names.account(op.account)} gives {shares} back to {pool_text(op.pool)}"


def _pool_exchange(op: LiquidityPoolExchange, names: Names) -> str:
    sold, wanted = names.amount(op.amount_to_sell), names.amount(op.min_to_receive)
    return f"{names.account(op.account)} sells {sold} to {pool_text(op.pool)} for {wanted} or more"


def _fund_create(op: SametFundCreate, names: Names) -> str:
    lent = names.amount(AssetAmount(op.balance, op.asset_type))
    return f"{names.account(op.owner_account)} puts {lent} into a fund"


def _fund_borrow(op: SametFundBorrow, names: Names) -> str:
    lent = names.amount(op.borrow_amount)
    return f"{names.account(op.borrower)} borrows {lent} from {fund_text(op.fund_id)}"


def _fund_repay(op: SametFundRepay, names: Names) -> str:
    repaid, fee = names.amount(op.repay_amount), names.amount(op.fund_fee)
    fund = fund_text(op.fund_id)
    return f"{names.account(op.account)} repays {repaid} and a fee of {fee} to {fund}"


_FILLED = (
    (LimitOrderId, "trade"),
    (ForceSettlementId, "settlement"),
)

_WORDS: dict[type[Any], Callable[[Any, Names], str]] = {
    Transfer: _transfer,
    LimitOrderCreate: _limit_order_create,
    LimitOrderUpdate: _limit_order_update,
    LimitOrderCancel: _limit_order_cancel,
    CallOrderUpdate: _call_order_update,
    AssetSettle: _asset_settle,
    AssetPublishFeed: _publish_feed,
    AssetGlobalSettle: _global_settle,
    AssetSettleCancel: _settle_cancel,
    BidCollateral: _bid_collateral,
    ExecuteBid: _execute_bid,
    HtlcCreate: _htlc_create,
    HtlcRedeem: _htlc_redeem,
    HtlcRedeemed: _htlc_redeemed,
    HtlcExtend: _htlc_extend,
    HtlcRefund: _htlc_refund,
    TicketCreate: _ticket_create,
    TicketUpdate: _ticket_update,
    LiquidityPoolCreate: _pool_create,
    LiquidityPoolDeposit: _pool_deposit,
    LiquidityPoolWithdraw: _pool_withdraw,
    LiquidityPoolExchange: _pool_exchange,
    CreditOfferCreate: _offer,
    CreditOfferAccept: _borrow,
    CreditDealRepay: _repay,
    CreditDealExpired: _default,
    SametFundCreate: _fund_create,
    SametFundBorrow: _fund_borrow,
    SametFundRepay: _fund_repay,
}
