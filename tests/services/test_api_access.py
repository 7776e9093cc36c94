"""Who may ask what over HTTP: paths, methods, hosts, origins; and what browsers are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser

import pytest
import trio

from node.config import ConfigError, read_origin
from node.services import page_files as page_module
from node.services.access_rules import PREFLIGHT_S, AccessRules
from node.services.api_server import ROUTES, ApiOptions, serve_api
from node.services.page_files import CHART_FILES, POLICY, PREFIX, page_files
from node.services.pages import PAGES
from tests.support.api import ChainBackend, Json
from tests.support.chain import TestChain
from tests.support.logs import captured_log

WALLET = "https://wallet.example"
TOKEN = "b" * 64
CALL = json.dumps({"id": 1, "method": "get_chain_id", "params": []})
SOCKET_LINES = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
PATHS = [*(path for path in ROUTES if not path.startswith(PREFIX)), f"{PREFIX}style.css"]
LOADED = ("script", "link", "img")
"""Tags that load what they name."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


class Reply:
    """A response, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = dict(line.lower().split(": ", 1) for line in lines)

    @property
    def error(self) -> Json:
        """What a refusal says."""
        assert self.fields["content-type"].startswith("application/json")
        return json.loads(self.body)["error"]


class Server:
    """A server at a port, and its node."""

    def __init__(self, backend: ChainBackend, port: int) -> None:
        self.backend = backend
        self.port = port
        self.own = f"127.0.0.1:{port}"

    async def ask(
        self, method: str = "POST", path: str = "/", *lines: str, host: str = "", body: str = ""
    ) -> Reply:
        """The response to a request on a connection of its own."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {host or self.own}", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        if "Connection: Upgrade" not in lines:
            head.append("Connection: close")
        data = b""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all("\r\n".join([*head, "", body]).encode())
            while b"\r\n\r\n" not in data or "Connection: close" in head:
                chunk = await stream.receive_some()
                if not chunk:
                    break
                data += chunk
        return Reply(data)

    async def call(self, *lines: str, host: str = "") -> Reply:
        """The response to a JSON-RPC call by POST."""
        return await self.ask(
            "POST", "/", "Content-Type: application/json", *lines, host=host, body=CALL
        )


@asynccontextmanager
async def serve(rules: AccessRules | None = None) -> AsyncIterator[Server]:
    backend = ChainBackend(TestChain("alice"))
    backend.produce()
    options = ApiOptions(rules or AccessRules(origins=frozenset({WALLET})))

    async def run(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        await serve_api(backend.api, "127.0.0.1", 0, options=options, task_status=task_status)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            yield Server(backend, await nursery.start(run))
            nursery.cancel_scope.cancel()


# Paths and methods.


@pytest.mark.trio
@pytest.mark.parametrize("path", [*PATHS, "/elsewhere", "/rpc/", "/HEALTH", "*", "/%2e"])
async def test_every_method_of_every_path_is_answered(path: str) -> None:
    """A13, T-A5: served, or refused with 404, 405 or 426, a typed body, and what is allowed."""
    async with serve() as server:
        for method in METHODS:
            body = CALL if method == "POST" else ""
            lines = ("Content-Type: application/json",) if body else ()
            reply = await server.ask(method, path, *lines, body=body)
            allowed = ROUTES.get(path)
            place = f"{method} {path}"
            if allowed is None:
                assert (reply.status, "") == (404, reply.fields.get("allow", "")), place
            elif not allowed:
                assert (reply.status, reply.fields["upgrade"]) == (426, "websocket"), place
            elif method not in allowed:
                assert (reply.status, reply.fields["allow"]) == (405, ", ".join(allowed).lower())
            else:
                assert reply.status == 200, place
                continue
            if method == "HEAD":
                assert reply.body == b""
                continue
            assert reply.error["code"] == -32600
            names = {404: "not_found", 405: "method_not_allowed", 426: "upgrade_required"}
            assert reply.error["data"]["name"] == names[reply.status]


@pytest.mark.trio
@pytest.mark.parametrize("path", PAGES)
async def test_head_is_as_get_without_a_body(path: str) -> None:
    """RFC 9110, 9.3.2: the same type and length, for every page; a query changes nothing."""
    async with serve() as server:
        got, head = await server.ask("GET", f"{path}?x=1"), await server.ask("HEAD", path)
        assert (got.status, head.status, head.body) == (200, 200, b"")
        assert got.fields["content-type"] == head.fields["content-type"]
        if path != "/metrics":  # which counts itself
            assert int(head.fields["content-length"]) == len(got.body)


@pytest.mark.trio
async def test_health_follows_the_head() -> None:
    """FEATURES: live is the process, ready is its chain."""
    async with serve() as server:
        server.backend.now_s = lambda: 2_000_000_000  # type: ignore[method-assign]
        assert (await server.ask("GET", "/health/live")).status == 200
        for path in ("/health", "/health/ready"):
            assert (await server.ask("GET", path)).status == 503
        assert b"the head is old" in (await server.ask("GET", "/")).body


@pytest.mark.trio
@pytest.mark.parametrize("path", ["/", "/ws"])
async def test_sockets_open_where_they_may(path: str) -> None:
    """A13: at `/`, where people read, and at `/ws`; nowhere else."""
    async with serve() as server:
        assert (await server.ask("GET", path, *SOCKET_LINES)).status == 101
        for other in ("/rpc", "/health"):
            assert (await server.ask("GET", other, *SOCKET_LINES)).status == 404


# The page.


class Tags(HTMLParser):
    """Tags and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.trio
async def test_the_page_tells_what_this_node_is() -> None:
    """A13: chain, head, how to connect a client; links that lead somewhere."""
    async with serve() as server:
        reply = await server.ask("GET", "/")
        assert reply.fields["content-type"] == "text/html; charset=utf-8"
        text = reply.body.decode()
        backend = server.backend
        for fact in (backend.chain_id.hex(), "block 1 of", f"ws://{server.own}", "ready"):
            assert fact in text
        tags = Tags()
        tags.feed(text)
        links = [attributes["href"] for tag, attributes in tags.found if tag == "a"]
        assert set(links) >= {"/health", "/metrics", "/openrpc.json"}
        ids = {attributes.get("id") for _, attributes in tags.found}
        for link in map(str, links):
            if link.startswith("#"):
                assert link[1:] in ids
            else:
                assert (await server.ask("GET", link)).status == 200
        methods = json.loads((await server.ask("GET", "/openrpc.json")).body)
        assert "get_chain_id" in {method["name"] for method in methods["methods"]}


@pytest.mark.trio
async def test_the_page_loads_only_from_this_node() -> None:
    """A13: what it names is served here, with its type, and its policy forbids all else."""
    async with serve() as server:
        reply = await server.ask("GET", "/")
        assert reply.fields["content-security-policy"] == POLICY
        assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in POLICY
        assert "frame-ancestors 'none'" in POLICY
        assert "set-cookie" not in reply.fields
        tags = Tags()
        tags.feed(reply.body.decode())
        named = [one.get("src") or one.get("href") for tag, one in tags.found if tag in LOADED]
        assert {f"{PREFIX}style.css", f"{PREFIX}dashboard.js", f"{PREFIX}uplot.js"} <= {*named}
        assert {*named} <= page_files().keys()
        assert not [one for tag, one in tags.found if tag == "script" and "src" not in one]
        names = {name for _, attributes in tags.found for name in attributes}
        assert not {name for name in names if name.startswith("on") or name == "style"}


@pytest.mark.trio
async def test_files_of_the_page_have_their_types() -> None:
    """A13: with the policy, never kept by a browser, never taken for another type."""
    async with serve() as server:
        for path, file in page_files().items():
            reply = await server.ask("GET", path)
            assert (reply.status, reply.body) == (200, file.body)
            assert reply.fields["content-type"] == f"{file.kind}; charset=utf-8"
            assert reply.fields["cache-control"] == "no-store"
            assert reply.fields["x-content-type-options"] == "nosniff"
            assert reply.fields["content-security-policy"] == POLICY


@pytest.mark.trio
async def test_no_path_leads_out_of_the_table() -> None:
    """A13: a path is a key, never a name on the disk."""
    async with serve() as server:
        for path in ("", "home.html", "../rules.py", "..%2frules.py", "style.css/", "STYLE.CSS"):
            assert (await server.ask("GET", PREFIX + path)).status == 404, path


def test_another_script_of_the_chart_library_is_not_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A13: a package that ships something else than its makers' script draws nothing here."""
    for path in (CHART_FILES["uplot.css"][0], "vendor/no_such_file"):
        monkeypatch.setitem(CHART_FILES, "uplot.js", (path, CHART_FILES["uplot.js"][1]))
        found = page_files.__wrapped__()
        assert found.keys() == page_files().keys() - {f"{PREFIX}uplot.js"}


@pytest.mark.trio
async def test_missing_charts_are_told_when_the_api_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A13: by then the log is set up; whoever imports the package hears nothing."""
    with captured_log() as told:
        found = page_files.__wrapped__()
        del found[f"{PREFIX}uplot.js"]
        monkeypatch.setattr(page_module, "page_files", lambda: found)
        assert told == []
        async with serve():
            pass
    [line] = [line for line in told if line["event"] == "no_charts"]
    assert line["file"] == CHART_FILES["uplot.js"][0]


@pytest.mark.trio
async def test_the_page_repeats_no_markup_of_a_host() -> None:
    """T-A5: what stands in its lines of example came in with the request."""
    async with serve() as server:
        for host in ("localhost:<b>", '127.0.0.1"', "localhost/<script>", "127.0.0.1:80@evil"):
            reply = await server.ask("GET", "/", host=host)
            assert reply.status in (400, 403), host


# Hosts and origins.

OWN_HOSTS = {
    "127.0.0.1": True,
    "localhost:8090": True,
    "LOCALHOST": True,
    "[::1]:1": True,
    "evil.example": False,
    "127.0.0.1:80@evil": False,
    "127.0.0.1:x": False,
    "localhost:": False,
    "127.0.0.1.evil.example": False,
    "[::1": False,
}
OTHER_ORIGINS = {
    "": True,
    WALLET: True,
    WALLET.upper(): True,
    "http://wallet.example": False,
    "https://wallet.example:8443": False,
    "https://wallet.example.evil": False,
    "https://sub.wallet.example": False,
    "https://evil.example": False,
    "null": False,
    "*": False,
}


@pytest.mark.trio
@pytest.mark.parametrize("host", OWN_HOSTS)
async def test_hosts_and_origins(host: str) -> None:
    """T-A5, A13: 100 rows by POST, by GET, by WebSocket, and as browsers ask before."""
    async with serve() as server:
        for origin, is_known in OTHER_ORIGINS.items():
            is_allowed = OWN_HOSTS[host] and is_known
            lines = (f"Origin: {origin}",) if origin else ()
            replies = {
                "POST": await server.call(*lines, host=host),
                "GET": await server.ask("GET", "/version", *lines, host=host),
                "WebSocket": await server.ask("GET", "/", *SOCKET_LINES, *lines, host=host),
            }
            if origin:
                wish = "Access-Control-Request-Method: POST"
                replies["preflight"] = await server.ask("OPTIONS", "/", wish, *lines, host=host)
            for name, reply in replies.items():
                place = f"{name} {origin}"
                expected = 101 if name == "WebSocket" else 200
                assert reply.status == (expected if is_allowed else 403), place
                if not is_allowed:
                    assert reply.error["data"]["rule"] == "T-A5", place
                if name != "WebSocket":
                    told = origin.lower() if is_allowed and origin else None
                    assert reply.fields.get("access-control-allow-origin") == told, place


@pytest.mark.trio
async def test_a_browser_is_told_what_a_wallet_may() -> None:
    """A13: the preflight of a JSON call, also to a private network, and on every path."""
    lines = (f"Origin: {WALLET}", "Access-Control-Request-Method: POST")
    private = "Access-Control-Request-Private-Network: true"
    async with serve() as server:
        for path in ("/", "/rpc"):
            reply = await server.ask("OPTIONS", path, *lines, private)
            assert reply.status == 200
            assert "post" in reply.fields["access-control-allow-methods"]
            assert "content-type" in reply.fields["access-control-allow-headers"]
            assert reply.fields["access-control-max-age"] == str(PREFLIGHT_S)
            assert reply.fields["access-control-allow-private-network"] == "true"
            assert reply.fields["vary"] == "origin"
        reply = await server.ask("OPTIONS", "/", *lines)
        assert "access-control-allow-private-network" not in reply.fields


@pytest.mark.trio
async def test_refusals_reach_the_page_of_a_wallet_too() -> None:
    """A13: without the line the browser would hide why; a wallet sends JSON, as any page must."""
    async with serve() as server:
        origin = f"Origin: {WALLET}"
        for reply, status in (
            (await server.ask("GET", "/elsewhere", origin), 404),
            (await server.ask("DELETE", "/", origin), 405),
            (await server.ask("POST", "/", origin, "Content-Type: text/plain", body=CALL), 415),
        ):
            assert reply.status == status
            assert reply.fields["access-control-allow-origin"] == WALLET


@pytest.mark.trio
async def test_a_wallet_needs_the_token_too() -> None:
    """T-A6: browsers ask before without it, and send it then."""
    rules = AccessRules(origins=frozenset({WALLET}), token=TOKEN)
    origin = f"Origin: {WALLET}"
    async with serve(rules) as server:
        wish = "Access-Control-Request-Headers: authorization"
        lines = ("Access-Control-Request-Method: POST", wish, origin)
        assert (await server.ask("OPTIONS", "/", *lines)).status == 200
        assert (await server.call(origin, f"Authorization: Bearer {TOKEN}")).status == 200
        assert (await server.call(origin)).status == 401
        assert (await server.ask("OPTIONS", "/")).status == 401


@pytest.mark.trio
async def test_no_origin_is_allowed_unasked() -> None:
    """T-A5: a node that was not told of any."""
    async with serve(AccessRules()) as server:
        assert (await server.call(f"Origin: {WALLET}")).status == 403
        assert (await server.call(f"Origin: http://{server.own}")).status == 200


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (WALLET, WALLET),
        ("HTTPS://Wallet.Example/", WALLET),
        ("https://wallet.example:443", WALLET),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_origins_are_read_as_browsers_write_them(text: str, origin: str) -> None:
    """A13: in settings and on the command line."""
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["*", "", "null", "wallet.example", "https://", "https://a/b", "https://*.example"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    """T-A5: above all not every page there is."""
    with pytest.raises(ConfigError, match="no origin"):
        read_origin(text)
