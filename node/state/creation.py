"""New objects: each kind that more than one place makes is made here, so that all agree on it.

Genesis, the evaluators, the market and the tests call these. A function numbers its objects, fills
in how such an object begins, and moves nothing: what it costs or locks is the caller's to take.
"""

from __future__ import annotations

from msgspec.structs import replace

from node.state.database import State
from node.state.errors import LimitExceeded
from node.state.objects.accounts import Account, AccountStatistics
from node.state.objects.assets import NULL_FEED, Asset, AssetDynamicData, BitassetData
from node.state.objects.governance import CommitteeMember, Witness, Worker, WorkerPay
from node.state.objects.market import CallOrder
from node.state.objects.vesting import VestingBalance, VestingPolicy
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import CORE_ASSET
from protocol.ids import MAX_VOTE_INSTANCE, AccountId, AssetId, VoteId, vote_id
from protocol.operations.account import COMMITTEE_VOTE, WITNESS_VOTE, WORKER_VOTE, AccountOptions
from protocol.operations.asset_options import AssetOptions
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import MAX_TIMESTAMP, PublicKey

NEVER_A_MEMBER = 0
"""End of a membership that did not begin."""


def create_account(
    state: State,
    name: str,
    owner: Authority,
    active: Authority,
    options: AccountOptions,
    *,
    registrar: AccountId,
    referrer: AccountId,
    lifetime_referrer: AccountId,
    network_percent: int,
    lifetime_referrer_percent: int,
    referrer_percent: int = 0,
    is_lifetime_member: bool = False,
    now: int,
    block_num: int = 0,
) -> Account:
    """An account and its statistics; the percentages are of 10,000 (R8.20)."""
    account = state.accounts.create(
        Account(
            id=state.accounts.next_id,
            membership_expiration_date=MAX_TIMESTAMP if is_lifetime_member else NEVER_A_MEMBER,
            registrar=registrar,
            referrer=referrer,
            lifetime_referrer=lifetime_referrer,
            network_fee_percentage=network_percent,
            lifetime_referrer_fee_percentage=lifetime_referrer_percent,
            referrer_rewards_percentage=referrer_percent,
            name=name,
            owner=owner,
            active=active,
            options=options,
            statistics=state.statistics.next_id,
            whitelisting_accounts=(),
            blacklisting_accounts=(),
            whitelisted_accounts=(),
            blacklisted_accounts=(),
            cashback_vb=None,
            creation_block_num=block_num,
            creation_time=now,
        )
    )
    state.statistics.create(
        AccountStatistics(
            id=account.statistics,
            owner=account.id,
            name=name,
            total_core_in_orders=0,
            core_in_balance=0,
            voting_stake=0,
            voting_power=None,
            vote_tally_time=0,
            last_vote_time=0,
            tickets=None,
            lifetime_fees_paid=0,
            pending_fees=0,
            pending_vested_fees=0,
        )
    )
    return account


def create_asset(
    state: State,
    symbol: str,
    precision: int,
    issuer: AccountId,
    options: AssetOptions,
    *,
    bitasset: BitassetOptions | None = None,
    is_prediction_market: bool = False,
    now: int,
    created_at: int | None = None,
    block_num: int = 0,
    accumulated_fees: int = 0,
    fee_pool: int = 0,
) -> Asset:
    """An asset without supply, its figures and, with BitAsset options, the BitAsset's data.

    `created_at` is the time of the block that creates it, `now` the one that rules see.
    """
    asset_id = state.assets.next_id
    figures = state.asset_dynamic_data.create(
        AssetDynamicData(state.asset_dynamic_data.next_id, 0, accumulated_fees, 0, fee_pool)
    )
    data = None
    if bitasset is not None:
        data = _create_bitasset_data(state, asset_id, bitasset, is_prediction_market, now)
    rate = _rate_of_new_asset(options.core_exchange_rate, asset_id)
    return state.assets.create(
        Asset(
            id=asset_id,
            symbol=symbol,
            precision=precision,
            issuer=issuer,
            options=replace(options, core_exchange_rate=rate),
            dynamic_asset_data_id=figures.id,
            bitasset_data_id=None if data is None else data.id,
            creation_block_num=block_num,
            creation_time=now if created_at is None else created_at,
        )
    )


def _rate_of_new_asset(rate: Price, asset_id: AssetId) -> Price:
    """A core exchange rate whose side that is not CORE names the new asset.

    Clients cannot know the id before the asset exists and write 1.3.1, and so does a genesis.
    """
    if rate.base.asset_id == CORE_ASSET:
        return Price(rate.base, AssetAmount(rate.quote.amount, asset_id))
    return Price(AssetAmount(rate.base.amount, asset_id), rate.quote)


def _create_bitasset_data(
    state: State, asset_id: AssetId, options: BitassetOptions, is_prediction_market: bool, now: int
) -> BitassetData:
    return state.bitassets.create(
        BitassetData(
            id=state.bitassets.next_id,
            asset_id=asset_id,
            feeds=(),
            median_feed=NULL_FEED,
            current_feed=NULL_FEED,
            current_feed_publication_time=now,
            options=options,
            is_prediction_market=is_prediction_market,
            force_settled_volume=0,
            settlement_price=NULL_PRICE,
            settlement_fund=0,
            individual_settlement_debt=0,
            individual_settlement_fund=0,
            asset_cer_updated=False,
            feed_cer_updated=False,
        )
    )


def create_position(
    state: State,
    borrower: AccountId,
    debt: AssetAmount,
    collateral: AssetAmount,
    target_collateral_ratio: int | None = None,
) -> CallOrder:
    """A position that owes a debt against collateral."""
    return state.call_orders.create(
        CallOrder(
            id=state.call_orders.next_id,
            borrower=borrower,
            collateral=collateral.amount,
            debt=debt.amount,
            debt_asset=debt.asset_id,
            collateral_asset=collateral.asset_id,
            target_collateral_ratio=target_collateral_ratio,
        )
    )


def create_vesting_balance(
    state: State, owner: AccountId, balance: AssetAmount, policy: VestingPolicy, balance_type: int
) -> VestingBalance:
    """A vesting balance of one of the `BALANCE_` kinds."""
    return state.vesting_balances.create(
        VestingBalance(
            id=state.vesting_balances.next_id,
            owner=owner,
            balance=balance,
            policy=policy,
            balance_type=balance_type,
        )
    )


def create_witness(
    state: State, account: AccountId, signing_key: PublicKey, url: str = ""
) -> Witness:
    """A witness that stands for election under a new vote id."""
    return state.witnesses.create(
        Witness(
            id=state.witnesses.next_id,
            witness_account=account,
            last_aslot=0,
            signing_key=signing_key,
            pay_vb=None,
            vote_id=_next_vote_id(state, WITNESS_VOTE),
            total_votes=0,
            url=url,
            total_missed=0,
            last_confirmed_block_num=0,
        )
    )


def create_committee_member(state: State, account: AccountId, url: str = "") -> CommitteeMember:
    """A committee member that stands for election under a new vote id."""
    return state.committee_members.create(
        CommitteeMember(
            id=state.committee_members.next_id,
            committee_member_account=account,
            vote_id=_next_vote_id(state, COMMITTEE_VOTE),
            total_votes=0,
            url=url,
        )
    )


def create_worker(
    state: State,
    account: AccountId,
    pay: WorkerPay,
    *,
    begin: int,
    end: int,
    daily_pay: int,
    name: str,
    url: str = "",
) -> Worker:
    """A worker that stands for election; times in seconds, pay in CORE's smallest units.

    BitShares once counted votes against workers and still gives each a second vote id for them.
    """
    vote_for = _next_vote_id(state, WORKER_VOTE)
    _next_vote_id(state, WORKER_VOTE)
    return state.workers.create(
        Worker(
            id=state.workers.next_id,
            worker_account=account,
            work_begin_date=begin,
            work_end_date=end,
            daily_pay=daily_pay,
            worker=pay,
            vote_for=vote_for,
            total_votes_for=0,
            name=name,
            url=url,
        )
    )


def _next_vote_id(state: State, kind: int) -> VoteId:
    """A fresh vote target of a kind."""
    properties = state.global_properties.edit(state.properties)
    if properties.next_available_vote_id > MAX_VOTE_INSTANCE:
        raise LimitExceeded(
            "all vote ids are taken",
            rule="R8.12",
            value=properties.next_available_vote_id,
            limit=MAX_VOTE_INSTANCE,
        )
    found = vote_id(kind, properties.next_available_vote_id)
    properties.next_available_vote_id += 1
    return found
