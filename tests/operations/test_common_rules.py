"""What operations of loans, and the update of an order, have in common."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.evaluators import EVALUATORS
from node.evaluators.base import apply_operation
from node.state.errors import NotAuthorized, OrderNotFound, OwnerMismatch
from protocol.asset import NO_FEE
from protocol.binary import pack
from protocol.constants import CORE_UNIT
from protocol.fees import DEFAULT_FEE_SCHEDULE, data_fee, required_fee
from protocol.operations import OPERATIONS, fee_payer
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import TRANSFER_RESTRICTED, WHITE_LIST
from protocol.operations.authorities import required_authorities
from protocol.operations.limit_order import LimitOrderUpdate
from tests.operations.test_credit_offer import black_list
from tests.support.credit import make_loans
from tests.support.state import apply
from tests.support.world import BOB, CAROL
from tests.vectors.test_operations import VECTORS, declared

SHARED = {
    vector["name"]: declared(vector) for vector in VECTORS if 59 <= vector["operation"][0] <= 77
}
LOANS = (69, 70, 71, 72, 73, 76, 77)


@pytest.mark.parametrize("name", SHARED)
def test_the_first_account_pays_and_signs(name: str) -> None:
    """G0.1: alone; virtual ones need nobody, for they are in no transaction."""
    op = SHARED[name]
    entry = next(one for one in OPERATIONS.values() if one.cls is type(op))
    if entry.virtual:
        return
    required = required_authorities(op)
    assert set(required.active) == {fee_payer(op)}
    assert not required.owner
    assert not required.other


def test_transfer_restricted_forbids_no_loan() -> None:
    """G0.2, R2.20: the flag is for transfers; the lists of the asset count, the fee's first."""
    loans = make_loans()
    for asset_id in (loans.loan, loans.gold):
        black_list(loans, CAROL, asset_id)
        asset = loans.state.assets.get(asset_id)
        loans.state.log.begin()
        flags = TRANSFER_RESTRICTED | WHITE_LIST
        loans.state.assets.edit(asset).options = replace(asset.options, flags=flags)
        loans.state.log.finish()
    offer = loans.offer()
    deal = loans.deal(offer)
    apply(loans.ctx, loans.repay(deal, 100, 3))
    apply(loans.ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    in_loan = loans.accept(offer, fee=loans.lent(1), borrow_amount=loans.lent(5_000))
    loans.state.log.begin()
    with pytest.raises(NotAuthorized, match=r"R2\.20"):
        apply_operation(loans.ctx, in_loan)
    loans.state.log.undo()


def test_refusals_that_bitshares_names() -> None:
    """G0.3: a missing order and another's."""
    assert (OrderNotFound.name, OwnerMismatch.name) == ("nonexist_order", "owner_mismatch")


@pytest.mark.parametrize(
    ("name", "fee"),
    [
        ("credit_offer_delete", 0),
        ("credit_offer_accept", CORE_UNIT),
        ("credit_deal_repay", CORE_UNIT),
        ("credit_deal_update", CORE_UNIT),
        ("limit_order_update", 3 * CORE_UNIT // 8),
    ],
)
def test_default_fees(name: str, fee: int) -> None:
    """G0.6: also where the schedule has no entry."""
    (op,) = [op for key, op in SHARED.items() if key == name][:1] or [
        next(op for op in SHARED.values() if isinstance(op, LimitOrderUpdate))
    ]
    assert required_fee(op, DEFAULT_FEE_SCHEDULE) == fee
    assert required_fee(op, type(DEFAULT_FEE_SCHEDULE)((), DEFAULT_FEE_SCHEDULE.scale)) == fee


def test_fees_by_size() -> None:
    """G0.6: of the whole operation, the fee field included, rounded down."""
    for name in ("credit_offer_create", "credit_offer_update"):
        op = SHARED[name]
        assert required_fee(op, DEFAULT_FEE_SCHEDULE) == CORE_UNIT + data_fee(
            len(pack(op)), CORE_UNIT
        )


def test_all_that_is_executed_may_be_proposed() -> None:
    """G0.4, G0.5, G0.7: each has its row; whom it concerns, what it answers and that it can be
    proposed is tested on a chain (test_credit_chain)."""
    assert {OPERATIONS[number].cls for number in LOANS} <= EVALUATORS.keys()
    assert OPERATIONS[74].cls not in EVALUATORS
