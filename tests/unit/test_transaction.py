"""Transactions: envelopes, signatures, and what is refused before the chain is asked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from protocol.asset import AssetAmount
from protocol.binary import pack
from protocol.constants import MAX_TRANSACTION_SIGNATURES
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import PrivateKey, public_key
from protocol.errors import DecodeError, DuplicateSignature, KeyFormatError, ValidationError
from protocol.ids import AccountId, AssetId
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId, Signature
from protocol.transaction import (
    SignedTransaction,
    Transaction,
    TransactionEnvelope,
    reference_block,
    sign,
    unsigned,
)

CHAIN, OTHER_CHAIN = sha256(b"one chain"), sha256(b"another chain")
SECRETS = [PrivateKey(bytes([number]) * 32) for number in (1, 2, 3)]
TRANSFER = Transfer(
    AssetAmount(0, AssetId(0)), AccountId(7), AccountId(8), AssetAmount(5, AssetId(0))
)
TRANSACTION = Transaction(1, 2, 3, (TRANSFER, TRANSFER))


def test_an_envelope_knows_body_id_and_size() -> None:
    """R9.7: the id leaves the signatures out, the size counts them."""
    signed = sign(TRANSACTION, SECRETS, CHAIN)
    envelope = TransactionEnvelope.from_transaction(signed)
    assert envelope.body == pack(TRANSACTION)
    assert envelope.id == sha256(pack(TRANSACTION))[:20]
    assert envelope.packed() == pack(signed)
    assert envelope.size == len(pack(TRANSACTION)) + 1 + 3 * 65
    assert unsigned(signed) == TRANSACTION
    envelope.validate()


def test_bytes_and_back() -> None:
    packed = pack(sign(TRANSACTION, SECRETS[:1], CHAIN))
    envelope = TransactionEnvelope.from_bytes(packed)
    assert TransactionEnvelope.from_transaction(envelope.transaction).packed() == packed
    with pytest.raises(DecodeError, match="after the end"):
        TransactionEnvelope.from_bytes(packed + b"\x00")
    for length in range(len(packed)):
        with pytest.raises(DecodeError):
            TransactionEnvelope.from_bytes(packed[:length])


def test_the_signers_are_recovered_once() -> None:
    """R9.5: in the order of the signatures, and only for this chain."""
    envelope = TransactionEnvelope.from_transaction(sign(TRANSACTION, SECRETS, CHAIN))
    assert not envelope.knows_signature_keys()
    expected = tuple(public_key(secret) for secret in SECRETS)
    assert envelope.signature_keys(CHAIN) == expected
    assert envelope.knows_signature_keys()
    elsewhere = TransactionEnvelope.from_bytes(envelope.packed())
    assert elsewhere.signature_keys(OTHER_CHAIN) != expected


def test_keys_from_a_worker_are_taken() -> None:
    envelope = TransactionEnvelope.from_transaction(sign(TRANSACTION, SECRETS[:1], CHAIN))
    envelope.set_signature_keys([public_key(SECRETS[0])])
    assert envelope.signature_keys(CHAIN) == (public_key(SECRETS[0]),)


def test_one_key_signs_once() -> None:
    """R9.5: `duplicate_sig`, also when the key comes from a worker."""
    twice = sign(TRANSACTION, [SECRETS[0], SECRETS[0]], CHAIN)
    envelope = TransactionEnvelope.from_transaction(twice)
    with pytest.raises(DuplicateSignature):
        envelope.signature_keys(CHAIN)
    with pytest.raises(DuplicateSignature):
        envelope.set_signature_keys([public_key(SECRETS[0])] * 2)


def test_too_many_signatures_are_refused_unread() -> None:
    """R9.5: before any key is recovered."""
    signature = Signature(bytes(65))
    limit = MAX_TRANSACTION_SIGNATURES
    most = SignedTransaction(1, 2, 3, (TRANSFER,), (), (signature,) * limit)
    TransactionEnvelope.from_transaction(most)
    for count in (limit + 1, 200):
        many = replace(most, signatures=(signature,) * count)
        with pytest.raises(ValidationError) as caught:
            TransactionEnvelope.from_transaction(many)
        assert (caught.value.value, caught.value.limit) == (count, limit)
        with pytest.raises(ValidationError, match="too many"):
            TransactionEnvelope.from_bytes(pack(many))


def test_a_signature_by_no_key_is_refused() -> None:
    envelope = TransactionEnvelope.from_transaction(
        SignedTransaction(1, 2, 3, (TRANSFER,), (), (Signature(b"\x1f" + bytes(64)),))
    )
    with pytest.raises(KeyFormatError):
        envelope.signature_keys(CHAIN)


def test_validation_needs_an_operation_and_asks_each() -> None:
    """R9.3: at least one operation, each valid by itself."""
    with pytest.raises(ValidationError, match="without operations"):
        TransactionEnvelope.from_transaction(SignedTransaction(1, 2, 3, ())).validate()
    bad = replace(TRANSFER, to=TRANSFER.from_)
    with pytest.raises(ValidationError, match="same"):
        TransactionEnvelope.from_transaction(SignedTransaction(1, 2, 3, (TRANSFER, bad))).validate()


def test_reference_block() -> None:
    """R9.3: lower 16 bits of the number, second word of the id as little endian."""
    block = BlockId((0x12345).to_bytes(4, "big") + bytes([1, 2, 3, 4]) + bytes(12))
    assert reference_block(block) == (0x2345, 0x04030201)
