"""The rule by which each operation of a block, real or virtual, has its effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from protocol.constants import NULL_ACCOUNT
from protocol.ids import AccountId, AssetId, CallOrderId, ForceSettlementId, LimitOrderId, object_id
from protocol.operations.account import AccountCreate, AccountUpdate
from protocol.operations.asset import AssetUpdate
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetSettleCancel,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
    ExecuteBid,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
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
    LiquidityPoolDelete,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.proposal import ProposalCreate, ProposalDelete, ProposalUpdate
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.schema import Record

ANY_OPERATION = "R8.18"
"""What holds of every operation."""

RULES: dict[type[Operation], str] = {
    AccountCreate: "R8.21",
    AccountUpdate: "R8.11",
    AssetGlobalSettle: "R6.3",
    AssetPublishFeed: "R1.22",
    AssetSettle: "R5.2",
    AssetUpdate: "R2.14",
    AssetUpdateBitasset: "R1.22",
    AssetUpdateFeedProducers: "R1.14",
    BidCollateral: "R6.5",
    CallOrderUpdate: "R3.3",
    CustomAuthorityCreate: "C2.2",
    CustomAuthorityDelete: "C2.4",
    CustomAuthorityUpdate: "C2.3",
    HtlcCreate: "H2.3",
    HtlcExtend: "H4.1",
    HtlcRedeem: "H3.1",
    CreditDealRepay: "O6",
    CreditDealUpdate: "O7",
    CreditOfferAccept: "O5",
    CreditOfferCreate: "O2",
    CreditOfferDelete: "O3",
    CreditOfferUpdate: "O4",
    LimitOrderCancel: "R2.11",
    LimitOrderCreate: "R2.4",
    LimitOrderUpdate: "R2.17",
    LiquidityPoolCreate: "L3",
    LiquidityPoolDelete: "L4",
    LiquidityPoolDeposit: "L6",
    LiquidityPoolExchange: "L8",
    LiquidityPoolUpdate: "L5",
    LiquidityPoolWithdraw: "L7",
    ProposalCreate: "R8.23",
    ProposalDelete: "R8.23",
    ProposalUpdate: "R8.23",
    TicketCreate: "K2.1",
    TicketUpdate: "K2.2",
    SametFundBorrow: "U5",
    SametFundCreate: "U2",
    SametFundDelete: "U3",
    SametFundRepay: "U6",
    SametFundUpdate: "U4",
}
"""Of what accounts do, where more is to be said than that."""

VIRTUAL_RULES: dict[type[Operation], str] = {
    AssetSettleCancel: "R5.2",
    BidCollateral: "R6.8",
    HtlcRedeemed: "H3.2",
    HtlcRefund: "H5.1",
    CreditDealExpired: "O8",
    CreditDealRepay: "O8",
}
"""Of what the chain does by itself, where its kind says all."""

SETTLED, SETTLED_BY_ISSUER, SETTLED_ALONE = "R6.2", "R6.3", "BS5"
MATCHED_POSITION, MATCHED_REQUEST = "SM3", "SM5"
REVIVED_BY_BIDS, REVIVED_BY_FEED = "R6.6", "R6.7"
BOUGHT_BACK = "Y2.3"


class Turns(Record):
    """The BitAssets that were settled as a whole in a block, and that bids revived in it."""

    settled: frozenset[AssetId]
    revived_by_bids: frozenset[AssetId]
    settled_alone: frozenset[AssetId] = frozenset()
    """Those of which a position was settled individually."""


def rule_of(
    op: Operation,
    *,
    is_virtual: bool,
    beside: Sequence[Operation],
    turns: Turns,
    is_matched: bool = False,
    is_buyback: bool = False,
) -> str:
    """The id of the rule.

    `beside` are the operations of the same transaction, or of the same boundary. `is_matched` says
    of a fill that a margin call took a settlement request in it, `is_buyback` of an order that it
    is of an account that buys an asset back, which makes none itself.
    """
    match op:
        case FillOrder() if is_matched:
            return MATCHED_POSITION if op.order_id.is_of(CallOrderId) else MATCHED_REQUEST
        case FillOrder():
            return _rule_of_fill(op, beside, turns)
        case ExecuteBid():
            is_by_bids = op.debt.asset_id in turns.revived_by_bids
            return REVIVED_BY_BIDS if is_by_bids else REVIVED_BY_FEED
        case LimitOrderCreate() | LimitOrderCancel() if is_buyback:
            return BOUGHT_BACK
        case LimitOrderCreate() | LimitOrderUpdate() if is_virtual and _fills(op.seller, beside):
            return "T4"
        case CreditDealRepay() if is_virtual and _approves(beside):
            return "O6"
        case LimitOrderCancel() if is_virtual:
            return "R2.8" if _has_traded(op.order, beside) else "R2.10"
        case _:
            known = VIRTUAL_RULES if is_virtual else RULES
            return known.get(type(op), ANY_OPERATION)


def rule_of_turn(asset: AssetId, event: str, ops: Iterable[Operation], *, by_bids: bool) -> str:
    """The id of the rule of a turn in a BitAsset's life, in a block of these operations."""
    match event:
        case "global_settlement":
            return _rule_of_settlement(asset, ops)
        case "revival":
            return REVIVED_BY_BIDS if by_bids else REVIVED_BY_FEED
        case "individual_settlement":
            return SETTLED_ALONE
        case "feed_expired":
            return "R1.17"
        case _:
            return "R4.13"


def _rule_of_settlement(asset: AssetId, beside: Iterable[Operation]) -> str:
    is_by_issuer = any(
        isinstance(one, AssetGlobalSettle) and one.asset_to_settle == asset for one in beside
    )
    return SETTLED_BY_ISSUER if is_by_issuer else SETTLED


def _fills(seller: AccountId, beside: Iterable[Operation]) -> bool:
    """Whether an account's order, or position, was filled there: what it then orders by itself is
    an action (T3), and no proposal's."""
    return any(isinstance(one, FillOrder) and one.account_id == seller for one in beside)


def _approves(beside: Iterable[Operation]) -> bool:
    """Whether a proposal may have been executed there."""
    return any(isinstance(one, ProposalUpdate) for one in beside)


def _has_traded(order: LimitOrderId, beside: Iterable[Operation]) -> bool:
    """Whether an order was filled there: what is cancelled then is a rest of it (R2.8)."""
    order_id = object_id(LimitOrderId, order)
    return any(isinstance(one, FillOrder) and one.order_id == order_id for one in beside)


def _rule_of_fill(op: FillOrder, beside: Sequence[Operation], turns: Turns) -> str:
    if op.order_id.is_of(ForceSettlementId):
        return "R5.4"
    if not op.order_id.is_of(CallOrderId):
        is_pool = op.account_id == NULL_ACCOUNT
        return ("BS7" if op.is_maker else "BS8") if is_pool else "R2.7"
    if not op.is_maker:
        return "R4.4"
    asset = op.receives.asset_id
    rule = _rule_of_settlement(asset, beside)
    if rule == SETTLED_BY_ISSUER or asset in turns.settled:
        return rule
    is_alone = asset in turns.settled_alone and not _pays_request(op, beside)
    return SETTLED_ALONE if is_alone else "R5.5"


def _pays_request(op: FillOrder, beside: Sequence[Operation]) -> bool:
    """Whether the fill of a position is followed by that of a request, which it pays (R5.5)."""
    after = islice(beside, beside.index(op) + 1, None) if op in beside else iter(())
    then = next(after, None)
    return isinstance(then, FillOrder) and then.order_id.is_of(ForceSettlementId)
