"""What an executed operation answers.

The bytes of a block have a place for the answers and its Merkle root covers them, but consensus
reads them nowhere: BitShares' producers leave the place empty, and nodes compute the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from protocol.asset import AssetAmount
from protocol.ids import AccountId, ObjectId
from protocol.schema import EXTENSION, SORTED, Variant

ObjectIds = Annotated[tuple[ObjectId, ...], SORTED]


@dataclass(frozen=True, slots=True)
class VoidResult:
    """Nothing to tell."""


@dataclass(frozen=True, slots=True)
class GenericOperationResult:
    """Ids of the objects that were touched."""

    new_objects: ObjectIds = ()
    updated_objects: ObjectIds = ()
    removed_objects: ObjectIds = ()


@dataclass(frozen=True, slots=True)
class GenericExchangeOperationResult:
    """Amounts of an exchange."""

    paid: tuple[AssetAmount, ...] = ()
    received: tuple[AssetAmount, ...] = ()
    fees: tuple[AssetAmount, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtendableOperationResult:
    """Whatever of these is known; a settlement answers with it."""

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
