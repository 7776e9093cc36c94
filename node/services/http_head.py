"""The head of a request: parsed once, under limits (T-A8), and the refusals that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import h11

from node.api.errors import InvalidRequest
from protocol.schema import Record

HEAD_BYTES_MAX = 16 * 1024
HEADER_LINES_MAX = 100
HEADS_KEPT = 256
"""Heads repeat themselves, but for the length of the body; parsing one takes longer than a call."""
WEBSOCKET_KEY_LENGTH = 24
"""16 bytes in base64."""
CONTENT_TYPE: Final = b"content-type"


class RequestRefused(InvalidRequest):
    """A request that is answered with a status and closes the connection; named as the status."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        rule: str = "T-A8",
        value: object = None,
        limit: object = None,
        lines: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, rule=rule, value=value, limit=limit)
        self.name = HTTPStatus(status).name.lower()
        self.status = status
        self.lines = lines
        """Header lines that the status asks for."""


class RequestHead(Record):
    """What the head of a request says."""

    raw: bytes
    method: bytes
    target: bytes
    fields: Mapping[bytes, str]
    """By names in lower case; of a repeated one the last."""
    repeated: frozenset[bytes]
    """Names that stand more than once."""
    length: int | None
    """Of the body; None for one in chunks."""
    media_type: str
    """Of the body, in lower case and without parameters; "" if none or several are named."""
    closes: bool
    """Whether the client wants no further answer on this connection."""

    def field(self, name: bytes) -> str | None:
        """The value of a field that may stand once; raises `RequestRefused`."""
        if name in self.repeated:
            raise RequestRefused(400, f"more than one {name.decode()} header")
        return self.fields.get(name)


@lru_cache(HEADS_KEPT)
def parse_head(raw: bytes) -> RequestHead:
    """The head of a request, up to and with its first empty line; raises `RequestRefused`."""
    if len(raw) > HEAD_BYTES_MAX:
        raise RequestRefused(431, "head too large")
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * HEAD_BYTES_MAX)
    parser.receive_data(raw)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise RequestRefused(400, "not HTTP/1.1") from error
    if not isinstance(request, h11.Request):
        raise RequestRefused(400, "not HTTP/1.1")
    if len(request.headers) > HEADER_LINES_MAX:
        raise RequestRefused(431, "too many header lines")
    if request.http_version != b"1.1":
        raise RequestRefused(505, "only HTTP/1.1")
    names = Counter(name for name, _ in request.headers)
    fields = {name: value.decode("latin-1").strip() for name, value in request.headers}
    length = fields.get(b"content-length")
    if b"transfer-encoding" in fields and length is not None:
        raise RequestRefused(400, "two framings of one body")
    media_type = fields.get(CONTENT_TYPE, "")
    connection = ",".join(
        value.decode("latin-1") for name, value in request.headers if name == b"connection"
    )
    return RequestHead(
        raw,
        request.method,
        request.target,
        fields,
        frozenset(name for name, count in names.items() if count > 1),
        None if b"transfer-encoding" in fields else int(length or 0),
        "" if names[CONTENT_TYPE] > 1 else media_type.partition(";")[0].strip().lower(),
        "close" in [token.strip().lower() for token in connection.split(",")],
    )


def wants_websocket(request: RequestHead) -> bool:
    """Whether a request asks for a WebSocket; raises `RequestRefused` for a malformed one."""
    upgrade = request.field(b"upgrade")
    if upgrade is None:
        return False
    tokens = (request.field(b"connection") or "").lower().split(",")
    key = request.field(b"sec-websocket-key") or ""
    if (
        upgrade.lower() != "websocket"
        or "upgrade" not in [token.strip() for token in tokens]
        or request.method != b"GET"
        or request.field(b"sec-websocket-version") != "13"
        or len(key) != WEBSOCKET_KEY_LENGTH
    ):
        raise RequestRefused(
            400, "not a WebSocket handshake of version 13", lines=("sec-websocket-version: 13",)
        )
    return True
