"""Greedy and hostile clients over real sockets: what they cost, and what they leave behind."""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio_websocket import connect_websocket_url

from node.api.call import Listing
from node.api.cost import CostLimits
from node.api.json_text import SHORT_TEXT_BYTES, VALUES_MAX
from node.api.methods.tables import APIS
from node.app import TOKEN_LENGTH_MIN, read_token
from node.config import ConfigError
from node.services import request_runner
from node.services.api_server import ApiOptions, serve_api
from node.services.http_connection import AccessRules
from node.services.request_runner import REQUEST_TIMEOUT_S, RequestRunner, Turns
from node.storage.errors import KeyFileRefused
from protocol.json_form import JsonValue
from tests.support.api import ChainBackend, Json
from tests.support.chain import TestChain

CALL = {"id": 1, "method": "get_account_count", "params": []}
TOKEN = "a" * 64
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@asynccontextmanager
async def serve(
    options: ApiOptions | None = None, backend: ChainBackend | None = None
) -> AsyncIterator[int]:
    """The port of a server for the time of a test, which must end within twenty seconds."""
    backend = backend or ChainBackend(TestChain("alice", "bob"))
    chosen = options or ApiOptions()

    async def run(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        await serve_api(backend.api, "127.0.0.1", 0, options=chosen, task_status=task_status)

    with trio.fail_after(20):
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


# Costs.


@pytest.mark.trio
async def test_a_client_at_the_hard_limit_is_disconnected_and_stays_away() -> None:
    """T-A2: 1008 with the reason; a new connection from there is told 429, until it decayed."""
    limits = CostLimits(soft=1, hard=2, decay_per_s=1, local_discount=1)
    async with serve(ApiOptions(limits=limits)) as port:
        for request in (UPGRADE, post(CALL)):
            status, text = await exchange(port, request)
            assert status == 429
            assert b"client_too_expensive" in text


@pytest.mark.trio
async def test_an_expensive_websocket_is_closed_with_a_reason() -> None:
    """T-A2: as soon as it asks again."""
    limits = CostLimits(soft=5, hard=6, decay_per_s=1, local_discount=1)
    async with (
        serve(ApiOptions(limits=limits)) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(UPGRADE + 3 * masked_frame([CALL] * 20))
        received = b""
        while chunk := await stream.receive_some():
            received += chunk
    answers, _, reason = received.partition((1008).to_bytes(2, "big"))
    assert answers.count(b'"result"') == 20
    assert b"T-A2" in reason


@pytest.mark.trio
async def test_a_client_between_the_limits_is_delayed(autojump_clock: trio.abc.Clock) -> None:
    """T-A2: the whole delay passes before the call is served, and others do not wait."""
    backend = ChainBackend(TestChain())
    runner = RequestRunner(CostLimits(soft=1_000, hard=10_000, decay_per_s=1, local_discount=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.turns.run)
        greedy, honest = runner.open_account("127.0.0.1"), runner.open_account("127.0.0.1")
        greedy.charge(5_500, trio.current_time())
        session = backend.api.open_session()
        start = trio.current_time()
        await runner.serve(session, honest, json.dumps(CALL))
        assert trio.current_time() == start
        await runner.serve(session, greedy, json.dumps(CALL))
        assert 1.2 < trio.current_time() - start < 1.3
        assert session.waiting_max == 49
        nursery.cancel_scope.cancel()


# Turns.


@pytest.mark.trio
async def test_the_cheapest_client_is_next() -> None:
    """T-A2: one turn a round, by cost; who gave up is passed over."""
    turns, order = Turns(), []

    async def ask(cost: float) -> None:
        await turns.take(cost)
        order.append(cost)

    async with trio.open_nursery() as askers:
        for cost in (30, 10, 20):
            askers.start_soon(ask, cost)
        with trio.CancelScope() as gone:
            gone.cancel()
            await turns.take(1)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.1):
            await turns.run()
    assert order == [10, 20, 30]
    assert turns.waiting == []


@pytest.mark.trio
async def test_a_long_call_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-A2: between two slices of a long call others are served, and cheaper ones go on first."""
    backend, done = ChainBackend(TestChain("alice")), []
    monkeypatch.setattr(request_runner, "SLICE_S", 0)
    runner = RequestRunner(CostLimits())

    async def ask(body: Json, cost: int) -> None:
        account = runner.open_account("127.0.0.1")
        account.charge(cost, trio.current_time())
        await runner.serve(backend.api.open_session(), account, json.dumps(body))
        done.append(cost)

    long = {"id": 1, "method": "get_objects", "params": [["1.2.0"] * 100]}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(runner.turns.run)
        async with trio.open_nursery() as askers:
            for cost in (500, 400, 300):
                askers.start_soon(ask, long, cost)
            while not runner.turns.waiting:
                await trio.lowlevel.checkpoint()
            askers.start_soon(ask, CALL, 900)
        nursery.cancel_scope.cancel()
    assert done == [900, 300, 400, 500]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("size", "cost", "waits"),
    [(SHORT_TEXT_BYTES, 0, False), (SHORT_TEXT_BYTES + 1, 0, True), (99, 2_000, True)],
)
async def test_long_texts_and_delayed_clients_wait_for_their_turn(
    size: int, cost: int, waits: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """T-A2: many of them in one round of the loop would hold up everybody else."""
    runner, served = RequestRunner(CostLimits(local_discount=1)), []
    account = runner.open_account("127.0.0.1")
    account.charge(cost, trio.current_time())
    session = ChainBackend(TestChain("alice")).api.open_session()

    async def ask() -> None:
        served.append(await runner.serve(session, account, json.dumps(CALL).ljust(size)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(5)
        assert (len(served), len(runner.turns.waiting)) == ((0, 1) if waits else (1, 0))
        nursery.start_soon(runner.turns.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert len(served) == 1
    assert '"result"' in served[0][0]


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
    assert json.loads(end.value.value[0])["result"] == [1] * 5


@pytest.mark.trio
async def test_a_request_that_takes_too_long_ends(autojump_clock: trio.abc.Clock) -> None:
    """T-A2: a long call that is not given a turn for 30 seconds is given up."""
    runner = RequestRunner(CostLimits())
    account = runner.open_account("127.0.0.1")
    session = ChainBackend(TestChain()).api.open_session()
    body = {"id": 1, "method": "get_objects", "params": [["1.2.0"] * 1_000]}
    start = trio.current_time()
    with pytest.raises(trio.TooSlowError):
        await runner.serve(session, account, json.dumps(body))
    assert trio.current_time() - start == pytest.approx(REQUEST_TIMEOUT_S)
    assert runner.turns.waiting == []


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


@pytest.mark.trio
async def test_connections_leave_nothing_behind() -> None:
    """T-A3: connect, subscribe, die without a word, over and over."""
    backend = ChainBackend(TestChain("alice", "bob"))

    async def cycle(port: int) -> None:
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

    async def count_objects(port: int, cycles: int) -> int:
        for _ in range(cycles):
            await cycle(port)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        names = (str(type(item)).partition("'")[2] for item in gc.get_objects())
        return sum(
            name.startswith(("node.", "trio_websocket.", "wsproto.", "h11.")) for name in names
        )

    async with serve(ApiOptions(limits=CostLimits(soft=0)), backend) as port:
        before = await count_objects(port, 20)
        assert await count_objects(port, 100) - before < 20
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
    async with serve(ApiOptions(rules, CostLimits(soft=0))) as port:
        found, text = await exchange(port, post(CALL, line).decode().encode("latin-1"))
        assert found == status
        assert (b"no or wrong token" in text) == (status == 401)
        upgrade = UPGRADE[:-2] + line.encode("latin-1") + b"\r\n\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(upgrade)
            first = await stream.receive_some()
        assert first.startswith(b"HTTP/1.1 401" if status == 401 else b"HTTP/1.1 101")


@pytest.mark.trio
async def test_failed_logins_are_delayed(autojump_clock: trio.abc.Clock) -> None:
    """T-A6: who tries tokens from one address waits longer and longer, then is turned away."""
    options = ApiOptions(AccessRules(token=TOKEN), CostLimits(decay_per_s=1, local_discount=1))
    async with serve(options) as port:
        start = trio.current_time()
        statuses = [(await exchange(port, post(CALL)))[0] for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        assert trio.current_time() - start > 5


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
