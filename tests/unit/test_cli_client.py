"""The client on real sockets: what a node answers, and what somebody else may answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from node.cli import client as client_module
from node.cli.client import CallRefused, NodeClient
from node.cli.exits import NodeUnreachable


class Answering:
    """A server that gives one answer to everything, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b'{"id":1,"result":null}'
        self.promised = 0
        """Bytes beyond the body that the head tells of."""
        self.asked: list[object] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.asked.append(json.loads(self.rfile.read(length)))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body) + outer.promised))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def answering() -> Iterator[Answering]:
    answering = Answering()
    thread = threading.Thread(target=answering.server.serve_forever, args=(0.01,))
    thread.start()
    yield answering
    answering.server.shutdown()
    thread.join()
    answering.server.server_close()


def test_the_call_dialect(answering: Answering) -> None:
    """The database is API 0, others go by name; the scheme of a WebSocket URL is as good."""
    client = NodeClient(answering.url.replace("http", "ws"))
    assert client.call("database", "get_chain_id") is None
    client.call("history", "get_account_history", "1.2.0", "é")
    assert [request["params"] for request in answering.asked] == [  # type: ignore[index]
        [0, "get_chain_id", []],
        ["history", "get_account_history", ["1.2.0", "é"]],
    ]


def test_a_refusal_keeps_its_fields(answering: Answering) -> None:
    """Name, rule, value and limit arrive as the chain gave them."""
    data = {"name": "kill_unfilled", "what": "not filled", "rule": "R2.9", "value": 3, "limit": 0}
    error = {"code": 10, "message": "Execution error: ...", "data": data}
    answering.body = json.dumps({"id": 1, "error": error}).encode()
    with pytest.raises(CallRefused) as refusal:
        NodeClient(answering.url).call("database", "x")
    caught = refusal.value
    found = (caught.name, caught.what, caught.rule, caught.value, caught.limit, caught.exit_code)
    assert found == ("kill_unfilled", "not filled", "R2.9", 3, 0, 1)


def test_a_refusal_of_another_implementation(answering: Answering) -> None:
    """bitshares-core has no typed fields; its message is kept."""
    answering.body = b'{"id":1,"error":{"code":1,"message":"Execution error: Assert Exception"}}'
    with pytest.raises(CallRefused, match="Assert Exception"):
        NodeClient(answering.url).call("database", "x")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":1}', b"[" * 100_000, b"\xff"])
def test_what_is_no_answer(answering: Answering, body: bytes) -> None:
    """Somebody else's server, or half an answer, ends with 69 and not with a traceback."""
    answering.body = body
    with pytest.raises(NodeUnreachable):
        NodeClient(answering.url).call("database", "x")


def test_an_answer_is_bounded(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than the limit."""
    monkeypatch.setattr(client_module, "ANSWER_LENGTH_MAX", 10)
    with pytest.raises(NodeUnreachable, match="too long, value 22, limit 10"):
        NodeClient(answering.url).call("database", "x")


def test_an_answer_that_breaks_off_is_told_from_one_that_is_no_json(answering: Answering) -> None:
    """A node that is killed meanwhile is another trouble than one that answers nothing."""
    answering.promised = 5
    with pytest.raises(NodeUnreachable, match="ends 5 bytes early"):
        NodeClient(answering.url).call("database", "x")
    answering.promised, answering.body = 0, b""
    with pytest.raises(NodeUnreachable, match=r"no JSON \(HTTP 200, 0 bytes\)"):
        NodeClient(answering.url).call("database", "x")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8090", "https://x", "http://", "http://h:99999"])
def test_urls_that_lead_nowhere(url: str) -> None:
    """Only http and ws URLs with a host and a port that can exist."""
    with pytest.raises(NodeUnreachable):
        NodeClient(url)
