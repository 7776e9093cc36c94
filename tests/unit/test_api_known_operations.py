"""What clients see of withdraw permissions and workers, and of operations that are not executed."""

from __future__ import annotations

import pytest

from protocol.asset import NO_FEE
from protocol.operations.account import AccountTransfer
from protocol.operations.withdraw_permission import WithdrawPermissionCreate
from protocol.operations.worker import BurnWorkerInitializer, WorkerCreate
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain
from tests.vectors.test_operations import VECTORS


@pytest.fixture
def backend() -> ChainBackend:
    """Alice lets bob and carol withdraw; she works, too."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    backend.produce()
    now = chain.state.dynamic.time
    alice = chain.account("alice")
    for name in ("bob", "carol"):
        limit = chain.amount(100)
        backend.produce(
            WithdrawPermissionCreate(NO_FEE, alice, chain.account(name), limit, 60, 5, now + 1000)
        )
    backend.produce(
        WorkerCreate(NO_FEE, alice, now + 60, now + 90, 7, "Docs", "", BurnWorkerInitializer())
    )
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def ids(objects: Json) -> list[str]:
    return [item["id"] for item in objects]


def test_permissions_by_giver_and_by_recipient(client: Client) -> None:
    """CLIENTS 4: from an id on, at most as many as asked."""
    given = client.call("get_withdraw_permissions_by_giver", "alice", "1.12.0", 10)
    assert ids(given) == ["1.12.0", "1.12.1"]
    assert given[0]["withdrawal_limit"] == {"amount": 100, "asset_id": "1.3.0"}
    assert given[0]["claimed_this_period"] == 0
    later = client.call("get_withdraw_permissions_by_giver", "alice", "1.12.1", 10)
    assert ids(later) == ["1.12.1"]
    assert ids(client.call("get_withdraw_permissions_by_giver", "alice", "1.12.0", 1)) == ["1.12.0"]
    received = client.call("get_withdraw_permissions_by_recipient", "carol", "1.12.0", 10)
    assert ids(received) == ["1.12.1"]
    assert client.call("get_withdraw_permissions_by_giver", "carol") == []
    assert ids(client.call("get_objects", ["1.12.1"])) == ["1.12.1"]
    for method in ("get_withdraw_permissions_by_giver", "get_withdraw_permissions_by_recipient"):
        assert client.refuse(method, "alice", "1.12.0", 102)["code"] == -32602
        assert client.refuse(method, "alice", "1.2.0", 1)["code"] == -32602


def test_full_accounts_hold_permissions(client: Client) -> None:
    """CLIENTS 2: in both directions."""
    (_, alice), (_, bob) = client.call("get_full_accounts", ["alice", "bob"], False)
    assert ids(alice["withdraws_from"]) == ["1.12.0", "1.12.1"]
    assert ids(bob["withdraws_to"]) == ["1.12.0"]
    assert alice["withdraws_to"] == bob["withdraws_from"] == []


def test_workers_have_the_fields_of_bitshares(client: Client) -> None:
    """CLIENTS 4: with the second vote id, that nobody votes by."""
    (worker,) = client.call("get_all_workers")
    assert worker["worker"] == [2, {"total_burned": 0}]
    kind, instance = worker["vote_for"].split(":")
    assert worker["vote_against"] == f"{kind}:{int(instance) + 1}"
    assert worker["total_votes_against"] == 0


def test_what_is_not_executed_is_refused_by_name_when_pushed(
    backend: ChainBackend, client: Client
) -> None:
    """R2.18: in the same call, after its signatures were found good."""
    chain = backend.test_chain
    operation = AccountTransfer(NO_FEE, chain.account("alice"), chain.account("bob"))
    body = transaction_json(chain.transaction(operation))
    error = client.refuse("broadcast_transaction", body, api="network_broadcast")
    assert "account_transfer" in error["message"]
    assert "not executed by this node" in error["message"]
    assert backend.bugs == []


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_operation_has_a_price(client: Client, vector: Json) -> None:
    """R8.17: also one that is not executed; this chain asks for nothing."""
    (fee,) = client.call("get_required_fees", [vector["operation"]], "1.3.0")
    if vector["operation"][0] == 22:
        fee = fee[0]
    assert fee == {"amount": 0, "asset_id": "1.3.0"}
