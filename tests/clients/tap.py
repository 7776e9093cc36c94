"""A tap between a client and a node: passes every byte on, and counts the calls in them.

It understands what clients send (HTTP/1.1 with Content-Length, WebSocket text frames); it changes
nothing, so that what is tested is the client and the node.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

Json = Any

RECEIVE_BYTES = 1 << 16
END_OF_HEAD = b"\r\n\r\n"
CONTENT_LENGTH: Final = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
FIRST_APIS: Final = {0: "database", 1: "login"}


@dataclass
class Tally:
    """Calls of each client, and those that were answered with an error."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(client, "api.method") -> number of calls."""
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    """Client -> notices that it was sent."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, client: str, requests: list[Json], answers: list[Json]) -> None:
        """Count what passed on one connection."""
        calls = {call["id"]: call for call in requests if "id" in call}
        names = dict(FIRST_APIS)
        with self.lock:
            for answer in answers:
                if answer.get("method") == "notice":
                    self.notices[client] += 1
                    continue
                call = calls.get(answer.get("id"))
                if call is None:
                    continue
                api, method = api_and_method(call, names)
                if api == "login" and isinstance(answer.get("result"), int):
                    names[answer["result"]] = method
                self.calls[client, f"{api}.{method}"] += 1
                self.errors[client, f"{api}.{method}"] += "error" in answer


def api_and_method(call: Json, names: dict[int, str]) -> tuple[str, str]:
    """Which API and method a request is for, given the numbers handed out before."""
    if call["method"] != "call":
        return "database", call["method"]
    api, method = call["params"][:2]
    if isinstance(api, int):
        api = names.get(api, f"api {api}")
    return api, method


class Tap:
    """Listens on a port of the loopback and passes everything on to a node."""

    def __init__(self, client: str, target: tuple[str, int], tally: Tally) -> None:
        self.client = client
        self.target = target
        self.tally = tally
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def close(self) -> None:
        """Take no more connections, and count those that have ended by now."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join()
        for thread in self.threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(inner,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _serve(self, inner: socket.socket) -> None:
        with inner, socket.create_connection(self.target) as outer:
            for item in (inner, outer):
                item.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent, received = bytearray(), bytearray()
            back = threading.Thread(target=_pass_on, args=(outer, inner, received), daemon=True)
            back.start()
            _pass_on(inner, outer, sent)
            back.join()
        requests = [item for text in texts_of(bytes(sent)) for item in members(text)]
        answers = [item for text in texts_of(bytes(received)) for item in members(text)]
        self.tally.add(self.client, requests, answers)


def _pass_on(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    try:
        while data := source.recv(RECEIVE_BYTES):
            record += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for item in (source, sink):
            item.close()


def texts_of(data: bytes) -> Iterator[str]:
    """The JSON texts in one direction of a connection, HTTP bodies or WebSocket messages."""
    is_client = data.startswith((b"GET", b"POST"))
    while END_OF_HEAD in data:
        head, _, data = data.partition(END_OF_HEAD)
        if b"websocket" in head.lower():
            role = ConnectionType.SERVER if is_client else ConnectionType.CLIENT
            yield from messages_of(data, role)
            return
        found = CONTENT_LENGTH.search(head)
        length = int(found.group(1)) if found else 0
        yield data[:length].decode()
        data = data[length:]


def messages_of(data: bytes, receiver: ConnectionType) -> Iterator[str]:
    """The text messages in the frames that a server or a client receives."""
    connection = Connection(receiver)
    connection.receive_data(data)
    text = ""
    for event in connection.events():
        if isinstance(event, TextMessage):
            text += event.data
            if event.message_finished:
                yield text
                text = ""


def members(text: str) -> list[Json]:
    """The requests or answers in a text, alone or in a batch."""
    value = json.loads(text) if text else []
    return value if isinstance(value, list) else [value]
