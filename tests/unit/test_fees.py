"""What operations cost."""

from __future__ import annotations

from typing import cast

import pytest
from msgspec import Struct, structs
from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import key_authority
from protocol.binary import pack, unpack
from protocol.constants import CORE_UNIT, MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.fee_schedule import FeeSchedule, FlatFee, SizedFee
from protocol.fees import (
    DEFAULT_FEE_SCHEDULE,
    ZERO_FEE_SCHEDULE,
    FeeTable,
    data_fee,
    required_fee,
    with_parameters,
)
from protocol.ids import AccountId, AssetId, LimitOrderId
from protocol.json_form import from_json, to_json
from protocol.operations import OPERATIONS
from protocol.operations.account import AccountCreate, AccountOptions, AccountUpdate, AccountUpgrade
from protocol.operations.asset import AssetCreate, AssetIssue, AssetUpdateIssuer
from protocol.operations.asset_options import AssetOptions
from protocol.operations.base import Operation
from protocol.operations.bitasset import BidCollateral
from protocol.operations.custom import Assert, BlockIdPredicate, Custom
from protocol.operations.limit_order import LimitOrderUpdate
from protocol.operations.memo import Memo
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId, PublicKey
from tests.support.world import OPERATION_COUNT

A, B = AccountId(7), AccountId(8)
KEY = PublicKey(b"\x02" * 33)
MEMO = Memo(KEY, KEY, 1, bytes(100))
TRANSFER = Transfer(NO_FEE, A, B, NO_FEE)
OPTIONS = AssetOptions(
    MAX_SUPPLY, 0, MAX_SUPPLY, 0, 0, Price(AssetAmount(1, AssetId(0)), AssetAmount(1, AssetId(1)))
)
ACCOUNT = AccountCreate(
    NO_FEE, A, A, 0, "alice", key_authority(KEY), key_authority(KEY), AccountOptions(KEY)
)


def core(schedule: FeeSchedule, operation: Operation) -> int:
    units, _ = divmod(required_fee(operation, schedule), CORE_UNIT)
    return int(units)


def test_a_transfer_pays_for_its_memo() -> None:
    """R8.17: floor(bytes * price / 1024), the bytes of the optional memo."""
    size = 1 + 33 + 33 + 8 + 1 + 100
    with_memo = replace(TRANSFER, memo=MEMO)
    assert required_fee(TRANSFER, DEFAULT_FEE_SCHEDULE) == 20 * CORE_UNIT
    assert required_fee(with_memo, DEFAULT_FEE_SCHEDULE) == (
        20 * CORE_UNIT + size * 10 * CORE_UNIT // 1024
    )
    assert required_fee(AssetIssue(NO_FEE, A, NO_FEE, B), DEFAULT_FEE_SCHEDULE) == (
        20 * CORE_UNIT + CORE_UNIT // 1024
    )
    assert data_fee(1023, 1) == 0


def test_premium_names_cost_more() -> None:
    """R8.19: 5 for a cheap name, 2000 for a premium one, and the data fee."""
    data = len(pack(ACCOUNT)) * CORE_UNIT // 1024
    assert required_fee(ACCOUNT, DEFAULT_FEE_SCHEDULE) == 2000 * CORE_UNIT + data
    assert required_fee(replace(ACCOUNT, name="al1ce"), DEFAULT_FEE_SCHEDULE) == (
        5 * CORE_UNIT + data
    )


@pytest.mark.parametrize(
    ("symbol", "expected"), [("USD", 500_000), ("GOLD", 300_000), ("SILVER", 5000), ("A.BC", 500)]
)
def test_short_symbols_cost_more(symbol: str, expected: int) -> None:
    """R8.19: by length; an asset below another costs the parameter of account_transfer."""
    assert core(DEFAULT_FEE_SCHEDULE, AssetCreate(NO_FEE, A, symbol, 4, OPTIONS)) == expected


def test_an_old_schedule_has_no_price_for_sub_assets() -> None:
    old = FeeSchedule(DEFAULT_FEE_SCHEDULE.parameters[:49])
    assert core(old, AssetCreate(NO_FEE, A, "A.BC", 4, OPTIONS)) == 300_000


def test_membership_for_a_year_or_for_life() -> None:
    """R8.19: 2000 and 10000."""
    year, life = (
        AccountUpgrade(NO_FEE, A),
        AccountUpgrade(NO_FEE, A, upgrade_to_lifetime_member=True),
    )
    assert core(DEFAULT_FEE_SCHEDULE, year) == 2000
    assert core(DEFAULT_FEE_SCHEDULE, life) == 10_000


def test_an_account_update_pays_for_its_options_only() -> None:
    keys = AccountUpdate(NO_FEE, A, owner=key_authority(KEY))
    assert required_fee(keys, DEFAULT_FEE_SCHEDULE) == 20 * CORE_UNIT
    options = replace(keys, new_options=AccountOptions(KEY))
    assert required_fee(options, DEFAULT_FEE_SCHEDULE) == (
        20 * CORE_UNIT + len(pack(options)) * CORE_UNIT // 1024
    )


def test_assertions_are_paid_one_by_one() -> None:
    predicate = BlockIdPredicate(BlockId(bytes(20)))
    assert core(DEFAULT_FEE_SCHEDULE, Assert(NO_FEE, A, (predicate,) * 3)) == 3


def test_scale_rounds_down() -> None:
    """R8.17: floor(fee * scale / 10000)."""
    scaled = replace(with_parameters(DEFAULT_FEE_SCHEDULE, 0, SizedFee(3, 0)), scale=5000)
    assert required_fee(TRANSFER, scaled) == 1
    assert required_fee(TRANSFER, ZERO_FEE_SCHEDULE) == 0


def test_a_fee_that_cannot_exist_is_refused() -> None:
    """R8.17: nothing above the largest supply."""
    huge = with_parameters(DEFAULT_FEE_SCHEDULE, 0, SizedFee(MAX_SUPPLY + 1, 0))
    with pytest.raises(ValidationError, match="largest supply"):
        required_fee(TRANSFER, huge)


def test_later_operations_cost_in_an_old_schedule_what_they_split_off() -> None:
    without = FeeSchedule(
        tuple(item for item in DEFAULT_FEE_SCHEDULE.parameters if item.tag not in (45, 48))
    )
    changed = with_parameters(without, 3, FlatFee(7))
    assert required_fee(BidCollateral(NO_FEE, A, NO_FEE, NO_FEE), changed) == 7
    assert core(changed, AssetUpdateIssuer(NO_FEE, A, AssetId(4), B)) == 500
    assert core(FeeSchedule(()), AssetUpdateIssuer(NO_FEE, A, AssetId(4), B)) == 20
    assert required_fee(LimitOrderUpdate(NO_FEE, A, LimitOrderId(1)), FeeSchedule(())) == 37_500


def test_the_default_schedule_covers_every_operation() -> None:
    """R8.19: and its JSON form has bitshares-core's shape."""
    tags = [item.tag for item in DEFAULT_FEE_SCHEDULE.parameters]
    assert tags == list(range(OPERATION_COUNT))
    for item in DEFAULT_FEE_SCHEDULE.parameters:
        if item.tag in OPERATIONS:
            assert item.value == OPERATIONS[item.tag].default_fee
    data = to_json(DEFAULT_FEE_SCHEDULE, "BTS")
    assert isinstance(data, dict)
    assert isinstance(data["parameters"], list)
    assert data["parameters"][0] == [0, {"fee": 2_000_000, "price_per_kbyte": 1_000_000}]
    assert data["parameters"][10] == [
        10,
        {
            "symbol3": "50000000000",
            "symbol4": "30000000000",
            "long_symbol": 500_000_000,
            "price_per_kbyte": 10,
        },
    ]
    assert from_json(FeeSchedule, data, "BTS") == DEFAULT_FEE_SCHEDULE
    assert unpack(FeeSchedule, pack(DEFAULT_FEE_SCHEDULE)) == DEFAULT_FEE_SCHEDULE


def test_the_zero_schedule_is_free_for_all() -> None:
    for item in ZERO_FEE_SCHEDULE.parameters:
        assert set(structs.astuple(cast(Struct, item.value))) <= {0}


def test_a_table_answers_as_the_schedule() -> None:
    table = FeeTable(DEFAULT_FEE_SCHEDULE)
    for operation in (TRANSFER, ACCOUNT, Custom(NO_FEE, A, (), 1, bytes(2048))):
        assert table.required(operation) == required_fee(operation, DEFAULT_FEE_SCHEDULE)
    assert table.parameters(57) == FlatFee(50 * CORE_UNIT)
