"""A shock of one BitAsset's market: another feed, bids that go, bids that come; who is called then.

A shock is a list of operations that nobody has to sign or to pay for, and one block. So what it
predicts is what happens if the publishers and sellers do the same, but for the fees that they pay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from node.chain.chain import Chain
from node.evaluators.asset_rules import bitasset_data_of
from node.market.feeds import live_feeds
from node.market.margin_calls import Offer, next_call
from node.market.matching import RequestMatch
from node.market.pricing import (
    affordable_price,
    call_terms,
    compare_collateralization,
    forced_settlement_price,
)
from node.market.settlement import redemption_price
from node.state.database import State
from node.state.errors import InsufficientFeeds, NoSuchObject
from node.state.events import GloballySettledEvent, IndividuallySettledEvent, MarginCallEvent
from node.state.objects.assets import BitassetData, FeedValues
from node.state.objects.market import CallOrder
from node.whatif.outcome import Outcome
from node.whatif.plan import LIMITS, Limits, Transact
from node.whatif.simulate import Guard, simulate_and_look, unguarded
from protocol.asset import NO_FEE, AssetAmount, Price, scale_price
from protocol.constants import HUNDRED_PERCENT
from protocol.errors import PERCENT, PriceOverflow, ValidationError
from protocol.ids import AccountId, AssetId, LimitOrderId, asset_text
from protocol.operations.asset_options import DISABLE_FORCE_SETTLE
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetPublishFeedExtensions
from protocol.operations.bitasset_options import PriceFeed
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate, LimitOrderUpdate
from protocol.schema import Record


class NewBid(NamedTuple):
    """Somebody offers BitAsset for its backing."""

    sells: AssetAmount
    wants: AssetAmount
    seller: AccountId | None = None
    """None for whoever holds most of the BitAsset."""


class Shock(Record):
    """What happens to a market before the next boundary; nothing unless it is said.

    `feed_change` is how much each price that counts (R1.15) moves, over 10,000: -3,000 is a fall by
    30 %. `feed` is the price that all who ever published publish instead, BitAsset per backing.
    `take_bids` is the share of the volume of all bids, over 10,000, that the best of them lose.
    """

    feed_change: int = 0
    feed: Price | None = None
    take_bids: int = 0
    add_bids: tuple[NewBid, ...] = ()

    def check(self) -> None:
        """Raise `ValidationError` for shares that there cannot be."""
        for name, share, least in (
            ("feed_change", self.feed_change, 1 - HUNDRED_PERCENT),
            ("take_bids", self.take_bids, 0),
        ):
            most = FEED_CHANGE_MAX if name == "feed_change" else HUNDRED_PERCENT
            if not least <= share <= most:
                raise ValidationError(
                    f"{name} is out of range", value=share, limit=f"{least}..{most}", unit=PERCENT
                )


FEED_CHANGE_MAX = 1_000 * HUNDRED_PERCENT
"""No price rises by more at once."""


class Redemption(NamedTuple):
    """What a holder who asks now is paid for a BitAsset."""

    price: Price
    """BitAsset per backing: of the fund, of the pool of settled debt, or of the least
    collateralised position (R5.3, R5.5, BS9)."""
    from_fund: bool
    """Whether it is paid at once, by the fund or the pool."""
    for_one: AssetAmount
    """Backing for one whole BitAsset, less the settlement fee, rounded down."""


class Aftermath(Record):
    """How the market stands after a shock."""

    values: FeedValues
    """The median feed; null prices where there is none."""
    squeeze_protection_price: Price | None
    highest_bid: Price | None
    supply: int
    positions: int
    below_maintenance: int
    """Positions at or below the MCR that are not covered, since no bid met them."""
    debt_below: int
    """What these owe."""
    worst: Redemption | None
    """None where nothing can be redeemed."""


class ShockOutcome(Record, gc=True):
    """What a shock does: the market before and after, and all that happens in between."""

    before: Aftermath
    after: Aftermath
    calls: Sequence[MarginCallEvent]
    """Margin calls of the BitAsset, in their order."""
    settled_alone: Sequence[IndividuallySettledEvent]
    """Its positions that are settled individually, in their order (BS5)."""
    global_settlement: GloballySettledEvent | None
    outcome: Outcome

    @property
    def called(self) -> int:
        """How many positions were called."""
        return len({event.position for event in self.calls})

    @property
    def debt_covered(self) -> int:
        """BitAsset that margin calls bought."""
        return sum(event.debt_covered.amount for event in self.calls)

    @property
    def collateral_paid(self) -> int:
        """Backing that they paid, fees included."""
        return sum(event.collateral_paid.amount for event in self.calls)

    @property
    def fees(self) -> int:
        """Margin call fees, in backing."""
        return sum(event.margin_call_fee.amount for event in self.calls)


def try_shock(
    chain: Chain,
    asset_id: AssetId,
    shock: Shock,
    limits: Limits = LIMITS,
    guard: Guard = unguarded,
) -> ShockOutcome:
    """What a shock would do to a BitAsset at the head of a chain, which is left as it was.

    Raises `NotMarketIssued`; `InsufficientFeeds` if a feed is to change that nobody has published;
    `ValidationError` for impossible numbers.
    """
    shock.check()
    state = chain.state
    before = _look(state, asset_id)
    plan = [Transact((op,), fee_free=True) for op in shock_operations(state, asset_id, shock)]
    outcome, after = simulate_and_look(
        chain, plan, limits, guard, lambda state: _look(state, asset_id)
    )
    events = [event for block in outcome.blocks for event in block.events]
    calls = [
        event
        for event in events
        if isinstance(event, MarginCallEvent) and event.debt_before.asset_id == asset_id
    ]
    alone = [
        event
        for event in events
        if isinstance(event, IndividuallySettledEvent) and event.asset_id == asset_id
    ]
    swans = (
        event
        for event in events
        if isinstance(event, GloballySettledEvent) and event.asset_id == asset_id
    )
    return ShockOutcome(before, after, calls, alone, next(swans, None), outcome)


def shock_operations(state: State, asset_id: AssetId, shock: Shock) -> list[Operation]:
    """The operations of a shock: bids go, bids come, then the feed moves; all without a fee."""
    bitasset = _bitasset(state, asset_id)
    operations = list(_taken_bids(state, bitasset, shock.take_bids))
    operations += _new_bids(state, bitasset, shock.add_bids)
    if shock.feed is not None or shock.feed_change:
        operations += _moved_feeds(state, bitasset, shock)
    return operations


def backing_of(state: State, asset_id: AssetId) -> AssetId:
    """The asset that backs a BitAsset; raises `NotMarketIssued`."""
    return _bitasset(state, asset_id).options.short_backing_asset


def _bitasset(state: State, asset_id: AssetId) -> BitassetData:
    return bitasset_data_of(state, state.assets.get(asset_id))


def _taken_bids(state: State, bitasset: BitassetData, share: int) -> Iterator[Operation]:
    """The best bids are cancelled, and the last of them as far as need be."""
    bids = state.book.items((bitasset.asset_id, bitasset.options.short_backing_asset))
    orders = list(bids) if share else []
    left = sum(order.for_sale for order in orders) * share // HUNDRED_PERCENT
    for order in orders:
        if not left:
            return
        number = LimitOrderId(order.id)
        if order.for_sale <= left:
            yield LimitOrderCancel(NO_FEE, order.seller, number)
        else:
            less = AssetAmount(-left, order.sells)
            yield LimitOrderUpdate(NO_FEE, order.seller, number, delta_amount_to_sell=less)
        left -= min(left, order.for_sale)


def _new_bids(state: State, bitasset: BitassetData, bids: Sequence[NewBid]) -> Iterator[Operation]:
    richest = None
    for bid in bids:
        seller = bid.seller
        if seller is None:
            seller = richest = richest or _richest(state, bitasset.asset_id)
        yield LimitOrderCreate(NO_FEE, seller, bid.sells, bid.wants)


def _richest(state: State, asset_id: AssetId) -> AccountId:
    held = (one for one in state.balances.rows.values() if one.asset_type == asset_id)
    richest = max(held, key=lambda one: (one.balance, -one.owner), default=None)
    if richest is None:
        raise NoSuchObject("nobody holds the BitAsset", rule="R0.1", value=asset_text(asset_id))
    return richest.owner


def _moved_feeds(state: State, bitasset: BitassetData, shock: Shock) -> Iterator[Operation]:
    """Whoever publishes feeds publishes another price, and all else as before.

    A relative change needs a price to begin with: those that have run out stay as they are.
    """
    feeds = live_feeds(bitasset, state.dynamic.time) if shock.feed is None else bitasset.feeds
    published = [(who, values) for who, (time_s, values) in feeds if time_s]
    if not published:
        symbol = state.assets.get(bitasset.asset_id).symbol
        raise InsufficientFeeds("no feed that could move", rule="R1.12", value=symbol)
    for publisher, values in published:
        price = shock.feed
        if price is None:
            share = HUNDRED_PERCENT + shock.feed_change
            price = scale_price(values.settlement_price, share, HUNDRED_PERCENT)
        feed = PriceFeed(
            settlement_price=price,
            core_exchange_rate=values.core_exchange_rate,
            maintenance_collateral_ratio=values.maintenance_collateral_ratio,
            maximum_short_squeeze_ratio=values.maximum_short_squeeze_ratio,
        )
        more = AssetPublishFeedExtensions(values.initial_collateral_ratio)
        yield AssetPublishFeed(NO_FEE, publisher, bitasset.asset_id, feed, more)


def _look(state: State, asset_id: AssetId) -> Aftermath:
    bitasset = _bitasset(state, asset_id)
    bid = state.book.first((asset_id, bitasset.options.short_backing_asset))
    terms = call_terms(bitasset) if bitasset.has_feed() else None
    below = [] if terms is None else _below(state, asset_id, terms.maintenance_collateralization)
    return Aftermath(
        values=bitasset.median_feed,
        squeeze_protection_price=None if terms is None else terms.squeeze_protection_price,
        highest_bid=None if bid is None else bid.sell_price,
        supply=state.figures_of(asset_id).current_supply,
        positions=state.positions.count(asset_id),
        below_maintenance=len(below),
        debt_below=sum(position.debt for position in below),
        worst=worst_redemption(state, asset_id),
    )


def _below(state: State, asset_id: AssetId, limit: Price) -> list[CallOrder]:
    """The positions at or below the MCR, least collateralised first."""
    return list(
        takewhile(
            lambda one: compare_collateralization(one.collateral, one.debt, limit) <= 0,
            state.positions.items(asset_id),
        )
    )


def _matched_price(
    state: State, bitasset: BitassetData, worst: CallOrder, requested: int
) -> Price | None:
    """What a new request gets where a margin call takes it in its block (SM3, SM4), or None."""
    if not state.chain.settle_match:
        return None
    bid = state.book.first((bitasset.asset_id, bitasset.options.short_backing_asset))
    offer = None if bid is None else Offer(bid.sell_price, bid.for_sale)
    trigger, terms = state.chain.margin_call_trigger, call_terms(bitasset)
    try:
        turn = next_call(trigger, terms, worst, offer, requested)
    except PriceOverflow:
        return None
    return turn.price if isinstance(turn, RequestMatch) and turn.debt_covered else None


def worst_redemption(state: State, asset_id: AssetId) -> Redemption | None:
    """What a holder of a BitAsset who asks now is paid for it; None if it cannot be redeemed.

    After a global settlement it is what the fund pays to each (R5.3), and as long as there is a
    pool, what that pays (BS9), neither of them more than MCOP where that is the rule (BS10).
    Otherwise requests are paid by the least collateralised position: at the feed less the offset,
    or all that it has (R5.5). The market fee of the backing asset is not taken off.
    """
    bitasset, asset = _bitasset(state, asset_id), state.assets.get(asset_id)
    options, fee_percent = bitasset.options, 0
    worst = state.positions.first(asset_id)
    at_once = redemption_price(state, bitasset)
    if at_once is not None:
        price = at_once
    else:
        offset = options.force_settlement_offset_percent
        if (
            worst is None
            or not bitasset.has_feed()
            or bitasset.is_prediction_market
            or asset.has_flag(DISABLE_FORCE_SETTLE)
            or offset == HUNDRED_PERCENT
        ):
            return None
        fair = bitasset.current_feed.settlement_price
        price = affordable_price(worst, forced_settlement_price(fair, offset))
        fee_percent = options.extensions.force_settle_fee_percent or 0
        matched = _matched_price(state, bitasset, worst, 10**asset.precision)
        if matched is not None:
            price, fee_percent = matched, 0
    gross = 10**asset.precision * price.quote.amount // price.base.amount
    net = gross - gross * fee_percent // HUNDRED_PERCENT
    return Redemption(price, at_once is not None, AssetAmount(net, options.short_backing_asset))
