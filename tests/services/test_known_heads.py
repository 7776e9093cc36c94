"""Heads of HTTP requests that repeat themselves: quicker, and no way around any limit."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing

from node.services.http_connection import HEADS_KEPT, HttpConnection
from tests.services.test_api_server import (
    CHAIN_ID_CALL,
    Served,
    encoded,
    read_all,
    read_response,
    serve,
    status_of,
)

BODY = encoded(CHAIN_ID_CALL)


async def read_raw(stream: trio.SocketStream, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += await stream.receive_some()
    return data


async def make_known(served: Served, stream: trio.SocketStream) -> None:
    """Have one request answered, so that its head is known."""
    await stream.send_all(served.post(BODY))
    assert (await read_response(stream))[0] == 200


@pytest.fixture
def known_bodies(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Bodies that came under a known head."""
    found: list[bytes] = []
    read = HttpConnection.read_known

    async def read_and_note(self: HttpConnection) -> bytes | None:
        body = await read(self)
        if body is not None:
            found.append(body)
        return body

    monkeypatch.setattr(HttpConnection, "read_known", read_and_note)
    return found


@pytest.mark.trio
async def test_a_known_head_gives_the_same_response(known_bodies: list[bytes]) -> None:
    """To the byte, for answers and for errors of JSON-RPC."""
    async with serve() as served, await served.connect() as stream:
        for body in (BODY, b"nonsense!"):
            answers = set()
            for _ in range(3):
                await stream.send_all(served.post(body))
                answers.add(await read_raw(stream, b"}"))
            assert len(answers) == 1
    assert known_bodies == [BODY, BODY, b"nonsense!", b"nonsense!"]


@pytest.mark.trio
async def test_pipelined_and_split_requests_under_known_heads(known_bodies: list[bytes]) -> None:
    """HTTP/1.1: packets end anywhere, and answers keep the order of requests."""
    async with serve() as served, await served.connect() as stream:
        await make_known(served, stream)
        bodies = [encoded(CHAIN_ID_CALL | {"id": number}) for number in range(3, 9)]
        text = b"".join(map(served.post, bodies))
        cuts = (0, len(text) // 3, len(text) // 2, len(text))
        for start, end in itertools.pairwise(cuts):
            await stream.send_all(text[start:end])
            await trio.testing.wait_all_tasks_blocked(0.01)
        found = b""
        while found.count(b'"result"') < len(bodies):
            found += await stream.receive_some()
        places = [found.index(f'"id":{number},'.encode()) for number in range(3, 9)]
        assert places == sorted(places)
    assert known_bodies


@pytest.mark.trio
async def test_a_body_that_ends_early_under_a_known_head_is_refused() -> None:
    """T-A1: as under any other head."""
    async with serve() as served, await served.connect() as stream:
        await make_known(served, stream)
        await stream.send_all(served.post(BODY)[:-1])
        await stream.send_eof()
        assert status_of(await read_all(stream)) == 400


@pytest.mark.trio
@pytest.mark.parametrize(
    ("line", "status"),
    [("Origin: http://evil.example", 403), ("Transfer-Encoding: chunked", 400)],
)
async def test_another_head_is_checked_as_the_first_one(line: str, status: int) -> None:
    """T-A5: a known head vouches for no other one."""
    async with serve() as served, await served.connect() as stream:
        await make_known(served, stream)
        await stream.send_all(served.post(BODY, line))
        assert status_of(await read_all(stream)) == status


@pytest.mark.trio
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
async def test_only_a_head_whose_end_is_certain_is_known(
    ending: bytes, known_bodies: list[bytes]
) -> None:
    """Lines may end in a bare line feed; then the first empty line of the other kind is in the
    body, and what stands before it is no head."""
    async with serve() as served, await served.connect() as stream:
        body = BODY[:-1] + b"\r\n\r\n}"
        for _ in range(2):
            head = served.post(body).removesuffix(body).replace(b"\r\n", ending)
            await stream.send_all(head + body)
            assert (await read_response(stream))[0] == 200
    assert known_bodies == ([body] if ending == b"\r\n" else [])


@pytest.mark.trio
async def test_a_client_that_is_told_to_continue_is_told_each_time() -> None:
    """HTTP/1.1: `Expect: 100-continue` is answered before the body is there."""
    async with serve() as served, await served.connect() as stream:
        head = served.post(BODY, "Expect: 100-continue").removesuffix(BODY)
        for _ in range(2):
            await stream.send_all(head)
            assert status_of(await read_raw(stream, b"\r\n\r\n")) == 100
            await stream.send_all(BODY)
            assert (await read_response(stream))[0] == 200


@pytest.mark.trio
async def test_known_heads_are_bounded(known_bodies: list[bytes]) -> None:
    """T-A1: a connection keeps so many, and serves the others as before."""
    async with serve() as served, await served.connect() as stream:
        for _ in range(2):
            for number in range(HEADS_KEPT + 2):
                await stream.send_all(served.post(BODY, f"X-Number: {number}"))
                assert (await read_response(stream))[0] == 200
    assert len(known_bodies) == HEADS_KEPT
