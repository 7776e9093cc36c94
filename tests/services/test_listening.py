"""Connections that wait at a listening socket, and helper threads that wait for the interpreter."""

from __future__ import annotations

import errno
import resource
import socket
import sys
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

from node.app import HELPER_WAIT_S, run_node
from node.exit_codes import Exit
from node.p2p.effects import PeerAddress, PeerKey
from node.services import descriptors, listening
from node.services.api_server import AT_ONCE_MAX
from node.services.listening import take_connections
from node.services.p2p_server import STRANGERS_AT_ONCE, PeerConnections
from node.services.turns import Turns
from tests.support.logs import captured_log

WAITING = 20


class Rounds(trio.abc.Instrument):
    """Counts the rounds of the event loop."""

    def __init__(self) -> None:
        self.count = 0

    def after_io_wait(self, timeout: float) -> None:
        self.count += 1


async def rounds_of(connections: int, refused: int = 0, a_round: int = AT_ONCE_MAX) -> list[int]:
    """In which round of the event loop each of some connections that wait was handled, but for
    those that are refused."""
    rounds, handled = Rounds(), []

    async def handle(stream: trio.SocketStream) -> None:
        handled.append(rounds.count)
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    trio.lowlevel.add_instrument(rounds)
    with ExitStack() as stack, trio.fail_after(20):
        for _ in range(connections):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        async with trio.open_nursery() as nursery:
            turns = Turns(a_round)
            nursery.start_soon(turns.run)
            nursery.start_soon(take_connections, listener, handle, nursery, turns)
            while len(handled) < connections - refused:
                await trio.sleep(0)
            nursery.cancel_scope.cancel()
    return handled


class Arrivals:
    """Notes in which round of the event loop each peer came, and each that was heard."""

    def __init__(self, rounds: Rounds, known: Collection[int]) -> None:
        self.rounds = rounds
        self.known = known
        self.came: list[int] = []
        self.heard: dict[PeerKey, int] = {}

    def peer_connected(self, peer: PeerKey, address: PeerAddress, *, outbound: bool) -> None:
        self.came.append(self.rounds.count)

    def peer_received(self, peer: PeerKey, data: bytes) -> None:
        self.heard[peer] = self.rounds.count

    def is_peer_active(self, peer: PeerKey) -> bool:
        return peer in self.known

    def peer_written(self, peer: PeerKey, size: int) -> None:
        """Nothing."""

    def peer_disconnected(self, peer: PeerKey) -> None:
        """Nothing."""

    def dial_failed(self, address: PeerAddress) -> None:
        """Nothing."""


async def arrivals_of_peers(connections: int, known: Collection[int] = ()) -> Arrivals:
    """The same of connections at the door of peers, each of which then says something, all at the
    same time; some are known by then."""
    rounds = Rounds()
    arrivals = Arrivals(rounds, known)
    trio.lowlevel.add_instrument(rounds)
    with ExitStack() as stack, trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(PeerConnections(arrivals, nursery).listen, "127.0.0.1", 0)
            peers = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                for _ in range(connections)
            ]
            while len(arrivals.came) < connections:
                await trio.sleep(0)
            await trio.testing.wait_all_tasks_blocked()
            for peer in peers:
                peer.send(b"hello")
            while len(arrivals.heard) < connections:
                await trio.sleep(0)
            nursery.cancel_scope.cancel()
    return arrivals


def test_a_crowd_of_peers_comes_in_by_and_by() -> None:
    """P12, T-P5: some of those that wait at the door of peers in a round, and not all of a crowd,
    whose greetings others would have to wait for."""
    arrivals = trio.run(arrivals_of_peers, 3 * STRANGERS_AT_ONCE)
    for rounds in (arrivals.came, list(arrivals.heard.values())):
        assert max(Counter(rounds).values()) == STRANGERS_AT_ONCE
        assert len(set(rounds)) == 3


def test_a_known_peer_waits_for_no_crowd_of_strangers() -> None:
    """T-P5: the last that came is heard in the first round, and a crowd of known ones at once."""
    last = 3 * STRANGERS_AT_ONCE
    heard = trio.run(arrivals_of_peers, last, (last,)).heard
    assert heard[PeerKey(last)] == min(heard.values()) < max(heard.values())
    assert len(set(trio.run(arrivals_of_peers, last, range(last + 1)).heard.values())) == 1


def test_a_newcomer_waits_for_no_round_of_those_before_it() -> None:
    """T-A2: all that wait are handled in the same round, in which each asks for its turn."""
    assert len(set(trio.run(rounds_of, WAITING))) == 1


def test_not_all_of_a_flood_are_taken_in_at_once() -> None:
    """T-A2: others have their turn after some."""
    assert len(set(trio.run(rounds_of, WAITING, 0, WAITING // 4))) == 4


def test_who_waits_for_a_turn_when_the_server_ends_is_closed() -> None:
    """T-A3: a connection that was taken in already is nobody's else."""

    async def run() -> bytes:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        address = listener.socket.getsockname()
        async with trio.open_nursery() as nursery:
            turns = Turns(0)
            nursery.start_soon(take_connections, listener, trio.aclose_forcefully, nursery, turns)
            client = await trio.open_tcp_stream(*address)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        async with client:
            with trio.fail_after(20):
                return bytes(await client.receive_some())

    assert trio.run(run) == b""


def test_a_machine_without_room_for_connections_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T-A3: a refusal of the machine ends no server."""
    take, refusals = listening._take_one, [OSError(errno.EMFILE, "too many open files")]

    def refuse_once(listener: socket.socket) -> socket.socket | None:
        if refusals:
            raise refusals.pop()
        return take(listener)

    monkeypatch.setattr(listening, "_take_one", refuse_once)
    assert len(trio.run(rounds_of, 1)) == 1
    assert not refusals


def test_the_last_descriptors_are_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R2: a connection that takes one of them is closed at once, and others are taken in once
    there are enough again."""
    with socket.socket() as one:
        for room, verdict in ((one.fileno(), True), (one.fileno() + 1, False)):
            monkeypatch.setattr(descriptors, "room_for_sockets", lambda room=room: room)
            assert descriptors.is_reserved(one) == verdict
    verdicts = [False, True, False]
    monkeypatch.setattr(listening, "is_reserved", lambda connection: verdicts.pop(0))
    with captured_log() as logs:
        assert len(trio.run(rounds_of, 3, 1)) == 2
    assert [line["event"] for line in logs] == ["accept_failed"]


def test_few_descriptors_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R2: 64 are kept back; a process takes no more than it may."""
    limits = {"now": (128, 128)}
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.update(now=new))
    descriptors.raise_limit()
    assert limits["now"] == (128, 128)
    assert descriptors.room_for_sockets() == 64
    limits["now"] = (1_024, 1 << 20)
    descriptors.raise_limit()
    assert limits["now"] == (descriptors.WANTED, 1 << 20)
    assert descriptors.room_for_sockets() == descriptors.WANTED - descriptors.RESERVED
    limits["now"] = (20, 20)
    assert descriptors.room_for_sockets() == 10


def test_a_node_lets_helper_threads_in_soon(tmp_path: Path) -> None:
    """T-R3: a thread that stores a block needs the interpreter a hundred times."""
    before = sys.getswitchinterval()
    try:
        assert run_node(tmp_path / "missing.toml") == Exit.CONFIGURATION
        assert sys.getswitchinterval() == pytest.approx(HELPER_WAIT_S)
    finally:
        sys.setswitchinterval(before)
