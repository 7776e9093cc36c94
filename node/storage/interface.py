"""What the node asks of its stores; met by files and, for simulations and tests, by memory."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from protocol.block import block_num_of
from protocol.ids import WitnessId
from protocol.schema import BlockId, PublicKey, Record


class StoredBlock(NamedTuple):
    """A block as it is kept: its id, its number and its binary form."""

    id: BlockId
    num: int
    data: bytes


class BlockStorage(Protocol):
    """Blocks of all forks, and which of them make the main chain.

    The main chain is one run of numbers without gaps that ends at the head.
    """

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        """Store blocks of any fork and move the main chain, all or nothing; durable on return.

        `main_chain` are the ids that become the chain's top, in ascending order and ending at
        `head`; without it the chain is only cut back to `head`, or emptied for None. A block that
        is stored already is written again, which repairs a damaged one. `irreversible_num` is
        remembered with it unless a higher one was. Raises `DiskError`.
        """

    def go_back(
        self, head: BlockId, irreversible_num: int, clock_offset_ms: int | None = None
    ) -> None:
        """Cut the main chain back to a block of it, and take back what was irreversible above.

        For development chains; durable on return. The blocks stay, beside the main chain. How far
        the clock was moved then is kept along with it. Raises `DiskError`.
        """

    def keep_clock(self, offset_ms: int) -> None:
        """Keep how far the clock was moved; durable on return. Raises `DiskError`."""

    def clock_offset_ms(self) -> int:
        """How far the clock was moved last; 0 if nobody did."""

    def block(self, block_id: BlockId) -> bytes | None:
        """The binary form of a block of any fork; `StoreDamaged` if it is not what was stored."""

    def id_at(self, num: int) -> BlockId | None:
        """Id of the main chain's block of a number."""

    def ids_from(self, num: int, count: int) -> list[BlockId]:
        """At most `count` ids of the main chain from a number on; `StoreDamaged`."""

    def blocks_from(self, num: int, count: int) -> list[StoredBlock]:
        """At most `count` blocks of the main chain from a number on; `StoreDamaged`."""

    def head(self) -> tuple[int, BlockId] | None:
        """Number and id of the main chain's last block."""

    def irreversible_num(self) -> int:
        """The highest block of the main chain that was ever called irreversible; 0 for none."""

    def prune_forks(self, below_num: int) -> int:
        """Forget blocks beside the main chain below a number; says how many. `DiskError`."""

    def close(self) -> None:
        """Give up files and locks; calling it twice does no harm."""


class SignedSlot(NamedTuple):
    """A slot that a witness signs a block for."""

    witness: WitnessId
    time_s: int
    block_num: int


class SignedVote(NamedTuple):
    """A vote that a key signs, by the numbers of its source and target."""

    key: PublicKey
    source_num: int
    target_num: int


class SigningStorage(Protocol):
    """Which slots this node's witnesses have signed, and how its keys have voted."""

    def load(self) -> dict[WitnessId, int]:
        """Time in seconds of the last slot that each witness has signed."""

    def load_votes(self) -> dict[PublicKey, tuple[int, int]] | None:
        """Source and target of each key's last vote; None while there is no record at all, which
        proves nothing of what was signed before (F5)."""

    def begin(self) -> None:
        """Make an empty record if there is none: its keys have signed nothing yet. `DiskError`."""

    def forget(self, slots: Sequence[SignedSlot] = (), votes: Sequence[SignedVote] = ()) -> None:
        """Begin the record anew with these: a development chain went back. Raises `DiskError`."""

    def reserve(self, slots: Sequence[SignedSlot], votes: Sequence[SignedVote] = ()) -> None:
        """Record slots and votes before they leave, all or none, in one write; durable on return.

        `SlotAlreadySigned` unless each slot is later than the last one of its witness,
        `VoteAlreadySigned` unless no source of a key is lower, and each target is higher, than
        that of its vote before (F5); `DiskError`.
        """

    def close(self) -> None:
        """Give up files and locks; calling it twice does no harm."""


class Snapshot(NamedTuple):
    """State after a block: the payload is whatever the chain wrote."""

    num: int
    block_id: BlockId
    payload: bytes


class SnapshotFault(Enum):
    """Why a snapshot cannot be used."""

    UNREADABLE = "the file cannot be read"
    WRONG_FORMAT = "not a snapshot of this format version"
    WRONG_CHAIN = "a snapshot of another chain"
    DAMAGED = "the checksum does not match"


class SkippedSnapshot(Record):
    """A snapshot that was passed over."""

    name: str
    fault: SnapshotFault


class SnapshotStorage(Protocol):
    """The newest two snapshots of the state."""

    def save(self, num: int, block_id: BlockId, *payload: bytes) -> None:
        """Keep a snapshot, given in parts, and forget all but the newest two; durable on return.

        Raises `DiskError`.
        """

    def latest(
        self, at_most_num: int | None = None
    ) -> tuple[Snapshot | None, list[SkippedSnapshot]]:
        """The newest usable snapshot of a block not above a number, and the unusable newer ones."""

    def forget_above(self, num: int) -> None:
        """Remove the snapshots of blocks above a number, which are no more. `DiskError`."""


def check_move(
    old_head: BlockId | None,
    head: BlockId | None,
    main_chain: Sequence[BlockId],
    kept: BlockId | None,
) -> None:
    """Assert that a move of the main chain leaves no gap.

    `kept` is the main chain's id right below `main_chain`, or at the head of a mere cut.
    """
    if not main_chain:
        assert head is None or head == kept, "cut to a block outside the main chain"
        return
    first = block_num_of(main_chain[0])
    assert [block_num_of(block_id) for block_id in main_chain] == list(
        range(first, first + len(main_chain))
    ), "main chain with a gap"
    assert main_chain[-1] == head, "the main chain ends at the head"
    assert old_head is None or kept is not None or first == 1, "hole below the move"
