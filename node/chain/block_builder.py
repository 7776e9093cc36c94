"""Making a block of pending transactions (R9.4)."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.pending import AppliedTransaction
from protocol.block import BlockBody, BlockEnvelope, BlockHeader, Sign, merkle_root, pack_results
from protocol.ids import WitnessId
from protocol.schema import BlockId

HEADER_BYTES_MAX = 256
"""Room for a signed header and the number of transactions."""


def build_block(
    previous: BlockId,
    slot_time_s: int,
    witness: WitnessId,
    pending: Iterable[AppliedTransaction],
    bytes_max: int,
    sign: Sign,
) -> BlockEnvelope:
    """A signed block of the oldest pending transactions that fit together.

    Pending transactions were applied in this order on top of the head, which is what a block
    does; so their results stand as they are. The first that does not fit is postponed together
    with all later ones, which may build on it.
    """
    body = BlockBody()
    size = HEADER_BYTES_MAX
    for entry in pending:
        packed = entry.envelope.packed() + pack_results(entry.results)
        size += len(packed)
        if size > bytes_max:
            break
        body.append(entry.envelope, entry.results, packed)
    header = BlockHeader(previous, slot_time_s, witness, merkle_root(body.digests))
    return BlockEnvelope.produce(header, body, sign)
