"""(i) API calls and notices a second, (j) an honest client among greedy ones."""

from __future__ import annotations

import multiprocessing
from functools import partial
from statistics import quantiles

import trio

from node.api.cost import CostLimits
from protocol.crypto.keys import wif
from protocol.ids import LimitOrderId, order_text
from tests.support.world import secret_of

from .api_clients import HttpClient, SocketClient, ask_many, call, frame, post
from .api_server import ServerProcess, start_server
from .measure import print_rate, print_ratio, print_value

ROUNDS = 5
CALLS = 400
"""Of each client in each round."""
CLIENTS = 4
SUBSCRIBERS = 100
BLOCKS = 40
HONEST_CALLS = 2_000
GREEDY = 10
GREEDY_HEAD_START_S = 10.0
"""T-A2: greedy clients are throttled within so long."""

UNLIMITED = CostLimits(soft=0)
STRANGERS = CostLimits(local_discount=1)

REQUESTS = {
    "head of the chain": call("get_objects", ["2.1.0"]),
    "an account": call("get_account_by_name", "alice"),
    "the order book, 50 a side": call("get_order_book", "TEST", "USD", 50),
}


def bench_api() -> None:
    """(i): calls by CPU time of the server, beside a bare echo of texts of the same lengths."""
    with start_server(UNLIMITED) as server:
        ratios: dict[str, list[float]] = {"WebSocket": [], "HTTP": []}
        for what, request in REQUESTS.items():
            rates = trio.run(_rates, server, request)
            for kind in ("echo", "WebSocket", "HTTP"):
                print_rate("i", f"{what}: {kind}", rates[kind])
            for kind, found in ratios.items():
                found += [
                    rate / bare for rate, bare in zip(rates[kind], rates["echo"], strict=True)
                ]
        for kind, found in ratios.items():
            each = [sum(found[n::ROUNDS]) / len(REQUESTS) for n in range(ROUNDS)]
            print_ratio("i", f"{kind} calls to bare WebSocket echoes", each, "target 0.70")
        print_rate("i", "notices to 100 subscribers", trio.run(_notice_rates, server))


async def _rates(server: ServerProcess, request: bytes) -> dict[str, list[float]]:
    """Requests for each second of CPU, in each round; the first round is not counted."""
    first = await SocketClient.connect(server.api_port)
    size = await first.ask(frame(request))
    echo = str(size).encode().ljust(len(request))
    sockets = [await SocketClient.connect(server.api_port) for _ in range(CLIENTS)]
    echoes = [await SocketClient.connect(server.echo_port) for _ in range(CLIENTS)]
    https = [await HttpClient.connect(server.api_port) for _ in range(CLIENTS)]
    rates: dict[str, list[float]] = {"echo": [], "WebSocket": [], "HTTP": []}
    for _ in range(ROUNDS + 1):
        rates["echo"].append(await _rate(server, echoes, frame(echo)))
        rates["WebSocket"].append(await _rate(server, sockets, frame(request)))
        rates["HTTP"].append(await _rate(server, https, post(request)))
    return {kind: found[1:] for kind, found in rates.items()}


async def _rate(
    server: ServerProcess, clients: list[SocketClient] | list[HttpClient], request: bytes
) -> float:
    start = server.cpu_seconds()
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(ask_many, client, request, CALLS)
    return len(clients) * CALLS / (server.cpu_seconds() - start)


async def _notice_rates(server: ServerProcess) -> list[float]:
    """Notices for each second of CPU, beyond what making the blocks takes."""
    maker = await SocketClient.connect(server.api_port)
    key = wif(secret_of("init0 block"))
    block = frame(call("debug_generate_blocks", key, 1, api="debug"))
    rates = []
    for _ in range(ROUNDS):
        start = server.cpu_seconds()
        await ask_many(maker, block, BLOCKS)
        alone = server.cpu_seconds() - start
        clients = [await SocketClient.connect(server.api_port) for _ in range(SUBSCRIBERS)]
        for client in clients:
            await client.ask(frame(call("set_block_applied_callback", 1)))
            await client.ask(frame(call("set_subscribe_callback", 2, False)))
            await client.ask(frame(call("get_objects", ["2.1.0"])))
        start = server.cpu_seconds()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_many, maker, block, BLOCKS)
            for client in clients:
                nursery.start_soon(_skip_frames, client, 2 * BLOCKS)
        spent = server.cpu_seconds() - start - alone
        rates.append(2 * BLOCKS * SUBSCRIBERS / spent)
        for client in clients:
            await client.stream.aclose()
    return rates


async def _skip_frames(client: SocketClient, count: int) -> None:
    for _ in range(count):
        await client.skip_frame()


def bench_greedy() -> None:
    """(j): 99th percentile of an honest client's calls, alone and beside greedy clients."""
    for whose, limits in (("strangers", STRANGERS), ("programs of this machine", CostLimits())):
        with start_server(limits) as server:
            alone = trio.run(_honest_p99, server)
            context = multiprocessing.get_context("spawn")
            greedy = context.Process(target=run_greedy, args=(server.api_port,), daemon=True)
            greedy.start()
            try:
                trio.run(trio.sleep, GREEDY_HEAD_START_S)
                beside = trio.run(_honest_p99, server)
            finally:
                greedy.terminate()
                greedy.join()
        print_value("j", f"{whose}: p99 alone", f"{alone * 1e3:.2f} ms")
        note = "target at most 3.0"
        what = f"{beside * 1e3:.2f} ms, ratio {beside / alone:.1f}"
        print_value("j", f"{whose}: p99 beside {GREEDY} greedy ones", what, note)


async def _honest_p99(server: ServerProcess) -> float:
    client = await SocketClient.connect(server.api_port)
    request = frame(REQUESTS["an account"])
    seconds = []
    for _ in range(HONEST_CALLS):
        seconds += await ask_many(client, request, 1)
        await trio.sleep(0.002)
    return quantiles(seconds, n=100)[98]


def run_greedy(port: int) -> None:
    """Ask for as much as possible for ever, from ten groups of addresses."""
    trio.run(partial(_run_greedy, port))


async def _run_greedy(port: int) -> None:
    request = frame(call("get_objects", [order_text(LimitOrderId(n % 500)) for n in range(1_000)]))
    async with trio.open_nursery() as nursery:
        for number in range(1, GREEDY + 1):
            nursery.start_soon(_ask_for_ever, port, f"127.0.{number}.1", request)


async def _ask_for_ever(port: int, source: str, request: bytes) -> None:
    while True:
        try:
            client = await SocketClient.connect(port, source)
            while True:
                await client.ask(request)
        except (trio.EndOfChannel, trio.BrokenResourceError):
            await trio.sleep(0.1)
