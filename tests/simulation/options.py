"""What one seed decides about a network, all drawn in advance (swarm testing).

Each seed switches whole kinds of faults off, so that the others are seen alone and together, and
draws the strength of those that are on. Each option is drawn by itself: another one changes none.
"""

from __future__ import annotations

from random import Random

from msgspec.structs import asdict

from node.chain.finality import quorum_of
from protocol.schema import Record


class Options(Record):
    """A network, its conditions and its load; chances are over 10,000.

    What has a default is calm if it is not given: a kept schedule goes on to mean the same when
    there are more kinds of faults, and to shrink one is to bring its options back to these.
    """

    seed: int
    nodes: int
    witnesses: int
    """Witness `i` lives on node `i % nodes`; nodes beyond are observers."""
    block_interval_s: int = 2
    fault_s: int = 30
    """Length of the first phase, in which faults happen."""
    delay_ms: int = 20
    """Mean delay of a link, one way."""
    loss: int = 0
    """Chance that bytes need to be sent again, which holds up all that follows on their link."""
    reset: int = 0
    """Chance that bytes break their connection."""
    duplicate: int = 0
    """Chance that a message arrives twice."""
    skew_ms: int = 0
    """Greatest distance of a node's clock from the true time."""
    flush_ms: int = 5
    """Greatest time until a write is durable."""
    partition_every_s: int = 0
    """Mean time between changes of the partition; 0 for none."""
    crash_every_s: int = 0
    clog_every_s: int = 0
    pause_every_s: int = 0
    step_every_s: int = 0
    """Mean time between steps of one node's clock; 0 for none."""
    transactions_per_minute: int = 60
    snapshot_interval: int = 1_000
    stale_starters: int = 1
    """Nodes that go on from an old head: one, or all as on a development network."""
    required_participation: int = 0
    """Percent of slots with blocks below which witnesses fear to be in the minority."""
    paranoid: int = 0
    """1: every node recounts all invariants after each block; 0: at the end only."""
    blackout_every_s: int = 0
    """Mean time between moments at which all nodes crash; 0 for none."""
    wipe_every_s: int = 0
    """Mean time between losses of the last node's blocks and snapshots; 0 for none."""
    lose_every_s: int = 0
    """Mean time between losses of all that the last node has, its record too; 0 for none."""
    old_rule: int = 0
    """1: blocks become irreversible by BitShares' rule, which partitions alone can break (R8.8)."""
    hostile: int = 0
    """So many of the last nodes lie: fewer than a third of the witnesses, or it breaks (F2)."""
    lie_every_s: int = 0
    """Mean time between beginnings of each kind of lie; 0 for none."""
    scheme_every_s: int = 0
    """Mean time between attacks that look at the network and do what hurts most; 0 for none."""
    drift_ppm: int = 0
    """Greatest error of a clock's speed, over 1,000,000."""
    disk_every_s: int = 0
    """Mean time between disks that fill up or fail; 0 for none."""
    flip_every_s: int = 0
    """Mean time between bits that turn in a stored block of the last node; 0 for none."""
    torn: int = 0
    """1: of what is not durable, a crash leaves some writes, the oldest ones."""
    series: int = 0
    """Which scenario people live through: `tests.simulation.economy.SHIPPED`; 0 is calm."""
    stays_down: int = 0
    """1: after the healing one node is gone for good, if that is fewer than a third."""
    spares: int = 0
    """Witnesses beyond the first ones, who may be elected instead at maintenance."""
    pools: int = 0
    """1: people make liquidity pools and trade with them (`tests.simulation.contracts`)."""
    loans: int = 0
    """1: they lend, within a transaction and against collateral."""
    locks: int = 0
    """1: they lock amounts by hashes, and CORE in tickets."""
    mandates: int = 0
    """1: they let others act for them."""
    profits: int = 0
    """1: they place orders that take profit."""
    swans: int = 0
    """1: they deal in BitAssets of all black swan responses (`tests.simulation.swans`)."""
    matched: int = 0
    """1: margin calls take settlement requests, and funds pay no more than MCOP (SM1, BS10); 2: the
    feed alone calls, too."""
    ticket_votes: int = 0
    """1: tickets vote (K4.1)."""

    def to_json(self) -> dict[str, int]:
        """The options as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, int]) -> Options:
        """The options of a JSON object; those that it lacks are calm."""
        assert set(data) <= set(cls.__struct_fields__), sorted(data)
        return cls(**data)


DEALINGS = ("pools", "loans", "locks", "mandates", "profits", "swans")
"""What people may do beside what their scenario says."""

SWITCHED: dict[str, tuple[int, ...]] = {
    "loss": (50, 200, 1_000),
    "reset": (5, 20),
    "duplicate": (20, 100),
    "skew_ms": (50, 200, 400),
    "partition_every_s": (10, 15, 40),
    "crash_every_s": (10, 20, 60),
    "clog_every_s": (20,),
    "pause_every_s": (20, 40),
    "step_every_s": (10, 60),
    "blackout_every_s": (60,),
    "wipe_every_s": (60,),
    "lose_every_s": (60,),
    "lie_every_s": (10, 20, 40),
    "scheme_every_s": (30,),
    "drift_ppm": (200, 2_000, 10_000),
    "disk_every_s": (20, 40),
    "flip_every_s": (30,),
    "torn": (1,),
    "stays_down": (1,),
    "series": (1, 2, 3),
    **dict.fromkeys(DEALINGS, (1,)),
    "matched": (1, 2),
    "ticket_votes": (1,),
}
"""Kinds of faults and of dealings, of which each seed has about half, and their strengths."""

ALWAYS: dict[str, tuple[int, ...]] = {
    "block_interval_s": (1, 2, 3, 3, 5),
    "delay_ms": (5, 20, 60, 150),
    "flush_ms": (1, 5, 30, 200),
    "transactions_per_minute": (20, 60, 120),
    "snapshot_interval": (7, 20, 1_000),
    "required_participation": (0, 0, 33),
    "paranoid": (0, 1),
}
"""Conditions that every network has."""


def homes(nodes: int, witnesses: int) -> list[int]:
    """The node of each witness: all in turn."""
    return [witness % nodes for witness in range(witnesses)]


def hostile_max(nodes: int, witnesses: int) -> int:
    """How many of the last nodes may lie: two stay honest, and a quorum of the witnesses (F2)."""
    found = homes(nodes, witnesses)
    return max(
        count
        for count in range(max(1, nodes - 1))
        if sum(home < nodes - count for home in found) >= quorum_of(witnesses)
    )


def draw_options(seed: int, *, nodes: int | None = None, minutes: int | None = None) -> Options:
    """The options of a seed; those given by hand do not change the others."""

    def draw(name: str, choices: tuple[int, ...]) -> int:
        return Random(f"{seed}/options/{name}").choice(choices)

    count = nodes or draw("nodes", (2, 3, 3, 4, 5, 5))
    observers = draw("observers", (0, 0, 1)) if count > 2 else 0
    drawn = {name: draw(name, choices) for name, choices in ALWAYS.items()}
    for name, strengths in SWITCHED.items():
        if draw(f"{name}/is on", (0, 1)):
            drawn[name] = draw(name, strengths)
    witnesses = min(count - observers, 11)
    if count > 3:
        witnesses = max(witnesses, draw("voters", (0, 0, 0, 7, 11)))
    if not hostile_max(count, witnesses):
        drawn["wipe_every_s"] = 0  # a lost disk is one of a third of the witnesses
        drawn["lose_every_s"] = 0
        drawn["flip_every_s"] = 0
    spares = min(draw("spares", (0, 0, 1, 2)), 11 - witnesses)
    # After a blackout somebody must begin; a node whose witness was voted out makes no block.
    starters = count if spares else draw("stale_starters", (1, count))
    return Options(
        seed=seed,
        nodes=count,
        witnesses=witnesses,
        fault_s=60 * (minutes or draw("minutes", (2, 3, 4))),
        hostile=min(draw("hostile", (0, 1, 1, 2)), hostile_max(count, witnesses)),
        spares=spares,
        stale_starters=starters,
        **drawn,
    )
