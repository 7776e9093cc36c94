"""(p) A snapshot and a revert of a development chain, at 10 and at 250,000 accounts."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from http.client import HTTPException
from os import getpid
from time import perf_counter, sleep

from tests.support.chain import TestChain

from .anvil import PEGBOARD, Call, bench_anvil, running
from .large_state import large_chain
from .market import BLOCKS_PER_S_MIN, sign
from .measure import (
    children_of,
    cpu_seconds,
    cpu_seconds_of,
    print_rate,
    print_ratio,
    print_time,
    wall_seconds,
)

ROUNDS = 20
BLOCKS = 10
DEMANDS = 5
DEMANDED = 1_000
"""Empty blocks that a running node is asked for in one call."""
FAR_BLOCKS = 3_500
FAR_BACK = (2_900, 2_100, 900)
"""Where a node goes back to: shortly before a snapshot, shortly after one, and before all."""
MAKERS = 10
"""Accounts; in each block between a snapshot and its revert all but one send something."""


def bench_time_travel() -> None:
    """What goes back is the same at both sizes: so should be the time. And beside anvil's."""
    bench_anvil()
    bench_blocks_on_demand()
    bench_far_back()
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


def bench_blocks_on_demand() -> None:
    """Empty blocks of a development node of eleven witnesses, asked for in one call."""
    rounds: list[tuple[float, float, float]] = []
    others = {*children_of(getpid())}
    with running(PEGBOARD) as call:
        [process] = {*children_of(getpid())} - others
        for _ in range(DEMANDS):
            before = cpu_seconds_of(process)
            wall = wall_seconds(partial(PEGBOARD.blocks, call, DEMANDED))
            cpu = cpu_seconds_of(process) - before
            rounds.append((wall, cpu, cpu_seconds(partial(sign, DEMANDED))))
    note = f"on the wall, each stored; target {BLOCKS_PER_S_MIN:,}"
    print_rate("p", "empty blocks on demand", [DEMANDED / wall for wall, _, _ in rounds], note)
    print_rate("p", "the same by CPU time", [DEMANDED / cpu for _, cpu, _ in rounds])
    ratios = [cpu / signing for _, cpu, signing in rounds]
    print_ratio("p", "empty blocks on demand / a signature each", ratios, "CPU, by turns")


def bench_far_back() -> None:
    """A node that starts again from its stores, until it answers with the block as its head."""
    with running(PEGBOARD) as call:
        for _ in range(FAR_BLOCKS // 250):
            PEGBOARD.blocks(call, 250)
        for num in FAR_BACK:
            start = perf_counter()
            call("call", ["pegboard_dev", "rewind", [num]])
            while _head_num(call) != num:
                sleep(0.01)
            print_time("p", f"far back to block {num}, over HTTP", [perf_counter() - start])


def _head_num(call: Call) -> int:
    with suppress(OSError, HTTPException):
        head = call("call", [0, "get_dynamic_global_properties", []])
        assert isinstance(head, dict), head
        return int(head["head_block_number"])
    return 0
