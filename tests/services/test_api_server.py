"""The API over real sockets: HTTP, WebSocket, hostile input, slow readers."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from trio_websocket import connect_websocket_url

from node.api.json_text import REQUEST_BYTES_MAX
from node.api.methods.tables import APIS
from node.config import ConfigError
from node.services import api_server
from node.services.api_server import ApiOptions, serve_api
from node.services.http_head import HEAD_BYTES_MAX, HEADER_LINES_MAX
from node.services.request_runner import RequestRunner
from node.state.errors import InvariantViolated
from tests.support.api import ChainBackend, Json, transaction_json
from tests.support.chain import TestChain

CHAIN_ID_CALL = {"id": 1, "method": "call", "params": [0, "get_chain_id", []]}


class Served:
    """An API behind its server."""

    def __init__(self, backend: ChainBackend, port: int) -> None:
        self.backend = backend
        self.port = port

    async def connect(self) -> trio.SocketStream:
        """A plain TCP connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def exchange(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own; everything that comes until it closes."""
        async with await self.connect() as stream:
            await stream.send_all(data)
            return await read_all(stream)

    def head(self, *lines: str, verb: str = "POST", path: str = "/", host: str = "") -> str:
        """The head of a request, without the empty line that ends it."""
        first = [f"{verb} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}"]
        return "\r\n".join([*first, *lines]) + "\r\n"

    def post(self, body: bytes, *lines: str, kind: str = "application/json") -> bytes:
        """A whole POST request."""
        length = (f"Content-Length: {len(body)}",)
        return self.head(f"Content-Type: {kind}", *length, *lines).encode() + b"\r\n" + body

    def upgrade(self, *lines: str, key: str | None = None, path: str = "/") -> bytes:
        """A WebSocket handshake."""
        token = base64.b64encode(os.urandom(16)).decode() if key is None else key
        return (
            self.head(
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Key: {token}",
                *lines,
                verb="GET",
                path=path,
            )
            + "\r\n"
        ).encode()


@asynccontextmanager
async def serve(
    backend: ChainBackend | None = None, connections_max: int = 10
) -> AsyncIterator[Served]:
    """A server for the time of a test; the whole must end within a minute."""
    backend = backend or ChainBackend(TestChain("alice", "bob"))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:

            async def run(
                task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
            ) -> None:
                await serve_api(
                    backend.api,
                    "127.0.0.1",
                    0,
                    options=ApiOptions(connections_max=connections_max),
                    task_status=task_status,
                )

            yield Served(backend, await nursery.start(run))
            nursery.cancel_scope.cancel()


async def read_all(stream: trio.SocketStream) -> bytes:
    data = b""
    try:
        while chunk := await stream.receive_some():
            data += chunk
    except trio.BrokenResourceError:
        pass
    return data


async def read_response(stream: trio.SocketStream) -> tuple[int, Json]:
    """Status and JSON body of one response."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(lines[b"content-length"]):
        body += await stream.receive_some()
    return status_of(head), json.loads(body)


def status_of(data: bytes) -> int:
    """The status code at the start of a response, 0 for none."""
    return int(data.split(b" ")[1]) if data.startswith(b"HTTP/1.1 ") else 0


def masked_frame(text: str) -> bytes:
    """A client's text frame of fewer than 126 bytes, under a mask of zeros."""
    body = text.encode()
    return bytes((0x81, 0x80 | len(body), 0, 0, 0, 0)) + body


def encoded(value: Json) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.trio
async def test_http_post_and_keep_alive() -> None:
    """CLIENTS: one session of many POSTs at `/`."""
    async with serve() as served, await served.connect() as stream:
        for number in range(3):
            await stream.send_all(served.post(encoded(CHAIN_ID_CALL | {"id": number})))
            status, answer = await read_response(stream)
            assert status == 200
            assert answer == {"id": number, "result": served.backend.chain_id.hex()}


@pytest.mark.trio
async def test_execution_errors_have_status_200() -> None:
    """CLIENTS: graphenelib raises on any other; 400 is for codes of JSON-RPC itself."""
    async with serve() as served, await served.connect() as stream:
        body = {"id": 1, "method": "call", "params": [0, "get_account_balances", ["x", []]]}
        await stream.send_all(served.post(encoded(body)))
        status, answer = await read_response(stream)
        assert (status, answer["error"]["code"]) == (200, 10)
        await stream.send_all(served.post(b"nonsense"))
        status, answer = await read_response(stream)
        assert (status, answer["error"]["code"]) == (400, -32700)
        await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
        assert (await read_response(stream))[0] == 200


@pytest.mark.trio
async def test_pipelined_requests_are_answered_in_order() -> None:
    """HTTP/1.1: two requests in one packet."""
    async with serve() as served, await served.connect() as stream:
        requests = [served.post(encoded(CHAIN_ID_CALL | {"id": number})) for number in (1, 2)]
        await stream.send_all(b"".join(requests))
        data = b""
        while data.count(b'"result"') < 2:
            data += await stream.receive_some()
        assert data.index(b'"id":1') < data.index(b'"id":2')


@pytest.mark.trio
async def test_a_synchronous_broadcast_over_http_waits_for_its_block() -> None:
    """CLIENTS: the Python client's blocking mode over HTTP."""
    async with serve() as served, await served.connect() as stream:
        chain = served.backend.test_chain
        body = transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))
        params = ["network_broadcast", "broadcast_transaction_synchronous", [body]]
        await stream.send_all(served.post(encoded({"id": 1, "method": "call", "params": params})))
        while not served.backend.api.waits:
            await trio.sleep(0.01)
        served.backend.produce()
        status, answer = await read_response(stream)
        assert status == 200
        assert answer["result"]["block_num"] == 1
        assert served.backend.api.sessions == {}


@pytest.mark.trio
async def test_an_answer_that_comes_too_late_over_http_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C19: status 504, and the call's own answer with the reason; the transaction still waits."""
    monkeypatch.setattr(api_server, "ANSWER_TIMEOUT_S", 0.05)
    async with serve() as served, await served.connect() as stream:
        chain = served.backend.test_chain
        body = transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))
        params = ["network_broadcast", "broadcast_transaction_synchronous", [body]]
        await stream.send_all(served.post(encoded({"id": 9, "method": "call", "params": params})))
        status, answer = await read_response(stream)
        assert (status, answer["id"]) == (504, 9)
        assert answer["error"]["data"]["name"] == "not_confirmed_yet"
        assert len(chain.chain.pending) == 1
        assert len(served.backend.api.waits) == 0


@pytest.mark.trio
async def test_a_call_that_takes_too_long_over_http_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C19, T-A2: status 504 with the reason, not an empty body."""

    async def too_slow(*_: object) -> list[str]:
        raise trio.TooSlowError

    async with serve() as served, await served.connect() as stream:
        monkeypatch.setattr(RequestRunner, "serve", too_slow)
        await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
        status, answer = await read_response(stream)
        assert (status, answer["error"]["data"]["name"]) == (504, "too_slow")


@pytest.mark.trio
async def test_websocket_calls_and_notices() -> None:
    """CLIENTS: text frames; a notice after the answer that subscribed to it."""
    async with serve() as served:
        socket_url = f"ws://127.0.0.1:{served.port}"
        async with trio.open_nursery() as nursery:
            socket = await connect_websocket_url(nursery, socket_url)
            await socket.send_message(json.dumps(CHAIN_ID_CALL))
            assert json.loads(await socket.get_message())["id"] == 1
            body = {"id": 2, "method": "call", "params": [0, "set_block_applied_callback", [7]]}
            await socket.send_message(json.dumps(body))
            assert json.loads(await socket.get_message()) == {"id": 2, "result": None}
            applied = served.backend.produce()
            notice = json.loads(await socket.get_message())
            assert notice == {"method": "notice", "params": [7, [applied.envelope.id.hex()]]}
            await socket.aclose()
        while served.backend.api.sessions:
            await trio.sleep(0.01)


@pytest.mark.trio
async def test_a_frame_in_the_packet_of_the_handshake_is_served() -> None:
    """An early frame, sent before the handshake is answered, is not lost."""
    async with serve() as served, await served.connect() as stream:
        frame = masked_frame('{"id":1,"method":"get_account_count"}')
        await stream.send_all(served.upgrade() + frame)
        data = b""
        while b'"result"' not in data:
            data += await stream.receive_some()
        assert status_of(data) == 101


@pytest.mark.trio
async def test_a_bad_text_leaves_the_websocket_open() -> None:
    """T-A1: bombs are answered, and the connection lives."""
    async with serve() as served, trio.open_nursery() as nursery:
        socket = await connect_websocket_url(nursery, f"ws://127.0.0.1:{served.port}/")
        for bomb in ("[" * 100_000, "nonsense", " " * (REQUEST_BYTES_MAX + 1), '{"a":1,"a":1}'):
            await socket.send_message(bomb)
            assert json.loads(await socket.get_message())["error"]["code"] == -32700
        await socket.send_message(json.dumps(CHAIN_ID_CALL))
        assert "result" in json.loads(await socket.get_message())
        await socket.aclose()


@pytest.mark.trio
@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n folded: yes\r\nX\r\n\r\n",
    ],
)
async def test_what_is_not_a_request_is_refused_and_closed(data: bytes) -> None:
    """T-A8: 4xx or 5xx and the end of the connection; the server serves the next one."""
    async with serve() as served:
        assert status_of(await served.exchange(data)) >= 400
        async with await served.connect() as stream:
            await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
            assert (await read_response(stream))[0] == 200


@pytest.mark.trio
async def test_a_header_flood_is_refused() -> None:
    """T-A8: at most 16 KiB and 100 lines of headers."""
    async with serve() as served:
        many = [f"X-{number}: 1" for number in range(HEADER_LINES_MAX)]
        flood = (served.head(*many, verb="GET", path="/health/live") + "\r\n").encode()
        assert status_of(await served.exchange(flood)) == 431
        long = (served.head("X: " + "y" * HEAD_BYTES_MAX) + "\r\n").encode()
        assert status_of(await served.exchange(long)) == 431


@pytest.mark.trio
async def test_a_large_body_is_refused_before_it_is_read() -> None:
    """T-A1: 413 by its length alone; a chunked one as soon as it exceeds the limit."""
    async with serve() as served:
        head = served.head(
            "Content-Type: application/json", f"Content-Length: {REQUEST_BYTES_MAX + 1}"
        )
        for sent in (b"", b" " * 2 * REQUEST_BYTES_MAX):
            assert status_of(await served.exchange(head.encode() + b"\r\n" + sent)) == 413
        head = served.head("Content-Type: application/json", "Transfer-Encoding: chunked")
        async with await served.connect() as stream:
            await stream.send_all(head.encode() + b"\r\n")
            chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
            for _ in range(REQUEST_BYTES_MAX // 65536 + 1):
                await stream.send_all(chunk)
            assert status_of(await read_all(stream)) == 413


@pytest.mark.trio
@pytest.mark.parametrize(
    "upgrade",
    [
        {"key": "short"},
        {"key": ""},
        {"path": "/elsewhere"},
    ],
)
async def test_a_garbage_upgrade_ends_alone(upgrade: dict[str, str]) -> None:
    """One malformed handshake must not take the server along."""
    async with serve() as served:
        assert status_of(await served.exchange(served.upgrade(**upgrade))) in (400, 404)
        wrong_version = served.upgrade().replace(b"Version: 13", b"Version: 12")
        assert status_of(await served.exchange(wrong_version)) == 400
        garbage = await served.exchange(served.upgrade() + b"\xff" * 64)
        assert status_of(garbage) in (0, 101)
        async with await served.connect() as stream:
            await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
            assert (await read_response(stream))[0] == 200
        assert served.backend.api.sessions == {}


HOSTS = [
    ("localhost", True),
    ("LOCALHOST:80", True),
    ("127.0.0.1", True),
    ("127.0.0.1:8090", True),
    ("[::1]", True),
    ("[::1]:8090", True),
    ("evil.example", False),
    ("localhost.evil.example", False),
    ("127.0.0.1.evil.example", False),
    ("192.168.1.7:8090", False),
    ("[::1", False),
    ("", False),
]


@pytest.mark.trio
@pytest.mark.parametrize(("host", "allowed"), HOSTS)
async def test_only_loopback_names_are_served(host: str, allowed: bool) -> None:
    """T-A5: a name that was bound to this machine by DNS is refused, on HTTP and WebSocket."""
    async with serve() as served:
        body = encoded(CHAIN_ID_CALL)
        request = served.post(body, "Connection: close")
        own = f"Host: 127.0.0.1:{served.port}".encode()
        request = request.replace(own, f"Host: {host}".encode())
        assert status_of(await served.exchange(request)) == (200 if allowed else 403)
        if not allowed:
            upgrade = served.upgrade().replace(own, f"Host: {host}".encode())
            assert status_of(await served.exchange(upgrade)) == 403


ORIGINS = [
    ("http://127.0.0.1:{port}", True),
    ("http://evil.example", False),
    ("null", False),
    ("http://127.0.0.1:1", False),
    ("http://localhost:{port}", False),
    ("file://", False),
]


@pytest.mark.trio
@pytest.mark.parametrize(("origin", "allowed"), ORIGINS)
async def test_other_origins_are_refused(origin: str, allowed: bool) -> None:
    """T-A5: no page of another origin calls the node; no answer allows one."""
    async with serve() as served:
        line = "Origin: " + origin.format(port=served.port)
        answer = await served.exchange(
            served.post(encoded(CHAIN_ID_CALL), line, "Connection: close")
        )
        assert status_of(answer) == (200 if allowed else 403)
        assert b"access-control" not in answer.lower()
        if not allowed:
            assert status_of(await served.exchange(served.upgrade(line))) == 403


KINDS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
"""What a form of any page can send; the last stands for no content type at all."""

BROWSER_LINES = [
    "Origin: http://127.0.0.1:{port}",
    "Origin: http://evil.example",
    "Origin: null",
    "Referer: http://evil.example/page",
    "Cookie: a=b",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Mode: no-cors",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0",
]


@pytest.mark.trio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", BROWSER_LINES)
async def test_of_a_page_only_json_is_taken(kind: str, line: str) -> None:
    """T-A5: what a form of any page can send is refused, old browsers without Origin included."""
    async with serve() as served:
        given = line.format(port=served.port)
        request = served.post(encoded(CHAIN_ID_CALL), given, kind=kind)
        assert status_of(await served.exchange(request)) in (403, 415)
        two = served.post(encoded(CHAIN_ID_CALL), "Content-Type: application/json", kind=kind)
        assert status_of(await served.exchange(two)) == 415


@pytest.mark.trio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", ["User-Agent: curl/8.5.0", "User-Agent: python-requests/2.31"])
async def test_programs_may_send_any_content_type(kind: str, line: str) -> None:
    """A5: `curl --data`, as BitShares' own pages show it, says that it sends a form."""
    async with serve() as served:
        request = served.post(encoded(CHAIN_ID_CALL), line, "Connection: close", kind=kind)
        if not kind:
            request = request.replace(b"Content-Type: \r\n", b"")
            assert b"Content-Type" not in request
        answer = await served.exchange(request)
        assert status_of(answer) == 200
        assert served.backend.chain_id.hex().encode() in answer


@pytest.mark.trio
async def test_a_content_type_may_have_parameters() -> None:
    """RFC 9110: `application/json; charset=utf-8` is JSON."""
    async with serve() as served, await served.connect() as stream:
        kind = "Application/JSON; charset=utf-8"
        await stream.send_all(served.post(encoded(CHAIN_ID_CALL), kind=kind))
        assert (await read_response(stream))[0] == 200


@pytest.mark.trio
async def test_a_slow_reader_is_cut_off_alone() -> None:
    """T-A3: a subscriber that does not read loses its connection, not the others'."""
    async with serve() as served, await served.connect() as slow:
        await slow.send_all(served.upgrade())
        body = '{"id":1,"method":"set_block_applied_callback","params":[1]}'
        await slow.send_all(masked_frame(body))
        while not any(
            session.subscriptions.block_callback for session in served.backend.api.sessions
        ):
            await trio.sleep(0.01)
        (session,) = served.backend.api.sessions
        for _ in range(64):
            session.push(1, "x" * 60_000)
            served.backend.api.flush_sessions()
        assert session.close_reason
        while served.backend.api.sessions:
            await trio.sleep(0.01)
        async with await served.connect() as stream:
            await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
            assert (await read_response(stream))[0] == 200


@pytest.mark.trio
async def test_connections_are_bounded() -> None:
    """T-A3: beyond the limit one is closed for a newcomer, and no more than that are open."""
    async with (
        serve(connections_max=1) as served,
        await served.connect() as first,
        await served.connect() as second,
    ):
        assert await read_all(first) == b""
        await second.send_all(served.post(encoded(CHAIN_ID_CALL)))
        assert (await read_response(second))[0] == 200


@pytest.mark.trio
async def test_who_holds_all_connections_shuts_nobody_out() -> None:
    """T-A3: neither newcomers, nor who works, nor what has been open for longest."""
    limit = 6
    async with serve(connections_max=limit) as served, AsyncExitStack() as stack:

        async def ask(stream: trio.SocketStream) -> None:
            await stream.send_all(served.post(encoded(CHAIN_ID_CALL)))
            assert (await read_response(stream))[0] == 200

        async def connect() -> trio.SocketStream:
            stream = await stack.enter_async_context(await served.connect())
            await ask(stream)
            return stream

        old = await connect()
        for _ in range(limit - 1):
            await connect()
        honest = await connect()
        for _ in range(3 * limit):
            await connect()
            await ask(honest)
        await ask(old)


@pytest.mark.trio
async def test_ten_clients_at_once() -> None:
    """Each gets its own answers."""
    async with serve() as served:
        found: list[int] = []

        async def ask(number: int) -> None:
            async with await served.connect() as stream:
                await stream.send_all(served.post(encoded(CHAIN_ID_CALL | {"id": number})))
                found.append((await read_response(stream))[1]["id"])

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(ask, number)
        assert sorted(found) == list(range(10))


@pytest.mark.trio
async def test_a_violated_invariant_stops_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 10: it must reach the process, over HTTP and WebSocket."""

    def violated(call: object) -> None:
        raise InvariantViolated("supply", rule="I1")

    monkeypatch.setitem(APIS["database"], "get_chain_id", violated)

    async def call_once(is_socket: bool) -> None:
        async with serve() as served, await served.connect() as stream:
            frame = masked_frame('{"id":1,"method":"get_chain_id"}')
            post = served.post(encoded(CHAIN_ID_CALL))
            await stream.send_all(served.upgrade() + frame if is_socket else post)
            await trio.sleep_forever()

    for is_socket in (False, True):
        with pytest.raises(BaseExceptionGroup) as group:
            await call_once(is_socket)
        assert api_server.holds_violation(group.value)


@pytest.mark.trio
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.com", ""])
async def test_only_loopback_is_bound(host: str) -> None:
    """T-A4: any other address is refused before a socket is opened."""
    backend = ChainBackend(TestChain())
    with pytest.raises(ConfigError):
        await serve_api(backend.api, host, 0)


@pytest.mark.trio
async def test_a_port_in_use_is_a_configuration_error() -> None:
    """The node ends with code 78, not with a traceback."""
    async with serve() as served:
        with pytest.raises(ConfigError):
            await serve_api(served.backend.api, "127.0.0.1", served.port)
