"""The API's socket: HTTP POST and WebSocket on one loopback port, one task a connection.

A connection that fails ends alone. Only a violated invariant of the chain goes further: it stops
the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
import trio
from prometheus_client.registry import Collector

from node.api.api import Api
from node.api.errors import InternalError, NotConfirmedYet, TooSlow
from node.api.failed_logins import FailedLogins
from node.api.fair_queue import Client, group_of
from node.api.json_text import write_json
from node.config import ConfigError
from node.services.durable_answers import wait_until_stored
from node.services.http_connection import (
    UNAUTHORIZED,
    AccessRules,
    HttpConnection,
    RequestHead,
    RequestRefused,
    wants_websocket,
)
from node.services.metrics import make_registry, metrics_text
from node.services.request_runner import RequestRunner
from node.services.websocket_connection import WebSocketConnection
from node.state.errors import InvariantViolated
from protocol.json_form import JsonValue

CONNECTIONS_MAX = 200
ANSWER_TIMEOUT_S = 30.0
"""For an answer over HTTP that waits for a block."""
READY_SLOTS = 2
"""A node is ready while its head is younger than so many slots."""
TOO_MANY_REQUESTS = 429
GATEWAY_TIMEOUT = 504
PAGES: Final = (b"/health/live", b"/health/ready", b"/metrics", b"/version")
METRICS_TYPE = "text/plain; version=0.0.4"
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Who is served, and how much."""

    rules: AccessRules = field(default_factory=AccessRules)
    group_of: Callable[[str], tuple[str, bool]] = group_of
    """Whose shares an address takes; see `node.api.fair_queue.group_of`."""
    allow_remote: bool = False
    """Whether an address beyond the loopback may be served; the rules need a token then."""
    connections_max: int = CONNECTIONS_MAX
    collectors: tuple[Collector, ...] = ()
    """What `/metrics` tells beside the chain and the API."""


async def serve_api(
    api: Api,
    host: str,
    port: int,
    *,
    options: ApiOptions | None = None,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an API until cancelled; reports the port, which is chosen for port 0.

    Raises `ConfigError` for a port that is in use, and for an address beyond the loopback unless
    that is allowed and the rules have a token (T-A4).
    """
    options = options or ApiOptions()
    if host not in LOOPBACK_HOSTS and not (options.allow_remote and options.rules.token):
        raise ConfigError(
            "beyond the loopback the API needs api.allow_remote and api.token_file",
            rule="T-A4",
            value=host,
            limit=", ".join(LOOPBACK_HOSTS),
        )
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise ConfigError(f"cannot listen: {error.strerror}", value=f"{host}:{port}") from error
    server = ApiServer(api, options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.runner.run)
        await nursery.start(trio.serve_listeners, server.handle, listeners)
        task_status.started(listeners[0].socket.getsockname()[1])


class ApiServer:
    """Handles connections; each call of `handle` serves one."""

    def __init__(self, api: Api, options: ApiOptions) -> None:
        self.api = api
        self.options = options
        self.runner = RequestRunner(options.group_of)
        self.registry = make_registry(api, self.runner.seconds, options.collectors)
        self.logins = FailedLogins()
        self.connections = 0

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection; whatever goes wrong with it ends here."""
        self.connections += 1
        try:
            if self.connections <= self.options.connections_max:
                address = str(stream.socket.getpeername()[0])
                client = self.runner.queue.open_client(address)
                try:
                    await self.runner.admit(client)
                    await self._serve(stream, address, client)
                finally:
                    self.runner.queue.close_client(client)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            log.debug("api_connection_lost", ev="api_connection_lost")
        except Exception as error:
            if holds_violation(error):
                raise
            log.warning("api_connection", ev="api_connection", error=repr(error)[:200])
        finally:
            self.connections -= 1
            with trio.move_on_after(1):
                await stream.aclose()

    async def _serve(self, stream: trio.SocketStream, address: str, client: Client) -> None:
        http = HttpConnection(stream, self.runner, client)
        try:
            checked = None
            while (head := await http.read_head()) is not None:
                if head is not checked:  # one that repeats itself says the same
                    self.options.rules.check(head)
                    checked = head
                if wants_websocket(head):
                    _check_target(head, (b"/", b"/ws"))
                    received = await http.accept_websocket(head)
                    socket = WebSocketConnection(self.api, self.runner, client, stream, received)
                    await socket.run()
                    return
                await self._answer(http, head, client)
                if head.closes:
                    return
        except RequestRefused as refusal:
            if refusal.status == UNAUTHORIZED:
                refusal = await self._slow_down(address, refusal)
            await http.refuse(refusal.status, refusal.reason)

    async def _slow_down(self, address: str, refusal: RequestRefused) -> RequestRefused:
        """What somebody is told who does not know the token, after a while."""
        group, _ = self.options.group_of(address)
        if self.logins.is_shut_out(group, trio.current_time()):
            return RequestRefused(TOO_MANY_REQUESTS, "too many wrong tokens (T-A6)")
        self.logins.add(group, trio.current_time())
        await trio.sleep(self.logins.delay_s(group, trio.current_time()))
        return refusal

    async def _answer(self, http: HttpConnection, head: RequestHead, client: Client) -> None:
        if head.method == b"POST":
            _check_target(head, (b"/", b"/rpc"))
            body = await http.read_body(head)
            status, text = await self._call(body, client)
            await http.respond(status, text, close=head.closes)
            return
        if head.method != b"GET":
            raise RequestRefused(405, "only POST, and GET for health, metrics and version")
        _check_target(head, PAGES)
        if head.length != 0:
            raise RequestRefused(400, "unexpected body")
        status, kind, text = await self.runner.call(client, partial(self.page, head.target))
        await wait_until_stored(self.api.durability)
        await http.respond(status, text, kind=kind, close=head.closes)

    def page(self, target: bytes) -> tuple[int, str, str]:
        """Status, type and text of what a GET asks for."""
        if target == b"/metrics":
            return 200, METRICS_TYPE, metrics_text(self.registry)
        if target == b"/version":
            backend = self.api.backend
            version: JsonValue = {
                "version": backend.info().version,
                "chain_id": backend.chain_id.hex(),
            }
            return 200, "application/json", write_json(version)
        if target == b"/health/live" or self._is_ready():
            return 200, "text/plain", "ok"
        return 503, "text/plain", "the head is old"

    async def _call(self, body: bytes, client: Client) -> tuple[int, str]:
        """Status and text of the answer to one body, in a session of its own."""
        has_answer = trio.Event()
        session = self.api.open_session(can_push=False, wake=has_answer.set)
        try:
            texts = await self.runner.serve(session, client, body)
            status = 200
            if not texts and session.waiting:
                with trio.move_on_after(ANSWER_TIMEOUT_S) as deadline:
                    await has_answer.wait()
                if deadline.cancelled_caught:
                    status = GATEWAY_TIMEOUT
                    self.api.waits.give_up(session, _not_yet())
                await wait_until_stored(self.api.durability)
                texts = session.take_outgoing()
            await wait_until_stored(self.api.durability)
            if session.worst_code < 0:
                status = 500 if session.worst_code == InternalError.code else 400
            return status, "".join(texts)
        except trio.TooSlowError:
            return GATEWAY_TIMEOUT, session.refuse(TooSlow("the call took too long", rule="T-A2"))
        finally:
            self.api.close_session(session)

    def _is_ready(self) -> bool:
        backend = self.api.backend
        interval = backend.state.parameters.block_interval
        return backend.now_s() - backend.state.dynamic.time <= READY_SLOTS * interval


def holds_violation(error: BaseException) -> bool:
    """Whether an exception is, or contains, a violated invariant."""
    if isinstance(error, BaseExceptionGroup):
        return any(holds_violation(inner) for inner in error.exceptions)
    return isinstance(error, InvariantViolated)


def _not_yet() -> NotConfirmedYet:
    return NotConfirmedYet(
        "no block has taken the transaction yet; it stays pending until it expires",
        limit=f"{ANSWER_TIMEOUT_S:.0f} s",
    )


def _check_target(request: RequestHead, allowed: tuple[bytes, ...]) -> None:
    if request.target not in allowed:
        raise RequestRefused(404, "no such path")
