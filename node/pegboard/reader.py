"""From what people write to the units of the chain, and back to what they read."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import partial

from msgspec.structs import replace

from node.market.pricing import collateral_ratio, price_of_call, squeeze_protection_price
from node.state.errors import InsufficientFeeds, NotMarketIssued
from node.state.objects.assets import NULL_FEED
from pegboard.amounts import quotient, split_amount, to_decimal, to_units
from pegboard.ledger import AssetFacts, FeedFacts, Ledger, OrderFacts, PositionFacts, RequestFacts
from pegboard.views import Explained, Order, Position, Settlement
from protocol.asset import AssetAmount, Price
from protocol.constants import RATIO_DENOMINATOR
from protocol.ids import AssetId


class Reader:
    """The two directions between a ledger's units and people's."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def amount(self, text: str) -> AssetAmount:
        """Read "100 bitUSD"; raises `BadAmount`, `NoSuchObject`."""
        number, symbol = split_amount(text)
        facts = self._ledger.asset(symbol)
        return AssetAmount(to_units(number, facts.precision), facts.id)

    def bitasset(self, name: str) -> tuple[AssetFacts, AssetFacts]:
        """A BitAsset and what backs it; raises `NotMarketIssued`, `NoSuchObject`."""
        return self.backed(self._ledger.asset(name))

    def backed(self, facts: AssetFacts) -> tuple[AssetFacts, AssetFacts]:
        """The same for an asset that is known; raises `NotMarketIssued` for any other."""
        if facts.backing is None:
            raise NotMarketIssued("not a BitAsset", rule="R3.2.1", value=facts.symbol)
        return facts, self._ledger.asset_at(facts.backing)

    def feed(self, facts: AssetFacts) -> FeedFacts:
        """The feed in force; raises `InsufficientFeeds`."""
        found = self._ledger.feed(facts.id)
        if found is None:
            raise InsufficientFeeds("no live feed", rule="R1.16", value=facts.symbol)
        return found

    def squeeze_price(self, facts: AssetFacts) -> Fraction:
        """SQP in whole units: the most that a margin position is forced to pay (R1.7).

        Raises `InsufficientFeeds`.
        """
        feed = self.feed(facts)
        values = replace(
            NULL_FEED,
            settlement_price=feed.price,
            maximum_short_squeeze_ratio=feed.squeeze_ratio,
        )
        return self.unit_price(squeeze_protection_price(values))

    def unit_price(self, price: Price) -> Fraction:
        """A price of smallest units in whole ones, base for one of quote."""
        base, quote = price.base, price.quote
        places = [self._ledger.asset_at(side.asset_id).precision for side in (base, quote)]
        return Fraction(base.amount * 10 ** places[1], quote.amount * 10 ** places[0])

    def decimal(self, amount: int, asset: AssetId) -> Decimal:
        """Whole units of an amount."""
        return to_decimal(amount, self._ledger.asset_at(asset).precision)

    def position(
        self, facts: AssetFacts, backing: AssetFacts, owner: str, found: PositionFacts | None
    ) -> Position:
        """A position as people read it, measured by the feed in force."""
        explain = partial(self._explain, owner, facts)
        if found is None:
            nothing = to_decimal(0, facts.precision)
            none = to_decimal(0, backing.precision)
            return Position(owner, facts.display, nothing, none, None, None, None, explain)
        feed = self._ledger.feed(facts.id)
        ratio = call_price = None
        if feed is not None:
            thousandths = collateral_ratio(found.collateral, found.debt, feed.price)
            ratio = quotient(thousandths, RATIO_DENOMINATOR)
            owed = AssetAmount(found.debt, facts.id)
            held = AssetAmount(found.collateral, backing.id)
            called_at = price_of_call(owed, held, feed.maintenance_ratio)
            call_price = quotient(self.unit_price(called_at))
        return Position(
            owner,
            facts.display,
            to_decimal(found.debt, facts.precision),
            to_decimal(found.collateral, backing.precision),
            ratio,
            call_price,
            None if found.target_ratio is None else quotient(found.target_ratio, RATIO_DENOMINATOR),
            explain,
        )

    def _explain(self, owner: str, facts: AssetFacts) -> Explained:
        account = self._ledger.find_account(owner)
        assert account is not None, "it has been looked at"
        return self._ledger.explain(account, facts.id)

    def order(self, found: OrderFacts) -> Order:
        """An order as people read it."""
        sold, wanted = (
            self._ledger.asset_at(side.asset_id) for side in (found.price.base, found.price.quote)
        )
        price = self.unit_price(found.price)
        return Order(
            found.id,
            self._ledger.account_name(found.owner),
            sold.display,
            wanted.display,
            to_decimal(found.for_sale, sold.precision),
            quotient(price if sold.backing == wanted.id else 1 / price),
        )

    def settlement(self, facts: AssetFacts, found: RequestFacts) -> Settlement:
        """A settlement request as people read it."""
        owner = self._ledger.account_name(found.owner)
        return Settlement(
            found.id, owner, facts.display, to_decimal(found.amount, facts.precision), found.due
        )
