"""(u) Liquidity pools: what an exchange costs, beside a transfer of the same block."""

from __future__ import annotations

from collections.abc import Callable

from node.chain.chain import Chain
from protocol.asset import NO_FEE
from protocol.block import BlockEnvelope
from protocol.operations.asset import AssetIssue
from protocol.operations.base import Operation
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.pools import deposit, exchange, new_pool, share_asset

from .measure import cpu_seconds, print_ratio, print_time

ROUNDS = 5
BLOCKS = 4
OPERATIONS_A_BLOCK = 250


def bench_pools() -> None:
    """(u): CPU time of an exchange in a block, its signatures known, invariants checked."""
    chain = _pool_of_two_assets()
    ways = ((1_000, "TEST"), (1, "TOKEN")), ((1_000, "TOKEN"), (1, "TEST"))
    exchanged = _record(chain, lambda number: exchange(chain, "bob", 0, *ways[number % 2]))
    sent = _record(chain, lambda _: chain.transfer("bob", "alice", 1))
    exchange_times, transfer_times = [], []
    for _ in range(ROUNDS):
        exchange_times.append(_cost(chain, exchanged))
        transfer_times.append(_cost(chain, sent))
    print_time("u", "an exchange with a liquidity pool", exchange_times, "in a block, keys known")
    print_time("u", "a transfer, so measured", transfer_times)
    ratios = [one / other for one, other in zip(exchange_times, transfer_times, strict=True)]
    print_ratio("u", "exchange / transfer", ratios, "no target")


def _pool_of_two_assets() -> TestChain:
    parameters = make_parameters(maximum_block_size=2_000_000)
    genesis = make_genesis("alice", "bob", core=10**12, parameters=parameters, bitassets=())
    chain = TestChain(genesis=genesis)
    chain.chain.paranoid = False
    chain.block(*(share_asset(chain, "alice", symbol) for symbol in ("TOKEN", "SHARE")))
    for name in ("alice", "bob"):
        units = chain.amount(10**12 // 2, "TOKEN")
        chain.block(AssetIssue(NO_FEE, chain.account("alice"), units, chain.account(name)))
    chain.block(new_pool(chain, "alice", ("TEST", "TOKEN"), "SHARE", 30))
    chain.block(deposit(chain, "alice", 0, 10**11, 10**11))
    return chain


def _record(chain: TestChain, make: Callable[[int], Operation]) -> list[BlockEnvelope]:
    """Blocks of operations of one kind, on top of the same head."""
    start = chain.chain.dump()
    blocks = [chain.block(*map(make, range(OPERATIONS_A_BLOCK))).envelope for _ in range(BLOCKS)]
    chain.chain = Chain.restore(chain.genesis, start)
    return blocks


def _cost(chain: TestChain, blocks: list[BlockEnvelope]) -> float:
    """CPU seconds of one operation."""
    fresh = Chain.restore(chain.genesis, chain.chain.dump())

    def push() -> None:
        for block in blocks:
            fresh.push_block(block, trusted=True)

    return cpu_seconds(push) / (BLOCKS * OPERATIONS_A_BLOCK)
