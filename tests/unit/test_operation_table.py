"""The table of operations: complete, consistent, and honest about what it does not read."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.asset import AssetAmount
from protocol.authority import Authority
from protocol.binary import pack_as, unpack_from
from protocol.chain_parameters import ChainParameters
from protocol.constants import COMMITTEE_ACCOUNT, TEMP_ACCOUNT
from protocol.errors import DecodeError, ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE
from protocol.ids import AccountId, AssetId, ObjectId
from protocol.json_form import from_json_as, to_json_as
from protocol.operations import (
    ENTRY_OF,
    OPERATIONS,
    OperationEntry,
    OperationResult,
    fee_payer,
    operation_name,
)
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.operations.stealth import BlindInput, BlindTransfer, TransferFromBlind
from protocol.operations.transfer import Transfer
from protocol.schema import Commitment, schema_of
from protocol.transaction import Transaction
from tests.support.declared import instances
from tests.support.world import OPERATION_COUNT

CORE = AssetAmount(0, AssetId(0))
NAMELESS: dict[type, AccountId] = {
    CommitteeMemberUpdateGlobalParameters: COMMITTEE_ACCOUNT,
    BlindTransfer: TEMP_ACCOUNT,
    TransferFromBlind: TEMP_ACCOUNT,
}
"""Operations without a field that names who pays."""
TRANSFER = Transfer(CORE, AccountId(7), AccountId(8), AssetAmount(1, AssetId(0)))


def test_every_bitshares_id_is_known_exactly_once() -> None:
    assert sorted(OPERATIONS) == list(range(OPERATION_COUNT))
    names = [operation_name(number) for number in range(OPERATION_COUNT)]
    assert len(set(names)) == OPERATION_COUNT
    assert (names[0], names[34], names[77]) == ("transfer", "worker_create", "limit_order_update")


@pytest.mark.parametrize("entry", OPERATIONS.values(), ids=lambda entry: entry.name)
def test_a_row_fits_its_class(entry: OperationEntry) -> None:
    """R8.19: the default fee has the parameters of the schedule; the payer is a field."""
    assert ENTRY_OF[entry.cls] is entry
    names = [field.name for field in schema_of(entry.cls).fields]
    assert "fee" in names
    assert entry.fee_payer in names or entry.cls in NAMELESS
    camel = "".join(part.capitalize() for part in entry.name.split("_"))
    assert entry.cls.__name__ == camel


def test_fee_payer() -> None:
    """R9.6: the account in the field that the table names."""
    assert fee_payer(TRANSFER) == 7
    order = LimitOrderCreate(CORE, AccountId(9), AssetAmount(1, AssetId(0)), CORE)
    assert fee_payer(order) == 9
    spent = (BlindInput(Commitment(bytes(33)), Authority(0)),)
    assert fee_payer(BlindTransfer(CORE, spent, ())) == TEMP_ACCOUNT


def test_an_id_that_bitshares_does_not_have_is_no_operation() -> None:
    packed = bytes(10) + bytes([1, OPERATION_COUNT]) + bytes(40)
    with pytest.raises(DecodeError, match="unknown tag"):
        unpack_from(Transaction, packed, 0)


VIRTUAL = [entry for entry in OPERATIONS.values() if entry.virtual]


def test_which_operations_are_virtual() -> None:
    """R9.6: those that only the chain emits."""
    assert [entry.id for entry in VIRTUAL] == [4, 42, 44, 46, 51, 53, 74]


@pytest.mark.parametrize("entry", VIRTUAL, ids=lambda entry: entry.name)
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_virtual_operations_never_pass_as_proposed_or_sent(
    entry: OperationEntry, data: st.DataObject
) -> None:
    """R9.6: only the chain emits them."""
    operation: Operation = data.draw(instances(entry.cls))
    with pytest.raises(ValidationError, match="virtual") as caught:
        operation.validate()
    assert caught.value.value == entry.name


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
    for _ in range(40):
        operation = proposal_of(operation)
    packed = bytes(10) + b"\x01" + pack_as(TaggedOperation, operation) + bytes(2)
    with pytest.raises(DecodeError, match="nested"):
        unpack_from(Transaction, packed, 0)


def proposal_of(operation: Operation) -> ProposalCreate:
    return ProposalCreate(CORE, AccountId(7), 1, (ProposedOperation(operation),))


def test_the_committee_pays_for_its_parameters() -> None:
    """R9.6: global parameters change through the committee account only."""
    change = CommitteeMemberUpdateGlobalParameters(CORE, ChainParameters(DEFAULT_FEE_SCHEDULE))
    change.validate()
    assert fee_payer(change) == COMMITTEE_ACCOUNT
