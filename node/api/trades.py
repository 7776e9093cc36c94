"""Trades: the two sides of each, brought together from the fills of a market."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile

from node.api.decimals import amount_text, price_text
from node.api.views import Json
from node.history.reader import HistoryReader
from node.history.records import FillRecord, Market
from node.state.objects.assets import Asset
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.ids import account_text
from protocol.json_form import format_time
from protocol.schema import Record

NOBODY = account_text(COMMITTEE_ACCOUNT)
"""What stands for a side that was not recorded."""


class Trade(Record):
    """Maker and taker of one match; a side is missing where only one was recorded."""

    maker: FillRecord | None
    taker: FillRecord | None

    @property
    def sides(self) -> tuple[FillRecord, ...]:
        """The sides that are known, the maker first."""
        return tuple(side for side in (self.maker, self.taker) if side is not None)

    @property
    def time(self) -> int:
        """Time of the block, in seconds since 1970."""
        return self.sides[0].time

    @property
    def sequences(self) -> tuple[int, ...]:
        """The sequence numbers of the sides."""
        return tuple(side.sequence for side in self.sides)


def trades_of(fills: Iterable[FillRecord]) -> Iterator[Trade]:
    """Bring sides together again, given newest first; the older side of the last may be missing."""
    second: FillRecord | None = None
    for fill in fills:
        if fill.is_second:
            second = fill
        elif second is None:
            yield _trade(fill, None)
        else:
            yield _trade(fill, second)
            second = None


def read_trades(
    history: HistoryReader, market: Market, *, below: int, stop: int, limit: int
) -> list[Trade]:
    """At most `limit` trades with sequences below one, back to a time, newest first."""
    fills = history.fills_of(market, newest=below, limit=2 * limit + 2)
    trades = (trade for trade in trades_of(fills) if max(trade.sequences) < below)
    recent = takewhile(lambda trade: trade.time >= stop, trades)
    return list(islice(recent, limit))


def trades_from(
    history: HistoryReader, market: Market, *, start: int, limit: int
) -> tuple[list[Trade], int | None]:
    """At most `limit` trades with sequences from `start` up, oldest first, and where the next page
    begins; None when nothing follows so far."""
    window = 2 * limit + 1
    fills = history.fills_of(market, newest=start + window - 1, limit=window)
    fills = [fill for fill in fills if fill.sequence >= start]
    trades = list(trades_of(fills))[::-1]
    if len(trades) <= limit:
        return trades, None
    kept = trades[:limit]
    return kept, max(kept[-1].sequences) + 1


def view_trade(trade: Trade, base: Asset, quote: Asset) -> Json:
    """A trade as decimal text, the amount in the quote and the value in the base."""
    side = trade.sides[0]
    pays_base = side.op.pays.asset_id == base.id
    amount, value = (
        (side.op.receives, side.op.pays) if pays_base else (side.op.pays, side.op.receives)
    )
    maker_sells_quote = trade.maker is not None and trade.maker.op.receives.asset_id == base.id
    return {
        "sequence": side.sequence,
        "date": format_time(trade.time),
        "price": price_text(side.op.fill_price, base, quote),
        "amount": amount_text(amount.amount, quote),
        "value": amount_text(value.amount, base),
        "type": "sell" if maker_sells_quote else "buy",
        "side1_account_id": _account(trade.maker),
        "side2_account_id": _account(trade.taker),
    }


def _trade(one: FillRecord, other: FillRecord | None) -> Trade:
    return Trade(one, other) if one.op.is_maker else Trade(other, one)


def _account(side: FillRecord | None) -> str:
    return NOBODY if side is None else account_text(side.op.account_id)
