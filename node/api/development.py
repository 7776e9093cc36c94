"""What the API needs of a node whose chain is for development; only such a node has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from protocol.errors import PegboardError
from protocol.json_form import JsonValue
from protocol.operations.base import Operation
from protocol.schema import BlockId, Digest, Record, TransactionId


class Place(Record):
    """A block to come back to: a snapshot by its number, or a branch by its name."""

    name: int | str
    block_num: int
    block_id: BlockId


class WentBack(Record):
    """What going back did, or will have done."""

    popped: int
    """Blocks that were taken back."""
    is_replaying: bool = False
    """The node starts again from its stores, which takes as long as they are far from there."""


class Development(Protocol):
    """Time and state of a development chain. Refusals are `PegboardError`s."""

    def snapshot(self, number: int | None) -> Place:
        """Remember this moment, under the next number unless one is given."""

    def snapshots(self) -> Sequence[Place]:
        """The moments that can be come back to, oldest first."""

    def drop_snapshot(self, number: int) -> None:
        """Need one no more."""

    def revert(self, number: int | None) -> WentBack:
        """Come back to a snapshot, the newest without a number."""

    def rewind(self, block_num: int) -> WentBack:
        """Make a block the head again."""

    def name_branch(self, name: str) -> Place:
        """Name the head."""

    def branches(self) -> Sequence[Place]:
        """The named blocks."""

    def drop_branch(self, name: str) -> None:
        """Forget a name."""

    def switch(self, name: str) -> WentBack:
        """Come back to a named block, on whichever future it lies."""

    @property
    def clock_offset_ms(self) -> int:
        """How far the clock was moved from the machine's."""

    def set_clock_offset(self, offset_ms: int) -> None:
        """Move the clock; no block is made."""

    def catch_up(self) -> None:
        """Let the clock show the head's time if it is behind."""

    def pause(self, by: str) -> None:
        """Make no blocks and have no peers for a while, or until the same resumes."""

    def resume(self, by: str) -> None:
        """Go on."""

    def next_slot_s(self) -> int | None:
        """When the next slot begins that this node has a key for, if any soon."""

    @property
    def can_go_together(self) -> bool:
        """Whether the command that started all members can take them through time."""

    def go_together(
        self, verb: str, argument: JsonValue, done: Callable[[JsonValue | PegboardError], None]
    ) -> None:
        """Have it do so, by "mine", "travel" or "rewind"; told once it is done, or refused."""

    @property
    def genesis_hash(self) -> Digest:
        """SHA256 of the text of the genesis."""

    @property
    def members(self) -> Sequence[str]:
        """URLs of the APIs of all processes of this network, this one's among them; none if it is
        alone."""

    def push(self, operations: Sequence[Operation]) -> TransactionId:
        """Broadcast operations in a transaction that nobody signs."""
