"""Credit offers: who may make, change and delete them, and what they lend."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.state.errors import (
    BorrowerNotAccepted,
    CollateralNotAccepted,
    InsufficientBalance,
    InsufficientCollateral,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    OfferDisabled,
    OfferInUse,
    TransactionRejected,
    WrongAccount,
    WrongAssetType,
)
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import MAX_AMOUNT, MAX_SUPPLY
from protocol.errors import PriceOverflow, ValidationError
from protocol.ids import AccountId, AssetId, CreditOfferId, ObjectId, asset_text
from protocol.operations.account import BLACK_LISTED, AccountWhitelist
from protocol.operations.asset_options import WHITE_LIST
from protocol.operations.credit_offer import (
    MAX_CREDIT_DEAL_S,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.results import ExtendableOperationResult, VoidResult
from protocol.schema import MAX_TIMESTAMP
from tests.support.credit import EACH, RATE, TERM, Loans, auto, make_loans
from tests.support.state import add_asset, apply, core, core_options, expect
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

NOW = GENESIS_TIME
UNKNOWN = CreditOfferId(9)


@pytest.fixture
def loans() -> Loans:
    return make_loans()


def update(offer: CreditOfferId, **changes: object) -> CreditOfferUpdate:
    return replace(CreditOfferUpdate(NO_FEE, ALICE, offer), **changes)


def black_list(loans: Loans, account: AccountId, asset: AssetId) -> None:
    """Carol keeps an account from an asset."""
    state = loans.state
    state.log.begin()
    options = replace(
        core_options(),
        core_exchange_rate=state.assets.get(asset).options.core_exchange_rate,
        flags=WHITE_LIST,
        blacklist_authorities=(CAROL,),
    )
    state.assets.edit(state.assets.get(asset)).options = options
    state.log.finish()
    apply(loans.ctx, AccountWhitelist(NO_FEE, CAROL, account, BLACK_LISTED))


def test_an_offer_sets_its_balance_aside(loans: Loans) -> None:
    """O1, O2, J1: as stated, with nothing lent; the amount is in nobody's balance."""
    offer_id = loans.offer(acceptable_borrowers=((BOB, 7),), min_deal_amount=5)
    offer = loans.get_offer(offer_id)
    assert (offer.total_balance, offer.current_balance, offer.lent) == (1_000, 1_000, 0)
    assert (offer.owner_account, offer.asset_type, offer.fee_rate) == (ALICE, loans.loan, RATE)
    assert (offer.max_duration_seconds, offer.min_deal_amount, offer.enabled) == (TERM, 5, True)
    assert offer.acceptable_borrowers == ((BOB, 7),)
    assert loans.balances(loans.loan) == (EACH - 1_000, EACH, EACH)
    check_all(loans.state)
    assert apply(loans.ctx, loans.create()) == ObjectId(1, 21, 1)


@pytest.mark.parametrize(
    ("end", "limit"),
    [(NOW, NOW + 1), (NOW + MAX_CREDIT_DEAL_S + 1, NOW + MAX_CREDIT_DEAL_S)],
)
def test_an_enabled_offer_ends_in_time(loans: Loans, end: int, limit: int) -> None:
    """O2: after now and within 380 days; of an offer that is not enabled the end says nothing."""
    error = expect(loans.ctx, LimitExceeded, loans.create(auto_disable_time=end))
    assert (error.rule, error.value, error.limit) == ("O2", end, limit)
    loans.offer(auto_disable_time=limit)
    loans.offer(auto_disable_time=end, enabled=False)


def test_what_an_offer_names_exists(loans: Loans) -> None:
    """O2, R2.20: before the owner's list is looked at; the balance last."""
    nothing = AssetId(77)
    price = Price(loans.lent(1), AssetAmount(1, nothing))
    collateral = (*loans.create().acceptable_collateral, (nothing, price))
    black_list(loans, ALICE, loans.loan)
    for changes in (
        {"acceptable_collateral": collateral},
        {"acceptable_borrowers": ((BOB, 1), (AccountId(99), 1))},
    ):
        expect(loans.ctx, NoSuchObject, loans.create(**changes))
    expect(loans.ctx, NotAuthorized, loans.create(balance=EACH + 1))
    error = expect(make_loans().ctx, InsufficientBalance, make_loans().create(balance=EACH + 1))
    assert (error.value, error.limit) == (EACH, EACH + 1)


BOUNDS: list[tuple[str, object, object]] = [
    ("balance", 1, 0),
    ("max_duration_seconds", MAX_CREDIT_DEAL_S, MAX_CREDIT_DEAL_S + 1),
    ("min_deal_amount", 0, -1),
    ("min_deal_amount", MAX_SUPPLY, MAX_SUPPLY + 1),
    ("acceptable_borrowers", ((BOB, 0),), ((BOB, -1),)),
    ("acceptable_borrowers", ((BOB, MAX_SUPPLY),), ((BOB, MAX_SUPPLY + 1),)),
]


@pytest.mark.parametrize(("field", "good", "bad"), BOUNDS)
def test_bounds_of_an_offer(loans: Loans, field: str, good: object, bad: object) -> None:
    """O2, O4: alike when it is made and when it is changed; a fee rate may be all that there is."""
    apply(loans.ctx, loans.create(**{field: good, "fee_rate": 2**32 - 1}))
    error = expect(loans.ctx, ValidationError, loans.create(**{field: bad}))
    assert error.rule == "O2"
    if field != "balance":
        apply(loans.ctx, update(CreditOfferId(0), **{field: good}))
        assert (
            expect(loans.ctx, ValidationError, update(CreditOfferId(0), **{field: bad})).rule
            == "O4"
        )


def test_prices_of_collateral(loans: Loans) -> None:
    """O2: of the asset that is lent in the collateral that it stands for; both up to 10^15."""
    loan, gold = loans.loan, loans.gold
    most = Price(loans.lent(MAX_SUPPLY), loans.locked(MAX_SUPPLY))
    loans.offer(acceptable_collateral=((gold, most),))
    for collateral in (
        (),
        ((gold, most.inverse()),),
        ((AssetId(0), most),),
        ((loan, Price(loans.lent(1), loans.lent(1))),),
        ((gold, Price(loans.lent(MAX_SUPPLY + 1), loans.locked(1))),),
        ((gold, Price(loans.lent(1), loans.locked(MAX_SUPPLY + 1))),),
        ((gold, Price(loans.lent(0), loans.locked(1))),),
    ):
        expect(loans.ctx, ValidationError, loans.create(acceptable_collateral=collateral))


def test_deleting_an_offer(loans: Loans) -> None:
    """O3: its owner alone, once nothing is lent; what is there returns, whatever lists say."""
    offer = loans.offer()
    error = expect(loans.ctx, WrongAccount, CreditOfferDelete(NO_FEE, BOB, offer))
    assert error.rule == "O3"
    expect(loans.ctx, NoSuchObject, CreditOfferDelete(NO_FEE, ALICE, UNKNOWN))
    deal = loans.deal(offer, 400)
    used = expect(loans.ctx, OfferInUse, CreditOfferDelete(NO_FEE, ALICE, offer))
    assert (used.rule, used.value) == ("O3", 400)
    apply(loans.ctx, loans.repay(deal, 400, 12))
    black_list(loans, ALICE, loans.loan)
    assert apply(loans.ctx, CreditOfferDelete(NO_FEE, ALICE, offer)) == loans.lent(1_012)
    assert loans.balances(loans.loan) == (EACH + 12, EACH - 12, EACH)
    assert len(loans.state.credit_offers) == 0
    check_all(loans.state)


def test_deleting_an_emptied_offer_releases_nothing(loans: Loans) -> None:
    """O3, O4, O8: after a default of all there is nothing to return; till then it can be refilled
    or deleted, and nothing else."""
    offer = loans.offer(balance=100)
    loans.deal(offer)
    loans.end_block(NOW + TERM)
    assert loans.get_offer(offer).total_balance == 0
    error = expect(loans.ctx, LimitExceeded, update(offer, fee_rate=1))
    assert (error.rule, error.value, error.limit) == ("O4", 0, 1)
    apply(loans.ctx, update(offer, delta_amount=loans.lent(1)))
    loans.deal(offer, 1, collateral=loans.locked(1))
    loans.end_block(NOW + 2 * TERM)
    assert apply(loans.ctx, CreditOfferDelete(NO_FEE, ALICE, offer)) == loans.lent(0)


def test_each_field_of_an_offer_can_be_changed(loans: Loans) -> None:
    """O4: what is given replaces what was; open deals keep their terms."""
    offer = loans.offer()
    deal = loans.deal(offer)
    price = Price(loans.lent(1), core(3))
    changes: dict[str, Any] = {
        "fee_rate": 5,
        "max_duration_seconds": 9,
        "min_deal_amount": 8,
        "enabled": False,
        "auto_disable_time": NOW + 1,
        "acceptable_collateral": ((AssetId(0), price),),
        "acceptable_borrowers": ((CAROL, 3),),
    }
    for field, value in changes.items():
        assert apply(loans.ctx, update(offer, **{field: value})) == VoidResult()
        assert getattr(loans.get_offer(offer), field) == value
    assert (loans.get_deal(deal).fee_rate, loans.get_deal(deal).latest_repay_time) == (
        RATE,
        NOW + TERM,
    )
    expect(loans.ctx, ValidationError, update(offer))
    expect(loans.ctx, ValidationError, update(offer, delta_amount=loans.lent(0)))
    assert (
        expect(loans.ctx, WrongAccount, update(offer, owner_account=BOB, fee_rate=1)).rule == "O4"
    )
    expect(loans.ctx, NoSuchObject, update(UNKNOWN, fee_rate=1))


def test_the_balance_of_an_offer_changes(loans: Loans) -> None:
    """O4: what is added comes from the owner; what is taken must be there, and leave something."""
    offer = loans.offer()
    apply(loans.ctx, update(offer, delta_amount=loans.lent(500)))
    assert loans.get_offer(offer).total_balance == 1_500
    loans.deal(offer, 600)
    for less, limit in ((901, 900), (1_500, 900)):
        error = expect(loans.ctx, LimitExceeded, update(offer, delta_amount=loans.lent(-less)))
        assert (error.value, error.limit) == (less, limit)
    apply(loans.ctx, update(offer, delta_amount=loans.lent(-900)))
    found = loans.get_offer(offer)
    assert (found.total_balance, found.current_balance) == (600, 0)
    assert loans.balances(loans.loan) == (EACH - 600, EACH + 600, EACH)
    whole = loans.offer(balance=10)
    error = expect(loans.ctx, LimitExceeded, update(whole, delta_amount=loans.lent(-10)))
    assert (error.value, error.limit) == (10, 9)
    assert expect(loans.ctx, WrongAssetType, update(offer, delta_amount=core(1))).rule == "O4"
    expect(loans.ctx, InsufficientBalance, update(offer, delta_amount=loans.lent(EACH)))
    check_all(loans.state)


def test_only_what_is_added_asks_the_list(loans: Loans) -> None:
    """O4, R2.20: an owner that may not hold the asset any more can take it out."""
    offer = loans.offer()
    black_list(loans, ALICE, loans.loan)
    expect(loans.ctx, NotAuthorized, update(offer, delta_amount=loans.lent(1)))
    apply(loans.ctx, update(offer, delta_amount=loans.lent(-1), fee_rate=7))


def test_an_enabled_offer_is_looked_at_in_each_update(loans: Loans) -> None:
    """O4: the end of an offer that stays enabled, or becomes so, even when neither is touched."""
    offer = loans.offer(auto_disable_time=NOW + 10)
    loans.ctx.now = NOW + 10
    error = expect(loans.ctx, LimitExceeded, update(offer, fee_rate=1))
    assert (error.rule, error.value, error.limit) == ("O4", NOW + 10, NOW + 11)
    apply(loans.ctx, update(offer, enabled=False))
    apply(loans.ctx, update(offer, fee_rate=1))
    expect(loans.ctx, LimitExceeded, update(offer, enabled=True))
    apply(loans.ctx, update(offer, enabled=True, auto_disable_time=NOW + 11))


def test_new_lists_name_what_exists(loans: Loans) -> None:
    """O4: all prices are of the offer's asset, which the operation alone cannot tell."""
    offer = loans.offer()
    silver = add_asset(loans.state, "SILVER")
    other = ((loans.gold, Price(AssetAmount(1, silver), loans.locked(1))),)
    error = expect(loans.ctx, WrongAssetType, update(offer, acceptable_collateral=other))
    assert error.rule == "O4"
    gone = ((AssetId(77), Price(loans.lent(1), AssetAmount(1, AssetId(77)))),)
    expect(loans.ctx, NoSuchObject, update(offer, acceptable_collateral=gone))
    expect(loans.ctx, NoSuchObject, update(offer, acceptable_borrowers=((AccountId(99), 1),)))


def test_a_loan(loans: Loans) -> None:
    """O1, O5: collateral is locked, the amount handed out, the terms kept; one summary for both."""
    offer = loans.offer()
    result = apply(loans.ctx, loans.accept(offer, 300, collateral=loans.locked(151)))
    assert result == ExtendableOperationResult(
        impacted_accounts=(ALICE,), new_objects=(ObjectId(1, 22, 0),)
    )
    second = loans.deal(offer, 101, extensions=auto(2))
    found = loans.get_offer(offer)
    assert (found.total_balance, found.current_balance, found.lent) == (1_000, 599, 401)
    deal = loans.get_deal(second)
    assert (deal.borrower, deal.offer_id, deal.offer_owner) == (BOB, offer, ALICE)
    assert (deal.debt, deal.collateral) == (loans.lent(101), loans.locked(51))
    assert (deal.fee_rate, deal.latest_repay_time, deal.auto_repay) == (RATE, NOW + TERM, 2)
    assert loans.summary(offer) == 401
    assert len(loans.state.credit_deal_summaries) == 1
    assert loans.balances(loans.loan) == (EACH - 1_000, EACH + 401, EACH)
    assert loans.balances(loans.gold) == (EACH, EACH - 202, EACH)
    check_all(loans.state)


def test_a_loan_ends_at_the_end_of_time(loans: Loans) -> None:
    """O5: the time of repayment is saturated."""
    offer = loans.offer()
    loans.ctx.now = MAX_TIMESTAMP - 5
    deal = loans.deal(offer)
    assert loans.get_deal(deal).latest_repay_time == MAX_TIMESTAMP


def test_terms_of_a_loan(loans: Loans) -> None:
    """O5: each by one beyond what the offer gives, with both numbers."""
    offer = loans.offer(min_deal_amount=50)
    cases: list[tuple[type[TransactionRejected], dict[str, Any], tuple[object, object]]] = [
        (LimitExceeded, {"borrow_amount": loans.lent(1_001)}, (1_001, 1_000)),
        (LimitExceeded, {"borrow_amount": loans.lent(49)}, (49, 50)),
        (LimitExceeded, {"max_fee_rate": RATE - 1}, (RATE - 1, RATE)),
        (LimitExceeded, {"min_duration_seconds": TERM + 1}, (TERM + 1, TERM)),
        (CollateralNotAccepted, {"collateral": core(100)}, ("1.3.0", asset_text(loans.gold))),
        (InsufficientCollateral, {"collateral": loans.locked(49)}, (49, 50)),
        (InsufficientBalance, {"collateral": loans.locked(EACH + 1)}, (EACH, EACH + 1)),
        (WrongAssetType, {"borrow_amount": core(100)}, ("1.3.0", asset_text(loans.loan))),
    ]
    for error, changes, numbers in cases:
        refused = expect(loans.ctx, error, loans.accept(offer, **changes))
        assert (refused.value, refused.limit) == numbers
        assert refused.rule == ("I6" if error is InsufficientBalance else "O5")
    for field, value in (("borrow_amount", loans.lent(0)), ("collateral", loans.locked(0))):
        expect(loans.ctx, ValidationError, replace(loans.accept(offer), **{field: value}))
    assert expect(loans.ctx, ValidationError, loans.accept(offer, extensions=auto(3))).rule == "O5"
    expect(loans.ctx, NoSuchObject, loans.accept(UNKNOWN))
    loans.deal(
        offer, 1_000, collateral=loans.locked(500), max_fee_rate=2**32 - 1, min_duration_seconds=0
    )


def test_the_order_of_checks_of_a_loan(loans: Loans) -> None:
    """O5: an operation that is wrong in all ways is refused by the first, then by the next."""
    offer = loans.offer(min_deal_amount=2_000, acceptable_borrowers=((CAROL, 1),))
    apply(loans.ctx, update(offer, enabled=False))
    op = loans.accept(
        offer,
        borrow_amount=core(3_000),
        collateral=core(1),
        max_fee_rate=0,
        min_duration_seconds=TERM + 1,
    )
    assert expect(loans.ctx, OfferDisabled, op).rule == "O5"
    apply(loans.ctx, update(offer, enabled=True))
    expect(loans.ctx, WrongAssetType, op)
    op = replace(op, borrow_amount=loans.lent(3_000))
    assert expect(loans.ctx, LimitExceeded, op).limit == 1_000
    op = replace(op, borrow_amount=loans.lent(1_000))
    assert expect(loans.ctx, LimitExceeded, op).limit == 2_000
    apply(loans.ctx, update(offer, min_deal_amount=1_000))
    assert expect(loans.ctx, LimitExceeded, op).limit == RATE
    op = replace(op, max_fee_rate=RATE)
    assert expect(loans.ctx, LimitExceeded, op).limit == TERM
    op = replace(op, min_duration_seconds=0)
    expect(loans.ctx, CollateralNotAccepted, op)
    op = replace(op, collateral=loans.locked(1))
    black_list(loans, BOB, loans.gold)
    expect(loans.ctx, NotAuthorized, op)
    apply(loans.ctx, AccountWhitelist(NO_FEE, CAROL, BOB, 0))
    expect(loans.ctx, InsufficientCollateral, op)
    op = replace(op, collateral=loans.locked(500))
    assert expect(loans.ctx, BorrowerNotAccepted, op).value == "1.2.7"
    apply(loans.ctx, update(offer, acceptable_borrowers=((BOB, 999),)))
    assert expect(loans.ctx, LimitExceeded, op).limit == 999
    apply(loans.ctx, update(offer, acceptable_borrowers=((BOB, 1_000),), max_duration_seconds=0))
    refused = expect(loans.ctx, LimitExceeded, op)
    assert (refused.value, refused.limit, refused.unit) == (0, 1, "s")
    apply(loans.ctx, update(offer, max_duration_seconds=1))
    apply(loans.ctx, op)


@pytest.mark.parametrize("account", [ALICE, BOB])
@pytest.mark.parametrize("is_loan", [True, False])
def test_lists_of_both_assets_for_both_sides(
    loans: Loans, account: AccountId, is_loan: bool
) -> None:
    """O5, R2.20: borrower and owner may hold what is lent and what is locked."""
    offer = loans.offer()
    black_list(loans, account, loans.loan if is_loan else loans.gold)
    assert expect(loans.ctx, NotAuthorized, loans.accept(offer)).rule == "R2.20"


def test_an_offer_lends_by_its_flag_alone(loans: Loans) -> None:
    """O5, O8: until a boundary clears it, whatever the clock says."""
    offer = loans.offer(auto_disable_time=NOW + 10)
    loans.ctx.now = NOW + 20
    loans.deal(offer)
    loans.end_block(NOW + 20)
    expect(loans.ctx, OfferDisabled, loans.accept(offer))


def test_collateral_is_rounded_in_favour_of_the_lender(loans: Loans) -> None:
    """O5: 3 LOAN at 7 for 2 GOLD need ceil(6/7) = 1, 4 need 2."""
    offer = loans.offer(
        acceptable_collateral=((loans.gold, Price(loans.lent(7), loans.locked(2))),)
    )
    loans.deal(offer, 3, collateral=loans.locked(1))
    expect(loans.ctx, InsufficientCollateral, loans.accept(offer, 4, collateral=loans.locked(1)))
    loans.deal(offer, 4, collateral=loans.locked(2))


def test_a_price_that_overflows(loans: Loans) -> None:
    """O5, R1.4: collateral beyond any supply is refused by name."""
    price = Price(loans.lent(1), loans.locked(MAX_SUPPLY))
    offer = loans.offer(acceptable_collateral=((loans.gold, price),))
    expect(loans.ctx, PriceOverflow, loans.accept(offer, 2, collateral=loans.locked(5)))


def test_limits_of_borrowers_count_all_their_debt(loans: Loans) -> None:
    """O5: by the offer, over all its deals; what is repaid can be borrowed again."""
    offer = loans.offer(acceptable_borrowers=((BOB, 150), (CAROL, 0)))
    deal = loans.deal(offer, 100)
    error = expect(loans.ctx, LimitExceeded, loans.accept(offer, 51, collateral=loans.locked(26)))
    assert (error.value, error.limit) == (151, 150)
    expect(loans.ctx, LimitExceeded, loans.accept(offer, 1, borrower=CAROL))
    loans.deal(offer, 50)
    apply(loans.ctx, loans.repay(deal, 1, 1))
    loans.deal(offer, 1)
    assert loans.summary(offer) == 150


def test_an_owner_may_borrow_from_itself(loans: Loans) -> None:
    """O5: nothing forbids it; what an offer counts as its own cannot outgrow its field."""
    offer = loans.offer()
    deal = loans.deal(offer, 1_000, borrower=ALICE)
    loans.state.log.begin()
    loans.state.credit_offers.edit(loans.get_offer(offer)).total_balance = MAX_AMOUNT - 10
    loans.state.log.finish()
    error = expect(loans.ctx, LimitExceeded, update(offer, delta_amount=loans.lent(11)))
    assert (error.rule, error.limit) == ("O4", MAX_AMOUNT)
    pay = loans.repay(deal, 1, 11, account=ALICE)
    assert expect(loans.ctx, LimitExceeded, pay).rule == "O6"
