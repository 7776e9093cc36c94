"""Programs that ask a node for as much as they can.

python -m scripts.benchmarks.greedy PORT KIND:SOURCE...    a client for each, in one process
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from protocol.ids import LimitOrderId, order_text

from .api_clients import HttpClient, SocketClient, call, frame, post

NICENESS = 10
"""It is the node that is measured: its clients leave the machine to it, and to the honest one."""
PIPELINED = 64
RETRY_S = 0.1
READY = "ready\n"
ORDERS = [order_text(LimitOrderId(number % 500)) for number in range(1_000)]
LIST = call("get_objects", ORDERS)
SHORT = call("get_account_by_name", "alice")
BATCH = b"[" + b",".join([call("get_objects", ORDERS[:100])] * 50) + b"]"


async def ask_for_lists(port: int, source: str) -> None:
    """The longest list that there is, over and over."""
    await _ask_for_ever(port, source, frame(LIST), 1)


async def ask_briefly(port: int, source: str) -> None:
    """A short call, over and over."""
    await _ask_for_ever(port, source, frame(SHORT), 1)


async def ask_in_batches(port: int, source: str) -> None:
    """The longest batches, of long calls."""
    await _ask_for_ever(port, source, frame(BATCH), 1)


async def ask_without_waiting(port: int, source: str) -> None:
    """Many calls on their way at the same time."""
    await _ask_for_ever(port, source, PIPELINED * frame(SHORT), PIPELINED)


async def connect_for_each(port: int, source: str) -> None:
    """A new HTTP connection for each call."""
    while True:
        client = await HttpClient.connect(port, source)
        await client.ask(post(SHORT))
        await client.stream.aclose()


async def _ask_for_ever(port: int, source: str, request: bytes, answers: int) -> None:
    client = await SocketClient.connect(port, source)
    while True:
        await client.ask(request)
        for _ in range(answers - 1):
            await client.skip_frame()


KINDS = (ask_for_lists, ask_briefly, connect_for_each, ask_in_batches, ask_without_waiting)


class GreedyPrograms:
    """Started programs that can be held and let go."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self.processes = processes

    def hold(self) -> None:
        """Have all of them stop where they are."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)

    def let_go(self) -> None:
        """Have all of them go on."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)


@contextmanager
def start_greedy(port: int, sources: list[str]) -> Iterator[GreedyPrograms]:
    """One program for each source address, of the kinds in turn; all of them run already."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(port), f"{number % len(KINDS)}:{source}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, source in enumerate(sources)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
        yield GreedyPrograms(processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> None:
    """Become the clients that the command line names."""
    print(READY, end="", flush=True)
    os.nice(NICENESS)
    trio.run(_run_all, int(sys.argv[1]), sys.argv[2:])


async def _run_all(port: int, clients: list[str]) -> None:
    async with trio.open_nursery() as nursery:
        for client in clients:
            kind, _, source = client.partition(":")
            nursery.start_soon(_run, int(kind), port, source)


async def _run(kind: int, port: int, source: str) -> None:
    """Ask for ever; connect again after being turned away."""
    while True:
        try:
            await KINDS[kind](port, source)
        except (OSError, trio.EndOfChannel, trio.BrokenResourceError):
            await trio.sleep(RETRY_S)


if __name__ == "__main__":
    main()
