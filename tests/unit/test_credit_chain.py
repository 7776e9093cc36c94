"""Loans on a chain: within a block, beside the market, in histories, notices and answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.api.impacted import accounts_of_object
from node.chain.apply_block import AppliedBlock
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.errors import ValidationError
from protocol.ids import AccountId, CreditDealId, CreditOfferId, ObjectId
from protocol.json_form import format_time
from protocol.operations import operation_name
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.limit_order import FillOrder, LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain

OFFER, DEAL = CreditOfferId(0), CreditDealId(0)


@pytest.fixture
def chain() -> TestChain:
    """USD at 10 CORE; alice and bob owe 1,000 USD each, bob by far less collateral."""
    chain = TestChain("alice", "bob", "carol")
    chain.block(*chain.feed("USD", 1, 10))
    chain.block(
        CallOrderUpdate(
            NO_FEE, chain.account("alice"), chain.amount(100_000), chain.amount(1_000, "USD")
        ),
        CallOrderUpdate(
            NO_FEE, chain.account("bob"), chain.amount(20_000), chain.amount(1_000, "USD")
        ),
    )
    return chain


def offer(
    chain: TestChain, owner: str, lent: AssetAmount, locked: AssetAmount, lasts: int
) -> CreditOfferCreate:
    """An offer of an amount against another, for a time."""
    accepted = ((locked.asset_id, Price(lent, locked)),)
    end = chain.chain.head_time + 10_000
    terms = (lent.asset_id, lent.amount, 20_000, lasts, 0, True, end, accepted, ())
    return CreditOfferCreate(NO_FEE, chain.account(owner), *terms)


def accept(
    chain: TestChain, borrower: str, lent: AssetAmount, locked: AssetAmount, auto: int = 0
) -> CreditOfferAccept:
    """A loan by the first offer, at its terms whatever they are."""
    extensions = CreditOfferAcceptExtensions(auto)
    terms = (OFFER, lent, locked, 2**32 - 1, 0, extensions)
    return CreditOfferAccept(NO_FEE, chain.account(borrower), *terms)


def by_the_chain(block: AppliedBlock) -> list[Operation]:
    return [one.op for one in block.operations if one.is_virtual]


def lend_core(chain: TestChain, lasts: int, auto: int = 0) -> AppliedBlock:
    """Carol lends 1,000 CORE to bob against 100 USD."""
    core, usd = chain.amount(1_000), chain.amount(100, "USD")
    return chain.block(
        offer(chain, "carol", core, usd, lasts), accept(chain, "bob", core, usd, auto)
    )


def test_a_short_deal_ends_in_its_own_block(chain: TestChain) -> None:
    """O5, O8, R8.2: a second after the parent's time is before the block's own."""
    held = chain.balance("carol", "USD")
    (ended,) = by_the_chain(lend_core(chain, lasts=1))
    assert isinstance(ended, CreditDealExpired)
    assert chain.balance("carol", "USD") == held + 100
    assert len(chain.state.credit_deals) == 0
    chain.block(CreditOfferDelete(NO_FEE, chain.account("carol"), OFFER))


def test_an_offer_may_end_in_the_block_that_made_it(chain: TestChain) -> None:
    """O2, O8: enabled while its block's operations come, disabled at its end."""
    core, usd = chain.amount(1_000), chain.amount(100, "USD")
    made = replace(
        offer(chain, "carol", core, usd, 100), auto_disable_time=chain.chain.head_time + 1
    )
    chain.block(made, accept(chain, "bob", core, usd))
    assert not chain.state.credit_offers.get(OFFER).enabled
    assert len(chain.state.credit_deals) == 1


def test_deals_end_after_the_market_of_a_swan(chain: TestChain) -> None:
    """O8, R6.2, R8.3: the collateral that returns is of a BitAsset that was settled before."""
    lend_core(chain, lasts=3 * chain.state.parameters.block_interval)
    chain.block()
    carol = chain.balance("carol")
    block = chain.block(*chain.feed("USD", 1, 25), slot=2)
    kinds = [type(op).__name__ for op in by_the_chain(block)]
    assert kinds == ["FillOrder", "FillOrder", "CreditDealExpired"]
    assert chain.state.bitasset_of(chain.asset("USD")).is_globally_settled()  # type: ignore[union-attr]
    (record,) = (one for one in block.operations if isinstance(one.op, CreditDealExpired))
    assert (record.trx_in_block, record.op_in_trx, record.virtual_op) == (1, 0, 3)
    assert chain.balance("carol", "USD") == 100
    chain.block(AssetSettle(NO_FEE, chain.account("carol"), chain.amount(100, "USD")))
    assert chain.balance("carol", "USD") == 0
    assert chain.balance("carol") > carol


def test_a_margin_call_pays_for_the_deal(chain: TestChain) -> None:
    """O8, R8.3: what the market of the block pays in is there for the repayment."""
    core, usd = chain.amount(1_000), chain.amount(100, "USD")
    chain.block(chain.transfer("alice", "carol", 200, "USD"))
    interval = chain.state.parameters.block_interval
    chain.block(
        offer(chain, "alice", core, usd, 3 * interval), accept(chain, "carol", core, usd, 1)
    )
    bid = LimitOrderCreate(NO_FEE, chain.account("carol"), usd, chain.amount(1_700))
    chain.block(bid, chain.transfer("carol", "alice", chain.balance("carol")))
    called, filled, repaid = by_the_chain(chain.block(*chain.feed("USD", 1, 12)))
    assert isinstance(called, FillOrder)
    assert isinstance(filled, FillOrder)
    assert isinstance(repaid, CreditDealRepay)
    assert repaid.credit_fee == chain.amount(20)
    assert chain.balance("carol") == 1_700 - 1_020


def test_ends_are_undone_with_their_block(chain: TestChain) -> None:
    """I18, O8: a node on a fork takes defaults and repayments back, and comes to the same."""
    lend_core(chain, lasts=chain.state.parameters.block_interval + 1, auto=2)
    other = chain.twin()
    other.follow(chain)
    chain.block()
    assert len(chain.state.credit_deals) == 0
    other.block(slot=2)
    other.block()
    chain.follow(other)
    assert chain.chain.state_hash() == other.chain.state_hash()
    restored = type(chain.chain).restore(chain.genesis, chain.chain.dump())
    assert restored.state_hash() == chain.chain.state_hash()


def test_loans_by_proposal(chain: TestChain) -> None:
    """G0.7, R8.23: they may be proposed, and are checked when they are executed."""
    carol, core, usd = chain.account("carol"), chain.amount(1_000), chain.amount(100, "USD")
    made = offer(chain, "carol", core, usd, 100)
    chain.block(
        ProposalCreate(NO_FEE, carol, chain.chain.head_time + 500, (ProposedOperation(made),))
    )
    (proposal,) = chain.state.proposals.in_order()
    chain.block(ProposalUpdate(NO_FEE, carol, proposal.id, active_approvals_to_add=(carol,)))
    assert chain.state.credit_offers.get(OFFER).total_balance == 1_000
    virtual = ProposedOperation(CreditDealExpired(NO_FEE, DEAL, OFFER, carol, carol, core, usd, 0))
    with pytest.raises(ValidationError, match="virtual"):
        chain.push(ProposalCreate(NO_FEE, carol, chain.chain.head_time + 500, (virtual,)))


def names_in(history: Json) -> list[str]:
    return [operation_name(entry["op"][0]) for entry in history]


@pytest.fixture
def backend(chain: TestChain) -> ChainBackend:
    """Carol's loan to bob, of which a part is repaid before the rest defaults."""
    backend = ChainBackend(chain)
    core, usd = chain.amount(1_000), chain.amount(100, "USD")
    backend.produce(offer(chain, "carol", core, usd, 60), accept(chain, "bob", core, usd))
    half = CreditDealRepay(NO_FEE, chain.account("bob"), DEAL, chain.amount(500), chain.amount(10))
    backend.produce(half)
    backend.produce(
        CreditOfferUpdate(NO_FEE, chain.account("carol"), OFFER, fee_rate=7),
        replace(accept(chain, "bob", chain.amount(100), chain.amount(10, "USD"), 1)),
    )
    return backend


def test_whom_a_loan_concerns(backend: ChainBackend) -> None:
    """G0.4, O6, O8: the lender's history has what the borrower does, and both the default."""
    client = Client(backend)
    backend.produce(slot=20)
    for name, expected in (
        ("carol", ["credit_offer_create", "credit_offer_accept", "credit_deal_repay",
                   "credit_offer_update", "credit_offer_accept", "credit_deal_expired",
                   "credit_deal_repay"]),
        ("bob", ["credit_offer_accept", "credit_deal_repay", "credit_offer_accept",
                 "credit_deal_expired", "credit_deal_repay"]),
    ):  # fmt: skip
        history = client.call("get_account_history", name, "1.11.0", 10, "1.11.0", api="history")
        found = [one for one in reversed(names_in(history)) if one.startswith("credit")]
        assert found == expected
    assert history[1]["is_virtual"] is True
    assert history[1]["op"][1]["unpaid_amount"] == {"amount": 500, "asset_id": "1.3.0"}


def test_objects_concern_both_sides(backend: ChainBackend) -> None:
    """G0.4, O1: an offer its owner; a deal and a summary the borrower, too."""
    state = backend.state
    carol, bob = (backend.test_chain.account(name) for name in ("carol", "bob"))
    (summary,) = state.credit_deal_summaries.in_order()

    def concerned(item: object) -> set[AccountId]:
        return set(accounts_of_object(item))  # type: ignore[arg-type]

    assert concerned(state.credit_offers.get(OFFER)) == {carol}
    assert concerned(state.credit_deals.get(DEAL)) == {carol, bob}
    assert concerned(summary) == {carol, bob}
    full = Client(backend).call("get_full_accounts", ["carol"], False)[0][1]
    assert not any("credit" in key for key in full), "as BitShares has it"


def test_the_json_of_loans(backend: ChainBackend) -> None:
    """O1, O9: every field under BitShares' name; summaries by their ids."""
    client, state = Client(backend), backend.state
    carol, bob = "1.2.11", "1.2.10"
    (offer_json,) = client.call("list_credit_offers")
    assert offer_json == {
        "id": "1.21.0",
        "owner_account": carol,
        "asset_type": "1.3.0",
        "total_balance": 1_010,
        "current_balance": 410,
        "fee_rate": 7,
        "max_duration_seconds": 60,
        "min_deal_amount": 0,
        "enabled": True,
        "auto_disable_time": format_time(state.credit_offers.get(OFFER).auto_disable_time),
        "acceptable_collateral": [
            [
                "1.3.1",
                {
                    "base": {"amount": 1_000, "asset_id": "1.3.0"},
                    "quote": {"amount": 100, "asset_id": "1.3.1"},
                },
            ]
        ],
        "acceptable_borrowers": [],
    }
    deal, second = client.call("list_credit_deals")
    assert deal == {
        "id": "1.22.0",
        "borrower": bob,
        "offer_id": "1.21.0",
        "offer_owner": carol,
        "debt_asset": "1.3.0",
        "debt_amount": 500,
        "collateral_asset": "1.3.1",
        "collateral_amount": 50,
        "fee_rate": 20_000,
        "latest_repay_time": format_time(state.credit_deals.get(DEAL).latest_repay_time),
        "auto_repay": 0,
    }
    assert (second["fee_rate"], second["auto_repay"]) == (7, 1)
    assert client.call("get_objects", ["2.18.0"]) == [
        {
            "id": "2.18.0",
            "borrower": bob,
            "offer_id": "1.21.0",
            "offer_owner": carol,
            "debt_asset": "1.3.0",
            "total_debt_amount": 600,
        }
    ]


def test_lists_of_loans(backend: ChainBackend) -> None:
    """O9: by each side and asset, from an id on, 101 at most; who is unknown is refused."""
    client = Client(backend)
    for method, key, other in (
        ("get_credit_deals_by_borrower", "bob", "carol"),
        ("get_credit_deals_by_offer_owner", "carol", "bob"),
        ("get_credit_deals_by_offer_id", "1.21.0", "1.21.1"),
        ("get_credit_deals_by_debt_asset", "TEST", "USD"),
        ("get_credit_deals_by_collateral_asset", "USD", "TEST"),
    ):
        assert [one["id"] for one in client.call(method, key)] == ["1.22.0", "1.22.1"]
        assert [one["id"] for one in client.call(method, key, 1)] == ["1.22.0"]
        assert [one["id"] for one in client.call(method, key, 5, "1.22.1")] == ["1.22.1"]
        assert client.call(method, key, 0) == client.call(method, other) == []
        assert client.call(method, key, 5, "1.22.2") == []
        assert client.refuse(method, key, 102)["code"] == -32602
    for method in ("get_credit_offers_by_owner", "get_credit_offers_by_asset"):
        key = "carol" if method.endswith("owner") else "TEST"
        assert [one["id"] for one in client.call(method, key)] == ["1.21.0"]
        assert client.call(method, key, 5, "1.21.1") == []
        assert client.refuse(method, "nobody")
    assert client.call("list_credit_deals", 1, "1.22.1")[0]["id"] == "1.22.1"
    assert client.call("list_credit_offers", 0) == []
    assert client.refuse("list_credit_offers", 102)["code"] == -32602


def test_results_of_loans(backend: ChainBackend) -> None:
    """G0.5, O2, O3, O6: an id, an amount, or what was touched, tagged as BitShares does."""
    client = Client(backend)
    history = client.call("get_account_history", "bob", "1.11.0", 10, "1.11.0", api="history")
    results = {operation_name(entry["op"][0]): entry["result"] for entry in reversed(history)}
    assert results["credit_deal_repay"] == [
        5,
        {
            "impacted_accounts": ["1.2.11"],
            "updated_objects": ["1.21.0", "1.22.0"],
            "received": [{"amount": 50, "asset_id": "1.3.1"}],
        },
    ]
    assert results["credit_offer_accept"] == [
        5,
        {"impacted_accounts": ["1.2.11"], "new_objects": ["1.22.1"]},
    ]
    history = client.call("get_account_history", "carol", "1.11.0", 10, "1.11.0", api="history")
    results = {operation_name(entry["op"][0]): entry["result"] for entry in history}
    assert results["credit_offer_create"] == [1, str(ObjectId(1, 21, 0))]
    assert results["credit_offer_update"] == [0, {}]
