"""The API's socket: HTTP POST and WebSocket on one loopback port, one task a connection.

A connection that fails ends alone. Only a violated invariant of the chain goes further: it stops
the node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from node.api.api import Api
from node.api.errors import InternalError, NotConfirmedYet, TooSlow
from node.api.failed_logins import FailedLogins
from node.api.fair_queue import Client, group_of
from node.api.json_text import Text, write_json
from node.api.rpc import Envelope, failure
from node.api.session import ApiSession
from node.config import ConfigError
from node.services.access_rules import (
    UNAUTHORIZED,
    AccessRules,
    is_preflight,
    preflight_lines,
)
from node.services.connection_table import CONNECTIONS_MAX, ConnectionTable, Entry
from node.services.durable_answers import wait_until_stored
from node.services.event_log import log
from node.services.http_connection import HttpConnection
from node.services.http_head import RequestHead, RequestRefused, wants_websocket
from node.services.listening import take_connections
from node.services.memory_bound import tell_bound
from node.services.memory_watch import MemoryWatch, resident_bytes
from node.services.page_files import PREFIX, SAFE_LINES, page_files, tell_missing
from node.services.pages import PAGES, Page, Pages
from node.services.request_runner import TEXT_S, RequestRunner
from node.services.turns import Turns
from node.state.errors import InvariantViolated
from protocol.schema import Record

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

AT_ONCE_MAX = 64
"""Connections taken in a round of the event loop; each then waits for its client's turn."""
ANSWER_TIMEOUT_S = 30.0
"""For an answer over HTTP that waits for a block."""
TOO_MANY_REQUESTS = 429
GATEWAY_TIMEOUT = 504
ROUTES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys((*PAGES, *page_files()), ("GET", "HEAD")),
    "/": ("GET", "HEAD", "POST"),
    "/rpc": ("POST",),
    "/ws": (),
}
"""Path -> methods; "/ws" is for WebSockets only."""
SOCKETS: Final[Mapping[str, tuple[str, ...]]] = {"/": ("GET",), "/ws": ("GET",)}
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")


class ApiOptions(Record, gc=True):
    """Who is served, and how much."""

    rules: AccessRules = msgspec.field(default_factory=AccessRules)
    group_of: Callable[[str], tuple[str, bool]] = group_of
    """Whose shares an address takes; see `node.api.fair_queue.group_of`."""
    allow_remote: bool = False
    """Whether an address beyond the loopback may be served; the rules need a token then."""
    connections_max: int = CONNECTIONS_MAX
    max_rss_mib: int = 0
    """Memory of this process, below which clients keep it; 0 for no limit (T-R1)."""
    collectors: Callable[[], Iterable[Collector]] = tuple
    """Gives what `/metrics` tells beside the chain and the API, when it is first asked for."""


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
    tell_missing()
    async with trio.open_nursery() as nursery:
        turns = Turns(AT_ONCE_MAX)
        nursery.start_soon(turns.run)
        nursery.start_soon(server.runner.run)
        if options.max_rss_mib:
            tell_bound(options.max_rss_mib)
            watch = MemoryWatch(options.max_rss_mib, api, server.connections, resident_bytes)
            nursery.start_soon(watch.run)
        task_status.started(listeners[0].socket.getsockname()[1])
        for listener in listeners:
            nursery.start_soon(take_connections, listener, server.handle, nursery, turns)


class ApiServer:
    """Handles connections; each call of `handle` serves one."""

    def __init__(self, api: Api, options: ApiOptions) -> None:
        self.api = api
        self.options = options
        self.runner = RequestRunner(options.group_of)
        self.pages = Pages(api, self.scrape)
        self.logins = FailedLogins()
        self.connections = ConnectionTable(options.connections_max)
        self.handled = 0

    def scrape(self) -> str:
        """The figures for Prometheus; what makes them is loaded for the first who asks."""
        from node.services.metrics import metrics_text

        return metrics_text(self._registry)

    @cached_property
    def _registry(self) -> CollectorRegistry:
        from node.services.metrics import make_registry

        return make_registry(self.api, self.runner.seconds, self.options.collectors())

    async def handle(self, stream: trio.SocketStream) -> None:
        """Serve one connection; whatever goes wrong with it ends here."""
        self.handled += 1
        try:
            if self.handled <= 2 * self.options.connections_max:  # with those that are ending
                address = str(stream.socket.getpeername()[0])
                client = self.runner.queue.open_client(address)
                with trio.CancelScope() as scope:
                    entry = Entry(address, client, scope.cancel)
                    self.connections.enter(entry)
                    try:
                        await self.runner.admit(client)
                        await self._serve(stream, entry)
                    finally:
                        self.connections.leave(entry)
                        self.runner.queue.close_client(client)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            log.debug("api_connection_lost")
        except Exception as error:
            if holds_violation(error):
                raise
            log.warning("api_connection", error=repr(error)[:200])
        finally:
            self.handled -= 1
            with trio.move_on_after(1):
                await stream.aclose()

    async def _serve(self, stream: trio.SocketStream, entry: Entry) -> None:
        http = HttpConnection(stream, self.runner, entry.client)
        head = checked = None
        try:
            while (head := await http.read_head()) is not None:
                if head is not checked:  # one that repeats itself says the same
                    http.origin = ""
                    http.origin = self.options.rules.check_names(head)
                    checked = head
                if is_preflight(head) and http.origin:
                    await http.respond(200, [], lines=preflight_lines(head), close=head.closes)
                else:
                    self.options.rules.check_token(head)
                    if wants_websocket(head):
                        await self._open_socket(http, head, entry)
                        return
                    await self._answer(http, head, entry)
                if head.closes:
                    return
        except RequestRefused as refusal:
            if refusal.status == UNAUTHORIZED:
                refusal = await self._slow_down(entry.address, refusal)
            now_s = self.api.backend.now_s()
            text = write_json(failure(Envelope(), refusal, "", now_s, ""))
            head_only = head is not None and head.method == b"HEAD"
            await http.refuse(refusal, [text], head_only=head_only)

    async def _open_socket(self, http: HttpConnection, head: RequestHead, entry: Entry) -> None:
        from node.services.websocket_connection import WebSocketConnection  # for the first one

        check_route(head, SOCKETS)
        received = await http.accept_websocket(head)
        socket = WebSocketConnection(self.api, self.runner, entry.client, http.stream, received)
        entry.share = socket.session.share
        await socket.run()

    async def _slow_down(self, address: str, refusal: RequestRefused) -> RequestRefused:
        """What somebody is told who does not know the token, after a while."""
        group, _ = self.options.group_of(address)
        if self.logins.is_shut_out(group, trio.current_time()):
            return RequestRefused(TOO_MANY_REQUESTS, "too many wrong tokens", rule="T-A6")
        self.logins.add(group, trio.current_time())
        await trio.sleep(self.logins.delay_s(group, trio.current_time()))
        return refusal

    async def _answer(self, http: HttpConnection, head: RequestHead, entry: Entry) -> None:
        path = check_route(head, ROUTES)
        if head.method == b"POST":
            has_answer = trio.Event()
            session = self.api.open_session(can_push=False, wake=has_answer.set)
            entry.share = session.share
            try:
                try:
                    body = await http.read_body(head, session.share)
                    status, text = await self._call(session, has_answer, body, entry.client)
                finally:
                    self.api.close_session(session)
                await http.respond(status, text, close=head.closes)
            finally:
                session.sent()
                session.outgoing_sent()
            return
        if head.length != 0:
            raise RequestRefused(400, "unexpected body", value=head.length, limit=0)
        page = await self._page(path, head.field(b"host") or "", entry.client)
        await http.respond(
            page.status,
            [page.body],
            kind=page.kind,
            lines=page.lines,
            head_only=head.method == b"HEAD",
            close=head.closes,
        )

    async def _page(self, path: str, host: str, client: Client) -> Page:
        """What a path shows; nothing of the chain that is not on disk."""
        file = page_files().get(path)
        if file is not None:
            return Page(200, file.kind, file.body, SAFE_LINES)
        page = await self.runner.work(client, self.pages.make(path, host), TEXT_S)
        await wait_until_stored(self.api.durability)
        return page

    async def _call(
        self, session: ApiSession, has_answer: trio.Event, body: bytes, client: Client
    ) -> tuple[int, Text]:
        """Status and text of the answer to one body."""
        try:
            texts = await self.runner.serve(session, client, body)
            status = 200
            if session.owes_answer:
                with trio.move_on_after(ANSWER_TIMEOUT_S):
                    await has_answer.wait()
                if session.waiting:
                    status = GATEWAY_TIMEOUT
                    self.api.give_up(session, _not_yet(), _too_slow())
                await wait_until_stored(self.api.durability)
                texts = session.take_outgoing()
            await wait_until_stored(self.api.durability)
            if session.worst_code < 0:
                status = 500 if session.worst_code == InternalError.code else 400
            return status, [piece for text in texts for piece in text]
        except trio.TooSlowError:
            return GATEWAY_TIMEOUT, session.refuse(_too_slow())


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


def _too_slow() -> TooSlow:
    return TooSlow("the call took too long", rule="T-A2")


def check_route(request: RequestHead, routes: Mapping[str, tuple[str, ...]]) -> str:
    """The path of a request, which may carry a query; raises `RequestRefused`."""
    path, method = request.target.decode().partition("?")[0], request.method.decode()
    allowed = routes.get(path)
    if allowed is None:
        known = " ".join(route for route in routes if not route.startswith(PREFIX))
        raise RequestRefused(404, "no such path", value=path[:100], limit=known)
    if not allowed:
        raise RequestRefused(426, "only for a WebSocket", value=path, lines=("upgrade: websocket",))
    if method not in allowed:
        methods = ", ".join(allowed)
        raise RequestRefused(
            405, "the method", value=method[:20], limit=methods, lines=(f"allow: {methods}",)
        )
    return path
