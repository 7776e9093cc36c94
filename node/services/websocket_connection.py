"""One WebSocket connection of the API: a reader, a writer, and deadlines for both."""

from __future__ import annotations

import math
from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from node.api.api import Api
from node.api.cost import ClientAccount, ClientTooExpensive
from node.api.json_text import REQUEST_BYTES_MAX
from node.api.rpc import error_text
from node.services.request_runner import RequestRunner

MESSAGE_BYTES_MAX = 2 * REQUEST_BYTES_MAX
"""A longer message closes the connection; one above the API's own limit is answered."""
HANDSHAKE_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 20.0
PING_EVERY_S = 30.0
CLOSE_TIMEOUT_S = 2.0
POLICY_VIOLATION: Final = 1008
ABNORMAL_END = (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError)


async def serve_websocket(
    api: Api, runner: RequestRunner, account: ClientAccount, stream: trio.abc.Stream
) -> None:
    """Serve a stream whose next bytes are a WebSocket handshake, until either side closes."""
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(HANDSHAKE_TIMEOUT_S) as handshake:
            request = await wrap_server_stream(nursery, stream, max_message_size=MESSAGE_BYTES_MAX)
            socket = await request.accept()
        if not handshake.cancelled_caught:
            await SocketSession(api, runner, account, socket).run()
        nursery.cancel_scope.cancel()


class SocketSession:
    """An API session and the socket that its texts travel on."""

    def __init__(
        self, api: Api, runner: RequestRunner, account: ClientAccount, socket: WebSocketConnection
    ) -> None:
        self.api = api
        self.runner = runner
        self.account = account
        self.socket = socket
        self.close_reason = ""
        self.sending_since = math.inf
        self.scope = trio.CancelScope()
        self.has_outgoing = trio.Event()
        self.session = api.open_session(wake=self._wake)

    async def run(self) -> None:
        """Serve until the client closes, is too slow, or this task is cancelled."""
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_alive)
                    nursery.start_soon(self._watch_sends)
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._read)
        finally:
            self.api.close_session(self.session)
        reason = self.close_reason or self.session.close_reason
        if reason:
            with trio.move_on_after(CLOSE_TIMEOUT_S):
                await self.socket.aclose(POLICY_VIOLATION, reason)

    def _wake(self) -> None:
        if self.session.close_reason:
            self.scope.cancel()
        self.has_outgoing.set()

    async def _read(self) -> None:
        try:
            while True:
                message = await self.socket.get_message()
                for text in await self.runner.serve(self.session, self.account, message):
                    await self._send(text)
        except ABNORMAL_END:
            self.scope.cancel()
        except ClientTooExpensive as refusal:
            self._close(error_text(refusal))
        except trio.TooSlowError:
            self._close("the request took too long (T-A2)")

    async def _write(self) -> None:
        try:
            while True:
                await self.has_outgoing.wait()
                self.has_outgoing = trio.Event()
                for text in self.session.take_outgoing():
                    self.account.charge_work(0, 0, len(text), trio.current_time())
                    await self._send(text)
        except ABNORMAL_END:
            self.scope.cancel()

    async def _keep_alive(self) -> None:
        try:
            while True:
                await trio.sleep(PING_EVERY_S)
                with trio.move_on_after(SEND_TIMEOUT_S) as deadline:
                    await self.socket.ping()
                if deadline.cancelled_caught:
                    self.scope.cancel()
        except ABNORMAL_END:
            self.scope.cancel()

    async def _watch_sends(self) -> None:
        """Cut off a client that does not take what it is sent."""
        while True:
            await trio.sleep(SEND_TIMEOUT_S / 4)
            if trio.current_time() - self.sending_since > SEND_TIMEOUT_S:
                self.scope.cancel()

    def _close(self, reason: str) -> None:
        self.close_reason = reason
        self.scope.cancel()

    async def _send(self, text: str) -> None:
        """Send a text, under the eye of `_watch_sends`; reader and writer may both be at it."""
        self.sending_since = min(self.sending_since, trio.current_time())
        await self.socket.send_message(text)
        self.sending_since = math.inf
