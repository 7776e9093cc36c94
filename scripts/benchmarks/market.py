"""(o) Markets in the own process: a fresh one for each test, and blocks on demand."""

from __future__ import annotations

from functools import partial

import pegboard
from node.presets import development_key
from protocol.crypto.hashes import sha256
from protocol.crypto.signatures import sign_digest

from .measure import cpu_seconds, print_rate, print_ratio, print_time

ROUNDS = 20
BLOCKS = 200
FRESH_LIMIT_MS = 20
BLOCKS_PER_S_MIN = 5_000
"""Of empty blocks on demand, in the own process and through a node."""


def bench_market() -> None:
    """(o): CPU time of a fresh market, of a margin call from the start, and of empty blocks."""
    pegboard.market()
    fresh = [cpu_seconds(pegboard.market) for _ in range(ROUNDS)]
    print_time("o", "a fresh market", fresh, f"limit {FRESH_LIMIT_MS} ms")
    called = [cpu_seconds(_call_somebody) for _ in range(ROUNDS)]
    print_time("o", "a fresh market, a position, a margin call", called, "2 blocks")
    for witnesses in (1, 11):
        market = pegboard.market(witnesses=witnesses)
        rounds = [
            (cpu_seconds(partial(market.block, BLOCKS)), cpu_seconds(partial(sign, BLOCKS)))
            for _ in range(5)
        ]
        note = f"{witnesses} witnesses that vote"
        rates = [BLOCKS / took for took, _ in rounds]
        print_rate("o", "empty blocks on demand", rates, f"{note}; target {BLOCKS_PER_S_MIN:,}")
        signing = [(witnesses + 1) * signed for _, signed in rounds]
        ratios = [took / one for (took, _), one in zip(rounds, signing, strict=True)]
        print_ratio("o", "empty blocks on demand / their signatures", ratios, note)


def sign(count: int) -> None:
    """One signature for each of so many blocks."""
    secret = development_key("init0", "signing")
    for number in range(count):
        sign_digest(secret, sha256(number.to_bytes(4, "big")))


def _call_somebody() -> None:
    with pegboard.market(seed=7) as market:
        alice = market.account("alice", core=10_000)
        alice.borrow("100 bitUSD", ratio=1.9)
        market.block()
        market.feed("USD", fall=0.3)
        market.block()
        assert alice.position("bitUSD").closed, "the fall calls her"
