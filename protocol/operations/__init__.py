"""The table of operations: which id is which class, who pays, and what it costs.

Every BitShares id from 0 to 77 is either in `OPERATIONS` or in `UNDECLARED`; an undeclared one
is known by name and refused with `UnsupportedOperation`.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from protocol.constants import COMMITTEE_ACCOUNT, CORE_UNIT
from protocol.fee_schedule import (
    AccountCreateFee,
    AccountUpgradeFee,
    AssetCreateFee,
    FeeParameters,
    FlatFee,
    NoFee,
    SizedFee,
)
from protocol.ids import AccountId
from protocol.operations.account import (
    AccountCreate,
    AccountTransfer,
    AccountUpdate,
    AccountUpgrade,
    AccountWhitelist,
)
from protocol.operations.asset import (
    AssetClaimFees,
    AssetClaimPool,
    AssetCreate,
    AssetFundFeePool,
    AssetIssue,
    AssetReserve,
    AssetUpdate,
    AssetUpdateIssuer,
)
from protocol.operations.balance import BalanceClaim
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
from protocol.operations.committee import (
    CommitteeMemberCreate,
    CommitteeMemberUpdate,
    CommitteeMemberUpdateGlobalParameters,
)
from protocol.operations.custom import Assert, Custom
from protocol.operations.limit_order import (
    FillOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderUpdate,
)
from protocol.operations.proposal import ProposalCreate, ProposalDelete, ProposalUpdate
from protocol.operations.results import OperationResult
from protocol.operations.transfer import OverrideTransfer, Transfer
from protocol.operations.vesting import VestingBalanceCreate, VestingBalanceWithdraw
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.schema import define_variant

__all__ = [
    "ENTRY_OF",
    "OPERATIONS",
    "UNDECLARED",
    "Operation",
    "OperationEntry",
    "OperationResult",
    "fee_payer",
    "operation_name",
]


class OperationEntry(NamedTuple):
    """One row of the table."""

    id: int
    """BitShares' number of the operation."""
    name: str
    """BitShares' name without `_operation`."""
    cls: type[Operation]
    fee_payer: str
    """Field that names the account that pays; empty: the committee account."""
    default_fee: FeeParameters
    """Fee of the default schedule (R8.19)."""
    virtual: bool = False
    """Emitted by the chain, never in a transaction."""


_TABLE = (
    OperationEntry(0, "transfer", Transfer, "from_", SizedFee(20 * CORE_UNIT, 10 * CORE_UNIT)),
    OperationEntry(1, "limit_order_create", LimitOrderCreate, "seller", FlatFee(5 * CORE_UNIT)),
    OperationEntry(2, "limit_order_cancel", LimitOrderCancel, "fee_paying_account", FlatFee(0)),
    OperationEntry(
        3, "call_order_update", CallOrderUpdate, "funding_account", FlatFee(20 * CORE_UNIT)
    ),
    OperationEntry(4, "fill_order", FillOrder, "account_id", NoFee(), virtual=True),
    OperationEntry(
        5,
        "account_create",
        AccountCreate,
        "registrar",
        AccountCreateFee(5 * CORE_UNIT, 2000 * CORE_UNIT, CORE_UNIT),
    ),
    OperationEntry(
        6, "account_update", AccountUpdate, "account", SizedFee(20 * CORE_UNIT, CORE_UNIT)
    ),
    OperationEntry(
        7, "account_whitelist", AccountWhitelist, "authorizing_account", FlatFee(3 * CORE_UNIT)
    ),
    OperationEntry(
        8,
        "account_upgrade",
        AccountUpgrade,
        "account_to_upgrade",
        AccountUpgradeFee(2000 * CORE_UNIT, 10_000 * CORE_UNIT),
    ),
    OperationEntry(9, "account_transfer", AccountTransfer, "account_id", FlatFee(500 * CORE_UNIT)),
    OperationEntry(
        10,
        "asset_create",
        AssetCreate,
        "issuer",
        AssetCreateFee(500_000 * CORE_UNIT, 300_000 * CORE_UNIT, 5000 * CORE_UNIT, 10),
    ),
    OperationEntry(11, "asset_update", AssetUpdate, "issuer", SizedFee(500 * CORE_UNIT, 10)),
    OperationEntry(
        12, "asset_update_bitasset", AssetUpdateBitasset, "issuer", FlatFee(500 * CORE_UNIT)
    ),
    OperationEntry(
        13,
        "asset_update_feed_producers",
        AssetUpdateFeedProducers,
        "issuer",
        FlatFee(500 * CORE_UNIT),
    ),
    OperationEntry(14, "asset_issue", AssetIssue, "issuer", SizedFee(20 * CORE_UNIT, CORE_UNIT)),
    OperationEntry(15, "asset_reserve", AssetReserve, "payer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(16, "asset_fund_fee_pool", AssetFundFeePool, "from_account", FlatFee(CORE_UNIT)),
    OperationEntry(17, "asset_settle", AssetSettle, "account", FlatFee(100 * CORE_UNIT)),
    OperationEntry(
        18, "asset_global_settle", AssetGlobalSettle, "issuer", FlatFee(500 * CORE_UNIT)
    ),
    OperationEntry(19, "asset_publish_feed", AssetPublishFeed, "publisher", FlatFee(CORE_UNIT)),
    OperationEntry(
        20, "witness_create", WitnessCreate, "witness_account", FlatFee(5000 * CORE_UNIT)
    ),
    OperationEntry(21, "witness_update", WitnessUpdate, "witness_account", FlatFee(20 * CORE_UNIT)),
    OperationEntry(
        22, "proposal_create", ProposalCreate, "fee_paying_account", SizedFee(20 * CORE_UNIT, 10)
    ),
    OperationEntry(
        23, "proposal_update", ProposalUpdate, "fee_paying_account", SizedFee(20 * CORE_UNIT, 10)
    ),
    OperationEntry(24, "proposal_delete", ProposalDelete, "fee_paying_account", FlatFee(CORE_UNIT)),
    OperationEntry(
        29,
        "committee_member_create",
        CommitteeMemberCreate,
        "committee_member_account",
        FlatFee(5000 * CORE_UNIT),
    ),
    OperationEntry(
        30,
        "committee_member_update",
        CommitteeMemberUpdate,
        "committee_member_account",
        FlatFee(20 * CORE_UNIT),
    ),
    OperationEntry(
        31,
        "committee_member_update_global_parameters",
        CommitteeMemberUpdateGlobalParameters,
        "",
        FlatFee(CORE_UNIT),
    ),
    OperationEntry(
        32, "vesting_balance_create", VestingBalanceCreate, "creator", FlatFee(CORE_UNIT)
    ),
    OperationEntry(
        33, "vesting_balance_withdraw", VestingBalanceWithdraw, "owner", FlatFee(20 * CORE_UNIT)
    ),
    OperationEntry(35, "custom", Custom, "payer", SizedFee(CORE_UNIT, 10)),
    OperationEntry(36, "assert", Assert, "fee_paying_account", FlatFee(CORE_UNIT)),
    OperationEntry(37, "balance_claim", BalanceClaim, "deposit_to_account", NoFee()),
    OperationEntry(
        38, "override_transfer", OverrideTransfer, "issuer", SizedFee(20 * CORE_UNIT, 10)
    ),
    OperationEntry(42, "asset_settle_cancel", AssetSettleCancel, "account", NoFee(), virtual=True),
    OperationEntry(43, "asset_claim_fees", AssetClaimFees, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(45, "bid_collateral", BidCollateral, "bidder", FlatFee(20 * CORE_UNIT)),
    OperationEntry(46, "execute_bid", ExecuteBid, "bidder", NoFee(), virtual=True),
    OperationEntry(47, "asset_claim_pool", AssetClaimPool, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(48, "asset_update_issuer", AssetUpdateIssuer, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(
        77, "limit_order_update", LimitOrderUpdate, "seller", FlatFee(3 * CORE_UNIT // 8)
    ),
)

OPERATIONS: dict[int, OperationEntry] = {entry.id: entry for entry in _TABLE}
"""Id -> row, for every operation that has a class."""

ENTRY_OF: dict[type, OperationEntry] = {entry.cls: entry for entry in _TABLE}
"""Class -> row."""

UNDECLARED: dict[int, str] = {
    25: "withdraw_permission_create",
    26: "withdraw_permission_update",
    27: "withdraw_permission_claim",
    28: "withdraw_permission_delete",
    34: "worker_create",
    39: "transfer_to_blind",
    40: "blind_transfer",
    41: "transfer_from_blind",
    44: "fba_distribute",
    49: "htlc_create",
    50: "htlc_redeem",
    51: "htlc_redeemed",
    52: "htlc_extend",
    53: "htlc_refund",
    54: "custom_authority_create",
    55: "custom_authority_update",
    56: "custom_authority_delete",
    57: "ticket_create",
    58: "ticket_update",
    59: "liquidity_pool_create",
    60: "liquidity_pool_delete",
    61: "liquidity_pool_deposit",
    62: "liquidity_pool_withdraw",
    63: "liquidity_pool_exchange",
    64: "samet_fund_create",
    65: "samet_fund_delete",
    66: "samet_fund_update",
    67: "samet_fund_borrow",
    68: "samet_fund_repay",
    69: "credit_offer_create",
    70: "credit_offer_delete",
    71: "credit_offer_update",
    72: "credit_offer_accept",
    73: "credit_deal_repay",
    74: "credit_deal_expired",
    75: "liquidity_pool_update",
    76: "credit_deal_update",
}
"""Id -> name of the BitShares operations that this node does not know how to read."""

define_variant("operation", {entry.id: entry.cls for entry in _TABLE}, refused=UNDECLARED)


def operation_name(operation_id: int) -> str:
    """BitShares' name of an operation, declared or not; `KeyError` for an id it does not have."""
    entry = OPERATIONS.get(operation_id)
    return UNDECLARED[operation_id] if entry is None else entry.name


def _payer_getter(field: str) -> Callable[[Operation], AccountId]:
    if field == "":
        return lambda operation: COMMITTEE_ACCOUNT
    getter: Callable[[Operation], AccountId] = attrgetter(field)
    return getter


_PAYER_OF: dict[type, Callable[[Operation], AccountId]] = {
    entry.cls: _payer_getter(entry.fee_payer) for entry in _TABLE
}


def fee_payer(operation: Operation) -> AccountId:
    """The account that pays the fee of an operation."""
    return _PAYER_OF[type(operation)](operation)
