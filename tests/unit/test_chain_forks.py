"""Fork switches: the longer branch wins, a failing one leaves no trace (R9.2)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.chain import Chain
from node.chain.fork_database import STRANGERS_MAX
from node.state.errors import (
    BlockTooOld,
    InvalidTransactionInBlock,
    UnlinkableBlock,
    WrongChain,
    WrongWitness,
    WrongWitnessSignature,
)
from protocol.asset import NO_FEE
from protocol.binary import pack
from protocol.block import BlockEnvelope, BlockHeader
from protocol.ids import WitnessId
from protocol.operations.vesting import CddVestingPolicy, VestingBalanceCreate
from tests.support.blocks import signed_block
from tests.support.chain import TestChain, make_genesis
from tests.support.world import secret_of
from tests.unit.test_maintenance_votes import maintain, votes_of, voting


def pair() -> tuple[TestChain, TestChain]:
    """Two nodes that share three blocks."""
    one = TestChain("alice", "bob", "carol", witnesses=7)
    one.blocks(3)
    other = one.twin()
    other.follow(one)
    assert one.chain.state_hash() == other.chain.state_hash()
    return one, other


def test_the_longer_branch_wins() -> None:
    """R9.2: at equal height the first seen stays; one block more switches."""
    one, other = pair()
    mine = one.block(one.transfer("alice", "bob", 5))
    theirs = [other.block(other.transfer("alice", "carol", 9), slot=2)]
    result = one.chain.push_block(theirs[0].envelope)
    assert (result.applied, result.popped) == ([], [])
    assert one.chain.head_id == mine.envelope.id
    assert one.chain.has_block(theirs[0].envelope.id)

    theirs.append(other.block())
    result = one.chain.push_block(theirs[1].envelope)
    assert [block.envelope.id for block in result.applied] == [b.envelope.id for b in theirs]
    assert result.popped == [mine.envelope]
    assert one.chain.state_hash() == other.chain.state_hash()
    assert one.balance("carol") == 10**10 + 9


def test_transactions_of_popped_blocks_are_tried_again() -> None:
    """R9.2: what only the lost branch held waits for the next block, if it still applies."""
    one, other = pair()
    shared = one.transaction(one.transfer("alice", "bob", 5))
    rich = one.transaction(one.transfer("bob", "carol", 10**10 + 3))
    one.block(shared, rich)
    spoiling = other.transaction(other.transfer("bob", "alice", 4))
    first = other.block(spoiling, slot=2)
    second = other.block()
    one.chain.push_block(first.envelope)
    result = one.chain.push_block(second.envelope)
    assert [entry.envelope.id for entry in one.chain.pending] == [shared.id]
    assert [key for key, _ in result.dropped] == [rich.id]
    other.chain.push_transaction(shared)
    assert one.state.state_hash() == other.state.state_hash()


def test_a_switch_and_back_gives_the_same_state() -> None:
    """I18: undo of created objects and their numbers, through two switches."""
    one, other = pair()
    create = VestingBalanceCreate(
        NO_FEE, one.account("alice"), one.account("bob"), one.amount(5), CddVestingPolicy(0, 60)
    )
    one.block(create)
    other.block(create, other.transfer("alice", "bob", 2), slot=2)
    other.block()
    one.follow(other)
    assert one.chain.state_hash() == other.chain.state_hash()
    with one.chain.head_state() as state:
        assert state.vesting_balances.next_id == 1


def test_a_failing_branch_is_removed_and_the_old_one_is_back() -> None:
    """R9.2: the bad block and what builds on it go; head, state and pool are as before."""
    one, other = pair()
    one.block(one.transfer("alice", "bob", 5))
    pending = one.transaction(one.transfer("bob", "carol", 7))
    one.chain.push_transaction(pending)
    good = other.block(slot=2).envelope
    other.push(other.transfer("alice", "carol", 1))
    block = other.build().block
    twice = (block.transactions[0], block.transactions[0])
    root = BlockEnvelope.from_bytes(pack(replace(block, transactions=twice))).merkle_root()
    header = BlockHeader(block.previous, block.timestamp, block.witness, root)
    bad = signed_block(header, twice, other.witness_secret(block.witness))

    head, before, full = one.chain.head_id, one.chain.state_hash(), one.state.state_hash()
    one.chain.push_block(good)
    with pytest.raises(InvalidTransactionInBlock):
        one.chain.push_block(bad)
    assert (one.chain.head_id, one.chain.state_hash()) == (head, before)
    assert one.state.state_hash() == full
    assert one.chain.has_block(good.id)
    assert not one.chain.has_block(bad.id)
    assert [entry.envelope.id for entry in one.chain.pending] == [pending.id]

    one.chain.push_block(other.block().envelope)
    assert one.chain.state_hash() == other.chain.state_hash()


def test_blocks_that_link_nowhere_are_refused() -> None:
    """R9.2: unlinkable blocks change nothing."""
    one, other = pair()
    other.block()
    ahead = other.block().envelope
    before = one.chain.state_hash()
    with pytest.raises(UnlinkableBlock):
        one.chain.push_block(ahead)
    assert one.chain.state_hash() == before


def test_no_fork_reaches_below_the_last_irreversible_block() -> None:
    """R8.9, I14: blocks at or below it are too old; it never goes back."""
    one, other = pair()
    late = other.block(slot=2).envelope
    for _ in range(12):
        one.block()
    last = one.chain.last_irreversible_num
    assert last > late.num
    with pytest.raises(BlockTooOld):
        one.chain.push_block(late)
    assert one.chain.id_at(last) is not None
    assert one.chain.id_at(last - 1) is None
    assert not one.chain.has_block(one.main[last - 1].id)
    assert one.chain.has_block(one.main[last].id)


def test_a_witness_that_signs_a_slot_three_times_strands_nobody() -> None:
    """T-W2: of three blocks of one slot each can win, whichever the others build upon."""
    one, other = pair()
    third = one.twin()
    third.follow(one)
    blocks = []
    for chain, amount in ((one, 1), (other, 2), (third, 3)):
        chain.push(chain.transfer("alice", "bob", amount))
        blocks.append(chain.build())
    for block in blocks:
        one.chain.push_block(block)
    assert one.chain.head_id == blocks[0].id
    third.chain.push_block(blocks[2])
    one.chain.push_block(third.block().envelope)
    assert one.chain.state_hash() == third.chain.state_hash()
    other.receive(blocks[1])
    for _ in range(2):
        other.block()
    one.follow(other)
    assert one.chain.state_hash() == other.chain.state_hash()


def elected(*numbers: int) -> TestChain:
    """Five of seven witnesses; alice has voted for some, and a maintenance block has counted it."""
    genesis = make_genesis("alice", "bob", witnesses=7)
    limits = replace(genesis.immutable_parameters, min_witness_count=5)
    found = TestChain(
        genesis=replace(genesis, initial_active_witnesses=5, immutable_parameters=limits)
    )
    found.blocks(3)
    votes = votes_of(found, *numbers)
    found.block(voting(found, "alice", votes, num_witness=len(votes)))
    maintain(found)
    return found


def test_each_fork_has_the_schedule_of_its_own_election() -> None:
    """T-W6, R8.6: witnesses elected on one fork sign there and nowhere else, whichever fork is
    the main chain when a header comes; a switch takes the schedule along, there and back."""
    one, other = elected(6, 7), elected(1, 2)
    theirs = [other.main[num] for num in (4, 5)]
    assert one.main[3].id == other.main[3].id
    assert {6, 7} < set(one.state.properties.active_witnesses)
    assert not {6, 7} & set(other.state.properties.active_witnesses)
    for block in theirs:
        one.receive(block)
    assert one.chain.head_id == one.main[5].id, "as long, and seen later"
    slot = next(slot for slot in range(1, 6) if one.chain.scheduled_witness(slot) == 6)
    header = BlockHeader(
        theirs[-1].id,
        other.chain.slot_time(slot),
        WitnessId(6),
        theirs[-1].header.transaction_merkle_root,
    )
    wrong = signed_block(header, (), secret_of("init5 block"))
    with pytest.raises(WrongWitness):
        other.chain.push_block(wrong)
    own = list(one.main.values())
    theirs.append(other.block().envelope)
    assert one.receive(theirs[-1]).popped
    assert one.chain.head_id == other.chain.head_id
    assert one.state.properties.active_witnesses == other.state.properties.active_witnesses
    for slot in range(1, 11):
        assert one.chain.scheduled_witness(slot) == other.chain.scheduled_witness(slot)
    with pytest.raises(WrongWitness):
        one.chain.push_block(wrong)
    back = elected(6, 7)
    assert back.main[5].id == own[-1].id
    back.blocks(2)
    one.follow(back)
    assert one.chain.head_id == back.chain.head_id
    assert one.chain.state_hash() == back.chain.state_hash()
    assert {6, 7} < set(one.state.properties.active_witnesses)


def test_strangers_do_not_fill_the_fork_database() -> None:
    """P2, T-P6: on a block that was applied, on whatever fork, no other key than the witness's."""
    one, other = pair()
    before = other.build(slot=2).block
    popped = one.block().envelope
    for _ in range(2):
        other.block(slot=2)
    header = BlockHeader(
        before.previous, before.timestamp, before.witness, before.transaction_merkle_root
    )
    one.follow(other)
    for previous in (before.previous, popped.id, other.chain.head_id):
        for number in range(STRANGERS_MAX):
            forged = signed_block(
                replace(header, previous=previous, timestamp=other.chain.slot_time(number + 1)),
                (),
                secret_of(f"stranger {number}"),
            )
            with pytest.raises((WrongWitnessSignature, WrongWitness)):
                one.chain.push_block(forged)
            assert not one.chain.has_block(forged.id)


def test_a_restored_chain_goes_on() -> None:
    """I18: from a dump of the head the same blocks lead to the same state, pending ones aside."""
    one, other = pair()
    one.push(one.transfer("alice", "bob", 1))
    restored = Chain.restore(one.genesis, one.chain.dump())
    assert restored.state_hash() == one.chain.state_hash()
    assert (restored.head_num, restored.head_id) == (one.chain.head_num, one.chain.head_id)
    assert restored.last_irreversible_num == restored.head_num
    for _ in range(3):
        applied = other.block(other.transfer("bob", "alice", 2))
        restored.push_block(BlockEnvelope.from_bytes(applied.envelope.packed))
    assert restored.state_hash() == other.chain.state_hash()
    with pytest.raises(BlockTooOld):
        restored.push_block(one.main[2])


def test_a_snapshot_of_another_chain_is_refused() -> None:
    """T-S5: the chain id in the snapshot decides."""
    one, _ = pair()
    other = TestChain("alice", core=5)
    with pytest.raises(WrongChain):
        Chain.restore(one.genesis, other.chain.dump())
