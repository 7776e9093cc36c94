"""Whether it is this node's turn: every reason against, and the block for it (R8.5, T-W1)."""

from __future__ import annotations

import pytest

from node.witness.producer import Production, Refusal, is_synced, maybe_produce, next_production
from protocol.asset import NO_FEE
from protocol.crypto.keys import PrivateKey, public_key
from protocol.ids import WitnessId
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.schema import PublicKey
from tests.support.chain import TestChain
from tests.support.world import key_of, secret_of


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", "bob", witnesses=3)
    chain.blocks(4)
    return chain


def all_keys(*names: str) -> dict[PublicKey, PrivateKey]:
    chosen = names or ("init0", "init1", "init2")
    secrets = [secret_of(f"{name} block") for name in chosen]
    return {public_key(secret): secret for secret in secrets}


def refusal_name(decision: Production | Refusal) -> str:
    assert isinstance(decision, Refusal), decision
    return decision.name


def test_a_slot_of_ours_is_taken(chain: TestChain) -> None:
    """R8.5: the scheduled witness, its slot and its key; up to half a second late."""
    slot_time_s = chain.chain.slot_time(1)
    witness = chain.chain.scheduled_witness(1)
    expected = Production(witness, slot_time_s, public_key(chain.witness_secret(witness)))
    for late_ms in (0, 1, 500):
        now_ms = slot_time_s * 1000 + late_ms
        assert maybe_produce(chain.chain, now_ms, all_keys()) == expected


def test_a_late_tick_leaves_the_slot(chain: TestChain) -> None:
    """More than half a second late, a block would come too late to the next witness."""
    now_ms = chain.chain.slot_time(1) * 1000 + 501
    decision = maybe_produce(chain.chain, now_ms, all_keys(), stale_ok=True)
    assert refusal_name(decision) == "lag"


def test_before_the_slot_nothing_happens(chain: TestChain) -> None:
    """R8.4: no block for a slot that has not begun."""
    now_ms = chain.chain.slot_time(1) * 1000 - 1
    decision = maybe_produce(chain.chain, now_ms, all_keys())
    assert refusal_name(decision) == "not_time_yet"
    assert isinstance(decision, Refusal)
    assert not decision.worth_telling


def test_the_key_of_a_slot_is_the_heads(chain: TestChain) -> None:
    """T-D2: whatever waits may change a key or an address, make a witness, or be taken back."""
    owner = chain.account("init0")
    witness = next(one for one in chain.state.witnesses.in_order() if one.witness_account == owner)
    key, found = witness.signing_key, chain.chain.signing_key
    chain.push(WitnessUpdate(NO_FEE, witness.id, owner, new_url="another"))
    assert found(witness.id) == key
    chain.push(WitnessUpdate(NO_FEE, witness.id, owner, new_signing_key=key_of("another")))
    assert witness.signing_key == key_of("another")
    assert found(witness.id) == key
    chain.push(WitnessUpdate(NO_FEE, witness.id, owner, new_signing_key=key_of("a third")))
    assert found(witness.id) == key
    alice = chain.account("alice")
    chain.push(WitnessCreate(NO_FEE, alice, "", key_of("alice block")))
    new = max(one.id for one in chain.state.witnesses.in_order())
    assert chain.state.witnesses.get(new).witness_account == alice
    assert found(new) is None
    assert found(WitnessId(new + 1)) is None
    chain.blocks(1)
    assert found(witness.id) == key_of("a third")
    assert found(new) == key_of("alice block")


def test_another_witnesss_slot(chain: TestChain) -> None:
    """R8.5: without the key of the scheduled witness it is not our turn."""
    account = chain.state.witnesses.get(chain.chain.scheduled_witness(1)).witness_account
    name = chain.state.accounts.get(account).name
    others = [other for other in ("init0", "init1", "init2") if other != name]
    now_ms = chain.chain.slot_time(1) * 1000
    assert refusal_name(maybe_produce(chain.chain, now_ms, all_keys(*others))) == "not_my_turn"


def test_a_stale_head_is_not_built_upon(chain: TestChain) -> None:
    """A node that just started waits until its head is recent, unless told otherwise."""
    assert is_synced(chain.chain, chain.chain.slot_time(1) * 1000 + 500)
    now_ms = chain.chain.slot_time(3) * 1000
    assert not is_synced(chain.chain, now_ms)
    assert refusal_name(maybe_produce(chain.chain, now_ms, all_keys())) == "not_synced"
    decision = maybe_produce(chain.chain, now_ms, all_keys(), stale_ok=True)
    assert isinstance(decision, Production)
    assert decision.slot_time_s == chain.chain.slot_time(3)


def test_a_slot_is_never_signed_twice(chain: TestChain) -> None:
    """T-W1: nor an earlier one; the next slot of the witness is free."""
    slot_time_s = chain.chain.slot_time(1)
    witness = chain.chain.scheduled_witness(1)
    now_ms = slot_time_s * 1000
    for signed, name in ((slot_time_s, "already_signed"), (slot_time_s + 5, "already_signed")):
        decision = maybe_produce(chain.chain, now_ms, all_keys(), last_signed={witness: signed})
        assert refusal_name(decision) == name
    decision = maybe_produce(
        chain.chain, now_ms, all_keys(), last_signed={witness: slot_time_s - 5}
    )
    assert isinstance(decision, Production)


def test_a_minority_fork_is_not_extended(chain: TestChain) -> None:
    """T-W3: below 33 % of the recent slots; exactly the required share is enough."""
    chain.block(slot=65)
    now_ms = chain.chain.slot_time(1) * 1000
    for required, expected in ((50, None), (51, "low_participation")):
        decision = maybe_produce(chain.chain, now_ms, all_keys(), required_participation=required)
        assert (decision.name if isinstance(decision, Refusal) else None) == expected


def test_a_clock_that_stepped_back(chain: TestChain) -> None:
    """T-K1: a head from the future of this clock by more than a slot."""
    now_ms = (chain.chain.head_time - 6) * 1000
    assert refusal_name(maybe_produce(chain.chain, now_ms, all_keys())) == "clock_behind"
    now_ms = (chain.chain.head_time - 5) * 1000
    assert refusal_name(maybe_produce(chain.chain, now_ms, all_keys())) == "not_time_yet"


def test_slots_of_missing_keys_are_skipped(chain: TestChain) -> None:
    """Development: the next slot whose key is here, whatever the clock says; None without keys."""
    production = next_production(chain.chain, all_keys("init1"))
    assert production is not None
    assert production.witness == 2
    slot = chain.chain.slot_at(production.slot_time_s)
    assert chain.chain.scheduled_witness(slot) == 2
    assert all(chain.chain.scheduled_witness(earlier) != 2 for earlier in range(1, slot))
    assert next_production(chain.chain, {}) is None
