"""Hostile clients over real sockets: what they are told, and what they leave behind."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio_websocket import connect_websocket_url

from node.api.json_text import VALUES_MAX
from node.app import TOKEN_LENGTH_MIN, read_token
from node.config import ConfigError
from node.services.access_rules import AccessRules
from node.services.api_server import ApiOptions, serve_api
from node.storage.errors import KeyFileRefused
from tests.support.api import ChainBackend, Json
from tests.support.arguments import methods
from tests.support.chain import TestChain

CALL = {"id": 1, "method": "get_account_count", "params": []}
TOKEN = "a" * 64
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@asynccontextmanager
async def serve(
    options: ApiOptions | None = None,
    backend: ChainBackend | None = None,
    within_s: float = 20,
) -> AsyncIterator[int]:
    """The port of a server for the time of a test, which must end within some seconds."""
    backend = backend or ChainBackend(TestChain("alice", "bob"))
    chosen = options or ApiOptions()

    async def run(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        await serve_api(backend.api, "127.0.0.1", 0, options=chosen, task_status=task_status)

    with trio.fail_after(within_s):
        async with trio.open_nursery() as nursery:
            yield await nursery.start(run)
            nursery.cancel_scope.cancel()


def post(body: Json, *lines: str) -> bytes:
    data = json.dumps(body).encode()
    head = [
        "POST / HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode() + data


def masked_frame(body: Json) -> bytes:
    """A client's text frame of 126 to 65,535 bytes, under a mask of zeros."""
    data = json.dumps(body).encode().ljust(126)
    return bytes((0x81, 0x80 | 126)) + len(data).to_bytes(2, "big") + bytes(4) + data


async def exchange(port: int, data: bytes) -> tuple[int, bytes]:
    """Status and whole text of the answer to a request on a connection of its own."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(data)
        text = b""
        while chunk := await stream.receive_some():
            text += chunk
    return int(text.split(b" ")[1]), text


# Bombs and leaks.

BOMBS = {
    "depth": "[" * 500_000,
    "objects": '{"a":' * 30 + "1" + "}" * 30,
    "deep objects": '{"a":' * 40 + "1" + "}" * 40,
    "nan": '{"id":NaN}',
    "infinity": '{"id":1e999}',
    "wide": '{"id":1,"method":"call","params":[0,"get_block",[' + "9" * 400 + "]]}",
    "negative": '{"id":1,"method":"get_block","params":[-9223372036854775809]}',
    "string": '{"id":1,"method":"get_account_by_name","params":["' + "x" * 65_537 + '"]}',
    "values": "[" + "1," * VALUES_MAX + "1]",
    "twice": '{"id":1,"id":2,"method":"get_account_count"}',
    "batch": json.dumps([CALL] * 51),
    "empty batch": "[]",
    "surrogate": '{"id":1,"method":"\\ud800"}',
}


@pytest.mark.trio
async def test_bombs_are_answered_and_the_connection_lives() -> None:
    """T-A1: a code of JSON-RPC's own for each, on one connection that goes on serving."""
    async with serve() as port, trio.open_nursery() as nursery:
        socket = await connect_websocket_url(nursery, f"ws://127.0.0.1:{port}")
        for name, bomb in BOMBS.items():
            await socket.send_message(bomb)
            answer = json.loads(await socket.get_message())
            assert answer["error"]["code"] in (-32700, -32600, -32602, -32601), name
        await socket.send_message(json.dumps(CALL))
        assert "result" in json.loads(await socket.get_message())
        await socket.aclose()


SUBSCRIBING: list[tuple[str, list[Json]]] = [
    ("set_subscribe_callback", [1, True]),
    ("subscribe_to_market", [2, "TEST", "USD"]),
    ("get_objects", [["1.2.0"]]),
]


async def connect_and_die(backend: ChainBackend, port: int) -> None:
    """Connect, subscribe, and die without a word; then nothing of it is served any more."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(UPGRADE)
        for method, params in SUBSCRIBING:
            body = {"id": 1, "method": method, "params": params}
            await stream.send_all(masked_frame(body))
        received = b""
        while received.count(b'"result"') < len(SUBSCRIBING):
            received += await stream.receive_some()
    while backend.api.sessions:
        await trio.sleep(0.001)


async def objects_after(backend: ChainBackend, port: int, cycles: int) -> int:
    """Objects of the server that are there after so many clients that died."""
    for _ in range(cycles):
        await connect_and_die(backend, port)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    names = (str(type(item)).partition("'")[2] for item in gc.get_objects())
    return sum(name.startswith(("node.", "trio_websocket.", "wsproto.", "h11.")) for name in names)


@pytest.mark.trio
async def test_connections_leave_nothing_behind() -> None:
    """T-A3: connect, subscribe, die without a word, over and over; `scripts/threats` for long."""
    backend = ChainBackend(TestChain("alice", "bob"))
    async with serve(backend=backend) as port:
        before = await objects_after(backend, port, 20)
        assert await objects_after(backend, port, 100) - before < 20
    assert len(backend.api.waits) == 0


# Who may ask.


@pytest.mark.trio
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("X: y", 401),
        ("Authorization: Bearer", 401),
        (f"Authorization: Bearer {TOKEN[1:]}", 401),
        (f"Authorization: Basic {TOKEN}", 401),
        (f"Authorization: Bearer {TOKEN}é", 401),
        (f"Authorization: Bearer {TOKEN}", 200),
        (f"authorization: bearer {TOKEN}", 200),
    ],
)
async def test_a_token_is_asked_of_everybody(line: str, status: int) -> None:
    """T-A6: over HTTP and WebSocket; no answer tells how wrong a token was."""
    rules = AccessRules(token=TOKEN)
    async with serve(ApiOptions(rules)) as port:
        found, text = await exchange(port, post(CALL, line).decode().encode("latin-1"))
        assert found == status
        assert (b"no or wrong token" in text) == (status == 401)
        upgrade = UPGRADE[:-2] + line.encode("latin-1") + b"\r\n\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(upgrade)
            first = await stream.receive_some()
        assert first.startswith(b"HTTP/1.1 401" if status == 401 else b"HTTP/1.1 101")


@pytest.mark.trio
async def test_no_method_is_served_without_the_token(autojump_clock: trio.abc.Clock) -> None:
    """T-A6: every method of every API: without a token, with a wrong one, with the right one."""
    wrong, right = (f"Authorization: Bearer {token}" for token in (TOKEN[1:] + "b", TOKEN))
    async with serve(ApiOptions(AccessRules(token=TOKEN)), within_s=10_000) as port:
        for api, name in methods():
            body = {"id": 1, "method": "call", "params": [api, name, []]}
            for lines in ((), (wrong,)):
                status, text = await exchange(port, post(body, *lines))
                assert status in (401, 429), (api, name)
                assert b'"result"' not in text, (api, name)
            status, text = await exchange(port, post(body, right))
            assert status in (200, 400), (api, name)
            assert b'"id":1' in text.replace(b'": ', b'":'), (api, name)


@pytest.mark.trio
async def test_failed_logins_are_delayed(autojump_clock: trio.abc.Clock) -> None:
    """T-A6: who tries tokens waits longer each time, then is turned away; the token opens still."""
    async with serve(ApiOptions(AccessRules(token=TOKEN))) as port:
        start = trio.current_time()
        statuses = [(await exchange(port, post(CALL)))[0] for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        assert trio.current_time() - start > 5
        assert (await exchange(port, post(CALL, f"Authorization: Bearer {TOKEN}")))[0] == 200


@pytest.mark.trio
async def test_other_addresses_need_permission_and_a_token() -> None:
    """T-A4: either alone is refused before a socket is opened; with both it is served."""
    backend = ChainBackend(TestChain())
    token = AccessRules(token=TOKEN)
    for options in (ApiOptions(), ApiOptions(allow_remote=True), ApiOptions(token)):
        with pytest.raises(ConfigError, match="allow_remote"):
            await serve_api(backend.api, "0.0.0.0", 0, options=options)
    async with trio.open_nursery() as nursery:
        both = ApiOptions(token, allow_remote=True)

        async def run(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
            await serve_api(backend.api, "0.0.0.0", 0, options=both, task_status=task_status)

        port = await nursery.start(run)
        assert (await exchange(port, post(CALL)))[0] == 401
        assert (await exchange(port, post(CALL, f"Authorization: Bearer {TOKEN}")))[0] == 200
        nursery.cancel_scope.cancel()


def test_a_token_is_made_kept_and_kept_secret(tmp_path: Path) -> None:
    """T-A6: 32 random bytes in a file of mode 0600; one that others can read is refused (77)."""
    path = tmp_path / "secrets" / "api-token"
    token = read_token(path)
    assert len(bytes.fromhex(token)) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == token
    path.chmod(0o644)
    with pytest.raises(KeyFileRefused):
        read_token(path)
    path.chmod(0o600)
    path.write_text("x" * (TOKEN_LENGTH_MIN - 1))
    with pytest.raises(ConfigError):
        read_token(path)
