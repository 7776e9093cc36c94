"""The tree of recent blocks above the last irreversible one (R8.9, R9.2, F6, S3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.chain.header_rules import HeaderRules, HeaderVerdict
from node.state.errors import AgainstCheckpoint, BlockTooOld, TooManyForks, UnlinkableBlock
from protocol.block import BlockEnvelope, HeaderEnvelope, block_num_of, certificate_in
from protocol.ids import WitnessId
from protocol.schema import BlockId, PublicKey

BLOCKS_PER_SLOT_MAX = 2
"""Blocks of one witness for one slot beyond which one that nothing follows is let go (T-W2).

Two prove that the witness lies; a third may still be the one that the others build upon.
"""

STRANGERS_MAX = 64
"""Blocks by another key than their witness has at our head, kept as long as nothing follows them.

They may be right on a fork where the witness changed its key; there are never many of those.
"""

SIDE_BYTES_MAX = 128 * 1024 * 1024
"""Bytes of blocks beside the main chain (T-P6)."""

SlotKey = tuple[WitnessId, int, PublicKey]


class ForkItem:
    """A block in the tree; `parent` is None for the root.

    `justified_num` is the highest justified block of its chain as the headers up to it say; it
    holds once the block is applied (F4). `rules` judge the headers that follow it; there are none
    before it was applied for the first time. `is_judged` says whether its own was judged by those
    of its parent.
    """

    __slots__ = (
        "children",
        "envelope",
        "id",
        "is_judged",
        "is_main",
        "is_strange",
        "justified_num",
        "num",
        "parent",
        "rules",
        "slot_key",
    )

    def __init__(
        self,
        block_id: BlockId,
        num: int,
        parent: ForkItem | None,
        envelope: BlockEnvelope | None,
        slot_key: SlotKey | None,
        *,
        verdict: HeaderVerdict | None = None,
        justified_num: int = 0,
    ) -> None:
        self.id = block_id
        self.num = num
        self.parent = parent
        self.envelope = envelope
        self.slot_key = slot_key
        self.is_strange = verdict is HeaderVerdict.STRANGE
        self.is_judged = verdict is HeaderVerdict.RIGHT
        self.justified_num = justified_num
        self.is_main = False
        self.rules: HeaderRules | None = None
        self.children: list[ForkItem] = []

    @property
    def rank(self) -> tuple[int, int]:
        """What the best chain has most of: its highest justified block, then its length (F6)."""
        return self.justified_num, self.num

    def ancestor(self, num: int) -> ForkItem | None:
        """The block of a number in the chain that ends here; None below the root."""
        found: ForkItem | None = self
        while found is not None and found.num > num:
            found = found.parent
        return found


class ForkDatabase:
    """All known blocks that descend from the root, which is the last irreversible block."""

    __slots__ = ("_checkpoint", "_per_slot", "_side_bytes", "_strangers", "items", "root")

    def __init__(
        self,
        root_id: BlockId,
        root_num: int,
        justified_num: int = 0,
        checkpoint: BlockId | None = None,
    ) -> None:
        """`justified_num` is the root's; no fork may have another block in place of a checkpoint,
        and what follows it has it justified (F9)."""
        self.root = ForkItem(root_id, root_num, None, None, None, justified_num=justified_num)
        self.items: dict[BlockId, ForkItem] = {root_id: self.root}
        self._checkpoint = checkpoint
        self._per_slot: dict[SlotKey, list[BlockId]] = {}
        self._strangers: dict[BlockId, None] = {}
        self._side_bytes = 0

    @classmethod
    def of_branch(cls, items: Sequence[ForkItem], checkpoint: BlockId | None) -> ForkDatabase:
        """A tree of one branch, which is the main chain; the first block is the root."""
        root = items[0]
        forks = cls(root.id, root.num, root.justified_num, checkpoint)
        forks.root, forks.items = root, {}
        parent: ForkItem | None = None
        for item in items:
            assert item.is_main
            item.parent, item.children = parent, []
            if parent is not None:
                parent.children.append(item)
            forks.items[item.id] = item
            if item.slot_key is not None:
                forks._per_slot.setdefault(item.slot_key, []).append(item.id)
            parent = item
        return forks

    def find(self, block_id: BlockId) -> ForkItem | None:
        """The block with this id, or None."""
        return self.items.get(block_id)

    def check(self, envelope: HeaderEnvelope) -> ForkItem:
        """The parent that a new block links to, by its header.

        Raises `BlockTooOld` at or below the last irreversible block, `UnlinkableBlock` when the
        parent is unknown, `AgainstCheckpoint`.
        """
        if envelope.num <= self.root.num:
            raise BlockTooOld(
                f"block {envelope.num} is not above the last irreversible one",
                rule="R9.2",
                value=envelope.num,
                limit=self.root.num,
            )
        checkpoint = self._checkpoint
        if checkpoint not in (None, envelope.id) and envelope.num == block_num_of(checkpoint):
            raise AgainstCheckpoint(
                f"block {envelope.num} is not that of the checkpoint",
                rule="F9",
                value=envelope.id.hex(),
                limit=checkpoint.hex(),
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
        self,
        envelope: BlockEnvelope,
        signer: PublicKey,
        verdict: HeaderVerdict | None = None,
    ) -> ForkItem:
        """Add a block that links; raises like `check`, and `TooManyForks`.

        `signer` is the key that signed it: a stranger's blocks do not use up a witness's slots.
        `verdict` is what its header has come to; None for a block of our own store.
        Where there are too many, an older one that nothing follows makes room: whoever signs many
        blocks must not keep out the one that the others build upon.
        """
        parent = self.check(envelope.front)
        slot_key = (envelope.header.witness, envelope.header.timestamp, signer)
        rivals = self._per_slot.get(slot_key, [])
        if len(rivals) >= BLOCKS_PER_SLOT_MAX:
            self._let_one_go(rivals, parent)
        is_strange = verdict is HeaderVerdict.STRANGE
        if is_strange and len(self._strangers) >= STRANGERS_MAX:
            self._let_one_go(self._strangers, parent)
        size = len(envelope.packed)
        while self._side_bytes + size > SIDE_BYTES_MAX:
            if not self._let_one_go(self.items, parent):
                raise TooManyForks(
                    "too many bytes beside the main chain",
                    rule="T-P6",
                    value=self._side_bytes + size,
                    limit=SIDE_BYTES_MAX,
                )
        self._per_slot.setdefault(slot_key, []).append(envelope.id)
        if is_strange:
            self._strangers[envelope.id] = None
        self._side_bytes += size
        item = ForkItem(
            envelope.id,
            envelope.num,
            parent,
            envelope,
            slot_key,
            verdict=verdict,
            justified_num=self._justified_after(parent, envelope),
        )
        parent.children.append(item)
        self.items[item.id] = item
        return item

    def move_to_main(self, item: ForkItem, *, is_main: bool) -> None:
        """Note that a block has joined the main chain, or left it."""
        assert item.is_main != is_main
        item.is_main = is_main
        self._side_bytes += -_size_of(item) if is_main else _size_of(item)

    def _let_one_go(self, block_ids: Iterable[BlockId], parent: ForkItem) -> bool:
        """Forget the oldest of some blocks that is beside the main chain and followed by none."""
        for block_id in block_ids:
            item = self.items[block_id]
            if not (item.is_main or item.children or item is parent or item is self.root):
                self.remove(item)
                return True
        return False

    def _justified_after(self, parent: ForkItem, envelope: BlockEnvelope) -> int:
        """What a block's chain has justified if its header tells the truth."""
        if parent.id == self._checkpoint:
            return parent.num
        certificate = certificate_in(envelope.header)
        claimed = 0 if certificate is None else min(certificate.target_num, parent.num)
        return max(parent.justified_num, claimed)

    def twin_of(self, block_id: BlockId) -> BlockId | None:
        """Another block that the same witness signed for the same slot: a proof of lying (F11)."""
        item = self.items.get(block_id)
        if item is None or item.slot_key is None or item.is_strange:
            return None
        others = (other for other in self._per_slot[item.slot_key] if other != block_id)
        return next(others, None)

    def branches(self, old: ForkItem, new: ForkItem) -> tuple[list[ForkItem], list[ForkItem]]:
        """What to pop, newest first, and what to apply, oldest first, to go from old to new."""
        if new.parent is old:
            return [], [new]
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
        self._strangers.pop(item.id, None)
        if not item.is_main:
            self._side_bytes -= _size_of(item)
        item.parent = None
        item.children = []
        if item.slot_key is not None:
            self._per_slot[item.slot_key].remove(item.id)
            if not self._per_slot[item.slot_key]:
                del self._per_slot[item.slot_key]

    def _subtree(self, item: ForkItem) -> list[ForkItem]:
        found = [item]
        for member in found:
            found.extend(member.children)
        return found


def _size_of(item: ForkItem) -> int:
    return 0 if item.envelope is None else len(item.envelope.packed)


def _parent(item: ForkItem) -> ForkItem:
    assert item.parent is not None, "all blocks of the tree descend from its root"
    return item.parent
