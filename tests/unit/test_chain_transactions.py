"""What a transaction must satisfy, and the pool that it waits in (R9.2-R9.4)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.errors import (
    DuplicateTransaction,
    ExpirationTooFar,
    InsufficientBalance,
    InvalidReferenceBlock,
    IrrelevantSignature,
    MissingActiveAuthority,
    PoolFull,
    TransactionExpired,
    TransactionRejected,
    TransactionTooLarge,
)
from protocol.constants import TAPOS_WINDOW
from protocol.errors import ValidationError
from protocol.ids import BlockSummaryId
from protocol.operations.custom import Custom
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block
from tests.support.chain import TestChain


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", "bob")
    chain.blocks(3)
    return chain


def expect_refused(
    chain: TestChain, envelope: TransactionEnvelope, error: type[TransactionRejected]
) -> TransactionRejected:
    """The reason of a refusal that leaves no trace (T-E2)."""
    before = chain.state.state_hash()
    with pytest.raises(error) as refusal:
        chain.chain.push_transaction(envelope)
    assert chain.state.state_hash() == before
    assert chain.chain.pending_transaction(envelope.id) is None
    return refusal.value


def test_pending_effects_show_at_once(chain: TestChain) -> None:
    """R9.1: reads between blocks see pending transactions; the head state does not."""
    chain.push(chain.transfer("alice", "bob", 7))
    alice, core = chain.account("alice"), chain.asset("TEST")
    assert chain.balance("bob") == 10**10 + 7
    with chain.chain.head_state() as state:
        assert state.balance_of(alice, core) == 10**10
    assert chain.balance("bob") == 10**10 + 7


def test_a_transaction_needs_an_operation(chain: TestChain) -> None:
    """R9.3: at least one operation."""
    envelope = chain.transaction(signers=["alice"])
    with pytest.raises(ValidationError):
        chain.chain.push_transaction(envelope)


def test_operations_apply_together_or_not_at_all(chain: TestChain) -> None:
    """R9.3: the first operation leaves no trace when the second one fails."""
    chain.expect(
        InsufficientBalance,
        chain.transfer("alice", "bob", 5),
        chain.transfer("alice", "bob", 10**12),
    )


def test_a_transaction_applies_once_pending_and_in_blocks(chain: TestChain) -> None:
    """R9.3: no second time, neither while it waits nor after it was included (T-C2)."""
    envelope = chain.transaction(chain.transfer("alice", "bob", 1))
    chain.chain.push_transaction(envelope)
    refused_again = pytest.raises(DuplicateTransaction)
    with refused_again:
        chain.chain.push_transaction(envelope)
    chain.block()
    expect_refused(chain, envelope, DuplicateTransaction)


def test_other_signatures_do_not_make_another_transaction(chain: TestChain) -> None:
    """R9.7: the id leaves signatures out, so a re-signed transaction is the same (T-C3)."""
    operation = chain.transfer("alice", "bob", 1)
    envelope = chain.transaction(operation)
    chain.block(envelope)
    transaction = envelope.transaction
    stripped = TransactionEnvelope.from_transaction(
        SignedTransaction(
            transaction.ref_block_num,
            transaction.ref_block_prefix,
            transaction.expiration,
            transaction.operations,
        )
    )
    assert stripped.id == envelope.id
    expect_refused(chain, stripped, DuplicateTransaction)


def test_the_dedupe_entry_lives_until_after_the_expiration(chain: TestChain) -> None:
    """R8.3, R9.3: remembered while the head is not past the expiration; one block more is."""
    expiration = chain.chain.head_time + 10
    envelope = chain.transaction(chain.transfer("alice", "bob", 1), expiration=expiration)
    chain.block(envelope)
    chain.block()
    assert chain.chain.head_time == expiration
    assert chain.chain.has_transaction(envelope.id)
    expect_refused(chain, envelope, DuplicateTransaction)
    chain.block()
    assert not chain.chain.has_transaction(envelope.id)
    expect_refused(chain, envelope, TransactionExpired)


def test_the_dedupe_entry_does_not_outlive_the_expiration(chain: TestChain) -> None:
    """R9.3: a second past the expiration the entry is gone (I14)."""
    envelope = chain.transaction(
        chain.transfer("alice", "bob", 1), expiration=chain.chain.head_time + 9
    )
    chain.block(envelope)
    assert chain.chain.has_transaction(envelope.id)
    chain.block()
    assert not chain.chain.has_transaction(envelope.id)


@pytest.mark.parametrize(("after_head", "error"), [(-1, TransactionExpired), (0, None)])
def test_the_earliest_expiration(
    chain: TestChain, after_head: int, error: type[TransactionRejected] | None
) -> None:
    """R9.3: the head's own time is early enough, a second before is not."""
    expiration = chain.chain.head_time + after_head
    envelope = chain.transaction(chain.transfer("alice", "bob", 1), expiration=expiration)
    if error is None:
        chain.chain.push_transaction(envelope)
    else:
        found = expect_refused(chain, envelope, error)
        assert (found.value, found.limit) == (expiration, chain.chain.head_time)


@pytest.mark.parametrize(("beyond", "error"), [(0, None), (1, ExpirationTooFar)])
def test_the_latest_expiration(
    chain: TestChain, beyond: int, error: type[TransactionRejected] | None
) -> None:
    """R9.3: maximum_time_until_expiration, exactly."""
    latest = chain.chain.head_time + chain.state.parameters.maximum_time_until_expiration
    envelope = chain.transaction(chain.transfer("alice", "bob", 1), expiration=latest + beyond)
    if error is None:
        chain.chain.push_transaction(envelope)
    else:
        assert expect_refused(chain, envelope, error).limit == latest


def test_a_transaction_refers_to_a_block_of_this_chain(chain: TestChain) -> None:
    """R9.3, T-C1: TaPoS; the id of any block of the window will do, another one will not."""
    operation = chain.transfer("alice", "bob", 1)
    first = chain.chain.id_at(1) or chain.state.block_summaries.get(BlockSummaryId(1)).block_id
    chain.chain.push_transaction(chain.transaction(operation, reference=reference_block(first)))
    number, prefix = reference_block(first)
    wrong = chain.transaction(operation, reference=(number, prefix ^ 1))
    assert expect_refused(chain, wrong, InvalidReferenceBlock).limit == prefix
    missing = chain.transaction(operation, reference=(number + 40_000, prefix))
    assert expect_refused(chain, missing, InvalidReferenceBlock).limit is None


def test_the_window_of_references_wraps_around(chain: TestChain) -> None:
    """R9.3: block n + 65,536 takes the place of block n, and not before."""
    operation = chain.transfer("alice", "bob", 1)
    old = chain.state.block_summaries.get(BlockSummaryId(3)).block_id
    chain.jump_to(TAPOS_WINDOW + 2, TAPOS_WINDOW + 1)
    chain.chain.push_transaction(chain.transaction(operation, reference=reference_block(old)))
    chain.block()
    assert chain.chain.head_num == TAPOS_WINDOW + 3
    expect_refused(
        chain, chain.transaction(operation, reference=reference_block(old)), InvalidReferenceBlock
    )


def test_the_size_limit(chain: TestChain) -> None:
    """R9.3: maximum_transaction_size, exactly, signatures included."""
    limit = chain.state.parameters.maximum_transaction_size
    empty = Custom(chain.amount(1), chain.account("alice"), (), 1, b"")
    overhead = chain.transaction(replace(empty, data=bytes(1500))).size - 1500
    fitting = chain.transaction(replace(empty, data=bytes(limit - overhead)))
    assert fitting.size == limit
    chain.chain.push_transaction(fitting)
    larger = chain.transaction(replace(empty, data=bytes(limit - overhead + 1)))
    assert expect_refused(chain, larger, TransactionTooLarge).value == limit + 1


def test_signatures_are_needed_and_none_too_many(chain: TestChain) -> None:
    """R9.5: a missing and a needless signature."""
    operation = chain.transfer("alice", "bob", 1)
    expect_refused(chain, chain.transaction(operation, signers=[]), MissingActiveAuthority)
    expect_refused(chain, chain.transaction(operation, signers=["bob"]), MissingActiveAuthority)
    expect_refused(
        chain, chain.transaction(operation, signers=["alice", "bob"]), IrrelevantSignature
    )


def test_a_signature_for_another_chain_is_worthless(chain: TestChain) -> None:
    """T-C1: the chain id is part of what is signed."""
    other = TestChain("alice", "bob", core=5)
    other.blocks(3)
    foreign = other.transaction(
        other.transfer("alice", "bob", 1), reference=reference_block(chain.chain.head_id)
    )
    expect_refused(chain, foreign, MissingActiveAuthority)


def test_simulation_leaves_no_trace(chain: TestChain) -> None:
    """A what-if gives results or the refusal, and changes nothing."""
    before = chain.state.state_hash()
    envelope = chain.transaction(chain.transfer("alice", "bob", 1))
    assert len(chain.chain.simulate(envelope).operations) == 1
    unsigned = chain.transaction(chain.transfer("alice", "bob", 1), signers=[])
    with pytest.raises(MissingActiveAuthority):
        chain.chain.simulate(unsigned)
    chain.chain.simulate(unsigned, check_signatures=False)
    assert chain.state.state_hash() == before
    assert not chain.chain.has_transaction(envelope.id)


def test_a_new_head_drops_what_became_invalid(chain: TestChain) -> None:
    """R9.2: pending transactions are tried again; the invalid ones go, with their reason."""
    twin = chain.twin()
    twin.follow(chain)
    doomed = chain.transaction(chain.transfer("alice", "bob", 10**10))
    chain.chain.push_transaction(doomed)
    shared = chain.transaction(chain.transfer("bob", "alice", 1))
    chain.chain.push_transaction(shared)
    envelope = twin.block(twin.transfer("alice", "bob", 2), shared).envelope
    result = chain.chain.push_block(envelope)
    assert [(key, type(reason)) for key, reason in result.dropped] == [
        (doomed.id, InsufficientBalance)
    ]
    assert len(chain.chain.pending) == 0


def test_an_expired_transaction_leaves_the_pool(chain: TestChain) -> None:
    """R9.3: a pending transaction that no block took in time is dropped."""
    twin = chain.twin()
    twin.follow(chain)
    envelope = chain.transaction(
        chain.transfer("alice", "bob", 1), expiration=chain.chain.head_time + 4
    )
    chain.chain.push_transaction(envelope)
    result = chain.chain.push_block(twin.block().envelope)
    assert [type(reason) for _, reason in result.dropped] == [TransactionExpired]


def test_a_block_takes_the_oldest_that_fit(chain: TestChain) -> None:
    """R9.4: what does not fit waits for the next block, in order."""
    envelopes = [chain.transaction(chain.transfer("alice", "bob", n)) for n in range(1, 80)]
    for envelope in envelopes:
        chain.chain.push_transaction(envelope)
    chain.set_parameters(maximum_block_size=5120)
    first, second = chain.block(), chain.block()
    taken = [tx.id for block in (first, second) for tx, _ in block.envelope.transactions]
    assert len(first.envelope.packed) <= 5120
    assert len(first.envelope.transactions) == (5120 - 256) // (envelopes[-1].size + 2)
    assert taken == [envelope.id for envelope in envelopes]


def test_the_pool_has_a_number_and_a_size(chain: TestChain) -> None:
    """Both caps of the pool, exactly; a full pool takes again after a block."""
    pool = chain.chain.pending
    pool.transactions_max = 2
    for amount in (1, 2):
        chain.push(chain.transfer("alice", "bob", amount))
    expect_refused(chain, chain.transaction(chain.transfer("alice", "bob", 3)), PoolFull)
    chain.block()
    chain.push(chain.transfer("alice", "bob", 3))
    chain.block()

    envelope = chain.transaction(chain.transfer("alice", "bob", 4))
    pool.bytes_max = envelope.size - 1
    expect_refused(chain, envelope, PoolFull)
    pool.bytes_max = envelope.size
    chain.chain.push_transaction(envelope)


def test_keys_of_pending_transactions_are_not_recovered_again(
    chain: TestChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block's transactions that were pending here, byte for byte, bring their keys along."""
    chain.push(chain.transfer("alice", "bob", 1))
    envelope = chain.build()
    envelope.signing_key()
    monkeypatch.setattr("protocol.transaction.recover_key", None)
    assert len(chain.chain.push_block(envelope).applied) == 1
