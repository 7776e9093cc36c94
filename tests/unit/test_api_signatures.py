"""Who has to sign: beside who has already, and by keys that authorities name as addresses."""

from __future__ import annotations

from itertools import combinations

import pytest

from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.crypto.addresses import addresses_of
from protocol.crypto.keys import address_text, key_text
from protocol.ids import AccountId
from protocol.operations.account import AccountUpdate
from protocol.operations.transfer import Transfer
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain
from tests.support.world import key_of

NAMES = ("one", "two", "three")


def key(name: str) -> str:
    return key_text(key_of(name), "TEST")


@pytest.fixture
def backend() -> ChainBackend:
    """Alice needs two of three keys."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    entries = tuple(sorted((key_of(name), 1) for name in NAMES))
    backend.produce(AccountUpdate(NO_FEE, chain.account("alice"), active=Authority(2, (), entries)))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def a_transfer(backend: ChainBackend, signers: tuple[str, ...]) -> Json:
    chain = backend.test_chain
    return transaction_json(chain.transaction(chain.transfer("alice", "bob", 5), signers=signers))


@pytest.mark.parametrize("signer", NAMES)
def test_who_has_signed_is_not_asked_again(
    backend: ChainBackend, client: Client, signer: str
) -> None:
    """C1 (core #200): of two of three one is missing; whichever signed, one other is enough."""
    body = a_transfer(backend, (signer,))
    wanted = client.call("get_required_signatures", body, [key(name) for name in NAMES])
    assert len(wanted) == 1
    assert wanted[0] in {key(name) for name in NAMES if name != signer}
    for other in NAMES:
        alone = client.call("get_required_signatures", body, [key(other)])
        assert alone == ([] if other == signer else [key(other)])


def test_a_complete_transaction_needs_nobody(backend: ChainBackend, client: Client) -> None:
    """C1: [] when the signatures that are there suffice."""
    for pair in combinations(NAMES, 2):
        body = a_transfer(backend, pair)
        keys = [key(name) for name in (*NAMES, "alice")]
        assert client.call("get_required_signatures", body, keys) == []
        assert client.call("verify_authority", body) is True


def test_the_keys_that_are_asked_for_are_as_few_as_can_be(
    backend: ChainBackend, client: Client
) -> None:
    """C1: with them, and with none of them less, the transaction is accepted."""
    for signers in ((), ("one",), ("bob",)):
        body = a_transfer(backend, signers)
        keys = [key(name) for name in (*NAMES, "bob", "alice")]
        wanted = client.call("get_required_signatures", body, keys)
        assert len(wanted) in (1, 2)
        assert key("bob") not in wanted
        assert len(wanted) == 1 or key("alice") not in wanted


def test_what_does_not_suffice_still_helps(backend: ChainBackend, client: Client) -> None:
    """C1: of keys that do not reach the threshold those that count; of strangers none."""
    body = a_transfer(backend, ())
    assert client.call("get_required_signatures", body, [key("one"), key("carol")]) == [key("one")]
    assert client.call("get_required_signatures", body, [key("carol")]) == []


@pytest.mark.parametrize("form", range(5))
def test_keys_that_stand_in_authorities_as_addresses(form: int) -> None:
    """A11: of bob, and of alice whose authority names bob; in every form of an address."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    backend.produce()
    client = Client(backend)
    old = key_of("old")
    address = addresses_of(old)[form]
    bob = chain.state.account_named("bob")
    chain.state.accounts.edit(bob).active = Authority(1, address_auths=((address, 1),))
    alice = chain.state.account_named("alice")
    chain.state.accounts.edit(alice).active = Authority(1, ((AccountId(bob.id), 1),))
    backend.api = type(backend.api)(backend)
    client = Client(backend)
    for sender in (alice.id, bob.id):
        transfer = Transfer(NO_FEE, sender, chain.account("carol"), chain.amount(5))
        body = transaction_json(chain.transaction(transfer, signers=[]))
        potential = client.call("get_potential_address_signatures", body)
        assert potential == [address_text(address, "TEST")]
        assert key("bob") in client.call("get_potential_signatures", body)
        assert client.call("get_required_signatures", body, [key("old")]) == [key("old")]
        signed = transaction_json(chain.transaction(transfer, signers=["old"]))
        assert client.call("get_required_signatures", signed, [key("old"), key("bob")]) == []
    references = client.call("get_key_references", [key("old"), key("bob")])
    assert references[0] == [str(chain.state.accounts.object_id(bob.id))]
    assert client.call("is_public_key_registered", key("old")) is True
