"""(j) An honest client alone and beside greedy ones, and a lone client that never stops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median, quantiles
from time import perf_counter

import trio

from .api_clients import HttpClient, SocketClient, ask_many, frame, post
from .api_server import ServerProcess, start_server
from .greedy import SHORT, GreedyPrograms, start_greedy
from .measure import print_ratio, print_value

GREEDY = 10
ROUNDS = 5
HONEST_CALLS = 200
"""In each half of a round."""
PAUSE_S = 0.002
"""Of the honest client between two calls."""
SETTLE_S = 0.3
START_S = 1.0
LONE_CALLS = 10_000
LONE_PART = 1_000

HERE = "127.0.0.1"
LOCAL_PROGRAMS = [HERE] * GREEDY
STRANGERS = [f"127.0.{number}.1" for number in range(1, GREEDY + 1)]
ONE_NETWORK = [f"127.0.1.{number}" for number in range(1, GREEDY + 1)]


@dataclass(slots=True)
class Calls:
    """Seconds that calls took, for the client and of the node's processor."""

    waited: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    """What the node worked meanwhile, for whom ever: free of what else the machine does."""

    async def time(self, server: ServerProcess, ask: Callable[[], Awaitable[object]]) -> None:
        """Make one call, and give others some time."""
        worked, start = server.busy_seconds(), perf_counter()
        await ask()
        self.waited.append(perf_counter() - start)
        self.worked.append(server.busy_seconds() - worked)
        await trio.sleep(PAUSE_S)


Ask = Callable[[ServerProcess, Calls], Awaitable[None]]


def bench_greedy() -> None:
    """(j): 99th percentiles of an honest client's calls; the cost of calls by one that is alone."""
    for bench in KINDS.values():
        bench()


def _bench_alone() -> None:
    with start_server() as server:
        trio.run(_bench_lone, server.api_port)


def _bench_beside(whose: str, sources: list[str], ask: Ask) -> None:
    with (
        start_server(loopback_is_local=sources is LOCAL_PROGRAMS) as server,
        start_greedy(server.api_port, sources) as programs,
    ):
        trio.run(_compare, whose, ask, server, programs)


async def _bench_lone(port: int) -> None:
    client = await SocketClient.connect(port)
    request = frame(SHORT)
    await ask_many(client, request, LONE_PART)
    first = await ask_many(client, request, LONE_PART)
    await ask_many(client, request, LONE_CALLS)
    last = await ask_many(client, request, LONE_PART)
    what = f"{median(last) * 1e3:.3f} ms, ratio {median(last) / median(first):.2f}"
    print_value("j", f"a lone client after {LONE_CALLS:,} calls", what, "target 1.0")


async def _compare(whose: str, ask: Ask, server: ServerProcess, greedy: GreedyPrograms) -> None:
    greedy.let_go()
    await trio.sleep(START_S)
    alone: list[Calls] = []
    beside: list[Calls] = []
    for _ in range(ROUNDS):
        for rounds, go in ((alone, greedy.hold), (beside, greedy.let_go)):
            go()
            await trio.sleep(SETTLE_S)
            rounds.append(Calls())
            await ask(server, rounds[-1])
    greedy.hold()
    what = f"{whose}, {(ask.__doc__ or '').rstrip('.')}"
    for name, rounds in (("alone", alone), (f"beside {GREEDY} greedy", beside)):
        waited = [seconds for calls in rounds for seconds in calls.waited]
        worked = [seconds for calls in rounds for seconds in calls.worked]
        value = f"p50 {median(waited) * 1e3:.2f} p99 {_p99(waited) * 1e3:.2f} ms"
        value += f" ({' '.join(f'{_p99(calls.waited) * 1e3:.1f}' for calls in rounds)}); "
        value += f"of the node's p50 {median(worked) * 1e3:.2f} p99 {_p99(worked) * 1e3:.2f} ms"
        print_value("j", f"{what}: {name}", value)
    pairs = list(zip(alone, beside, strict=True))
    target = "target at most 3.0"
    ratios = [_p99(there.waited) / _p99(here.waited) for here, there in pairs]
    print_ratio("j", f"{what}: p99 to alone", ratios, target)
    ratios = [_p99(there.worked) / _p99(here.worked) for here, there in pairs]
    print_ratio("j", f"{what}: of node's time", ratios, target)


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98]


async def _ask_by_websocket(server: ServerProcess, calls: Calls) -> None:
    """WebSocket."""
    client = await SocketClient.connect(server.api_port)
    for _ in range(HONEST_CALLS):
        await calls.time(server, lambda: client.ask(frame(SHORT)))
    await client.stream.aclose()


async def _ask_by_http(server: ServerProcess, calls: Calls) -> None:
    """HTTP kept alive."""
    client = await HttpClient.connect(server.api_port)
    for _ in range(HONEST_CALLS):
        await calls.time(server, lambda: client.ask(post(SHORT)))
    await client.stream.aclose()


async def _ask_anew_by_http(server: ServerProcess, calls: Calls) -> None:
    """HTTP anew."""

    async def ask() -> None:
        client = await HttpClient.connect(server.api_port)
        await client.ask(post(SHORT))
        await client.stream.aclose()

    for _ in range(HONEST_CALLS):
        await calls.time(server, ask)


KINDS: dict[str, Callable[[], None]] = {
    "lone": _bench_alone,
    "websocket": partial(_bench_beside, "local programs", LOCAL_PROGRAMS, _ask_by_websocket),
    "http": partial(_bench_beside, "local programs", LOCAL_PROGRAMS, _ask_by_http),
    "anew": partial(_bench_beside, "local programs", LOCAL_PROGRAMS, _ask_anew_by_http),
    "strangers": partial(_bench_beside, "strangers", STRANGERS, _ask_by_websocket),
    "network": partial(_bench_beside, "strangers of one /24", ONE_NETWORK, _ask_by_websocket),
}
"""What of this section may be run by itself: `scripts/bench j:websocket`."""
