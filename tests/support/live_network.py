"""Real node processes on loopback, for functional tests: started, watched, killed, restarted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from node.cli.client import NodeClient
from node.cli.exits import NodeUnreachable
from node.cli.network_files import (
    Network,
    NodePlan,
    Wanted,
    free_ports,
    open_network,
    plan_development_node,
    plan_nodes,
)
from node.config import ProductionMode

T = TypeVar("T")

START_TIMEOUT_S = 300
"""A start is waited for so long on a busy machine; a process that has ended is told at once."""

STOP_TIMEOUT_S = 120
"""A process that takes so long to end hangs, however busy the machine is."""
POLL_S = 0.1


class NodeEnded(AssertionError):
    """A process is no more where it was waited for."""


class Head(NamedTuple):
    """What two nodes must agree on at one height."""

    num: int
    block_id: str
    state_hash: str


@dataclass
class LiveNode:
    """One process and its files."""

    plan: NodePlan
    process: subprocess.Popen[bytes] | None = None
    client: NodeClient | None = None
    answer_timeout_s: int = 10
    program: tuple[str, ...] = ("-m", "node")
    """What Python runs."""

    @classmethod
    def development(
        cls,
        directory: Path,
        mode: ProductionMode,
        wanted: Wanted | None = None,
        feeds: Mapping[str, str] | None = None,
    ) -> LiveNode:
        """A development node of a fresh chain, with files of its own; it does not run yet."""
        network, _ = open_network(directory, wanted or Wanted(), now_s=int(time.time()))
        return cls(plan_development_node(network, mode, "127.0.0.1:0", feeds or {}))

    @property
    def directory(self) -> Path:
        return self.plan.settings.parent

    @property
    def endpoints(self) -> Path:
        return self.directory / "data" / "endpoints.json"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process and wait until its API answers."""
        self.spawn()
        self.wait_until_served()

    def spawn(self) -> None:
        """Start the process."""
        self.endpoints.unlink(missing_ok=True)
        with self.plan.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, *self.program),
                    *("node", "--config", str(self.plan.settings)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_served(self) -> None:
        """Wait until the API answers; `NodeEnded` when the process ends instead."""

        def is_served() -> bool:
            if not self.is_running:
                raise NodeEnded(f"{self.plan.name} ended while it started\n{self.log_tail()}")
            return self.endpoints.exists()

        wait_for(is_served, f"{self.plan.name} to start", START_TIMEOUT_S, [self])
        port = json.loads(self.endpoints.read_text())["api"]
        self.client = NodeClient(f"http://127.0.0.1:{port}", timeout_s=self.answer_timeout_s)

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask the process to end; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def head(self) -> Head:
        """Height, block id and state hash of the head block."""
        assert self.client is not None
        answer = self.client.call("pegboard", "get_state_hash")
        assert isinstance(answer, dict)
        num = answer["block_num"]
        assert isinstance(num, int)
        return Head(num, str(answer["block_id"]), str(answer["state_hash"]))

    def log_tail(self) -> str:
        """The end of the log, for the message of a failing test."""
        return self.plan.log.read_text(errors="replace")[-2_000:] if self.plan.log.exists() else ""


@dataclass
class LiveNetwork:
    """Witness processes that know each other; each serves an API of its own."""

    network: Network
    nodes: dict[str, LiveNode] = field(default_factory=dict)

    @classmethod
    def create(
        cls, directory: Path, witness_count: int, block_interval_s: int, *, now_s: int | None = None
    ) -> LiveNetwork:
        """Write the files of a network; nothing runs yet. The node `api` is a fresh observer.

        The genesis is of `now_s`, or of now.
        """
        wanted = Wanted(witness_count=witness_count, block_interval_s=block_interval_s)
        network, _ = open_network(directory, wanted, now_s=now_s or int(time.time()))
        [api_port] = free_ports(1)
        plans = plan_nodes(network, f"127.0.0.1:{api_port}", {"USD": "fixed:0.1"})
        return cls(network, {plan.name: LiveNode(plan) for plan in plans})

    def wait_until_agreed(self, names: Iterable[str], above: int, timeout_s: float = 60) -> Head:
        """Wait until all these nodes show one head above a height, and one state hash."""
        nodes = [self.nodes[name] for name in names]

        def agreed() -> Head | None:
            heads = {node.head() for node in nodes}
            head = heads.pop()
            return head if not heads and head.num > above else None

        return wait_for(agreed, f"one head above {above}", timeout_s, nodes)

    def wait_for_height(self, name: str, num: int, timeout_s: float = 60) -> None:
        """Wait until a node's head has reached a height."""
        node = self.nodes[name]
        wait_for(lambda: node.head().num >= num, f"height {num}", timeout_s, [node])

    def stop_all(self) -> None:
        """End whatever still runs; for the end of a test, however it ends."""
        for node in self.nodes.values():
            if node.process is not None and node.is_running:
                node.process.terminate()
        for node in self.nodes.values():
            if node.process is not None:
                try:
                    node.process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    node.kill()


def wait_for(
    poll: Callable[[], T | None], what: str, timeout_s: float, nodes: Iterable[LiveNode]
) -> T:
    """The first true value of a poll; the failure shows the ends of the logs."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            found = poll()
        except NodeUnreachable:
            found = None
        if found:
            return found
        time.sleep(POLL_S)
    logs = "\n".join(f"--- {node.plan.name}\n{node.log_tail()}" for node in nodes)
    raise AssertionError(f"timed out waiting for {what}\n{logs}")
