"""The table of operations: complete, consistent, and honest about what it does not read."""

from __future__ import annotations

from typing import Annotated

import pytest

from protocol.asset import AssetAmount
from protocol.binary import pack_as, unpack_from
from protocol.chain_parameters import ChainParameters
from protocol.constants import COMMITTEE_ACCOUNT
from protocol.errors import DecodeError, UnsupportedOperation, ValidationError
from protocol.fee_schedule import FEE_PARAMETERS, OPERATION_COUNT
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.ids import AccountId, AssetId, ForceSettlementId, ObjectId
from protocol.json_form import from_json, from_json_as, to_json_as
from protocol.operations import (
    ENTRY_OF,
    OPERATIONS,
    UNDECLARED,
    OperationEntry,
    OperationResult,
    fee_payer,
    operation_name,
)
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettleCancel, ExecuteBid
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.operations.transfer import Transfer
from protocol.schema import Variant, schema_of
from protocol.transaction import Transaction

CORE = AssetAmount(0, AssetId(0))
TRANSFER = Transfer(CORE, AccountId(7), AccountId(8), AssetAmount(1, AssetId(0)))


def test_every_bitshares_id_is_known_exactly_once() -> None:
    assert sorted([*OPERATIONS, *UNDECLARED]) == list(range(OPERATION_COUNT))
    names = [operation_name(number) for number in range(OPERATION_COUNT)]
    assert len(set(names)) == OPERATION_COUNT
    assert (names[0], names[34], names[77]) == ("transfer", "worker_create", "limit_order_update")


@pytest.mark.parametrize("entry", OPERATIONS.values(), ids=lambda entry: entry.name)
def test_a_row_fits_its_class(entry: OperationEntry) -> None:
    """R8.19: the default fee has the parameters of the schedule; the payer is a field."""
    assert ENTRY_OF[entry.cls] is entry
    names = [field.name for field in schema_of(entry.cls).fields]
    assert "fee" in names
    assert entry.fee_payer in names or entry.cls is CommitteeMemberUpdateGlobalParameters
    assert type(entry.default_fee) is FEE_PARAMETERS[entry.id]
    camel = "".join(part.capitalize() for part in entry.name.split("_"))
    assert entry.cls.__name__ == camel


def test_fee_payer() -> None:
    """R9.6: the account in the field that the table names."""
    assert fee_payer(TRANSFER) == 7
    order = LimitOrderCreate(CORE, AccountId(9), AssetAmount(1, AssetId(0)), CORE)
    assert fee_payer(order) == 9


@pytest.mark.parametrize("number", UNDECLARED)
def test_an_undeclared_operation_is_refused_by_name(number: int) -> None:
    data = {
        "ref_block_num": 1,
        "ref_block_prefix": 2,
        "expiration": "2026-01-01T00:00:00",
        "operations": [[number, {"fee": {"amount": 0, "asset_id": "1.3.0"}}]],
        "extensions": [],
    }
    with pytest.raises(UnsupportedOperation, match=UNDECLARED[number]) as caught:
        from_json(Transaction, data, "BTS")  # type: ignore[arg-type]
    assert caught.value.value == number
    packed = bytes(10) + bytes([1, number]) + bytes(40)
    with pytest.raises(UnsupportedOperation, match=UNDECLARED[number]):
        unpack_from(Transaction, packed, 0)


def test_an_id_that_bitshares_does_not_have_is_no_operation() -> None:
    packed = bytes(10) + bytes([1, OPERATION_COUNT]) + bytes(40)
    with pytest.raises(DecodeError, match="unknown tag"):
        unpack_from(Transaction, packed, 0)


def test_virtual_operations_never_pass_as_proposed_or_sent() -> None:
    """R9.6: only the chain emits them."""
    virtual: list[Operation] = [
        FillOrder(
            CORE,
            ObjectId(1, 7, 1),
            AccountId(7),
            AssetAmount(1, AssetId(0)),
            AssetAmount(1, AssetId(1)),
            LimitOrderCreate(CORE, AccountId(7), CORE, CORE).sell_price(),
            is_maker=True,
        ),
        AssetSettleCancel(CORE, ForceSettlementId(1), AccountId(7), CORE),
        ExecuteBid(CORE, AccountId(7), CORE, CORE),
    ]
    assert {type(operation) for operation in virtual} == {
        entry.cls for entry in OPERATIONS.values() if entry.virtual
    }
    for operation in virtual:
        with pytest.raises(ValidationError, match="virtual"):
            operation.validate()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (VoidResult(), [0, {}]),
        (ObjectId(1, 7, 3), [1, "1.7.3"]),
        (AssetAmount(5, AssetId(0)), [2, {"amount": 5, "asset_id": "1.3.0"}]),
        (
            ExtendableOperationResult(new_objects=(ObjectId(1, 4, 2),)),
            [5, {"new_objects": ["1.4.2"]}],
        ),
    ],
)
def test_results_have_the_tags_of_bitshares(result: object, expected: object) -> None:
    data = to_json_as(OperationResult, result, "BTS")
    assert data == expected
    assert from_json_as(OperationResult, data, "BTS") == result
    assert pack_as(OperationResult, result)[0] == expected[0]  # type: ignore[index]


def test_deep_nesting_is_refused_before_it_is_followed() -> None:
    """R8.23: neither decoding nor validation follows proposals without a bound."""
    operation: Operation = TRANSFER
    for _ in range(4):
        operation = proposal_of(operation)
    with pytest.raises(ValidationError, match="nested") as caught:
        operation.validate()
    assert (caught.value.value, caught.value.limit) == (4, 3)
    for _ in range(20):
        operation = proposal_of(operation)
    annotation = Annotated[Operation, Variant("operation")]
    packed = bytes(10) + b"\x01" + pack_as(annotation, operation) + bytes(2)
    with pytest.raises(DecodeError, match="nested"):
        unpack_from(Transaction, packed, 0)


def proposal_of(operation: Operation) -> ProposalCreate:
    return ProposalCreate(CORE, AccountId(7), 1, (ProposedOperation(operation),))


def test_the_committee_pays_for_its_parameters() -> None:
    """R9.6: global parameters change through the committee account only."""
    change = CommitteeMemberUpdateGlobalParameters(CORE, ChainParameters(DEFAULT_FEE_SCHEDULE))
    change.validate()
    assert fee_payer(change) == COMMITTEE_ACCOUNT
