"""Prices that a market says: published by all producers, and again before they grow old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from node.witness.feed_source import (
    FeedSource,
    FixedPrice,
    PeggedAsset,
    PriceRatio,
    publish_feed,
)
from pegboard.amounts import BadAmount, quotient
from pegboard.ledger import AssetFacts, Ledger, NotPossibleHere
from protocol.asset import NO_FEE
from protocol.constants import (
    CORE_ASSET,
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
)
from protocol.ids import AssetId


@dataclass(frozen=True, slots=True)
class Quote:
    """What was said of a BitAsset last."""

    price: Fraction
    """BitAsset for one backing token, whole units."""
    time: int
    """When it was published, in seconds since 1970."""
    maintenance_ratio: int = DEFAULT_MAINTENANCE_COLLATERAL_RATIO
    squeeze_ratio: int = DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO


class Quotes:
    """The newest quote of each BitAsset that this market has said one of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.said: dict[AssetId, Quote] = {}

    def publish(self, facts: AssetFacts, quote: Quote, prices: Sequence[Fraction] = ()) -> None:
        """Have every producer publish a quote: then it is the median (R1.16); or, with its ratios,
        each a price of its own, in their order.

        Raises `BadAmount` for no price at all, and for another number of prices than there are
        producers; `NotPossibleHere` for a BitAsset that CORE does not back, whose core exchange
        rate nobody knows (R1.21).
        """
        publishers = self._ledger.publishers(facts.id)
        each = prices or [quote.price] * len(publishers)
        if len(each) != len(publishers):
            raise BadAmount(
                "one price for each producer", rule="R1.13", value=len(each), limit=len(publishers)
            )
        if min(each, default=Fraction(1)) <= 0:
            raise BadAmount("a price must be positive", rule="R1.12", value=quotient(min(each)))
        if facts.backing != CORE_ASSET:
            raise NotPossibleHere("not backed by the core asset", rule="R1.21", value=facts.symbol)
        backing = self._ledger.asset_at(facts.backing)
        pegged = PeggedAsset(facts.id, facts.precision, backing.id, backing.precision)
        self._ledger.send(
            *(
                publish_feed(_source(quote, price), publisher, pegged, 0, fee=NO_FEE)
                for publisher, price in zip(publishers, each, strict=True)
            )
        )
        self.said[facts.id] = quote

    def patience_s(self) -> int:
        """Half of the shortest life of a feed, in seconds: so often a block is needed (R1.15)."""
        return min(map(self._half_life_s, self.said))

    def keep_alive(self, now_s: int) -> None:
        """Publish again what has lived half of its life; `now_s` is the head's time, R8.2."""
        for asset_id, quote in self.said.items():
            if now_s - quote.time >= self._half_life_s(asset_id):
                self.publish(self._ledger.asset_at(asset_id), replace(quote, time=now_s))

    def _half_life_s(self, asset: AssetId) -> int:
        return self._ledger.bitasset_options(asset).feed_lifetime_sec // 2


def _source(quote: Quote, price: Fraction) -> FeedSource:
    ratio = PriceRatio(price.numerator, price.denominator)
    return FeedSource(FixedPrice(ratio), quote.maintenance_ratio, quote.squeeze_ratio)
