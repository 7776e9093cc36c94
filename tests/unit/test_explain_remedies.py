"""What would make a refused transaction pass, kind by kind: each remedy is followed, and it passes.

`tests.support.state.expect` follows those of all refusals in `tests/operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import Authority
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import key_text
from protocol.ids import AccountId, WithdrawPermissionId
from protocol.json_form import from_json, from_json_as, parse_time
from protocol.operations.account import AccountCreate, AccountOptions, AccountUpdate
from protocol.operations.asset import NEW_ASSET, AssetCreate, AssetIssue
from protocol.operations.asset_options import WHITE_LIST, AssetOptions
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
)
from protocol.schema import MAX_TIMESTAMP
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend, Client, transaction_json
from tests.support.chain import TestChain, make_genesis
from tests.support.world import key_of

Json = Any
NAMES = ("alice", "bob", "carol")
Case = Callable[[TestChain], TransactionEnvelope]


@pytest.fixture
def chain() -> TestChain:
    """Alice issues TOKEN, of which bob has some and which accounts on her white list may hold."""
    chain = TestChain(genesis=make_genesis(*NAMES, options=BitassetOptions(minimum_feeds=2)))
    chain.block()
    alice, bob = chain.account("alice"), chain.account("bob")
    rate = Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, NEW_ASSET))
    options = AssetOptions(10**12, 0, 0, WHITE_LIST, 0, rate, whitelist_authorities=())
    chain.block(AssetCreate(NO_FEE, alice, "TOKEN", 4, options, None, is_prediction_market=False))
    chain.block(AssetIssue(NO_FEE, alice, chain.amount(500, "TOKEN"), bob, None))
    with chain.chain.head_state() as state:
        state.log.begin()
        token = state.assets.edit(state.asset_named("TOKEN"))
        token.options = replace(token.options, whitelist_authorities=(alice,), flags=WHITE_LIST)
        state.log.finish()
    return chain


def explain(chain: TestChain, envelope: TransactionEnvelope) -> Json:
    """The refusal of a transaction, as the API tells it."""
    client = Client(ChainBackend(chain))
    found = client.call("explain_transaction", transaction_json(envelope), api="pegboard")
    assert not found["passes"]
    return found["refusal"]


def operation_of(data: Json) -> Operation:
    return from_json_as(TaggedOperation, data, "TEST")  # type: ignore[return-value]


def follow(chain: TestChain, refused: TransactionEnvelope, place: int | None, remedy: Json) -> None:
    """Do what a remedy says, and push the transaction, which must pass then."""
    operations = list(refused.transaction.operations)
    field, names = remedy["field"], [name_of(chain, one) for one in remedy["accounts"]]
    expiration = None
    for before in remedy["before"]:
        chain.push(operation_of(before))
    if "operation" in remedy:
        assert place is not None
        operations[place] = operation_of(remedy["operation"])
    elif field == "expiration":
        expiration = parse_time(remedy["time"])
    elif field == "balance":
        missing = from_json(AssetAmount, remedy["amount"], "TEST")
        chain.push(replace(chain.transfer("bob", names[0], 1), amount=missing))
    elif field == "feeds":
        chain.block(*chain.feed("USD", 1, 10, names))
    elif field == "time":
        while chain.chain.head_time < parse_time(remedy["time"]):
            chain.block()
    elif field == "signatures":
        owners = {key_text(key_of(name), "TEST"): name for name in NAMES}
        signers = [owners[key] for key in remedy["keys"]]
        chain.chain.push_transaction(chain.transaction(*operations, signers=signers))
        return
    else:
        assert field == "ref_block_num" or remedy["before"], remedy
    chain.chain.push_transaction(chain.transaction(*operations, expiration=expiration))


def name_of(chain: TestChain, account: str) -> str:
    return chain.state.accounts.get(AccountId(int(account.split(".")[2]))).name


def of(op: Callable[[TestChain], Operation], **how: Any) -> Case:
    """A case of one operation."""
    return lambda chain: chain.transaction(op(chain), **how)


def send(chain: TestChain, amount: int = 5) -> Operation:
    return chain.transfer("alice", "bob", amount)


def expired(chain: TestChain) -> TransactionEnvelope:
    return chain.transaction(send(chain), expiration=chain.chain.head_time - 1)


def too_late(chain: TestChain) -> TransactionEnvelope:
    latest = chain.state.parameters.maximum_time_until_expiration
    return chain.transaction(send(chain), expiration=chain.chain.head_time + latest + 1)


def twice(chain: TestChain) -> TransactionEnvelope:
    envelope = chain.transaction(send(chain))
    chain.block(envelope)
    return envelope


def two_owners(chain: TestChain) -> TransactionEnvelope:
    """Alice needs bob and carol to act for her; only a stranger has signed, and bob."""
    bob, carol = chain.account("bob"), chain.account("carol")
    active = Authority(3, ((bob, 1), (carol, 2)))
    chain.block(AccountUpdate(NO_FEE, chain.account("alice"), active=active))
    return chain.transaction(send(chain), signers=["bob", "stranger"])


def one_of_two(chain: TestChain) -> TransactionEnvelope:
    """Bob or carol acts for alice; one of them is enough, and both are too many."""
    active = Authority(1, ((chain.account("bob"), 1), (chain.account("carol"), 1)))
    chain.block(AccountUpdate(NO_FEE, chain.account("alice"), active=active))
    return chain.transaction(send(chain), signers=[])


def order(chain: TestChain, **changes: Any) -> Operation:
    sold, wanted = chain.amount(100), chain.amount(100, "TOKEN")
    op = LimitOrderCreate(NO_FEE, chain.account("carol"), sold, wanted, MAX_TIMESTAMP)
    return replace(op, **changes)


def usd_order(chain: TestChain, **changes: Any) -> Operation:
    sold, wanted = chain.amount(100), chain.amount(100, "USD")
    op = LimitOrderCreate(NO_FEE, chain.account("carol"), sold, wanted, MAX_TIMESTAMP)
    return replace(op, **changes)


def borrow(chain: TestChain, collateral: int = 18_000) -> CallOrderUpdate:
    debt = chain.amount(1_000, "USD")
    return CallOrderUpdate(NO_FEE, chain.account("alice"), chain.amount(collateral), debt)


def borrow_with_feeds(chain: TestChain) -> TransactionEnvelope:
    chain.block(*chain.feed("USD", 1, 10, ("init0", "init1")))
    return chain.transaction(borrow(chain, 16_000))


def settle(chain: TestChain) -> AssetSettle:
    return AssetSettle(NO_FEE, chain.account("alice"), chain.amount(1, "USD"))


def settle_with_feeds(chain: TestChain) -> TransactionEnvelope:
    chain.block(*chain.feed("USD", 1, 10, ("init0", "init1")))
    chain.block(borrow(chain), replace(borrow(chain), funding_account=chain.account("bob")))
    return chain.transaction(replace(settle(chain), amount=chain.amount(1_001, "USD")))


def named(chain: TestChain) -> Operation:
    key = Authority(1, (), ((key_of("new"), 1),))
    who = chain.account("alice")
    options = AccountOptions(key_of("new"))
    return AccountCreate(NO_FEE, who, who, 0, "bob", key, key, options)


def claim_too_early(chain: TestChain) -> TransactionEnvelope:
    alice, bob, start = chain.account("alice"), chain.account("bob"), chain.chain.head_time + 60
    chain.block(WithdrawPermissionCreate(NO_FEE, alice, bob, chain.amount(50), 3_600, 10, start))
    (permission,) = map(WithdrawPermissionId, chain.state.withdraw_permissions.rows)
    return chain.transaction(
        WithdrawPermissionClaim(NO_FEE, permission, alice, bob, chain.amount(50), None)
    )


def proposal(chain: TestChain, **changes: Any) -> Operation:
    inner = ProposedOperation(chain.transfer("bob", "alice", 1))
    op = ProposalCreate(NO_FEE, chain.account("alice"), chain.chain.head_time + 100, (inner,), None)
    return replace(op, **changes)


CASES: dict[str, tuple[Case, str, Sequence[str]]] = {
    "expired": (expired, "transaction_expired", ["expiration"]),
    "expires too late": (too_late, "expiration_too_far", ["expiration"]),
    "sent twice": (twice, "duplicate_transaction", ["expiration"]),
    "another chain": (
        of(send, reference=(9, 9)),
        "invalid_reference_block",
        ["ref_block_num"],
    ),
    "not signed": (of(send, signers=[]), "missing_active_auth", ["signatures"]),
    "signed by another": (of(send, signers=["carol"]), "missing_active_auth", ["signatures"]),
    "signed by too many": (of(send, signers=["alice", "bob"]), "irrelevant_sig", ["signatures"]),
    "two of two": (two_owners, "missing_active_auth", ["signatures"]),
    "one of two": (one_of_two, "missing_active_auth", ["signatures"]),
    "too little": (
        of(partial(send, amount=10**10 + 5)),
        "insufficient_balance",
        ["amount", "balance"],
    ),
    "nothing": (of(partial(send, amount=0)), "validation_error", ["amount"]),
    "may not hold": (of(order), "receiving_asset_unauthorized", [""]),
    "order expired": (
        of(partial(usd_order, expiration=1)),
        "expired",
        ["expiration"],
    ),
    "not filled": (of(partial(usd_order, fill_or_kill=True)), "kill_unfilled", ["fill_or_kill"]),
    "no feed to borrow": (of(borrow), "insufficient_feeds", ["feeds"]),
    "ratio": (borrow_with_feeds, "below_required_ratio", ["delta_collateral", "delta_debt"]),
    "settles too much": (settle_with_feeds, "insufficient_balance", ["amount", "balance"]),
    "name taken": (of(named), "name_taken", ["name"]),
    "too early": (claim_too_early, "limit_exceeded", ["time"]),
    "proposal too long": (
        of(lambda chain: proposal(chain, expiration_time=MAX_TIMESTAMP)),
        "proposal_refused",
        ["expiration_time"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_remedy_makes_it_pass(chain: TestChain, case: str) -> None:
    """R2.1, R2.20, R3.2.8, R3.4, R8.23, R9.3, R9.5, I6: by one number, key, time, choice, or by
    what others do first."""
    make, name, fields = CASES[case]
    envelope = make(chain)
    refusal = explain(chain, envelope)
    assert refusal["name"] == name
    remedies = refusal["remedies"]
    assert {remedy["field"] for remedy in remedies} == set(fields), remedies
    if "feeds" in fields:
        assert remedies[0]["text"] == "2 prices of bitUSD more, published by init0, init1, init2"
    dump, genesis = chain.chain.dump(), chain.genesis
    for remedy in remedies:
        again = type(chain)(genesis=genesis)
        again.chain = type(chain.chain).restore(genesis, dump)
        again.serial = 1_000
        follow(again, envelope, refusal.get("operation"), remedy)
