"""The reader of HTTP requests, beside h11 on the same bytes: repeated heads, hostile framings."""

from __future__ import annotations

import itertools
import re

import h11
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from node.api.answer_room import AnswerRoom, AnswerShare
from node.api.json_text import REQUEST_BYTES_MAX
from node.services.http_connection import HttpConnection
from node.services.http_head import HEAD_BYTES_MAX, HEADS_KEPT, RequestRefused, parse_head
from node.services.request_runner import RequestRunner
from tests.services.test_api_server import (
    CHAIN_ID_CALL,
    encoded,
    read_all,
    read_response,
    serve,
    status_of,
)
from tests.support.bad_requests import bad_requests

STATUS = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} ")
BODY = encoded(CHAIN_ID_CALL)
JSON = b"Content-Type: application/json"

Requests = list[tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]]
"""Method, target, fields and body of each request of a connection."""


def read_with_h11(data: bytes) -> Requests:
    """What h11 sees on a connection up to its first error, or to what this node refuses."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data)
    parser.receive_data(b"")
    found: Requests = []
    try:
        while isinstance(request := parser.next_event(), h11.Request):
            if is_refused_by_rule(request):
                break
            body = b""
            while isinstance(event := parser.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                break
            found.append((request.method, request.target, list(request.headers), body))
            parser.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
            parser.send(h11.EndOfMessage())
            if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
                break
            parser.start_next_cycle()
    except h11.RemoteProtocolError:
        pass
    return found


async def read_with_ours(data: bytes, cuts: list[int]) -> Requests:
    """What `HttpConnection` sees of the same bytes in these packets."""
    near, far = trio.testing.memory_stream_pair()
    runner = RequestRunner()
    client = runner.queue.open_client("127.0.0.1")
    share = AnswerShare(AnswerRoom())
    http = HttpConnection(far, runner, client)  # type: ignore[arg-type]  # it reads, and answers 100
    found: Requests = []

    async def send() -> None:
        for start, end in itertools.pairwise([0, *sorted(cuts), len(data)]):
            if data[start:end]:
                await near.send_all(data[start:end])
                await trio.testing.wait_all_tasks_blocked()
        await near.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        nursery.start_soon(runner.run)
        try:
            while (head := await http.read_head()) is not None:
                body = await http.read_body(head, share) if head.length != 0 else b""
                fields = [(name, value.encode("latin-1")) for name, value in head.fields.items()]
                found.append((head.method, head.target, fields, body))
                if head.closes:
                    break
        except RequestRefused:
            pass
        nursery.cancel_scope.cancel()
    return found


LINES = st.sampled_from(
    [
        b"Host: localhost",
        b"host:localhost",
        b"Content-Length: 4",
        b"Content-Length: 4",
        b"Content-Length: 5",
        b"Content-Length: 4, 4",
        b"Content-Length: 4, 5",
        b"Content-Length: +4",
        b"Content-Length: 0x4",
        b"Content-Length : 4",
        b" Content-Length: 4",
        b"Content-Length:\t4 ",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"X: y\r\n folded",
        b"X: y\n\tfolded",
        b"X: a\rContent-Length: 9",
        b"X: \x00",
        b"X:",
        b": y",
        b"Connection: close",
        b"Connection: keep-alive, Close",
        b"Expect: 100-continue",
        b"Upgrade: websocket",
        b"X-Long: " + b"x" * 2_000,
    ]
)
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\r\n", b"\n\r"])
STARTS = st.sampled_from(
    [b"POST / HTTP/1.1"] * 6
    + [b"GET / HTTP/1.1", b"POST / HTTP/1.0", b"POST / HTTP/2.0", b"POST  / HTTP/1.1", b"POST /"]
)
BODIES = st.sampled_from(
    [b"", b"null", b"null ", b"4\r\nnull\r\n0\r\n\r\n", b"4\nnull\n0\n\n", b"0\r\n\r\n", b"-1\r\n"]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, likely wrong in one of the ways that divide parsers."""
    lines = [draw(STARTS), JSON, *draw(st.lists(LINES, max_size=4)), b""]
    return b"".join(line + draw(ENDS) for line in lines) + draw(BODIES)


SMUGGLING = [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nnullGET /x HTTP/1.1\r\n\r\n",
    b"Content-Length: 4\n\nnullGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"X: y\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"X: y\r\n Content-Length: 4\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n4;x=\r\nnull\r\n0\r\nContent-Length: 3\r\n\r\nPOST",
]


@given(
    st.lists(requests(), min_size=1, max_size=3).map(b"".join) | st.binary(max_size=60),
    st.lists(st.integers(0, 400), max_size=3),
)
@settings(deadline=None, max_examples=400)
def test_requests_are_those_that_h11_sees(data: bytes, cuts: list[int]) -> None:
    """T-A8: never another request, nor another body, than a parser of the field finds."""
    ours = trio.run(read_with_ours, data, [cut for cut in cuts if cut <= len(data)])
    assert plain(ours) == plain(read_with_h11(data))


@pytest.mark.trio
async def test_two_hundred_requests_that_are_none() -> None:
    """T-A8: each gets an error's status, the end of the connection, and nothing else."""
    texts = bad_requests()
    assert len(texts) >= 200
    async with serve() as served:
        for text in texts:
            answer = await served.exchange(text)
            assert status_of(answer) >= 400, text[:200]
            assert len(STATUS.findall(answer)) == 1, text[:200]
            assert b'"result"' not in answer, text[:200]
        good = served.post(BODY, "Connection: close")
        assert status_of(await served.exchange(good)) == 200


@pytest.mark.parametrize("smuggled", SMUGGLING)
def test_no_request_is_smuggled_in_another_ones_body(smuggled: bytes) -> None:
    """T-A8: the framings that divide parsers, after a good request on the same connection."""
    good = b"POST / HTTP/1.1\r\n" + JSON + b"\r\nHost: a\r\nContent-Length: 4\r\n\r\nnull"
    data = good + b"POST / HTTP/1.1\r\n" + JSON + b"\r\nHost: a\r\n" + smuggled
    theirs = plain(read_with_h11(data))
    assert theirs
    for cut in range(len(good), len(data)):
        assert plain(trio.run(read_with_ours, data, [cut])) == theirs


def plain(requests: Requests) -> Requests:
    """The same with each field once, as the last of its name says."""
    return [
        (method, target, sorted({name: value.strip() for name, value in fields}.items()), body)
        for method, target, fields, body in requests
    ]


def is_refused_by_rule(request: h11.Request) -> bool:
    """Whether a request that h11 takes is one of those that this node refuses."""
    names = [name for name, _ in request.headers]
    return request.http_version != b"1.1" or {b"transfer-encoding", b"content-length"} <= set(names)


def parts(data: bytes, cuts: tuple[int, ...]) -> list[bytes]:
    """A text in packets."""
    return [data[start:end] for start, end in itertools.pairwise((0, *cuts, len(data)))]


@pytest.mark.trio
async def test_a_head_that_repeats_is_parsed_once_and_gives_the_same_response() -> None:
    """To the byte, for answers and for errors of JSON-RPC."""
    parse_head.cache_clear()
    async with serve() as served, await served.connect() as stream:
        for body in (BODY, b"nonsense!"):
            answers = set()
            for _ in range(3):
                await stream.send_all(served.post(body))
                answers.add(await read_raw(stream, b"}"))
            assert len(answers) == 1
    assert (parse_head.cache_info().misses, parse_head.cache_info().hits) == (2, 4)


@pytest.mark.trio
async def test_pipelined_and_split_requests_are_answered_in_order() -> None:
    """HTTP/1.1: packets end anywhere, and answers keep the order of requests."""
    async with serve() as served, await served.connect() as stream:
        bodies = [encoded(CHAIN_ID_CALL | {"id": number}) for number in range(3, 9)]
        text = b"".join(map(served.post, bodies))
        for part in parts(text, (len(text) // 3, len(text) // 2)):
            await stream.send_all(part)
            await trio.testing.wait_all_tasks_blocked(0.01)
        found = b""
        while found.count(b'"result"') < len(bodies):
            found += await stream.receive_some()
        places = [found.index(f'"id":{number},'.encode()) for number in range(3, 9)]
        assert places == sorted(places)


@pytest.mark.trio
async def test_a_body_that_ends_early_is_refused() -> None:
    """T-A1: 400, whether the head is new or was seen before."""
    for _ in range(2):
        async with serve() as served, await served.connect() as stream:
            await stream.send_all(served.post(BODY)[:-1])
            await stream.send_eof()
            assert status_of(await read_all(stream)) == 400


@pytest.mark.trio
@pytest.mark.parametrize(
    ("line", "status"),
    [("Origin: http://evil.example", 403), ("Transfer-Encoding: chunked", 400)],
)
async def test_every_head_is_checked(line: str, status: int) -> None:
    """T-A5: one that was answered before vouches for no other one, nor for itself elsewhere."""
    async with serve() as served:
        for _ in range(2):
            async with await served.connect() as stream:
                await stream.send_all(served.post(BODY))
                assert (await read_response(stream))[0] == 200
                await stream.send_all(served.post(BODY, line))
                assert status_of(await read_all(stream)) == status


@pytest.mark.trio
async def test_a_body_in_chunks_is_taken_up_to_the_limit() -> None:
    """T-A1: the size counts, not what was announced."""
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + JSON
    async with serve() as served, await served.connect() as stream:
        small = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        for _ in range(2):
            await stream.send_all(head + b"\r\n\r\n" + small)
            assert (await read_response(stream))[0] == 200
        large = b"%x\r\n%b" % (2 * REQUEST_BYTES_MAX, b" " * (REQUEST_BYTES_MAX + 1))
        await stream.send_all(head + b"\r\n\r\n" + large)
        assert status_of(await read_all(stream)) == 413


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


def test_kept_heads_are_bounded() -> None:
    """T-A1: so many, each within the limit of a head."""
    for number in range(2 * HEADS_KEPT):
        parse_head(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: %d\r\n\r\n" % number)
    assert parse_head.cache_info().currsize == HEADS_KEPT
    with pytest.raises(RequestRefused) as refusal:
        parse_head(b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES_MAX + b"\r\n\r\n")
    assert refusal.value.status == 431


async def read_raw(stream: trio.SocketStream, end: bytes) -> bytes:
    """What arrives, up to an end."""
    data = b""
    while not data.endswith(end):
        data += await stream.receive_some()
    return data
