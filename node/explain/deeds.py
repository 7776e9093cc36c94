"""Operations and turns in a line for people: who, what, how much.

The same words at the node, over its state, and on the command line, over what a node answers.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any, Protocol, TypeAlias

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


def _call_order_update(op: CallOrderUpdate, names: Names) -> str:
    parts = []
    for delta, up, down in (
        (op.delta_debt, "borrows", "pays back"),
        (op.delta_collateral, "locks", "frees"),
    ):
        if delta.amount:
            text = names.amount(replace(delta, amount=abs(delta.amount)))
            parts.append(f"{up if delta.amount > 0 else down} {text}")
    target = op.extensions.target_collateral_ratio
    if target is not None:
        parts.append(f"sets a target ratio of {target // 1_000}.{target % 1_000:03}")
    done = " and ".join(parts) or "leaves its position as it is"
    return f"{names.account(op.funding_account)} {done}"


def _offer(op: CreditOfferCreate, names: Names) -> str:
    owner, lent = names.account(op.owner_account), AssetAmount(op.balance, op.asset_type)
    return f"{owner} offers to lend {names.amount(lent)}"


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


def _publish_feed(op: AssetPublishFeed, names: Names) -> str:
    at = _price(op.feed.settlement_price, names)
    return f"{names.account(op.publisher)} publishes {at}"


def _global_settle(op: AssetGlobalSettle, names: Names) -> str:
    symbol, at = names.symbol(op.asset_to_settle), _price(op.settle_price, names)
    return f"{names.account(op.issuer)} settles all {symbol} at {at}"


def _bid_collateral(op: BidCollateral, names: Names) -> str:
    bidder, debt = names.account(op.bidder), op.debt_covered
    if not debt.amount:
        return f"{bidder}'s bid for {names.symbol(debt.asset_id)} ends"
    added = names.amount(op.additional_collateral)
    return f"{bidder} bids {added} to take over {names.amount(debt)} of debt"


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


def _fund_create(op: SametFundCreate, names: Names) -> str:
    lent = names.amount(AssetAmount(op.balance, op.asset_type))
    return f"{names.account(op.owner_account)} puts {lent} into a fund"


_Form: TypeAlias = Callable[[Names, Any], str]
_FORMS: dict[str, _Form] = {
    "": lambda names, value: str(value),
    "account": lambda names, value: names.account(value),
    "amount": lambda names, value: names.amount(value),
    "deal": lambda names, value: credit_deal_text(value),
    "fund": lambda names, value: fund_text(value),
    "htlc": lambda names, value: htlc_text(value),
    "offer": lambda names, value: credit_offer_text(value),
    "order": lambda names, value: order_text(value),
    "pool": lambda names, value: pool_text(value),
}


class _Field:
    """A field of an operation that a sentence writes in a form."""

    def __init__(self, names: Names, value: object) -> None:
        self.names, self.value = names, value

    def __format__(self, form: str) -> str:
        return _FORMS[form](self.names, self.value)


def _said(sentence: str) -> Callable[[Any, Names], str]:
    """A sentence in which fields stand, each with the form that it is written in."""
    fields = [name for _, name, _, _ in Formatter().parse(sentence) if name is not None]

    def words(op: Any, names: Names) -> str:  # the table has one type a row
        return sentence.format_map({name: _Field(names, getattr(op, name)) for name in fields})

    return words


_FILLED = (
    (LimitOrderId, "trade"),
    (ForceSettlementId, "settlement"),
)

_WORDS: dict[type[Any], Callable[[Any, Names], str]] = {
    Transfer: _transfer,
    LimitOrderCreate: _said(
        "{seller:account} offers {amount_to_sell:amount} for {min_to_receive:amount}"
    ),
    LimitOrderUpdate: _limit_order_update,
    LimitOrderCancel: _said("{fee_paying_account:account} cancels {order:order}"),
    CallOrderUpdate: _call_order_update,
    AssetSettle: _said("{account:account} asks to settle {amount:amount}"),
    AssetPublishFeed: _publish_feed,
    AssetGlobalSettle: _global_settle,
    AssetSettleCancel: _said("settlement ended: {account:account} gets {amount:amount} back"),
    BidCollateral: _bid_collateral,
    ExecuteBid: _said(
        "revived: {bidder:account} takes over {debt:amount} of debt with {collateral:amount}"
    ),
    HtlcCreate: _said(
        "{from_:account} locks {amount:amount} for {to:account} for {claim_period_seconds} s"
    ),
    HtlcRedeem: _said("{redeemer:account} shows the preimage of {htlc_id:htlc}"),
    HtlcRedeemed: _said(
        "redeemed: {to:account} gets {amount:amount} of {from_:account} ({htlc_id:htlc})"
    ),
    HtlcExtend: _said("{update_issuer:account} gives {htlc_id:htlc} {seconds_to_add} s more"),
    HtlcRefund: _said("not claimed: {to:account} has {htlc_amount:amount} back ({htlc_id:htlc})"),
    TicketCreate: _ticket_create,
    TicketUpdate: _ticket_update,
    LiquidityPoolCreate: _pool_create,
    LiquidityPoolDeposit: _said(
        "{account:account} deposits at most {amount_a:amount} and {amount_b:amount} in {pool:pool}"
    ),
    LiquidityPoolWithdraw: _said(
        "{account:account} gives {share_amount:amount} back to {pool:pool}"
    ),
    LiquidityPoolExchange: _said(
        "{account:account} sells {amount_to_sell:amount} to {pool:pool}"
        " for {min_to_receive:amount} or more"
    ),
    CreditOfferCreate: _offer,
    CreditOfferAccept: _said(
        "{borrower:account} borrows {borrow_amount:amount} against {collateral:amount}"
        " by {offer_id:offer}"
    ),
    CreditDealRepay: _said(
        "{account:account} repays {repay_amount:amount} of {deal_id:deal}"
        " with a fee of {credit_fee:amount}"
    ),
    CreditDealExpired: _said(
        "deal ended unpaid: {borrower:account} owed {unpaid_amount:amount},"
        " {offer_owner:account} gets {collateral:amount} ({deal_id:deal})"
    ),
    SametFundCreate: _fund_create,
    SametFundBorrow: _said("{borrower:account} borrows {borrow_amount:amount} from {fund_id:fund}"),
    SametFundRepay: _said(
        "{account:account} repays {repay_amount:amount} and a fee of {fund_fee:amount}"
        " to {fund_id:fund}"
    ),
}
