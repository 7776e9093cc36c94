"""(p) A snapshot and a revert of a development chain, at 10 and at 250,000 accounts."""

from __future__ import annotations

from time import perf_counter

from tests.support.chain import TestChain

from .anvil import bench_anvil
from .large_state import large_chain
from .measure import print_time

ROUNDS = 20
BLOCKS = 10
MAKERS = 10
"""Accounts; in each block between a snapshot and its revert all but one send something."""


def bench_time_travel() -> None:
    """What goes back is the same at both sizes: so should be the time. And beside anvil's."""
    bench_anvil()
    names = [f"maker{number}" for number in range(MAKERS)]
    small = TestChain(*names)
    small.chain.paranoid = False
    for label, chain in (("10 accounts", small), ("250,000 accounts", large_chain())):
        chain.blocks(3)
        marks, reverts = [], []
        for _ in range(ROUNDS):
            start = perf_counter()
            mark = chain.chain.mark()
            marks.append(perf_counter() - start)
            for _ in range(BLOCKS):
                chain.block(*(chain.transfer(one, names[0], 1) for one in names[1:]))
            start = perf_counter()
            chain.chain.revert(mark)
            reverts.append(perf_counter() - start)
            chain.ballots.go_back()
            chain.chain.release(mark)
        print_time("p", f"snapshot, {label}", marks)
        print_time("p", f"revert of {BLOCKS} blocks, {label}", reverts)
