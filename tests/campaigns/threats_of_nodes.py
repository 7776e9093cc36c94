"""Rows of `scripts/threats` about clients of a node, its record of signatures, and its disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import trio

from node.storage.block_store import BlockStore
from node.storage.errors import SlotAlreadySigned, VoteAlreadySigned
from node.storage.guard import RECORD_FILE, SigningGuard
from node.storage.interface import SignedSlot, SignedVote, StoredBlock
from protocol.ids import WitnessId
from protocol.schema import PublicKey
from tests.campaigns.siege import MEGABYTE, resident_bytes
from tests.campaigns.threats_of_networks import knock
from tests.campaigns.threats_row import Figure, Row
from tests.crashpoints.enumeration import scratch
from tests.crashpoints.failures import fail_at, places_to_fail
from tests.crashpoints.trace import Failing
from tests.crashpoints.workload import Parts, record, start_node
from tests.services.test_api_limits import objects_after, serve
from tests.support.api import ChainBackend
from tests.support.chain import TestChain
from tests.support.random_life import RandomLife
from tests.unit.test_block_store import CHAIN, extend

OBJECTS_MAX, GROWTH_MIB_MAX = 20, 10.0
WARM_MIN = 20
"""Clients that come before anything is counted; else a hundredth of all."""
STEPS_OF_A_BLOCK = 20
"""Fewer than a recorded node takes on its files for one block."""
CLOCK_S = 1_600_000_000
STEP_BACK_MAX = 9
"""Slots by which a clock may be off at a start."""


def die_again(count: int, seed: int) -> Figure:
    """T-A3: clients that connect, subscribe and die without a word; no chance is in it."""
    del seed
    backend = ChainBackend(TestChain("alice", "bob"))

    async def run() -> tuple[int, float]:
        async with serve(backend=backend, within_s=10**9) as port:
            before = await objects_after(backend, port, max(count // 100, WARM_MIN))
            memory = resident_bytes(os.getpid())
            left = await objects_after(backend, port, count) - before
            return left, (resident_bytes(os.getpid()) - memory) / MEGABYTE

    left, growth_mib = trio.run(run)
    return Figure(
        f"{count:,} connections left {left:+} objects, {growth_mib:+.1f} MiB",
        left < OBJECTS_MAX and growth_mib < GROWTH_MIB_MAX,
    )


def start_again(count: int, seed: int) -> Figure:
    """T-W1: a witness that starts again with another clock each time, and signs and votes whatever
    its record lets it."""
    chance = Random(seed)
    slots: list[int] = []
    votes: list[tuple[int, int]] = []
    with scratch() as directory:
        for life in range(count):
            about = life + chance.randrange(-STEP_BACK_MAX, STEP_BACK_MAX)
            vote = about - chance.randrange(STEP_BACK_MAX), about + chance.randrange(2)
            with closing(SigningGuard(directory / RECORD_FILE, CHAIN)) as guard:
                slots += sign(guard, about, life)
                votes += cast(guard, max(vote[0], 0), max(vote[1], 1))
    goes_back = sum(two <= one for one, two in pairwise(slots))
    goes_back += sum(s < source or t <= target for (source, target), (s, t) in pairwise(votes))
    return Figure(
        f"{count:,} starts, {len(slots):,} slots and {len(votes):,} votes signed, {goes_back} back",
        not goes_back,
    )


def sign(guard: SigningGuard, slot: int, num: int) -> Iterator[int]:
    """The slot, if the guard lets it be signed."""
    try:
        guard.reserve([SignedSlot(WitnessId(1), CLOCK_S + slot, num)])
    except SlotAlreadySigned:
        return
    yield slot


def cast(guard: SigningGuard, source_num: int, target_num: int) -> Iterator[tuple[int, int]]:
    """The numbers of a vote, if the guard lets it be signed."""
    try:
        guard.reserve((), [SignedVote(PublicKey(b"\x02" * 33), source_num, target_num)])
    except VoteAlreadySigned:
        return
    yield source_num, target_num


def fail_each(count: int, seed: int) -> Figure:
    """T-S4: a disk that fails once at each of so many steps, or is full from there on; each of
    them, so no chance is in it."""
    del seed
    parts, blocks = Parts(snapshot_every=4), 4 + count // STEPS_OF_A_BLOCK
    tried = stopped = wrong = 0
    with scratch() as directory:
        whole = record(directory / "whole", blocks, parts)
        for is_full in (True, False):
            for place in places_to_fail(whole, is_full=is_full)[:count]:
                outcome = fail_at(directory, blocks, parts, Failing(place, is_full))
                tried, stopped = tried + 1, stopped + outcome.stopped
                if outcome.wrong:
                    wrong += 1
                    print(f"WRONG: {outcome}")
    return Figure(f"{tried:,} failing steps, {stopped:,} ended the node, {wrong} wrong", not wrong)


def replay(count: int, seed: int) -> Figure:
    """T-S6: a node that has its blocks alone comes to the state that they were made in, and makes
    its history anew."""
    life = RandomLife(seed)
    while life.node.chain.head_num < count:
        life.live(1)
    node = life.node
    blocks = [StoredBlock(block.id, num, block.packed) for num, block in sorted(node.main.items())]
    with TemporaryDirectory() as name:
        directory = Path(name)
        with closing(BlockStore(directory / "blocks.sqlite", node.chain.chain_id)) as store:
            extend(store, blocks)
        first = start_node(node.genesis, directory)
        for path in directory.glob("history.sqlite*"):
            path.unlink()
        second = start_node(node.genesis, directory)
    return Figure(
        f"{len(blocks):,} blocks of {life.applied:,} operations replayed twice",
        first == second and first.state_hash == node.chain.state_hash(),
    )


NODES = (
    Row("T-A1", 1_000_000, "one answer each, no bug, nothing told", knock("requests")),
    Row("T-A3", 1_000_000, "fewer than 20 objects, below 10 MiB", die_again),
    Row("T-A8", 1_000_000, "refused, or as it was written", knock("http")),
    Row("T-W1", 10_000, "neither signs nor votes twice", start_again),
    Row("T-S4", 2_000, "typed end, nothing told is lost", fail_each),
    Row("T-S6", 10_000, "one state, one history", replay),
)
