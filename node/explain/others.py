"""What others may do before a refused operation so that it passes: issuers, whoever lists, donors.

As with changes of the operation itself, each is a guess that is tried before it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from node.explain.candidates import Candidate
from node.explain.loans import deeds_of_lenders
from node.explain.records import Remedy
from node.explain.wording import Wording
from node.state.database import State
from node.state.errors import (
    FeatureDisabled,
    InsufficientFeePool,
    MarketBlacklisted,
    MarketNotWhitelisted,
    MaxSupplyExceeded,
    NewSupplyDisabled,
    NotAuthorized,
)
from node.state.objects.assets import Asset
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.errors import PegboardError
from protocol.fees import with_required_fee
from protocol.ids import AccountId, AssetId, parse_id
from protocol.operations import fee_payer
from protocol.operations.account import WHITE_LISTED, AccountUpgrade, AccountWhitelist
from protocol.operations.asset import AssetFundFeePool, AssetUpdate
from protocol.operations.asset_options import (
    DISABLE_COLLATERAL_BIDDING,
    DISABLE_FORCE_SETTLE,
    DISABLE_NEW_SUPPLY,
    TRANSFER_RESTRICTED,
    AssetOptions,
)
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetUpdateFeedProducers
from protocol.operations.limit_order import LimitOrderCreate, LimitOrderUpdate
from protocol.operations.liquidity_pool import LiquidityPoolExchange
from protocol.schema import Record

FLAGS = {
    DISABLE_COLLATERAL_BIDDING: "allows bids of collateral",
    DISABLE_FORCE_SETTLE: "allows settlement",
    DISABLE_NEW_SUPPLY: "allows new supply",
    TRANSFER_RESTRICTED: "lets everybody transfer",
}


class _Deed(Record):
    """What somebody may do, and in which words."""

    operations: tuple[Operation, ...]
    text: str


def deeds_of_others(
    state: State,
    op: Operation,
    error: PegboardError,
    assets: Sequence[AssetId],
    words: Wording,
) -> Iterator[Candidate]:
    """Operations that may come before the refused one; `assets` are those that it is about."""
    schedule = state.parameters.current_fees
    for deed in _deeds(state, op, error, assets, words):
        before = tuple(with_required_fee(one, schedule) for one in deed.operations)
        doers = tuple(dict.fromkeys(map(fee_payer, before)))
        remedy = Remedy(deed.text, "", before=before, accounts=doers)
        yield Candidate(remedy, (*before, op))


def _deeds(
    state: State,
    op: Operation,
    error: PegboardError,
    assets: Sequence[AssetId],
    words: Wording,
) -> Iterator[_Deed]:
    known = [found for asset in assets if (found := state.assets.find(asset)) is not None]
    if isinstance(error, InsufficientFeePool):
        yield from _fill_pool(op, error, words)
    elif isinstance(error, MarketNotWhitelisted | MarketBlacklisted):
        yield from _admit_market(state, op, words)
    elif isinstance(error, NotAuthorized):
        yield from _admit(state, known, op, error, words)
    yield from (_Deed((one,), text) for one, text in deeds_of_lenders(state, op, error, words))
    if isinstance(error, NotAuthorized | FeatureDisabled | NewSupplyDisabled):
        for asset in known:
            for flag, does in FLAGS.items():
                if asset.options.flags & flag:
                    options = replace(asset.options, flags=asset.options.flags & ~flag)
                    yield _update(asset, options, does, words)
    if isinstance(error, MaxSupplyExceeded) and isinstance(error.value, int):
        for asset in known:
            options = replace(asset.options, max_supply=error.value)
            most = words.amount(AssetAmount(error.value, asset.id))
            yield _update(asset, options, f"raises max_supply to {most}", words)


def _update(asset: Asset, options: AssetOptions, does: str, words: Wording) -> _Deed:
    op = AssetUpdate(NO_FEE, asset.issuer, asset.id, None, options)
    issuer, symbol = words.account(asset.issuer), words.symbol(asset.id)
    return _Deed((op,), f"{issuer}, the issuer of {symbol}, {does} first")


def _fill_pool(op: Operation, error: InsufficientFeePool, words: Wording) -> Iterator[_Deed]:
    if isinstance(error.value, int) and isinstance(error.limit, int):
        missing = error.limit - error.value
        amount = words.amount(AssetAmount(missing, CORE_ASSET))
        fund = AssetFundFeePool(NO_FEE, fee_payer(op), op.fee.asset_id, missing)
        text = f"put {amount} into the fee pool of {words.symbol(op.fee.asset_id)} first"
        yield _Deed((fund,), text)


def _admit_market(state: State, op: Operation, words: Wording) -> Iterator[_Deed]:
    if isinstance(op, LimitOrderCreate | LiquidityPoolExchange):
        sold, received = op.amount_to_sell.asset_id, op.min_to_receive.asset_id
    elif isinstance(op, LimitOrderUpdate) and (order := state.limit_orders.find(op.order)):
        sold, received = order.sells, order.receives
    else:
        return
    yield _admits(state, sold, received, words)
    if isinstance(op, LiquidityPoolExchange):
        yield _admits(state, received, sold, words)


def _admits(state: State, sold: AssetId, received: AssetId, words: Wording) -> _Deed:
    asset = state.assets.get(sold)
    options = asset.options
    admitted = {*options.whitelist_markets, received} if options.whitelist_markets else ()
    excluded = set(options.blacklist_markets) - {received}
    options = replace(
        options,
        whitelist_markets=tuple(sorted(admitted)),
        blacklist_markets=tuple(sorted(excluded)),
    )
    return _update(asset, options, f"admits the market with {words.symbol(received)}", words)


def _admit(
    state: State, known: Sequence[Asset], op: Operation, error: NotAuthorized, words: Wording
) -> Iterator[_Deed]:
    """Whoever lists accounts lists one, or takes it off; an account becomes a member; an issuer
    names a producer of feeds."""
    try:
        account = parse_id(AccountId, str(error.value))
    except PegboardError:
        account = fee_payer(op)
    name = words.account(account)
    for asset in known:
        for lister in asset.options.whitelist_authorities:
            does = f"{words.account(lister)} puts {name} on its white list first"
            yield _Deed((AccountWhitelist(NO_FEE, lister, account, WHITE_LISTED),), does)
        for lister in asset.options.blacklist_authorities:
            does = f"{words.account(lister)} takes {name} off its black list first"
            yield _Deed((AccountWhitelist(NO_FEE, lister, account, 0),), does)
    upgrade = AccountUpgrade(NO_FEE, account, upgrade_to_lifetime_member=True)
    yield _Deed((upgrade,), f"{name} becomes a lifetime member first")
    if isinstance(op, AssetPublishFeed):
        asset = state.assets.get(op.asset_id)
        bitasset = state.bitasset_of(op.asset_id)
        assert bitasset is not None, op
        producers = {op.publisher, *(producer for producer, _ in bitasset.feeds)}
        names = AssetUpdateFeedProducers(NO_FEE, asset.issuer, asset.id, tuple(sorted(producers)))
        issuer = words.account(asset.issuer)
        yield _Deed((names,), f"{issuer}, the issuer, names {name} as a producer of feeds first")
