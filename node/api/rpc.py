"""The envelope: JSON-RPC as BitShares speaks it, read from and written to JSON values.

A success has `result`, null for void, and never an `error` key: a client of BitShares takes the
mere key for a failure. `jsonrpc` and `id` are echoed as they came; id 0 is an id like any other.
"""

from __future__ import annotations

from typing import Final

import msgspec

from node.api.errors import ApiError, InvalidRequest
from protocol.errors import PegboardError
from protocol.json_form import JsonValue, format_time

BATCH_MAX = 50
METHOD_LENGTH_MAX = 100
ERROR_TEXT_MAX = 200

TRANSACTION_CODES: Final = {
    "missing_active_auth": 4010001,
    "missing_owner_auth": 4010002,
    "missing_other_auth": 4010003,
    "irrelevant_sig": 4010004,
    "duplicate_sig": 4010005,
    "invalid_committee_approval": 4010006,
    "insufficient_fee": 4010007,
}
"""BitShares' codes of the refusals that its clients tell apart; any other is an assertion."""

ASSERTION_CODE = 10
WORDS_OF_CODES: Final = {
    4010001: "missing required active authority",
    4010002: "missing required owner authority",
    4010003: "missing required other authority",
    4010004: "irrelevant signature included",
    4010005: "duplicate signature included",
    4010006: "committee account cannot directly approve transaction",
    4010007: "insufficient fee",
    ASSERTION_CODE: "Assert Exception",
}


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What an answer has to repeat of its request."""

    id: int | str | None = None
    has_id: bool = False
    jsonrpc: str | None = None


class Request(msgspec.Struct, frozen=True):
    """One call: `api` is 0 for a plain method, else what it is called with: a number or a name."""

    envelope: Envelope
    api: int | str
    method: str
    arguments: list[JsonValue]


def read_envelope(data: JsonValue) -> Envelope:
    """What can be echoed of a request, however wrong the rest of it is."""
    if not isinstance(data, dict):
        return Envelope()
    found, version = data.get("id"), data.get("jsonrpc")
    if version is not None and not (isinstance(version, str) and len(version) <= 8):
        version = None
    if "id" in data and (
        found is None or (isinstance(found, str | int) and found is not True and found is not False)
    ):
        return Envelope(found, True, version)
    return Envelope(None, False, version)


def read_request(data: JsonValue) -> Request:
    """A call of the dialect; raises `InvalidRequest`."""
    if not isinstance(data, dict):
        raise InvalidRequest("a request is an object", value=kind_of(data))
    method, params = data.get("method"), data.get("params", [])
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_LENGTH_MAX:
        raise InvalidRequest("`method` is not a name", value=kind_of(method))
    if not isinstance(params, list):
        raise InvalidRequest("`params` is not a list", value=kind_of(params))
    if method != "call":
        return Request(read_envelope(data), *_split_name(0, method), params)
    if len(params) not in (2, 3):
        raise InvalidRequest("a call has [api, method, arguments]", value=len(params), limit=3)
    api, name, arguments = params[0], params[1], params[2] if len(params) == 3 else []
    if not isinstance(api, (str, int)) or isinstance(api, bool) or len(str(api)) > 32:
        raise InvalidRequest("an API is a number or a name", value=kind_of(api))
    if not isinstance(name, str) or not 0 < len(name) <= METHOD_LENGTH_MAX:
        raise InvalidRequest("the method is not a name", value=kind_of(name))
    if not isinstance(arguments, list):
        raise InvalidRequest("the arguments are not a list", value=kind_of(arguments))
    return Request(read_envelope(data), *_split_name(api, name), arguments)


def _split_name(api: int | str, method: str) -> tuple[int | str, str]:
    """API and method of "history.get_account_history", which is called on no API in particular."""
    if api != 0 or "." not in method:
        return api, method
    prefix, _, name = method.rpartition(".")
    return prefix, name


def success(envelope: Envelope, result: JsonValue) -> dict[str, JsonValue]:
    """The answer of a call that went well."""
    fields = _echo(envelope)
    fields["result"] = result
    return fields


def failure(
    envelope: Envelope, error: PegboardError, method: str, now_s: int, core_words: str
) -> dict[str, JsonValue]:
    """The answer of a refused call, in BitShares' shape, with our typed fields in `data`.

    The message ends with what BitShares would say, if that is known.
    """
    code = code_of(error)
    if code < 0:
        message = error_text(error)
        words = error.what
    else:
        words = WORDS_OF_CODES.get(code, WORDS_OF_CODES[ASSERTION_CODE])
        message = f"Execution error: {words}: {error_text(error)}"
    if core_words:
        message = f"{message}; {core_words}"
    context: dict[str, JsonValue] = {
        "level": "error",
        "file": "",
        "line": 0,
        "method": method,
        "hostname": "",
        "thread_name": "",
        "timestamp": format_time(now_s),
    }
    fields: dict[str, JsonValue] = {
        "rule": error.rule,
        "value": plain_value(error.value),
        "limit": plain_value(error.limit),
        "unit": error.unit,
    }
    data: dict[str, JsonValue] = {
        "code": code,
        "name": error.name,
        "message": words,
        "what": error.what,
        "stack": [{"context": context, "format": error_text(error), "data": fields}],
        **fields,
    }
    envelope_fields = _echo(envelope) if envelope.has_id else _echo(envelope) | {"id": None}
    return envelope_fields | {"error": {"code": code, "message": message, "data": data}}


def notice(callback: int | str, argument: JsonValue) -> dict[str, JsonValue]:
    """What a subscriber is told; it has no id."""
    return {"method": "notice", "params": [callback, [argument]]}


def code_of(error: PegboardError) -> int:
    """The code of a refusal: JSON-RPC's own below zero, BitShares' above."""
    if isinstance(error, ApiError) and error.code != ApiError.code:
        return error.code
    return TRANSACTION_CODES.get(error.name, ASSERTION_CODE)


def error_text(error: PegboardError) -> str:
    """One line with the name of the reason, the numbers and the rule."""
    parts = [f"{error.name}: {error.what}"]
    for label, value in (("value", error.value), ("limit", error.limit)):
        if value is not None:
            parts.append(f"{label} {plain_value(value)}")
    text = ", ".join(parts)
    return f"{text} ({error.rule})" if error.rule else text


def plain_value(value: object) -> JsonValue:
    """A value of an error as JSON: short, and never the memory address of an object (T-A7)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(1 << 31) <= value < 1 << 31 else str(value)[:ERROR_TEXT_MAX]
    if isinstance(value, bytes):
        return value.hex()[:ERROR_TEXT_MAX]
    if isinstance(value, list | dict):
        return f"{kind_of(value)} of {len(value)}"
    text = str(value)
    return type(value).__name__ if " at 0x" in text else text[:ERROR_TEXT_MAX]


def kind_of(value: object) -> str:
    """The JSON type of a value, for messages."""
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "list", str: "string", int: "number"}
    return names.get(type(value), "null")


def _echo(envelope: Envelope) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {}
    if envelope.has_id:
        fields["id"] = envelope.id
    if envelope.jsonrpc is not None:
        fields["jsonrpc"] = envelope.jsonrpc
    return fields
