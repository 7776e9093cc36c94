"""T-A5, T-A8: the head of an HTTP request, up to its first empty line."""

from __future__ import annotations

from node.services.access_rules import AccessRules, may_be_of_a_page, preflight_lines
from node.services.http_connection import END_OF_HEAD
from node.services.http_head import (
    HEAD_BYTES_MAX,
    HEADER_LINES_MAX,
    RequestRefused,
    parse_head,
    wants_websocket,
)
from tests.fuzz.targets import Refused, accepted, typed

MAX_BYTES = 1_024
PAGE = "https://wallet.example"
TOKEN = "0123456789abcdef0123456789abcdef"
RULES = AccessRules(frozenset({"node.example"}), frozenset({PAGE}), TOKEN)
OWN_ORIGINS = ("http://", "https://")
HOSTS = ("localhost", "127.0.0.1", "[::1]", "node.example")


def seeds() -> list[bytes]:
    """A call, a WebSocket, what a browser asks first, a body in chunks, and two framings."""
    heads = [
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Type: application/json",
        "GET / HTTP/1.1\r\nHost: [::1]:8090\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"OPTIONS / HTTP/1.1\r\nHost: node.example\r\nOrigin: {PAGE}\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Private-Network: true",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nTransfer-Encoding: chunked\r\nConnection: close",
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 2",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:80@evil",
        "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example",
    ]
    bearer = f"\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    return [(head + bearer).encode() for head in heads]


@accepted
def check(data: bytes) -> None:
    """One framing, one host that is ours, an origin that is named; else a status."""
    end = END_OF_HEAD.search(data)
    if end is None:
        raise Refused
    raw = data[: end.end()]
    with typed(RequestRefused):
        head = parse_head(raw)
        assert len(raw) <= HEAD_BYTES_MAX
        assert raw.count(b"\n") <= HEADER_LINES_MAX + 2
        if b"transfer-encoding" in head.fields:
            assert head.length is None, "two framings of one body"
        else:
            assert head.length is not None
            assert head.length >= 0
        origin = RULES.check_names(head)
        RULES.check_token(head)
        wants_websocket(head)
    host = (head.fields[b"host"]).lower()
    assert host.startswith(HOSTS), f"served under a foreign name {host!r}"
    assert "@" not in host
    shown = head.fields.get(b"origin", "").lower()
    assert origin in ("", PAGE) or origin.lower() == PAGE
    assert shown in ("", PAGE, *(scheme + host for scheme in OWN_ORIGINS)), f"a page of {shown!r}"
    may_be_of_a_page(head)
    preflight_lines(head)
