"""Making a block of pending transactions (R9.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from node.chain.pending import AppliedTransaction
from protocol.binary import pack, write_varint
from protocol.block import (
    BlockEnvelope,
    BlockHeader,
    SignedBlockHeader,
    header_digest,
    merkle_root,
    pack_results,
)
from protocol.crypto.hashes import sha256
from protocol.ids import WitnessId
from protocol.schema import BlockId, Digest, Signature

Sign = Callable[[Digest], Signature]

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
    bodies: list[bytes] = []
    size = HEADER_BYTES_MAX
    for entry in pending:
        body = entry.envelope.packed() + pack_results(entry.results)
        size += len(body)
        if size > bytes_max:
            break
        bodies.append(body)
    root = merkle_root([sha256(body) for body in bodies])
    header = BlockHeader(previous, slot_time_s, witness, root)
    signature = sign(header_digest(header))
    data = bytearray(
        pack(
            SignedBlockHeader(
                header.previous,
                header.timestamp,
                header.witness,
                header.transaction_merkle_root,
                header.extensions,
                signature,
            )
        )
    )
    write_varint(data, len(bodies))
    for body in bodies:
        data += body
    return BlockEnvelope(bytes(data))
