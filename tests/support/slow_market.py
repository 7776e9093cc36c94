"""Slow, obvious twins of the market's fast parts, and a recount of what must always hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from node.state.database import State
from node.state.objects.assets import FeedValues
from protocol.asset import Price
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.ids import AssetId


def value(price: Price) -> Fraction:
    """Base per quote, exactly."""
    return Fraction(price.base.amount, price.quote.amount)


def slow_scaled(price: Fraction, ratio: Fraction) -> Fraction:
    """R1.5 on fractions: the product, shrunk to sides of at most `MAX_SUPPLY`."""
    if ratio == 1:
        return price
    exact = price * ratio
    shrunk = exact
    while max(shrunk.numerator, shrunk.denominator) > MAX_SUPPLY:
        if shrunk.numerator == 1:
            shrunk = Fraction(1, MAX_SUPPLY)
        elif shrunk.denominator == 1:
            shrunk = Fraction(MAX_SUPPLY)
        else:
            shrunk = Fraction(shrunk.numerator >> 1, shrunk.denominator >> 1)
    if shrunk != exact and max(exact.numerator, exact.denominator) > MAX_SUPPLY:
        whole = floor(exact) if exact > 1 else floor(1 / exact)
        whole = min(whole, MAX_SUPPLY)
        integer = Fraction(whole) if exact > 1 else Fraction(1, whole)
        if whole == MAX_SUPPLY or abs(integer - exact) < abs(shrunk - exact):
            shrunk = integer
    wrong_way = shrunk < price if ratio > 1 else shrunk > price
    return price if wrong_way else shrunk


def slow_max_cover(
    debt: int, collateral: int, target: Fraction, reference: Fraction, pays: Fraction
) -> int:
    """R4.6 by trying every amount; `reference` and `pays` are debt per backing."""
    if target * pays <= reference:
        return debt
    for covered in range(1, debt):
        payment = ceil(covered / pays)
        if payment >= collateral:
            return debt
        if floor(payment * pays) != covered:
            continue
        if Fraction(collateral - payment, debt - covered) > target / reference:
            return covered
    return debt


def slow_median(values: list[Fraction]) -> Fraction:
    """The value that half of the others, rounded down, are below."""
    ordered = list(values)
    for _ in range(len(values) // 2):
        ordered.remove(min(ordered))
    return min(ordered)


@dataclass
class SlowOrder:
    """An order of the slow book: `sells` is 0 or 1, the side."""

    number: int
    sells: int
    for_sale: int
    price: Fraction
    """Wanted per sold."""


@dataclass
class SlowBook:
    """Two lists of orders, sorted anew for each match; no fees."""

    orders: list[SlowOrder] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Taker, maker, what the taker paid and what it received."""
    refunds: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def place(self, order: SlowOrder) -> None:
        """R2.4 to R2.8 as they are written."""
        while True:
            rivals = [o for o in self.orders if o.sells != order.sells]
            rivals.sort(key=lambda o: (o.price, o.number))
            if not rivals or rivals[0].price * order.price > 1:
                break
            maker = rivals[0]
            maker_buys = floor(maker.for_sale * maker.price)
            is_smaller = order.for_sale <= maker_buys
            if is_smaller:
                received = floor(order.for_sale / maker.price)
                if received == 0:
                    break
                paid = ceil(received * maker.price)
            else:
                paid = maker_buys
                received = ceil(paid / maker.price)
            self.trades.append((order.number, maker.number, paid, received))
            order.for_sale -= paid
            maker.for_sale -= received
            is_maker_gone = self._drop_if_dust(maker)
            if is_smaller or order.for_sale == 0 or not is_maker_gone:
                break
        self.orders.append(order)
        self._drop_if_dust(order)

    def _drop_if_dust(self, order: SlowOrder) -> bool:
        if floor(order.for_sale * order.price) > 0:
            return False
        self.refunds[order.number] += order.for_sale
        self.orders.remove(order)
        return True


def check_supplies(state: State) -> None:
    """I1, I2, I3, I4, I5 and I6, by walking over everything."""
    held: dict[int, int] = defaultdict(int)
    in_orders: dict[int, int] = defaultdict(int)
    for balance in state.balances.in_order():
        assert balance.balance >= 0
        held[balance.asset_type] += balance.balance
    for order in state.limit_orders.in_order():
        assert order.for_sale > 0
        assert floor(order.for_sale / value(order.sell_price)) > 0
        if order.is_settled_debt:
            continue
        held[order.sells] += order.for_sale
        held[order.deferred_paid_fee.asset_id] += order.deferred_paid_fee.amount
        held[CORE_ASSET] += order.deferred_fee
        if order.sells == CORE_ASSET:
            in_orders[order.seller] += order.for_sale
    for position in state.call_orders.in_order():
        assert position.collateral > 0 < position.debt
        held[position.collateral_asset] += position.collateral
        if position.collateral_asset == CORE_ASSET:
            in_orders[position.borrower] += position.collateral
    for request in state.force_settlements.in_order():
        held[request.balance.asset_id] += request.balance.amount
    for bid in state.collateral_bids.in_order():
        held[bid.additional_collateral.asset_id] += bid.additional_collateral.amount
    for vesting in state.vesting_balances.in_order():
        held[vesting.balance.asset_id] += vesting.balance.amount
    for statistics in state.statistics.in_order():
        held[CORE_ASSET] += statistics.pending_fees + statistics.pending_vested_fees
        assert statistics.total_core_in_orders == in_orders[statistics.owner]
    _check_assets(state, held)


def _check_assets(state: State, held: dict[int, int]) -> None:
    for asset in state.assets.in_order():
        figures = state.figures_of(asset.id)
        held[asset.id] += figures.accumulated_fees
        held[CORE_ASSET] += figures.fee_pool
        data = state.bitasset_of(asset.id)
        if data is None:
            continue
        held[data.options.short_backing_asset] += (
            data.settlement_fund
            + data.individual_settlement_fund
            + figures.accumulated_collateral_fees
        )
        debts = [p.debt for p in state.call_orders.in_order() if p.debt_asset == asset.id]
        if data.is_globally_settled():
            assert not debts
            assert data.settlement_fund > 0 or figures.current_supply == 0
        else:
            assert data.settlement_fund == 0
            assert figures.current_supply == sum(debts) + data.individual_settlement_debt
    held[CORE_ASSET] += state.dynamic.witness_budget
    for asset in state.assets.in_order():
        supply = state.figures_of(asset.id).current_supply
        assert supply == held[asset.id], (asset.symbol, supply, held[asset.id])


def positions_by_ratio(state: State, debt_asset: AssetId) -> list[int]:
    """I16: ids of the positions of a BitAsset, least collateralised first, sorted from scratch."""
    own = [p for p in state.call_orders.in_order() if p.debt_asset == debt_asset]
    return [p.id for p in sorted(own, key=lambda p: (Fraction(p.collateral, p.debt), p.id))]


def slow_median_feed(feeds: list[FeedValues]) -> tuple[Fraction, int, int, int]:
    """Settlement price, MCR, MSSR and ICR of the median (R1.16), without the issuer's choices."""
    return (
        slow_median([value(feed.settlement_price) for feed in feeds]),
        int(slow_median([Fraction(feed.maintenance_collateral_ratio) for feed in feeds])),
        int(slow_median([Fraction(feed.maximum_short_squeeze_ratio) for feed in feeds])),
        int(slow_median([Fraction(feed.initial_collateral_ratio) for feed in feeds])),
    )
