"""SameT funds: who may hold what is lent, at which step, bounds of each field, default fees."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from node.chain.invariants import check_all
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    AssetMismatch,
    InsufficientBalance,
    InsufficientFundFee,
    LimitExceeded,
    NoSuchObject,
    NotAuthorized,
    UnpaidSametDebt,
    WrongAccount,
)
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import ValidationError
from protocol.fee_schedule import FeeSchedule
from protocol.fees import required_fee
from protocol.ids import AccountId, AssetId, SametFundId
from protocol.operations.base import Operation
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from tests.support.state import (
    add_asset,
    apply,
    core_options,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, CAROL

FUND = SametFundId(0)
LENT = 1_000
RATE = 2_500
"""0.25 %."""
HELD = 10**14
MOST_RATE = 2**32 - 1


class Desk(NamedTuple):
    """Alice lends 1,000 COIN by 1.20.0; she and bob hold more of it, carol issues it."""

    ctx: Context
    coin: AssetId

    @property
    def state(self) -> State:
        return self.ctx.state

    def create(self, balance: int = LENT, rate: int = RATE) -> SametFundCreate:
        return SametFundCreate(NO_FEE, ALICE, self.coin, balance, rate)

    def update(
        self, delta: int | None, rate: int | None = None, who: AccountId = ALICE
    ) -> SametFundUpdate:
        amount = None if delta is None else AssetAmount(delta, self.coin)
        return SametFundUpdate(NO_FEE, who, FUND, amount, rate)

    def borrow(self, amount: int, asset: AssetId | None = None) -> SametFundBorrow:
        return SametFundBorrow(
            NO_FEE, BOB, FUND, AssetAmount(amount, self.coin if asset is None else asset)
        )

    def repay(self, amount: int, fee: int, asset: AssetId | None = None) -> SametFundRepay:
        both = self.coin if asset is None else asset
        return SametFundRepay(NO_FEE, BOB, FUND, AssetAmount(amount, both), AssetAmount(fee, both))

    def nobody_may_hold(self, *, it: bool) -> None:
        """Switch a white list on that names nobody, or off again."""
        self.state.log.begin()
        asset = self.state.assets.edit(self.state.assets.get(self.coin))
        asset.options = replace(asset.options, whitelist_authorities=(CAROL,) if it else ())
        self.state.log.finish()

    def fund(self) -> tuple[int, int, int]:
        """Balance, rate, and what is lent."""
        found = self.state.samet_funds.get(FUND)
        return found.balance, found.fee_rate, found.unpaid_amount


@pytest.fixture
def desk() -> Desk:
    state = make_state("alice", "bob", "carol", core=HELD)
    coin = add_asset(state, "COIN", precision=0, issuer=CAROL, options=core_options())
    for account in (ALICE, BOB):
        issue(state, account, AssetAmount(HELD, coin))
    ctx = make_context(state)
    found = Desk(ctx, coin)
    apply(ctx, found.create())
    return found


def not_held(desk: Desk, op: Operation) -> None:
    """The operation is refused by the white list, and by nothing before it."""
    error = expect(desk.ctx, NotAuthorized, op)
    assert (error.rule, error.limit) == ("R2.20", "COIN")


def test_whoever_lends_borrows_or_repays_may_hold_it(desk: Desk) -> None:
    """U2, U4, U5, U6, R2.20: to make a fund, to add to it, to borrow from it and to repay."""
    desk.nobody_may_hold(it=True)
    for op in (desk.create(), desk.update(1), desk.borrow(1)):
        not_held(desk, op)
    desk.nobody_may_hold(it=False)
    apply(desk.ctx, desk.borrow(400))
    desk.nobody_may_hold(it=True)
    not_held(desk, desk.repay(400, 1))
    assert desk.fund() == (LENT, RATE, 400)
    desk.nobody_may_hold(it=False)
    apply(desk.ctx, desk.repay(400, 1))
    assert desk.fund() == (LENT + 1, RATE, 0)


def test_an_owner_who_may_not_hold_it_gets_it_back(desk: Desk) -> None:
    """U3, U4: to take out, to change the rate and to end the fund need no list."""
    desk.nobody_may_hold(it=True)
    apply(desk.ctx, desk.update(-1, 7))
    assert desk.fund() == (LENT - 1, 7, 0)
    apply(desk.ctx, SametFundDelete(NO_FEE, ALICE, FUND))
    assert desk.state.balance_of(ALICE, desk.coin) == HELD
    check_all(desk.state)


def test_the_order_of_checks(desk: Desk) -> None:
    """U3, U4, U5, U6: each check once all before it pass, though all after it fail."""
    ctx, other = desk.ctx, CORE_ASSET
    desk.nobody_may_hold(it=True)
    assert expect(ctx, WrongAccount, desk.update(HELD + 1, RATE, who=BOB)).rule == "U4"
    strange = replace(desk.update(1, RATE), delta_amount=AssetAmount(HELD + 1, other))
    assert expect(ctx, AssetMismatch, strange).rule == "U4"
    not_held(desk, desk.update(HELD + 1, RATE))
    assert expect(ctx, AssetMismatch, desk.borrow(LENT + 1, other)).rule == "U5"
    assert expect(ctx, LimitExceeded, desk.borrow(LENT + 1)).rule == "U5"
    not_held(desk, desk.borrow(LENT))
    assert expect(ctx, AssetMismatch, desk.repay(1, 0, other)).rule == "U6"
    not_held(desk, desk.repay(LENT, 0))
    desk.nobody_may_hold(it=False)
    assert expect(ctx, LimitExceeded, desk.update(1, RATE)).value == RATE
    apply(ctx, desk.borrow(LENT))
    assert expect(ctx, UnpaidSametDebt, desk.update(-LENT, RATE)).rule == "U4"
    assert expect(ctx, UnpaidSametDebt, SametFundDelete(NO_FEE, ALICE, FUND)).rule == "U3"
    assert expect(ctx, LimitExceeded, desk.repay(LENT + 1, 0)).rule == "U6"
    error = expect(ctx, InsufficientFundFee, desk.repay(LENT, 2))
    assert (error.rule, error.limit) == ("U6", 3)
    assert expect(ctx, InsufficientBalance, desk.repay(LENT, HELD + 1)).rule == "I6"


def test_what_is_not_there_is_refused(desk: Desk) -> None:
    """U2 to U6, R0.1: funds and assets of unknown ids."""
    nowhere = SametFundId(9)
    for op in (
        replace(desk.create(), asset_type=AssetId(99)),
        SametFundDelete(NO_FEE, ALICE, nowhere),
        replace(desk.update(1), fund_id=nowhere),
        replace(desk.borrow(1), fund_id=nowhere),
        replace(desk.repay(1, 1), fund_id=nowhere),
    ):
        expect(desk.ctx, NoSuchObject, op)


@pytest.mark.parametrize("balance", [1, HELD - LENT])
@pytest.mark.parametrize("rate", [0, MOST_RATE])
def test_bounds_of_a_fund(desk: Desk, balance: int, rate: int) -> None:
    """U2: all that the owner has, and a rate far above 100 %; not one unit more, nor none."""
    apply(desk.ctx, desk.create(balance, rate))
    made = desk.state.samet_funds.get(SametFundId(1))
    assert (made.balance, made.fee_rate, made.unpaid_amount) == (balance, rate, 0)
    left = HELD - LENT - balance
    assert desk.state.balance_of(ALICE, desk.coin) == left
    expect(desk.ctx, InsufficientBalance, desk.create(left + 1, rate))
    for bad in (0, -1):
        with pytest.raises(ValidationError) as refused:
            desk.create(bad).validate()
        assert refused.value.rule == "U2"
    check_all(desk.state)


@pytest.mark.parametrize(
    ("rate", "repaid", "fee"),
    [
        (0, LENT, 0),
        (1, 1, 1),
        (1_000_000, LENT, LENT),
        (MOST_RATE, 1, 4_295),
        (MOST_RATE, LENT, 4_294_968),
    ],
)
def test_bounds_of_a_repayment(desk: Desk, rate: int, repaid: int, fee: int) -> None:
    """U5, U6: the fee is rounded up, at the lowest and the highest rate; of all that is lent."""
    if rate != RATE:
        apply(desk.ctx, desk.update(None, rate))
    apply(desk.ctx, desk.borrow(LENT))
    expect(desk.ctx, LimitExceeded, desk.borrow(1))
    if fee:
        expect(desk.ctx, InsufficientFundFee, desk.repay(repaid, fee - 1))
    apply(desk.ctx, desk.repay(repaid, fee))
    assert desk.fund() == (LENT + fee, rate, LENT - repaid)


def test_the_largest_loan_at_the_highest_rate(desk: Desk) -> None:
    """U6: repay * rate needs more than 64 bits, and nothing overflows."""
    apply(desk.ctx, desk.create(HELD - LENT, MOST_RATE))
    fund, most = SametFundId(1), HELD - LENT
    apply(desk.ctx, replace(desk.borrow(most), fund_id=fund))
    least = -(-most * MOST_RATE // 10**6)
    assert most * MOST_RATE > 2**64
    error = expect(
        desk.ctx, InsufficientFundFee, replace(desk.repay(most, least - 1), fund_id=fund)
    )
    assert (error.value, error.limit) == (least - 1, least)
    assert least > MAX_SUPPLY


@pytest.mark.parametrize(("delta", "left"), [(1, 1_001), (-1, 999), (1 - LENT, 1)])
def test_bounds_of_a_change(desk: Desk, delta: int, left: int) -> None:
    """U4: up to one unit less than all of it; the rest of the balance is never touched."""
    apply(desk.ctx, desk.update(delta))
    assert desk.fund() == (left, RATE, 0)
    error = expect(desk.ctx, LimitExceeded, desk.update(-left))
    assert (error.rule, error.value, error.limit) == ("U4", left, left - 1)
    expect(desk.ctx, InsufficientBalance, desk.update(HELD))


@pytest.mark.parametrize("number", range(64, 69))
def test_fees_of_a_schedule_that_says_nothing(desk: Desk, number: int) -> None:
    """G0.6: one CORE each, and nothing for the end of a fund."""
    ops: dict[int, Operation] = {
        64: desk.create(),
        65: SametFundDelete(NO_FEE, ALICE, FUND),
        66: desk.update(1),
        67: desk.borrow(1),
        68: desk.repay(1, 1),
    }
    fee = required_fee(ops[number], FeeSchedule((), 10_000))
    assert fee == (0 if number == 65 else 100_000)
