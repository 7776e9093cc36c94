"""What operations refuse without looking at the chain, one bad field at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.authority import Authority, key_authority
from protocol.chain_parameters import ChainParameters, ChainParametersExtensions
from protocol.constants import MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.ids import (
    AccountId,
    AssetId,
    BalanceId,
    LimitOrderId,
    ProposalId,
    VestingBalanceId,
    WitnessId,
    vote_id,
)
from protocol.operations import OPERATIONS
from protocol.operations import asset_options as bits
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountUpdate,
    AccountWhitelist,
    BuybackAccountOptions,
    TopHoldersSpecialAuthority,
)
from protocol.operations.asset import (
    AssetClaimFees,
    AssetClaimFeesExtensions,
    AssetClaimPool,
    AssetCreate,
    AssetFundFeePool,
    AssetIssue,
    AssetReserve,
    AssetUpdate,
    AssetUpdateExtensions,
    AssetUpdateIssuer,
)
from protocol.operations.asset_options import AssetOptions, AssetOptionsExtensions
from protocol.operations.balance import NULL_KEY, BalanceClaim
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetPublishFeedExtensions,
    AssetSettle,
    AssetUpdateBitasset,
    BidCollateral,
)
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    PriceFeed,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.custom import AccountNamePredicate, Assert, AssetSymbolPredicate, Custom
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
    LimitOrderUpdate,
)
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.transfer import OverrideTransfer, Transfer
from protocol.operations.vesting import (
    InstantVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
)
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.schema import Address, PublicKey

A, B = AccountId(7), AccountId(8)
KEY = PublicKey(b"\x02" * 33)


def core(amount: int) -> AssetAmount:
    return AssetAmount(amount, AssetId(0))


def usd(amount: int) -> AssetAmount:
    return AssetAmount(amount, AssetId(4))


FEE = core(0)
RATE = Price(core(1), AssetAmount(2, AssetId(1)))
USD_RATE = Price(usd(1), core(2))
OPTIONS = AssetOptions(MAX_SUPPLY, 0, MAX_SUPPLY, 0, 0, RATE)
USD_OPTIONS = replace(OPTIONS, core_exchange_rate=USD_RATE)
ACCOUNT = AccountOptions(KEY)
AUTHORITY = key_authority(KEY)
FEED = PriceFeed(USD_RATE, core_exchange_rate=USD_RATE)
PARAMETERS = ChainParameters(DEFAULT_FEE_SCHEDULE)

TRANSFER = Transfer(FEE, A, B, core(1))
OVERRIDE = OverrideTransfer(FEE, A, B, AccountId(9), usd(1))
CREATE = AccountCreate(FEE, A, A, 0, "alice", AUTHORITY, AUTHORITY, ACCOUNT)
UPDATE = AccountUpdate(FEE, A, new_options=ACCOUNT)
ASSET = AssetCreate(FEE, A, "GOLD.1", 4, OPTIONS)
BITASSET = replace(ASSET, bitasset_opts=BitassetOptions())
PREDICTION = replace(
    BITASSET,
    is_prediction_market=True,
    common_options=replace(OPTIONS, issuer_permissions=bits.GLOBAL_SETTLE),
)
ASSET_UPDATE = AssetUpdate(FEE, A, AssetId(4), None, USD_OPTIONS)
PUBLISH = AssetPublishFeed(FEE, A, AssetId(4), FEED)
GLOBAL_SETTLE = AssetGlobalSettle(FEE, A, AssetId(4), USD_RATE)
BID = BidCollateral(FEE, A, core(1), usd(1))
ORDER = LimitOrderCreate(FEE, A, core(1), usd(1))
ACTION = CreateTakeProfitOrder(AssetId(0), 100, 10_000, 60, repeat=False)
POSITION = CallOrderUpdate(FEE, A, core(1), usd(1))
PROPOSAL = ProposalCreate(FEE, A, 1, (ProposedOperation(TRANSFER),))
APPROVAL = ProposalUpdate(FEE, A, ProposalId(0), active_approvals_to_add=(A,))
CLAIM = BalanceClaim(FEE, A, BalanceId(0), KEY, core(1))
ASSERT = Assert(FEE, A, (AccountNamePredicate(A, "alice"), AssetSymbolPredicate(AssetId(4), "USD")))
FEE_POOL = AssetFundFeePool(FEE, A, AssetId(4), 1)
CLAIM_FEES = AssetClaimFees(FEE, A, usd(1))
CLAIM_POOL = AssetClaimPool(FEE, A, AssetId(4), core(1))

VALID: list[Operation] = [
    TRANSFER,
    OVERRIDE,
    CREATE,
    UPDATE,
    ASSET,
    BITASSET,
    PREDICTION,
    ASSET_UPDATE,
    PUBLISH,
    GLOBAL_SETTLE,
    BID,
    ORDER,
    POSITION,
    PROPOSAL,
    APPROVAL,
    CLAIM,
    ASSERT,
    FEE_POOL,
    CLAIM_FEES,
    CLAIM_POOL,
    Custom(core(1), A, (), 1, b""),
    AssetSettle(FEE, A, usd(1)),
    replace(BID, debt_covered=usd(0), additional_collateral=core(0)),
    replace(GLOBAL_SETTLE, settle_price=Price(usd(1), core(0))),
    replace(ORDER, extensions=LimitOrderCreateExtensions(on_fill=(ACTION,))),
    LimitOrderUpdate(FEE, A, LimitOrderId(1), on_fill=()),
    AssetUpdateBitasset(FEE, A, AssetId(4), BitassetOptions()),
    AssetIssue(FEE, A, usd(1), B),
    AssetReserve(FEE, A, usd(1)),
    AssetUpdateIssuer(FEE, A, AssetId(4), B),
    VestingBalanceCreate(FEE, A, B, core(1), InstantVestingPolicy()),
    VestingBalanceWithdraw(FEE, VestingBalanceId(0), A, core(1)),
    WitnessCreate(FEE, A, "u" * 126, KEY),
    CommitteeMemberUpdateGlobalParameters(FEE, PARAMETERS),
]


@pytest.mark.parametrize("operation", VALID, ids=lambda operation: type(operation).__name__)
def test_the_good_ones_pass_and_no_fee_is_negative(operation: Any) -> None:
    """R8.17: every operation that can be sent refuses a negative fee."""
    operation.validate()
    with pytest.raises(ValidationError) as caught:
        replace(operation, fee=core(-1)).validate()
    assert caught.value.rule == "R8.17"


ELSEWHERE = {*range(25, 29), 34, 39, 40, 41, 49, 50, 52, *range(54, 74), 75, 76}
"""Withdraw permissions and workers, beside their evaluators; what is not executed, by vectors."""


def test_no_kind_of_operation_is_forgotten() -> None:
    simple = {
        "limit_order_cancel",
        "account_whitelist",
        "account_upgrade",
        "account_transfer",
        "asset_update_feed_producers",
        "witness_update",
        "proposal_delete",
        "committee_member_create",
        "committee_member_update",
    }
    tested = {type(operation) for operation in VALID}
    untested = {
        entry.name
        for entry in OPERATIONS.values()
        if not entry.virtual and entry.cls not in tested and entry.id not in ELSEWHERE
    }
    assert untested == simple


def asset_options(**changes: Any) -> Mapping[str, object]:
    return {"common_options": replace(OPTIONS, **changes)}


def bitasset_options(**changes: Any) -> Mapping[str, object]:
    return {"bitasset_opts": replace(BitassetOptions(), **changes)}


def bitasset_extensions(**changes: Any) -> Mapping[str, object]:
    return bitasset_options(extensions=BitassetOptionsExtensions(**changes))


def parameters(**changes: Any) -> Mapping[str, object]:
    return {"new_parameters": replace(PARAMETERS, **changes)}


MEMBERS = CommitteeMemberUpdateGlobalParameters(FEE, PARAMETERS)
LISTED = ((AccountId(1),), (AccountId(2),))

BAD: list[tuple[Any, Mapping[str, object], str]] = [
    (TRANSFER, {"to": A}, "same"),
    (TRANSFER, {"amount": core(0)}, "positive"),
    (OVERRIDE, {"to": B}, "same"),
    (OVERRIDE, {"amount": usd(-1)}, "positive"),
    (OVERRIDE, {"from_": A}, "override"),
    (CREATE, {"name": "Alice"}, "name"),
    (CREATE, {"referrer_percent": 10_001}, "100 %"),
    (CREATE, {"owner": Authority(0)}, "empty"),
    (CREATE, {"active": Authority(2, key_auths=((KEY, 1),))}, "never be satisfied"),
    (CREATE, {"active": Authority(1, address_auths=((Address(bytes(20)), 1),))}, "addresses"),
    (CREATE, {"options": replace(ACCOUNT, num_witness=1)}, "num_witness"),
    (
        CREATE,
        {"options": replace(ACCOUNT, num_committee=1, votes=(vote_id(1, 3),))},
        "num_committee",
    ),
    (
        CREATE,
        {
            "extensions": AccountCreateExtensions(
                owner_special_authority=TopHoldersSpecialAuthority(AssetId(4), 0)
            )
        },
        "holder",
    ),
    (
        CREATE,
        {
            "extensions": AccountCreateExtensions(
                buyback_options=BuybackAccountOptions(AssetId(4), A, (AssetId(0),))
            )
        },
        "null authority",
    ),
    (UPDATE, {"account": AccountId(0)}, "never changes"),
    (UPDATE, {"account": AccountId(4)}, "never changes"),
    (UPDATE, {"new_options": None}, "nothing"),
    (UPDATE, {"owner": Authority(1)}, "empty"),
    (AccountWhitelist(FEE, A, B), {"new_listing": 4}, "new_listing"),
    (ASSET, {"symbol": "BITUSD"}, "symbol"),
    (ASSET, {"precision": 13}, "decimal"),
    (ASSET, asset_options(max_supply=0), "max_supply"),
    (ASSET, asset_options(max_supply=MAX_SUPPLY + 1), "max_supply"),
    (ASSET, asset_options(max_market_fee=-1), "max_market_fee"),
    (ASSET, asset_options(market_fee_percent=10_001), "market_fee_percent"),
    (ASSET, asset_options(extensions=AssetOptionsExtensions(taker_fee_percent=10_001)), "taker"),
    (ASSET, asset_options(extensions=AssetOptionsExtensions(reward_percent=10_001)), "reward"),
    (ASSET, asset_options(flags=bits.GLOBAL_SETTLE), "global_settle"),
    (ASSET, asset_options(flags=bits.WITNESS_FED_ASSET | bits.COMMITTEE_FED_ASSET), "fed by"),
    (ASSET, asset_options(whitelist_authorities=LISTED[0]), "white_list"),
    (
        ASSET,
        asset_options(whitelist_markets=(AssetId(4),), blacklist_markets=(AssetId(4),)),
        "white list and on the black",
    ),
    (ASSET, asset_options(core_exchange_rate=USD_RATE), "core_exchange_rate"),
    (ASSET, asset_options(core_exchange_rate=NULL_PRICE), "positive"),
    (
        ASSET,
        asset_options(core_exchange_rate=Price(core(1), AssetAmount(MAX_SUPPLY + 1, AssetId(1)))),
        "product",
    ),
    (ASSET, asset_options(issuer_permissions=bits.GLOBAL_SETTLE), "only a BitAsset"),
    (ASSET, {"is_prediction_market": True}, "must be a BitAsset"),
    (PREDICTION, asset_options(), "never be settled"),
    (PREDICTION, bitasset_extensions(black_swan_response_method=0), "black swan"),
    (BITASSET, bitasset_options(minimum_feeds=0), "minimum_feeds"),
    (BITASSET, bitasset_options(force_settlement_offset_percent=10_001), "offset"),
    (BITASSET, bitasset_options(maximum_force_settlement_volume=10_001), "volume"),
    (BITASSET, bitasset_extensions(initial_collateral_ratio=1000), "initial"),
    (BITASSET, bitasset_extensions(maintenance_collateral_ratio=32_001), "maintenance"),
    (BITASSET, bitasset_extensions(maximum_short_squeeze_ratio=1000), "squeeze"),
    (BITASSET, bitasset_extensions(margin_call_fee_ratio=32_001), "margin_call_fee"),
    (BITASSET, bitasset_extensions(force_settle_fee_percent=10_001), "force_settle_fee"),
    (BITASSET, bitasset_extensions(black_swan_response_method=4), "black_swan"),
    (ASSET_UPDATE, {"new_issuer": A}, "new issuer"),
    (ASSET_UPDATE, {"new_options": OPTIONS}, "core_exchange_rate"),
    (ASSET_UPDATE, {"asset_to_update": AssetId(0)}, "core_exchange_rate"),
    (ASSET_UPDATE, {"extensions": AssetUpdateExtensions(new_precision=13)}, "decimal"),
    (ASSET_UPDATE, {"extensions": AssetUpdateExtensions(skip_core_exchange_rate=False)}, "skip"),
    (AssetUpdateIssuer(FEE, A, AssetId(4), B), {"new_issuer": A}, "new issuer"),
    (AssetIssue(FEE, A, usd(1), B), {"asset_to_issue": core(1)}, "CORE"),
    (AssetIssue(FEE, A, usd(1), B), {"asset_to_issue": usd(MAX_SUPPLY + 1)}, "largest supply"),
    (AssetReserve(FEE, A, usd(1)), {"amount_to_reserve": usd(0)}, "positive"),
    (FEE_POOL, {"fee": usd(0)}, "CORE"),
    (FEE_POOL, {"amount": 0}, "positive"),
    (CLAIM_FEES, {"amount_to_claim": usd(0)}, "positive"),
    (CLAIM_FEES, {"extensions": AssetClaimFeesExtensions(AssetId(4))}, "itself"),
    (CLAIM_POOL, {"fee": usd(0)}, "itself"),
    (CLAIM_POOL, {"amount_to_claim": usd(1)}, "CORE"),
    (CLAIM_POOL, {"amount_to_claim": core(0)}, "positive"),
    (PUBLISH, {"asset_id": AssetId(5)}, "another asset"),
    (PUBLISH, {"feed": replace(FEED, settlement_price=NULL_PRICE)}, "missing"),
    (PUBLISH, {"feed": replace(FEED, core_exchange_rate=NULL_PRICE)}, "missing"),
    (PUBLISH, {"feed": replace(FEED, settlement_price=Price(usd(0), core(1)))}, "positive"),
    (PUBLISH, {"feed": replace(FEED, maintenance_collateral_ratio=1000)}, "maintenance"),
    (PUBLISH, {"feed": replace(FEED, maximum_short_squeeze_ratio=32_001)}, "squeeze"),
    (PUBLISH, {"extensions": AssetPublishFeedExtensions(1000)}, "initial"),
    (AssetSettle(FEE, A, usd(1)), {"amount": usd(0)}, "positive"),
    (GLOBAL_SETTLE, {"asset_to_settle": AssetId(5)}, "settle_price"),
    (GLOBAL_SETTLE, {"settle_price": Price(usd(0), core(1))}, "positive"),
    (GLOBAL_SETTLE, {"settle_price": Price(usd(1), core(-1))}, "negative"),
    (BID, {"additional_collateral": core(0)}, "bid"),
    (BID, {"debt_covered": usd(-1)}, "bid"),
    (ORDER, {"min_to_receive": core(1)}, "itself"),
    (ORDER, {"amount_to_sell": core(0)}, "positive"),
    (ORDER, {"min_to_receive": usd(0)}, "positive"),
    (
        ORDER,
        {"extensions": LimitOrderCreateExtensions((replace(ACTION, spread_percent=0),))},
        "spread",
    ),
    (
        ORDER,
        {"extensions": LimitOrderCreateExtensions((replace(ACTION, size_percent=10_001),))},
        "size",
    ),
    (LimitOrderUpdate(FEE, A, LimitOrderId(1), on_fill=()), {"on_fill": None}, "nothing"),
    (
        LimitOrderUpdate(FEE, A, LimitOrderId(1), on_fill=()),
        {"delta_amount_to_sell": core(0)},
        "zero",
    ),
    (POSITION, {"delta_debt": core(1)}, "one asset"),
    (POSITION, {"delta_debt": usd(0), "delta_collateral": core(0)}, "nothing"),
    (PROPOSAL, {"proposed_ops": ()}, "nothing"),
    (PROPOSAL, {"proposed_ops": (ProposedOperation(replace(TRANSFER, to=A)),)}, "same"),
    (APPROVAL, {"active_approvals_to_add": ()}, "no approval"),
    (APPROVAL, {"active_approvals_to_remove": (A,)}, "added and removed"),
    (CLAIM, {"fee": core(1)}, "free"),
    (CLAIM, {"balance_owner_key": NULL_KEY}, "null key"),
    (Custom(core(1), A, (), 1, b""), {"fee": core(0)}, "positive"),
    (ASSERT, {"predicates": (AccountNamePredicate(A, "-"),)}, "name"),
    (ASSERT, {"predicates": (AssetSymbolPredicate(AssetId(4), "usd"),)}, "symbol"),
    (
        VestingBalanceCreate(FEE, A, B, core(1), InstantVestingPolicy()),
        {"amount": core(0)},
        "positive",
    ),
    (VestingBalanceWithdraw(FEE, VestingBalanceId(0), A, core(1)), {"owner": AccountId(4)}, "temp"),
    (WitnessCreate(FEE, A, "", KEY), {"url": "u" * 127}, "URL"),
    (WitnessUpdate(FEE, WitnessId(1), A), {"new_url": "é" * 64}, "URL"),
    (MEMBERS, parameters(block_interval=0), "block_interval"),
    (MEMBERS, parameters(block_interval=31), "block_interval"),
    (MEMBERS, parameters(maintenance_interval=5), "maintenance_interval"),
    (MEMBERS, parameters(maintenance_interval=86_401), "maintenance_interval"),
    (MEMBERS, parameters(maximum_transaction_size=1023), "maximum_transaction_size"),
    (MEMBERS, parameters(maximum_block_size=5119), "maximum_block_size"),
    (MEMBERS, parameters(maximum_time_until_expiration=5), "expiration"),
    (MEMBERS, parameters(maximum_proposal_lifetime=14 * 86_400 + 5), "review_period"),
    (MEMBERS, parameters(reserve_percent_of_fee=10_001), "reserve"),
    (MEMBERS, parameters(network_percent_of_fee=7001), "together"),
    (
        MEMBERS,
        parameters(extensions=ChainParametersExtensions(market_fee_network_percent=3001)),
        "30 %",
    ),
    (
        MEMBERS,
        parameters(extensions=ChainParametersExtensions(maker_fee_discount_percent=10_001)),
        "maker",
    ),
]


@pytest.mark.parametrize(("good", "change", "what"), BAD)
def test_a_bad_field_is_refused(good: Any, change: Mapping[str, Any], what: str) -> None:
    """R9.3: stateless validation, each refusal with its rule."""
    good.validate()
    with pytest.raises(ValidationError, match=what) as caught:
        replace(good, **change).validate()
    assert caught.value.rule
