"""Credit deals: repaying them wholly and in parts, and what ends them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.state.errors import (
    InsufficientBalance,
    InsufficientFee,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    NothingChanges,
    WrongAccount,
    WrongAssetType,
)
from protocol.asset import NO_FEE, Price
from protocol.errors import ValidationError
from protocol.ids import CreditDealId, CreditOfferId, ObjectId
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferUpdate,
)
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.operations.transfer import Transfer
from tests.operations.test_credit_offer import black_list
from tests.support.credit import EACH, RATE, TERM, Loans, auto, make_loans, operations
from tests.support.state import apply, core, expect
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

NOW = GENESIS_TIME
OFFER, DEAL = ObjectId(1, 21, 0), ObjectId(1, 22, 0)


@pytest.fixture
def loans() -> Loans:
    return make_loans()


def leave(loans: Loans, amount: int) -> None:
    """Let bob have so much of LOAN and no more."""
    held = loans.state.balance_of(BOB, loans.loan)
    apply(loans.ctx, Transfer(NO_FEE, BOB, CAROL, loans.lent(held - amount)))


def test_a_whole_repayment(loans: Loans) -> None:
    """O6: debt and fee go into the offer, all collateral returns, deal and summary are gone."""
    offer = loans.offer()
    deal = loans.deal(offer, 1_000, collateral=loans.locked(501))
    assert apply(loans.ctx, loans.repay(deal, 1_000, 30)) == ExtendableOperationResult(
        impacted_accounts=(ALICE,),
        updated_objects=(OFFER,),
        removed_objects=(DEAL,),
        received=(loans.locked(501),),
    )
    found = loans.get_offer(offer)
    assert (found.total_balance, found.current_balance) == (1_030, 1_030)
    assert loans.summary(offer) is None
    assert len(loans.state.credit_deals) == 0
    assert loans.balances(loans.loan) == (EACH - 1_000, EACH - 30, EACH)
    assert loans.balances(loans.gold) == (EACH, EACH, EACH)
    check_all(loans.state)


def test_a_part_releases_collateral_rounded_down(loans: Loans) -> None:
    """O6: 333 of 1,000 against 501 cost ceil(9.99) = 10 and release floor(166.833) = 166."""
    offer = loans.offer()
    deal_id = loans.deal(offer, 1_000, collateral=loans.locked(501))
    assert expect(loans.ctx, InsufficientFee, loans.repay(deal_id, 333, 9)).limit == 10
    assert apply(loans.ctx, loans.repay(deal_id, 333, 10)) == ExtendableOperationResult(
        impacted_accounts=(ALICE,), updated_objects=(OFFER, DEAL), received=(loans.locked(166),)
    )
    deal = loans.get_deal(deal_id)
    assert (deal.debt_amount, deal.collateral_amount) == (667, 335)
    assert (loans.summary(offer), loans.get_offer(offer).lent) == (667, 667)
    apply(loans.ctx, loans.repay(deal_id, 1, 1))
    assert loans.get_deal(deal_id).collateral_amount == 335, "a part may release nothing"
    apply(loans.ctx, loans.repay(deal_id, 666, 20))
    assert loans.balances(loans.gold) == (EACH, EACH, EACH)
    check_all(loans.state)


def test_a_repayment_may_pay_too_much_fee(loans: Loans) -> None:
    """O6: all of it is the offer's, excess included."""
    offer = loans.offer()
    apply(loans.ctx, loans.repay(loans.deal(offer), 100, 500))
    assert loans.get_offer(offer).total_balance == 1_500


def test_refused_repayments(loans: Loans) -> None:
    """O6: in its order; the borrower, the asset, the debt, the fee, the lists, the balance."""
    offer = loans.offer()
    deal = loans.deal(offer)
    worst = loans.repay(deal, 101, 0, account=CAROL)
    worst = replace(worst, repay_amount=core(101), credit_fee=core(0))
    assert expect(loans.ctx, WrongAccount, worst).rule == "O6"
    assert expect(loans.ctx, WrongAssetType, replace(worst, account=BOB)).rule == "O6"
    error = expect(loans.ctx, LimitExceeded, loans.repay(deal, 101, 0))
    assert (error.rule, error.value, error.limit) == ("O6", 101, 100)
    black_list(loans, BOB, loans.loan)
    fee = expect(loans.ctx, InsufficientFee, loans.repay(deal, 100, 2))
    assert (fee.rule, fee.value, fee.limit) == ("O6", 2, 3)
    expect(loans.ctx, NotAuthorized, loans.repay(deal, 100, EACH * 2))
    expect(loans.ctx, NoSuchObject, loans.repay(CreditDealId(9), 100, 3))
    for amount, paid in ((0, 0), (1, -1)):
        expect(loans.ctx, ValidationError, loans.repay(deal, amount, paid))
    mixed = replace(loans.repay(deal, 100, 3), credit_fee=core(3))
    expect(loans.ctx, ValidationError, mixed)


def test_a_repayment_needs_both_sides_on_the_list(loans: Loans) -> None:
    """O6, R2.20: also the owner of the offer; and for the collateral nobody."""
    offer = loans.offer()
    deal = loans.deal(offer)
    black_list(loans, BOB, loans.gold)
    apply(loans.ctx, loans.repay(deal, 50, 2))
    black_list(loans, ALICE, loans.loan)
    expect(loans.ctx, NotAuthorized, loans.repay(deal, 50, 2))


def test_debt_and_fee_must_be_there_together(loans: Loans) -> None:
    """O6: the balance is looked at last, before the collateral returns."""
    deal = loans.deal(loans.offer())
    leave(loans, 102)
    error = expect(loans.ctx, InsufficientBalance, loans.repay(deal, 100, 3))
    assert (error.value, error.limit) == (102, 103)


def test_changing_how_a_deal_ends(loans: Loans) -> None:
    """O7: the borrower alone, to another value below 3."""
    deal = loans.deal(loans.offer())

    def update(value: int, **changes: object) -> CreditDealUpdate:
        return replace(CreditDealUpdate(NO_FEE, BOB, deal, value), **changes)

    assert expect(loans.ctx, NothingChanges, update(0)).rule == "O7"
    assert apply(loans.ctx, update(2)) == VoidResult()
    assert loans.get_deal(deal).auto_repay == 2
    assert expect(loans.ctx, NothingChanges, update(2)).value == 2
    apply(loans.ctx, update(1))
    assert expect(loans.ctx, ValidationError, update(3)).rule == "O7"
    assert expect(loans.ctx, WrongAccount, update(0, account=ALICE)).rule == "O7"
    expect(loans.ctx, NoSuchObject, update(0, deal_id=CreditDealId(9)))


def test_a_default(loans: Loans) -> None:
    """O8, J4: at latest_repay_time the collateral is the lender's, and the loan the borrower's."""
    offer = loans.offer()
    deal = loans.deal(offer, 301, collateral=loans.locked(151))
    assert loans.end_block(NOW + TERM - 1) == []
    (record,) = loans.end_block(NOW + TERM)
    assert record.is_virtual
    assert record.op == CreditDealExpired(
        NO_FEE, deal, offer, ALICE, BOB, loans.lent(301), loans.locked(151), RATE
    )
    found = loans.get_offer(offer)
    assert (found.total_balance, found.current_balance, found.lent) == (699, 699, 0)
    assert loans.summary(offer) is None
    assert loans.balances(loans.gold) == (EACH + 151, EACH - 151, EACH)
    assert loans.balances(loans.loan) == (EACH - 1_000, EACH + 301, EACH)


def test_a_default_asks_no_list(loans: Loans) -> None:
    """O8, R2.20: the owner gets collateral that it may not hold."""
    deal = loans.deal(loans.offer())
    black_list(loans, ALICE, loans.gold)
    (record,) = loans.end_block(NOW + TERM)
    assert isinstance(record.op, CreditDealExpired)
    assert record.op.deal_id == deal
    assert loans.balances(loans.gold)[0] == EACH + 50


def test_deals_end_by_time_then_by_id(loans: Loans) -> None:
    """O8: the earliest first, of one time the lower id; each summary falls deal by deal."""
    offer = loans.offer()
    apply(loans.ctx, CreditOfferUpdate(NO_FEE, ALICE, offer, max_duration_seconds=TERM + 5))
    last = loans.deal(offer, 10)
    apply(loans.ctx, CreditOfferUpdate(NO_FEE, ALICE, offer, max_duration_seconds=TERM))
    first, second = loans.deal(offer, 20), loans.deal(offer, 30)
    ended = operations(loans.end_block(NOW + TERM + 5))
    assert [op.deal_id for op in ended if isinstance(op, CreditDealExpired)] == [
        first,
        second,
        last,
    ]
    assert loans.get_offer(offer).total_balance == 940


def test_a_deal_repays_itself(loans: Loans) -> None:
    """O8, O6: as a virtual operation without a fee, which is all that is told."""
    for mode in (1, 2):
        loans = make_loans()
        offer = loans.offer()
        deal = loans.deal(offer, extensions=auto(mode))
        leave(loans, 103)
        (record,) = loans.end_block(NOW + TERM)
        assert record.is_virtual
        assert record.op == CreditDealRepay(NO_FEE, BOB, deal, loans.lent(100), loans.lent(3))
        assert record.result == ExtendableOperationResult(
            impacted_accounts=(ALICE,),
            updated_objects=(OFFER,),
            removed_objects=(DEAL,),
            received=(loans.locked(50),),
        )
        assert loans.balances(loans.loan)[1] == 0
        assert loans.get_offer(offer).total_balance == 1_003


def test_all_or_nothing(loans: Loans) -> None:
    """O8: mode 1 with a unit too little leaves no trace but the default."""
    deal = loans.deal(loans.offer(), extensions=auto(1))
    leave(loans, 102)
    (record,) = loans.end_block(NOW + TERM)
    assert isinstance(record.op, CreditDealExpired)
    assert (record.op.deal_id, record.virtual_op) == (deal, 1)
    assert loans.balances(loans.loan)[1] == 102


def test_what_can_be_paid_is_repaid_in_part(loans: Loans) -> None:
    """O8: with 500 for 1,000 at 3 % against 501: 485 payable, 242 freed by 484 for a fee of 15."""
    offer = loans.offer()
    deal = loans.deal(offer, 1_000, collateral=loans.locked(501), extensions=auto(2))
    leave(loans, 500)
    repaid, ended = operations(loans.end_block(NOW + TERM))
    assert repaid == CreditDealRepay(NO_FEE, BOB, deal, loans.lent(484), loans.lent(15))
    assert ended == CreditDealExpired(
        NO_FEE, deal, offer, ALICE, BOB, loans.lent(516), loans.locked(259), RATE
    )
    found = loans.get_offer(offer)
    assert (found.total_balance, found.current_balance) == (499, 499)
    assert loans.balances(loans.loan) == (EACH - 1_000, 1, EACH + EACH + 500)
    assert loans.balances(loans.gold) == (EACH + 259, EACH - 259, EACH)


def test_the_debt_without_its_fee_is_a_part(loans: Loans) -> None:
    """O8: with 102 for 100 at 3 % against 50: 99 payable, 49 freed by 98 for a fee of 3."""
    deal = loans.deal(loans.offer(), extensions=auto(2))
    leave(loans, 102)
    repaid, ended = operations(loans.end_block(NOW + TERM))
    assert repaid == CreditDealRepay(NO_FEE, BOB, deal, loans.lent(98), loans.lent(3))
    assert isinstance(ended, CreditDealExpired)
    assert (ended.unpaid_amount, ended.collateral) == (loans.lent(2), loans.locked(1))


@pytest.mark.parametrize("held", [0, 1, 2])
def test_too_little_for_one_unit_of_collateral(loans: Loans, held: int) -> None:
    """O8: a repayment of nothing is none; 2 units buy the only half that there is."""
    offer = loans.offer(fee_rate=0)
    loans.deal(offer, 4, collateral=loans.locked(2), extensions=auto(2), max_fee_rate=0)
    leave(loans, held)
    ended = operations(loans.end_block(NOW + TERM))
    assert len(ended) == (2 if held == 2 else 1)
    assert loans.balances(loans.loan)[1] == held % 2


def test_a_list_ends_the_attempt(loans: Loans) -> None:
    """O8, R2.20: all of O6 holds for it; the default does not ask."""
    deal = loans.deal(loans.offer(), extensions=auto(2))
    black_list(loans, ALICE, loans.loan)
    (ended,) = operations(loans.end_block(NOW + TERM))
    assert isinstance(ended, CreditDealExpired)
    assert ended.deal_id == deal


def test_deals_of_one_borrower_share_a_balance(loans: Loans) -> None:
    """O8: the first takes what is there, before the next is looked at."""
    offer = loans.offer()
    first = loans.deal(offer, extensions=auto(1))
    second = loans.deal(offer, extensions=auto(1))
    leave(loans, 205)
    repaid, ended = operations(loans.end_block(NOW + TERM))
    assert isinstance(repaid, CreditDealRepay)
    assert isinstance(ended, CreditDealExpired)
    assert (repaid.deal_id, ended.deal_id) == (first, second)


def test_a_loan_funds_the_next_deal(loans: Loans) -> None:
    """O8: collateral that a default pays out is there for the owner's own deals after it."""
    gold_offer = loans.offer(
        asset_type=loans.gold,
        owner_account=CAROL,
        acceptable_collateral=((loans.loan, Price(loans.locked(1), loans.lent(2))),),
    )
    offer = loans.offer()
    loans.deal(offer, 1_000)
    owed = loans.accept(
        gold_offer,
        borrower=ALICE,
        borrow_amount=loans.locked(400),
        collateral=loans.lent(800),
        extensions=auto(1),
    )
    apply(loans.ctx, owed)
    held = loans.balances(loans.gold)[0]
    apply(loans.ctx, Transfer(NO_FEE, ALICE, CAROL, loans.locked(held)))
    ended, repaid = operations(loans.end_block(NOW + TERM))
    assert isinstance(ended, CreditDealExpired)
    assert isinstance(repaid, CreditDealRepay)
    assert loans.balances(loans.gold)[0] == 500 - 412


def test_offers_end_by_themselves(loans: Loans) -> None:
    """O8: at auto_disable_time, without a record; those that are disabled are left alone."""
    early = loans.offer(auto_disable_time=NOW + 5)
    late = loans.offer(auto_disable_time=NOW + 6)
    off = loans.offer(auto_disable_time=NOW + 1, enabled=False)
    assert loans.end_block(NOW + 5) == []
    enabled = [loans.get_offer(one).enabled for one in (early, late, off)]
    assert enabled == [False, True, False]
    apply(
        loans.ctx, CreditOfferUpdate(NO_FEE, ALICE, early, enabled=True, auto_disable_time=NOW + 9)
    )
    loans.end_block(NOW + 9)
    assert not any(loans.get_offer(CreditOfferId(n)).enabled for n in range(3))
