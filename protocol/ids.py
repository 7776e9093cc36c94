"""Object ids: `space.type.instance`, one distinct integer type per object type.

At run time an id is its plain instance number; the type checker keeps them apart. Space and type
are a property of the declared type, so they are never stored (rule book section 0).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NewType, TypeVar

import msgspec

from protocol.errors import DecodeError

AccountId = NewType("AccountId", int)
AssetId = NewType("AssetId", int)
ForceSettlementId = NewType("ForceSettlementId", int)
CommitteeMemberId = NewType("CommitteeMemberId", int)
WitnessId = NewType("WitnessId", int)
LimitOrderId = NewType("LimitOrderId", int)
CallOrderId = NewType("CallOrderId", int)
CustomId = NewType("CustomId", int)
ProposalId = NewType("ProposalId", int)
OperationHistoryId = NewType("OperationHistoryId", int)
WithdrawPermissionId = NewType("WithdrawPermissionId", int)
VestingBalanceId = NewType("VestingBalanceId", int)
WorkerId = NewType("WorkerId", int)
BalanceId = NewType("BalanceId", int)
HtlcId = NewType("HtlcId", int)
CustomAuthorityId = NewType("CustomAuthorityId", int)
TicketId = NewType("TicketId", int)
LiquidityPoolId = NewType("LiquidityPoolId", int)
SametFundId = NewType("SametFundId", int)
CreditOfferId = NewType("CreditOfferId", int)
CreditDealId = NewType("CreditDealId", int)

GlobalPropertyId = NewType("GlobalPropertyId", int)
DynamicGlobalPropertyId = NewType("DynamicGlobalPropertyId", int)
AssetDynamicDataId = NewType("AssetDynamicDataId", int)
AssetBitassetDataId = NewType("AssetBitassetDataId", int)
AccountBalanceId = NewType("AccountBalanceId", int)
AccountStatisticsId = NewType("AccountStatisticsId", int)
TransactionHistoryId = NewType("TransactionHistoryId", int)
BlockSummaryId = NewType("BlockSummaryId", int)
AccountHistoryId = NewType("AccountHistoryId", int)
AccountStorageId = NewType("AccountStorageId", int)
ChainPropertyId = NewType("ChainPropertyId", int)
WitnessScheduleId = NewType("WitnessScheduleId", int)
BudgetRecordId = NewType("BudgetRecordId", int)
CollateralBidId = NewType("CollateralBidId", int)
CreditDealSummaryId = NewType("CreditDealSummaryId", int)
SpecialAuthorityId = NewType("SpecialAuthorityId", int)
BuybackId = NewType("BuybackId", int)
FinalityId = NewType("FinalityId", int)
DevelopmentId = NewType("DevelopmentId", int)

FillId = NewType("FillId", int)
BucketId = NewType("BucketId", int)
MarketTickerId = NewType("MarketTickerId", int)
PoolHistoryId = NewType("PoolHistoryId", int)
PoolStatisticsId = NewType("PoolStatisticsId", int)

VoteId = NewType("VoteId", int)
"""A vote target, `instance << 8 | kind`: kind 0 committee, 1 witness, 2 worker."""

ID_TYPES: dict[object, tuple[int, int]] = {
    AccountId: (1, 2),
    AssetId: (1, 3),
    ForceSettlementId: (1, 4),
    CommitteeMemberId: (1, 5),
    WitnessId: (1, 6),
    LimitOrderId: (1, 7),
    CallOrderId: (1, 8),
    CustomId: (1, 9),
    ProposalId: (1, 10),
    OperationHistoryId: (1, 11),
    WithdrawPermissionId: (1, 12),
    VestingBalanceId: (1, 13),
    WorkerId: (1, 14),
    BalanceId: (1, 15),
    HtlcId: (1, 16),
    CustomAuthorityId: (1, 17),
    TicketId: (1, 18),
    LiquidityPoolId: (1, 19),
    SametFundId: (1, 20),
    CreditOfferId: (1, 21),
    CreditDealId: (1, 22),
    GlobalPropertyId: (2, 0),
    DynamicGlobalPropertyId: (2, 1),
    AssetDynamicDataId: (2, 3),
    AssetBitassetDataId: (2, 4),
    AccountBalanceId: (2, 5),
    AccountStatisticsId: (2, 6),
    TransactionHistoryId: (2, 7),
    BlockSummaryId: (2, 8),
    AccountHistoryId: (2, 9),
    AccountStorageId: (7, 0),
    ChainPropertyId: (2, 11),
    WitnessScheduleId: (2, 12),
    BudgetRecordId: (2, 13),
    SpecialAuthorityId: (2, 14),
    BuybackId: (2, 15),
    CollateralBidId: (2, 17),
    CreditDealSummaryId: (2, 18),
    FinalityId: (2, 200),
    DevelopmentId: (2, 201),
    FillId: (5, 0),
    BucketId: (5, 1),
    MarketTickerId: (5, 2),
    PoolHistoryId: (5, 4),
    PoolStatisticsId: (5, 6),
}
"""Space and type of every id type, as BitShares numbers them; those from type 200 on are ours."""

Id = TypeVar("Id", bound=int)

MAX_INSTANCE = (1 << 48) - 1
"""Largest instance number of an object id (48 bits)."""

MAX_VOTE_INSTANCE = (1 << 24) - 1
"""Largest instance number of a vote target (24 bits)."""

_ID_PATTERN = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,14})")


class ObjectId(msgspec.Struct, frozen=True, order=True, gc=False):
    """An id whose type is known only at run time, as in operation results and API arguments.

    Each fill and each new object has one: as a named tuple it takes ten times as long to make.
    """

    space: int
    type: int
    instance: int

    def __str__(self) -> str:
        return f"{self.space}.{self.type}.{self.instance}"

    def is_of(self, id_type: object) -> bool:
        """Whether this is the id of an object of an id type, as `AccountId`."""
        return (self.space, self.type) == ID_TYPES[id_type]


def parse_object_id(text: str) -> ObjectId:
    """Read "1.2.17"; raises `DecodeError` for anything that is not three small numbers."""
    match = _ID_PATTERN.fullmatch(text)
    if match is None:
        raise DecodeError("not an object id of the form space.type.instance", value=text)
    found = ObjectId(*(int(part) for part in match.groups()))
    if found.space > 255 or found.type > 255 or found.instance > MAX_INSTANCE:
        raise DecodeError("object id out of range", value=text, limit=f"255.255.{MAX_INSTANCE}")
    return found


def object_id(id_type: object, instance: int) -> ObjectId:
    """The full id of an instance of an id type, for example `object_id(AccountId, 17)`."""
    space, type_ = ID_TYPES[id_type]
    return ObjectId(space, type_, instance)


def id_text(id_type: Callable[[int], Id]) -> Callable[[Id], str]:
    """What writes ids of one type: `id_text(AccountId)(AccountId(17))` is "1.2.17".

    In two steps, so that the type checker refuses the id of another type.
    """
    space, type_ = ID_TYPES[id_type]
    return f"{space}.{type_}.{{}}".format


account_text = id_text(AccountId)
asset_text = id_text(AssetId)
committee_member_text = id_text(CommitteeMemberId)
witness_text = id_text(WitnessId)
order_text = id_text(LimitOrderId)
position_text = id_text(CallOrderId)
proposal_text = id_text(ProposalId)
operation_text = id_text(OperationHistoryId)
vesting_text = id_text(VestingBalanceId)
htlc_text = id_text(HtlcId)
custom_authority_text = id_text(CustomAuthorityId)
ticket_text = id_text(TicketId)
pool_text = id_text(LiquidityPoolId)
credit_offer_text = id_text(CreditOfferId)
credit_deal_text = id_text(CreditDealId)
fund_text = id_text(SametFundId)
bitasset_text = id_text(AssetBitassetDataId)
balance_text = id_text(AccountBalanceId)
transaction_text = id_text(TransactionHistoryId)
account_history_text = id_text(AccountHistoryId)
account_storage_text = id_text(AccountStorageId)
fill_text = id_text(FillId)
bucket_text = id_text(BucketId)
market_ticker_text = id_text(MarketTickerId)
pool_history_text = id_text(PoolHistoryId)
pool_statistics_text = id_text(PoolStatisticsId)


def parse_id(id_type: Callable[[int], Id], text: str) -> Id:
    """Read an id of a known type; raises `DecodeError` for one of another type."""
    found = parse_object_id(text)
    if not found.is_of(id_type):
        limit = "{}.{}.n".format(*ID_TYPES[id_type])
        raise DecodeError("not an object id of this type", value=text, limit=limit)
    return id_type(found.instance)


def vote_id(kind: int, instance: int) -> VoteId:
    """A vote target of kind 0 committee, 1 witness, 2 worker."""
    return VoteId(instance << 8 | kind)


def vote_kind(vote: int) -> int:
    """Whom a vote is for: 0 committee, 1 witness, 2 worker."""
    return vote & 0xFF


def parse_vote_id(text: str) -> VoteId:
    """Read "1:23" (kind 1, instance 23); raises `DecodeError`."""
    kind, colon, instance = text.partition(":")
    is_number = text.isascii() and kind.isdecimal() and instance.isdecimal()
    if not (colon and is_number) or len(text) > 12:
        raise DecodeError("not a vote id of the form kind:instance", value=text)
    if int(kind) > 255 or int(instance) > MAX_VOTE_INSTANCE:
        raise DecodeError("vote id out of range", value=text, limit=f"255:{MAX_VOTE_INSTANCE}")
    return vote_id(int(kind), int(instance))


def format_vote_id(vote: int) -> str:
    """The JSON form of a vote target: "kind:instance"."""
    return f"{vote_kind(vote)}:{vote >> 8}"
