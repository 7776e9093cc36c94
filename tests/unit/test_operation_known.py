"""Operations that came later: what each refuses by itself, and what it costs.

Each case takes a valid operation of the vectors and spoils one field.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from protocol.asset import AssetAmount, Price
from protocol.authority import Authority
from protocol.binary import MAX_DEPTH, pack, pack_as, unpack
from protocol.constants import CORE_UNIT, MAX_SUPPLY
from protocol.errors import DecodeError, ValidationError
from protocol.fee_schedule import FlatFee, SizedFee
from protocol.fees import DEFAULT_FEE_SCHEDULE, data_fee, required_fee, with_parameters
from protocol.ids import AccountId, AssetId
from protocol.operations import Operation
from protocol.operations.credit_offer import MAX_CREDIT_DEAL_S, CreditOfferAcceptExtensions
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityUpdate,
)
from protocol.operations.htlc import HtlcCreate, HtlcRedeem
from protocol.operations.memo import Memo
from protocol.operations.restriction import Restriction
from protocol.operations.stealth import BlindInput, BlindOutput
from protocol.operations.ticket import TicketType
from protocol.operations.withdraw_permission import WithdrawPermissionClaim
from protocol.schema import Commitment, Tagged
from tests.vectors.test_operations import VECTORS, declared

A = AccountId(17)
IMPOSSIBLE = Authority(1)
LOW, HIGH = Commitment(b"\x02" * 33), Commitment(b"\x03" * 33)
ANYBODY = Authority(0)

OPERATIONS = {vector["name"]: declared(vector) for vector in VECTORS}


def amount(units: int, asset: int = 1) -> AssetAmount:
    return AssetAmount(units, AssetId(asset))


def price(base: int, quote: int, units: int = 1) -> Price:
    return Price(amount(units, base), amount(1, quote))


def output(commitment: Commitment, owner: Authority = ANYBODY) -> BlindOutput:
    return BlindOutput(commitment, b"", owner)


def spoilt(name: str, **changes: object) -> Operation:
    """A valid operation with other fields."""
    return cast(Operation, replace(cast(Any, OPERATIONS[name]), **changes))


REFUSED: list[tuple[str, str, object]] = [
    ("transfer_to_blind", "amount", amount(0)),
    ("transfer_to_blind", "outputs", ()),
    ("transfer_to_blind", "outputs", (output(HIGH), output(LOW))),
    ("transfer_to_blind", "outputs", (output(LOW), output(LOW))),
    ("transfer_to_blind", "outputs", (output(LOW, IMPOSSIBLE),)),
    ("blind_transfer", "inputs", ()),
    ("blind_transfer", "inputs", (BlindInput(HIGH, ANYBODY), BlindInput(LOW, ANYBODY))),
    ("blind_transfer", "outputs", (output(HIGH), output(LOW))),
    ("blind_transfer", "outputs", (output(LOW, IMPOSSIBLE),)),
    ("transfer_from_blind", "amount", amount(0, 0)),
    ("transfer_from_blind", "amount", amount(5, 1)),
    ("transfer_from_blind", "inputs", ()),
    ("htlc_create_sha256", "amount", amount(0)),
    ("custom_authority_create", "account", AccountId(0)),
    ("custom_authority_create", "account", AccountId(1)),
    ("custom_authority_create", "account", AccountId(2)),
    ("custom_authority_create", "account", AccountId(4)),
    ("custom_authority_create", "valid_from", 2**32 - 1),
    ("custom_authority_create", "operation_type", 78),
    ("custom_authority_create", "auth", IMPOSSIBLE),
    ("custom_authority_update", "account", AccountId(0)),
    ("custom_authority_update", "new_valid_from", 2**32 - 1),
    ("custom_authority_update", "new_auth", IMPOSSIBLE),
    ("custom_authority_delete", "account", AccountId(4)),
    ("ticket_create", "target_type", TicketType.LIQUID),
    ("ticket_create", "target_type", 5),
    ("ticket_create", "amount", amount(0, 0)),
    ("ticket_create", "amount", amount(5, 1)),
    ("ticket_update", "target_type", 5),
    ("ticket_update", "amount_for_new_target", amount(0, 0)),
    ("ticket_update", "amount_for_new_target", amount(5, 1)),
    ("liquidity_pool_create", "asset_a", AssetId(1)),
    ("liquidity_pool_create", "share_asset", AssetId(0)),
    ("liquidity_pool_create", "share_asset", AssetId(1)),
    ("liquidity_pool_create", "taker_fee_percent", 10_001),
    ("liquidity_pool_create", "withdrawal_fee_percent", 10_001),
    ("liquidity_pool_deposit", "amount_a", amount(0, 0)),
    ("liquidity_pool_deposit", "amount_b", amount(0)),
    ("liquidity_pool_deposit", "amount_b", amount(1, 0)),
    ("liquidity_pool_withdraw", "share_amount", amount(0)),
    ("liquidity_pool_exchange", "amount_to_sell", amount(0, 0)),
    ("liquidity_pool_exchange", "min_to_receive", amount(0)),
    ("liquidity_pool_exchange", "min_to_receive", amount(1, 0)),
    ("liquidity_pool_update", "taker_fee_percent", 10_001),
    ("liquidity_pool_update", "withdrawal_fee_percent", 1),
    ("samet_fund_create", "balance", 0),
    ("samet_fund_update", "delta_amount", amount(0)),
    ("samet_fund_borrow", "borrow_amount", amount(0)),
    ("samet_fund_repay", "repay_amount", amount(0)),
    ("samet_fund_repay", "fund_fee", amount(-1)),
    ("samet_fund_repay", "fund_fee", amount(1, 0)),
    ("credit_offer_create", "balance", 0),
    ("credit_offer_create", "max_duration_seconds", MAX_CREDIT_DEAL_S + 1),
    ("credit_offer_create", "min_deal_amount", -1),
    ("credit_offer_create", "min_deal_amount", MAX_SUPPLY + 1),
    ("credit_offer_create", "acceptable_collateral", ()),
    ("credit_offer_create", "acceptable_collateral", ((AssetId(0), price(2, 0)),)),
    ("credit_offer_create", "acceptable_collateral", ((AssetId(0), price(1, 2)),)),
    ("credit_offer_create", "acceptable_collateral", ((AssetId(0), price(1, 0, 0)),)),
    ("credit_offer_create", "acceptable_collateral", ((AssetId(0), price(1, 0, MAX_SUPPLY + 1)),)),
    ("credit_offer_create", "acceptable_borrowers", ((A, -1),)),
    ("credit_offer_create", "acceptable_borrowers", ((A, MAX_SUPPLY + 1),)),
    ("credit_offer_update", "delta_amount", amount(0)),
    ("credit_offer_update", "max_duration_seconds", MAX_CREDIT_DEAL_S + 1),
    ("credit_offer_update", "min_deal_amount", -1),
    ("credit_offer_update", "acceptable_collateral", ()),
    (
        "credit_offer_update",
        "acceptable_collateral",
        ((AssetId(0), price(1, 0)), (AssetId(2), price(3, 2))),
    ),
    ("credit_offer_update", "acceptable_borrowers", ((A, -1),)),
    ("credit_offer_accept", "borrow_amount", amount(0)),
    ("credit_offer_accept", "collateral", amount(0)),
    ("credit_offer_accept", "extensions", CreditOfferAcceptExtensions(3)),
    ("credit_deal_repay", "repay_amount", amount(0)),
    ("credit_deal_repay", "credit_fee", amount(-1)),
    ("credit_deal_repay", "credit_fee", amount(1, 0)),
    ("credit_deal_update", "auto_repay", 3),
]


@pytest.mark.parametrize(("name", "field", "value"), REFUSED, ids=str)
def test_one_bad_field_is_refused(name: str, field: str, value: object) -> None:
    """R9.3, R2.18, BSIP40: without looking at the chain."""
    OPERATIONS[name].validate()
    with pytest.raises(ValidationError):
        spoilt(name, **{field: value}).validate()


@pytest.mark.parametrize(
    "name",
    [
        vector["name"]
        for vector in VECTORS
        if vector["operation"][0] in {39, 41, 49, 50, 52, *range(54, 74), 75, 76}
    ],
)
def test_a_negative_fee_is_refused(name: str) -> None:
    """R8.17: but of a blind transfer, whose fee is what its commitments leave over."""
    with pytest.raises(ValidationError, match="fee"):
        spoilt(name, fee=amount(-1, 0)).validate()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("custom_authority_update", 3),
        ("liquidity_pool_update", 3),
        ("samet_fund_update", 3),
        ("credit_offer_update", 3),
    ],
)
def test_an_update_of_nothing_is_refused(name: str, kept: int) -> None:
    """R9.3: fee, account and object alone change nothing."""
    operation = cast(Any, OPERATIONS[name])
    fields = [getattr(operation, field) for field in type(operation).__struct_fields__][:kept]
    with pytest.raises(ValidationError, match="nothing to update"):
        type(operation)(*fields).validate()


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (13, Tagged(0, None)),
        (0, Tagged(39, ())),
        (5, Tagged(39, ())),
        (6, Tagged(7, A)),
        (9, Tagged(39, ())),
        (10, Tagged(40, ())),
        (11, Tagged(39, ())),
        (12, Tagged(39, ())),
        (10, Tagged(39, (Restriction(0, 13, Tagged(0, None)),))),
        (11, Tagged(40, ((Restriction(0, 6, Tagged(7, A)),),))),
        (12, Tagged(41, (0, (Restriction(0, 6, Tagged(7, A)),)))),
    ],
    ids=str,
)
def test_a_restriction_takes_the_arguments_of_its_function(function: int, argument: Tagged) -> None:
    """BSIP40: a value, a set, or more restrictions; also of those inside."""
    restriction = Restriction(0, function, argument)
    with pytest.raises(ValidationError, match=r"restriction|take"):
        restriction.validate()
    for name, field in (
        ("custom_authority_create", "restrictions"),
        ("custom_authority_update", "restrictions_to_add"),
    ):
        with pytest.raises(ValidationError):
            spoilt(name, **{field: (restriction,)}).validate()


def test_restrictions_do_not_nest_without_end() -> None:
    """T-P3, C3.8: a reader stops following them."""
    restriction = Restriction(0, 0, Tagged(7, A))
    for _ in range(MAX_DEPTH + 1):
        restriction = Restriction(0, 10, Tagged(39, (restriction,)))
    packed = pack(spoilt("custom_authority_create", restrictions=(restriction,)))
    with pytest.raises(DecodeError, match="nested"):
        unpack(CustomAuthorityCreate, packed)


def cost(operation: Operation) -> int:
    return required_fee(operation, DEFAULT_FEE_SCHEDULE)


@pytest.mark.parametrize(
    ("seconds", "days"), [(0, 0), (1, 1), (86_400, 1), (86_401, 2), (2**32 - 1, 49_711)]
)
def test_time_locks_cost_by_the_begun_day(seconds: int, days: int) -> None:
    """R8.17."""
    create = spoilt("htlc_create_sha1", claim_period_seconds=seconds)
    assert cost(create) == cost(spoilt("htlc_extend", seconds_to_add=seconds))
    assert cost(create) == (1 + days) * CORE_UNIT


def test_the_memo_of_a_time_lock_costs_what_that_of_a_transfer_does() -> None:
    """R8.17."""
    operation = OPERATIONS["htlc_create_hash160_memo"]
    assert isinstance(operation, HtlcCreate)
    size = len(pack_as(Memo | None, operation.extensions.memo))
    schedule = with_parameters(DEFAULT_FEE_SCHEDULE, 0, SizedFee(1, 5 * CORE_UNIT))
    expected = 2 * CORE_UNIT + data_fee(size, 5 * CORE_UNIT)
    assert required_fee(operation, schedule) == expected


@pytest.mark.parametrize(("size", "blocks"), [(0, 0), (1, 1), (1024, 1), (1025, 2)])
def test_a_preimage_costs_by_the_begun_kilobyte(size: int, blocks: int) -> None:
    """R8.17."""
    operation = OPERATIONS["htlc_redeem"]
    assert isinstance(operation, HtlcRedeem)
    assert cost(replace(operation, preimage=bytes(size))) == (1 + blocks) * CORE_UNIT


def test_blind_transfers_cost_by_the_output() -> None:
    """R8.17: 5 and 5 for each."""
    assert cost(OPERATIONS["transfer_to_blind"]) == 15 * CORE_UNIT
    assert cost(OPERATIONS["blind_transfer"]) == 15 * CORE_UNIT
    assert cost(spoilt("blind_transfer", outputs=())) == 5 * CORE_UNIT
    assert cost(OPERATIONS["transfer_from_blind"]) == 5 * CORE_UNIT


def test_custom_authorities_cost_by_the_byte() -> None:
    """BSIP40: restrictions and authority, at a tenth of CORE a byte."""
    create, update = OPERATIONS["custom_authority_create"], OPERATIONS["custom_authority_update"]
    assert isinstance(create, CustomAuthorityCreate)
    assert isinstance(update, CustomAuthorityUpdate)
    size = len(pack_as(tuple[Restriction, ...], create.restrictions)) + len(pack(create.auth))
    assert cost(create) == CORE_UNIT + size * CORE_UNIT // 10
    assert cost(replace(update, new_auth=None, restrictions_to_add=())) == CORE_UNIT * 11 // 10


def test_a_ticket_costs_the_same_under_every_schedule() -> None:
    """R8.17: BitShares does not look the price up."""
    schedule = with_parameters(DEFAULT_FEE_SCHEDULE, 57, FlatFee(1))
    schedule = with_parameters(schedule, 58, FlatFee(1))
    assert required_fee(OPERATIONS["ticket_create"], schedule) == 50 * CORE_UNIT
    assert required_fee(OPERATIONS["ticket_update"], schedule) == 50 * CORE_UNIT


def test_credit_offers_cost_by_size() -> None:
    """R8.17: of the whole operation."""
    for name in ("credit_offer_create", "credit_offer_update"):
        operation = OPERATIONS[name]
        assert cost(operation) == CORE_UNIT + data_fee(len(pack(operation)), CORE_UNIT)


def test_a_withdrawal_pays_for_its_memo() -> None:
    """R8.17: 10 units for a kilobyte by default."""
    operation = OPERATIONS["withdraw_permission_claim_memo"]
    assert isinstance(operation, WithdrawPermissionClaim)
    schedule = with_parameters(DEFAULT_FEE_SCHEDULE, 27, SizedFee(7, 1024))
    size = len(pack_as(Memo | None, operation.memo))
    assert required_fee(operation, schedule) == 7 + size
    assert required_fee(replace(operation, memo=None), schedule) == 7
