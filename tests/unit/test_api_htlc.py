"""What clients see of hash time locks: methods, full accounts, notices, histories, explanations."""

from __future__ import annotations

import pytest

from protocol.asset import NO_FEE
from protocol.chain_parameters import ChainParametersExtensions, HtlcOptions
from protocol.ids import HtlcId
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem, hash_of_preimage
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain, make_genesis, make_parameters

LOCK = hash_of_preimage(1, b"key")


@pytest.fixture
def backend() -> ChainBackend:
    """Alice locks 100 for bob for 60 s, then 101 for carol and 102 for herself; bob 103 for her."""
    options = ChainParametersExtensions(HtlcOptions(600, 100))
    names = ("alice", "bob", "carol")
    genesis = make_genesis(*names, parameters=make_parameters(extensions=options))
    backend = ChainBackend(TestChain(genesis=genesis))
    backend.produce()
    for number, (creator, to) in enumerate(
        (("alice", "bob"), ("alice", "carol"), ("alice", "alice"), ("bob", "alice"))
    ):
        backend.produce(lock(backend, creator, to, 100 + number))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def lock(backend: ChainBackend, creator: str, to: str, amount: int) -> HtlcCreate:
    chain = backend.test_chain
    sides = chain.account(creator), chain.account(to)
    return HtlcCreate(NO_FEE, *sides, chain.amount(amount), LOCK, 3, 60)


def redeem(backend: ChainBackend, who: str, number: int) -> HtlcRedeem:
    return HtlcRedeem(NO_FEE, HtlcId(number), backend.test_chain.account(who), b"key")


def ids(found: Json) -> list[str]:
    return [item["id"] for item in found]


def test_contracts_by_id_and_by_side(client: Client) -> None:
    """H7.1: from an id on, inclusive, at most as many as asked, and never more than 100."""
    found = client.call("get_htlc", "1.16.1")
    assert found["transfer"]["amount"] == 101
    assert found == client.call("get_objects", ["1.16.1"])[0]
    assert client.call("get_htlc", "1.16.9", False) is None
    assert ids(client.call("get_htlc_by_from", "alice", "1.16.1", 100)) == ["1.16.1", "1.16.2"]
    assert ids(client.call("get_htlc_by_from", "alice", "1.16.0", 1)) == ["1.16.0"]
    assert ids(client.call("get_htlc_by_to", "alice", "1.16.0", 100)) == ["1.16.2", "1.16.3"]
    assert ids(client.call("list_htlcs", "1.16.2", 100)) == ["1.16.2", "1.16.3"]
    for method, first in (("get_htlc_by_from", ["alice"]), ("list_htlcs", [])):
        assert client.refuse(method, *first, "1.16.0", 101)["code"] == -32602
        assert client.refuse(method, *first, "1.16.0")["code"] == -32602
    assert client.refuse("get_htlc_by_to", "nobody", "1.16.0", 1)["code"] == 10


def test_full_accounts_have_contracts(client: Client) -> None:
    """H7.1: of both directions."""
    ((_, alice),) = client.call("get_full_accounts", ["alice"], False)
    assert ids(alice["htlcs_from"]) == ["1.16.0", "1.16.1", "1.16.2"]
    assert ids(alice["htlcs_to"]) == ["1.16.2", "1.16.3"]
    assert alice["more_data_available"]["htlcs_from"] is False


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_changes_are_told_to_both_sides(backend: ChainBackend, client: Client, name: str) -> None:
    """H7.1: more time and the end; carol, who redeems, has no part in it."""
    client.call("set_subscribe_callback", 9, False)
    client.call("get_full_accounts", [name], True)
    chain = backend.test_chain
    backend.produce(HtlcExtend(NO_FEE, HtlcId(0), chain.account("alice"), 5))
    ((_, (objects,)),) = client.notices()
    assert "1.16.0" in ids(objects)


def records_of(client: Client, name: str) -> list[int]:
    history = client.call("get_account_history", name, "1.11.0", 100, "1.11.0", api="history")
    return [record["op"][0] for record in history][::-1]


def told(client: Client) -> list[int]:
    """Operations of the records that notices have told of."""
    return [
        item["op"][0]
        for _, (objects,) in client.notices()
        for item in objects
        if isinstance(item, dict) and item["id"].startswith("1.11.")
    ]


def test_a_redemption_enters_the_histories_of_both_sides(
    backend: ChainBackend, client: Client
) -> None:
    """H6.1: carol's has what she did; a receiver who redeems is told of that alone."""
    followers = {name: Client(backend) for name in ("alice", "bob", "carol")}
    for name, follower in followers.items():
        follower.call("set_subscribe_callback", 9, False)
        follower.call("get_full_accounts", [name], True)
    backend.produce(redeem(backend, "carol", 0))
    found = {name: told(follower) for name, follower in followers.items()}
    assert found == {"alice": [51], "bob": [51], "carol": [50]}
    backend.produce(redeem(backend, "carol", 1))
    found = {name: told(follower) for name, follower in followers.items()}
    assert found == {"alice": [51], "bob": [], "carol": [50]}
    assert records_of(client, "bob") == [49, 49, 51]
    assert records_of(client, "carol") == [49, 50, 50, 51]


def test_an_end_is_told_to_the_creator(backend: ChainBackend, client: Client) -> None:
    """H6.2, H5.1: with its rule where a block is explained."""
    backend.produce(slot=13)
    assert records_of(client, "bob") == [49, 49, 53]
    assert records_of(client, "carol") == [49]
    assert records_of(client, "alice") == [49, 49, 49, 49, 53, 53, 53]
    num = backend.test_chain.chain.head_num
    found = client.call("explain_block", num, api="pegboard")
    effects = [effect["text"] for effect in found["effects"] if effect["rule"] == "H5.1"]
    assert len(effects) == 4
    assert effects[0].startswith("not claimed: alice has 0.00100 TEST back")
