"""Time and state of a development chain, as the API asks for them, on a running node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from node.api.development import Place, WentBack
from node.api.errors import NotPossible
from node.chain.undo_marks import Rewound
from node.core.own_blocks import NoSigningKey
from node.core.time_travel import Branch, Snapshot
from node.presets import genesis_text
from node.services.node_inputs import NodeInputs
from node.services.parent import Parent
from node.state.errors import NotForDevelopment
from protocol.block import block_num_of
from protocol.crypto.hashes import sha256
from protocol.development import action_in
from protocol.errors import PegboardError
from protocol.genesis_form import Genesis
from protocol.json_form import JsonValue
from protocol.operations.base import Operation
from protocol.schema import Digest, TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block

LIFETIME_S = 60
"""Seconds from the head block until a transaction that nobody signs expires."""


class NodeDevelopment:
    """`node.api.development.Development` of a running node."""

    def __init__(
        self,
        inputs: NodeInputs,
        genesis: Genesis,
        members: Sequence[str] = (),
        start_at: Callable[[int, str | None], None] | None = None,
        parent: Parent | None = None,
    ) -> None:
        """`start_at` has the node start again with a block as its head, and paused by whoever has
        it paused; `parent` is the command that can take all members through time."""
        self._inputs = inputs
        self._start_at = start_at
        self._parent = parent
        self.members = members
        self._genesis = genesis
        self._serial = 0

    @cached_property
    def genesis_hash(self) -> Digest:
        """See `Development.genesis_hash`."""
        return sha256(genesis_text(self._genesis).encode())

    def snapshot(self, number: int | None) -> Place:
        """See `Development.snapshot`."""
        return _snapshot_place(self._inputs.go(lambda travel, now: travel.snapshot(now, number)))

    def snapshots(self) -> Sequence[Place]:
        """See `Development.snapshots`."""
        return [_snapshot_place(one) for one in self._inputs.travel.known_snapshots()]

    def drop_snapshot(self, number: int) -> None:
        """See `Development.drop_snapshot`."""
        self._inputs.travel.drop(number)

    def revert(self, number: int | None) -> WentBack:
        """See `Development.revert`."""
        return _went_back(self._inputs.go(lambda travel, now: travel.revert(number, now)))

    def rewind(self, block_num: int) -> WentBack:
        """See `Development.rewind`."""
        chain = self._inputs.core.chain
        if chain.first_num <= block_num < chain.lowest_undoable_num and self._start_at is not None:
            self._inputs.go(lambda travel, now: travel.check_may_go(now))
            travel = self._inputs.travel
            self._start_at(block_num, travel.paused_by if travel.core.is_paused else None)
            return WentBack(chain.head_num - block_num, is_replaying=True)
        return _went_back(self._inputs.go(lambda travel, now: travel.rewind(block_num, now)))

    def name_branch(self, name: str) -> Place:
        """See `Development.name_branch`."""
        return _branch_place(self._inputs.travel.name_branch(name))

    def branches(self) -> Sequence[Place]:
        """See `Development.branches`."""
        return [_branch_place(one) for one in self._inputs.travel.known_branches()]

    def drop_branch(self, name: str) -> None:
        """See `Development.drop_branch`."""
        self._inputs.travel.drop_branch(name)

    def switch(self, name: str) -> WentBack:
        """See `Development.switch`."""
        return _went_back(self._inputs.go(lambda travel, now: travel.switch(name, now)))

    @property
    def clock_offset_ms(self) -> int:
        """See `Development.clock_offset_ms`."""
        return self._inputs.travel.moved_ms

    def set_clock_offset(self, offset_ms: int) -> None:
        """See `Development.set_clock_offset`."""
        self._inputs.go(lambda travel, now: travel.set_clock_offset(offset_ms, now))

    def catch_up(self) -> None:
        """See `Development.catch_up`."""
        self._inputs.go(lambda travel, now: travel.catch_up(now))

    def pause(self, by: str) -> None:
        """See `Development.pause`."""
        self._inputs.go(lambda travel, now: travel.pause(now, by))

    def resume(self, by: str) -> None:
        """See `Development.resume`."""
        self._inputs.go(lambda travel, now: travel.resume(by))

    def next_slot_s(self) -> int | None:
        """See `Development.next_slot_s`."""
        try:
            return self._inputs.core.own.on_demand().slot_time_s
        except NoSigningKey:
            return None

    @property
    def can_go_together(self) -> bool:
        """See `Development.can_go_together`."""
        return bool(self.members) and self._parent is not None

    def go_together(
        self,
        verb: str,
        argument: JsonValue,
        done: Callable[[JsonValue | PegboardError], None],
    ) -> None:
        """See `Development.go_together`."""
        if not self.members or self._parent is None:
            raise NotPossible(
                "nobody here can take all processes of a network through time: "
                "`pegboard up` can, of those that it started"
            )
        self._parent.ask(verb, argument, done)

    def push(self, operations: Sequence[Operation]) -> TransactionId:
        """See `Development.push`; raises `NotForDevelopment`, and refusals."""
        chain = self._inputs.core.chain
        if chain.state.development is None:
            raise NotForDevelopment(
                "the genesis of this chain lets nobody change its state around the rules: set"
                " development in its pegboard section, or start it from a preset",
                rule="R9.10",
            )
        self._serial = (self._serial + 1) % LIFETIME_S
        transaction = SignedTransaction(
            *reference_block(chain.head_id),
            chain.head_time + LIFETIME_S + self._serial,
            tuple(operations),
        )
        envelope = TransactionEnvelope.from_transaction(transaction)
        self._inputs.broadcast(envelope)
        return envelope.id


def has_actions(envelope: TransactionEnvelope) -> bool:
    """Whether a transaction asks a development chain for more than its rules give."""
    return any(action_in(op) is not None for op in envelope.transaction.operations)


def _snapshot_place(found: Snapshot) -> Place:
    return Place(found.number, found.mark.num, found.mark.block_id)


def _branch_place(found: Branch) -> Place:
    return Place(found.name, block_num_of(found.head), found.head)


def _went_back(rewound: Rewound) -> WentBack:
    return WentBack(len(rewound.popped))
