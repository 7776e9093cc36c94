"""What becomes of a node when one of its tasks fails or holds the others up (T-R3, T-R4)."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from node import app
from node.app import run_node
from node.cli.network_files import Wanted, open_network, plan_development_node
from node.clock import wall_s
from node.exit_codes import Exit
from node.p2p.effects import PeerAddress, PeerKey
from node.services.history_keeper import HistoryKeeper
from node.services.node_inputs import NodeInputs
from node.services.node_service import NodeService
from node.services.p2p_server import PeerConnections
from node.services.step_watch import STEP_MAX_S, StepWatch
from node.state.errors import InvariantViolated
from tests.support.logs import captured_log

LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a development node that makes blocks by the clock, each second."""
    interval_s = sys.getswitchinterval()
    wanted = Wanted(preset="testnet", witness_count=1, block_interval_s=1)
    network, _ = open_network(tmp_path_factory.mktemp("net"), wanted, now_s=wall_s())
    yield plan_development_node(network, "interval", f"{LOCAL}:0", {}).settings
    sys.setswitchinterval(interval_s)
    gc.unfreeze()
    gc.enable()


TASKS = [
    (NodeInputs, "tick"),
    (NodeService, "_carry"),
    (HistoryKeeper, "run"),
    (app, "_save_peers"),
]
"""What tasks of a node do."""


@pytest.mark.parametrize(("owner", "name"), TASKS, ids=[name for _, name in TASKS])
def test_a_task_that_fails_ends_the_node(
    settings: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    """T-R4: with exit code 70, whichever it is; no node goes on without one of its tasks."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"{name} has a bug")

    monkeypatch.setattr(owner, name, fail)
    monkeypatch.setattr(app, "configure_log", lambda: None)
    assert run_node(settings) == Exit.BROKEN


class Peers:
    """Takes bytes of peers, and has a bug."""

    def __init__(self, bug: Exception) -> None:
        self.bug = bug
        self.received: list[bytes] = []
        self.gone = 0

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        """Nothing."""

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        if data == b"bug":
            raise self.bug
        self.received.append(data)

    def is_peer_active(self, peer: PeerKey) -> bool:
        return True

    def peer_written(self, peer: PeerKey, size: int) -> None:
        """Nothing."""

    def peer_disconnected(self, peer: PeerKey) -> None:
        self.gone += 1

    def dial_failed(self, address: PeerAddress) -> None:
        """Nothing."""


async def meet_bug(peers: Peers) -> bytes:
    """One peer meets the bug, then another one sends; what the first one hears."""
    async with trio.open_nursery() as nursery:
        port = await nursery.start(PeerConnections(peers, nursery).listen, LOCAL, 0)
        first, second = [await trio.open_tcp_stream(LOCAL, port) for _ in range(2)]
        async with first, second:
            await first.send_all(b"bug")
            with trio.fail_after(20):
                end = await first.receive_some(1)
                await second.send_all(b"fine")
                while not (peers.received and peers.gone):
                    await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return end


def test_a_bug_that_a_peer_meets_costs_its_connection_only() -> None:
    """T-R4: the others are served on, and the log has the traceback."""
    peers = Peers(KeyError("a bug"))
    with captured_log() as logs:
        assert trio.run(meet_bug, peers) == b""
    assert peers.received == [b"fine"]
    [line] = [line for line in logs if line["event"] == "peer_bug"]
    assert line["exc_info"]


def test_a_state_that_contradicts_itself_ends_the_node_whoever_shows_it() -> None:
    """T-R4: that is no bug of one connection."""
    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(meet_bug, Peers(InvariantViolated("supply")))
    assert caught.value.subgroup(InvariantViolated) is not None


async def held_up() -> None:
    await trio.lowlevel.checkpoint()
    time.sleep(STEP_MAX_S * 1.2)
    await trio.lowlevel.checkpoint()


def test_a_task_that_holds_the_loop_up_is_named() -> None:
    """T-R3: which task, for how long, and where it waits next."""
    with captured_log() as logs:
        trio.run(held_up, instruments=[StepWatch()])
    found = [line for line in logs if line["event"] == "slow_step" and "held_up" in line["task"]]
    assert len(found) == 1
    assert found[0]["ms"] > STEP_MAX_S * 1_000
