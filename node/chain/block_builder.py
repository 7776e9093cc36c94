"""Making a block of pending transactions (R9.4)."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.pending import AppliedTransaction
from node.state.errors import TransactionTooLarge
from protocol.binary import pack
from protocol.block import (
    CERTIFICATE_TAG,
    BlockBody,
    BlockEnvelope,
    BlockHeader,
    Sign,
    merkle_root,
    pack_results,
)
from protocol.finality import Certificate
from protocol.ids import WitnessId
from protocol.schema import BlockId, Tagged

HEADER_BYTES_MAX = 256
"""Room for a signed header without votes, and the number of transactions."""


def build_block(
    previous: BlockId,
    slot_time_s: int,
    witness: WitnessId,
    pending: Iterable[AppliedTransaction],
    bytes_max: int,
    sign: Sign,
    certificate: Certificate | None = None,
) -> BlockEnvelope:
    """A signed block of the oldest pending transactions that fit together, and votes if any (F3).

    Pending transactions were applied in this order on top of the head, which is what a block
    does; so their results stand as they are. The first that does not fit is postponed together
    with all later ones, which may build on it.
    """
    body = BlockBody()
    extensions = () if certificate is None else (Tagged(CERTIFICATE_TAG, certificate),)
    size = HEADER_BYTES_MAX + (0 if certificate is None else len(pack(certificate)))
    for entry in pending:
        packed = _packed(entry)
        size += len(packed)
        if size > bytes_max:
            break
        body.append(entry.envelope, entry.results, packed)
    header = BlockHeader(previous, slot_time_s, witness, merkle_root(body.digests), extensions)
    return BlockEnvelope.produce(header, body, sign)


def check_fits_a_block(entry: AppliedTransaction, bytes_max: int) -> None:
    """Refuse a transaction that no block could hold, so that none waits for ever (R9.4).

    Then the oldest pending one always finds room, and with it every one in its time. Raises
    `TransactionTooLarge`.
    """
    size, largest = len(_packed(entry)), bytes_max - HEADER_BYTES_MAX
    if size > largest:
        raise TransactionTooLarge(
            "transaction too large for any block", rule="R9.4", value=size, limit=largest
        )


def _packed(entry: AppliedTransaction) -> bytes:
    """A transaction as it stands in a block: with its results."""
    return entry.envelope.packed() + pack_results(entry.results)
