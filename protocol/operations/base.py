"""What every operation has in common."""

from __future__ import annotations

from typing import Annotated, NoReturn, Protocol

from protocol.asset import AssetAmount
from protocol.errors import ValidationError
from protocol.schema import Record, Variant


class Operation(Protocol):
    """An operation: a record whose fields are in BitShares' order and names.

    Its id, fee payer and default fee stand in the table of `protocol.operations`.
    """

    @property
    def fee(self) -> AssetAmount:
        """What the fee payer pays; of any asset that has a fee pool (R8.17)."""

    def validate(self) -> None:
        """Check all that needs no chain state (R9.3); raises `ValidationError`."""


TaggedOperation = Annotated[Operation, Variant("operation")]
"""An operation as it crosses the wire: [id, fields], by the table of `protocol.operations`."""


class Void(Record):
    """Nothing; a place holder in tagged unions and extensions."""


def refuse_virtual(name: str) -> NoReturn:
    """Refuse a virtual operation: the chain emits it, no transaction may hold it (R9.6)."""
    raise ValidationError(f"{name} is a virtual operation", rule="R9.6", value=name)
