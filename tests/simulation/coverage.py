"""What states a batch has come to: how deep forks went, how votes fell, what syncs were doing.

The counts of a run are grouped by the beginning of their names. Each group has a floor, so many
different things of it; a batch of some size that stays below one tests less than it says, and
fails.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from node.core.core import NodeCore
from node.p2p.sync_round import SyncRound
from protocol.block import block_num_of
from protocol.finality import Vote
from protocol.p2p.messages import MESSAGES
from protocol.schema import PublicKey
from tests.simulation.dealings import dealing_states
from tests.simulation.faults import DRAWS
from tests.simulation.network import LINK_FAULTS
from tests.simulation.options import DEALINGS
from tests.simulation.simulation import Simulation

SAMPLE_MS = 500
"""How often states are looked at."""
JUDGED_RUNS = 20
"""A batch of fewer runs is not judged."""
LAGS = (2, 5, 10, 20, 50)
"""Blocks from the last irreversible one to the head, as they are told apart."""


class Group(NamedTuple):
    """Things of one kind."""

    prefix: str
    """With which the names of their counts begin."""
    floor: int
    """So many different ones a batch comes to at least."""


GROUPS = (
    Group("fork depth", 3),
    Group("branches", 2),
    Group("irreversible within", 3),
    Group("voters of a height", 3),
    Group("blocks voted for at a height", 2),
    Group("votes on another branch", 1),
    Group("voting sets at once", 2),
    Group("members of a voting set", 3),
    Group("sync", 4),
    Group("sent", len(MESSAGES) - 2),
    Group("closed", 3),
    Group("refused", 5),
    Group("accepted", 4),
    Group("fault", len(DRAWS) + len(LINK_FAULTS) + 2),
    Group("fork_switch", 1),
    Group("transaction_dropped", 1),
    Group("started from a snapshot", 1),
    Group("started anew", 1),
    Group("started with anchors", 1),
    Group("disk stops", 1),
    Group("snapshots passed over", 1),
    Group("prices among lies", 1),
    Group("scheme", 5),
    Group("hostile", 12),
    Group("event", 3),
    Group("while parted", 2),
    Group("by itself", 5),
    Group("dealing", 12),
)
"""What is printed at the end of a batch, with its floors."""


class Watch:
    """Looks at the nodes of a simulation from time to time, and counts what it sees."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.counts = simulation.checkers.counts
        self._deals = any(getattr(simulation.options, name) for name in DEALINGS)
        simulation.loop.later(SAMPLE_MS, self._sample)

    def _sample(self) -> None:
        for machine in self.simulation.machines:
            if machine.core is not None:
                self._look_at(machine.core)
        self.simulation.loop.later(SAMPLE_MS, self._sample)

    def _look_at(self, core: NodeCore) -> None:
        chain, sync = core.chain, core.peers._relay.sync
        for found in sync._rounds.values():
            self.counts[f"sync {state_of(found)}"] += 1
        if sync.is_syncing:
            self.counts["sync takes blocks in"] += 1
        lag = chain.head_num - chain.last_irreversible_num
        bound = next((str(one) for one in LAGS if lag <= one), "more")
        self.counts[f"irreversible within {bound}"] += 1
        leaves = sum(not item.children for item in chain._forks.items.values())
        self.counts[f"branches {leaves}"] += 1
        finality = chain.state.finality
        if finality is not None:
            self.counts[f"voting sets at once {len(finality.sets)}"] += 1
            members = len(finality.sets[-1].members)
            self.counts[f"members of a voting set {members}"] += 1
        if self._deals:
            for name in dealing_states(chain.state):
                self.counts[f"dealing {name}"] += 1

    def count_votes(self) -> None:
        """Count how votes fell, at the end of a run."""
        self.counts.update(vote_patterns(self.simulation.checkers.votes))


def state_of(found: SyncRound) -> str:
    """What a node does about the chain of one peer."""
    if found.asked_ms is not None:
        return "awaits ids"
    if found.ids:
        return "fetches blocks"
    if found.is_wanted:
        return "waits for its turn"
    if found.behind_since_ms is not None:
        return "is behind and asks nothing"
    return "rests after a vain round" if found.backoff_ms else "rests"


def vote_patterns(votes: Mapping[PublicKey, list[Vote]]) -> Counter[str]:
    """For each height that was voted for: how many voted, and for how many blocks."""
    voters: Counter[int] = Counter()
    targets: dict[int, set[bytes]] = defaultdict(set)
    for cast in votes.values():
        for num in {block_num_of(vote.target) for vote in cast}:
            voters[num] += 1
        for vote in cast:
            targets[block_num_of(vote.target)].add(vote.target)
    found: Counter[str] = Counter()
    for num, count in voters.items():
        found[f"voters of a height {count}"] += 1
        found[f"blocks voted for at a height {len(targets[num])}"] += 1
    return found


def seen(figures: Mapping[str, int], group: Group) -> dict[str, int]:
    """What was seen of a group, most often first."""
    of_group = {
        name.removeprefix(group.prefix).strip() or "seen": count
        for name, count in figures.items()
        if count and (name == group.prefix or name.startswith(group.prefix + " "))
    }
    return dict(sorted(of_group.items(), key=lambda item: (-item[1], item[0])))


def below_floors(figures: Mapping[str, int]) -> list[str]:
    """The groups of which too little was seen."""
    return [
        f"{group.prefix}: {len(found)} kinds, at least {group.floor} are wanted"
        for group in GROUPS
        if len(found := seen(figures, group)) < group.floor
    ]


def lines(figures: Mapping[str, int]) -> Iterator[str]:
    """A line for each group."""
    for group in GROUPS:
        found = seen(figures, group)
        listed = ", ".join(f"{name} {count}" for name, count in found.items())
        yield f"  {group.prefix}: {listed or 'never'}"
