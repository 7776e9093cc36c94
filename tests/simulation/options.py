"""What one seed decides about a network, all drawn in advance (swarm testing)."""

from __future__ import annotations

from random import Random

from msgspec.structs import asdict

from protocol.schema import Record


class Options(Record):
    """A network, its conditions and its load; chances are over 10,000."""

    seed: int
    nodes: int
    witnesses: int
    """Witness `i` lives on node `i % nodes`; nodes beyond are observers."""
    block_interval_s: int
    fault_s: int
    """Length of the first phase, in which faults happen."""
    delay_ms: int
    """Mean delay of a link, one way."""
    loss: int
    """Chance that bytes need to be sent again, which holds up all that follows on their link."""
    reset: int
    """Chance that bytes break their connection."""
    duplicate: int
    """Chance that a message arrives twice."""
    skew_ms: int
    """Greatest distance of a node's clock from the true time."""
    flush_ms: int
    """Greatest time until a write is durable."""
    partition_every_s: int
    """Mean time between changes of the partition; 0 for none."""
    crash_every_s: int
    clog_every_s: int
    pause_every_s: int
    step_every_s: int
    """Mean time between steps of one node's clock; 0 for none."""
    transactions_per_minute: int
    snapshot_interval: int
    stale_starters: int
    """Nodes that go on from an old head: one, or all as on a development network."""
    required_participation: int
    """Percent of slots with blocks below which witnesses fear to be in the minority."""
    paranoid: int
    """1: every node recounts all invariants after each block; 0: at the end only."""
    blackout_every_s: int
    """Mean time between moments at which all nodes crash; 0 for none."""
    wipe_every_s: int
    """Mean time between losses of the last node's blocks and snapshots; 0 for none."""
    old_rule: int
    """1: blocks become irreversible by BitShares' rule, which partitions alone can break (R8.8)."""

    def to_json(self) -> dict[str, int]:
        """The options as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, int]) -> Options:
        """The options of a JSON object with exactly these fields."""
        assert set(data) == set(cls.__struct_fields__), sorted(data)
        return cls(**data)


def draw_options(seed: int, *, nodes: int | None = None, minutes: int | None = None) -> Options:
    """The options of a seed; those given by hand do not change the others."""
    rng = Random(f"{seed}/options")
    drawn_nodes = rng.choice((2, 3, 3, 4, 5, 5))
    drawn_minutes = rng.choice((2, 3, 4))
    observers = rng.choice((0, 0, 1))
    count = nodes or drawn_nodes
    witnesses = max(1, count - observers) if count > 2 else count
    return Options(
        seed=seed,
        nodes=count,
        witnesses=min(witnesses, 11),
        block_interval_s=rng.choice((1, 2, 3, 3, 5)),
        fault_s=60 * (minutes or drawn_minutes),
        delay_ms=rng.choice((5, 20, 60, 150)),
        loss=rng.choice((0, 0, 50, 200, 1_000)),
        reset=rng.choice((0, 0, 0, 5, 20)),
        duplicate=rng.choice((0, 0, 20, 100)),
        skew_ms=rng.choice((0, 50, 200, 400)),
        flush_ms=rng.choice((1, 5, 30, 200)),
        partition_every_s=rng.choice((0, 15, 40)),
        crash_every_s=rng.choice((0, 20, 60)),
        clog_every_s=rng.choice((0, 0, 20)),
        pause_every_s=rng.choice((0, 0, 40)),
        step_every_s=rng.choice((0, 0, 60)),
        transactions_per_minute=rng.choice((20, 60, 120)),
        snapshot_interval=rng.choice((7, 20, 1_000)),
        stale_starters=rng.choice((1, count)),
        required_participation=rng.choice((0, 0, 33)),
        paranoid=rng.randrange(2),
        blackout_every_s=rng.choice((0, 0, 60)),
        wipe_every_s=rng.choice((0, 0, 60)) if witnesses > 3 or count > witnesses else 0,
        old_rule=0,
    )
