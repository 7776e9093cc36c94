"""The rule by which each operation of a block, real or virtual, has its effect."""

from __future__ import annotations

from protocol.ids import CallOrderId, ForceSettlementId
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
from protocol.operations.limit_order import (
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.proposal import ProposalCreate, ProposalDelete, ProposalUpdate

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
    LimitOrderCancel: "R2.11",
    LimitOrderCreate: "R2.4",
    LimitOrderUpdate: "R2.17",
    ProposalCreate: "R8.23",
    ProposalDelete: "R8.23",
    ProposalUpdate: "R8.23",
}
"""Of what accounts do, where more is to be said than that."""

VIRTUAL_RULES: dict[type[Operation], str] = {
    AssetSettleCancel: "R5.2",
    BidCollateral: "R6.8",
    ExecuteBid: "R6.6",
    LimitOrderCancel: "R2.8",
}
"""Of what the chain does by itself."""


def rule_of(op: Operation, *, is_virtual: bool, is_settled_globally: bool = False) -> str:
    """The id of the rule; `is_settled_globally` where a fill closes a position in a black swan."""
    if isinstance(op, FillOrder):
        return _rule_of_fill(op, is_settled_globally=is_settled_globally)
    if is_virtual and type(op) in VIRTUAL_RULES:
        return VIRTUAL_RULES[type(op)]
    return RULES.get(type(op), ANY_OPERATION)


def _rule_of_fill(op: FillOrder, *, is_settled_globally: bool) -> str:
    if op.order_id.is_of(CallOrderId):
        if is_settled_globally:
            return "R6.2"
        return "R5.5" if op.is_maker else "R4.4"
    return "R5.4" if op.order_id.is_of(ForceSettlementId) else "R2.7"
