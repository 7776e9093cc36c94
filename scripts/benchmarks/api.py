"""(i) API calls and notices a second."""

from __future__ import annotations

import trio

from protocol.crypto.keys import wif
from tests.support.world import secret_of

from .api_clients import HttpClient, SocketClient, ask_many, call, frame, post
from .api_server import ServerProcess, start_server
from .measure import print_rate, print_ratio

ROUNDS = 5
CALLS = 400
"""Of each client in each round."""
CLIENTS = 4
SUBSCRIBERS = 100
BLOCKS = 40
REQUESTS = {
    "head of the chain": call("get_objects", ["2.1.0"]),
    "an account": call("get_account_by_name", "alice"),
    "the order book, 50 a side": call("get_order_book", "TEST", "USD", 50),
}


def bench_api() -> None:
    """(i): calls by CPU time of the server, beside a bare echo of texts of the same lengths."""
    with start_server() as server:
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
