"""The tree of recent blocks above the last irreversible one (R8.9, R9.2)."""

from __future__ import annotations

from node.state.errors import BlockTooOld, TooManyForks, UnlinkableBlock
from protocol.block import BlockEnvelope
from protocol.ids import WitnessId, witness_text
from protocol.schema import BlockId, PublicKey

BLOCKS_PER_SLOT_MAX = 2
"""A witness that signs two blocks for a slot is caught by two; a third tells nothing new (T-W2)."""

STRANGERS_MAX = 64
"""Blocks kept though another key signed them than their witness has at our head.

They may be right on a fork where the witness changed its key; there are never many of those.
"""

SlotKey = tuple[WitnessId, int, PublicKey]


class ForkItem:
    """A block in the tree; `parent` is None for the root."""

    __slots__ = ("children", "envelope", "id", "is_strange", "num", "parent", "slot_key")

    def __init__(
        self,
        block_id: BlockId,
        num: int,
        parent: ForkItem | None,
        envelope: BlockEnvelope | None,
        slot_key: SlotKey | None,
        *,
        is_strange: bool = False,
    ) -> None:
        self.id = block_id
        self.num = num
        self.parent = parent
        self.envelope = envelope
        self.slot_key = slot_key
        self.is_strange = is_strange
        self.children: list[ForkItem] = []


class ForkDatabase:
    """All known blocks that descend from the root, which is the last irreversible block."""

    __slots__ = ("_per_slot", "_strangers", "items", "root")

    def __init__(self, root_id: BlockId, root_num: int) -> None:
        self.root = ForkItem(root_id, root_num, None, None, None)
        self.items: dict[BlockId, ForkItem] = {root_id: self.root}
        self._per_slot: dict[SlotKey, int] = {}
        self._strangers = 0

    def find(self, block_id: BlockId) -> ForkItem | None:
        """The block with this id, or None."""
        return self.items.get(block_id)

    def check(self, envelope: BlockEnvelope) -> ForkItem:
        """The parent that a new block links to.

        Raises `BlockTooOld` at or below the last irreversible block, `UnlinkableBlock` when the
        parent is unknown.
        """
        if envelope.num <= self.root.num:
            raise BlockTooOld(
                f"block {envelope.num} is not above the last irreversible one",
                rule="R9.2",
                value=envelope.num,
                limit=self.root.num,
            )
        parent = self.items.get(envelope.header.previous)
        if parent is None:
            raise UnlinkableBlock(
                f"block {envelope.num} follows an unknown block",
                rule="R9.2",
                value=envelope.header.previous.hex(),
            )
        return parent

    def add(
        self, envelope: BlockEnvelope, signer: PublicKey, *, is_strange: bool = False
    ) -> ForkItem:
        """Add a block that links; raises like `check`, and `TooManyForks`.

        `signer` is the key that signed it: a stranger's blocks do not use up a witness's slots.
        """
        parent = self.check(envelope)
        slot_key = (envelope.header.witness, envelope.header.timestamp, signer)
        count = self._per_slot.get(slot_key, 0)
        if count >= BLOCKS_PER_SLOT_MAX:
            raise TooManyForks(
                f"witness {witness_text(slot_key[0])} signed too many blocks for one slot",
                rule="T-W2",
                value=count + 1,
                limit=BLOCKS_PER_SLOT_MAX,
            )
        if is_strange and self._strangers >= STRANGERS_MAX:
            raise TooManyForks(
                "too many blocks signed by unknown keys",
                rule="T-W2",
                value=self._strangers + 1,
                limit=STRANGERS_MAX,
            )
        self._per_slot[slot_key] = count + 1
        self._strangers += is_strange
        item = ForkItem(
            envelope.id, envelope.num, parent, envelope, slot_key, is_strange=is_strange
        )
        parent.children.append(item)
        self.items[item.id] = item
        return item

    def branches(self, old: ForkItem, new: ForkItem) -> tuple[list[ForkItem], list[ForkItem]]:
        """What to pop, newest first, and what to apply, oldest first, to go from old to new."""
        pop: list[ForkItem] = []
        apply: list[ForkItem] = []
        while old is not new:
            if old.num >= new.num:
                pop.append(old)
                old = _parent(old)
            else:
                apply.append(new)
                new = _parent(new)
        apply.reverse()
        return pop, apply

    def remove(self, item: ForkItem) -> None:
        """Forget a block and all that build on it."""
        if item.parent is not None:
            item.parent.children.remove(item)
        for gone in self._subtree(item):
            self._forget(gone)

    def move_root(self, item: ForkItem) -> None:
        """Make a block the last irreversible one: forget all that does not build on it."""
        if item is self.root:
            return
        kept = {member.id for member in self._subtree(item)}
        for member in self._subtree(self.root):
            if member.id not in kept:
                self._forget(member)
        item.parent = None
        self.root = item

    def _forget(self, item: ForkItem) -> None:
        del self.items[item.id]
        self._strangers -= item.is_strange
        item.parent = None
        item.children = []
        if item.slot_key is not None:
            self._per_slot[item.slot_key] -= 1
            if not self._per_slot[item.slot_key]:
                del self._per_slot[item.slot_key]

    def _subtree(self, item: ForkItem) -> list[ForkItem]:
        found = [item]
        for member in found:
            found.extend(member.children)
        return found


def _parent(item: ForkItem) -> ForkItem:
    assert item.parent is not None, "all blocks of the tree descend from its root"
    return item.parent
