"""A small state made without a chain, for tests of the evaluators and of the market.

Every helper writes objects directly and keeps the supplies true (I1-I3), so that the same state
passes a recount. Amounts are in smallest units; "the issuer" is the committee account unless said.
"""

from __future__ import annotations

from typing import TypeVar

import pytest
from msgspec.structs import replace

from node.evaluators import EVALUATORS
from node.evaluators.base import apply_operation, run_proposed_operation
from node.state.balances import adjust_balance, adjust_core_in_orders, adjust_supply
from node.state.context import Context
from node.state.creation import create_account, create_asset, create_position
from node.state.database import State
from node.state.objects.assets import BitassetData, FeedValues
from node.state.objects.governance import (
    TRIGGER_BID,
    VOTING_NAMES,
    ChainProperties,
    DynamicGlobalProperties,
    GlobalProperties,
    WitnessSchedule,
)
from node.state.objects.market import CallOrder
from protocol import ids
from protocol.asset import AssetAmount, Price
from protocol.authority import Authority, key_authority
from protocol.chain_parameters import ChainParameters, ImmutableChainParameters
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    CORE_ASSET,
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    MAX_SUPPLY,
)
from protocol.errors import PegboardError
from protocol.fees import ZERO_FEE_SCHEDULE
from protocol.genesis import SPECIAL_ACCOUNT_NAMES
from protocol.ids import AccountId, AssetId, ObjectId
from protocol.operations.account import AccountOptions
from protocol.operations.asset_options import PERMISSION_MASK, UIA_PERMISSION_MASK, AssetOptions
from protocol.operations.base import Operation
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.results import OperationResult
from protocol.schema import BlockId, Digest
from tests.support.remedies import follow_remedies
from tests.support.world import GENESIS_TIME, key_of

Error = TypeVar("Error", bound=PegboardError)


def make_state(
    *names: str,
    core: int = 0,
    parameters: ChainParameters | None = None,
    margin_call_trigger: int = TRIGGER_BID,
    strict_release: bool = False,
    voting_stake: int = VOTING_NAMES.index("plain"),
) -> State:
    """CORE, the special accounts 0-5, and from 1.2.6 on an account for each name, with CORE.

    All accounts but the special ones are lifetime members; fees are zero by default.
    """
    state = State()
    state.log.begin()
    state.global_properties.create(
        GlobalProperties(
            id=ids.GlobalPropertyId(0),
            parameters=parameters or ChainParameters(ZERO_FEE_SCHEDULE),
            pending_parameters=None,
            next_available_vote_id=0,
            active_committee_members=(),
            active_witnesses=(),
        )
    )
    state.dynamic_properties.create(_head())
    state.chain_properties.create(
        ChainProperties(
            id=ids.ChainPropertyId(0),
            chain_id=Digest(bytes(32)),
            immutable_parameters=ImmutableChainParameters(),
            margin_call_trigger=margin_call_trigger,
            strict_release=strict_release,
            voting_stake=voting_stake,
        )
    )
    state.witness_schedules.create(WitnessSchedule(ids.WitnessScheduleId(0), ()))
    _create_asset(state, "TEST", COMMITTEE_ACCOUNT, 5, core_options(), None)
    for name in SPECIAL_ACCOUNT_NAMES:
        add_account(state, name, authority=Authority(1))
    for name in names:
        add_account(state, name, core=core)
    state.log.finish()
    return state


def _head() -> DynamicGlobalProperties:
    return DynamicGlobalProperties(
        id=ids.DynamicGlobalPropertyId(0),
        head_block_number=0,
        head_block_id=BlockId(bytes(20)),
        time=GENESIS_TIME,
        current_witness=ids.WitnessId(0),
        next_maintenance_time=GENESIS_TIME + 86_400,
        last_vote_tally_time=GENESIS_TIME,
        last_budget_time=GENESIS_TIME,
        witness_budget=0,
        accounts_registered_this_interval=0,
        recently_missed_count=0,
        current_aslot=0,
        recent_slots_filled=(1 << 128) - 1,
        maintenance_flag=False,
        last_irreversible_block_num=0,
        total_pob=0,
        total_inactive=0,
    )


def core_options() -> AssetOptions:
    """Options of CORE, and of any asset once its exchange rate is replaced."""
    rate = Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, CORE_ASSET))
    return AssetOptions(
        max_supply=MAX_SUPPLY,
        market_fee_percent=0,
        max_market_fee=MAX_SUPPLY,
        issuer_permissions=0,
        flags=0,
        core_exchange_rate=rate,
    )


def add_account(
    state: State,
    name: str,
    *,
    core: int = 0,
    lifetime: bool = True,
    authority: Authority | None = None,
) -> AccountId:
    """An account that is its own registrar; controlled by `key_of(name)` unless told."""
    own, rule = state.accounts.next_id, authority or key_authority(key_of(name))
    create_account(
        state,
        name,
        rule,
        rule,
        AccountOptions(key_of(name)),
        registrar=own,
        referrer=own,
        lifetime_referrer=own,
        network_percent=2000,
        lifetime_referrer_percent=8000 if lifetime else 3000,
        is_lifetime_member=lifetime,
        now=GENESIS_TIME,
    )
    issue(state, own, AssetAmount(core, CORE_ASSET))
    return own


def add_asset(
    state: State,
    symbol: str,
    *,
    issuer: AccountId = COMMITTEE_ACCOUNT,
    precision: int = 5,
    options: AssetOptions | None = None,
) -> AssetId:
    """A user-issued asset without supply, with all permissions and no flags by default.

    Its exchange rate is one unit for one unit of CORE, whatever `options` say.
    """
    chosen = options or replace(core_options(), issuer_permissions=UIA_PERMISSION_MASK & 0x1FF)
    return _create_asset(state, symbol, issuer, precision, chosen, None)


def add_bitasset(
    state: State,
    symbol: str,
    *,
    issuer: AccountId = COMMITTEE_ACCOUNT,
    precision: int = 5,
    options: AssetOptions | None = None,
    bitasset_options: BitassetOptions | None = None,
    is_prediction_market: bool = False,
) -> AssetId:
    """A BitAsset without feeds, backed by CORE unless its options say otherwise."""
    chosen = options or replace(core_options(), issuer_permissions=PERMISSION_MASK & 0x1FF)
    pegged = bitasset_options or BitassetOptions()
    return _create_asset(state, symbol, issuer, precision, chosen, pegged, is_prediction_market)


def _create_asset(
    state: State,
    symbol: str,
    issuer: AccountId,
    precision: int,
    options: AssetOptions,
    bitasset: BitassetOptions | None,
    is_prediction_market: bool = False,
) -> AssetId:
    own = state.assets.next_id
    rate = Price(AssetAmount(1, own), AssetAmount(1, CORE_ASSET))
    create_asset(
        state,
        symbol,
        precision,
        issuer,
        replace(options, core_exchange_rate=rate),
        bitasset=bitasset,
        is_prediction_market=is_prediction_market,
        now=GENESIS_TIME,
    )
    return own


def issue(state: State, account: AccountId, amount: AssetAmount) -> None:
    """Create supply in a balance, whatever the kind of asset."""
    adjust_supply(state, amount.asset_id, amount.amount)
    adjust_balance(state, account, amount.asset_id, amount.amount)


def bitasset(state: State, asset_id: AssetId) -> BitassetData:
    """The BitAsset data of an asset that is one."""
    found = state.bitasset_of(asset_id)
    assert found is not None, asset_id
    return found


def set_feed(
    state: State,
    asset_id: AssetId,
    debt: int,
    backing: int,
    *,
    publisher: AccountId = COMMITTEE_ACCOUNT,
    now: int = GENESIS_TIME,
    mcr: int = DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    mssr: int = DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    icr: int | None = None,
) -> None:
    """Make `debt` units of the BitAsset per `backing` units the only feed, and the median."""
    data = state.bitassets.edit(bitasset(state, asset_id))
    price = Price(
        AssetAmount(debt, asset_id), AssetAmount(backing, data.options.short_backing_asset)
    )
    rate = Price(price.base, AssetAmount(backing, CORE_ASSET))
    feed = FeedValues(price, mcr, mssr, rate, mcr if icr is None else icr)
    data.feeds = ((publisher, (now, feed)),)
    data.median_feed = data.current_feed = feed
    data.current_feed_publication_time = now


def add_position(
    state: State,
    borrower: AccountId,
    asset_id: AssetId,
    debt: int,
    collateral: int,
    *,
    target_collateral_ratio: int | None = None,
) -> CallOrder:
    """A position out of nothing: the debt is in the borrower's balance, the collateral is new."""
    backing = bitasset(state, asset_id).options.short_backing_asset
    issue(state, borrower, AssetAmount(debt, asset_id))
    adjust_supply(state, backing, collateral)
    adjust_core_in_orders(state, borrower, backing, collateral)
    owed, locked = AssetAmount(debt, asset_id), AssetAmount(collateral, backing)
    return create_position(state, borrower, owed, locked, target_collateral_ratio)


def make_context(state: State, now: int = GENESIS_TIME) -> Context:
    """A context for block 1 at a time."""
    return Context(state, now, 1, run_proposed_operation)


def apply(ctx: Context, op: Operation) -> OperationResult:
    """Validate and execute an operation as a transaction of its own; a refusal leaves no trace.

    Checks that `evaluate` writes nothing.
    """
    op.validate()
    log = ctx.state.log
    log.begin()
    try:
        EVALUATORS[type(op)].evaluate(ctx, op)
        assert log.marks[-1] == len(log.records), "evaluate must not write"
        result = apply_operation(ctx, op)
    except BaseException:
        log.undo()
        raise
    if log.depth > 1:
        log.merge()
    else:
        log.finish()
    return result


def expect(ctx: Context, error: type[Error], op: Operation) -> Error:
    """Execute an operation that must be refused with exactly this error; returns the error.

    Checks that nothing at all has changed, and that what is told would make it pass does.
    """
    before = ctx.state.state_hash()
    with pytest.raises(error) as caught:
        apply(ctx, op)
    assert caught.type is error, repr(caught.value)
    if not ctx.state.log.depth:
        follow_remedies(ctx, op, caught.value)
    assert ctx.state.state_hash() == before, "a refusal must leave no trace"
    return caught.value


def created(result: OperationResult) -> int:
    """The instance number of the object that an operation created."""
    assert isinstance(result, ObjectId), result
    return result.instance


def core(amount: int) -> AssetAmount:
    """An amount of CORE."""
    return AssetAmount(amount, CORE_ASSET)
