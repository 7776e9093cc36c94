"""(n) Irreversibility by votes: what it costs a block, and how soon a block is irreversible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, median

from node.chain.chain import Chain
from node.chain.vote_pool import Judgement
from node.core.ballots import Ballots
from protocol.block import BlockEnvelope
from protocol.finality import Vote
from protocol.genesis import FINALITY_BITSHARES, FINALITY_VOTES, Genesis
from tests.support.chain import TestChain, make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.world import BLOCK_INTERVAL_S, key_of, secret_of

from .measure import cpu_seconds, print_value

COUNTS = (4, 11)
BLOCKS = 200
ROUNDS = 5
"""Of which the least counts: what else the machine does is no cost of votes."""
PEER = 1
FLOODED_ROUNDS = 6
"""Rounds of slots on a network of cores, and again without one of them."""
STEP_MS = 100


def bench_finality() -> None:
    """(n): CPU of one core and bytes a block; slots from a block to its irreversibility."""
    for count in COUNTS:
        _bench_cost(count)
        _bench_slots(count, dead=0)
        _bench_slots(count, dead=1)


def _bench_cost(count: int) -> None:
    """What the node of one witness does for each block beside what it did without votes."""
    note = f"{count} witnesses"
    voted, plain = _make(count, FINALITY_VOTES), _make(count, FINALITY_BITSHARES)
    rounds = [(_apply(voted), _apply(plain)) for _ in range(ROUNDS)]
    with_votes, without = map(min, zip(*rounds, strict=True))
    checks = (with_votes - without) * 1e9
    print_value("n", "a header's votes, checked and applied", f"{checks:,.0f} ns a block", note)
    votes = _follow_votes(voted) * 1e9
    print_value("n", "one vote cast, those of others judged", f"{votes:,.0f} ns a block", note)
    rest = f"{note}; an empty block without: {without * 1e9:,.0f} ns"
    pairs = zip(voted.main.values(), plain.main.values(), strict=True)
    size = mean(len(block.packed) - len(other.packed) for block, other in pairs)
    print_value("n", "votes in a header", f"{size:,.0f} bytes a block", rest)


def _make(count: int, finality: str) -> TestChain:
    chain = TestChain("alice", witnesses=count, finality=finality)
    chain.blocks(BLOCKS)
    return chain


def _apply(made: TestChain) -> float:
    """CPU seconds a block that a fresh node takes to check and apply all of them."""
    blocks = [BlockEnvelope.from_bytes(block.packed) for block in made.main.values()]
    chain = Chain(made.genesis)

    def follow() -> None:
        for block in blocks:
            chain.push_block(block)

    return cpu_seconds(follow) / len(blocks)


def _follow_votes(made: TestChain) -> float:
    """CPU seconds a block that a witness takes for the votes of all."""
    names = [item.owner_name for item in made.genesis.initial_witness_candidates]
    own, *others = ({key_of(f"{name} block"): secret_of(f"{name} block")} for name in names)
    chain = Chain(made.genesis)
    ballots, peers = Ballots(chain, {}), [Ballots(chain, {}) for _ in others]
    seconds = 0.0
    for block in made.main.values():
        chain.push_block(block, trusted=True)
        now_s = block.header.timestamp
        votes: list[Vote] = []
        for secrets, peer in zip(others, peers, strict=True):
            votes += [cast.vote for cast in peer.cast(secrets, now_s) if cast.vote is not None]

        def judge(votes: Sequence[Vote] = votes, now_s: int = now_s) -> None:
            ballots.pool.forget_old()
            ballots.cast(own, now_s)
            assert {ballots.pool.add(vote, PEER) for vote in votes} == {Judgement.TAKEN}

        seconds += cpu_seconds(judge)
    return seconds / BLOCKS


def _bench_slots(count: int, *, dead: int) -> None:
    """Slots from the slot of a block to the moment at which all nodes call it irreversible."""
    genesis: Genesis = make_genesis("alice", witnesses=count, finality=FINALITY_VOTES)
    names = witness_names(count)[: count - dead]
    nodes = [CoreNode(genesis, [name], name=at + 1) for at, name in enumerate(names)]
    for one, other in pairwise(nodes):
        one.connect(other, START_MS)
    waited: list[float] = []
    known = 0
    slots = FLOODED_ROUNDS * count
    for now_ms in range(START_MS, START_MS + slots * BLOCK_INTERVAL_S * 1_000, STEP_MS):
        for node in nodes:
            node.core.tick(now_ms)
        while sum(node.carry(now_ms) for node in nodes):
            pass
        final = min(node.chain.last_irreversible_num for node in nodes)
        for num in range(known + 1, final + 1):
            [block] = nodes[0].blocks.blocks_from(num, 1)
            made_ms = BlockEnvelope.from_bytes(block.data).header.timestamp * 1_000
            waited.append((now_ms - made_ms) / 1_000 / BLOCK_INTERVAL_S)
        known = final
    note = f"{count} witnesses" + (", one of them dead" if dead else ", quiet")
    worst = f"median {median(waited):.2f}   worst {max(waited):.2f} slots"
    print_value("n", "from a block to its irreversibility", worst, note)
