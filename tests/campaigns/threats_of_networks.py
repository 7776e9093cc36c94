"""Rows of `scripts/threats` about peers, and about whole networks in simulated time."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from protocol.errors import DecodeError
from protocol.p2p.message_codec import decode_message
from tests.campaigns.siege import MEGABYTE
from tests.campaigns.threats_row import Figure, Row, least_ms
from tests.fuzz.campaign import run_blind
from tests.simulation.options import Options, draw_options, hostile_max
from tests.simulation.runs import run_schedule
from tests.simulation.schedule import Schedule
from tests.support.bombs import drawn_message_bombs
from tests.unit.test_p2p_eclipse import World

BOMB_MS_MAX, BOMB_MIB_MAX = 20.0, 32.0
SURROUNDED_MAX = 0.001
"""Of all seeds: 1 of 1,000."""


def decode_bombs(count: int, seed: int) -> Figure:
    """T-P2: what a frame claims to hold costs neither time nor memory."""
    slowest_ms = largest_mib = 0.0
    for bomb in drawn_message_bombs(count, seed):
        slowest_ms = max(slowest_ms, least_ms(partial(decode, bomb), BOMB_MS_MAX))
        tracemalloc.start()
        decode(bomb)
        largest_mib = max(largest_mib, tracemalloc.get_traced_memory()[1] / MEGABYTE)
        tracemalloc.stop()
    return Figure(
        f"{count:,} bombs, slowest {slowest_ms:.2f} ms, largest {largest_mib:.2f} MiB",
        slowest_ms < BOMB_MS_MAX and largest_mib < BOMB_MIB_MAX,
    )


def decode(payload: bytes) -> None:
    """Read a payload, which is refused or is a message."""
    with suppress(DecodeError):
        decode_message(payload)


def knock(*doors: str) -> Callable[[int, int], Figure]:
    """A row of changed inputs, as many at each of some doors of `scripts/fuzz`."""

    def run(count: int, seed: int) -> Figure:
        each = -(-count // len(doors))
        found = {door: run_blind(door, seed, 0, each, keep=False).findings for door in doors}
        for door, findings in found.items():
            for data, reason in findings:
                print(f"FOUND {door} {data!r}: {reason}")
        wrong = sum(map(len, found.values()))
        return Figure(
            f"{each * len(doors):,} inputs for {', '.join(doors)}, {wrong} wrong", not wrong
        )

    return run


def eclipse(count: int, seed: int) -> Figure:
    """T-P9: after an hour among a thousand liars."""
    left: Counter[int] = Counter()
    for number in range(count):
        world = World(seed * 1_000_000 + number)
        world.live_an_hour()
        left[world.honest_count()] += 1
    return Figure(
        f"{left[0]} of {count:,} nodes surrounded after an hour, the others have "
        f"{min(set(left) - {0}, default=0)} to {max(left)} honest peers",
        left[0] <= SURROUNDED_MAX * count,
    )


def live_through(count: int, seed: int, *, change: Callable[[Options], Options]) -> Figure:
    """So many networks of drawn faults, with some of them for sure."""
    failed, seen = [], Counter[str]()
    conflicts = blocks = simulated_s = 0
    for number in range(seed, seed + count):
        found = run_schedule(Schedule.draw(change(draw_options(number, minutes=1))))
        blocks, simulated_s = blocks + found.blocks, simulated_s + found.simulated_s
        conflicts += found.verdict == "conflict"
        seen.update(found.figures)
        if not found.has_passed:
            failed.append(number)
            print(f"FAILED network {number}: {found.verdict}: {found.detail}")
    return Figure(
        f"{count:,} networks, {simulated_s / 3_600:.2f} h, {blocks:,} blocks, "
        f"{seen['fork_switch']:,} forks, {seen['fault crash']:,} crashes, {conflicts} conflicts, "
        f"{len(failed)} failed",
        not failed,
    )


def with_liars(options: Options) -> Options:
    """A network of at least four nodes of which as many lie as may."""
    nodes = max(4, options.nodes)
    witnesses = max(4, options.witnesses)
    liars = hostile_max(nodes, witnesses)
    return replace(options, nodes=nodes, witnesses=witnesses, hostile=liars, lie_every_s=10)


def with_elections(options: Options) -> Options:
    """A network in changing parts whose witnesses are voted out and in meanwhile."""
    return replace(
        options,
        witnesses=min(options.witnesses, 9),
        spares=2,
        stale_starters=options.nodes,
        partition_every_s=10,
    )


def drift(count: int, seed: int) -> Figure:
    """T-K1: so many minutes with clocks that are up to 0.1 % too fast or slow."""
    options = Options(seed, 4, 4, fault_s=60 * count, drift_ppm=1_000, transactions_per_minute=2)
    found = run_schedule(Schedule.draw(options))
    return Figure(
        f"{count:,} minutes of four witnesses at up to 1,000 ppm, {found.slots - found.blocks} of "
        f"{found.slots:,} slots missed, {'' if found.has_passed else found.detail}"
        f"{found.figures.get('fork_switch', 0)} forks",
        found.has_passed and found.slots - found.blocks <= found.slots // 100,
    )


NETWORKS = (
    Row("T-P2", 10_000, "each below 20 ms and 32 MiB", decode_bombs),
    Row(
        "T-P3", 1_000_000, "read to the same bytes or refused",
        knock("frames", "transactions", "blocks"),
    ),
    Row("T-P9", 1_000, "at most 1 of 1,000", eclipse),
    Row("T-P12", 1_000_000, "fails closed", knock("handshake")),
    Row("T-W2", 1_000, "no promise broken", partial(live_through, change=with_liars)),
    Row("T-W6", 500, "no promise broken", partial(live_through, change=with_elections)),
    Row("T-K1", 1_440, "1 % of the slots", drift),
)  # fmt: skip
