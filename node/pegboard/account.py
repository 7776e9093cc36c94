"""Somebody in a market, and what he can do there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from node.market.pricing import collateral_at
from node.state.errors import NoSuchObject, OrderNotFound
from pegboard.amounts import BadAmount, Number, exact, quotient, to_thousandths
from pegboard.ledger import OrderFacts
from pegboard.views import Order, Position, Settlement
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import RATIO_DENOMINATOR
from protocol.durations import parse_duration
from protocol.ids import AccountId, LimitOrderId, parse_id
from protocol.operations.bitasset import AssetSettle, BidCollateral
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP

if TYPE_CHECKING:
    from pegboard.vocabulary import Market


class Account:
    """Somebody in a market. Amounts are written "100 bitUSD"; ratios are plain numbers."""

    def __init__(self, market: Market, name: str, account_id: AccountId) -> None:
        self._market = market
        self._ledger = market.ledger
        self._reader = market.reader
        self.name = name
        self.id = account_id

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    def balance(self, asset: str) -> Decimal:
        """What the account holds in whole units, exactly."""
        facts = self._ledger.asset(asset)
        return self._reader.decimal(self._ledger.balance(self.id, facts.id), facts.id)

    def position(self, asset: str) -> Position:
        """The position in a BitAsset; `closed` where there is none."""
        facts, backing = self._reader.bitasset(asset)
        found = self._ledger.position(self.id, facts.id)
        return self._reader.position(facts, backing, self.name, found)

    def orders(self) -> list[Order]:
        """The orders that wait, oldest first."""
        return [self._reader.order(one) for one in self._ledger.orders(self.id)]

    def borrow(
        self,
        amount: str,
        *,
        ratio: Number | None = None,
        collateral: str | None = None,
        target: Number | None = None,
    ) -> Position:
        """Borrow against collateral that is given, or that makes a ratio at the present feed.

        Once called, no more is covered than reaches `target` (R3.7). Raises `BadAmount`,
        `TransactionRejected`.
        """
        with self._noted(
            "borrow", amount=amount, ratio=ratio, collateral=collateral, target=target
        ):
            owed = self._reader.amount(amount)
            if (ratio is None) == (collateral is None):
                raise BadAmount("give either a ratio or a collateral", value=amount)
            if collateral is not None:
                pledged = self._reader.amount(collateral).amount
            else:
                assert ratio is not None
                facts, _ = self._reader.backed(self._ledger.asset_at(owed.asset_id))
                feed = self._reader.feed(facts)
                pledged = collateral_at(owed, to_thousandths(ratio), feed.price)
            return self._update(owed, pledged, target)

    def adjust(
        self,
        asset: str,
        *,
        debt: str | None = None,
        collateral: str | None = None,
        ratio: Number | None = None,
        target: Number | None = None,
    ) -> Position:
        """Change a position by amounts, or bring it to a ratio at the present feed.

        The target stays unless a new one is given; 0 takes it away (R3.3).
        """
        with self._noted(
            "adjust", asset=asset, debt=debt, collateral=collateral, ratio=ratio, target=target
        ):
            if ratio is not None and collateral is not None:
                raise BadAmount("give either a ratio or a collateral", value=collateral)
            facts, _ = self._reader.bitasset(asset)
            found = self._ledger.position(self.id, facts.id)
            owed = AssetAmount(0, facts.id) if debt is None else self._reader.amount(debt)
            pledged = 0 if collateral is None else self._reader.amount(collateral).amount
            if ratio is not None:
                after = AssetAmount((found.debt if found else 0) + owed.amount, facts.id)
                price = self._reader.feed(facts).price
                held = found.collateral if found else 0
                pledged = collateral_at(after, to_thousandths(ratio), price) - held
            if target is None and found is not None and found.target_ratio is not None:
                target = quotient(found.target_ratio, RATIO_DENOMINATOR)
            return self._update(owed, pledged, target)

    def cover(self, what: str) -> Position:
        """Pay debt back: all of it, "bitUSD", which frees the collateral, or "50 bitUSD"."""
        with self._noted("cover", what=what):
            if what[:1].isdigit():
                paid = self._reader.amount(what)
                return self._update(AssetAmount(-paid.amount, paid.asset_id), 0, None, keeps=True)
            facts, _ = self._reader.bitasset(what)
            found = self._ledger.position(self.id, facts.id)
            if found is None:
                raise NoSuchObject(f"{self.name} has no position", rule="R3.1", value=facts.display)
            return self._update(AssetAmount(-found.debt, facts.id), -found.collateral, None)

    def _update(
        self, debt: AssetAmount, collateral: int, target: Number | None, *, keeps: bool = False
    ) -> Position:
        facts, backing = self._reader.backed(self._ledger.asset_at(debt.asset_id))
        wanted = None if target is None else to_thousandths(target) or None
        if keeps:
            found = self._ledger.position(self.id, facts.id)
            wanted = found.target_ratio if found else None
        self._ledger.send(
            CallOrderUpdate(
                NO_FEE,
                self.id,
                AssetAmount(collateral, backing.id),
                debt,
                CallOrderUpdateExtensions(wanted),
            )
        )
        return self.position(facts.symbol)

    def sell(
        self,
        amount: str,
        *,
        receive: str | None = None,
        at: Number | None = None,
        expires_in: str | None = None,
        fill_or_kill: bool = False,
        name: str | None = None,
    ) -> Order:
        """Offer an amount for at least another, or of a BitAsset at a price for one backing token.

        `name` is what `cancel` and a scenario may call the order by.
        """
        name = name or self._market.next_order_name()
        with self._noted(
            "sell",
            amount=amount,
            receive=receive,
            at=at,
            expires_in=expires_in,
            fill_or_kill=fill_or_kill or None,
            name=name,
        ):
            sold = self._reader.amount(amount)
            wanted = self._other_side(sold, receive, at, rounds_up=False)
            return self._place(sold, wanted, expires_in, fill_or_kill=fill_or_kill, name=name)

    def buy(
        self,
        amount: str,
        *,
        give: str | None = None,
        at: Number | None = None,
        expires_in: str | None = None,
        fill_or_kill: bool = False,
        name: str | None = None,
    ) -> Order:
        """Ask for an amount, giving at most another, or a BitAsset at a price; see `sell`."""
        name = name or self._market.next_order_name()
        with self._noted(
            "buy",
            amount=amount,
            give=give,
            at=at,
            expires_in=expires_in,
            fill_or_kill=fill_or_kill or None,
            name=name,
        ):
            wanted = self._reader.amount(amount)
            sold = self._other_side(wanted, give, at, rounds_up=True)
            return self._place(sold, wanted, expires_in, fill_or_kill=fill_or_kill, name=name)

    def _other_side(
        self, amount: AssetAmount, other: str | None, at: Number | None, *, rounds_up: bool
    ) -> AssetAmount:
        """What another amount is traded for; rounded so that two orders at one price meet."""
        if (other is None) == (at is None):
            raise BadAmount("give either the other amount or a price", value=other or at)
        if other is not None:
            return self._reader.amount(other)
        assert at is not None
        facts, backing = self._reader.backed(self._ledger.asset_at(amount.asset_id))
        price = exact(at)
        if price <= 0:
            raise BadAmount("a price must be positive", rule="R1.1", value=at)
        worth = Fraction(amount.amount, 10**facts.precision) / price * 10**backing.precision
        units = -(-worth.numerator // worth.denominator) if rounds_up else int(worth)
        return AssetAmount(units, backing.id)

    def _place(
        self,
        sold: AssetAmount,
        wanted: AssetAmount,
        expires_in: str | None,
        *,
        fill_or_kill: bool,
        name: str,
    ) -> Order:
        end = MAX_TIMESTAMP
        if expires_in is not None:
            end = self._market.time + parse_duration(expires_in)
        order = LimitOrderCreate(NO_FEE, self.id, sold, wanted, end, fill_or_kill)
        [order_id] = self._ledger.send(order).created
        self._market.name_order(order_id, name)
        for waiting in self._ledger.orders(self.id):
            if waiting.id == order_id:
                return self._reader.order(waiting)
        return self._reader.order(OrderFacts(order_id, self.id, 0, Price(sold, wanted)))

    def cancel(self, order: Order | str) -> None:
        """Take an order back, by its name or id; raises `OrderNotFound` once it is gone."""
        order_id = order.id if isinstance(order, Order) else self._market.find_order(order)
        with self._noted("cancel", order=self._market.order_name(order_id)):
            if not order_id.startswith("1."):
                raise OrderNotFound("no order of that name", rule="R2.11", value=order_id)
            self._ledger.send(LimitOrderCancel(NO_FEE, self.id, parse_id(LimitOrderId, order_id)))

    def settle(self, amount: str) -> Settlement:
        """Ask for collateral at the feed, after the BitAsset's delay (R5.2)."""
        with self._noted("settle", amount=amount):
            asked = self._reader.amount(amount)
            facts, _ = self._reader.backed(self._ledger.asset_at(asked.asset_id))
            created = self._ledger.send(AssetSettle(NO_FEE, self.id, asked)).created
            for request in self._ledger.requests(facts.id):
                if request.id in created:
                    return self._reader.settlement(facts, request)
            amount_left = self._reader.decimal(asked.amount, facts.id)
            return Settlement("", self.name, facts.display, amount_left, self._market.time)

    def bid_collateral(self, collateral: str, *, debt: str) -> None:
        """Offer collateral for taking over debt of a BitAsset that was settled as a whole (R6.5).

        A later bid takes the place of an earlier one, and one for no debt takes it back.
        """
        with self._noted("bid_collateral", collateral=collateral, debt=debt):
            offered, owed = self._reader.amount(collateral), self._reader.amount(debt)
            self._ledger.send(BidCollateral(NO_FEE, self.id, offered, owed))

    def transfer(self, to: Account | str, amount: str) -> None:
        """Send an amount to somebody; raises `NoSuchObject` for nobody."""
        name = to if isinstance(to, str) else to.name
        with self._noted("transfer", to=name, amount=amount):
            receiver_id = self._market.find(name).id
            sent = self._reader.amount(amount)
            self._ledger.send(Transfer(NO_FEE, self.id, receiver_id, sent, None))

    def _noted(self, verb: str, **asked: object) -> AbstractContextManager[None]:
        return self._market.noted(verb, account=self.name, **asked)
