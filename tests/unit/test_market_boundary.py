"""The market engine as a whole: the order of its steps, and random histories of blocks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.market.black_swan import process_bids
from node.market.boundary import run_boundary
from node.market.margin_calls import is_called
from node.market.order_book import cancel_order
from node.market.pricing import call_terms
from node.market.settlement import settle_from_fund
from node.state.balances import adjust_balance
from node.state.context import Context
from node.state.errors import TransactionRejected
from node.state.events import FeedExpiredEvent, GloballySettledEvent, RevivedEvent
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import CollateralBid
from protocol.asset import AssetAmount
from protocol.operations.bitasset import AssetSettleCancel
from protocol.operations.limit_order import LimitOrderCancel
from tests.support.market import CORE, Market, emitted, fills, make_market, place
from tests.support.slow_market import check_supplies, positions_by_ratio, value
from tests.support.world import GENESIS_TIME

DAY = 86_400
CORE_STOCK = 10**8


def test_orders_expire_before_margin_calls() -> None:
    """R8.3 (10, M): an expired bid calls nobody."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    ctx = market.context()
    place(ctx, market.whale, (100, market.usd), (1_200, CORE), expiration=GENESIS_TIME + 5)
    done = market.settle_boundary(GENESIS_TIME + 5)
    assert [type(op) for op in emitted(done)] == [LimitOrderCancel]


def test_feeds_expire_before_margin_calls_and_settlements() -> None:
    """R8.3 (13', M, 11): at a dead price nothing is called, and a due request is cancelled."""
    market = make_market()
    market.position(0, 1_000, 20_000)
    market.bid(100, 1_200)
    market.request(market.whale, 10, due=GENESIS_TIME + DAY)
    ctx = market.settle_boundary(GENESIS_TIME + DAY)
    assert [type(op) for op in emitted(ctx)] == [AssetSettleCancel]
    assert FeedExpiredEvent(market.usd) in ctx.events
    check_supplies(market.state)


def test_margin_calls_come_before_settlements() -> None:
    """R8.3 (M, 11), R5.4: the position is called first, and the request takes what is left."""
    market = make_market()
    market.position(0, 1_000, 18_000)
    market.request(market.whale, 1_000)
    market.bid(600, 7_200)
    ctx = market.settle_boundary()
    settled = [(op.order_id.type, op.receives.amount) for op in fills(ctx)]
    assert settled == [(8, 600), (7, 7_200), (8, 400), (4, 4_000), (8, 600), (4, 6_000)]
    check_supplies(market.state)


def test_a_revived_asset_is_called_in_the_same_block() -> None:
    """R8.3 (R, M), R6.7: the issuer's new position of CR 9 meets a bid at a feed of 1 per 5."""
    market = make_market(whale_debt=1_000)
    market.position(0, 1_000, 8_000)
    assert market.settle_boundary().events != []
    market.publish(10, 30)
    market.bid(100, 420)
    ctx = market.settle_boundary()
    assert any(isinstance(event, RevivedEvent) for event in ctx.events)
    assert len(fills(ctx)) == 2
    check_supplies(market.state)


def test_the_exchange_rate_is_copied_last() -> None:
    """R8.3 (14), R1.21: of a feed that has expired in this block, nothing is copied."""
    market = make_market()
    ctx = market.publish(1, 12)
    run_boundary(ctx)
    asset = market.state.assets.get(market.usd)
    assert value(asset.options.core_exchange_rate) == Fraction(1, 12)
    assert not market.data.feed_cer_updated


def test_a_touched_asset_that_is_no_bitasset_is_passed_over() -> None:
    """R4.12: orders mark whatever they sell."""
    market = make_market()
    ctx = market.context()
    place(ctx, market.accounts[0], (10, CORE), (10, market.usd))
    assert CORE in ctx.dirty_assets
    run_boundary(ctx)


@pytest.mark.parametrize("trigger", [TRIGGER_BID, TRIGGER_FEED])
def test_a_cascade_touches_what_it_fills_and_no_more(trigger: int) -> None:
    """R4.3: records per fill stay the same however many positions are called."""
    per_fill = []
    for count in (20, 200):
        market = make_market(count, core=CORE_STOCK, trigger=trigger)
        for who in range(count):
            market.position(who, 1_000, 17_000)
        market.bid(1_000 * count, 12_000 * count)
        before = len(market.state.log.records)
        ctx = market.settle_boundary()
        assert len(fills(ctx)) == 2 * count
        per_fill.append((len(market.state.log.records) - before) // count)
        check_supplies(market.state)
    assert per_fill[0] == per_fill[1]


Command = tuple[int, int, int]
commands = st.tuples(st.integers(0, 10), st.integers(0, 2), st.integers(1, 100))
blocks = st.lists(st.lists(commands, max_size=4), max_size=12)


class Author:
    """Does to a market what operations of a block would do, as the numbers of commands say."""

    def __init__(self, market: Market, ctx: Context) -> None:
        self.market, self.ctx, self.state = market, ctx, market.state
        self.steps: tuple[Callable[[int, int], None], ...] = (
            self.publish,
            self.bid,
            self.bid,
            self.ask,
            self.cancel,
            self.borrow,
            self.borrow,
            self.add_collateral,
            self.request,
            self.redeem,
            self.bid_collateral,
        )

    def publish(self, who: int, size: int) -> None:
        self.market.publish(10, 80 + size, ctx=self.ctx)

    def bid(self, who: int, size: int) -> None:
        usd = 10 * size + who
        if self.market.balance(self.market.whale, self.market.usd) >= usd:
            place(
                self.ctx,
                self.market.whale,
                (usd, self.market.usd),
                (usd * (80 + (size * 37 + who * 11) % 90) // 10, CORE),
                expiration=self.ctx.now + size * DAY // 20,
            )

    def ask(self, who: int, size: int) -> None:
        seller = self.market.accounts[who]
        place(self.ctx, seller, (size * 60, CORE), (size * (4 + who), self.market.usd))

    def cancel(self, who: int, size: int) -> None:
        orders = list(self.state.limit_orders.in_order())
        if orders:
            cancel_order(self.ctx, orders[size % len(orders)], virtual=False)

    def borrow(self, who: int, size: int) -> None:
        account = self.market.accounts[who]
        live = self.market.data.has_feed() and not self.market.data.is_globally_settled()
        if live and self.state.positions_of_account.find(account, self.market.usd) is None:
            debt = 50 + size
            target = (None, 1_900, 2_500)[size % 3]
            self.market.position(who, debt, debt * (170 + size) // 10, tcr=target)
            self.ctx.mark_dirty(self.market.usd)

    def add_collateral(self, who: int, size: int) -> None:
        account = self.market.accounts[who]
        position = self.state.positions_of_account.find(account, self.market.usd)
        if position is not None:
            adjust_balance(self.state, account, CORE, -size)
            self.state.call_orders.edit(position).collateral += size
            self.state.statistics.edit(
                self.state.statistics_of(account)
            ).total_core_in_orders += size
            self.ctx.mark_dirty(self.market.usd)

    def request(self, who: int, size: int) -> None:
        if self.market.balance(self.market.whale, self.market.usd) < size:
            return
        if not self.market.data.is_globally_settled() and self.market.data.has_feed():
            self.market.request(self.market.whale, size, due=self.ctx.now + who * DAY // 2)

    def redeem(self, who: int, size: int) -> None:
        if self.market.data.is_globally_settled():
            self.state.log.begin()
            try:
                settle_from_fund(self.ctx, self.market.data, self.market.whale, 10 * size)
            except TransactionRejected:
                self.state.log.undo()
            else:
                self.state.log.merge()

    def bid_collateral(self, who: int, size: int) -> None:
        account, usd = self.market.accounts[who], self.market.usd
        found = self.state.bids_of_account.find(account, usd)
        if self.market.data.is_globally_settled() and found is None:
            debt, added = self.market.supply() * size // 60 + 1, 100_000 * size
            adjust_balance(self.state, account, CORE, -added)
            table = self.state.collateral_bids
            amounts = AssetAmount(added, CORE), AssetAmount(debt, usd)
            table.create(CollateralBid(table.next_id, account, *amounts))


def play(market: Market, block: list[Command], now: int, *, all_assets: bool) -> Context:
    """One block: operations at the parent's time, then maintenance in some blocks, the boundary."""
    ctx = market.context(now)
    author = Author(market, ctx)
    for kind, who, size in block:
        author.steps[kind](who, size)
    ctx.applied.clear()
    ctx.now = now + DAY // 5
    if len(block) == 3:
        market.state.bitassets.edit(market.data).force_settled_volume = 0
        process_bids(ctx, market.data)
    run_boundary(ctx, all_assets=all_assets)
    return ctx


def make_history_market(trigger: int, fee: int) -> Market:
    market = make_market(3, core=CORE_STOCK, trigger=trigger, whale_debt=3_000)
    market.set_options(force_settlement_offset_percent=100)
    if fee:
        market.set_options(margin_call_fee_ratio=fee, force_settle_fee_percent=fee)
    return market


def ratios(market: Market) -> dict[int, tuple[int, int]]:
    return {p.id: (p.debt, p.collateral) for p in market.state.call_orders.in_order()}


@settings(deadline=None)
@given(blocks, st.sampled_from([TRIGGER_BID, TRIGGER_FEED]), st.sampled_from([0, 150]))
def test_random_histories(history: list[list[Command]], trigger: int, fee: int) -> None:
    """R4.12: touched assets or all, the state is the same; and I1-I12, I16, I17 hold."""
    touched, every = (make_history_market(trigger, fee) for _ in range(2))
    now = GENESIS_TIME
    for block in history:
        now, _ = check_block(touched, every, block, now)


def check_block(
    touched: Market, every: Market, block: list[Command], now: int
) -> tuple[int, Context]:
    """Play a block on both markets and check all that must hold; returns its time and context."""
    before = ratios(touched)
    ctx = play(touched, block, now, all_assets=False)
    play(every, block, now, all_assets=True)
    assert touched.state.state_hash() == every.state.state_hash(), "R4.12"
    check_supplies(touched.state)
    check_positions_and_book(touched, ctx)
    check_fills(touched, ctx, before)
    return ctx.now, ctx


def check_positions_and_book(market: Market, ctx: Context) -> None:
    """I7, I8, I11, I16, I17."""
    state, data = market.state, market.data
    ordered = [position.id for position in state.positions.items(market.usd)]
    assert ordered == positions_by_ratio(state, market.usd)
    bid, ask = state.book.first((market.usd, CORE)), state.book.first((CORE, market.usd))
    if bid and ask:
        assert value(bid.sell_price) * value(ask.sell_price) < 1
    assert all(order.expiration > ctx.now for order in state.limit_orders.in_order())
    worst = state.positions.first(market.usd)
    if not data.has_feed() or data.is_globally_settled() or worst is None:
        return
    terms = call_terms(data)
    owed = Fraction(worst.debt, worst.collateral)
    best = value(terms.squeeze_protection_price)
    if bid:
        best = max(best, value(terms.pays_price(bid.sell_price)))
        assert not is_called(state.chain.margin_call_trigger, terms, worst, bid.sell_price)
    assert owed <= best


def check_fills(market: Market, ctx: Context, before: dict[int, tuple[int, int]]) -> None:
    """I9, I10, I12: as the records of the boundary tell."""
    if any(isinstance(event, GloballySettledEvent | RevivedEvent) for event in ctx.events):
        return
    positions = {**ratios(market), **before}
    terms = call_terms(market.data) if market.data.has_feed() else None
    records = fills(ctx)
    for record, counterpart in zip(records[::2], records[1::2], strict=True):
        assert record.order_id.type == 8
        assert record.receives == counterpart.pays
        paid = counterpart.receives.amount
        if record.is_maker:
            assert record.pays.amount == paid
        else:
            assert record.pays.amount == paid + record.fee.amount
            assert terms is not None
            most = record.receives.amount / value(terms.squeeze_protection_price)
            assert record.pays.amount < most + 1
        if record.order_id.instance in before:
            debt, collateral = positions[record.order_id.instance]
            left = debt - record.receives.amount, collateral - record.pays.amount
            positions[record.order_id.instance] = left
            if left[0]:
                assert left[1] * debt >= collateral * left[0]


def test_long_histories_hold_too_and_reach_every_kind_of_event() -> None:
    """R4.12, I1-I12, I16, I17: swans, revivals, expired feeds, calls and settlements occur."""
    seen: set[str] = set()
    for seed in range(40):
        chance = Random(seed)
        fee = 150 * (seed // 2 % 2)
        touched, every = (make_history_market(seed % 2, fee) for _ in range(2))
        now = GENESIS_TIME
        for _ in range(40):
            block = [
                (chance.randrange(11), chance.randrange(3), chance.randint(1, 100))
                for _ in range(chance.randrange(5))
            ]
            now, ctx = check_block(touched, every, block, now)
            seen |= {type(event).__name__ for event in ctx.events}
            seen |= {f"fill {op.order_id.type}" for op in fills(ctx)}
    assert seen >= {"GloballySettledEvent", "FeedExpiredEvent", "RevivedEvent"}
    assert seen >= {"fill 7", "fill 8", "fill 4"}


def test_supply_is_destroyed_with_the_debt() -> None:
    """I3, I12: by hand, across a whole boundary."""
    market = make_market(whale_debt=2_000)
    market.position(0, 1_000, 18_000)
    market.bid(300, 3_600)
    market.request(market.whale, 100)
    market.settle_boundary()
    assert market.supply() == 3_000 - 300 - 100
    check_supplies(market.state)
