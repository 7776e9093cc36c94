"""A well-formed value for each parameter of each method of the API, by the kind it declares."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from node.api.arguments import Parameter, parameters_of
from node.api.methods.tables import APIS
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import key_text, wif
from protocol.ids import ID_TYPES, AccountId
from protocol.json_form import to_json
from protocol.operations.transfer import Transfer
from protocol.transaction import SignedTransaction
from tests.support.api import Json
from tests.support.world import key_of, secret_of

TRANSFER = Transfer(NO_FEE, AccountId(0), AccountId(1), AssetAmount(5, CORE_ASSET), None)
TRANSACTION: Json = to_json(SignedTransaction(0, 0, 0, (TRANSFER,)), "TEST")
BLOCK: Json = {
    "previous": "00" * 20,
    "timestamp": "2026-01-01T00:00:00",
    "witness": "1.6.1",
    "transaction_merkle_root": "00" * 20,
    "extensions": [],
    "witness_signature": "00" * 65,
    "transactions": [],
}
TIME = "2026-01-01T00:00:00"

TEXTS = {
    "get_assets_by_issuer.start": "1.3.0",
    "get_order_book.base": "USD",
    "get_order_book.quote": "TEST",
    "lookup_vote_ids.votes": "1:1",
    "debug_generate_blocks.debug_key": wif(secret_of("alice")),
    "push_packed_blocks.blocks": "00",
}
"""What is text, and not just any."""

SAMPLES: dict[str, Json] = {
    "text": "alice",
    "boolean": True,
    "account name or id": "alice",
    "asset symbol or id": "USD",
    "public key": key_text(key_of("alice"), "TEST"),
    "public key or null": key_text(key_of("alice"), "TEST"),
    "block number": 1,
    "transaction id": "00" * 20,
    "price": {
        "base": {"amount": 1, "asset_id": "1.3.1"},
        "quote": {"amount": 1, "asset_id": "1.3.0"},
    },
    "object id": "2.1.0",
    "callback": 7,
    "operation": TRANSACTION["operations"][0],
    "transaction": TRANSACTION,
    "signed transaction": TRANSACTION,
    "signed block": BLOCK,
    "step": {"blocks": 2},
    "shock": {"feed_change": -1_000},
    "address and port": "127.0.0.1:1776",
    "object": {},
    "time, UTC": TIME,
    "time, UTC, or seconds, minutes, hours, days on: +90s, +15m, +1h, +2d": "+1h",
}

IDS = {
    re.sub("(?<=[a-z])(?=[A-Z])", " ", getattr(cls, "__name__", "")).lower(): place
    for cls, place in ID_TYPES.items()
}
"""Space and type by kind, such as "limit order id"."""


def methods() -> Iterator[tuple[str, str]]:
    """API and name of every method."""
    return ((api, name) for api, table in APIS.items() for name in table)


EVERY_METHOD = [pytest.param(api, name, id=f"{api}.{name}") for api, name in methods()]
EVERY_PARAMETER = [
    pytest.param(api, name, place, id=f"{api}.{name}.{parameter.name}")
    for api, name in methods()
    for place, parameter in enumerate(parameters_of(APIS[api][name]))
]


def sample_arguments(api: str, name: str) -> list[Json]:
    """Arguments of a method, one for each parameter."""
    return [sample(name, parameter) for parameter in parameters_of(APIS[api][name])]


def sample(method: str, parameter: Parameter) -> Json:
    """A well-formed value of a parameter."""
    return _sample(f"{method}.{parameter.name}", parameter.argument.kind)


def kinds_of(kind: str) -> tuple[str, int]:
    """The kind of the items of a list and its length at most; the kind itself and 0 for no list."""
    found = re.fullmatch(r"list of (.+), at most (\d+)", kind)
    return (found[1], int(found[2])) if found else (kind, 0)


def _sample(place: str, kind: str) -> Json:
    inner, most = kinds_of(kind)
    if most:
        return [_sample(place, inner)]
    if kind == "text" and place in TEXTS:
        return TEXTS[place]
    if kind == "asset symbol or id" and place.endswith((".quote", ".b")):
        return "TEST"
    if kind in SAMPLES:
        return SAMPLES[kind]
    if found := re.fullmatch(r"integer from (-?\d+) to \d+", kind):
        return max(int(found[1]), 1)
    if found := re.fullmatch(r"limit, at most (\d+)", kind):
        return int(found[1])
    if kind.lower() in IDS:
        space, type_ = IDS[kind.lower()]
        return f"{space}.{type_}.0"
    raise AssertionError(f"no sample of the kind {kind!r}")
