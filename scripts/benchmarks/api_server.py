"""The processes that API benchmarks need: an API over a chain with a full book, and a bare echo."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from node.api.fair_queue import group_of
from node.services.api_server import ApiOptions, serve_api
from node.services.garbage import GarbageSchedule
from node.services.node_service import TICK_MS
from protocol.asset import NO_FEE
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend
from tests.support.chain import TestChain

from .measure import cpu_seconds_of

ORDERS = 600
"""In the one market, half of them on each side."""


class ServerProcess:
    """A started server: an API at one port, at the other an echo of chosen sizes."""

    def __init__(self, pid: int, api_port: int, echo_port: int) -> None:
        self.pid = pid
        self.api_port = api_port
        self.echo_port = echo_port

    def cpu_seconds(self) -> float:
        """CPU time that its main thread has used."""
        text = Path(f"/proc/{self.pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def busy_seconds(self) -> float:
        """Processor time that it has used up to now, all threads together; quick to read."""
        return cpu_seconds_of(self.pid)


@contextmanager
def start_server(*, loopback_is_local: bool = True) -> Iterator[ServerProcess]:
    """A server in a process of its own, for the time of a block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_server, args=(theirs, loopback_is_local), daemon=True)
    process.start()
    try:
        api_port, echo_port = ours.recv()
        assert process.pid is not None
        yield ServerProcess(process.pid, api_port, echo_port)
    finally:
        process.terminate()
        process.join()


def run_server(started: Connection, loopback_is_local: bool) -> None:
    """Serve until terminated; tells both ports."""
    backend = make_backend()
    trio.run(_serve, backend, loopback_is_local, started)


def make_backend() -> ChainBackend:
    """A chain with two traders and a book."""
    chain = TestChain("alice", "bob", core=10**12)
    backend = ChainBackend(chain)
    chain.chain.paranoid = False
    alice = chain.account("alice")
    for start in range(0, ORDERS, 100):
        backend.produce(
            *(
                LimitOrderCreate(
                    NO_FEE, alice, chain.amount(1_000 + n), chain.amount(10 + n % 7, "USD")
                )
                for n in range(start, start + 100)
            )
        )
    return backend


async def _serve(backend: ChainBackend, loopback_is_local: bool, started: Connection) -> None:
    async with trio.open_nursery() as nursery:
        options = ApiOptions(group_of=group_of if loopback_is_local else _group_of_stranger)
        api_port = await nursery.start(
            partial(serve_api, backend.api, "127.0.0.1", 0, options=options)
        )
        echo = partial(serve_websocket, _echo, "127.0.0.1", 0, ssl_context=None)
        server = await nursery.start(echo)
        started.send((api_port, server.port))
        garbage = GarbageSchedule()
        while True:
            await trio.sleep(TICK_MS / 1_000)
            garbage.collect_if_due()


def _group_of_stranger(address: str) -> tuple[str, bool]:
    """The group of an address, as if it were beyond this machine."""
    name, _ = group_of(address)
    return name, False


async def _echo(request: WebSocketRequest) -> None:
    """Answer each text, which begins with a number, by a text of so many characters."""
    socket = await request.accept()
    try:
        while True:
            text = await socket.get_message()
            await socket.send_message("x" * int(str(text).partition(" ")[0]))
    except ConnectionClosed:
        pass
