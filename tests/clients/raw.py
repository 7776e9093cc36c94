"""A WebSocket without a client library: what is sent and received, frame by frame."""

from __future__ import annotations

import json
import socket
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage

Json = Any

TIMEOUT_S = 20.0


class RawSocket:
    """One connection; `receive` gives the next text, whatever it is."""

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self.texts: list[str] = []
        self.partial = ""
        self.is_open = False
        self.stream.sendall(self.protocol.send(Request(host=f"127.0.0.1:{port}", target="/")))
        while not self.is_open:
            self._read()

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def send(self, text: str) -> None:
        """Send one text frame."""
        self.stream.sendall(self.protocol.send(TextMessage(data=text)))

    def send_json(self, value: Json) -> None:
        """Send a value as one text frame."""
        self.send(json.dumps(value))

    def receive(self) -> Json:
        """The next text as JSON; raises `TimeoutError`."""
        while not self.texts:
            self._read()
        return json.loads(self.texts.pop(0))

    def answer(self, request_id: int, api: int | str, method: str, *arguments: Json) -> Json:
        """The frame after a call, which must be its answer: no notice may come between."""
        call = {"id": request_id, "method": "call", "params": [api, method, list(arguments)]}
        self.send_json(call)
        return self.receive()

    def result(self, api: int | str, method: str, *arguments: Json) -> Json:
        """The result of a call that must not fail."""
        answer = self.answer(9, api, method, *arguments)
        assert "result" in answer, answer
        return answer["result"]

    def _read(self) -> None:
        data = self.stream.recv(1 << 16)
        if not data:
            raise ConnectionError("closed by the node")
        self.protocol.receive_data(data)
        for event in self.protocol.events():
            if isinstance(event, TextMessage):
                self.partial += event.data
                if event.message_finished:
                    self.texts.append(self.partial)
                    self.partial = ""
            elif isinstance(event, Ping):
                self.stream.sendall(self.protocol.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise ConnectionError(f"closed by the node: {event.reason}")
            self.is_open = self.is_open or isinstance(event, AcceptConnection)
