"""Who may ask over HTTP: names of this server, origins of web pages, and the token (T-A5, T-A6).

A web page that somebody has open must not reach a node on the same machine: neither by a request
across origins, nor after its name was bound to a loopback address. So the `Host` and `Origin`
headers are checked of every request, the one for a WebSocket too. A page of an origin that the
settings name, a wallet in the browser, is let in, and the browser is told so.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import Final

from node.services.http_head import RequestHead, RequestRefused
from protocol.schema import Record

UNAUTHORIZED = 401
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
"""A name or an address, in lower case, and a port."""
BROWSER_FIELDS: Final = (b"origin", b"referer", b"cookie", b"sec-fetch-site", b"sec-fetch-mode")
"""Any of them says that a page may have caused the request."""
BROWSER_AGENT = "mozilla/"
"""How every browser names itself first, those too that send none of these fields."""
PREFLIGHT_S = 600
"""Seconds in which a browser need not ask again."""


class AccessRules(Record):
    """Names under which this server may be addressed, beyond those of the loopback."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    """Origins of pages that may ask, as browsers write them; see `node.config.read_origin`."""
    token: str = ""
    """What every request has to bring as `Authorization: Bearer TOKEN`; "" for nothing."""

    def check_names(self, request: RequestHead) -> str:
        """Refuse a foreign `Host` or `Origin` (T-A5).

        Returns the origin if it is another one that is allowed, which its browser has to be told.
        """
        host = request.field(b"host")
        if host is None:
            raise RequestRefused(400, "no Host header", rule="T-A5")
        found = HOST.fullmatch(host.lower())
        if found is None or not (found[1] in LOOPBACK_NAMES or found[1] in self.hosts):
            raise RequestRefused(403, "host not allowed", rule="T-A5", value=host[:100])
        origin = request.field(b"origin")
        if origin is None or origin.lower() in (f"http://{found[0]}", f"https://{found[0]}"):
            return ""
        if origin.lower() not in self.origins:
            raise RequestRefused(
                403, "origin not allowed (see --allow-origin)", rule="T-A5", value=origin[:100]
            )
        return origin

    def check_token(self, request: RequestHead) -> None:
        """Refuse who does not know the token (T-A6)."""
        if self.token and not self._knows_token(request):
            raise RequestRefused(UNAUTHORIZED, "no or wrong token", rule="T-A6")

    def _knows_token(self, request: RequestHead) -> bool:
        given = request.field(b"authorization") or ""
        scheme, _, token = given.partition(" ")
        is_right = compare_digest(token.strip().encode("latin-1"), self.token.encode())
        return is_right and scheme.lower() == "bearer"


def may_be_of_a_page(request: RequestHead) -> bool:
    """Whether a request may come from a page in a browser (T-A5).

    A page of any site can have a form sent here, of a form's types or of none; for JSON the browser
    asks first. Programs send JSON under any name: curl says that it is a form.
    """
    agent = request.fields.get(b"user-agent", "").lower()
    return agent.startswith(BROWSER_AGENT) or any(name in request.fields for name in BROWSER_FIELDS)


def is_preflight(request: RequestHead) -> bool:
    """Whether a browser asks what a page of another origin may do."""
    return request.method == b"OPTIONS" and b"access-control-request-method" in request.fields


def preflight_lines(request: RequestHead) -> list[str]:
    """What it is told, beside the line that allows the origin (Fetch standard, CORS preflight)."""
    lines = [
        "access-control-allow-methods: GET, HEAD, POST",
        "access-control-allow-headers: authorization, content-type",
        f"access-control-max-age: {PREFLIGHT_S}",
    ]
    if request.fields.get(b"access-control-request-private-network") == "true":
        lines.append("access-control-allow-private-network: true")
    return lines


def origin_lines(origin: str) -> list[str]:
    """What the browser of a page of an allowed origin has to see to hand the answer over."""
    return [f"access-control-allow-origin: {origin}", "vary: origin"] if origin else []
