"""C2: whose history an operation enters, over every operation, as bitshares-core has it.

`NAMED` says for each operation which of its accounts are told, read off bitshares-core's
`db_notify.cpp` (impacted) and the required authorities of its operations, fee payer included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from node.history.impacted import accounts_of_operation
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.constants import PROXY_TO_SELF_ACCOUNT
from protocol.ids import AccountId, object_id
from protocol.json_form import from_json_as
from protocol.operations import OPERATIONS
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.results import ExtendableOperationResult, VoidResult
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain
from tests.support.world import key_of
from tests.vectors.test_operations import VECTORS

AUTHORITY = "account_auths"
NAMED: dict[int, tuple[str, ...]] = {
    0: ("from", "to"),
    1: ("seller",),
    2: ("fee_paying_account",),
    3: ("funding_account",),
    4: ("account_id",),
    5: (
        "registrar",
        "referrer",
        "owner.account_auths",
        "active.account_auths",
        "extensions.buyback_options.asset_to_buy_issuer",
    ),
    6: ("account", "owner.account_auths", "active.account_auths"),
    7: ("authorizing_account", "account_to_list"),
    8: ("account_to_upgrade",),
    9: ("account_id",),
    10: ("issuer",),
    11: ("issuer", "new_issuer"),
    12: ("issuer",),
    13: ("issuer",),
    14: ("issuer", "issue_to_account"),
    15: ("payer",),
    16: ("from_account",),
    17: ("account",),
    18: ("issuer",),
    19: ("publisher",),
    20: ("witness_account",),
    21: ("witness_account",),
    22: ("fee_paying_account",),
    23: (
        "fee_paying_account",
        "active_approvals_to_add",
        "active_approvals_to_remove",
        "owner_approvals_to_add",
        "owner_approvals_to_remove",
    ),
    24: ("fee_paying_account",),
    25: ("withdraw_from_account", "authorized_account"),
    26: ("withdraw_from_account", "authorized_account"),
    27: ("withdraw_from_account", "withdraw_to_account"),
    28: ("withdraw_from_account", "authorized_account"),
    29: ("committee_member_account",),
    30: ("committee_member_account",),
    31: (),
    32: ("creator", "owner"),
    33: ("owner",),
    34: ("owner",),
    35: ("payer", "required_auths"),
    36: ("fee_paying_account",),
    37: ("deposit_to_account",),
    38: ("issuer", "from", "to"),
    39: ("from", "outputs.owner.account_auths"),
    40: ("inputs.owner.account_auths", "outputs.owner.account_auths"),
    41: ("to", "inputs.owner.account_auths"),
    42: ("account",),
    43: ("issuer",),
    44: ("account_id",),
    45: ("bidder",),
    46: ("bidder",),
    47: ("issuer",),
    48: ("issuer", "new_issuer"),
    49: ("from", "to"),
    50: ("redeemer",),
    51: ("from", "to"),
    52: ("update_issuer",),
    53: ("to",),
    54: ("account", "auth.account_auths"),
    55: ("account", "new_auth.account_auths"),
    56: ("account",),
    57: ("account",),
    58: ("account",),
    59: ("account",),
    60: ("account",),
    61: ("account",),
    62: ("account",),
    63: ("account",),
    64: ("owner_account",),
    65: ("owner_account",),
    66: ("owner_account",),
    67: ("borrower",),
    68: ("account",),
    69: ("owner_account",),
    70: ("owner_account",),
    71: ("owner_account",),
    72: ("borrower",),
    73: ("account",),
    74: ("offer_owner", "borrower"),
    75: ("account",),
    76: ("account",),
    77: ("seller",),
}
TEMPORARY_ACCOUNT = 4
"""Stands for the fee payer of what pays out of blinded balances."""
PAID_BY = {31: {0}, 40: {TEMPORARY_ACCOUNT}, 41: {TEMPORARY_ACCOUNT}}
"""Fee payers that no field names."""


def accounts_at(value: Json, path: str) -> Iterator[int]:
    """The instances of the accounts at a path of an operation's JSON."""
    if value is None:
        return
    if isinstance(value, str):
        yield int(value.removeprefix("1.2."))
    elif path.startswith(AUTHORITY):
        yield from (int(pair[0].removeprefix("1.2.")) for pair in value["account_auths"])
    elif isinstance(value, list):
        for item in value:
            yield from accounts_at(item, path)
    elif path:
        first, _, rest = path.partition(".")
        if rest == AUTHORITY and value.get(first):
            yield from accounts_at(value[first], rest)
        else:
            yield from accounts_at(value.get(first), rest)


def named(operation: Json) -> set[int]:
    """The accounts that bitshares-core tells of an operation, apart from proposals."""
    id_, fields = operation
    found = set(PAID_BY.get(id_, set()))
    for path in NAMED[id_]:
        found.update(accounts_at(fields, path))
    if id_ == 22:
        for inner in fields["proposed_ops"]:
            found |= required(inner["op"])
    return found


def required(operation: Json) -> set[int]:
    """What a proposed operation needs the authority of; of the vectors that is its fee payer."""
    return set(list(accounts_at(operation[1], NAMED[operation[0]][0]))[:1])


def test_every_operation_has_a_row() -> None:
    assert NAMED.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_an_operation_enters_the_history_of_whom_bitshares_tells(vector: Json) -> None:
    """C2: no account more and none less."""
    op = cast(Operation, from_json_as(TaggedOperation, vector["operation"], "TEST"))
    assert set(accounts_of_operation(op, VoidResult())) == named(vector["operation"])


def test_accounts_in_results_are_told() -> None:
    """C2: the new account, and those that an answer of BitShares calls impacted."""
    authority = Authority(1, ((AccountId(7), 1),), ())
    options = AccountOptions(key_of("x"), PROXY_TO_SELF_ACCOUNT, 0, 0, ())
    create = AccountCreate(
        NO_FEE, AccountId(3), AccountId(6), 0, "x", authority, authority, options
    )
    new = object_id(AccountId, 99)
    assert accounts_of_operation(create, new) == (3, 6, 7, 99)
    custom = Custom(NO_FEE, AccountId(5), (AccountId(8), AccountId(6)), 0, b"")
    assert accounts_of_operation(custom, VoidResult()) == (5, 6, 8)
    result = ExtendableOperationResult(impacted_accounts=(AccountId(1),))
    assert accounts_of_operation(custom, result) == (1, 5, 6, 8)


def test_each_named_account_finds_it_in_its_history() -> None:
    """C2, as it was reported (core #265): the new account, approvers, required accounts."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    client = Client(backend)
    alice, bob, carol = (chain.account(name) for name in ("alice", "bob", "carol"))
    backend.produce()

    def newest_of(name: str) -> int:
        return int(client.call("get_account_history", name, api="history")[0]["op"][0])

    owner = Authority(1, (), ((key_of("dave"), 1),))
    options = AccountOptions(key_of("dave"), PROXY_TO_SELF_ACCOUNT, 0, 0, ())
    create = AccountCreate(NO_FEE, alice, alice, 0, "dave", owner, owner, options)
    backend.produce(create)
    assert newest_of("dave") == 5
    backend.produce(Custom(chain.amount(1), alice, (bob, carol), 0, b""))
    assert newest_of("alice") == newest_of("bob") == newest_of("carol") == 35
    proposed = ProposedOperation(chain.transfer("alice", "bob", 5))
    now = chain.state.dynamic.time
    backend.produce(ProposalCreate(NO_FEE, bob, now + 600, (proposed,)))
    assert newest_of("alice") == 22
    (proposal,) = (item.id for item in chain.state.proposals.in_order())
    backend.produce(ProposalUpdate(NO_FEE, bob, proposal, (alice, carol)))
    assert newest_of("carol") == 23
