"""T-P5: what piles up for one peer, how it is written, and when that ends; who is dialled."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from node.core.settings import CoreSettings
from node.p2p.effects import OpenConnection, PeerAddress, PeerKey
from node.services import p2p_server
from node.services.p2p_server import (
    RECEIVE_BYTES,
    SEND_QUEUE_BYTES,
    WRITE_BYTES,
    WRITE_STALL_S,
    Connection,
    PeerConnections,
)
from protocol.p2p.framing import MAX_FRAME_BYTES
from tests.support.served_node import ServedNode

SMALL = 4_096


class Pipe:
    """A stream that takes what it has leave to take."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.leave = trio.Semaphore(0)

    async def send_all(self, data: memoryview) -> None:
        """Wait for leave."""
        await self.leave.acquire()
        self.written.append(len(data))

    async def give_leave(self, every_s: float, times: int) -> None:
        """Take a piece so often."""
        for _ in range(times):
            await trio.sleep(every_s)
            self.leave.release()


def connect() -> tuple[Connection, Pipe, list[int]]:
    pipe = Pipe()
    told: list[int] = []
    return Connection(pipe), pipe, told  # type: ignore[arg-type]


@pytest.mark.trio
@pytest.mark.parametrize("item", [0, 100_000, MAX_FRAME_BYTES])
async def test_one_mebibyte_may_wait_beside_the_largest_item(item: int) -> None:
    """T-P5: RELIABILITY's bound, wherever the item stands in the queue, and not a byte more."""
    for at in (0, 7):
        connection, _, told = connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run_writer, told.append)
            await trio.testing.wait_all_tasks_blocked()
            largest = max(item, SMALL)
            room = (SEND_QUEUE_BYTES + largest - item) // SMALL
            for number in range(room):
                if number == at and item:
                    connection.send(bytes(item))
                connection.send(bytes(SMALL))
            kept = connection.queued_bytes
            assert (connection.closing, kept) == (False, SEND_QUEUE_BYTES + largest)
            connection.send(bytes(SMALL))
            assert (connection.closing, connection.queued_bytes) == (True, 0)
            nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_what_is_written_is_told_in_pieces() -> None:
    """T-P5: so a slow peer is served as fast as it reads; small messages leave together."""
    connection, pipe, told = connect()
    async with trio.open_nursery() as nursery:
        for size in (10, 20, WRITE_BYTES * 3, 30):
            connection.send(bytes(size))
        nursery.start_soon(connection.run_writer, told.append)
        await trio.testing.wait_all_tasks_blocked()
        assert told == []
        for _ in range(5):
            pipe.leave.release()
            await trio.testing.wait_all_tasks_blocked()
        assert told == pipe.written == [30, *[WRITE_BYTES] * 3, 30]
        assert connection.queued_bytes == connection.largest_bytes == 0
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_closed_peer_has_one_wait_for_what_is_left(autojump_clock: object) -> None:
    """T-P5: whoever takes a piece now and then does not keep a connection that has ended."""
    connection, pipe, told = connect()
    for _ in range(10):
        connection.send(bytes(WRITE_BYTES))
    started = trio.current_time()
    connection.close()
    with connection.scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run_writer, told.append)
            while True:
                await trio.sleep(WRITE_STALL_S * 0.9)
                pipe.leave.release()
    assert trio.current_time() - started == pytest.approx(WRITE_STALL_S)
    assert len(told) == 1


@pytest.mark.trio
async def test_a_peer_that_takes_nothing_is_dropped(autojump_clock: object) -> None:
    """T-P5: after twenty seconds; one that takes a piece each time before that is not."""
    connection, pipe, told = connect()
    connection.send(bytes(WRITE_BYTES * 3))
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.give_leave, WRITE_STALL_S * 0.9, 2)
        with pytest.raises(trio.TooSlowError):
            await connection.run_writer(told.append)
    assert told == [WRITE_BYTES] * 2
    assert trio.current_time() - started == pytest.approx(WRITE_STALL_S * 2.8)


def test_all_queues_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P5: beyond it the peer goes for which most waits, whoever was sent to last."""
    monkeypatch.setattr(p2p_server, "SEND_QUEUES_BYTES", 10 * RECEIVE_BYTES)
    peers = PeerConnections(None, None)  # type: ignore[arg-type]  # nobody hears of it
    for number, size in ((1, 5 * RECEIVE_BYTES), (2, 3 * RECEIVE_BYTES), (3, RECEIVE_BYTES + 1)):
        peers.open[PeerKey(number)] = connect()[0]
        peers.send(PeerKey(number), bytes(size))
    assert [one.closing for one in peers.open.values()] == [False] * 3
    peers.send(PeerKey(3), bytes(RECEIVE_BYTES))
    assert [one.closing for one in peers.open.values()] == [True, False, False]


@pytest.mark.trio
async def test_a_named_peer_is_dialled_though_nothing_else_happens(tmp_path: Path) -> None:
    """T-P9: whoever carries effects out is woken by the call itself; no tick comes here."""
    node = ServedNode(tmp_path, CoreSettings())
    assert node.backend.add_peer("127.0.0.1", 4711)
    with trio.fail_after(20):
        batch = await node.inputs.next_batch()
    assert OpenConnection(PeerAddress("127.0.0.1", 4711)) in batch.rest
