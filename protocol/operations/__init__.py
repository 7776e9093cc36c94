"""The table of operations: which id is which class, who pays, and what it costs.

Every BitShares id from 0 to 77 is here: all of them can be read, written and priced. Which of them
this node also executes, `node.evaluators` says.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from protocol.constants import COMMITTEE_ACCOUNT, CORE_UNIT, TEMP_ACCOUNT
from protocol.fee_schedule import (
    AccountCreateFee,
    AccountUpgradeFee,
    AssetCreateFee,
    ByteFee,
    DailyFee,
    FeeParameters,
    FlatFee,
    NoFee,
    OutputFee,
    PreimageFee,
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
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.custom import Assert, Custom
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.fba import FbaDistribute
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
from protocol.operations.results import OperationResult
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from protocol.operations.stealth import BlindTransfer, TransferFromBlind, TransferToBlind
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.operations.transfer import OverrideTransfer, Transfer
from protocol.operations.vesting import VestingBalanceCreate, VestingBalanceWithdraw
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
    WithdrawPermissionDelete,
    WithdrawPermissionUpdate,
)
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.operations.worker import WorkerCreate
from protocol.schema import Record, define_variant

__all__ = [
    "ENTRY_OF",
    "OPERATIONS",
    "PAYER_OF",
    "Operation",
    "OperationEntry",
    "OperationResult",
    "fee_payer",
    "operation_name",
]


class OperationEntry(Record):
    """One row of the table."""

    id: int
    """BitShares' number of the operation."""
    name: str
    """BitShares' name without `_operation`."""
    cls: type[Operation]
    fee_payer: str
    """Field that names the account that pays; empty: `nameless_payer`."""
    default_fee: FeeParameters
    """Fee of the default schedule (R8.19, G0.6)."""
    virtual: bool = False
    """Emitted by the chain, never in a transaction."""
    nameless_payer: AccountId = COMMITTEE_ACCOUNT
    """Account that pays where no field names one."""


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
        25,
        "withdraw_permission_create",
        WithdrawPermissionCreate,
        "withdraw_from_account",
        FlatFee(CORE_UNIT),
    ),
    OperationEntry(
        26,
        "withdraw_permission_update",
        WithdrawPermissionUpdate,
        "withdraw_from_account",
        FlatFee(CORE_UNIT),
    ),
    OperationEntry(
        27,
        "withdraw_permission_claim",
        WithdrawPermissionClaim,
        "withdraw_to_account",
        SizedFee(20 * CORE_UNIT, 10),
    ),
    OperationEntry(
        28,
        "withdraw_permission_delete",
        WithdrawPermissionDelete,
        "withdraw_from_account",
        FlatFee(0),
    ),
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
    OperationEntry(34, "worker_create", WorkerCreate, "owner", FlatFee(5000 * CORE_UNIT)),
    OperationEntry(35, "custom", Custom, "payer", SizedFee(CORE_UNIT, 10)),
    OperationEntry(36, "assert", Assert, "fee_paying_account", FlatFee(CORE_UNIT)),
    OperationEntry(37, "balance_claim", BalanceClaim, "deposit_to_account", NoFee()),
    OperationEntry(
        38, "override_transfer", OverrideTransfer, "issuer", SizedFee(20 * CORE_UNIT, 10)
    ),
    OperationEntry(
        39, "transfer_to_blind", TransferToBlind, "from_", OutputFee(5 * CORE_UNIT, 5 * CORE_UNIT)
    ),
    OperationEntry(
        40,
        "blind_transfer",
        BlindTransfer,
        "",
        OutputFee(5 * CORE_UNIT, 5 * CORE_UNIT),
        nameless_payer=TEMP_ACCOUNT,
    ),
    OperationEntry(
        41,
        "transfer_from_blind",
        TransferFromBlind,
        "",
        FlatFee(5 * CORE_UNIT),
        nameless_payer=TEMP_ACCOUNT,
    ),
    OperationEntry(42, "asset_settle_cancel", AssetSettleCancel, "account", NoFee(), virtual=True),
    OperationEntry(43, "asset_claim_fees", AssetClaimFees, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(44, "fba_distribute", FbaDistribute, "account_id", NoFee(), virtual=True),
    OperationEntry(45, "bid_collateral", BidCollateral, "bidder", FlatFee(20 * CORE_UNIT)),
    OperationEntry(46, "execute_bid", ExecuteBid, "bidder", NoFee(), virtual=True),
    OperationEntry(47, "asset_claim_pool", AssetClaimPool, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(48, "asset_update_issuer", AssetUpdateIssuer, "issuer", FlatFee(20 * CORE_UNIT)),
    OperationEntry(49, "htlc_create", HtlcCreate, "from_", DailyFee(CORE_UNIT, CORE_UNIT)),
    OperationEntry(50, "htlc_redeem", HtlcRedeem, "redeemer", PreimageFee(CORE_UNIT, CORE_UNIT)),
    OperationEntry(51, "htlc_redeemed", HtlcRedeemed, "to", NoFee(), virtual=True),
    OperationEntry(52, "htlc_extend", HtlcExtend, "update_issuer", DailyFee(CORE_UNIT, CORE_UNIT)),
    OperationEntry(53, "htlc_refund", HtlcRefund, "to", NoFee(), virtual=True),
    OperationEntry(
        54,
        "custom_authority_create",
        CustomAuthorityCreate,
        "account",
        ByteFee(CORE_UNIT, CORE_UNIT // 10),
    ),
    OperationEntry(
        55,
        "custom_authority_update",
        CustomAuthorityUpdate,
        "account",
        ByteFee(CORE_UNIT, CORE_UNIT // 10),
    ),
    OperationEntry(
        56, "custom_authority_delete", CustomAuthorityDelete, "account", FlatFee(CORE_UNIT)
    ),
    OperationEntry(57, "ticket_create", TicketCreate, "account", FlatFee(50 * CORE_UNIT)),
    OperationEntry(58, "ticket_update", TicketUpdate, "account", FlatFee(50 * CORE_UNIT)),
    OperationEntry(
        59, "liquidity_pool_create", LiquidityPoolCreate, "account", FlatFee(50 * CORE_UNIT)
    ),
    OperationEntry(60, "liquidity_pool_delete", LiquidityPoolDelete, "account", FlatFee(0)),
    OperationEntry(
        61, "liquidity_pool_deposit", LiquidityPoolDeposit, "account", FlatFee(CORE_UNIT // 10)
    ),
    OperationEntry(
        62, "liquidity_pool_withdraw", LiquidityPoolWithdraw, "account", FlatFee(5 * CORE_UNIT)
    ),
    OperationEntry(
        63, "liquidity_pool_exchange", LiquidityPoolExchange, "account", FlatFee(CORE_UNIT)
    ),
    OperationEntry(64, "samet_fund_create", SametFundCreate, "owner_account", FlatFee(CORE_UNIT)),
    OperationEntry(65, "samet_fund_delete", SametFundDelete, "owner_account", FlatFee(0)),
    OperationEntry(66, "samet_fund_update", SametFundUpdate, "owner_account", FlatFee(CORE_UNIT)),
    OperationEntry(67, "samet_fund_borrow", SametFundBorrow, "borrower", FlatFee(CORE_UNIT)),
    OperationEntry(68, "samet_fund_repay", SametFundRepay, "account", FlatFee(CORE_UNIT)),
    OperationEntry(
        69,
        "credit_offer_create",
        CreditOfferCreate,
        "owner_account",
        SizedFee(CORE_UNIT, CORE_UNIT),
    ),
    OperationEntry(70, "credit_offer_delete", CreditOfferDelete, "owner_account", FlatFee(0)),
    OperationEntry(
        71,
        "credit_offer_update",
        CreditOfferUpdate,
        "owner_account",
        SizedFee(CORE_UNIT, CORE_UNIT),
    ),
    OperationEntry(72, "credit_offer_accept", CreditOfferAccept, "borrower", FlatFee(CORE_UNIT)),
    OperationEntry(73, "credit_deal_repay", CreditDealRepay, "account", FlatFee(CORE_UNIT)),
    OperationEntry(74, "credit_deal_expired", CreditDealExpired, "borrower", NoFee(), virtual=True),
    OperationEntry(75, "liquidity_pool_update", LiquidityPoolUpdate, "account", FlatFee(CORE_UNIT)),
    OperationEntry(76, "credit_deal_update", CreditDealUpdate, "account", FlatFee(CORE_UNIT)),
    OperationEntry(
        77, "limit_order_update", LimitOrderUpdate, "seller", FlatFee(3 * CORE_UNIT // 8)
    ),
)

OPERATIONS: dict[int, OperationEntry] = {entry.id: entry for entry in _TABLE}
"""Id -> row."""

ENTRY_OF: dict[type, OperationEntry] = {entry.cls: entry for entry in _TABLE}
"""Class -> row."""

define_variant("operation", {entry.id: entry.cls for entry in _TABLE})
define_variant("fee_parameters", {entry.id: type(entry.default_fee) for entry in _TABLE})


def operation_name(operation_id: int) -> str:
    """BitShares' name of an operation; `KeyError` for an id that it does not have."""
    return OPERATIONS[operation_id].name


def _payer_getter(entry: OperationEntry) -> Callable[[Operation], AccountId]:
    if entry.fee_payer == "":
        return lambda operation: entry.nameless_payer
    getter: Callable[[Operation], AccountId] = attrgetter(entry.fee_payer)
    return getter


PAYER_OF: dict[type, Callable[[Operation], AccountId]] = {
    entry.cls: _payer_getter(entry) for entry in _TABLE
}
"""Class -> the account of such an operation that pays its fee."""


def fee_payer(operation: Operation) -> AccountId:
    """The account that pays the fee of an operation."""
    return PAYER_OF[type(operation)](operation)
