"""What an executed operation answers.

The bytes of a block have a place for the answers and its Merkle root covers them, but consensus
reads them nowhere: BitShares' producers leave the place empty, and nodes compute the answers.
"""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount
from protocol.ids import AccountId, ObjectId
from protocol.schema import EXTENSION, SORTED, Record, Variant

ObjectIds = Annotated[tuple[ObjectId, ...], SORTED]


class VoidResult(Record):
    """Nothing to tell."""


class GenericOperationResult(Record):
    """Ids of the objects that were touched."""

    new_objects: ObjectIds = ()
    updated_objects: ObjectIds = ()
    removed_objects: ObjectIds = ()


class GenericExchangeOperationResult(Record):
    """Amounts of an exchange."""

    paid: tuple[AssetAmount, ...] = ()
    received: tuple[AssetAmount, ...] = ()
    fees: tuple[AssetAmount, ...] = ()


class ExtendableOperationResult(Record):
    """Whatever of these is known; settlements and loans answer with it (G0.5)."""

    impacted_accounts: Annotated[tuple[AccountId, ...], SORTED] | None = None
    new_objects: ObjectIds | None = None
    updated_objects: ObjectIds | None = None
    removed_objects: ObjectIds | None = None
    paid: tuple[AssetAmount, ...] | None = None
    received: tuple[AssetAmount, ...] | None = None
    fees: tuple[AssetAmount, ...] | None = None


OperationResult = Annotated[
    VoidResult
    | ObjectId
    | AssetAmount
    | GenericOperationResult
    | GenericExchangeOperationResult
    | ExtendableOperationResult,
    Variant(
        {
            0: VoidResult,
            1: ObjectId,
            2: AssetAmount,
            3: GenericOperationResult,
            4: GenericExchangeOperationResult,
            5: Annotated[ExtendableOperationResult, EXTENSION],
        }
    ),
]
"""The answer of one operation: nothing, the id of a new object, an amount, or more."""
