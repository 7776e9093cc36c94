"""What a block must satisfy, and what its boundary does (R8.1-R8.9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.chain.apply_block import apply_block
from node.state.errors import (
    BlockRejected,
    BlockTooLarge,
    InvalidTransactionInBlock,
    TooManyMissedBlocks,
    WrongMerkleRoot,
    WrongTimestamp,
    WrongWitness,
    WrongWitnessSignature,
)
from protocol.asset import AssetAmount
from protocol.binary import pack
from protocol.block import BlockEnvelope, BlockHeader, SignedBlock
from protocol.constants import MAX_UNDO_HISTORY
from protocol.ids import WitnessId
from protocol.schema import Ripemd160, Signature
from tests.support.blocks import signed_block
from tests.support.chain import TestChain
from tests.support.world import secret_of


def resigned(chain: TestChain, block: SignedBlock, **changes: object) -> BlockEnvelope:
    """The block with another header, signed again by the witness that the header names."""
    header = BlockHeader(
        block.previous,
        block.timestamp,
        block.witness,
        block.transaction_merkle_root,
        block.extensions,
    )
    header = replace(header, **changes)
    secret = chain.witness_secret(header.witness)
    return signed_block(header, block.transactions, secret)


def expect_refused(
    chain: TestChain, envelope: BlockEnvelope, error: type[BlockRejected]
) -> BlockRejected:
    """The reason of a refusal that leaves no trace."""
    before, head = chain.chain.state_hash(), chain.chain.head_id
    with pytest.raises(error) as refusal:
        chain.chain.push_block(envelope)
    assert chain.chain.state_hash() == before
    assert chain.chain.head_id == head
    assert not chain.chain.has_block(envelope.id)
    return refusal.value


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", "bob")
    chain.block(chain.transfer("alice", "bob", 1))
    return chain


def test_a_block_moves_the_head(chain: TestChain) -> None:
    """R8.3: number, id, time, witness and slot of the head."""
    applied = chain.block()
    dynamic, header = chain.state.dynamic, applied.envelope.header
    assert (dynamic.head_block_number, dynamic.head_block_id) == (2, applied.envelope.id)
    assert (dynamic.time, dynamic.current_witness) == (header.timestamp, header.witness)
    assert dynamic.current_aslot == 2
    witness = chain.state.witnesses.get(header.witness)
    assert (witness.last_aslot, witness.last_confirmed_block_num) == (2, 2)


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (WrongMerkleRoot, lambda block: {"transaction_merkle_root": Ripemd160(bytes(20))}),
        (WrongTimestamp, lambda block: {"timestamp": block.timestamp - 5}),
        (WrongTimestamp, lambda block: {"timestamp": block.timestamp + 1}),
        (WrongWitness, lambda block: {"witness": WitnessId(block.witness % 3 + 1)}),
        (WrongWitness, lambda block: {"timestamp": block.timestamp + 5}),
    ],
)
def test_a_wrong_header_is_refused(
    chain: TestChain,
    error: type[BlockRejected],
    changes: Callable[[SignedBlock], dict[str, object]],
) -> None:
    """R8.1: Merkle root, slot and witness; each refusal leaves no trace."""
    chain.push(chain.transfer("alice", "bob", 2))
    block = chain.build().block
    expect_refused(chain, resigned(chain, block, **changes(block)), error)


def test_only_the_witness_key_signs(chain: TestChain) -> None:
    """R8.1: a block signed by any other key is refused."""
    block = chain.build().block
    header = BlockHeader(
        block.previous, block.timestamp, block.witness, block.transaction_merkle_root
    )
    forged = signed_block(header, block.transactions, secret_of("alice"))
    expect_refused(chain, forged, WrongWitnessSignature)


def test_a_signature_of_no_key_is_refused(chain: TestChain) -> None:
    """R8.1: a signature from which no key can be recovered."""
    block = chain.build().block
    broken = replace(block, witness_signature=Signature(b"\x1f" + bytes(64)))
    expect_refused(chain, BlockEnvelope.from_bytes(pack(broken)), WrongWitnessSignature)


def test_a_block_above_the_limit_is_refused(chain: TestChain) -> None:
    """R8.1: the size limit of the chain parameters, exactly."""
    for _ in range(60):
        chain.push(chain.transfer("alice", "bob", 1))
    envelope = chain.build()
    size = len(envelope.packed)
    chain.set_parameters(maximum_block_size=size - 1)
    error = expect_refused(chain, envelope, BlockTooLarge)
    assert (error.value, error.limit) == (size, size - 1)
    chain.set_parameters(maximum_block_size=size)
    assert len(chain.chain.push_block(envelope).applied) == 1


def test_a_failing_transaction_fails_the_block(chain: TestChain) -> None:
    """R8.1: all transactions apply or the block leaves no trace."""
    chain.push(chain.transfer("alice", "bob", 10))
    chain.push(chain.transfer("bob", "alice", 10))
    block = chain.build().block
    processed = (block.transactions[0], block.transactions[0])
    twice = replace(block, transactions=processed)
    envelope = BlockEnvelope.from_bytes(pack(twice))
    root = envelope.merkle_root()
    envelope = resigned(chain, twice, transaction_merkle_root=root)
    error = expect_refused(chain, envelope, InvalidTransactionInBlock)
    assert "duplicate_transaction" in str(error)


def test_a_block_must_state_the_true_results(chain: TestChain) -> None:
    """R8.1: the Merkle root covers the results, so a witness cannot make them up."""
    chain.push(chain.transfer("alice", "bob", 10))
    block = chain.build().block
    lie = replace(block.transactions[0], operation_results=(AssetAmount(1, chain.asset("TEST")),))
    lying = replace(block, transactions=(lie,))
    root = BlockEnvelope.from_bytes(pack(lying)).merkle_root()
    error = expect_refused(
        chain, resigned(chain, lying, transaction_merkle_root=root), InvalidTransactionInBlock
    )
    assert "other results" in str(error)


def test_operations_see_the_parents_time(chain: TestChain) -> None:
    """R8.2: a feed of a block is stamped with the parent's time, whatever the slot."""
    parent_time = chain.chain.head_time
    chain.block(*chain.feed("USD", 1, 2), slot=3)
    bitasset = chain.state.bitasset_of(chain.asset("USD"))
    assert bitasset is not None
    assert [published for _, (published, _) in bitasset.feeds] == [parent_time]
    assert chain.chain.head_time == parent_time + 15


def test_transactions_are_numbered_and_the_boundary_comes_after(chain: TestChain) -> None:
    """B7: records carry the place of their transaction; the boundary's come behind all."""
    applied = chain.block(chain.transfer("alice", "bob", 1), chain.transfer("bob", "alice", 1))
    places = [(entry.trx_in_block, entry.op_in_trx) for entry in applied.operations]
    assert places == [(0, 0), (1, 0)]


def test_a_chain_that_never_confirms_stops(chain: TestChain) -> None:
    """R8.9: the head stays less than 10,000 blocks above the last irreversible one."""
    chain.jump_to(MAX_UNDO_HISTORY + 1, 3)
    assert chain.block().envelope.num == MAX_UNDO_HISTORY + 2
    chain.jump_to(MAX_UNDO_HISTORY + 1, 2)
    envelope = chain.build()
    error = expect_refused(chain, envelope, TooManyMissedBlocks)
    assert (error.value, error.limit) == (MAX_UNDO_HISTORY, MAX_UNDO_HISTORY - 1)


def test_a_known_block_changes_nothing(chain: TestChain) -> None:
    """R9.2: pushing a block twice is no error and no news."""
    applied = chain.block()
    before = chain.chain.state_hash()
    result = chain.chain.push_block(applied.envelope)
    assert (result.applied, result.popped, result.dropped) == ([], [], [])
    assert chain.chain.state_hash() == before


def test_trusted_blocks_skip_signatures(chain: TestChain) -> None:
    """A block of this node's own store is applied without recovering a key."""
    chain.push(chain.transfer("alice", "bob", 3))
    block = chain.build().block
    unsigned = replace(
        block,
        witness_signature=Signature(bytes(65)),
        transactions=tuple(replace(tx, signatures=()) for tx in block.transactions),
    )
    root = BlockEnvelope.from_bytes(pack(unsigned)).merkle_root()
    envelope = BlockEnvelope.from_bytes(pack(replace(unsigned, transaction_merkle_root=root)))
    with pytest.raises(WrongWitnessSignature):
        chain.chain.push_block(envelope)
    assert len(chain.chain.push_block(envelope, trusted=True).applied) == 1


def test_pops_give_back_the_state(chain: TestChain) -> None:
    """I14, I18: undoing blocks and applying them again gives the same states."""
    hashes, blocks = [chain.chain.state_hash()], []
    for amount in range(1, 5):
        blocks.append(chain.block(chain.transfer("alice", "bob", amount)))
        hashes.append(chain.chain.state_hash())
    state = chain.state
    with chain.chain.head_state():
        for applied, expected in zip(reversed(blocks), reversed(hashes[:-1]), strict=True):
            state.log.revert(applied.revision)
            assert state.state_hash() == expected
        for block, expected in zip(blocks, hashes[1:], strict=True):
            apply_block(state, block.envelope, chain.chain.chain_id)
            assert state.state_hash() == expected


def test_a_true_header_with_another_body_does_not_keep_the_true_block_out() -> None:
    """R8.1, T-P6: the id is the header's; what claims it must carry the header's transactions."""
    chain = TestChain("alice", "bob")
    chain.push(chain.transfer("alice", "bob", 5))
    true = chain.build()
    block = true.block
    forged = BlockEnvelope.from_bytes(pack(replace(block, transactions=())))
    assert forged.id == true.id
    with pytest.raises(WrongMerkleRoot):
        chain.chain.push_block(forged)
    assert not chain.chain.has_block(true.id)
    assert chain.receive(true).applied
