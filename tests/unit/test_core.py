"""The node core: the order of its effects, what it refuses, and how it starts again."""

from __future__ import annotations

from random import Random

import pytest

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.finality import quorum_of
from node.core import inbox
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.effects import (
    RecoverKeys,
    Report,
    ReserveSlot,
    ReserveVote,
    StopNode,
    StoreBlocks,
)
from node.core.inbox import block_refusal, transaction_refusal
from node.core.own_blocks import INSTANT_LEAD_MS, NoSigningKey
from node.core.settings import CoreSettings
from node.p2p.config import PeerConfig
from node.p2p.effects import OpenConnection, PeerAddress, SendBytes
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from node.state.errors import (
    BlockTooOld,
    FutureBlock,
    InsufficientBalance,
    InvariantViolated,
    TooManyMissedBlocks,
    UnlinkableBlock,
    WrongMerkleRoot,
    WrongWitness,
)
from node.witness import voter
from node.witness.producer import Production, maybe_produce
from protocol.asset import NO_FEE
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import PrivateKey
from protocol.crypto.recovery import recover_keys
from protocol.errors import (
    DecodeError,
    KeyFormatError,
    PegboardError,
    PriceOverflow,
    ValidationError,
)
from protocol.genesis import FINALITY_VOTES
from protocol.genesis_form import Genesis
from protocol.operations.witness import WitnessUpdate
from protocol.p2p.transport import PlainTransport
from protocol.transaction import TransactionEnvelope
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, signed, transfer
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots
from tests.support.observers import QuietObserver
from tests.support.world import GENESIS_TIME, key_of, secret_of


class ToldPending(QuietObserver):
    """A `ChainObserver` that notes what became pending."""

    def __init__(self, told: list[object]) -> None:
        self.told = told

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        self.told.append(envelope.id)


@pytest.fixture
def genesis() -> Genesis:
    return make_genesis("alice", "bob")


def test_two_nodes_share_the_slots_and_agree(genesis: Genesis) -> None:
    """R8.5: each fills its own slots, and both have every block in their stores."""
    left = CoreNode(genesis, witness_names(3)[:2], name=1)
    right = CoreNode(genesis, witness_names(3)[2:], name=2)
    left.connect(right, START_MS)
    run([left, right], START_MS, 62)
    assert left.chain.head_num >= 12
    assert left.chain.head_id == right.chain.head_id
    assert left.blocks.head() == right.blocks.head() == (left.chain.head_num, left.chain.head_id)
    assert left.chain.state_hash() == right.chain.state_hash()


def test_a_fresh_node_takes_what_is_synced_in_its_order(genesis: Genesis) -> None:
    """T-N5: a block that follows one which waits to be judged is not judged before it."""
    old = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False), name=1)
    old.core.generate_blocks(10 * PeerLimits().sync_unjudged, START_MS)
    fresh = CoreNode(genesis, name=2)
    now_ms = old.chain.head_time * 1_000
    fresh.connect(old, now_ms)
    run([old, fresh], now_ms, 1)
    assert fresh.chain.head_id == old.chain.head_id
    told = [effect.name for effect in fresh.seen if isinstance(effect, Report)]
    assert "block_rejected" not in told


def test_large_blocks_are_handed_over_as_far_as_there_is_room(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-P6: while their keys are recovered, synced blocks wait elsewhere than in a full inbox."""
    monkeypatch.setattr(inbox, "WORKER_FROM_SIGNATURES", 1)
    old = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False), name=1)
    for amount in range(1, 13):
        old.core.broadcast(transfer(old.chain, amount), START_MS)
        (made,) = old.core.generate_blocks(1, START_MS)
    monkeypatch.setattr(inbox, "INBOX_BYTES_MAX", 4 * len(made.packed))
    fresh = CoreNode(genesis, name=2, limits=PeerLimits(sync_unjudged_bytes=3 * len(made.packed)))
    now_ms = old.chain.head_time * 1_000
    fresh.connect(old, now_ms)
    waiting = []
    while fresh.chain.head_num < old.chain.head_num:
        now_ms = run([old, fresh], now_ms, 1)
        asked = [effect for effect in fresh.seen if isinstance(effect, RecoverKeys)]
        told = [effect.name for effect in fresh.seen if isinstance(effect, Report)]
        assert "block_rejected" not in told
        waiting.append(len(fresh.core.inbox))
        for question in asked[sum(waiting[:-1]) :]:
            keys = recover_keys(question.questions)
            fresh.core.keys_recovered(question.token, keys, now_ms)
    assert waiting == [3, 3, 3, 3]
    assert fresh.chain.state_hash() == old.chain.state_hash()


def test_slot_and_block_are_kept_before_the_block_is_sent(genesis: Genesis) -> None:
    """T-W1, T-S1: nothing leaves before the slot is reserved and the block stored."""
    node = CoreNode(genesis, witness_names(3), name=1)
    other = CoreNode(genesis, name=2)
    node.connect(other, START_MS)
    run([node, other], START_MS, 1)
    node.seen.clear()
    run([node, other], START_MS + 4_000, 2)
    kinds = [type(effect) for effect in node.seen]
    first_store = kinds.index(StoreBlocks)
    assert kinds.index(ReserveSlot) < first_store
    announcement = [
        position
        for position, effect in enumerate(node.seen)
        if isinstance(effect, SendBytes) and position > kinds.index(ReserveSlot)
    ]
    assert announcement
    assert announcement[0] > first_store


def test_a_slot_is_not_signed_again_after_a_restart(genesis: Genesis) -> None:
    """T-W1: the record of the slot outlives the block that a crash has lost."""
    node = CoreNode(genesis, witness_names(3))
    run([node], START_MS + 5_000, 1)
    assert node.chain.head_num == 1
    again = CoreNode(
        genesis, witness_names(3), stores=(MemoryBlockStore(), node.guard, MemorySnapshots())
    )
    run([again], START_MS + 5_000, 1)
    assert again.chain.head_num == 0
    reports = [e for e in again.seen if isinstance(e, Report) and e.name == "not_producing"]
    assert reports[0].fields["reason"] == "already_signed"


def test_a_block_that_was_stored_before_its_slot_was_recorded_counts_as_signed(
    genesis: Genesis,
) -> None:
    """T-W1: no slot up to the head's is signed after a start, on whichever fork."""
    settings = CoreSettings(by_the_clock=False)
    maker = CoreNode(genesis, witness_names(3), settings)
    maker.core.generate_blocks(5, START_MS)
    maker.carry(START_MS)
    stores = (maker.blocks, MemorySigningGuard(), MemorySnapshots())
    again = CoreNode(genesis, witness_names(3), settings, stores=stores)
    assert again.chain.head_num == 5
    for back in range(5):
        decision = maybe_produce(
            CoreNode(genesis).chain,
            (again.chain.head_time - back * 5) * 1_000,
            again.core.own.secrets,
            last_signed=again.core.own.last_signed,
        )
        assert not isinstance(decision, Production)


def test_a_restarted_witness_waits_for_peers_before_it_goes_on_from_an_old_head(
    genesis: Genesis,
) -> None:
    settings = CoreSettings(enable_stale=True, start_grace_ms=3_000)
    node = CoreNode(genesis, witness_names(3), settings)
    run([node], START_MS + 59_000, 3)
    assert node.chain.head_num == 0
    run([node], START_MS + 62_000, 8)
    assert node.chain.head_num >= 1


def test_a_witness_with_an_old_head_does_not_produce_unless_told_to(genesis: Genesis) -> None:
    """R8.4: without `enable_stale` an old head means that the node is not in step."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(start_grace_ms=0))
    run([node], START_MS + 60_000, 20)
    assert node.chain.head_num == 0


def test_a_restart_goes_on_from_snapshot_and_blocks(genesis: Genesis) -> None:
    """T-S1: the same state, from the newest irreversible snapshot and the blocks above it."""
    settings = CoreSettings(enable_stale=True, start_grace_ms=0, snapshot_interval=4)
    node = CoreNode(genesis, witness_names(3), settings)
    now_ms = run([node], START_MS, 71)
    stores = (node.blocks, node.guard, node.snapshots)
    again = CoreNode(genesis, witness_names(3), settings, stores=stores)
    assert again.chain.head_id == node.chain.head_id
    assert again.chain.state_hash() == node.chain.state_hash()
    assert 0 < again.started.replayed < node.chain.head_num
    run([again], now_ms, 10)
    assert again.chain.head_num > node.chain.head_num


def test_a_snapshot_of_another_fork_is_passed_over(genesis: Genesis) -> None:
    node = CoreNode(genesis, witness_names(3))
    run([node], START_MS, 41)
    stores = (node.blocks, node.guard, MemorySnapshots())
    stores[2].save(3, node.chain.head_id, b"\xc0")
    again = CoreNode(genesis, stores=stores)
    assert again.chain.head_id == node.chain.head_id
    assert again.started.replayed == node.chain.head_num
    assert any("main chain" in str(reason) for reason in again.started.skipped_snapshots)


def test_a_transaction_travels_and_is_included(genesis: Genesis) -> None:
    left = CoreNode(genesis, witness_names(3), name=1)
    right = CoreNode(genesis, name=2)
    left.connect(right, START_MS)
    now_ms = run([left, right], START_MS, 12)
    envelope = transfer(right.chain, 7)
    before = right.chain.state.balance_of(right.chain.state.account_named("bob").id, CORE_ASSET)
    right.core.broadcast(envelope, now_ms)
    run([left, right], now_ms, 12)
    bob = left.chain.state.account_named("bob").id
    assert left.chain.state.balance_of(bob, CORE_ASSET) == before + 7
    assert right.chain.pending_transaction(envelope.id) is None
    assert right.chain.has_transaction(envelope.id)


def test_a_transaction_that_came_while_there_was_no_peer_is_offered_to_the_next(
    genesis: Genesis,
) -> None:
    """T-P7: it waits here, as when a pause has ended all connections; the first is told of it."""
    witness, alone = CoreNode(genesis, witness_names(3), name=1), CoreNode(genesis, name=2)
    alone.core.broadcast(envelope := transfer(alone.chain, 7), START_MS)
    now_ms = run([alone], START_MS, 1)
    alone.connect(witness, now_ms)
    run([witness, alone], now_ms, 12)
    assert alone.chain.pending_transaction(envelope.id) is None
    assert witness.chain.has_transaction(envelope.id)


def test_a_refused_transaction_is_refused_in_the_call(genesis: Genesis) -> None:
    node = CoreNode(genesis, witness_names(3))
    now_ms = run([node], START_MS, 12)
    with pytest.raises(InsufficientBalance):
        node.core.broadcast(transfer(node.chain, 10**14), now_ms)
    assert len(node.chain.pending) == 0


def test_an_instant_node_makes_a_block_for_each_transaction(genesis: Genesis) -> None:
    settings = CoreSettings(instant=True, by_the_clock=False)
    node = CoreNode(genesis, witness_names(3), settings)
    node.core.generate_blocks(1, START_MS)
    node.core.broadcast(transfer(node.chain, 7), START_MS)
    assert node.chain.head_num == 2
    assert len(node.chain.pending) == 0


@pytest.mark.parametrize("instant", [True, False])
@pytest.mark.parametrize("lost", [1, 7])
def test_a_record_of_slots_ahead_of_the_chain_leaves_slots_out(
    genesis: Genesis, lost: int, *, instant: bool
) -> None:
    """C4, T-W1: a crash lost blocks whose slots are signed; later slots are free, and are taken."""
    settings = CoreSettings(instant=instant, by_the_clock=False)
    node = CoreNode(genesis, witness_names(3), settings)
    node.core.generate_blocks(1 + lost, START_MS)
    node.carry(START_MS)
    signed_s = node.guard.load()
    kept = MemoryBlockStore()
    ((block_id, num, data),) = node.blocks.blocks_from(1, 1)
    kept.append([(block_id, num, data)], block_id, [block_id])
    again = CoreNode(
        genesis, witness_names(3), settings, stores=(kept, node.guard, MemorySnapshots())
    )
    if instant:
        again.core.broadcast(transfer(again.chain, 7), START_MS)
    else:
        again.core.generate_blocks(1, START_MS)
    again.carry(START_MS)
    assert again.blocks.head() == (2, again.chain.head_id)
    assert again.chain.head_time > min(signed_s.values())
    again.core.generate_blocks(20, START_MS)
    again.carry(START_MS)
    assert again.blocks.head() == (22, again.chain.head_id)


def test_instant_blocks_stay_near_the_clock(genesis: Genesis) -> None:
    """C14, T-D1: any number of transactions in a row; none expires by the blocks of the others."""
    settings = CoreSettings(instant=True, by_the_clock=False)
    node = CoreNode(genesis, witness_names(3), settings)
    now_ms = START_MS
    node.core.make_first_block(now_ms)
    for serial in range(300):
        envelope = transfer(node.chain, serial + 1, expiration=now_ms // 1_000 + 30)
        node.core.broadcast(envelope, now_ms)
        assert node.chain.head_time * 1_000 <= now_ms + INSTANT_LEAD_MS
        now_ms += 100
        node.core.tick(now_ms)
    early = node.chain.head_num
    run([node], now_ms, 10)
    assert not node.chain.pending
    assert early <= 1 + (300 * 100 + INSTANT_LEAD_MS) // 5_000
    assert node.chain.state.balance_of(node.chain.state.account_named("bob").id, CORE_ASSET) > 0
    dropped = [e for e in node.seen if isinstance(e, Report) and e.name == "transaction_dropped"]
    assert dropped == []


def test_an_instant_block_is_in_the_present_slot(genesis: Genesis) -> None:
    """C14, T-D1: chain time follows the clock through an idle hour; no first transaction waits."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(instant=True, by_the_clock=False))
    for wait_ms in (0, 1_000, 3_600_000, 100):
        now_ms = max(START_MS, node.chain.head_time * 1_000) + wait_ms
        before = node.chain.head_num
        node.core.broadcast(transfer(node.chain, 7 + wait_ms), now_ms)
        assert node.chain.head_num == before + 1
        assert abs(node.chain.head_time * 1_000 - now_ms) <= 5_000


def test_time_that_was_skipped_on_purpose_holds_nothing_up(genesis: Genesis) -> None:
    """C14, T-D1: after time travel an instant chain goes on at once, in its new time."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(instant=True, by_the_clock=False))
    month_s = 30 * 86_400
    node.core.generate_blocks(1, START_MS, earliest_s=GENESIS_TIME + month_s)
    for serial in range(3):
        node.core.broadcast(transfer(node.chain, 1 + serial), START_MS)
    assert node.chain.head_num == 4
    node.core.broadcast(transfer(node.chain, 9), START_MS + 60_000)
    assert node.chain.head_num == 5
    assert abs(node.chain.head_time - (GENESIS_TIME + month_s + 60)) <= 15


def test_an_instant_node_without_keys_takes_nothing(genesis: Genesis) -> None:
    """C18, T-D2: refused by name, and then neither pending nor announced nor told."""
    node = CoreNode(genesis, settings=CoreSettings(instant=True, by_the_clock=False))
    told: list[object] = []
    node.core.observe(ToldPending(told))
    with pytest.raises(NoSigningKey):
        node.core.broadcast(transfer(node.chain, 7), START_MS)
    assert len(node.chain.pending) == 0
    assert told == node.core.take_effects() == []


def test_an_instant_block_that_is_refused_leaves_no_transaction(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C18, T-D2: whatever keeps the block from being made; what was pending before stays."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(instant=True, by_the_clock=False))
    node.core.generate_blocks(1, START_MS)
    node.core.take_effects()
    waiting = transfer(node.chain, 3)
    node.chain.push_transaction(waiting)
    told: list[object] = []
    node.core.observe(ToldPending(told))

    def refuse(*_: object, **__: object) -> None:
        raise TooManyMissedBlocks("too far above the last irreversible block", rule="R8.9")

    monkeypatch.setattr(Chain, "push_block", refuse)
    with pytest.raises(TooManyMissedBlocks):
        node.core.broadcast(transfer(node.chain, 7), START_MS)
    assert [entry.envelope.id for entry in node.chain.pending] == [waiting.id]
    assert told == []
    kinds = {type(effect) for effect in node.core.take_effects()}
    assert kinds <= {ReserveSlot}


def change_signing_keys(node: CoreNode) -> None:
    """Let keys that nobody has be pending for all witnesses."""
    for witness in node.chain.state.witnesses.in_order():
        name = node.chain.state.accounts.get(witness.witness_account).name
        op = WitnessUpdate(
            NO_FEE, witness.id, witness.witness_account, new_signing_key=key_of("stranger")
        )
        node.chain.push_transaction(signed(node.chain, op, name))


def test_blocks_that_end_midway_are_counted(genesis: Genesis) -> None:
    """C18, T-D2: a demand that was met in part says how far."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    node.core.generate_blocks(1, START_MS)
    change_signing_keys(node)
    with pytest.raises(NoSigningKey, match="1 blocks were made before"):
        node.core.generate_blocks(5, START_MS)
    assert node.chain.head_num == 2
    node.carry(START_MS)
    assert node.blocks.head() == (2, node.chain.head_id)
    assert node.core.durability.is_complete


@pytest.mark.parametrize("by_the_clock", [True, False])
def test_a_pending_change_of_keys_does_not_stop_the_chain(
    genesis: Genesis, *, by_the_clock: bool
) -> None:
    """C18, T-D2: the block that carries the change is signed with the key before it."""
    settings = CoreSettings(by_the_clock=by_the_clock, enable_stale=True, start_grace_ms=0)
    node = CoreNode(genesis, witness_names(3), settings)
    node.core.generate_blocks(1, START_MS)
    change_signing_keys(node)
    if by_the_clock:
        run([node], START_MS + 6_000, 6)
    else:
        node.core.generate_blocks(1, START_MS)
    assert node.chain.head_num == 2
    assert len(node.chain.pending) == 0
    new_keys = {item.signing_key for item in node.chain.state.witnesses.in_order()}
    assert new_keys == {key_of("stranger")}


def test_generated_blocks_run_ahead_of_the_clock(genesis: Genesis) -> None:
    """Development node: blocks at the next slots, whatever the clock says."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    made = node.core.generate_blocks(10, START_MS)
    assert [block.num for block in made] == list(range(1, 11))
    assert node.chain.head_time == GENESIS_TIME + 50


@pytest.mark.parametrize("names", [3, 2])
def test_of_blocks_demanded_in_a_row_only_some_are_voted_for(
    names: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F5: by who needs nobody else for it; and all but the last two are irreversible at the end."""
    monkeypatch.setattr(voter, "PASSED_OVER_MAX", 100)
    genesis = make_genesis("alice", finality=FINALITY_VOTES)
    node = CoreNode(genesis, witness_names(names), CoreSettings(by_the_clock=False))
    undoable = []
    for made in range(0, 250, 10):
        node.core.generate_blocks(10, START_MS, made=made, to_come=240 - made)
        undoable.append(node.chain.head_num - node.chain.last_irreversible_num)
    node.carry(START_MS)
    voted = {effect.target_num for effect in node.seen if isinstance(effect, ReserveVote)}
    if names < quorum_of(3):
        assert voted == set(range(1, 250)), "each, and the parents of the late ones"
        return
    assert voted == {100, 101, 200, 201, 248, 249, 250}
    assert max(undoable) == 100
    assert undoable[-1] == 2


def test_a_demand_that_ends_early_puts_nothing_off() -> None:
    """F5: who has all keys votes for heads, however much can be taken back, so that two blocks
    later the last but two is irreversible again."""
    genesis = make_genesis("alice", finality=FINALITY_VOTES)
    node = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    node.core.generate_blocks(50, START_MS, to_come=1_000)
    assert node.chain.last_irreversible_num == 0
    for _ in range(3):
        node.core.generate_blocks(1, START_MS)
    assert node.chain.last_irreversible_num == 51


def test_blocks_demanded_at_once_are_one_move() -> None:
    """T-S1: they are stored together before all else, and what was told of each rests on that."""
    genesis = make_genesis("alice", finality=FINALITY_VOTES)
    node = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    told = []

    class Listener(QuietObserver):
        def block_applied(self, block: AppliedBlock) -> None:
            move = node.core.durability.made
            told.append((block.envelope.num, node.chain.head_num, move))

    node.core.observe(Listener())
    made = node.core.generate_blocks(5, START_MS)
    assert told == [(num, num, 1) for num in range(1, 6)]
    first, *others = node.core.take_effects()
    assert isinstance(first, StoreBlocks)
    ids = tuple(block.id for block in made)
    assert tuple(block_id for block_id, _, _ in first.blocks) == first.main_chain == ids
    assert (first.head, first.irreversible_num, first.serial) == (ids[-1], 3, 1)
    assert not any(isinstance(effect, StoreBlocks) for effect in others)
    assert sum(isinstance(effect, ReserveSlot) for effect in others) == 5
    [line] = [one for one in others if isinstance(one, Report) and one.name == "block"]
    assert (line.fields["num"], line.fields["blocks"]) == (5, 5)


def test_a_block_is_generated_at_a_time_or_after_it(genesis: Genesis) -> None:
    """R8.4: no slot before the time; the first one from it on whose witness key is here."""
    node = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    node.core.generate_blocks(1, START_MS)
    wanted = node.chain.slot_time(700)
    for early_s, num in ((2, 2), (0, 3)):
        (block,) = node.core.generate_blocks(1, START_MS, earliest_s=wanted - early_s)
        assert (block.num, block.header.timestamp) == (num, wanted)
        wanted = node.chain.slot_time(20_000)
    lonely = CoreNode(genesis, witness_names(1), CoreSettings(by_the_clock=False))
    wanted = GENESIS_TIME + 3_600
    (block,) = lonely.core.generate_blocks(1, START_MS, earliest_s=wanted)
    assert wanted <= block.header.timestamp <= wanted + 3 * 5
    assert (
        lonely.chain.state.witnesses.get(block.header.witness).signing_key
        in lonely.core.own.secrets
    )


def test_blocks_need_a_key_of_a_scheduled_witness(genesis: Genesis) -> None:
    node = CoreNode(genesis)
    with pytest.raises(NoSigningKey):
        node.core.generate_blocks(1, START_MS)
    stranger = PrivateKey(b"\x07" * 32)
    with pytest.raises(NoSigningKey):
        node.core.generate_blocks(1, START_MS, stranger)
    assert node.core.generate_blocks(1, START_MS, secret_of("init0 block"))


def test_a_block_from_the_future_is_refused_for_now(genesis: Genesis) -> None:
    """T-W3: a node whose clock is an hour ahead does not drag the others along."""
    ahead = CoreNode(genesis, witness_names(3), name=1)
    node = CoreNode(genesis, name=2)
    ahead.connect(node, START_MS)
    ahead.core.generate_blocks(720, START_MS)
    for _ in range(20):
        ahead.core.tick(START_MS)
        node.core.tick(START_MS)
        ahead.carry(START_MS)
        node.carry(START_MS)
    assert node.chain.head_num <= 1


@pytest.mark.usefixtures("interpreted")
def test_a_broken_invariant_stops_the_node(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 10: exit code 70, and the block is not kept."""
    node = CoreNode(genesis, witness_names(3))

    def violate(*_: object) -> None:
        raise InvariantViolated("supply of asset 1.3.0", rule="I1", value=2, limit=1)

    monkeypatch.setattr("node.chain.chain.check_block", violate)
    with pytest.raises(InvariantViolated):
        node.core.generate_blocks(1, START_MS)
    effects = node.core.take_effects()
    stop = [effect for effect in effects if isinstance(effect, StopNode)]
    assert stop[0].exit_code == 70
    assert "I1" in stop[0].reason
    assert not [effect for effect in effects if isinstance(effect, StoreBlocks)]
    assert node.chain.head_num == 0


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (UnlinkableBlock("x"), BlockRefusal.UNLINKABLE),
        (WrongMerkleRoot("x"), BlockRefusal.CORRUPT),
        (DecodeError("x"), BlockRefusal.CORRUPT),
        (ValidationError("x"), BlockRefusal.CORRUPT),
        (FutureBlock("x"), BlockRefusal.NOT_NOW),
        (BlockTooOld("x"), BlockRefusal.NOT_NOW),
        (WrongWitness("x"), BlockRefusal.INVALID),
    ],
)
def test_what_a_refused_block_says_of_its_sender(
    error: PegboardError, refusal: BlockRefusal
) -> None:
    assert block_refusal(error) is refusal


def test_seeds_are_dialled(genesis: Genesis) -> None:
    chain = Chain(genesis)
    reader = ChainReader(chain, MemoryBlockStore())
    config = PeerConfig(b"\1" * 32, "test", seeds=(PeerAddress("127.0.0.1", 4711),))
    core = NodeCore(
        chain, PeerManager(reader, config, Random(1), make_transport=PlainTransport), CoreSettings()
    )
    core.tick(START_MS)
    assert OpenConnection(PeerAddress("127.0.0.1", 4711)) in core.take_effects()


def test_a_node_in_step_produces_after_others_missed_their_slots(genesis: Genesis) -> None:
    """R8.5: one of three is absent; a missed slot before one's own is no lack of sync."""
    node = CoreNode(genesis, witness_names(3)[2:], CoreSettings())
    run([node], START_MS - 5_000, 40)
    assert node.chain.head_num >= 1
    assert node.chain.state.dynamic.current_witness == 3


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (DecodeError("x"), TransactionRefusal.INVALID),
        (KeyFormatError("x"), TransactionRefusal.INVALID),
        (InsufficientBalance("x"), TransactionRefusal.REFUSED),
        (PriceOverflow("x"), TransactionRefusal.REFUSED),
    ],
)
def test_what_a_refused_transaction_says_of_its_sender(
    error: PegboardError, refusal: TransactionRefusal
) -> None:
    """T-P4: only what is wrong in every state is held against the peer."""
    assert transaction_refusal(error) is refusal


def test_a_bug_met_by_a_peers_transaction_refuses_it_and_nothing_more(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-R4: the node lives on, and says so in its log."""
    left = CoreNode(genesis, witness_names(3), name=1)
    right = CoreNode(genesis, name=2)
    left.connect(right, START_MS)
    now_ms = run([left, right], START_MS, 12)

    def fail(*_: object) -> None:
        raise AssertionError("impossible")

    right.core.broadcast(transfer(right.chain, 7), now_ms)
    monkeypatch.setattr(left.chain.__class__, "push_transaction", fail)
    right.carry(now_ms)
    for tick in range(5):
        right.core.tick(now_ms + 100 * tick)
        right.carry(now_ms + 100 * tick)
        left.core.tick(now_ms + 100 * tick)
        left.carry(now_ms + 100 * tick)
    assert [e for e in left.seen if isinstance(e, Report) and e.name == "transaction_bug"]


@pytest.mark.usefixtures("interpreted")
def test_a_bug_met_by_a_block_stops_the_node(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-R4: whoever produces or receives it ends with code 70 and keeps nothing of it."""
    node = CoreNode(genesis, witness_names(3))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr("node.chain.chain.apply_block", fail)
    node.core.tick(START_MS + 5_000)
    stop = [effect for effect in node.core.take_effects() if isinstance(effect, StopNode)]
    assert stop[0].exit_code == 70
    assert node.chain.head_num == 0
