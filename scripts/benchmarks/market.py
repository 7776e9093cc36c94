"""(o) Markets in the own process: a fresh one for each test, and blocks on demand."""

from __future__ import annotations

from functools import partial

import pegboard

from .measure import cpu_seconds, print_rate, print_time

ROUNDS = 20
BLOCKS = 200
FRESH_LIMIT_MS = 20


def bench_market() -> None:
    """(o): CPU time of a fresh market, of a margin call from the start, and of empty blocks."""
    pegboard.market()
    fresh = [cpu_seconds(pegboard.market) for _ in range(ROUNDS)]
    print_time("o", "a fresh market", fresh, f"limit {FRESH_LIMIT_MS} ms")
    called = [cpu_seconds(_call_somebody) for _ in range(ROUNDS)]
    print_time("o", "a fresh market, a position, a margin call", called, "2 blocks")
    for witnesses in (1, 11):
        market = pegboard.market(witnesses=witnesses)
        rates = [BLOCKS / cpu_seconds(partial(market.block, BLOCKS)) for _ in range(3)]
        print_rate("o", "empty blocks on demand", rates, f"{witnesses} witnesses that vote")


def _call_somebody() -> None:
    with pegboard.market(seed=7) as market:
        alice = market.account("alice", core=10_000)
        alice.borrow("100 bitUSD", ratio=1.9)
        market.block()
        market.feed("USD", fall=0.3)
        market.block()
        assert alice.position("bitUSD").closed, "the fall calls her"
