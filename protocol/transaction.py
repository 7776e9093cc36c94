"""Transactions: operations applied together or not at all, and their signatures (R9.3, R9.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocol.binary import pack, unpack_from
from protocol.constants import MAX_TRANSACTION_SIGNATURES
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import recover_key, sign_digest
from protocol.errors import DecodeError, DuplicateSignature, ValidationError
from protocol.operations import OperationResult
from protocol.operations.base import TaggedOperation
from protocol.schema import (
    BlockId,
    Digest,
    Mutable,
    NoExtensions,
    PublicKey,
    Record,
    Signature,
    Timestamp,
    TransactionId,
    UInt16,
    UInt32,
)

_SIGNATURE_LENGTH = 65


class Transaction(Record):
    """Operations and the block and time that they refer to; what a signature covers."""

    ref_block_num: UInt16
    """Number of the block referred to, its lower 16 bits (TaPoS, R9.3)."""
    ref_block_prefix: UInt32
    """Second four bytes of that block's id, little endian."""
    expiration: Timestamp
    """Time of the head block after which the transaction is refused."""
    operations: tuple[TaggedOperation, ...]
    extensions: NoExtensions = ()


class SignedTransaction(Record):
    """A transaction as it is broadcast: its fields and the signatures, flat."""

    ref_block_num: UInt16
    ref_block_prefix: UInt32
    expiration: Timestamp
    operations: tuple[TaggedOperation, ...]
    extensions: NoExtensions = ()
    signatures: tuple[Signature, ...] = ()
    """In any order; each by another key (R9.5)."""


class ProcessedTransaction(Record):
    """A transaction as it stands in a block: with the answers of its operations."""

    ref_block_num: UInt16
    ref_block_prefix: UInt32
    expiration: Timestamp
    operations: tuple[TaggedOperation, ...]
    extensions: NoExtensions = ()
    signatures: tuple[Signature, ...] = ()
    operation_results: tuple[OperationResult, ...] = ()
    """One answer for each operation, in order; BitShares' producers leave it empty in a block."""


class TransactionEnvelope(Mutable):
    """A signed transaction with its bytes, its id and, once known, the keys that signed it."""

    transaction: SignedTransaction
    _packed: bytes
    body: bytes
    """Binary form without the signatures; what the id and the signatures commit to."""
    id: TransactionId
    """First 20 bytes of SHA256 of the body (R9.7)."""
    _signature_keys: tuple[PublicKey, ...] | None = None
    _validated: bool = False

    @classmethod
    def from_transaction(cls, transaction: SignedTransaction) -> TransactionEnvelope:
        """Pack a transaction; raises `EncodeError`, or `ValidationError` as `from_bytes`."""
        return join_transaction(transaction, pack(transaction))

    @classmethod
    def from_bytes(cls, data: bytes) -> TransactionEnvelope:
        """Read a signed transaction that fills `data` exactly.

        Raises `DecodeError`, or `ValidationError` for too many signatures.
        """
        envelope, end = cls.read(data, 0)
        if end != len(data):
            raise DecodeError("bytes after the end of a transaction", value=len(data), limit=end)
        return envelope

    @classmethod
    def read(cls, data: bytes, offset: int) -> tuple[TransactionEnvelope, int]:
        """Read a signed transaction that starts at `offset`, and the offset behind it."""
        transaction, end = unpack_from(SignedTransaction, data, offset)
        return join_transaction(transaction, data[offset:end]), end

    @property
    def size(self) -> int:
        """Bytes of the binary form, signatures included; limited by R9.3."""
        return len(self._packed)

    def packed(self) -> bytes:
        """The binary form of the signed transaction."""
        return self._packed

    def digest(self, chain_id: Digest) -> Digest:
        """What the signatures sign: SHA256 of the chain id and the body (R9.7, T-C1)."""
        return sha256(chain_id + self.body)

    def signature_keys(self, chain_id: Digest) -> tuple[PublicKey, ...]:
        """The keys that signed, in the order of the signatures; recovered once, then kept.

        Raises `KeyFormatError` for a signature that is malformed or by no key, and
        `DuplicateSignature`. An envelope belongs to one chain.
        """
        if self._signature_keys is None:
            digest = self.digest(chain_id)
            self.set_signature_keys(
                [recover_key(digest, signature) for signature in self.transaction.signatures]
            )
        keys = self._signature_keys
        assert keys is not None, "they were set"
        return keys

    def set_signature_keys(self, keys: Sequence[PublicKey]) -> None:
        """Take keys that were recovered elsewhere; raises `DuplicateSignature` (R9.5)."""
        assert len(keys) == len(self.transaction.signatures), "one key for each signature"
        if len(keys) > 1 and len(set(keys)) != len(keys):
            raise DuplicateSignature(
                "two signatures by one key", rule="R9.5", value=len(keys), limit=len(set(keys))
            )
        self._signature_keys = tuple(keys)

    def knows_signature_keys(self) -> bool:
        """Whether the keys have been recovered already."""
        return self._signature_keys is not None

    def validate(self) -> None:
        """Check what needs no chain state, once (R9.3); raises `ValidationError`."""
        if self._validated:
            return
        if not self.transaction.operations:
            raise ValidationError("transaction without operations", rule="R9.3", value=0, limit=1)
        for operation in self.transaction.operations:
            operation.validate()
        self._validated = True


def join_transaction(transaction: SignedTransaction, packed: bytes) -> TransactionEnvelope:
    """The envelope of a transaction and its binary form, which must belong together.

    Raises `ValidationError` for too many signatures.
    """
    count = len(transaction.signatures)
    if count > MAX_TRANSACTION_SIGNATURES:
        limit = MAX_TRANSACTION_SIGNATURES
        raise ValidationError("too many signatures", rule="R9.5", value=count, limit=limit)
    body = packed[: -1 - _SIGNATURE_LENGTH * count]
    return TransactionEnvelope(transaction, packed, body, TransactionId(sha256(body)[:20]))


def sign(
    transaction: Transaction, secrets: Iterable[PrivateKey], chain_id: Digest
) -> SignedTransaction:
    """The transaction with one signature for each secret, in their order."""
    digest = sha256(chain_id + pack(transaction))
    return SignedTransaction(
        transaction.ref_block_num,
        transaction.ref_block_prefix,
        transaction.expiration,
        transaction.operations,
        transaction.extensions,
        tuple(sign_digest(secret, digest) for secret in secrets),
    )


def unsigned(transaction: SignedTransaction | ProcessedTransaction) -> Transaction:
    """The part of a transaction that its signatures cover."""
    return Transaction(
        transaction.ref_block_num,
        transaction.ref_block_prefix,
        transaction.expiration,
        transaction.operations,
        transaction.extensions,
    )


def reference_block(block: BlockId) -> tuple[int, int]:
    """`ref_block_num` and `ref_block_prefix` of a transaction that builds on a block (R9.3)."""
    return int.from_bytes(block[2:4], "big"), reference_prefix(block)


def reference_prefix(block: BlockId) -> int:
    """The second four bytes of a block's id: `ref_block_prefix` (R9.3)."""
    return int.from_bytes(block[4:8], "little")
