"""Transactions and operations that are not finished: fields that are absent have a value.

It is the value that they have in BitShares, whose node reads every call so: what costs how much,
or who has to sign, is asked before all fields are there. What is signed and broadcast is read by
`protocol.json_form`, which refuses a missing field by name.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import cast

from protocol.asset import AssetAmount, Price
from protocol.constants import CORE_ASSET, HUNDRED_PERCENT, MAX_SUPPLY, PROXY_TO_SELF_ACCOUNT
from protocol.errors import DecodeError, KeyFormatError
from protocol.ids import AssetId, ObjectId
from protocol.json_form import Decoders, JsonValue
from protocol.operations.account import AccountOptions
from protocol.operations.asset_options import DEFAULT_UIA_PERMISSIONS, AssetOptions
from protocol.operations.limit_order import CreateTakeProfitOrder, FillOrder, LimitOrderCreate
from protocol.schema import (
    MAX_TIMESTAMP,
    ExtensionType,
    Field,
    FixedBytesType,
    IdType,
    IntegerType,
    OptionalType,
    PairType,
    ScalarType,
    SequenceType,
    StructType,
    Tagged,
    VariantType,
    Visitor,
    defaults_of,
    schema_of,
    wire_type,
)

NO_AMOUNT = AssetAmount(0, CORE_ASSET)

ABSENT_VALUES: dict[tuple[type, str], object] = {
    (AccountOptions, "voting_account"): PROXY_TO_SELF_ACCOUNT,
    (AssetOptions, "max_supply"): MAX_SUPPLY,
    (AssetOptions, "max_market_fee"): MAX_SUPPLY,
    (AssetOptions, "issuer_permissions"): DEFAULT_UIA_PERMISSIONS,
    (AssetOptions, "core_exchange_rate"): Price(NO_AMOUNT, AssetAmount(0, AssetId(1))),
    (CreateTakeProfitOrder, "size_percent"): HUNDRED_PERCENT,
    (FillOrder, "is_maker"): True,
    (LimitOrderCreate, "expiration"): MAX_TIMESTAMP,
}
"""What is neither zero nor empty in BitShares, and has no default where it is declared."""


def draft_from_json_as(annotation: Hashable, data: JsonValue, prefix: str) -> object:
    """Read a value of any annotation of the vocabulary; only fields may be absent, not wrong."""
    try:
        return _DRAFTS.for_annotation(annotation)(data, prefix)
    except KeyFormatError as error:
        raise DecodeError(error.what, rule=error.rule, value=error.value) from error


class _Zeros(Visitor[object]):
    """What a field of each wire type holds that nobody has set."""

    def integer(self, node: IntegerType) -> object:
        return 0

    def scalar(self, node: ScalarType) -> object:
        zeros: dict[str, object] = {
            "bool": False,
            "string": "",
            "bytes": b"",
            "object_id": ObjectId(0, 0, 0),
            "empty": (),
        }
        return zeros.get(node.kind, 0)

    def fixed_bytes(self, node: FixedBytesType) -> object:
        return bytes(node.length)

    def instance(self, node: IdType) -> object:
        return 0

    def optional(self, node: OptionalType) -> object:
        return None

    def sequence(self, node: SequenceType) -> object:
        return ()

    def pair(self, node: PairType) -> object:
        return self.visit(node.first), self.visit(node.second)

    def struct(self, node: StructType | ExtensionType) -> object:
        fields = schema_of(node.cls).fields
        return node.cls(**{field.name: absent_value(node.cls, field) for field in fields})

    def extension(self, node: ExtensionType) -> object:
        return node.cls()

    def variant(self, node: VariantType) -> object:
        table = node.resolve()
        tag = min(table)
        value = self.visit(wire_type(cast(Hashable, table[tag])))
        return Tagged(tag, value) if node.tagged else value


def absent_value(cls: type, field: Field) -> object:
    """What a field that is absent holds."""
    if (cls, field.name) in ABSENT_VALUES:
        return ABSENT_VALUES[cls, field.name]
    default = defaults_of(cls).get(field.name)
    return _zero(field.type) if default is None else default()


_zero = cache(_Zeros().visit)
_DRAFTS = Decoders(absent_value)
