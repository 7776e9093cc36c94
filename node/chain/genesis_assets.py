"""The assets and balances of a genesis, and the supplies that follow from them."""

from __future__ import annotations

from node.chain.genesis_accounts import register_account
from node.state.balances import adjust_balance, adjust_core_in_orders
from node.state.creation import create_asset, create_position
from node.state.database import State
from node.state.objects.vesting import GenesisBalance, LinearVesting
from protocol.asset import AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    CORE_ASSET,
    CORE_PRECISION,
    MAX_SUPPLY,
    NULL_ACCOUNT,
)
from protocol.genesis import Genesis, InitialAsset, InitialAssetSettings
from protocol.ids import AssetId
from protocol.operations.asset_options import (
    DEFAULT_UIA_PERMISSIONS,
    ENABLE_BITS_MASK,
    WITNESS_FED_ASSET,
    AssetOptions,
)
from protocol.operations.balance import NULL_KEY
from protocol.operations.bitasset_options import BitassetOptions
from protocol.schema import Address

GENESIS_MINIMUM_FEEDS = 7
"""Live feeds that a BitAsset of a genesis needs, unless the genesis says otherwise."""

ONE_FOR_ONE = Price(AssetAmount(1, AssetId(1)), AssetAmount(1, CORE_ASSET))
"""A core exchange rate; 1.3.1 stands for the new asset."""


def create_core(state: State, genesis: Genesis) -> None:
    """The core asset, 1.3.0."""
    options = AssetOptions(
        max_supply=genesis.max_core_supply,
        market_fee_percent=0,
        max_market_fee=MAX_SUPPLY,
        issuer_permissions=0,
        flags=0,
        core_exchange_rate=Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, CORE_ASSET)),
    )
    symbol = genesis.settings().core_symbol
    create_asset(
        state, symbol, CORE_PRECISION, NULL_ACCOUNT, options, now=genesis.initial_timestamp
    )


def reserve_assets(state: State, count: int) -> None:
    """Leave asset ids below `count` unused."""
    first_free = max(count, state.assets.next_id)
    state.assets.reserve(first_free)
    state.asset_dynamic_data.reserve(first_free)


def create_assets(state: State, genesis: Genesis) -> None:
    """The initial assets, BitAssets with their data and their positions."""
    section = genesis.pegboard.assets or ()
    settings = {item.symbol: item for item in section}
    for initial in genesis.initial_assets:
        chosen = settings.get(initial.symbol, InitialAssetSettings(initial.symbol))
        bitasset = None
        if initial.is_bitasset:
            _create_positions(state, genesis, initial, state.assets.next_id)
            bitasset = chosen.bitasset_options or BitassetOptions(
                minimum_feeds=GENESIS_MINIMUM_FEEDS
            )
        create_asset(
            state,
            initial.symbol,
            initial.precision,
            state.account_named(initial.issuer_name).id,
            _options(initial, chosen),
            bitasset=bitasset,
            now=genesis.initial_timestamp,
            accumulated_fees=initial.accumulated_fees,
        )


def _options(initial: InitialAsset, chosen: InitialAssetSettings) -> AssetOptions:
    default_flags = WITNESS_FED_ASSET if initial.is_bitasset else 0
    default_permissions = ENABLE_BITS_MASK if initial.is_bitasset else DEFAULT_UIA_PERMISSIONS
    return AssetOptions(
        max_supply=initial.max_supply,
        market_fee_percent=chosen.market_fee_percent or 0,
        max_market_fee=MAX_SUPPLY if chosen.max_market_fee is None else chosen.max_market_fee,
        issuer_permissions=(
            default_permissions if chosen.issuer_permissions is None else chosen.issuer_permissions
        ),
        flags=default_flags if chosen.flags is None else chosen.flags,
        core_exchange_rate=chosen.core_exchange_rate or ONE_FOR_ONE,
        description=initial.description,
    )


def _create_positions(
    state: State, genesis: Genesis, initial: InitialAsset, asset_id: AssetId
) -> None:
    """One account for each collateral record, owned by its address."""
    for number, record in enumerate(initial.collateral_records):
        owner = _address_authority(record.owner)
        name = f"{initial.symbol.lower()}-collateral-holder-{number}"
        account = register_account(state, genesis, name, owner, owner, NULL_KEY, is_member=False)
        debt, collateral = (
            AssetAmount(record.debt, asset_id),
            AssetAmount(record.collateral, CORE_ASSET),
        )
        create_position(state, account.id, debt, collateral)
        adjust_core_in_orders(state, account.id, CORE_ASSET, record.collateral)


def _address_authority(owner: Address) -> Authority:
    return Authority(1, address_auths=((owner, 1),))


def settle_supplies(state: State, genesis: Genesis) -> None:
    """Hand the initial balances out and set every supply to what exists (I1).

    Without any CORE handed out the committee account holds all of it.
    """
    supplies = {asset.id: 0 for asset in state.assets.in_order()}
    for asset in state.assets.in_order():
        supplies[asset.id] += state.figures_of(asset.id).accumulated_fees
    for position in state.call_orders.in_order():
        supplies[position.collateral_asset] += position.collateral
    _hand_out(state, genesis, supplies)
    if supplies[CORE_ASSET] == 0:
        supplies[CORE_ASSET] = genesis.max_core_supply
        adjust_balance(state, COMMITTEE_ACCOUNT, CORE_ASSET, genesis.max_core_supply)
    for asset_id, supply in supplies.items():
        state.asset_dynamic_data.edit(state.figures_of(asset_id)).current_supply = supply


def _hand_out(state: State, genesis: Genesis, supplies: dict[AssetId, int]) -> None:
    for balance in genesis.initial_balances:
        amount = AssetAmount(balance.amount, state.asset_named(balance.asset_symbol).id)
        _add_claimable(state, balance.owner, amount, None)
        supplies[amount.asset_id] += amount.amount
    for vesting in genesis.initial_vesting_balances:
        amount = AssetAmount(vesting.amount, state.asset_named(vesting.asset_symbol).id)
        policy = LinearVesting(
            vesting.begin_timestamp, 0, vesting.vesting_duration_seconds, vesting.begin_balance
        )
        _add_claimable(state, vesting.owner, amount, policy)
        supplies[amount.asset_id] += amount.amount
    for held in genesis.pegboard.account_balances or ():
        asset_id = state.asset_named(held.asset_symbol).id
        account = state.account_named(held.account_name)
        adjust_balance(state, account.id, asset_id, held.amount)
        supplies[asset_id] += held.amount


def _add_claimable(
    state: State, owner: Address, amount: AssetAmount, policy: LinearVesting | None
) -> None:
    state.genesis_balances.create(
        GenesisBalance(
            id=state.genesis_balances.next_id,
            owner=owner,
            balance=amount,
            vesting_policy=policy,
            last_claim_date=0,
        )
    )
