"""Follows one trusted node over its API, and takes the blocks that are irreversible there (Y7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from node.services.event_log import log
from node.state.errors import WrongChain
from protocol.binary import pack
from protocol.block import BlockEnvelope, SignedBlock
from protocol.errors import PegboardError
from protocol.json_form import JsonValue, from_json
from protocol.schema import Digest

RETRY_S = 5
"""Between two attempts to reach the trusted node (Y7)."""
ANSWER_S = 30
"""An answer that takes longer ends the connection."""
SILENCE_S = 120
"""As does a node that makes no block for so long: another connection finds out whether it lives."""
RECEIVE_BYTES = 64 * 1024
TEXT_LENGTH_MAX = 64 << 20
"""A block of the largest size that parameters allow is shorter in JSON."""
BLOCK_CALLBACK = 1


class TrustedNodeFailed(PegboardError):
    """The trusted node answers with an error, or with what is no answer."""

    name = "trusted_node_failed"


class Follower:
    """Takes blocks in, one by one and each fully checked, up to the last irreversible one there."""

    def __init__(
        self,
        address: tuple[str, int],
        chain_id: Digest,
        address_prefix: str,
        head_num: Callable[[], int],
        push: Callable[[BlockEnvelope], None],
    ) -> None:
        """`push` takes a block that follows the head, or raises its refusal."""
        self._address = address
        self._chain_id = chain_id
        self._prefix = address_prefix
        self._head_num = head_num
        self._push = push

    async def run(self) -> None:
        """Follow for ever; raises `WrongChain` where the trusted node has another chain."""
        while True:
            try:
                async with await trio.open_tcp_stream(*self._address) as stream:
                    await self._follow(await open_link(stream, self._address))
            except WrongChain:
                raise
            except (OSError, trio.BrokenResourceError, trio.TooSlowError, PegboardError) as error:
                log.warning("trusted_node", reason=str(error))
            await trio.sleep(RETRY_S)

    async def _follow(self, link: Link) -> None:
        found = await link.call("get_chain_id")
        if found != self._chain_id.hex():
            raise WrongChain(
                "the trusted node has another chain",
                rule="Y7",
                value=str(found)[:80],
                limit=self._chain_id.hex(),
            )
        await link.call("set_block_applied_callback", BLOCK_CALLBACK)
        while True:
            await self._catch_up(link)
            await link.notice()

    async def _catch_up(self, link: Link) -> None:
        head = await link.call("get_dynamic_global_properties")
        last = head.get("last_irreversible_block_num") if isinstance(head, dict) else None
        if not isinstance(last, int):
            raise TrustedNodeFailed("no head", value=str(head)[:80])
        while self._head_num() < last:
            data = await link.call("get_block", self._head_num() + 1)
            block = from_json(SignedBlock, data, self._prefix)
            self._push(BlockEnvelope.from_bytes(pack(block)))


class Link:
    """Calls over one WebSocket, and the notices between their answers."""

    def __init__(self, stream: trio.SocketStream, protocol: WSConnection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._number = 0
        self._text = ""
        self._has_notice = False

    async def call(self, method: str, *arguments: JsonValue) -> JsonValue:
        """The result of a call of the database API; raises `TrustedNodeFailed`."""
        self._number += 1
        call = {"id": self._number, "method": "call", "params": [0, method, [*arguments]]}
        with trio.fail_after(ANSWER_S):
            text = msgspec.json.encode(call).decode()
            await self._stream.send_all(self._protocol.send(TextMessage(text)))
            while (answer := await self._receive()).get("id") != self._number:
                self._note(answer)
        if "result" not in answer:
            raise TrustedNodeFailed(f"{method} is refused", value=str(answer.get("error"))[:200])
        return cast(JsonValue, answer["result"])

    async def notice(self) -> None:
        """Wait for a block that was told since the last one that was waited for."""
        with trio.fail_after(SILENCE_S):
            while not self._has_notice:
                self._note(await self._receive())
        self._has_notice = False

    def _note(self, message: dict[str, Any]) -> None:
        self._has_notice |= message.get("method") == "notice"

    async def _receive(self) -> dict[str, Any]:
        while True:
            for event in self._protocol.events():
                match event:
                    case Ping():
                        await self._stream.send_all(self._protocol.send(event.response()))
                    case TextMessage():
                        text = self._text + event.data
                        self._text = "" if event.message_finished else text
                        if len(text) > TEXT_LENGTH_MAX:
                            raise TrustedNodeFailed("text too long", limit=TEXT_LENGTH_MAX)
                        if event.message_finished:
                            return _read(text)
                    case CloseConnection():
                        raise TrustedNodeFailed("closed by the trusted node", value=event.code)
                    case _:
                        pass
            await receive(self._stream, self._protocol)


def _read(text: str) -> dict[str, Any]:
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise TrustedNodeFailed("not JSON", value=text[:80]) from error
    if not isinstance(message, dict):
        raise TrustedNodeFailed("no answer", value=text[:80])
    return message


async def open_link(stream: trio.SocketStream, address: tuple[str, int]) -> Link:
    """The link of a connection, once the trusted node speaks WebSocket; or `TrustedNodeFailed`."""
    protocol = WSConnection(ConnectionType.CLIENT)
    host, port = address
    name = f"[{host}]" if ":" in host else host
    with trio.fail_after(ANSWER_S):
        await stream.send_all(protocol.send(Request(host=f"{name}:{port}", target="/")))
        while True:
            await receive(stream, protocol)
            for event in protocol.events():
                if isinstance(event, AcceptConnection):
                    return Link(stream, protocol)
                raise TrustedNodeFailed("no WebSocket", value=type(event).__name__)


async def receive(stream: trio.SocketStream, protocol: WSConnection) -> None:
    """Give what arrives to the protocol; raises `TrustedNodeFailed` at the end of it."""
    data = await stream.receive_some(RECEIVE_BYTES)
    try:
        protocol.receive_data(bytes(data) or None)
    except (LocalProtocolError, RemoteProtocolError) as error:
        raise TrustedNodeFailed(f"no WebSocket: {error}") from error
    if not data:
        raise TrustedNodeFailed("the connection ended")
