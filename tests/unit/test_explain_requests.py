"""`why` a settlement request, the order of a pool, and who is called next: what is told happens.

Random markets under both triggers and all black swan responses, with requests matched or not.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.explain.next_call import explain_next_call
from node.explain.order import explain_order
from node.explain.records import OrderExplanation, Payout
from node.explain.requests import explain_settlement
from node.explain.wording import Wording
from node.market.current_feed import refresh_current_feed
from node.market.margin_calls import run_asset
from node.market.pricing import call_price, call_terms, is_above
from node.market.settled_debt import find_settled_debt_order
from node.market.settlement import execute_due_settlements
from node.state.context import Context
from node.state.events import GloballySettledEvent, IndividuallySettledEvent, MarginCallEvent
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.market import ForceSettlement
from protocol.asset import NO_FEE
from protocol.ids import ForceSettlementId, object_id
from protocol.operations.bitasset import AssetSettle
from protocol.operations.bitasset_options import BitassetOptions, BitassetOptionsExtensions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain, make_genesis
from tests.support.market import CORE, Market, fills, make_market, place
from tests.support.random_market import random_market

triggers = st.sampled_from([TRIGGER_BID, TRIGGER_FEED])
responses = st.sampled_from([0, 1, 2, 3])
Paid = tuple[int, int, tuple[int, ...]]
WITNESSES = ("init0", "init1", "init2")


def told(market: Market, request: ForceSettlement) -> OrderExplanation:
    """The explanation of a request, worked out to its end."""
    steps = explain_settlement(market.state, Wording(market.state, "bit"), request)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found = stop.value
            assert isinstance(found, OrderExplanation)
            return found


def paid(ops: list[FillOrder], number: int) -> Paid:
    """What a request gave and got, and whose positions paid it: their fills stand before its."""
    own = [place for place, op in enumerate(ops) if op.order_id.is_of(ForceSettlementId)]
    own = [place for place in own if ops[place].order_id.instance == number]
    return (
        sum(ops[place].pays.amount for place in own),
        sum(ops[place].receives.amount for place in own),
        tuple(dict.fromkeys(ops[place - 1].account_id for place in own)),
    )


def of_payout(payout: Payout | None) -> Paid:
    return (
        (0, 0, ()) if payout is None else (payout.gives.amount, payout.gets.amount, payout.payers)
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), triggers, responses, st.booleans())
def test_requests_are_paid_as_told(seed: int, trigger: int, response: int, match: bool) -> None:
    """SM3, SM4, R5.4, R5.5, R5.8, BS3, BS16: how much of a request margin calls take, how much a
    settlement in the same block, from whom, and for what; or that it is cancelled."""
    market, _ = random_market(seed, trigger, response, match=match)
    state = market.state
    refresh_current_feed(market.context(), market.data)
    requests = list(state.force_settlements.in_order())
    found = [told(market, request) for request in requests]
    state.log.begin()
    called = market.context()
    run_asset(called, market.data)
    due = market.context()
    execute_due_settlements(due)
    settled_debt_sold = any(op.account_id == 3 and not op.is_maker for op in fills(called))
    for request, answer in zip(requests, found, strict=True):
        number = request.id
        assert (answer.by_calls is not None) == match
        assert of_payout(answer.by_calls) == paid(fills(called), number)
        if not settled_debt_sold:
            assert of_payout(answer.when_due) == paid(fills(due), number)
        rules = [one.rule for one in answer.statements]
        assert rules[0] == "R5.2"
        assert ("SM3" in rules) == match
        if market.data.is_globally_settled():
            assert rules[-1] == "R5.8"
    state.log.undo()


def first_event(ctx: Context) -> object:
    kinds = (GloballySettledEvent, IndividuallySettledEvent, MarginCallEvent)
    return next((event for event in ctx.events if isinstance(event, kinds)), None)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), triggers, responses, st.booleans())
def test_who_is_next_is_called_as_told(seed: int, trigger: int, response: int, match: bool) -> None:
    """R4.2, SM3, BS4, R6.1: at the end of the next block, by a bid or a request, so much for so
    much, or settled; where it waits for a feed, a request calls at that one and at none above."""
    market, _ = random_market(seed, trigger, response, match=match)
    state = market.state
    refresh_current_feed(market.context(), market.data)
    words = Wording(state, "bit")
    found = explain_next_call(state, words, market.data)
    assert found is not None
    worst = state.positions.first(market.usd)
    assert worst is not None
    limit = call_price(worst, market.data.median_feed.maintenance_collateral_ratio)
    first_request = state.settlements.first(market.usd)
    state.log.begin()
    ctx = market.context()
    run_asset(ctx, market.data)
    event = first_event(ctx)
    state.log.undo()
    if "at the end of the next block" in found.text:
        if isinstance(event, MarginCallEvent):
            pays, covered = words.amount(event.collateral_paid), words.amount(event.debt_covered)
            assert f"{pays} for {covered}, by" in found.text
            assert found.rule == ("R4.2" if event.request is None else "SM3")
            if event.request is not None:
                assert f"{object_id(ForceSettlementId, event.request)}" in found.text
        else:
            is_all = isinstance(event, GloballySettledEvent)
            assert (found.rule, "all bitUSD" in found.text) == ("R6.1" if is_all else "BS4", is_all)
        return
    assert event is None or first_request is not None
    if found.rule != "SM3":
        return
    assert first_request is not None
    feed = market.data.median_feed
    waiting = len(state.force_settlements.rows)
    for base in (limit.base.amount, limit.base.amount * 1001):
        quote = limit.quote.amount * (1 if base == limit.base.amount else 1000)
        state.log.begin()
        market.feed(
            base,
            quote,
            mcr=feed.maintenance_collateral_ratio,
            mssr=feed.maximum_short_squeeze_ratio,
        )
        refresh_current_feed(market.context(), market.data)
        least = call_terms(market.data).order_price
        is_kept = trigger == TRIGGER_BID and any(
            not is_above(limit, one.sell_price) and is_above(one.sell_price, least)
            for one in state.book.items((market.usd, CORE))
        )
        ctx = market.context()
        run_asset(ctx, market.data)
        calls = [one for one in ctx.events if isinstance(one, MarginCallEvent)]
        if base == limit.base.amount:
            bound = words.price(limit if is_above(limit, least) else least)
            assert trigger == TRIGGER_FEED or found.text.endswith(f"above {bound}")
        if base == limit.base.amount and not is_kept:
            assert calls or len(state.force_settlements.rows) < waiting
        else:
            assert all(one.request is None for one in calls)
        state.log.undo()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), triggers, responses, st.booleans())
def test_a_bid_calls_as_told(seed: int, trigger: int, response: int, match: bool) -> None:
    """R4.2, BS4, R6.1: the highest bid is told whether it calls somebody in the next block, or that
    somebody can pay neither it nor at the SQP and is settled."""
    market, _ = random_market(seed, trigger, response, match=match)
    state = market.state
    refresh_current_feed(market.context(), market.data)
    bid = state.book.first((market.usd, CORE))
    if bid is None:
        return
    told_of_bid = {
        one.rule: one.text for one in explain_order(state, Wording(state, "bit"), bid).statements
    }
    number = bid.id
    ctx = market.context()
    run_asset(ctx, market.data)
    event = first_event(ctx)
    calls = isinstance(event, MarginCallEvent) and event.bid == number
    assert ("It calls" in told_of_bid.get("R4.2", "")) == calls
    settles = event is not None and not isinstance(event, MarginCallEvent)
    is_all = isinstance(event, GloballySettledEvent)
    assert ("R6.1" in told_of_bid) == (settles and is_all)
    assert ("BS4" in told_of_bid) == (settles and not is_all)


@pytest.mark.parametrize("feed", [5, 8, 10, 14])
def test_the_order_of_a_pool(feed: int) -> None:
    """BS2, BS6, BS7: what it offers, its price at another feed, and what is left to the issuer; as
    the rule then does it."""
    market = make_market(3, core=10**9, whale_debt=10**6)
    market.set_options(black_swan_response_method=3, margin_call_fee_ratio=150)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    state, words = market.state, Wording(market.state, "bit")
    market.feed(1, feed)
    order = find_settled_debt_order(state, market.usd)
    assert order is not None
    before = [
        one.text for one in explain_order(state, words, order).statements if one.rule == "BS6"
    ]
    market.state.bitassets.edit(market.data).is_reprice_due = True
    run_asset(market.context(), market.data)
    assert [f"as feeds are to {words.price(order.sell_price)} TEST" in text for text in before] == [
        True
    ]
    answer = {one.rule: one.text for one in explain_order(state, words, order).statements}
    fund, offered = market.data.individual_settlement_fund, order.for_sale
    ctx = market.context()
    assert place(ctx, market.whale, (1_000, market.usd), (1, CORE)) is None
    taker, pool = fills(ctx)
    assert (taker.receives.amount, pool.pays.amount, pool.fee.amount) == (
        offered,
        fund,
        fund - offered,
    )
    got, owed = words.amount(taker.receives), words.amount(taker.pays)
    assert f"Whoever pays {owed} gets all of {got}" in answer["BS7"]
    assert (f"; {words.amount(pool.fee)} that the fund has" in answer["BS7"]) == (fund > offered)
    assert f"with {words.amount(pool.pays)}:" in answer["BS2"]


def why_block(backend: ChainBackend) -> list[tuple[str, str]]:
    """What the head block did by itself: the rule and the sentence of each effect."""
    found = Client(backend).call("explain_block", backend.chain.head_num, api="pegboard")
    return [(one["rule"], one["text"]) for one in found["effects"] if one["is_virtual"]]


def make_backend(response: int, *, settle_match: bool) -> ChainBackend:
    """At 10 CORE per USD, alice owes 1,000 USD at a ratio of 2; bob has 500 of them."""
    more = BitassetOptionsExtensions(black_swan_response_method=response, margin_call_fee_ratio=100)
    options = BitassetOptions(extensions=more)
    names = ("alice", "bob")
    chain = TestChain(
        genesis=make_genesis(*names, core=10**8, options=options, settle_match=settle_match)
    )
    backend = ChainBackend(chain)
    backend.produce()
    backend.produce(*chain.feed("USD", 1, 10, WITNESSES))
    alice, usd = chain.account("alice"), chain.amount(1_000, "USD")
    backend.produce(CallOrderUpdate(NO_FEE, alice, chain.amount(20_000), usd))
    backend.produce(chain.transfer("alice", "bob", 500, "USD"))
    return backend


def test_a_block_in_which_a_position_is_settled_alone() -> None:
    """BS5, BS7: its own rule, not that of a settlement; then bob buys the pool, and why its order
    waits can be asked."""
    backend = make_backend(3, settle_match=False)
    chain = backend.test_chain
    backend.produce(*chain.feed("USD", 1, 16, WITNESSES))
    [(rule, text), turn] = why_block(backend)
    assert (rule, text.split(",")[0]) == ("BS5", "position settled alone: alice pays 0.20000 TEST")
    assert turn == ("BS5", "the pool of bitUSD gets a debt, and 0.18667 TEST")
    waits = Client(backend).call("explain_order", "1.7.0", api="pegboard")
    assert {"BS2", "BS6", "BS7"} <= {one["rule"] for one in waits["statements"]}
    offer = LimitOrderCreate(
        NO_FEE, chain.account("bob"), chain.amount(500, "USD"), chain.amount(9_000)
    )
    backend.produce(offer)
    rules = [rule for rule, _ in why_block(backend)]
    assert rules == ["R2.7", "BS7"]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_block_in_which_a_call_takes_a_request(*, is_new: bool) -> None:
    """SM3, SM5, SM6: position and request have the rules of calls, whether the request was made in
    the block itself or before; and the call is explained."""
    backend = make_backend(0, settle_match=True)
    chain = backend.test_chain
    ask = AssetSettle(NO_FEE, chain.account("bob"), chain.amount(300, "USD"))
    feeds = chain.feed("USD", 1, 12, WITNESSES)
    if is_new:
        backend.produce(*feeds, ask)
    else:
        backend.produce(ask)
        backend.produce(*feeds)
    (rule, text), (other_rule, other) = why_block(backend)
    assert (rule, other_rule) == ("SM3", "SM5")
    assert text.startswith("position called: alice pays 0.05400 TEST, of which 0.00360 TEST to")
    assert other.startswith("settlement: bob pays 0.00300 bitUSD for 0.05040 TEST")
