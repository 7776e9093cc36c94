"""Turns of clients, by whichever way they come in: over sockets, and by the runner alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from node.api import fair_queue
from node.api.call import Later, Listing
from node.api.json_text import VALUES_A_STEP, Text, joined
from node.api.methods.tables import APIS
from node.services.pages import PAGES
from node.services.request_runner import PART_BYTES, REQUEST_TIMEOUT_S, RequestRunner
from protocol.crypto.keys import wif
from protocol.json_form import JsonValue
from tests.support.api import ChainBackend, Json
from tests.support.chain import TestChain
from tests.support.world import secret_of

from .test_api_limits import CALL, UPGRADE, masked_frame, post, serve

TEXT = json.dumps(CALL)
HERE = "127.0.0.1"
CLOSED_S = 0.05
"""Time in which nothing may come from a node that gives no turns."""


def framed(opcode: int, data: bytes) -> bytes:
    """A client's short frame under a mask of zeros; the opcode with the bit for the last part."""
    return bytes((opcode, 0x80 | len(data))) + bytes(4) + data


def chunked(text: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""])
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (text[:9], text[9:], ""))
    return (head + chunks).encode()


def page(target: str) -> bytes:
    return b"GET " + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"


def serve_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fair_queue, "ROUND_S", 0)
    patch.setattr(fair_queue, "AHEAD_ROUND_S", 0)


@dataclass(frozen=True)
class Entry:
    """A way in: what opens the connection, what is sent then, and what the answer holds."""

    name: str
    opening: bytes
    sent: bytes
    answer: bytes


ENTRIES = [
    Entry("HTTP", b"", post(CALL).replace(b"Connection: close\r\n", b""), b'"result"'),
    Entry("HTTP, one shot", b"", post(CALL), b'"result"'),
    Entry("HTTP, batch", b"", post([CALL] * 3), b'"result"'),
    Entry("HTTP, in chunks", b"", chunked(TEXT), b'"result"'),
    *[Entry(target, b"", page(target), b"HTTP/1.1 200") for target in PAGES],
    Entry("WebSocket", UPGRADE, masked_frame(CALL), b'"result"'),
    Entry("WebSocket, bytes", UPGRADE, b"\x82" + masked_frame(CALL)[1:], b'"result"'),
    Entry("WebSocket, batch", UPGRADE, masked_frame([CALL] * 3), b'"result"'),
    Entry(
        "WebSocket, in parts",
        UPGRADE,
        framed(0x01, TEXT[:9].encode()) + framed(0x80, TEXT[9:].encode()),
        b'"result"',
    ),
    Entry("WebSocket, ping", UPGRADE, framed(0x89, b"are you there"), b"are you there"),
]


@pytest.mark.trio
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
async def test_every_way_in_takes_turns(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: while the queue serves nobody, nothing is answered; then it is."""
    backend = ChainBackend(TestChain("alice"))
    backend.produce()
    async with serve(backend=backend) as port, await trio.open_tcp_stream(HERE, port) as stream:
        if entry.opening:
            await stream.send_all(entry.opening)
            assert b" 101 " in await stream.receive_some()
        with monkeypatch.context() as patch:
            serve_nobody(patch)
            await stream.send_all(entry.sent)
            with trio.move_on_after(CLOSED_S):
                raise AssertionError(await stream.receive_some())
        received = b""
        while entry.answer not in received:
            received += await stream.receive_some()


@pytest.mark.trio
async def test_notices_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: whoever follows everything does not hold up who follows nothing."""
    backend = ChainBackend(TestChain("alice"))
    async with serve(backend=backend) as port, await trio.open_tcp_stream(HERE, port) as stream:
        body = {"id": 1, "method": "set_block_applied_callback", "params": [7]}
        await stream.send_all(UPGRADE + masked_frame(body))
        received = b""
        while b'"result"' not in received:
            received += await stream.receive_some()
        with monkeypatch.context() as patch:
            serve_nobody(patch)
            backend.produce()
            backend.api.flush_sessions()
            with trio.move_on_after(CLOSED_S):
                raise AssertionError(await stream.receive_some())
        while b'"notice"' not in received:
            received += await stream.receive_some()


@pytest.mark.trio
async def test_a_lone_program_is_never_slowed(autojump_clock: trio.abc.Clock) -> None:
    """A9: not after 20,000 calls in a row either, in one connection or in many."""
    runner, session = RequestRunner(), ChainBackend(TestChain("alice")).api.open_session()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        start = trio.current_time()
        for _ in range(20):
            client = runner.queue.open_client(HERE)
            await runner.admit(client)
            for _ in range(1_000):
                await runner.serve(session, client, TEXT)
            runner.queue.close_client(client)
        assert trio.current_time() == start
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_long_call_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: between two slices of long calls others are served; equals come to an end together."""
    monkeypatch.setattr(fair_queue, "SLICE_S", 0)
    runner, done = RequestRunner(), []
    backend = ChainBackend(TestChain("alice"))

    async def ask(name: str, body: Json) -> None:
        client = runner.queue.open_client(HERE)
        await runner.serve(backend.api.open_session(), client, json.dumps(body))
        done.append(name)

    long = {"id": 1, "method": "get_objects", "params": [["1.2.0"] * 1_000]}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        async with trio.open_nursery() as askers:
            for number in range(3):
                askers.start_soon(ask, f"long {number}", long)
            while len(runner.queue) < 3:
                await trio.lowlevel.checkpoint()
            askers.start_soon(ask, "short", CALL)
        nursery.cancel_scope.cancel()
    assert done[0] == "short"
    assert len(done) == 4


@pytest.mark.trio
async def test_a_request_that_takes_too_long_ends(
    autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-A2: a call that is given no turn for 30 seconds is given up, and forgotten."""
    monkeypatch.setattr(fair_queue, "SLICE_S", 0)
    runner = RequestRunner()
    client = runner.queue.open_client(HERE)
    session = ChainBackend(TestChain()).api.open_session()
    body = {"id": 1, "method": "get_objects", "params": [["1.2.0"] * 2]}
    start = trio.current_time()
    with pytest.raises(trio.TooSlowError):
        await runner.serve(session, client, json.dumps(body))
    assert trio.current_time() - start == pytest.approx(REQUEST_TIMEOUT_S)
    assert len(runner.queue) == 0


@pytest.mark.trio
@pytest.mark.parametrize(
    ("api", "method", "arguments"),
    [
        ("debug", "debug_generate_blocks", [wif(secret_of("init0 block"))]),
        ("pegboard_dev", "generate_blocks", []),
        ("pegboard_dev", "mine", []),
    ],
)
async def test_blocks_that_are_being_made_are_all_made(
    autojump_clock: trio.abc.Clock,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    method: str,
    arguments: list[Json],
) -> None:
    """T-A2: their number bounds the call, no clock does; who asked is told of all of them, however
    long the node has other things to do."""
    monkeypatch.setattr(fair_queue, "SLICE_S", 0)
    runner = RequestRunner()
    client = runner.queue.open_client(HERE)
    backend = ChainBackend(TestChain())
    session = backend.api.open_session()
    texts: list[Text] = []

    async def ask() -> None:
        body = {"id": 1, "method": "call", "params": [api, method, [*arguments, 9]]}
        texts.extend(await runner.serve(session, client, json.dumps(body)))

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as asker:
            asker.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            while backend.chain.head_num < 4:
                runner.queue.begin_round()
                runner.queue.serve_waiting()
            await trio.sleep(2.5 * REQUEST_TIMEOUT_S)
            assert backend.chain.head_num == 4
            nursery.start_soon(runner.run)
        nursery.cancel_scope.cancel()
    assert backend.chain.head_num == 9
    assert b'"result":' in b"".join(texts[0])
    assert not session.is_changing, "the next call has its time limit again"


@pytest.mark.trio
async def test_long_answers_are_sent_in_turns() -> None:
    """A10: the kernel copies them too; a piece at a time, and all of it in order."""
    runner, stream = RequestRunner(), trio.testing.MemorySendStream()
    client = runner.queue.open_client(HERE)
    data = [b"start", bytes(range(256)) * (3 * PART_BYTES // 256), b"", b"end"]
    pieces: list[bytes] = []

    async def take_piece() -> None:
        pieces.append(bytes(stream.get_data_nowait()))

    stream.send_all_hook = take_piece
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.run)
        await runner.send_in_turns(client, stream, data)
        nursery.cancel_scope.cancel()
    assert [len(piece) for piece in pieces] == [PART_BYTES] * 3 + [8]
    assert b"".join(pieces) == b"".join(data)


# Steps of one request.


def test_a_batch_gives_way_between_its_calls() -> None:
    """A10: fifty calls are fifty steps, however short each is."""
    work = ChainBackend(TestChain("alice")).api.open_session().serve(json.dumps([CALL] * 50))
    assert sum(1 for _ in work) >= 49


def test_a_batch_is_answered_once_all_of_it_was_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: also when what a call of it waits for happens before the last call was made."""
    backend = ChainBackend(TestChain("alice"))
    session = backend.api.open_session()
    backend.produce()
    calls = [{"id": 2, "method": "wait", "params": []}, CALL]
    later = Later()
    monkeypatch.setitem(APIS["database"], "wait", lambda call: later)
    work = session.serve(json.dumps(calls))
    while not session.waiting:
        next(work)
    later.settle("done")
    with pytest.raises(StopIteration) as end:
        next(work)
    assert [answer["id"] for answer in json.loads(joined(end.value.value[0]))] == [2, 1]
    assert session.take_outgoing() == []


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([1] * 10 * VALUES_A_STEP),
        json.dumps({"id": 1, "method": "none", "params": [["1.7.1"] * 10 * VALUES_A_STEP]}),
    ],
    ids=["numbers", "a request of short texts"],
)
def test_a_long_text_is_read_in_steps(text: str) -> None:
    """A10: checking the values of a text takes longer than what it asks for."""
    work = ChainBackend(TestChain("alice")).api.open_session().serve(text)
    assert sum(1 for _ in work) >= 10


def test_an_answer_is_of_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-A2: a list that is interrupted by a block shows the state after it, in every item."""
    backend = ChainBackend(TestChain("alice", "bob"))

    def heads(call: object) -> Listing:
        def items() -> Iterator[JsonValue]:
            for _ in range(5):
                yield backend.state.dynamic.head_block_number

        return Listing(items)

    monkeypatch.setitem(APIS["database"], "heads", heads)
    work = backend.api.open_session().serve('{"id":1,"method":"heads"}')
    for _ in range(3):
        next(work)
    backend.produce()
    with pytest.raises(StopIteration) as end:
        next(work)
    assert json.loads(joined(end.value.value[0]))["result"] == [1] * 5
