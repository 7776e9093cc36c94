"""SameT funds: checks in their order, loans in one transaction, proposals, answers of the API."""

from __future__ import annotations

import pytest

from node.chain.invariants import check_funds
from node.chain.invariants_incremental import check_block
from node.state.errors import (
    AssetMismatch,
    InsufficientBalance,
    InsufficientFundFee,
    InvariantViolated,
    LimitExceeded,
    NoSuchObject,
    UnpaidSametDebt,
    WrongAccount,
)
from protocol.asset import NO_FEE
from protocol.errors import ValidationError
from protocol.ids import ProposalId, SametFundId
from protocol.json_form import from_json_as
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundDelete,
    SametFundRepay,
    SametFundUpdate,
)
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain

FUND = SametFundId(0)
CORE = 10_000


@pytest.fixture
def chain() -> TestChain:
    """Alice lends 1,000 at 0.25 %: 1.20.0."""
    chain = TestChain("alice", "bob", core=CORE)
    chain.block()
    alice = chain.account("alice")
    chain.block(SametFundCreate(NO_FEE, alice, chain.asset("TEST"), 1_000, 2_500))
    return chain


def borrow(chain: TestChain, amount: int, name: str = "bob", symbol: str = "TEST") -> Operation:
    return SametFundBorrow(NO_FEE, chain.account(name), FUND, chain.amount(amount, symbol))


def repay(chain: TestChain, amount: int, fee: int, name: str = "bob") -> Operation:
    paid = chain.amount(amount), chain.amount(fee)
    return SametFundRepay(NO_FEE, chain.account(name), FUND, *paid)


def update(
    chain: TestChain, delta: int | None, rate: int | None = None, name: str = "alice"
) -> Operation:
    amount = None if delta is None else chain.amount(delta)
    return SametFundUpdate(NO_FEE, chain.account(name), FUND, amount, rate)


def fund_of(chain: TestChain) -> tuple[int, int, int]:
    fund = chain.state.samet_funds.get(FUND)
    return fund.balance, fund.fee_rate, fund.unpaid_amount


def test_a_fund_is_made_changed_and_ended(chain: TestChain) -> None:
    """U1, U2, U3, U4: its owner's, never emptied but by its end, at another rate."""
    assert chain.balance("alice") == CORE - 1_000
    chain.expect(WrongAccount, update(chain, 5, name="bob"))
    chain.expect(InsufficientBalance, update(chain, CORE))
    chain.block(update(chain, 500, 0))
    assert fund_of(chain) == (1_500, 0, 0)
    refusal = chain.expect(LimitExceeded, update(chain, -1_500))
    assert (refusal.rule, refusal.value, refusal.limit) == ("U4", 1_500, 1_499)
    chain.expect(LimitExceeded, update(chain, None, 0))
    chain.block(update(chain, -1_499, 2**32 - 1))
    assert fund_of(chain) == (1, 2**32 - 1, 0)
    bob, alice = chain.account("bob"), chain.account("alice")
    assert chain.expect(WrongAccount, SametFundDelete(NO_FEE, bob, FUND)).rule == "U3"
    applied = chain.block(SametFundDelete(NO_FEE, alice, FUND))
    assert applied.operations[0].result == chain.amount(1)
    assert chain.balance("alice") == CORE
    chain.expect(NoSuchObject, SametFundDelete(NO_FEE, alice, FUND))


@pytest.mark.parametrize(("amount", "fee"), [(1, 1), (400, 1), (401, 2), (1_000, 3)])
def test_a_loan_and_its_fee(chain: TestChain, amount: int, fee: int) -> None:
    """U5, U6, U7: the fee is rounded up, and all of it stays in the fund; the owner is told."""
    error = chain.expect(InsufficientFundFee, borrow(chain, amount), repay(chain, amount, fee - 1))
    assert (error.rule, error.value, error.limit) == ("U6", fee - 1, fee)
    chain.push(borrow(chain, amount), repay(chain, amount, fee + 2))
    applied = chain.block()
    assert fund_of(chain) == (1_000 + fee + 2, 2_500, 0)
    assert chain.balance("bob") == CORE - fee - 2
    for entry in applied.operations:
        assert getattr(entry.result, "impacted_accounts") == (chain.account("alice"),)  # noqa: B009


def test_what_is_refused_of_loans(chain: TestChain) -> None:
    """U3, U4, U5, U6: the asset, then how much there is; an open loan fixes the balance."""
    assert chain.expect(AssetMismatch, borrow(chain, 5, symbol="USD")).rule == "U5"
    error = chain.expect(LimitExceeded, borrow(chain, 600), borrow(chain, 401))
    assert (error.rule, error.value, error.limit) == ("U5", 401, 400)
    error = chain.expect(LimitExceeded, borrow(chain, 5), repay(chain, 6, 1))
    assert (error.rule, error.value, error.limit) == ("U6", 6, 5)
    alice = chain.account("alice")
    for op, rule in ((update(chain, 1), "U4"), (SametFundDelete(NO_FEE, alice, FUND), "U3")):
        assert chain.expect(UnpaidSametDebt, borrow(chain, 5), op).rule == rule


def test_rates_change_amid_a_loan_and_parts_are_rounded(chain: TestChain) -> None:
    """U4, U6: the new rate counts at once, and each part pays its own fee; anybody repays."""
    chain.push(
        borrow(chain, 10),
        repay(chain, 5, 1),
        update(chain, None, 1_000_000),
        repay(chain, 5, 5, name="alice"),
    )
    chain.block()
    assert fund_of(chain) == (1_006, 1_000_000, 0)


def test_no_loan_outlives_its_transaction(chain: TestChain) -> None:
    """U7: nor a part of one; nothing of the transaction remains."""
    error = chain.expect(UnpaidSametDebt, borrow(chain, 10), repay(chain, 9, 1))
    assert (error.rule, error.value, error.limit, error.unit) == ("U7", 1, 0, "1.3.0")
    chain.push(borrow(chain, 10), repay(chain, 10, 1))
    chain.block()


def test_proposals_end_their_own_loans(chain: TestChain) -> None:
    """U7, R8.23: its own open loan, or that of the transaction around it, leaves it waiting."""

    def propose(*operations: Operation) -> ProposalUpdate:
        bob = chain.account("bob")
        proposed = tuple(map(ProposedOperation, operations))
        chain.block(ProposalCreate(NO_FEE, bob, chain.chain.head_time + 600, proposed))
        number = ProposalId(chain.state.proposals.next_id - 1)
        return ProposalUpdate(NO_FEE, bob, number, active_approvals_to_add=(bob,))

    chain.block(propose(borrow(chain, 10)))
    assert "unpaid_samet_debt" in chain.state.proposals.get(ProposalId(0)).fail_reason
    chain.block(propose(borrow(chain, 10), repay(chain, 10, 1)))
    assert chain.state.proposals.find(ProposalId(1)) is None
    assert fund_of(chain) == (1_001, 2_500, 0)
    chain.push(borrow(chain, 10), propose(chain.transfer("bob", "alice", 1)), repay(chain, 10, 1))
    chain.block()
    assert "unpaid_samet_debt" in chain.state.proposals.get(ProposalId(2)).fail_reason
    assert fund_of(chain) == (1_002, 2_500, 0)


def test_bad_fields(chain: TestChain) -> None:
    """U2, U4, U5, U6: amounts above 0, of one asset, and a change."""
    alice, core = chain.account("alice"), chain.asset("TEST")
    two = SametFundRepay(NO_FEE, alice, FUND, chain.amount(1), chain.amount(1, "USD"))
    for op, rule in (
        (SametFundCreate(NO_FEE, alice, core, 0, 1), "U2"),
        (update(chain, None), "U4"),
        (update(chain, 0), "U4"),
        (borrow(chain, 0), "U5"),
        (repay(chain, 0, 1), "U6"),
        (repay(chain, 1, -1), "U6"),
        (two, "U6"),
    ):
        with pytest.raises(ValidationError) as refusal:
            op.validate()
        assert refusal.value.rule == rule


@pytest.mark.parametrize(("field", "value"), [("unpaid_amount", 1), ("balance", 0)])
def test_the_invariant_of_funds(chain: TestChain, field: str, value: int) -> None:
    """J3: the recount and the check of a block both find it."""
    with chain.chain.head_state() as state:
        state.log.begin()
        setattr(state.samet_funds.edit(state.samet_funds.get(FUND)), field, value)
        revision = state.log.finish()
        with pytest.raises(InvariantViolated) as violation:
            check_funds(state)
        assert violation.value.rule == "J3"
        with pytest.raises(InvariantViolated):
            check_block(state, revision)
        state.log.revert(revision)


def test_the_owner_of_a_fund_is_told_of_a_loan() -> None:
    """G0.4, U5, U6: those who follow alice get her fund as it is after the block, and both deeds of
    bob in her history; those who follow somebody else get nothing of it."""
    made = TestChain("alice", "bob", "carol", core=CORE)
    backend = ChainBackend(made)
    alice = made.account("alice")
    backend.produce(SametFundCreate(NO_FEE, alice, made.asset("TEST"), 1_000, 2_500))
    followers = {}
    for name in ("alice", "carol"):
        followers[name] = Client(backend)
        followers[name].call("set_subscribe_callback", 9, False)
        followers[name].call("get_full_accounts", [name], True)
    made.push(borrow(made, 400), repay(made, 400, 2))
    backend.produce()
    ((_, (objects,)),) = followers["alice"].notices()
    told = {item["id"]: item for item in objects}
    assert (told["1.20.0"]["balance"], told["1.20.0"]["unpaid_amount"]) == (1_002, 0)
    deeds = [item["op"][0] for item in objects if item["id"].startswith("1.11.")]
    assert deeds == [67, 68]
    assert followers["carol"].notices() == []


def refusal_of(chain: TestChain, *operations: Operation) -> Json:
    """Why a transaction is refused, and what would make it pass."""
    draft = transaction_json(chain.transaction(*operations))
    found = Client(ChainBackend(chain)).call("explain_transaction", draft, api="pegboard")
    return found["refusal"]


def test_what_would_make_a_loan_pass(chain: TestChain) -> None:
    """U5, U6, U7: a repayment in the same transaction, or a higher fee; each passes."""
    refusal = refusal_of(chain, borrow(chain, 401))
    assert (refusal["name"], refusal["rule"]) == ("unpaid_samet_debt", "U7")
    (remedy,) = refusal["remedies"]
    assert remedy["text"].startswith("repay 0.00401 TEST and a fee of 0.00002 TEST to 1.20.0")
    assert remedy["text"].endswith(" in the same transaction")
    chain.push(borrow(chain, 401), repay(chain, 401, 2))
    chain.block()
    refusal = refusal_of(chain, borrow(chain, 401), repay(chain, 401, 1))
    assert refusal["operation"] == 1
    assert [remedy["amount"]["amount"] for remedy in refusal["remedies"]] == [2]


def test_what_would_make_a_change_of_a_fund_pass(chain: TestChain) -> None:
    """U3, U4: all but one unit may be taken out; or the fund is deleted."""
    less, delete = refusal_of(chain, update(chain, -1_000))["remedies"]
    assert (less["field"], less["amount"]["amount"]) == ("delta_amount", -999)
    assert delete["text"] == "delete the fund"
    assert from_json_as(TaggedOperation, delete["operation"], "TEST") == SametFundDelete(
        NO_FEE, chain.account("alice"), FUND
    )
    chain.block(update(chain, -999))
    assert delete in refusal_of(chain, update(chain, -1))["remedies"]
    chain.block(SametFundDelete(NO_FEE, chain.account("alice"), FUND))
    assert chain.balance("alice") == CORE


def test_lists_of_funds(chain: TestChain) -> None:
    """U8: all, of an owner, of an asset; at most 101 from an id on."""
    client = Client(ChainBackend(chain))
    bob = chain.account("bob")
    chain.push(SametFundCreate(NO_FEE, bob, chain.asset("TEST"), 5, 0))
    first, second = client.call("list_samet_funds")
    assert first == {
        "id": "1.20.0",
        "owner_account": "1.2.9",
        "asset_type": "1.3.0",
        "balance": 1_000,
        "fee_rate": 2_500,
        "unpaid_amount": 0,
    }
    assert client.call("list_samet_funds", 1, "1.20.1") == [second]
    assert client.call("get_samet_funds_by_owner", "bob") == [second]
    assert client.call("get_samet_funds_by_asset", "TEST", 1) == [first]
    assert client.call("get_samet_funds_by_asset", "USD") == []
    assert client.call("list_samet_funds", 0) == []
    assert client.refuse("list_samet_funds", 102)["code"] == -32602
    assert client.refuse("get_samet_funds_by_owner", "nobody")["code"] == 10
