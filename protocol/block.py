"""Blocks: a header signed by a witness, and the transactions under its Merkle root (R9.7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from protocol.binary import pack, pack_as, read_varint, reader_for, unpack_from, write_varint
from protocol.constants import MAX_BLOCK_BYTES
from protocol.crypto.hashes import ripemd160, sha224, sha256
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import recover_key, sign_digest
from protocol.errors import DecodeError
from protocol.ids import WitnessId
from protocol.operations import OperationResult
from protocol.operations.base import Void
from protocol.schema import (
    SORTED,
    BlockId,
    Digest,
    PublicKey,
    Ripemd160,
    Signature,
    Tagged,
    Timestamp,
    Variant,
)
from protocol.transaction import ProcessedTransaction, TransactionEnvelope

HeaderExtension = Annotated[Tagged, Variant({0: Void})]
"""A member of a header's extensions: each tag at most once, ascending.

BitShares knows tag 0 alone, which carries nothing. A member that is added here later, such as
votes on irreversibility, is signed and hashed with the header and moves no other byte: a header
without it stays what it was.
"""

OperationResults = tuple[OperationResult, ...]

NO_BLOCK = BlockId(bytes(20))
"""What the first block has for its `previous`."""

EMPTY_MERKLE_ROOT = Ripemd160(bytes(20))
"""Merkle root of a block without transactions."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What a witness signs."""

    previous: BlockId
    """Id of the block before; its number tells this block's number."""
    timestamp: Timestamp
    """Time of the slot."""
    witness: WitnessId
    """Witness of the slot (R8.5)."""
    transaction_merkle_root: Ripemd160
    """Commits to the transactions and their results."""
    extensions: Annotated[tuple[HeaderExtension, ...], SORTED] = ()


@dataclass(frozen=True, slots=True)
class SignedBlockHeader:
    """A header with the witness's signature, flat; what the block id commits to."""

    previous: BlockId
    timestamp: Timestamp
    witness: WitnessId
    transaction_merkle_root: Ripemd160
    extensions: Annotated[tuple[HeaderExtension, ...], SORTED]
    witness_signature: Signature
    """By the witness's signing key, on SHA256 of the header."""


@dataclass(frozen=True, slots=True)
class SignedBlock:
    """A whole block, flat."""

    previous: BlockId
    timestamp: Timestamp
    witness: WitnessId
    transaction_merkle_root: Ripemd160
    extensions: Annotated[tuple[HeaderExtension, ...], SORTED]
    witness_signature: Signature
    transactions: tuple[ProcessedTransaction, ...]
    """In the order in which they are applied."""


def block_num(block: BlockId) -> int:
    """The number that a block id carries in its first four bytes; 0 for `NO_BLOCK`."""
    return int.from_bytes(block[:4], "big")


def block_id(header: SignedBlockHeader) -> BlockId:
    """SHA224 of the signed header, its first four bytes replaced by the block's number (R9.7)."""
    return _block_id(header.previous, pack(header))


def read_block_id(data: bytes) -> BlockId:
    """The id of a block by its binary form, of which only the header is read.

    What follows the header may be anything. Raises `DecodeError` or `ValidationError`.
    """
    header, end = unpack_from(SignedBlockHeader, data, 0)
    return _block_id(header.previous, data[:end])


def header_digest(header: BlockHeader) -> Digest:
    """What the witness signs: SHA256 of the header (R9.7)."""
    return sha256(pack(header))


def merkle_root(digests: Sequence[Digest]) -> Ripemd160:
    """The root over the digests of processed transactions (R9.7).

    Pairs are hashed together, an odd one is promoted, RIPEMD160 of the last one is the root.
    """
    if not digests:
        return EMPTY_MERKLE_ROOT
    level = list(digests)
    while len(level) > 1:
        paired = [
            sha256(left + right) for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired if len(level) % 2 == 0 else [*paired, level[-1]]
    return ripemd160(level[0])


def sign_header(header: BlockHeader, secret: PrivateKey) -> SignedBlockHeader:
    """The header with the witness's signature."""
    return SignedBlockHeader(
        header.previous,
        header.timestamp,
        header.witness,
        header.transaction_merkle_root,
        header.extensions,
        sign_digest(secret, header_digest(header)),
    )


class BlockEnvelope:
    """A block read once from its bytes; ids and digests come from slices, nothing is re-encoded."""

    __slots__ = (
        "_digests",
        "_header_size",
        "_signing_key",
        "header",
        "id",
        "num",
        "packed",
        "transactions",
    )

    packed: bytes
    """Binary form of the whole block."""
    header: SignedBlockHeader
    id: BlockId
    num: int
    """Height: one more than the number in `previous`."""
    transactions: list[tuple[TransactionEnvelope, OperationResults]]
    """Each transaction and the answers of its operations, in order."""

    def __init__(self, data: bytes) -> None:
        """Read a block that fills `data` exactly.

        Raises `DecodeError` or `ValidationError`; the size is checked
        before anything is read (R8.1).
        """
        if len(data) > MAX_BLOCK_BYTES:
            raise DecodeError(
                "block too large", rule="R8.1", value=len(data), limit=MAX_BLOCK_BYTES
            )
        self.packed = data
        self.header, at = unpack_from(SignedBlockHeader, data, 0)
        self._header_size = at
        self.num = block_num(self.header.previous) + 1
        self.id = _block_id(self.header.previous, data[:at])
        self.transactions = []
        self._digests: list[Digest] = []
        self._signing_key: PublicKey | None = None
        end = self._read_transactions(at)
        if end != len(data):
            raise DecodeError("bytes after the end of a block", value=len(data), limit=end)

    @classmethod
    def produce(
        cls,
        header: BlockHeader,
        transactions: Sequence[tuple[TransactionEnvelope, OperationResults]],
        secret: PrivateKey,
    ) -> BlockEnvelope:
        """Sign a header and join it with its transactions, without encoding these again."""
        data = bytearray(pack(sign_header(header, secret)))
        write_varint(data, len(transactions))
        for envelope, results in transactions:
            data += envelope.packed()
            data += pack_results(results)
        return cls(bytes(data))

    @property
    def block(self) -> SignedBlock:
        """The block as one value."""
        header = self.header
        return SignedBlock(
            header.previous,
            header.timestamp,
            header.witness,
            header.transaction_merkle_root,
            header.extensions,
            header.witness_signature,
            tuple(processed(envelope, results) for envelope, results in self.transactions),
        )

    def merkle_root(self) -> Ripemd160:
        """The root over the transactions as received; must equal the header's (R8.1)."""
        return merkle_root(self._digests)

    def signing_key(self) -> PublicKey:
        """The key that signed the header; raises `KeyFormatError`. Recovered once, then kept."""
        if self._signing_key is None:
            signature = self.header.witness_signature
            body = self.packed[: self._header_size - len(signature)]
            self._signing_key = recover_key(sha256(body), signature)
        return self._signing_key

    def _read_transactions(self, at: int) -> int:
        data = self.packed
        read_results = reader_for(OperationResults)
        try:
            count, at = read_varint(data, at)
            for _ in range(count):
                start = at
                envelope, at = TransactionEnvelope.read(data, at)
                results, at = read_results(data, at, 0)
                self.transactions.append((envelope, cast(OperationResults, results)))
                self._digests.append(sha256(data[start:at]))
        except (IndexError, struct.error) as error:
            raise DecodeError("block ends early", value=len(data)) from error
        return at


def processed(envelope: TransactionEnvelope, results: OperationResults) -> ProcessedTransaction:
    """A transaction and the answers of its operations as one value."""
    transaction = envelope.transaction
    return ProcessedTransaction(
        transaction.ref_block_num,
        transaction.ref_block_prefix,
        transaction.expiration,
        transaction.operations,
        transaction.extensions,
        transaction.signatures,
        results,
    )


def pack_results(results: OperationResults) -> bytes:
    """The binary form of the answers, which follows a transaction in a block."""
    return pack_as(OperationResults, results)


def _block_id(previous: BlockId, signed_header: bytes) -> BlockId:
    num = (block_num(previous) + 1).to_bytes(4, "big")
    return BlockId(num + sha224(signed_header)[4:20])
