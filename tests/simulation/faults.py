"""The faults of a run as data: drawn from the seed before it begins, stored, and replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from tests.simulation.options import Options

LIES = (
    "equivocate",
    "withhold",
    "lie_in_sync",
    "make_bad_blocks",
    "make_future_blocks",
    "repeat_votes",
    "send_junk",
    "lie_in_feeds",
)
"""What a hostile node may do for a while; see `tests.simulation.hostile`."""


class Fault(NamedTuple):
    """Something that goes wrong at a time after the start."""

    at_ms: int
    kind: str
    args: tuple[int, ...]
    """What the numbers mean stands beside each kind in `DRAWS`."""


def draw_faults(options: Options) -> list[Fault]:
    """All faults of a run, in the order of their times."""
    found: list[Fault] = []
    for kind, (draw, every_s) in DRAWS.items():
        rng = Random(f"{options.seed}/faults/{kind}")
        moments = _moments(rng, every_s(options), options.fault_s)
        found.extend(Fault(at_ms, kind, draw(rng, options)) for at_ms in moments)
    return sorted(found)


def _moments(rng: Random, every_s: int, end_s: int) -> Iterator[int]:
    """Times in milliseconds, on average `every_s` seconds apart, none in the first seconds."""
    at_ms = 5_000
    while every_s:
        at_ms += rng.randrange(100, 2_000 * every_s)
        if at_ms >= end_s * 1_000:
            return
        yield at_ms


def _draw_partition(rng: Random, options: Options) -> tuple[int, ...]:
    """The group of each node: halves, thirds, one alone, any; or all together again."""
    nodes = options.nodes
    mode = rng.randrange(5)
    if mode == 0:
        return (0,) * nodes
    if mode == 1:
        alone = rng.randrange(nodes)
        return tuple(int(node == alone) for node in range(nodes))
    groups = 3 if mode == 2 else 2
    return tuple(rng.randrange(groups) for _ in range(nodes))


def _draw_deafness(rng: Random, options: Options) -> tuple[int, ...]:
    """One node hears nothing of another for a time: source, deaf node, milliseconds."""
    source, deaf = rng.sample(range(options.nodes), 2)
    return source, deaf, rng.randrange(500, 15_000)


def _draw_crash(rng: Random, options: Options) -> tuple[int, ...]:
    """Node, milliseconds until it starts again, whether its machine falls silent with it."""
    down_ms = rng.choice((rng.randrange(50, 500), rng.randrange(500, 30_000)))
    return rng.randrange(options.nodes), down_ms, rng.randrange(2)


def _draw_clog(rng: Random, options: Options) -> tuple[int, ...]:
    """Two nodes between which everything takes longer for a time: until then nothing arrives."""
    one, other = rng.sample(range(options.nodes), 2)
    return one, other, rng.randrange(200, 5_000)


def _draw_pause(rng: Random, options: Options) -> tuple[int, ...]:
    """A node whose process stands still for milliseconds."""
    return rng.randrange(options.nodes), rng.randrange(200, 8_000)


def _draw_step(rng: Random, options: Options) -> tuple[int, ...]:
    """A node whose clock jumps by milliseconds."""
    limit_ms = 2_000 * options.block_interval_s
    return rng.randrange(options.nodes), rng.randrange(-limit_ms, limit_ms)


def _draw_blackout(rng: Random, options: Options) -> tuple[int, ...]:
    """For each node the milliseconds until it starts again after all have crashed."""
    return tuple(rng.randrange(50, 15_000) for _ in range(options.nodes))


def _draw_wipe(rng: Random, options: Options) -> tuple[int, ...]:
    """Milliseconds until the last node starts again, from nothing but its record of slots and
    votes, or without that, too."""
    return (rng.randrange(500, 30_000),)


def _draw_lie(rng: Random, options: Options) -> tuple[int, ...]:
    """One of the nodes that lie, and for how many milliseconds it does."""
    liar = options.nodes - 1 - rng.randrange(max(1, options.hostile))
    return liar, rng.randrange(2_000, 20_000)


def _draw_scheme(rng: Random, options: Options) -> tuple[int, ...]:
    """For how many milliseconds somebody looks at the network and does what hurts."""
    return (rng.randrange(5_000, 25_000),)


def _draw_disk(rng: Random, options: Options) -> tuple[int, ...]:
    """A node, whether its disk fails (1) or is full (0), and for how many milliseconds."""
    return rng.randrange(options.nodes), rng.randrange(2), rng.randrange(500, 8_000)


def _draw_flip(rng: Random, options: Options) -> tuple[int, ...]:
    """Which block is damaged, over 1,000 of those that the last node has."""
    return (rng.randrange(1_000),)


Draw = Callable[[Random, Options], tuple[int, ...]]
DRAWS: dict[str, tuple[Draw, Callable[[Options], int]]] = {
    "partition": (_draw_partition, lambda options: options.partition_every_s),
    "deafen": (_draw_deafness, lambda options: options.partition_every_s),
    "crash": (_draw_crash, lambda options: options.crash_every_s),
    "clog": (_draw_clog, lambda options: options.clog_every_s),
    "pause": (_draw_pause, lambda options: options.pause_every_s),
    "step": (_draw_step, lambda options: options.step_every_s),
    "blackout": (_draw_blackout, lambda options: options.blackout_every_s),
    "wipe": (_draw_wipe, lambda options: options.wipe_every_s),
}
DRAWS |= {
    "scheme": (_draw_scheme, lambda options: options.scheme_every_s),
    "disk": (_draw_disk, lambda options: options.disk_every_s),
    "lose": (_draw_wipe, lambda options: options.lose_every_s),
    "flip": (_draw_flip, lambda options: options.flip_every_s),
}
DRAWS |= {
    kind: (_draw_lie, lambda options: options.lie_every_s if options.hostile else 0)
    for kind in LIES
}
"""Each kind of fault: how its numbers are drawn, and its mean distance in seconds."""
