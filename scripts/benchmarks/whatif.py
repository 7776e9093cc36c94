"""(q) What if: shocks that call 10,000 positions, and how long a fork holds the main loop up."""

from __future__ import annotations

from time import perf_counter, process_time, thread_time

import trio

from node.api.aside import Aside
from node.api.call import Later
from node.api.json_text import write_json
from node.chain.chain import Chain
from node.services.aside_runner import AsideRunner
from node.services.garbage import GarbageSchedule
from node.state.balances import adjust_balance
from node.state.objects.market import LimitOrder
from node.whatif.shock import Shock, ShockOutcome, try_shock
from node.whatif.simulate import Guard
from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET
from protocol.errors import PegboardError
from protocol.ids import AccountId, AssetId, LimitOrderId
from protocol.json_form import JsonValue
from protocol.schema import MAX_TIMESTAMP
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain
from tests.support.state import add_position

from .large_state import large_chain
from .measure import print_value

POSITIONS = 10_000
AT_ONCE = 10
TARGET_MS = 50
BEAT_S = 0.01
FALL = Shock(feed_change=-2_000)


def falling_chain(size: int) -> TestChain:
    """Positions that a fall by a fifth has the highest bid call, and a bid for each."""
    names = [f"borrower{number}" for number in range(size)]
    chain = TestChain(*names)
    chain.chain.paranoid = False
    chain.block()
    chain.block(*chain.feed("USD", 1, 10, ("init0", "init1", "init2")))
    with chain.chain.head_state() as state:
        state.log.begin()
        usd = state.asset_named("USD").id
        for number, name in enumerate(names):
            account = state.account_named(name).id
            debt = 10_000 + number * 37 % 5_000
            add_position(state, account, usd, debt, debt * (19_000 + number * 7 % 1_000) // 1_000)
            _bid(chain, account, usd, debt, 145 + number * 13 % 16)
        state.log.finish()
    return chain


def _bid(chain: TestChain, seller: AccountId, usd: AssetId, debt: int, tenths: int) -> None:
    state = chain.state
    sold, wanted = AssetAmount(debt, usd), AssetAmount(debt * tenths // 10, CORE_ASSET)
    adjust_balance(state, seller, usd, -debt)
    number = LimitOrderId(state.limit_orders.next_id)
    order = LimitOrder(
        id=number,
        seller=seller,
        for_sale=debt,
        filled_amount=0,
        sell_price=Price(sold, wanted),
        expiration=MAX_TIMESTAMP,
        deferred_fee=0,
        deferred_paid_fee=AssetAmount(0, CORE_ASSET),
    )
    state.limit_orders.create(order)


def bench_whatif() -> None:
    """(q): a shock on 10,000 positions, ten of them at once, forks of small and large nodes."""
    chain = falling_chain(POSITIONS)
    usd = chain.asset("USD")
    GarbageSchedule()
    start = process_time()
    found = try_shock(chain.chain, usd, FALL)
    what = f"shock of {POSITIONS:,} positions, {found.called:,} called, in process"
    print_value("q", what, f"{process_time() - start:.2f} s of a processor")
    trio.run(_at_once, chain.chain, usd, f"{POSITIONS:,} positions")
    large = large_chain()
    GarbageSchedule()
    trio.run(_at_once, large.chain, large.asset("USD"), "250,000 accounts")


async def _at_once(chain: Chain, usd: AssetId, where: str) -> None:
    """Ten shocks are asked for at once; meanwhile something else wants the loop all the time."""
    aside, session = Aside(), Client(ChainBackend(TestChain())).session
    runner = AsideRunner(aside, lambda: None)
    forks: list[float] = []
    original = runner._fork

    def timed(job: object) -> object:
        start = thread_time()
        child = original(job)  # type: ignore[arg-type]
        forks.append(thread_time() - start)
        return child

    runner._fork = timed  # type: ignore[method-assign, assignment]

    def work(guard: Guard) -> bytes:
        return write_json(_summary(try_shock(chain, usd, FALL, guard=guard)))

    lateness: list[float] = []

    async def beat() -> None:
        while True:
            start = perf_counter()
            await trio.sleep(BEAT_S)
            lateness.append(perf_counter() - start - BEAT_S)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        nursery.start_soon(beat)
        await trio.sleep(10 * BEAT_S)
        start = perf_counter()
        laters = [aside.ask(session, work) for _ in range(AT_ONCE)]
        for later in laters:
            assert isinstance(later, Later)
            while not later.outcomes:
                await trio.sleep(BEAT_S)
        whole_s = perf_counter() - start
        outcomes = [later.outcomes[0] for later in laters if isinstance(later, Later)]
        answers = {write_json(one) for one in outcomes if not isinstance(one, PegboardError)}
        nursery.cancel_scope.cancel()
    longest_ms, late_ms = max(forks) * 1_000, max(lateness) * 1_000
    assert len(answers) == 1, outcomes
    print_value("q", f"{AT_ONCE} shocks at once, {where}", f"{whole_s:.2f} s on the wall")
    print_value("q", f"longest fork, {where}", f"{longest_ms:.1f} ms", f"target {TARGET_MS}")
    print_value("q", f"longest wait for the loop, {where}", f"{late_ms:.1f} ms on the wall")


def _summary(found: ShockOutcome) -> JsonValue:
    return {"called": found.called, "covered": found.debt_covered}
