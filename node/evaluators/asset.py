"""Assets of any kind: creation, options, issuer, supply, fee pool."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.asset_rules import (
    assets_backed_by,
    backing_of,
    bitasset_data_of,
    check_backing,
    check_bitasset_options,
    check_committee_backing,
    check_issuer,
    check_list_authorities,
)
from node.evaluators.fees import core_worth_of, pool_seed
from node.evaluators.lists import check_authorized
from node.evaluators.permissions import check_flags, check_permission, check_permission_bits
from node.market.black_swan import cancel_bids
from node.market.settlement import cancel_settlements
from node.state.balances import adjust_balance, adjust_supply, credit, debit
from node.state.context import Context
from node.state.creation import create_asset
from node.state.database import State
from node.state.errors import (
    FeatureDisabled,
    LimitExceeded,
    MaxSupplyExceeded,
    NameTaken,
    NewSupplyDisabled,
    WrongAccount,
    WrongAssetType,
)
from node.state.objects.assets import Asset, AssetDynamicData, BitassetData
from protocol.constants import CORE_ASSET
from protocol.ids import ObjectId, account_text, asset_text, pool_text
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
from protocol.operations.asset_options import (
    DISABLE_COLLATERAL_BIDDING,
    DISABLE_FORCE_SETTLE,
    DISABLE_NEW_SUPPLY,
    LOCK_MAX_SUPPLY,
)
from protocol.operations.results import VoidResult
from protocol.schema import Record


def evaluate_asset_create(ctx: Context, op: AssetCreate) -> int:
    """What the fee puts into the pool of the new asset, once symbol and options pass (R8.19)."""
    state, options = ctx.state, op.common_options

    options.validate_flags(is_bitasset=op.bitasset_opts is not None)
    check_list_authorities(state, options)
    _check_symbol(state, op)
    if op.bitasset_opts is not None:
        check_bitasset_options(state, op.bitasset_opts)
        backing = state.assets.get(op.bitasset_opts.short_backing_asset)
        check_backing(state, op.issuer, backing)
        if op.is_prediction_market and op.precision != backing.precision:
            raise WrongAssetType(
                "a prediction market has the precision of its backing asset",
                rule="R7.1",
                value=op.precision,
                limit=backing.precision,
            )

    return pool_seed(core_worth_of(state, op.fee))


def apply_asset_create(ctx: Context, op: AssetCreate, fee_pool: int) -> ObjectId:
    """Create the asset with its figures and, for a BitAsset, its data."""
    state = ctx.state
    asset = create_asset(
        state,
        op.symbol,
        op.precision,
        op.issuer,
        op.common_options,
        bitasset=op.bitasset_opts,
        is_prediction_market=op.is_prediction_market,
        now=ctx.now,
        created_at=ctx.block_time,
        block_num=ctx.block_num,
        fee_pool=fee_pool,
    )
    return state.assets.object_id(asset.id)


def _check_symbol(state: State, op: AssetCreate) -> None:
    if state.asset_by_symbol.find(op.symbol) is not None:
        raise NameTaken("symbol is taken", rule="R2.19", value=op.symbol)
    parent_symbol = op.symbol.rpartition(".")[0]
    if parent_symbol:
        parent = state.asset_named(parent_symbol)
        if parent.issuer != op.issuer:
            raise WrongAccount(
                f"only the issuer of {parent_symbol} creates its sub-assets",
                rule="R2.19",
                value=account_text(op.issuer),
                limit=account_text(parent.issuer),
            )


def evaluate_asset_update(ctx: Context, op: AssetUpdate) -> Asset:
    """The asset, once the new options keep to permissions, supply and lists (BSIP48)."""
    state, options = ctx.state, op.new_options
    asset = state.assets.get(op.asset_to_update)
    data = None if asset.bitasset_data_id is None else bitasset_data_of(state, asset)
    supply = state.figures_of(asset.id).current_supply

    check_issuer(asset, op.issuer)
    if op.new_issuer is not None:
        raise FeatureDisabled(
            "asset_update_issuer changes the issuer", rule="R9.6", value=account_text(op.new_issuer)
        )
    options.validate_flags(is_bitasset=data is not None)
    check_permission_bits(asset, data, options, supply)
    check_flags(asset, data, options)
    if supply:
        _check_supply(op, supply)
    if asset.has_flag(LOCK_MAX_SUPPLY) and options.max_supply != asset.options.max_supply:
        raise FeatureDisabled(
            "max_supply is locked",
            rule="BSIP48",
            value=options.max_supply,
            limit=asset.options.max_supply,
            unit=asset_text(asset.id),
        )
    if op.extensions.new_precision is not None:
        _check_new_precision(state, asset, data, op.extensions.new_precision)
    check_list_authorities(state, options)
    return asset


def _check_supply(op: AssetUpdate, supply: int) -> None:
    """What is fixed while there is supply: decimal places, and a maximum above it (BSIP48)."""
    check_permission(
        op.extensions.new_precision is None,
        "precision is fixed while there is supply",
        value=op.extensions.new_precision,
    )
    if supply > op.new_options.max_supply:
        raise MaxSupplyExceeded(
            "max_supply is below the supply",
            rule="BSIP48",
            value=op.new_options.max_supply,
            limit=supply,
            unit=asset_text(op.asset_to_update),
        )


def _check_new_precision(
    state: State, asset: Asset, data: BitassetData | None, precision: int
) -> None:
    if precision == asset.precision:
        raise LimitExceeded("new_precision changes nothing", rule="BSIP48", value=precision)
    if data is not None and data.is_prediction_market:
        raise WrongAssetType("precision of a prediction market is fixed", rule="R7.1")
    backed = assets_backed_by(state, asset.id)
    if backed:
        raise WrongAssetType(
            f"{backed[0].symbol} is backed by {asset.symbol}", rule="R7.1", value=backed[0].symbol
        )


def apply_asset_update(ctx: Context, op: AssetUpdate, asset: Asset) -> VoidResult:
    """Replace the options; what a flag newly forbids is cancelled at once (R5.9)."""
    state, options = ctx.state, op.new_options
    newly_set = options.flags & ~asset.options.flags
    if newly_set & DISABLE_FORCE_SETTLE:
        cancel_settlements(ctx, asset.id)
    if newly_set & DISABLE_COLLATERAL_BIDDING:
        cancel_bids(ctx, asset.id)
    if op.extensions.skip_core_exchange_rate:
        options = replace(options, core_exchange_rate=asset.options.core_exchange_rate)
    elif (
        asset.bitasset_data_id is not None
        and options.core_exchange_rate != asset.options.core_exchange_rate
    ):
        state.bitassets.edit(state.bitassets.get(asset.bitasset_data_id)).asset_cer_updated = True
    state.assets.edit(asset)
    if op.extensions.new_precision is not None:
        asset.precision = op.extensions.new_precision
    asset.options = options
    return VoidResult()


def evaluate_asset_update_issuer(ctx: Context, op: AssetUpdateIssuer) -> Asset:
    """The asset, once its issuer asks and the new one exists."""
    state = ctx.state
    asset = state.assets.get(op.asset_to_update)
    state.accounts.get(op.new_issuer)

    check_issuer(asset, op.issuer)
    backing = backing_of(state, asset)
    if backing is not None:
        check_committee_backing(state, op.new_issuer, state.assets.get(backing))
    return asset


def apply_asset_update_issuer(ctx: Context, op: AssetUpdateIssuer, asset: Asset) -> VoidResult:
    """Hand the asset over."""
    ctx.state.assets.edit(asset).issuer = op.new_issuer
    return VoidResult()


def evaluate_asset_issue(ctx: Context, op: AssetIssue) -> None:
    """A user-issued asset of the issuer, whose supply may still grow this much."""
    state, amount = ctx.state, op.asset_to_issue.amount
    asset = state.assets.get(op.asset_to_issue.asset_id)
    receiver = state.accounts.get(op.issue_to_account)
    supply = state.figures_of(asset.id).current_supply

    check_issuer(asset, op.issuer)
    _check_user_issued(asset)
    if asset.for_liquidity_pool is not None:
        raise WrongAssetType(
            f"only deposits into its pool make units of {asset.symbol}",
            rule="L9",
            value=pool_text(asset.for_liquidity_pool),
        )
    if asset.has_flag(DISABLE_NEW_SUPPLY):
        raise NewSupplyDisabled("new supply is disabled", rule="R3.2", value=asset.symbol)
    check_authorized(receiver, asset)
    if supply + amount > asset.options.max_supply:
        raise MaxSupplyExceeded(
            "supply would exceed max_supply",
            rule="R3.2",
            value=supply + amount,
            limit=asset.options.max_supply,
            unit=asset_text(asset.id),
        )


def apply_asset_issue(ctx: Context, op: AssetIssue, checked: None) -> VoidResult:
    """Create the supply in the receiver's balance."""
    credit(ctx.state, op.issue_to_account, op.asset_to_issue)
    adjust_supply(ctx.state, op.asset_to_issue.asset_id, op.asset_to_issue.amount)
    return VoidResult()


def evaluate_asset_reserve(ctx: Context, op: AssetReserve) -> None:
    """Not a BitAsset: its units are destroyed by paying back, settling or margin calls."""
    state, amount = ctx.state, op.amount_to_reserve
    asset = state.assets.get(amount.asset_id)
    supply = state.figures_of(asset.id).current_supply

    _check_user_issued(asset)
    check_authorized(state.accounts.get(op.payer), asset)
    kept = 0 if asset.for_liquidity_pool is None else 1
    largest = max(supply - kept, 0)
    if amount.amount > largest:
        raise LimitExceeded(
            f"one unit of {asset.symbol} must remain in its pool"
            if kept
            else "more than the supply",
            rule="L9" if kept else "R3.2",
            value=amount.amount,
            limit=largest,
            unit=asset_text(asset.id),
        )


def apply_asset_reserve(ctx: Context, op: AssetReserve, checked: None) -> VoidResult:
    """Destroy the amount."""
    debit(ctx.state, op.payer, op.amount_to_reserve)
    adjust_supply(ctx.state, op.amount_to_reserve.asset_id, -op.amount_to_reserve.amount)
    return VoidResult()


def _check_user_issued(asset: Asset) -> None:
    if asset.is_market_issued():
        raise WrongAssetType(
            f"{asset.symbol} is a BitAsset, borrowed into existence",
            rule="R3.3",
            value=asset.symbol,
        )


def evaluate_asset_fund_fee_pool(ctx: Context, op: AssetFundFeePool) -> None:
    """Any asset; also CORE, whose fees need no conversion (I13)."""
    ctx.state.assets.get(op.asset_id)


def apply_asset_fund_fee_pool(ctx: Context, op: AssetFundFeePool, checked: None) -> VoidResult:
    """Move CORE from the account into the pool (R8.22)."""
    state = ctx.state
    adjust_balance(state, op.from_account, CORE_ASSET, -op.amount)
    state.asset_dynamic_data.edit(state.figures_of(op.asset_id)).fee_pool += op.amount
    return VoidResult()


class Claim(Record):
    """Where a claim of fees is taken from."""

    figures: AssetDynamicData
    is_collateral: bool
    """Whether it takes fees in the backing asset of a BitAsset."""


def evaluate_asset_claim_fees(ctx: Context, op: AssetClaimFees) -> Claim:
    """The bucket, once the issuer claims no more than it holds (R8.22)."""
    state, amount = ctx.state, op.amount_to_claim
    named = op.extensions.claim_from_asset_id
    container = state.assets.get(amount.asset_id if named is None else named)
    figures = state.asset_dynamic_data.get(container.dynamic_asset_data_id)

    check_issuer(container, op.issuer)
    is_collateral = container.id != amount.asset_id
    if is_collateral and backing_of(state, container) != amount.asset_id:
        raise WrongAssetType(
            f"{container.symbol} holds no fees in the claimed asset",
            rule="R8.22",
            value=asset_text(amount.asset_id),
        )
    held = figures.accumulated_collateral_fees if is_collateral else figures.accumulated_fees
    if amount.amount > held:
        raise LimitExceeded(
            "more fees than accumulated",
            rule="R8.22",
            value=amount.amount,
            limit=held,
            unit=asset_text(amount.asset_id),
        )
    return Claim(figures, is_collateral)


def apply_asset_claim_fees(ctx: Context, op: AssetClaimFees, claim: Claim) -> VoidResult:
    """Move the fees to the issuer's balance."""
    figures = ctx.state.asset_dynamic_data.edit(claim.figures)
    if claim.is_collateral:
        figures.accumulated_collateral_fees -= op.amount_to_claim.amount
    else:
        figures.accumulated_fees -= op.amount_to_claim.amount
    credit(ctx.state, op.issuer, op.amount_to_claim)
    return VoidResult()


def evaluate_asset_claim_pool(ctx: Context, op: AssetClaimPool) -> None:
    """The issuer claims; whether the pool still holds it is known once the fee is converted."""
    check_issuer(ctx.state.assets.get(op.asset_id), op.issuer)


def apply_asset_claim_pool(ctx: Context, op: AssetClaimPool, checked: None) -> VoidResult:
    """Move CORE from the pool to the issuer's balance (R8.22)."""
    state, amount = ctx.state, op.amount_to_claim
    figures = state.figures_of(op.asset_id)
    if amount.amount > figures.fee_pool:
        raise LimitExceeded(
            "more than the fee pool",
            rule="R8.22",
            value=amount.amount,
            limit=figures.fee_pool,
            unit=asset_text(CORE_ASSET),
        )
    state.asset_dynamic_data.edit(figures).fee_pool -= amount.amount
    credit(state, op.issuer, amount)
    return VoidResult()
