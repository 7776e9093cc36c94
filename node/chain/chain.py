"""The chain: blocks and transactions go in, the state of the best fork comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from node.chain.apply_block import AppliedBlock, apply_block, check_merkle_root
from node.chain.block_builder import build_block
from node.chain.finality import id_of, justified_num
from node.chain.fork_database import ForkDatabase, ForkItem
from node.chain.genesis import build_state
from node.chain.header_rules import HeaderRules, HeaderVerdict, signer_of
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.chain.pending import NOTHING_READY, AppliedTransaction, Ready
from node.chain.pending_session import Beneath, Dropped, PendingSession
from node.chain.undo_marks import HeldBlock, HeldBlocks, Mark, NotUndoable, Rewound
from node.chain.witness_schedule import NextSlots, participation
from node.state.cut import StateCut
from node.state.database import State
from node.state.errors import WrongChain
from node.state.undo import Revision
from protocol.block import BlockEnvelope, HeaderEnvelope, Sign, SignedBlockHeader
from protocol.finality import Certificate
from protocol.genesis import chain_id as chain_id_of
from protocol.genesis_form import Genesis
from protocol.ids import WitnessId
from protocol.msgpack_form import Plain
from protocol.operations.balance import NULL_KEY
from protocol.schema import BlockId, Digest, PublicKey, TransactionId
from protocol.transaction import TransactionEnvelope

__all__ = ["AppliedBlock", "AppliedTransaction", "Chain", "Dropped", "PushResult"]


class PushResult(NamedTuple):
    """What pushing a block did to the main chain; all empty when it only grew a fork."""

    applied: list[AppliedBlock]
    """Oldest first."""
    popped: list[BlockEnvelope]
    """Newest first."""
    dropped: list[Dropped]
    """Pending transactions that the new head makes invalid, with the reason."""


class Chain:
    """One chain: its state at the head with pending transactions on top, and its recent forks.

    Between calls the state shows the pending transactions' effects. No call leaves a trace when
    it raises.
    """

    __slots__ = (
        "_checkpoint",
        "_forks",
        "_head",
        "_held",
        "_main",
        "_session",
        "chain_id",
        "genesis",
        "paranoid",
        "pending",
        "state",
    )

    def __init__(
        self,
        genesis: Genesis,
        *,
        chain_id: Digest | None = None,
        paranoid: bool = False,
        checkpoint: BlockId | None = None,
        state: State | None = None,
    ) -> None:
        """A chain without blocks. Raises `ValidationError` for an impossible genesis.

        A paranoid chain recounts all invariants after each block. A checkpoint is the block that
        operators take for irreversible (F9). For a `state` of its own see `continue_from`.
        """
        self.chain_id = chain_id_of(genesis) if chain_id is None else chain_id
        self.genesis = genesis
        self.paranoid = paranoid
        self.state = build_state(genesis, self.chain_id) if state is None else state
        self._checkpoint = checkpoint
        dynamic = self.state.dynamic
        self._forks = ForkDatabase(
            dynamic.head_block_id, dynamic.head_block_number, justified_num(self.state), checkpoint
        )
        self._head = self._forks.root
        self._head.is_main = True
        self._head.rules = HeaderRules.after(self.state)
        self._main: dict[int, AppliedBlock] = {}
        self._held = HeldBlocks()
        if paranoid:
            check_all(self.state)
        self._session = PendingSession(self.state, self.chain_id, is_whole=paranoid)
        self.pending = self._session.pool

    @classmethod
    def restore(
        cls,
        genesis: Genesis,
        snapshot: Plain,
        *,
        chain_id: Digest | None = None,
        paranoid: bool = False,
        checkpoint: BlockId | None = None,
    ) -> Chain:
        """The chain at the head of a snapshot, below which nothing can be undone any more.

        Raises `DecodeError`, or `WrongChain` for a snapshot of another chain.
        """
        return cls.continue_from(
            genesis,
            State.restore(snapshot),
            chain_id=chain_id,
            paranoid=paranoid,
            checkpoint=checkpoint,
        )

    @classmethod
    def continue_from(
        cls,
        genesis: Genesis,
        state: State,
        *,
        chain_id: Digest | None = None,
        paranoid: bool = False,
        checkpoint: BlockId | None = None,
    ) -> Chain:
        """The chain whose head made a state; raises `WrongChain` if it is another chain's."""
        found = state.chain.chain_id
        expected = chain_id_of(genesis) if chain_id is None else chain_id
        if found != expected:
            raise WrongChain("snapshot of another chain", value=found.hex(), limit=expected.hex())
        return cls(genesis, chain_id=found, paranoid=paranoid, checkpoint=checkpoint, state=state)

    # The head.

    @property
    def checkpoint(self) -> BlockId | None:
        """The block that operators take for irreversible (F9)."""
        return self._checkpoint

    @property
    def head_num(self) -> int:
        """Number of the head block; 0 when there is none."""
        return self._head.num

    @property
    def first_num(self) -> int:
        """Number of the first block of its own: 1, unless it goes on from another chain's state."""
        point = self.genesis.pegboard.fork
        return 1 if point is None else point.block_num + 1

    @property
    def has_begun(self) -> bool:
        """Whether there is a block of its own."""
        return self.head_num >= self.first_num

    @property
    def head_id(self) -> BlockId:
        """Id of the head block; 20 zeros when there is none."""
        return self._head.id

    @property
    def head_time(self) -> int:
        """Time of the head block, or of the genesis, in seconds."""
        return self.state.dynamic.time

    @property
    def last_irreversible_num(self) -> int:
        """Number of the last irreversible block; it never goes back, whatever fork wins (I14)."""
        return self._forks.root.num

    @property
    def next_slots(self) -> NextSlots:
        """The slots after the head."""
        rules = self._head.rules
        assert rules is not None, "the head is applied"
        return rules.slots

    def slot_time(self, slot: int) -> int:
        """Time in seconds of a slot after the head; slot 1 is the next one (R8.4)."""
        return self.next_slots.time_of(slot)

    def slot_at(self, time_s: int) -> int:
        """The slot that holds a time; 0 before the next slot begins (R8.4)."""
        return self.next_slots.at(time_s)

    def scheduled_witness(self, slot: int) -> WitnessId:
        """Whose turn a slot after the head is (R8.5)."""
        return self.next_slots.witness_of(slot)

    def signing_key(self, witness: WitnessId) -> PublicKey | None:
        """The key of a witness for the next block: the head's, whatever pending ones change (T-D2).

        None for a witness that the head does not know.
        """
        return self._session.signing_key(witness)

    def participation(self) -> int:
        """Share of the last 128 slots that have a block, over 10,000 (R8.5)."""
        return participation(self.state)

    # Known blocks and transactions.

    def has_block(self, block_id: BlockId) -> bool:
        """Whether the block is irreversible head or linked above it, on any fork."""
        return self._forks.find(block_id) is not None

    def block_envelope(self, block_id: BlockId) -> BlockEnvelope | None:
        """A block above the last irreversible one that is or was on the main chain.

        Older ones are in the store; what was never applied is passed on to nobody (T-P6).
        """
        item = self._forks.find(block_id)
        return None if item is None or item.rules is None else item.envelope

    def id_at(self, num: int) -> BlockId | None:
        """Id of the main chain's block of a number, from the last irreversible one upwards."""
        if num == self._forks.root.num:
            return self._forks.root.id
        found = self._main.get(num)
        return None if found is None else found.envelope.id

    @property
    def irreversible_time(self) -> int | None:
        """Time of the last irreversible block in seconds; None until it moves after a restart."""
        if self._forks.root.num == 0:
            return self.genesis.initial_timestamp
        envelope = self._forks.root.envelope
        return None if envelope is None else envelope.header.timestamp

    def source_of(self, target: BlockId) -> BlockId | None:
        """What votes for a block of any fork have for their source (F5); None for unknown blocks.

        It is the highest justified block of the chain that ends with the target.
        """
        item = self._forks.find(target)
        if item is None:
            return None
        source = item.ancestor(item.justified_num)
        return id_of(self.state, item.justified_num) if source is None else source.id

    def ancestor_of(self, block_id: BlockId, num: int) -> BlockId | None:
        """Id of a block's ancestor, or of itself, by number; None for unknown ones."""
        item = self._forks.find(block_id)
        found = None if item is None else item.ancestor(num)
        if item is None or found is not None:
            return None if found is None else found.id
        below = self.state.block_summary(num)
        return None if below is None else below.block_id

    def header_of(self, block_id: BlockId) -> SignedBlockHeader | None:
        """The signed header of a block above the last irreversible one, also of a fork."""
        item = self._forks.find(block_id)
        return None if item is None or item.envelope is None else item.envelope.header

    def twin_of(self, block_id: BlockId) -> BlockId | None:
        """Another block that the same witness signed for the same slot (F11)."""
        return self._forks.twin_of(block_id)

    def has_transaction(self, transaction_id: TransactionId) -> bool:
        """Whether the transaction is pending, or in a block and not expired yet."""
        is_pending = self.pending.find(transaction_id) is not None
        return is_pending or self.state.transaction_by_id.find(transaction_id) is not None

    def pending_transaction(self, transaction_id: TransactionId) -> TransactionEnvelope | None:
        """A pending transaction by its id."""
        found = self.pending.find(transaction_id)
        return None if found is None else found.envelope

    def judge_header(
        self, front: HeaderEnvelope, size: int, queued: HeaderEnvelope | None = None
    ) -> HeaderVerdict:
        """Judge a new block of `size` bytes by its header alone, as far as can be known (T-P6).

        `queued` is the header of the parent if that is about to be pushed. Raises `BlockTooOld`,
        `UnlinkableBlock`, or another `BlockRejected` for a header that is wrong wherever its parent
        is known.
        """
        parent = None if queued is not None else self._forks.check(front)
        if parent is not None and parent.rules is not None:
            parent.rules.check(front, size)
            return HeaderVerdict.RIGHT
        before = queued if parent is None or parent.envelope is None else parent.envelope.front
        assert before is not None, "the root was applied"
        rules = self._head.rules
        assert rules is not None, "the head is applied"
        return rules.judge_elsewhere(front, before)

    def read_block(self, front: HeaderEnvelope, data: bytes) -> BlockEnvelope:
        """Read a block whose header was read before; what is pending is taken from the pool.

        Raises `DecodeError` or `ValidationError`, and `WrongMerkleRoot` for another body than the
        header's.
        """
        envelope = BlockEnvelope.read(front, data, self.pending.find_at)
        check_merkle_root(envelope)
        return envelope

    # Transactions.

    def push_transaction(self, envelope: TransactionEnvelope) -> AppliedTransaction:
        """Apply a transaction on top of the pending ones and keep it for a block (R9.3).

        Raises `TransactionRejected` (`PoolFull` among them) or `ProtocolError`.
        """
        return self._session.push(envelope)

    def withdraw_transaction(self, transaction_id: TransactionId) -> None:
        """Take a pending transaction back, as if it had never come; the others are applied anew."""
        self._session.withdraw(transaction_id)

    def simulate(
        self, envelope: TransactionEnvelope, *, check_signatures: bool = True
    ) -> AppliedTransaction:
        """What a transaction would do now; leaves no trace. Raises like `push_transaction`."""
        return self._session.attempt(envelope, keep=False, check_signatures=check_signatures)

    # Blocks.

    def build_block(
        self,
        witness: WitnessId,
        slot_time_s: int,
        sign: Sign,
        certificate: Certificate | None = None,
    ) -> BlockEnvelope:
        """A signed block of the pending transactions on top of the head, not pushed (R9.4).

        `sign` is called once, with the digest of the finished header.
        """
        return build_block(
            self._head.id,
            slot_time_s,
            witness,
            self.pending,
            self.state.parameters.maximum_block_size,
            sign,
            certificate,
        )

    def push_block(
        self,
        envelope: BlockEnvelope,
        *,
        trusted: bool = False,
        verdict: HeaderVerdict | None = None,
    ) -> PushResult:
        """Take a block in: extend the head, grow a fork, or switch to a better (R9.2, F6, T-V1).

        A block that is known already changes nothing. Raises `BlockRejected`, also for a block
        that makes a better fork and fails; then the old head is back. `InvariantViolated` means
        that the block, or this node, is broken; the block is not kept. With `trusted`, signatures
        are not looked at: for blocks that this node has checked and stored before. `verdict` is
        that of `judge_header` on a block that `read_block` has read.
        """
        result = PushResult([], [], [])
        if self.has_block(envelope.id):
            return result
        item = self._add_to_forks(envelope, verdict, trusted=trusted)
        if item.rank <= self._head.rank:
            return result
        if item.parent is self._head:
            beneath = self._apply_beneath(item, envelope, trusted=trusted)
            if beneath is not None:
                result.applied.append(beneath.block)
                dropped = self._session.push_again(beneath.taken_back, result.applied)
                result.dropped.extend(dropped)
                return result
        waiting = self._session.close()
        try:
            self._switch_to(item, result, trusted=trusted)
        except BaseException:
            self._session.reopen(waiting)
            raise
        if result.popped:
            self._held.cut(result.popped[-1].num - 1, self._forks.root.num)
        self.keep_irreversible(self.state.dynamic.last_irreversible_block_num)
        retried = [
            transaction
            for block in reversed(result.popped)
            for transaction, _ in block.transactions
        ]
        dropped = self._session.reopen([*retried, *waiting], result.applied)
        result.dropped.extend(dropped)
        return result

    def _add_to_forks(
        self, envelope: BlockEnvelope, verdict: HeaderVerdict | None, *, trusted: bool
    ) -> ForkItem:
        if verdict is None:
            check_merkle_root(envelope)
        if trusted:
            return self._forks.add(envelope, NULL_KEY)
        if verdict is not HeaderVerdict.RIGHT:
            verdict = self.judge_header(envelope.front, len(envelope.packed))
        return self._forks.add(envelope, signer_of(envelope.front), verdict)

    def _switch_to(self, target: ForkItem, result: PushResult, *, trusted: bool) -> None:
        """Pop to the common ancestor and apply the other branch; all or nothing (R9.2)."""
        pop, branch = self._forks.branches(self._head, target)
        for _ in pop:
            result.popped.append(self._pop_block())
        for item in branch:
            try:
                result.applied.append(self._apply(item, trusted=trusted))
            except BaseException:
                self._forks.remove(item)
                for _ in result.applied:
                    self._pop_block()
                for old in reversed(pop):
                    self._apply(old, trusted=True)
                raise

    def _apply_beneath(
        self, item: ForkItem, envelope: BlockEnvelope, *, trusted: bool
    ) -> Beneath | None:
        """Extend the head beneath what waits; None if all that waits has to be applied anew."""
        try:
            beneath = self._session.apply_beneath(envelope, partial(self._check, item, trusted))
        except BaseException:
            self._forks.remove(item)
            raise
        if beneath is not None:
            self._accept(item, beneath.block)
            self.keep_irreversible(self.state.dynamic.last_irreversible_block_num)
        return beneath

    def _apply(self, item: ForkItem, *, trusted: bool) -> AppliedBlock:
        """Apply a block on the head, check the invariants, make it the head."""
        return self._accept(item, self._check(item, trusted))

    def _check(self, item: ForkItem, trusted: bool, ready: Ready = NOTHING_READY) -> AppliedBlock:
        """Apply a block on the head and check the invariants; nothing stays that is refused."""
        envelope, parent = item.envelope, item.parent
        assert envelope is not None, "the root is applied already"
        assert parent is not None, "all blocks of the tree descend from its root"
        if not item.is_judged:
            assert parent.rules is not None, "a block is applied after its parent"
            parent.rules.check(envelope.front, len(envelope.packed), trusted=trusted)
            item.is_judged = True
        return apply_block(
            self.state,
            envelope,
            self.chain_id,
            trusted=trusted,
            checkpoint=self._checkpoint,
            ready=ready,
            check=partial(self._check_changes, item),
        )

    def _check_changes(self, item: ForkItem, revision: Revision) -> None:
        """Check the invariants after a block; raises `InvariantViolated`."""
        is_told = self.state.finality is None or item.justified_num == justified_num(self.state)
        assert is_told, "headers tell what is justified"
        check_block(self.state, revision)
        if self.paranoid:
            check_all(self.state)

    def _accept(self, item: ForkItem, applied: AppliedBlock) -> AppliedBlock:
        """Make an applied block the head."""
        self._main[item.num] = applied
        item.rules = item.rules or HeaderRules.after(self.state, self._head.rules)
        self._forks.move_to_main(item, is_main=True)
        self._head = item
        return applied

    def _pop_block(self) -> BlockEnvelope:
        """Take the head block back; no session may be open."""
        applied = self._main.pop(self._head.num)
        self.state.log.revert(applied.revision)
        assert self._head.parent is not None, "the last irreversible block stays"
        self._forks.move_to_main(self._head, is_main=False)
        self._head = self._head.parent
        return applied.envelope

    def keep_irreversible(self, num: int) -> None:
        """Take a block of the main chain as irreversible from now on (I14).

        The state of a fork that has won may know a lower one; what was said once stays said, also
        by a process that starts again.
        """
        if num <= self._forks.root.num:
            return
        root = self._forks.find(self._main[num].envelope.id)
        assert root is not None, "the main chain is in the fork database"
        gone = [self._main.pop(at) for at in range(self._forks.root.num + 1, num + 1)]
        left = [self._forks.root, *self._forks.branches(self._forks.root, root)[1][:-1]]
        self._forks.move_root(root)
        self._held.keep(map(HeldBlock, left, gone))

    # Going back on purpose.

    @property
    def lowest_undoable_num(self) -> int:
        """Number of the lowest block that can be the head again."""
        return self._held.lowest_num(self._forks.root.num)

    @property
    def marks(self) -> Collection[Mark]:
        """The marks that count, in their order."""
        return self._held.marks

    def mark(self) -> Mark:
        """Mark the head, to come back to it by `revert`; raises `TooManyMarks`.

        What becomes irreversible from now on is held, until the mark is released.
        """
        pending = tuple(entry.envelope for entry in self.pending)
        mark = Mark(self._head.num, self._head.id, self._forks.root.num, pending)
        self._held.add(mark)
        return mark

    def release(self, mark: Mark) -> None:
        """Hold no more for a mark; a second time it does no harm."""
        self._held.release(mark, self._forks.root.num)

    def revert(self, mark: Mark) -> Rewound:
        """Go back to a mark, which can be done again: head, pool and irreversibility are as then.

        Marks above it count no more. Raises `NotUndoable` for a mark that counts no more itself:
        it was released, or let go because too much was held, or its block was taken back, also by
        a better fork.
        """
        if mark not in self._held.marks:
            what = "the mark is gone: released, let go beyond this many changes, or taken back"
            raise NotUndoable(what, value=mark.num, limit=self._held.changes_max)
        return self._go_back(mark.num, mark.irreversible_num, mark.pending)

    def rewind(self, num: int) -> Rewound:
        """Make a block of the main chain the head again; nothing is pending then.

        Raises `NotUndoable` above the head, or below what can be undone.
        """
        if not self.lowest_undoable_num <= num <= self.head_num:
            limit = f"{self.lowest_undoable_num}..{self.head_num}"
            raise NotUndoable("a block that cannot be the head again", value=num, limit=limit)
        return self._go_back(num, self.lowest_undoable_num, ())

    def _go_back(
        self, num: int, least_root_num: int, pending: tuple[TransactionEnvelope, ...]
    ) -> Rewound:
        """Undo down to a block; what its state says is irreversible is so, `least_root_num` too."""
        unpended = Revision(list(self.state.log.records))
        waiting = self._session.close()
        held = self._held.held
        items = {one.parent.num: one.parent for one in held.values()}
        _, branch = self._forks.branches(self._forks.root, self._head)
        items.update((item.num, item) for item in (self._forks.root, *branch))
        main = {num: one.block for num, one in held.items()} | self._main
        popped = [main[at] for at in range(self.head_num, num, -1)]
        for applied in popped:
            self.state.log.revert(applied.revision)
        root_num = max(least_root_num, self.state.dynamic.last_irreversible_block_num)
        self._forks = ForkDatabase.of_branch(
            [items[at] for at in range(root_num, num + 1)], self._checkpoint
        )
        self._head = items[num]
        self._main = {at: main[at] for at in range(root_num + 1, num + 1)}
        self._held.cut(num, root_num)
        self._session.reopen(list(pending))
        kept = {entry.envelope.id for entry in self.pending}
        return Rewound(popped, unpended, [item.id for item in waiting if item.id not in kept])

    # The state of the head.

    @contextmanager
    def head_state(self) -> Iterator[State]:
        """The state as the head block left it, without pending transactions."""
        waiting = self._session.close()
        try:
            yield self.state
        finally:
            self._session.reopen(waiting)

    def state_hash(self) -> Digest:
        """SHA256 of the state at the head, the same in every process (I18, T-E5)."""
        with self.head_state() as state:
            return state.state_hash()

    def cut(self) -> StateCut:
        """The state at the head, to be read piece by piece while the chain moves on."""
        return StateCut(self.state)

    def dump(self) -> Plain:
        """The state at the head as plain lists, for a snapshot that `restore` reads."""
        with self.head_state() as state:
            return state.dump()
