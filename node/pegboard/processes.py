"""Real processes of pegboard for tests of bots: a development node, a network of witnesses."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node.cli.client import NodeClient, as_int, as_object
from node.cli.exits import NodeUnreachable
from node.cli.network_files import free_ports
from node.clock import monotonic_s, sleep_s
from node.presets import PEGS
from pegboard.client import connect
from pegboard.vocabulary import Market

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 20
POLL_S = 0.1
TOLD_LENGTH = 2_000
"""Characters of a log that the refusal of a process that does not start tells."""


@dataclass(frozen=True, slots=True)
class Served:
    """A node that serves an API, and a market on it."""

    url: str
    market: Market
    """Whose words are transactions that are signed and sent to the node."""

    @property
    def websocket_url(self) -> str:
        """The same address for WebSocket."""
        return self.url.replace("http://", "ws://", 1)


@contextmanager
def served(*command: str, directory: Path, seed: int = 0) -> Iterator[Served]:
    """A `pegboard` command that serves an API, from its first block until the block's end.

    The prices of the preset are published once; they are the test's own from then on. Raises
    `NodeUnreachable` when it does not start, with the end of its log.
    """
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    log = directory / "log.txt"
    arguments = ("--feed", "none", "--api", f"127.0.0.1:{port}", "--data-dir", directory / "data")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "node", *command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for_block(url, process, log)
        market = connect(url, seed=seed)
        for symbol, peg in PEGS.items():
            market.feed(symbol, peg.feed.removeprefix("fixed:"))
        yield Served(url, market)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def reverted(node: Served, *, seed: int = 0) -> Iterator[Served]:
    """A development node as it is now, and again at the block's end; with a market of its own."""
    client = NodeClient(node.url)
    place = as_object(client.call("pegboard_dev", "snapshot"))["snapshot"]
    try:
        yield Served(node.url, connect(node.url, seed=seed))
    finally:
        client.call("pegboard_dev", "revert", place)
        client.call("pegboard_dev", "drop_snapshot", place)


def _wait_for_block(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    client, deadline = NodeClient(url), monotonic_s() + START_TIMEOUT_S
    while process.poll() is None and monotonic_s() < deadline:
        try:
            head = as_object(client.call("database", "get_dynamic_global_properties"))
        except NodeUnreachable:
            head = {}
        if as_int(head.get("head_block_number", 0)) > 0:
            return
        sleep_s(POLL_S)
    told = log.read_text(errors="replace")[-TOLD_LENGTH:]
    raise NodeUnreachable(f"the node does not start: {told}", value=url)
