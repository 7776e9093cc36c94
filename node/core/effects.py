"""What the node core wants done; carried out by the shell, in order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from node.exit_codes import Exit
from node.p2p.effects import ConnectionEffect
from protocol.block import BlockEnvelope
from protocol.ids import WitnessId
from protocol.schema import BlockId, PublicKey, Record


class ReserveSlot(Record):
    """Record durably that a witness signs a slot, before anything produced later is sent."""

    witness: WitnessId
    slot_time_s: int
    block_num: int


class ReserveVote(Record):
    """Record durably that a key votes so, before anything produced later is sent (F5)."""

    key: PublicKey
    source_num: int
    target_num: int


class StoreBlocks(Record):
    """Store blocks and move the main chain durably, before anything later is sent (T-S1)."""

    blocks: tuple[tuple[BlockId, int, bytes], ...]
    head: BlockId
    main_chain: tuple[BlockId, ...]
    """Ids that become the top of the main chain, ascending; empty when only a fork grew, or when
    the chain was cut back to its head."""
    irreversible_num: int
    """The last irreversible block by now."""
    serial: int
    """Number of this move of the chain, of the last one when several are joined; to be answered
    with `NodeCore.moves_stored`."""
    went_back: bool = False
    """A development chain was cut back on purpose: nothing above its head is irreversible any
    more, and whatever was signed may be signed again."""
    clock_offset_ms: int | None = None
    """How far the node's clock is from the machine's by now, if somebody has moved it."""

    @classmethod
    def of_main_chain(
        cls, blocks: Sequence[BlockEnvelope], irreversible_num: int, serial: int
    ) -> StoreBlocks:
        """Of new blocks that are the top of the main chain, ascending."""
        kept = tuple([(block.id, block.num, block.packed) for block in blocks])
        ids = tuple([block.id for block in blocks])
        return cls(kept, blocks[-1].id, ids, irreversible_num, serial)


class SaveSnapshot(Record):
    """Keep the state after a block, so that a restart replays little; and tidy up the store."""

    num: int
    block_id: BlockId
    payload: tuple[bytes, ...]
    """In parts, which make one when joined."""
    irreversible_num: int
    """No fork reaches below this block any more."""


class StoreHistory(Record):
    """What blocks did may be kept up to this one, which is irreversible; no hurry."""

    irreversible_num: int


class StoreEvidence(Record):
    """Keep a file of proofs in place of what it held before (F11, T-W4)."""

    name: str
    payload: bytes


class RecoverKeys(Record):
    """Recover the keys of signatures; answer with `NodeCore.keys_recovered`."""

    token: int
    questions: bytes
    """As `protocol.crypto.recovery.recover_keys` has them."""


class FlushSessions(Record):
    """API sessions may have something to send that is durable by now."""


class Report(Record):
    """One line of the log: `ev=name` and fields."""

    name: str
    fields: dict[str, str | int] = msgspec.field(default_factory=dict)


def report_of_blocks(blocks: Sequence[BlockEnvelope], irreversible_num: int) -> Report:
    """Of new blocks of the main chain, ascending; all were made or came together."""
    newest = blocks[-1]
    fields: dict[str, str | int] = {
        "num": newest.num,
        "id": newest.id.hex(),
        "witness": newest.header.witness,
        "blocks": len(blocks),
        "transactions": sum([len(block.transactions) for block in blocks]),
        "lib": irreversible_num,
    }
    return Report("block", fields)


class StopNode(Record):
    """The node must end with this exit code."""

    exit_code: Exit
    reason: str


LaterEffect = (
    SaveSnapshot
    | StoreHistory
    | StoreEvidence
    | FlushSessions
    | Report
    | StopNode
    | ConnectionEffect
)
"""What waits until all that was to be made durable before it is so."""

Effect = RecoverKeys | ReserveSlot | ReserveVote | StoreBlocks | LaterEffect
