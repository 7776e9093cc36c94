"""A chain that does not go on says what it waits for (P6)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.core.effects import Report
from node.core.settings import CoreSettings
from node.witness.stall import Awaited, Stall, Surroundings, find_stall
from protocol.genesis_form import FINALITY_BITSHARES, FINALITY_VOTES
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.world import BLOCK_INTERVAL_S

NAMES = witness_names(4)
ROUND_S = len(NAMES) * BLOCK_INTERVAL_S
LOST = "init2 (1.6.3), init3 (1.6.4)"


class Network:
    """Nodes that each hold the keys of some witnesses; a tick a second."""

    def __init__(self, finality: str, shares: Sequence[Sequence[str]], required: int = 0) -> None:
        self.genesis = make_genesis("alice", witnesses=len(NAMES), finality=finality)
        self.settings = CoreSettings(
            enable_stale=True, start_grace_ms=0, required_participation=required
        )
        self.nodes: list[CoreNode] = []
        self.now_ms = START_MS
        self.ahead_ms = 0
        """Of the first node's clock."""
        for names in shares:
            self.add(names)

    def add(self, names: Sequence[str]) -> None:
        """One more node, connected to all others."""
        node = CoreNode(self.genesis, names, self.settings, name=len(self.nodes) + 1)
        for other in self.nodes:
            node.connect(other, self.now_ms)
        self.nodes.append(node)

    def run(self, rounds: int) -> None:
        """Some rounds of slots."""
        for _ in range(rounds * ROUND_S):
            self.now_ms += 1_000
            for node in self.nodes:
                ahead_ms = self.ahead_ms if node is self.nodes[0] else 0
                node.core.read_clock(self.now_ms + ahead_ms, self.now_ms)
                node.core.tick(self.now_ms)
            while sum(node.carry(self.now_ms) for node in self.nodes):
                pass

    def told(self) -> list[str]:
        """What the first node has told of stalls, by name."""
        seen = self.nodes[0].seen
        return [e.name for e in seen if isinstance(e, Report) and e.name.startswith("stall")]

    def stall(self) -> tuple[str, dict[str, str]] | None:
        """How the chain stalls for the first node, and what it waits for."""
        found: Stall | None = self.nodes[0].core.stalls.stall
        return None if found is None else (found.what, dict(found.waits_for))


def test_a_healthy_chain_tells_of_no_stall() -> None:
    """P6: not at its start, either, nor with one witness of four away."""
    network = Network(FINALITY_VOTES, [NAMES[:1], NAMES[1:2], NAMES[2:3]])
    network.run(7)
    assert network.told() == []


@pytest.mark.parametrize(
    ("finality", "what", "detail"),
    [
        (FINALITY_VOTES, "votes", f"2 of 4 vote, 3 are needed; missing {LOST}"),
        (FINALITY_BITSHARES, "witnesses", LOST),
    ],
)
def test_missing_witnesses_are_named(finality: str, what: str, detail: str) -> None:
    """P6, F9: those without whom nothing becomes irreversible; once, and when it is over."""
    network = Network(finality, [NAMES[:1], NAMES[1:2]])
    network.run(9)
    assert network.stall() == ("irreversibility", {what: detail})
    assert network.told() == ["stall"]
    network.add(NAMES[2:])
    network.run(3)
    assert network.stall() is None
    assert network.told() == ["stall", "stall_over"]


def test_a_lonely_node_says_that_it_has_no_peers() -> None:
    """T-W3: and why it makes no block itself."""
    network = Network(FINALITY_VOTES, [NAMES[:1]], required=33)
    network.run(40)
    found = network.stall()
    assert found is not None
    what, waits_for = found
    assert what == "blocks"
    assert waits_for.keys() == {"peers", "production", "witnesses"}
    assert waits_for["production"].startswith("low_participation: ")
    assert "init1 (1.6.2)" in waits_for["witnesses"]


def test_sides_that_both_went_on_tell_of_the_split() -> None:
    """T-W4: with two liars both sides have a quorum; they part at the greeting and say why."""
    network = Network(FINALITY_VOTES, [NAMES[:3]])
    other = CoreNode(network.genesis, NAMES[1:], network.settings, name=2)
    network.nodes.append(other)
    network.run(6)
    assert min(node.chain.last_irreversible_num for node in network.nodes) > 2
    network.nodes[0].connect(other, network.now_ms)
    network.run(1)
    for node in network.nodes:
        told = [one for one in node.seen if isinstance(one, Report) and one.name == "split_claimed"]
        assert len(told) == 1
        assert node.core.peers.split is not None
    network.nodes[0].core.own.secrets.clear()
    network.run(4)
    found = network.stall()
    assert found is not None
    assert "calls another block than this node irreversible" in found[1]["split"]


def test_a_wrong_clock_is_named() -> None:
    """T-K1: three quarters of the witnesses go on; without the first one's vote they stand still
    once another is lost, and the first says that it waits for its clock."""
    network = Network(FINALITY_VOTES, [NAMES[:1], NAMES[1:2], NAMES[2:3]])
    network.run(3)
    network.ahead_ms = 3_600_000
    network.run(9)
    found = network.stall()
    assert found is not None
    assert "behind" not in found[1]["clock"]
    assert "ahead of most witnesses' blocks" in found[1]["clock"]


def test_whose_vote_is_not_needed_is_not_missing() -> None:
    """F5: of a node with all keys not all vote."""
    network = Network(FINALITY_VOTES, [NAMES])
    network.run(1)
    [node] = network.nodes
    node.core.generate_blocks(40, network.now_ms, to_come=3)
    around = Surroundings("", 0, False, "", frozenset(node.core.own.secrets), "")
    found = find_stall(node.chain, node.core.ballots.pool, node.chain.head_time, around)
    assert found is not None
    assert found.waits_for == (Awaited("votes", "3 of 4 vote, 3 are needed"),)
