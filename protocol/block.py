"""Blocks: a header signed by a witness, and the transactions under its Merkle root (R9.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, TypeVar, cast

from protocol.binary import (
    MALFORMED,
    malformed,
    pack,
    packer_for,
    reader_for,
    unpack_from,
)
from protocol.constants import MAX_BLOCK_BYTES
from protocol.crypto.hashes import ripemd160, sha224, sha256
from protocol.crypto.signatures import recover_key
from protocol.errors import DecodeError, ValidationError
from protocol.finality import Certificate
from protocol.ids import WitnessId
from protocol.leb128 import read_varint, write_varint
from protocol.operations import OperationResult
from protocol.operations.base import Void
from protocol.schema import (
    SORTED,
    BlockId,
    Digest,
    PublicKey,
    Record,
    Ripemd160,
    Signature,
    Tagged,
    Timestamp,
    Variant,
)
from protocol.transaction import (
    ProcessedTransaction,
    SignedTransaction,
    TransactionEnvelope,
    join_transaction,
)

CERTIFICATE_TAG = 1
HeaderExtension = Annotated[Tagged, Variant({0: Void, CERTIFICATE_TAG: Certificate})]
"""A member of a header's extensions: each tag at most once, ascending.

BitShares knows tag 0 alone, which carries nothing. A certificate is signed and hashed with the
header and moves no other byte: a header without it is what it is there (F3).
"""

OperationResults = tuple[OperationResult, ...]

NO_BLOCK = BlockId(bytes(20))
"""What the first block has for its `previous`."""

MAX_BLOCK_NUM = 2**32 - 1
"""A block id has four bytes for its number."""

EMPTY_MERKLE_ROOT = Ripemd160(bytes(20))
"""Merkle root of a block without transactions."""


class BlockHeader(Record):
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


class SignedBlockHeader(Record):
    """A header with the witness's signature, flat; what the block id commits to."""

    previous: BlockId
    timestamp: Timestamp
    witness: WitnessId
    transaction_merkle_root: Ripemd160
    extensions: Annotated[tuple[HeaderExtension, ...], SORTED]
    witness_signature: Signature
    """By the witness's signing key, on SHA256 of the header."""


class SignedBlock(Record):
    """A whole block, flat."""

    previous: BlockId
    timestamp: Timestamp
    witness: WitnessId
    transaction_merkle_root: Ripemd160
    extensions: Annotated[tuple[HeaderExtension, ...], SORTED]
    witness_signature: Signature
    transactions: tuple[ProcessedTransaction, ...]
    """In the order in which they are applied."""


def block_num_of(block: BlockId) -> int:
    """The number that a block id carries in its first four bytes; 0 for `NO_BLOCK` (R9.7)."""
    return int.from_bytes(block[:4], "big")


def block_id(header: SignedBlockHeader) -> BlockId:
    """SHA224 of the signed header, its first four bytes replaced by the block's number (R9.7)."""
    return _block_id(header.previous, pack(header))


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


def certificate_in(header: SignedBlockHeader) -> Certificate | None:
    """The certificate that a header carries (F3)."""
    for extension in header.extensions:
        if isinstance(extension.value, Certificate):
            return extension.value
    return None


Sign = Callable[[Digest], Signature]
"""Signs a digest with a key that only the caller has."""


class HeaderEnvelope:
    """A signed header read once from the front of a block; what judging a header needs.

    What follows the header may be anything: a block can be asked for, told from others and
    refused by it before its transactions are read.
    """

    __slots__ = ("_signing_key", "header", "id", "num", "packed")

    packed: bytes
    """Binary form of the signed header alone."""
    header: SignedBlockHeader
    id: BlockId
    num: int
    """Height: one more than the number in `previous`."""

    def __init__(self, header: SignedBlockHeader, packed: bytes) -> None:
        """Join a header and its binary form, which must belong together."""
        self.header = header
        self.packed = packed
        self.num = block_num_of(header.previous) + 1
        self.id = _block_id(header.previous, packed)
        self._signing_key: PublicKey | None = None

    @classmethod
    def read(cls, data: bytes) -> HeaderEnvelope:
        """Read the header at the front of a block; raises `DecodeError` or `ValidationError`."""
        header, end = unpack_from(SignedBlockHeader, data, 0)
        return cls(header, data[:end])

    @classmethod
    def sign(cls, header: BlockHeader, sign: Sign) -> HeaderEnvelope:
        """The header with the witness's signature on SHA256 of it (R9.7); `sign` is called once."""
        packed = pack(header)
        signature = sign(sha256(packed))
        signed = SignedBlockHeader(
            header.previous,
            header.timestamp,
            header.witness,
            header.transaction_merkle_root,
            header.extensions,
            signature,
        )
        return cls(signed, packed + signature)

    def note_signer(self, key: PublicKey) -> None:
        """Remember who signed the header: this process has just done so with that key."""
        self._signing_key = key

    def signing_key(self) -> PublicKey:
        """The key that signed the header; raises `KeyFormatError`. Recovered once, then kept."""
        if self._signing_key is None:
            signature = self.header.witness_signature
            body = self.packed[: -len(signature)]
            self._signing_key = recover_key(sha256(body), signature)
        return self._signing_key


T = TypeVar("T")
_Reader = Callable[[bytes, int, int], tuple[T, int]]

FindTransaction = Callable[[bytes, int], TransactionEnvelope | None]
"""A transaction whose binary form stands at an offset, when it was read before; or None."""


class BlockBody:
    """The transactions of a block and the answers of their operations, with their digests."""

    __slots__ = ("_parts", "digests", "transactions")

    digests: list[Digest]
    """SHA256 of each transaction and its answers, the leaves of the Merkle tree."""
    transactions: list[tuple[TransactionEnvelope, OperationResults]]
    """Each transaction and the answers of its operations, in order."""

    def __init__(self) -> None:
        self.digests = []
        self.transactions = []
        self._parts: list[bytes] = []

    @classmethod
    def read(cls, data: bytes, at: int, find: FindTransaction | None) -> BlockBody:
        """Read the transactions that fill `data` from an offset on, but for those that `find` has.

        Raises `DecodeError` or `ValidationError`.
        """
        body = cls()
        read_transaction = cast("_Reader[SignedTransaction]", reader_for(SignedTransaction))
        read_results = cast("_Reader[OperationResults]", reader_for(OperationResults))
        try:
            count, at = read_varint(data, at)
            for _ in range(count):
                start = at
                envelope = None if find is None else find(data, at)
                if envelope is None:
                    transaction, at = read_transaction(data, at, 0)
                    envelope = join_transaction(transaction, data[start:at])
                else:
                    at += envelope.size
                results, at = read_results(data, at, 0)
                body.append(envelope, results, data[start:at])
        except MALFORMED as error:
            raise malformed("block", data, error) from error
        if at != len(data):
            raise DecodeError("bytes after the end of a block", value=len(data), limit=at)
        return body

    def append(
        self, envelope: TransactionEnvelope, results: OperationResults, packed: bytes
    ) -> None:
        """Add a transaction and its answers; `packed` is the binary form of both."""
        self.transactions.append((envelope, results))
        self._parts.append(packed)
        self.digests.append(sha256(packed))

    def packed(self) -> bytes:
        """The binary form, which follows the header in a block."""
        out = bytearray()
        write_varint(out, len(self._parts))
        return bytes(out) + b"".join(self._parts)


class BlockEnvelope:
    """A block read once from its bytes; ids and digests come from slices, nothing is re-encoded."""

    __slots__ = ("_digests", "front", "header", "id", "num", "packed", "transactions")

    front: HeaderEnvelope
    """The signed header."""
    header: SignedBlockHeader
    id: BlockId
    num: int
    """Height: one more than the number in `previous`."""
    packed: bytes
    """Binary form of the whole block."""
    transactions: list[tuple[TransactionEnvelope, OperationResults]]
    """Each transaction and the answers of its operations, in order."""

    def __init__(self, front: HeaderEnvelope, body: BlockBody, packed: bytes) -> None:
        """Join header, transactions and the binary form of both, which must belong together."""
        self.front = front
        self.header = front.header
        self.id = front.id
        self.num = front.num
        self.packed = packed
        self.transactions = body.transactions
        self._digests = body.digests

    @classmethod
    def from_bytes(cls, data: bytes) -> BlockEnvelope:
        """Read a block that fills `data` exactly.

        Raises `DecodeError` or `ValidationError`; the size is checked
        before anything is read (R8.1).
        """
        _check_block_size(data)
        return cls.read(HeaderEnvelope.read(data), data)

    @classmethod
    def read(
        cls, front: HeaderEnvelope, data: bytes, find: FindTransaction | None = None
    ) -> BlockEnvelope:
        """Read the rest of a block whose header was read before; raises like `from_bytes`.

        Transactions that `find` has are not read again.
        """
        _check_block_size(data)
        assert data.startswith(front.packed)
        return cls(front, BlockBody.read(data, len(front.packed), find), data)

    @classmethod
    def produce(cls, header: BlockHeader, body: BlockBody, sign: Sign) -> BlockEnvelope:
        """Sign a header and join it with its transactions; nothing is encoded or read again."""
        front = HeaderEnvelope.sign(header, sign)
        return cls(front, body, front.packed + body.packed())

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
        return self.front.signing_key()


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
    return _results_packer()(results)


@cache
def _results_packer() -> Callable[[object], bytes]:
    return packer_for(OperationResults)


def _block_id(previous: BlockId, signed_header: bytes) -> BlockId:
    num = block_num_of(previous) + 1
    if num > MAX_BLOCK_NUM:
        raise ValidationError(
            "no block number is left", rule="R9.7", value=num, limit=MAX_BLOCK_NUM
        )
    return BlockId(num.to_bytes(4, "big") + sha224(signed_header)[4:20])


def _check_block_size(data: bytes) -> None:
    if len(data) > MAX_BLOCK_BYTES:
        raise DecodeError("block too large", rule="R8.1", value=len(data), limit=MAX_BLOCK_BYTES)
