"""What one connection asked to be told of, and what it is told.

Nothing is pushed to a connection that did not ask, and nothing after it cancelled: the Python
client of BitShares takes the next frame for its answer, the JavaScript one fails on a callback it
has forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from node.api.errors import NotPossible, TooManySubscriptions
from node.api.news import BlockNews, ChangedObject, RewindNews
from node.history.records import Market
from protocol.ids import AccountId, ObjectId
from protocol.json_form import JsonValue

SUBSCRIPTIONS_MAX = 1_000
"""Objects, accounts and markets, each, that one connection follows (T-A3)."""

K = TypeVar("K", bound=Hashable)

Push = Callable[[int, JsonValue], None]
"""Sends a notice: the callback's number and its argument."""


class Subscriptions:
    """The subscriptions of one connection; `can_push` is False over plain HTTP."""

    def __init__(self, push: Push, *, can_push: bool) -> None:
        self.push = push
        self.can_push = can_push
        self.object_callback: int | None = None
        self.all_new_and_removed = False
        self.follows_reads = True
        self.block_callback: int | None = None
        self.pending_callback: int | None = None
        self.rewind_callback: int | None = None
        self.objects: dict[ObjectId, None] = {}
        self.accounts: dict[AccountId, None] = {}
        self.markets: dict[Market, int] = {}

    def require_push(self) -> None:
        """Refuse a subscription where nothing can be pushed."""
        if not self.can_push:
            raise NotPossible("notices need a WebSocket connection", rule="T-A3")

    def follow_objects(self, callback: int, *, all_new_and_removed: bool) -> None:
        """Tell of objects that are read from now on; forgets those read before."""
        self.require_push()
        self.objects.clear()
        self.accounts.clear()
        self.object_callback = callback
        self.all_new_and_removed = all_new_and_removed

    def follow_blocks(self, callback: int) -> None:
        """Tell the id of each block that is applied."""
        self.require_push()
        self.block_callback = callback

    def follow_pending(self, callback: int) -> None:
        """Tell of each transaction that enters the pending pool."""
        self.require_push()
        self.pending_callback = callback

    def follow_rewinds(self, callback: int) -> None:
        """Tell when a development chain goes back, and to where."""
        self.require_push()
        self.rewind_callback = callback

    def follow_market(self, callback: int, market: Market) -> None:
        """Tell of fills, orders and positions of a market."""
        self.require_push()
        if market not in self.markets and len(self.markets) >= SUBSCRIPTIONS_MAX:
            raise TooManySubscriptions("too many markets", rule="T-A3", limit=SUBSCRIPTIONS_MAX)
        self.markets[market] = callback

    def leave_market(self, market: Market) -> None:
        """Tell no more of a market."""
        self.markets.pop(market, None)

    def cancel_all(self) -> None:
        """Tell nothing more; a confirmation that is waited for still comes."""
        self.object_callback = self.block_callback = self.pending_callback = None
        self.rewind_callback = None
        self.all_new_and_removed = False
        self.objects.clear()
        self.accounts.clear()
        self.markets.clear()

    def count(self) -> int:
        """Objects, accounts, markets and callbacks that are followed."""
        callbacks = (
            self.object_callback,
            self.block_callback,
            self.pending_callback,
            self.rewind_callback,
        )
        followed = len(self.objects) + len(self.accounts) + len(self.markets)
        return followed + sum(callback is not None for callback in callbacks)

    def note_objects(self, ids: Iterable[ObjectId]) -> None:
        """Objects were read: reading is subscribing, once there is a callback."""
        if self.object_callback is not None and self.follows_reads:
            for found in ids:
                _remember(self.objects, found)

    def note_account(self, account: AccountId) -> None:
        """An account was read with all that it has: all of it is followed."""
        if self.object_callback is not None:
            _remember(self.accounts, account)

    def tell_block(self, news: BlockNews) -> None:
        """Push what this connection follows of an applied block."""
        if self.block_callback is not None:
            self.push(self.block_callback, news.block_id)
        for market, callback in self.markets.items():
            fills = news.fills.get(market)
            if fills:
                self.push(callback, list(fills))
        if self.object_callback is not None:
            wanted = [change.json for change in news.objects if self._follows(change)]
            if self.accounts or self.all_new_and_removed:
                wanted += [change.json for change in news.records if self._follows(change)]
            if wanted:
                self.push(self.object_callback, wanted)
        if self.markets:
            self._tell_market_objects(news.objects)

    def tell_rewind(self, news: RewindNews) -> None:
        """Push that the chain went back, and what the followed objects are again."""
        if self.rewind_callback is not None:
            self.push(self.rewind_callback, news.view)
        if self.object_callback is not None:
            wanted = [change.json for change in news.objects if self._follows(change)]
            if wanted:
                self.push(self.object_callback, wanted)
        if self.markets:
            self._tell_market_objects(news.objects)

    def tell_pending(self, transaction: JsonValue) -> None:
        """Push a transaction that entered the pending pool."""
        if self.pending_callback is not None:
            self.push(self.pending_callback, transaction)

    def _follows(self, change: ChangedObject) -> bool:
        return (
            change.id in self.objects
            or any(account in self.accounts for account in change.accounts)
            or (self.all_new_and_removed and not change.is_changed)
        )

    def _tell_market_objects(self, objects: Iterable[ChangedObject]) -> None:
        changed: dict[Market, list[JsonValue]] = {}
        for change in objects:
            if change.market in self.markets and change.market is not None:
                changed.setdefault(change.market, []).append(change.json)
        for market, told in changed.items():
            self.push(self.markets[market], told)


def _remember(known: dict[K, None], key: K) -> None:
    known.pop(key, None)
    known[key] = None
    if len(known) > SUBSCRIPTIONS_MAX:
        del known[next(iter(known))]
