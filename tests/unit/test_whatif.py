"""What if: simulations and shocks say what then happens, stop at their limits, and leave no trace.

`test_chain_machine` compares each of its random blocks with a simulation of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil, floor
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain.block_builder import HEADER_BYTES_MAX
from node.evaluators.bitasset import apply_asset_settle, evaluate_asset_settle
from node.state.errors import InsufficientBalance, InsufficientFeeds, NotMarketIssued
from node.state.events import GloballySettledEvent, IndividuallySettledEvent, MarginCallEvent
from node.whatif.outcome import NOTHING
from node.whatif.plan import Limits, MakeBlockAt, MakeBlocks, Step, Transact
from node.whatif.shock import (
    Aftermath,
    NewBid,
    Shock,
    ShockOutcome,
    shock_operations,
    try_shock,
    worst_redemption,
)
from node.whatif.shock import _look as look_at_market
from node.whatif.simulate import Guard, WorkLimit, simulate
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.block import pack_results
from protocol.constants import WITNESS_ACCOUNT
from protocol.errors import ValidationError
from protocol.fee_schedule import FeeSchedule, SizedFee
from protocol.fees import required_fee
from protocol.ids import CallOrderId, ForceSettlementId
from protocol.operations.asset_options import DISABLE_FORCE_SETTLE
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetSettle
from protocol.operations.bitasset_options import BitassetOptions, BitassetOptionsExtensions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from protocol.operations.results import VoidResult
from protocol.schema import Tagged
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.foreseen import places
from tests.support.market import CORE
from tests.support.market import make_market as small_market
from tests.support.state import core_options

NAMES = ("alice", "bob", "carol", "dave")
OPTIONS = BitassetOptions(
    force_settlement_delay_sec=0,
    force_settlement_offset_percent=200,
    maximum_force_settlement_volume=10_000,
    extensions=BitassetOptionsExtensions(margin_call_fee_ratio=20, force_settle_fee_percent=100),
)


class Rules(NamedTuple):
    """What a market goes by, beside the trigger."""

    response: int = 0
    settle_match: bool = False
    pay_mcop: bool = False
    delay_s: int = 0


@dataclass
class Drawn:
    """A random market: who borrows at which ratio, who bids how much at which price."""

    trigger: str
    ratios: list[int]
    """Collateral per USD, in tenths of the fair worth."""
    bids: list[tuple[int, int]]
    """Units of USD, and CORE for ten of them."""
    shock: Shock
    new_bid: tuple[int, int] | None
    rules: Rules
    requested: list[int]
    """What alice asks to be settled, request by request, before the market is looked at."""


MARKETS = st.builds(
    Drawn,
    st.sampled_from(("bid", "feed")),
    st.lists(st.integers(18, 40), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(1, 900), st.integers(80, 260)), max_size=5),
    st.builds(
        Shock,
        feed_change=st.sampled_from((0, -500, -1500, -3000, -4500, -7000, 2000)),
        take_bids=st.sampled_from((0, 0, 1, 3333, 5000, 10_000)),
    ),
    st.none() | st.tuples(st.integers(1, 400), st.integers(90, 250)),
    st.builds(Rules, st.integers(0, 3), st.booleans(), st.booleans(), st.sampled_from((0, 900))),
    st.lists(st.integers(1, 700), max_size=2),
)


DEFAULT_RULES = Rules()


def make_plan(*operations: Operation) -> list[Step]:
    """Each operation in a transaction of its own."""
    return [Transact((op,)) for op in operations]


def make_market(
    trigger: str, ratios: list[int], bids: list[tuple[int, int]], rules: Rules = DEFAULT_RULES
) -> TestChain:
    """One USD is 10 CORE; each borrows 1,000 USD, dave bids what he is given."""
    more = replace(OPTIONS.extensions, black_swan_response_method=rules.response)
    options = replace(OPTIONS, extensions=more, force_settlement_delay_sec=rules.delay_s)
    chain = TestChain(
        genesis=make_genesis(
            *NAMES,
            core=10**8,
            trigger=trigger,
            options=options,
            settle_match=rules.settle_match,
            pay_mcop=rules.pay_mcop,
        )
    )
    chain.block()
    chain.block(*chain.feed("USD", 1, 10, ("init0", "init1", "init2")))
    for name, ratio in zip(NAMES, ratios, strict=False):
        chain.push(borrow(chain, name, 1_000, 1_000 * ratio))
        if name != "dave":
            chain.push(chain.transfer(name, "dave", 900, "USD"))
    for usd, core in bids:
        if usd <= chain.balance("dave", "USD"):
            chain.push(bid(chain, usd, usd * core // 10))
    chain.block()
    return chain


def borrow(chain: TestChain, name: str, debt: int, collateral: int) -> CallOrderUpdate:
    return CallOrderUpdate(
        NO_FEE, chain.account(name), chain.amount(collateral), chain.amount(debt, "USD")
    )


def bid(chain: TestChain, usd: int, core: int, name: str = "dave") -> LimitOrderCreate:
    return LimitOrderCreate(
        NO_FEE, chain.account(name), chain.amount(usd, "USD"), chain.amount(max(core, 1))
    )


def market_of(chain: TestChain) -> Aftermath:
    return look_at_market(chain.state, chain.asset("USD"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MARKETS)
def test_a_shock_says_what_happens_when_it_comes(drawn: Drawn) -> None:
    """R4, R6.1, BS4, BS5, BS9, BS10, SM1, SM3: calls in their order, volume, fees, swans, what is
    left, what a holder gets: all as foreseen once the same operations are signed and in a block,
    under both triggers and all responses, with requests matched or not."""
    chain = make_market(drawn.trigger, drawn.ratios, drawn.bids, drawn.rules)
    usd, shock = chain.asset("USD"), drawn.shock
    for amount in drawn.requested:
        if amount <= chain.balance("alice", "USD"):
            chain.push(AssetSettle(NO_FEE, chain.account("alice"), chain.amount(amount, "USD")))
    chain.block()
    if drawn.new_bid is not None:
        sells, wants = drawn.new_bid
        offer = NewBid(chain.amount(sells, "USD"), chain.amount(sells * wants // 10 + 1))
        shock = Shock(shock.feed_change, None, shock.take_bids, (offer,))
    before = chain.chain.state_hash()
    foreseen = try_shock(chain.chain, usd, shock)
    assert chain.chain.state_hash() == before
    assert foreseen.outcome.stopped is None

    operations = shock_operations(chain.state, usd, shock)
    refused = {number for number, _ in foreseen.outcome.refusals}
    assert refused <= {place for place, op in enumerate(operations) if _may_fail(op)}
    taken = [op for place, op in enumerate(operations) if place not in refused]
    applied = chain.block(*taken)
    calls = [one for one in applied.events if isinstance(one, MarginCallEvent)]
    swans = [one for one in applied.events if isinstance(one, GloballySettledEvent)]
    alone = [one for one in applied.events if isinstance(one, IndividuallySettledEvent)]
    assert (foreseen.calls, foreseen.settled_alone) == (calls, alone)
    assert drawn.rules.response in (2, 3) or not alone
    assert drawn.rules.response == 0 or not swans
    assert foreseen.global_settlement == (swans[0] if swans else None)
    assert foreseen.after == market_of(chain)
    told = (foreseen.called, foreseen.debt_covered, foreseen.collateral_paid, foreseen.fees)
    assert told == (
        len({one.position for one in calls}),
        sum(one.debt_covered.amount for one in calls),
        sum(one.collateral_paid.amount for one in calls),
        sum(one.margin_call_fee.amount for one in calls),
    )
    _redeem(chain, foreseen.after)


def _may_fail(op: object) -> bool:
    """Dave may have less than he is to bid, or too little may be left of a bid."""
    return not hasattr(op, "feed")


def _redeem(chain: TestChain, market: Aftermath) -> None:
    """R5.3, R5.5: a holder who asks gets the price of the worst holder: in the same block from a
    fund, at the next boundary from the least collateralised position."""
    usd, holder = chain.asset("USD"), chain.account("dave")
    held = chain.balance("dave", "USD")
    if market.worst is None or held < 100 or _calls_at_rest(chain):
        return
    core = chain.balance("dave")
    applied = chain.block(AssetSettle(NO_FEE, holder, AssetAmount(100, usd)))
    if market.worst.from_fund:
        price, paid = market.worst.price, held - chain.balance("dave", "USD")
        got = Fraction(paid * price.quote.amount, price.base.amount)
        assert chain.balance("dave") - core in (floor(got), ceil(got))
        return
    prices = [
        one.op.fill_price
        for one in applied.operations
        if isinstance(one.op, FillOrder) and one.op.order_id.is_of(ForceSettlementId)
    ]
    if prices or not chain.state.force_settlements.rows:
        assert prices[0] == market.worst.price


@pytest.mark.parametrize("trigger", ["bid", "feed"])
def test_a_black_swan_leaves_the_worst_holder_less(trigger: str) -> None:
    """R6.1, R6.2, R5.3: 18,000 CORE stand behind alice's 1,000 USD, which are worth 33,333 by then;
    less the premium of a half each dollar gets 12, and that is what is paid."""
    chain = make_market(trigger, [18, 40], [])
    found = try_shock(chain.chain, chain.asset("USD"), Shock(feed_change=-7_000))
    assert found.global_settlement is not None
    assert found.after.worst is not None
    price, from_fund, for_one = found.after.worst
    assert from_fund
    assert price.quote.amount * 1_000 == price.base.amount * 12_000
    assert for_one.amount == 12 * 10 ** chain.state.assets.get(chain.asset("USD")).precision
    chain.block(*shock_operations(chain.state, chain.asset("USD"), Shock(feed_change=-7_000)))
    core, dollars = chain.balance("dave"), chain.amount(900, "USD")
    chain.block(AssetSettle(NO_FEE, chain.account("dave"), dollars))
    assert chain.balance("dave") - core == 900 * 12


def test_the_worst_holder_gets_no_more_than_the_worst_position_has() -> None:
    """R5.4, R5.5: at the feed less the offset of 2 % and the fee of 1 %; a position that has less
    gives all of it."""
    market = small_market()
    market.set_options(force_settlement_offset_percent=200, force_settle_fee_percent=100)
    one = 10 ** market.state.assets.get(market.usd).precision
    for collateral, gross in ((20_000, 98 * one // 10), (9_000, 9 * one)):
        position = market.position(0, 1_000, collateral)
        worst = worst_redemption(market.state, market.usd)
        assert worst is not None
        assert (worst.from_fund, worst.for_one.amount) == (False, gross - gross // 100)
        market.state.call_orders.remove(position)


@pytest.mark.parametrize(("pay_mcop", "gets"), [(False, 14), (True, 7.5)])
def test_a_pool_pays_whoever_asks_first(*, pay_mcop: bool, gets: float) -> None:
    """BS9, BS10: a pool of 1,000 USD for 14,000 CORE pays 14, though settlement is disabled; where
    MCOP is the limit, at a feed of 1/5 it pays 7.5 and keeps the rest."""
    options = replace(core_options(), flags=DISABLE_FORCE_SETTLE)
    market = small_market(options=options)
    market.set_options(black_swan_response_method=2)
    market.position(0, 1_000, 14_000)
    market.settle_boundary()
    market.state.chain.pay_mcop = pay_mcop
    market.feed(1, 5)
    worst = worst_redemption(market.state, market.usd)
    assert worst is not None
    one = 10 ** market.state.assets.get(market.usd).precision
    assert (worst.from_fund, worst.for_one.amount) == (True, gets * one)
    ctx, before = market.context(), market.balance(market.whale, CORE)
    op = AssetSettle(NO_FEE, market.whale, AssetAmount(100, market.usd))
    apply_asset_settle(ctx, op, evaluate_asset_settle(ctx, op))
    assert market.balance(market.whale, CORE) - before == 100 * gets


def test_whoever_may_publish_no_more_is_told_and_moves_nothing() -> None:
    """R1.13: init2 is no witness any more, its price still counts; the others' move."""
    chain = make_market("bid", [18, 40], [])
    usd, init2 = chain.asset("USD"), chain.account("init2")
    with chain.chain.head_state() as state:
        state.log.begin()
        members = state.accounts.edit(state.accounts.get(WITNESS_ACCOUNT))
        auths = tuple(one for one in members.active.account_auths if one[0] != init2)
        members.active = replace(members.active, account_auths=auths)
        state.log.finish()
    found = try_shock(chain.chain, usd, Shock(feed_change=-1_000))
    ((step, error),) = found.outcome.refusals
    assert (step, error.rule) == (2, "R1.13")
    price = found.after.values.settlement_price
    assert price.base.amount * 100 == price.quote.amount * 9


def test_a_price_that_has_run_out_does_not_move() -> None:
    """R1.15: a relative change begins at prices that count; another price has no need of them."""
    lifetime_s = 600
    genesis = make_genesis(options=replace(OPTIONS, feed_lifetime_sec=lifetime_s))
    chain = TestChain(genesis=genesis)
    usd, slots = chain.asset("USD"), lifetime_s // 5
    chain.block()
    chain.block(*chain.feed("USD", 1, 10, ("init0", "init1", "init2")))
    chain.block(slot=slots - 4)
    chain.block(*chain.feed("USD", 1, 20, ("init0",)))
    chain.block(slot=5)
    assert found_price(try_shock(chain.chain, usd, Shock())) == (1, 20)
    moved = try_shock(chain.chain, usd, Shock(feed_change=-5_000))
    assert found_price(moved) == (1, 40)
    assert [op.publisher for op in published(moved)] == [chain.account("init0")]
    price = Price(chain.amount(1, "USD"), chain.amount(7))
    assert len(published(try_shock(chain.chain, usd, Shock(feed=price)))) == 3
    chain.block(slot=slots)
    with pytest.raises(InsufficientFeeds):
        try_shock(chain.chain, usd, Shock(feed_change=-5_000))
    assert found_price(try_shock(chain.chain, usd, Shock(feed=price))) == (1, 7)


def found_price(found: ShockOutcome) -> tuple[int, int]:
    """The median afterwards."""
    price = found.after.values.settlement_price
    return price.base.amount, price.quote.amount


def published(found: ShockOutcome) -> list[AssetPublishFeed]:
    """The feeds of a shock, in their order."""
    operations = (one.op for block in found.outcome.blocks for one in block.operations)
    return [op for op in operations if isinstance(op, AssetPublishFeed)]


def test_a_large_book_is_emptied_whatever_its_size() -> None:
    """T-A2: the limit of operations is for those that somebody asks for, not for what is there."""
    chain = make_market("bid", [18], [(1, 80)] * 5)
    limits = Limits(operations=2)
    found = try_shock(chain.chain, chain.asset("USD"), Shock(take_bids=10_000), limits)
    assert found.after.highest_bid is None
    assert found.before.highest_bid is not None


def _calls_at_rest(chain: TestChain) -> bool:
    """Whether the next boundary changes the market by itself."""
    return bool(try_shock(chain.chain, chain.asset("USD"), Shock()).calls)


def test_the_difference_is_what_people_see() -> None:
    """A transfer, a called position, the bid that met it, and what all hold after it."""
    chain = make_market("bid", [18, 40], [(400, 160)])
    alice, dave = chain.account("alice"), chain.account("dave")
    feed = chain.feed("USD", 1, 12, ("init0", "init1", "init2"))
    send = chain.transfer("bob", "carol", 7)
    found = simulate(chain.chain, [Transact((send,)), Transact(tuple(feed))])
    (block,) = found.blocks
    assert block.num == chain.chain.head_num + 1
    assert block.time == chain.chain.slot_time(1)
    (called,) = found.difference.positions
    assert (called.position, called.borrower) == (CallOrderId(0), alice)
    assert called.before == (1_000, 18_000)
    assert called.after == (600, 18_000 - 6_400 - called_fee(found.blocks[0].events))
    (order,) = found.difference.orders
    assert order.before is not None
    assert (order.seller, order.before.for_sale, order.after) == (dave, 400, None)
    moved = {
        (one.account, one.asset_id): one.after - one.before for one in found.difference.balances
    }
    core = chain.asset("TEST")
    assert moved[chain.account("carol"), core] == 7
    assert moved[chain.account("bob"), core] == -7
    assert moved[dave, core] == 6_400
    assert found.difference.settlements == []


def called_fee(events: object) -> int:
    assert isinstance(events, list)
    return sum(one.margin_call_fee.amount for one in events if isinstance(one, MarginCallEvent))


def test_what_comes_and_goes_is_told() -> None:
    """A new position and a new request have nothing before; what is pending counts as there."""
    chain = make_market("bid", [40], [])
    chain.push(chain.transfer("bob", "carol", 5))
    settle = AssetSettle(NO_FEE, chain.account("dave"), chain.amount(100, "USD"))
    plan = make_plan(borrow(chain, "bob", 500, 40_000), settle)
    found = simulate(chain.chain, plan)
    (opened,) = (one for one in found.difference.positions if one.before == NOTHING)
    assert opened.after == (500, 40_000)
    settled = simulate(chain.chain, [*plan, MakeBlocks(1)])
    assert settled.difference == found.difference, "a block that is made anyway"
    carol = chain.account("carol")
    assert carol not in {one.account for one in found.difference.balances}
    assert [type(one.op).__name__ for one in found.blocks[0].operations][:1] == ["Transfer"]


def test_a_refusal_names_its_step_and_rule_and_undoes_only_its_own() -> None:
    """R2.1: one transaction fails as a whole, those beside it do not."""
    chain = make_market("bid", [40], [])
    send, much = chain.transfer("bob", "carol", 7), chain.transfer("carol", "bob", 10**12)
    found = simulate(chain.chain, [Transact((send,)), Transact((send, much)), Transact((send,))])
    ((step, error),) = found.refusals
    assert step == 1
    assert isinstance(error, InsufficientBalance)
    carol = {one.account: one for one in found.difference.balances}[chain.account("carol")]
    assert carol.after - carol.before == 14


def test_fees_are_paid_unless_all_is_free() -> None:
    """R8.17: an operation without a fee pays the required one; a shock pays none."""
    genesis = make_genesis(*NAMES, parameters=make_parameters(current_fees=FEES))
    chain = TestChain(genesis=genesis)
    chain.block()
    send = chain.transfer("bob", "carol", 7)
    for fee_free in (False, True):
        found = simulate(chain.chain, [Transact((send,), fee_free)])
        bob = {one.account: one for one in found.difference.balances}[chain.account("bob")]
        fee = 0 if fee_free else required_fee(send, FEES)
        assert bob.before - bob.after == 7 + fee
    assert required_fee(send, FEES) > 0


FEES = FeeSchedule((Tagged(0, SizedFee(20, 0)),), scale=10_000)


def test_blocks_and_time() -> None:
    """R8.4, R5.2: blocks stand at their slots, and what falls due later happens later."""
    chain = make_market("bid", [40, 40], [])
    start = chain.chain.head_time
    offer = bid(chain, 100, 900)
    expiring = LimitOrderCreate(
        NO_FEE, offer.seller, offer.amount_to_sell, offer.min_to_receive, start + 60
    )
    plan = [*make_plan(expiring), MakeBlocks(2), MakeBlockAt(start + 61), MakeBlocks(1)]
    found = simulate(chain.chain, plan)
    assert [block.time - start for block in found.blocks] == [5, 10, 65, 70]
    assert [len(block.operations) for block in found.blocks] == [1, 0, 1, 0]
    assert found.difference.orders == []


@pytest.mark.parametrize(
    ("limits", "what"), [(Limits(effects=3), "effects"), (Limits(blocks=2), "blocks")]
)
def test_work_has_its_limits_and_what_was_found_is_told(limits: Limits, what: str) -> None:
    """T-A2: a simulation stops amid a boundary, says so, and leaves no trace."""
    chain = make_market("bid", [18, 19, 20], [(300, 155), (300, 156), (300, 157)])
    before = chain.chain.state_hash()
    feed = chain.feed("USD", 1, 12, ("init0", "init1", "init2"))
    plan = [*make_plan(*feed), MakeBlocks(3)]
    whole, found = simulate(chain.chain, plan), simulate(chain.chain, plan, limits)
    assert whole.stopped is None
    assert found.stopped == (what, getattr(limits, what))
    assert found.difference.positions
    effects, all_effects = (
        sum(one.is_virtual for block in outcome.blocks for one in block.operations)
        for outcome in (found, whole)
    )
    assert effects == (3 if what == "effects" else all_effects)
    assert len(found.blocks) == (1 if what == "effects" else 2)
    assert chain.chain.state_hash() == before
    assert simulate(chain.chain, plan).difference == whole.difference


def test_too_many_operations_are_refused_at_once() -> None:
    """T-A2: before any of them is tried."""
    chain = TestChain("alice")
    send = chain.transfer("alice", "alice", 1)
    with pytest.raises(ValidationError) as refusal:
        simulate(chain.chain, [Transact((send,) * 3)], Limits(operations=2))
    assert (refusal.value.value, refusal.value.limit) == (3, 2)


def test_a_guard_may_end_it_from_outside() -> None:
    """T-A2: a limit of time or memory that a shell watches. Wherever it ends, what was found until
    then is told, and nothing of it stays."""
    chain = make_market("bid", [18, 40], [(300, 155)])
    before = chain.chain.state_hash()
    plan = [
        *make_plan(chain.transfer("bob", "carol", 7)),
        MakeBlocks(1),
        *make_plan(*chain.feed("USD", 1, 12, ("init0", "init1", "init2"))),
    ]
    whole = simulate(chain.chain, plan)
    told: list[tuple[int, int]] = []
    while True:
        found = simulate(chain.chain, plan, guard=guard_that_ends(len(told), WorkLimit("time", 5)))
        assert chain.chain.state_hash() == before
        if found.stopped is None:
            break
        assert found.stopped == ("time", 5)
        told.append((len(found.blocks), len(found.difference.positions)))
    assert found.difference == whole.difference
    effects = [one for block in whole.blocks for one in block.operations if one.is_virtual]
    assert len(told) == len(whole.blocks) + 4 + len(effects), "asked before each step of the work"
    assert told[0] == (0, 0)
    assert told[-1] == (2, 1), "the position is called, and the bid is not paid yet"
    assert told == sorted(told)

    with pytest.raises(MemoryError):
        simulate(chain.chain, plan, guard=guard_that_ends(len(told) - 1, MemoryError()))
    assert chain.chain.state_hash() == before


def guard_that_ends(after: int, error: BaseException) -> Guard:
    """A guard that fails after it was asked so many times."""
    asked = count()

    def guard() -> None:
        if next(asked) == after:
            raise error

    return guard


def test_what_fits_no_block_waits_or_is_told() -> None:
    """R9.4: a block has room for what it has room for once all is signed, answers included; what is
    pending takes its own first."""
    parameters = make_parameters(maximum_block_size=5_120, maximum_transaction_size=1_024)
    chain = TestChain(genesis=make_genesis("alice", "bob", parameters=parameters))
    chain.block()
    sends = [chain.transfer("alice", "bob", amount) for amount in range(1, 60)]
    found = simulate(chain.chain, make_plan(*sends))
    whole = simulate(chain.chain, [*make_plan(*sends), MakeBlocks(2)])
    assert whole.refusals == []
    for send in sends:
        chain.push(send)
    waiting = simulate(chain.chain, make_plan(chain.transfer("bob", "alice", 1)))
    made = [places(chain.block().operations), places(chain.block().operations)]
    assert [len(operations) > 0 for operations in made] == [True, True]
    assert [refusal.error.rule for refusal in found.refusals] == ["R9.4"] * len(made[1])
    assert [refusal.step for refusal in waiting.refusals] == [0]
    for outcome in (found, whole, waiting):
        assert places(outcome.blocks[0].operations) == made[0]
    assert places(whole.blocks[1].operations) == made[1]


def test_a_transaction_whose_answers_do_not_fit_is_taken_back() -> None:
    """R9.4: there is room for it, and not for what it answers: it is in the next block, once."""
    chain = TestChain("alice", "bob")
    send = chain.transfer("alice", "bob", 1)
    size = chain.transaction(send).size
    whole = size + len(pack_results((VoidResult(),)))
    count = 5_120 // whole + 1
    room = HEADER_BYTES_MAX + count * whole + size
    parameters = make_parameters(maximum_block_size=room, maximum_transaction_size=1_024)
    chain = TestChain(genesis=make_genesis("alice", "bob", parameters=parameters))
    found = simulate(chain.chain, [*make_plan(*[send] * (count + 1)), MakeBlocks(2)])
    assert [len(block.operations) for block in found.blocks] == [count, 1]
    (gave, _) = found.difference.balances
    assert gave.before - gave.after == count + 1


def test_a_shock_needs_a_bitasset_a_feed_and_sane_numbers() -> None:
    """R3.2.1, R1.12: refused by name, with the value and the limit."""
    chain = TestChain("alice")
    usd, core = chain.asset("USD"), chain.asset("TEST")
    with pytest.raises(NotMarketIssued):
        try_shock(chain.chain, core, Shock(feed_change=-1))
    with pytest.raises(InsufficientFeeds):
        try_shock(chain.chain, usd, Shock(feed_change=-1))
    for shock in (Shock(feed_change=-10_000), Shock(take_bids=10_001), Shock(take_bids=-1)):
        with pytest.raises(ValidationError):
            try_shock(chain.chain, usd, shock)
    price = Price(chain.amount(1, "USD"), chain.amount(10))
    with pytest.raises(InsufficientFeeds):
        try_shock(chain.chain, usd, Shock(feed=price))


def test_a_new_bid_is_whoever_s_it_is_said_to_be() -> None:
    """The largest holder's unless somebody is named; nobody bids what he has not got (R2.1)."""
    chain = make_market("bid", [18, 40], [])
    usd = chain.asset("USD")
    offer = NewBid(chain.amount(100, "USD"), chain.amount(1_600))
    found = try_shock(chain.chain, usd, Shock(add_bids=(offer,), feed_change=-1_500))
    assert [call.bidder for call in found.calls] == [chain.account("dave")]
    named = offer._replace(seller=chain.account("bob"))
    found = try_shock(chain.chain, usd, Shock(add_bids=(named,), feed_change=-1_500))
    assert [call.bidder for call in found.calls] == [chain.account("bob")]
    dear = offer._replace(sells=chain.amount(10**6, "USD"), wants=chain.amount(10**7))
    (refusal,) = try_shock(chain.chain, usd, Shock(add_bids=(dear,))).outcome.refusals
    assert isinstance(refusal.error, InsufficientBalance)
