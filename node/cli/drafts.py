"""Operations of a wallet, from what people write: names, decimal amounts, ratios, durations.

Fees are left at 0; `node.cli.transactions` asks the chain for them.
"""

from __future__ import annotations

import re
import secrets

from node.cli.client import JsonObject, as_int, as_object, as_objects, as_text
from node.cli.exits import CliError, KeyMissing, UsageProblem
from node.cli.keyring import KeyRing
from node.cli.remote_chain import (
    RemoteAccount,
    RemoteAsset,
    RemoteChain,
    id_argument,
    parse_decimal,
)
from node.market.pricing import collateral_at
from node.witness.feed_source import FeedSource, FixedPrice, PeggedAsset
from node.witness.feed_source import publish_feed as feed_operation
from node.witness.feed_text import parse_price
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import (
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
)
from protocol.crypto.memo import encrypt_memo
from protocol.durations import parse_duration
from protocol.errors import DecodeError
from protocol.ids import LimitOrderId, asset_text
from protocol.json_form import from_json, parse_time
from protocol.operations import Operation
from protocol.operations.asset import AssetIssue
from protocol.operations.bitasset import AssetSettle, BidCollateral
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
)
from protocol.operations.memo import Memo
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP

_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


class NoPosition(CliError):
    """The account has no position in the BitAsset."""

    name = "no_position"


class NoFeed(CliError):
    """The BitAsset has no price that a ratio could be measured by."""

    name = "insufficient_feeds"


def parse_seconds(text: str) -> int:
    """Seconds of "30s", "10m", "12h" or "7d"; raises `UsageProblem`."""
    try:
        return parse_duration(text)
    except DecodeError as error:
        raise UsageProblem(error.what, value=error.value, limit=error.limit) from error


def parse_ratio(text: str) -> int:
    """Thousandths of a ratio such as "1.75"; raises `UsageProblem`."""
    return parse_decimal(text, 3)


def expiration_in(chain: RemoteChain, duration: str | None) -> int:
    """The chain's time plus a duration; the end of time without one."""
    if duration is None:
        return MAX_TIMESTAMP
    return parse_time(as_text(chain.head()["time"])) + parse_seconds(duration)


def transfer(
    chain: RemoteChain,
    keys: KeyRing,
    sender: RemoteAccount,
    receiver: RemoteAccount,
    amount: AssetAmount,
    text: str | None,
) -> Transfer:
    """A transfer, with a memo for the receiver's eyes when there is a text."""
    memo = None if text is None else memo_for(chain, keys, sender, receiver, text)
    return Transfer(NO_FEE, sender.id, receiver.id, amount, memo)


def issue(
    chain: RemoteChain,
    keys: KeyRing,
    issuer: RemoteAccount,
    receiver: RemoteAccount,
    amount: AssetAmount,
    text: str | None,
) -> AssetIssue:
    """New units of an asset for an account."""
    memo = None if text is None else memo_for(chain, keys, issuer, receiver, text)
    return AssetIssue(NO_FEE, issuer.id, amount, receiver.id, memo)


def memo_for(
    chain: RemoteChain, keys: KeyRing, sender: RemoteAccount, receiver: RemoteAccount, text: str
) -> Memo:
    """An encrypted memo between the memo keys of two accounts; raises `KeyMissing`."""
    secret = keys.find(sender.options.memo_key, chain.prefix)
    if secret is None:
        raise KeyMissing(f"no memo key of {sender.name}")
    nonce = secrets.randbits(64)
    message = encrypt_memo(secret, receiver.options.memo_key, nonce, text)
    return Memo(sender.options.memo_key, receiver.options.memo_key, nonce, message)


def sell(
    seller: RemoteAccount,
    amount: AssetAmount,
    receive: AssetAmount,
    *,
    expiration: int = MAX_TIMESTAMP,
    fill_or_kill: bool = False,
    on_fill: CreateTakeProfitOrder | None = None,
) -> LimitOrderCreate:
    """An order that gives `amount` for at least `receive`, and what its fills cause (T1)."""
    extensions = LimitOrderCreateExtensions(None if on_fill is None else (on_fill,))
    return LimitOrderCreate(
        NO_FEE, seller.id, amount, receive, expiration, fill_or_kill, extensions
    )


def take_profit(
    chain: RemoteChain, spread: str, *, size: str, within: str, fee_asset: str | None, repeat: bool
) -> CreateTakeProfitOrder:
    """Sell what fills bring for more: percentages, a duration, and the asset that fees are in."""
    asset = chain.core if fee_asset is None else chain.asset(fee_asset)
    percents = [parse_decimal(text.removesuffix("%").rstrip(), 2) for text in (spread, size)]
    for number, text in zip(percents, (spread, size), strict=True):
        if not 0 < number < 1 << 16:
            raise UsageProblem("not such a percentage", value=text, limit="0.01 % to 655.35 %")
    spread_percent, size_percent = percents
    return CreateTakeProfitOrder(
        asset.id, spread_percent, size_percent, parse_seconds(within), repeat
    )


def cancel(account: RemoteAccount, order: str) -> LimitOrderCancel:
    """Take an order (1.7.n) back."""
    return LimitOrderCancel(NO_FEE, account.id, id_argument(LimitOrderId, order))


def settle(account: RemoteAccount, amount: AssetAmount) -> AssetSettle:
    """Ask for collateral at the feed, after the delay."""
    return AssetSettle(NO_FEE, account.id, amount)


def bid_collateral(
    bidder: RemoteAccount, collateral: AssetAmount, debt: AssetAmount
) -> BidCollateral:
    """A bid for debt of a globally settled BitAsset; 0 debt ends the bid that is there (R6.5)."""
    return BidCollateral(NO_FEE, bidder.id, collateral, debt)


def settlement_price(chain: RemoteChain, asset: RemoteAsset) -> Price:
    """The price that a BitAsset settles at now, debt per backing; raises `NoFeed`."""
    feed = as_object(chain.bitasset(asset)["current_feed"])
    price = from_json(Price, feed["settlement_price"], chain.prefix)
    if price.is_null():
        raise NoFeed("the BitAsset has no live feed", rule="R1.16", value=asset.symbol)
    return price


def position_of(chain: RemoteChain, account: RemoteAccount, asset: RemoteAsset) -> JsonObject:
    """The position (1.8.n) of an account in a BitAsset; raises `NoPosition`."""
    positions = as_objects(chain.client.call("database", "get_margin_positions", account.name))
    for position in positions:
        price = as_object(position["call_price"])
        if as_object(price["quote"])["asset_id"] == asset_text(asset.id):
            return position
    raise NoPosition(f"{account.name} has no position", rule="R3.1", value=asset.display_symbol)


def borrow(
    chain: RemoteChain,
    account: RemoteAccount,
    debt: AssetAmount,
    *,
    collateral: AssetAmount | None,
    ratio: int | None,
    target_ratio: int | None,
) -> CallOrderUpdate:
    """Borrow against collateral that is given, or follows from a ratio at the present feed."""
    asset = chain.asset(asset_text(debt.asset_id))
    backing = chain.backing_asset(asset)
    if (collateral is None) == (ratio is None):
        raise UsageProblem("give either --collateral or --ratio")
    if collateral is None:
        assert ratio is not None
        collateral = backing.of(collateral_at(debt, ratio, settlement_price(chain, asset)))
    return update_position(account, collateral, debt, target_ratio)


def adjust(
    chain: RemoteChain,
    account: RemoteAccount,
    asset: RemoteAsset,
    *,
    debt: AssetAmount | None,
    collateral: AssetAmount | None,
    ratio: int | None,
    target_ratio: int | None,
) -> CallOrderUpdate:
    """Change a position by amounts, or bring it to a ratio at the present feed.

    The target ratio stays unless a new one is given; 0 takes it away (R3.3).
    """
    if ratio is not None and collateral is not None:
        raise UsageProblem("give either --collateral or --ratio")
    position = position_of(chain, account, asset)
    debt = debt or asset.of(0)
    if ratio is not None:
        after = asset.of(as_int(position["debt"]) + debt.amount)
        wanted = collateral_at(after, ratio, settlement_price(chain, asset))
        collateral = chain.backing_asset(asset).of(wanted - as_int(position["collateral"]))
    if target_ratio is None and "target_collateral_ratio" in position:
        target_ratio = as_int(position["target_collateral_ratio"])
    backing = collateral or chain.backing_asset(asset).of(0)
    return update_position(account, backing, debt, target_ratio or None)


def cover(
    chain: RemoteChain, account: RemoteAccount, asset: RemoteAsset, debt: AssetAmount | None
) -> CallOrderUpdate:
    """Pay debt back: all of it, which frees the collateral, or an amount."""
    if debt is not None:
        paid = asset.of(-debt.amount)
        return adjust(
            chain, account, asset, debt=paid, collateral=None, ratio=None, target_ratio=None
        )
    position = position_of(chain, account, asset)
    collateral = chain.backing_asset(asset).of(-as_int(position["collateral"]))
    return update_position(account, collateral, asset.of(-as_int(position["debt"])), None)


def update_position(
    account: RemoteAccount, collateral: AssetAmount, debt: AssetAmount, target_ratio: int | None
) -> CallOrderUpdate:
    """The operation that changes a position by two differences (R3.1)."""
    return CallOrderUpdate(
        NO_FEE, account.id, collateral, debt, CallOrderUpdateExtensions(target_ratio)
    )


def bare_price(text: str, asset: RemoteAsset, backing: RemoteAsset) -> str:
    """The number of "0.0998", "0.0998 bitUSD" or "0.0998 bitUSD for 1 TEST"; or `UsageProblem`."""
    number, *unit = text.split()
    per = ["for", "1", backing.display_symbol]
    if unit not in ([], [asset.display_symbol], [asset.symbol], [asset.display_symbol, *per]):
        raise UsageProblem(
            f"a price is a number of {asset.display_symbol} for 1 {backing.display_symbol}",
            value=text,
        )
    return number.replace(",", "") if _THOUSANDS.fullmatch(number) else number


def publish_feed(
    chain: RemoteChain,
    publisher: RemoteAccount,
    asset: RemoteAsset,
    price: str,
    *,
    maintenance_ratio: int = DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    squeeze_ratio: int = DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
) -> Operation:
    """A feed; `price` is decimal, in pegged units for one token of the backing asset.

    Raises `UsageProblem` when CORE does not back the asset: its core exchange rate is unknown.
    """
    backing = chain.backing_asset(asset)
    if backing.id != chain.core.id:
        raise UsageProblem("not backed by the core asset", value=backing.symbol)
    number = bare_price(price, asset, backing)
    source = FeedSource(FixedPrice(parse_price(number)), maintenance_ratio, squeeze_ratio)
    pegged = PeggedAsset(asset.id, asset.precision, backing.id, backing.precision)
    return feed_operation(source, publisher.id, pegged, 0, fee=NO_FEE)
