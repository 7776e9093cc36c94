"""Blocks as somebody else might sign them, with any header over any transactions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from protocol.binary import pack
from protocol.block import BlockEnvelope, BlockHeader, HeaderEnvelope, SignedBlock
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.transaction import ProcessedTransaction


def signed_block(
    header: BlockHeader, transactions: Sequence[ProcessedTransaction], secret: PrivateKey
) -> BlockEnvelope:
    """A block of a header that holds the Merkle root already, or a wrong one."""
    signed = HeaderEnvelope.sign(header, partial(sign_digest, secret)).header
    block = SignedBlock(
        signed.previous,
        signed.timestamp,
        signed.witness,
        signed.transaction_merkle_root,
        signed.extensions,
        signed.witness_signature,
        tuple(transactions),
    )
    return BlockEnvelope.from_bytes(pack(block))
