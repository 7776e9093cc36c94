"""Calls of a node's JSON-RPC interface over HTTP, in the `call` dialect of BitShares' clients."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from node.cli.exits import CliError, NodeUnreachable
from node.cli.program import command_name
from node.exit_codes import Exit
from protocol.json_form import JsonValue

DEFAULT_URL = "http://127.0.0.1:8090"
TIMEOUT_S = 90
ANSWER_LENGTH_MAX = 64 << 20
"""Bytes of an answer that are read; a longer one is no answer."""

JsonObject: TypeAlias = dict[str, JsonValue]


class CallRefused(CliError):
    """The node refused a call; carries the refusal's own name, rule, value and limit."""

    name = "refused"
    exit_code = Exit.REFUSED

    def __init__(self, message: str, data: JsonObject) -> None:
        super().__init__(
            str(data.get("what") or message),
            rule=str(data.get("rule") or ""),
            value=data.get("value"),
            limit=data.get("limit"),
            unit=str(data.get("unit") or ""),
        )
        self.name = str(data.get("name") or self.name)


class NodeClient:
    """One node's API. Every call is a connection of its own, so that nothing outlives it."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout_s: int = TIMEOUT_S) -> None:
        """`url` is http://host:port or ws://host:port; the node serves both at one port."""
        self.url = url
        self.timeout_s = timeout_s
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "", parts.port or 80
        except ValueError as error:
            raise NodeUnreachable(f"not a URL: {error}", value=url) from error
        if parts.scheme not in ("http", "ws") or not self._host:
            raise NodeUnreachable(f"not a URL of a node, such as {DEFAULT_URL}", value=url)
        self._path = parts.path or "/"

    def call(self, api: str, method: str, *arguments: JsonValue) -> JsonValue:
        """The result of a call of one API set ("database", "network_broadcast", ...).

        Raises `CallRefused`, or `NodeUnreachable` when there is no proper answer in time.
        """
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "call",
            "params": [0 if api == "database" else api, method, list(arguments)],
        }
        answer = self._exchange(json.dumps(request, ensure_ascii=False).encode())
        error = answer.get("error")
        if error is not None:
            raise _refusal(method, error)
        if "result" not in answer:
            raise NodeUnreachable("the answer is no JSON-RPC", value=self.url)
        return answer["result"]

    def _exchange(self, body: bytes) -> JsonObject:
        connection = HTTPConnection(self._host, self._port, timeout=self.timeout_s)
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text, missing = response.read(ANSWER_LENGTH_MAX), response.length or 0
        except TimeoutError as error:
            raise NodeUnreachable(
                f"no answer from {self.url}", value="timeout", limit=f"{self.timeout_s} s"
            ) from error
        except ConnectionRefusedError as error:
            raise NodeUnreachable(
                f"no node at {self.url}; `{command_name()} up` starts a network"
            ) from error
        except (OSError, HTTPException) as error:
            raise NodeUnreachable(f"no node at {self.url}: {error}") from error
        finally:
            connection.close()
        if missing and len(text) == ANSWER_LENGTH_MAX:
            raise NodeUnreachable(
                "the answer is too long", value=len(text) + missing, limit=ANSWER_LENGTH_MAX
            )
        if missing:
            raise NodeUnreachable(f"the answer ends {missing} bytes early", value=self.url)
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError) as error:
            what = f"the answer is no JSON (HTTP {response.status}, {len(text)} bytes)"
            raise NodeUnreachable(what, value=self.url) from error
        if not isinstance(answer, dict):
            raise NodeUnreachable("the answer is no JSON object", value=self.url)
        return cast(JsonObject, answer)


def as_object(value: JsonValue) -> JsonObject:
    """A JSON value that must be an object."""
    if not isinstance(value, dict):
        raise NodeUnreachable("the node answered something else than an object", value=value)
    return value


def as_list(value: JsonValue) -> list[JsonValue]:
    """A JSON value that must be a list."""
    if not isinstance(value, list):
        raise NodeUnreachable("the node answered something else than a list", value=value)
    return value


def as_objects(value: JsonValue) -> list[JsonObject]:
    """A JSON value that must be a list of objects."""
    return [as_object(item) for item in as_list(value)]


def as_int(value: JsonValue) -> int:
    """A whole number, which BitShares writes as a string when it is large."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise NodeUnreachable("the node answered something else than a number", value=value)
    try:
        return int(value)
    except ValueError as error:
        raise NodeUnreachable("the node answered no number", value=value) from error


def as_text(value: JsonValue) -> str:
    """A JSON value that must be a string."""
    if not isinstance(value, str):
        raise NodeUnreachable("the node answered something else than text", value=value)
    return value


def _refusal(method: str, error: JsonValue) -> CallRefused:
    fields = error if isinstance(error, dict) else {}
    data = fields.get("data")
    data = data if isinstance(data, dict) else {}
    return CallRefused(str(fields.get("message") or f"{method} failed"), data)
