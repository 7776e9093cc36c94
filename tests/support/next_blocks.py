"""Blocks that are tried on a chain and taken back: what every state must be able to live with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from node.chain.apply_block import apply_block
from node.chain.block_builder import build_block
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.chain.witness_schedule import scheduled_witness, slot_at, slot_time
from protocol.block import BlockEnvelope
from protocol.crypto.signatures import sign_digest
from protocol.schema import Digest
from tests.support.chain import TestChain


def empty_block(node: TestChain, slot: int) -> BlockEnvelope:
    """A signed block without transactions on the state as it is, in a slot after its head."""
    state = node.state
    witness = scheduled_witness(state, slot)
    return build_block(
        state.dynamic.head_block_id,
        slot_time(state, slot),
        witness,
        (),
        state.parameters.maximum_block_size,
        partial(sign_digest, node.witness_secret(witness)),
    )


def maintenance_slot(node: TestChain) -> int:
    """The first slot that brings a maintenance."""
    state = node.state
    return slot_at(state, state.dynamic.next_maintenance_time - 1) + 1


def try_next_blocks(node: TestChain) -> None:
    """An empty block and a maintenance block apply to the head, each alone, and leave nothing
    behind (T-E1, T-E2)."""
    with node.chain.head_state() as state:
        before = state.state_hash()
        for slot in (1, maintenance_slot(node)):
            applied = apply_block(state, empty_block(node, slot), node.chain.chain_id)
            check_all(state)
            check_block(state, applied.revision)
            state.log.revert(applied.revision)
            assert state.state_hash() == before, f"a block in slot {slot} is not undone"


def undo_blocks(node: TestChain, slots: Iterator[int]) -> Digest:
    """Apply a block of what is pending, and empty ones in some slots, and take all of them back
    (T-E2); the state hash after the first one."""
    envelope = BlockEnvelope.from_bytes(node.build().packed)
    with node.chain.head_state() as state:
        before = state.state_hash()
        revisions = [apply_block(state, envelope, node.chain.chain_id).revision]
        after_first = state.state_hash()
        for slot in slots:
            block = empty_block(node, slot)
            revisions.append(apply_block(state, block, node.chain.chain_id).revision)
        for revision in reversed(revisions):
            state.log.revert(revision)
        assert state.state_hash() == before, f"{len(revisions)} blocks are not undone"
    return after_first
