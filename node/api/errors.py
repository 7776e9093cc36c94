"""Refusals of the API itself, with the codes that clients are told."""

from __future__ import annotations

from protocol.errors import PegboardError
from protocol.json_form import JsonValue


class ApiError(PegboardError):
    """A request that the API cannot serve; `code` is its JSON-RPC code."""

    name = "api_error"
    code = 1


class ParseError(ApiError):
    """T-A1: the text is not JSON, or beyond a limit that is checked before it is read."""

    name = "parse_error"
    code = -32700


class InvalidRequest(ApiError):
    """T-A1: JSON, but not a call of the dialect, or with values that no call may have."""

    name = "invalid_request"
    code = -32600


class InvalidValue(InvalidRequest):
    """T-A1: a value in a well-formed text breaks a limit; `identity` is what can be echoed of it.

    A client that is told which call failed does not wait for the answer for ever.
    """

    identity: JsonValue = None


class MethodNotFound(ApiError):
    """No such API, or no such method in it."""

    name = "method_not_found"
    code = -32601


class InvalidParams(ApiError):
    """Wrong number or type of arguments."""

    name = "invalid_params"
    code = -32602


class InternalError(ApiError):
    """A bug of this node; the client is told no more than that."""

    name = "internal_error"
    code = -32603


class NotPossible(ApiError):
    """The call makes no sense on this connection or this node."""

    name = "not_possible"
    code = 10


class NotConfirmedYet(ApiError):
    """No block has taken the transaction within the time of an answer over HTTP; it still may."""

    name = "not_confirmed_yet"
    code = 10


class NetworkRefused(ApiError):
    """The processes of a network did not go through time together; as the command says it."""

    name = "network_refused"
    code = 10

    @classmethod
    def read(cls, fields: dict[str, JsonValue]) -> NetworkRefused:
        """The refusal that the command has told."""
        error = cls(
            str(fields.get("what")),
            rule=str(fields.get("rule") or ""),
            value=fields.get("value"),
            limit=fields.get("limit"),
        )
        error.name = str(fields.get("name") or cls.name)
        return error


class TooSlow(ApiError):
    """T-A2: the call took more time than any may."""

    name = "too_slow"
    code = 10


class NodeStopping(ApiError):
    """The node ends: of what is pending it cannot tell any more whether a block takes it."""

    name = "node_stopping"
    code = 10


class TakenBack(ApiError):
    """A development chain went back: the transaction is neither pending nor in a block."""

    name = "taken_back"
    code = 10


class AccessDenied(ApiError):
    """T-A4: an API that this node does not give; in the words that BitShares' clients know."""

    name = "is_allowed"
    code = 10


def no_development() -> AccessDenied:
    """Development calls are for chains whose one owner asks over the loopback (T-A4)."""
    return AccessDenied("Access denied: this is no development chain", rule="T-A4")


class TooManySubscriptions(ApiError):
    """T-A3: the connection subscribes to more than one session may."""

    name = "too_many_subscriptions"
    code = 10
