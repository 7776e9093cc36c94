"""T-P3, T-P4: a signed transaction in binary form, or as JSON text if the first byte is odd."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import msgspec

from protocol.binary import pack, unpack
from protocol.errors import DuplicateSignature, KeyFormatError, ProtocolError, ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE, required_fee
from protocol.json_form import from_json, to_json
from protocol.msgpack_form import pack_document, to_plain
from protocol.msgpack_read import MsgpackReader
from protocol.operations.authorities import required_authorities
from protocol.schema import Digest
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.fuzz.targets import Refused, accepted, typed

MAX_BYTES = 1_024
PREFIX = "BTS"
CHAIN = Digest(bytes(32))
VECTORS = Path(__file__).parent.parent / "vectors"
FEE_MAX = 1 << 80
BEFORE, AFTER = bytes(10) + b"\1", b"\0\1\x1f" + 64 * b"\x11"
"""What stands around the one operation of a transaction with one signature."""


def seeds() -> list[bytes]:
    """A transaction of each operation, as other libraries write it, in both forms; some cut."""
    vectors = json.loads((VECTORS / "operations.json").read_text(encoding="utf-8"))
    found = []
    for vector in vectors:
        packed = BEFORE + bytes.fromhex(vector["serialized_hex"]) + AFTER
        found.append(b"\0" + packed)
        document = to_json(unpack(SignedTransaction, packed), PREFIX)
        found.append(b"\1" + json.dumps(document, separators=(",", ":")).encode())
    packed = found[0]
    return [*found, packed[:-1], packed[:20], packed + b"\0", found[1][:-1]]


@accepted
def check(data: bytes) -> None:
    """One binary form; what is read can be judged, priced and written in every form."""
    if not data:
        raise Refused
    if data[0] % 2:
        try:
            document = msgspec.json.decode(data[1:])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Refused from None
        with typed(ProtocolError):
            transaction = from_json(SignedTransaction, document, PREFIX)
            envelope = TransactionEnvelope.from_transaction(transaction)
        check_transaction(TransactionEnvelope.from_bytes(envelope.packed()))
    else:
        with typed(ProtocolError):
            envelope = TransactionEnvelope.from_bytes(data[1:])
        assert pack(envelope.transaction) == data[1:], "a second binary form of one transaction"
        check_transaction(envelope)


def check_transaction(envelope: TransactionEnvelope) -> None:
    """Everything that a node does with a transaction before it looks at its chain."""
    transaction = envelope.transaction
    packed = pack(transaction)
    assert packed == envelope.packed()
    text = msgspec.json.encode(to_json(transaction, PREFIX))
    read = from_json(SignedTransaction, msgspec.json.decode(text), PREFIX)
    assert pack(read) == packed, "another transaction in JSON"
    read = MsgpackReader().read(SignedTransaction, pack_document(to_plain(transaction)))
    assert pack(read) == packed, "another transaction in MessagePack"
    for operation in transaction.operations:
        required_authorities(operation)
    with typed(ValidationError):
        envelope.validate()
    for operation in transaction.operations:
        fee = required_fee(operation, DEFAULT_FEE_SCHEDULE)
        assert 0 <= fee < FEE_MAX, f"a fee of {fee}"
    with suppress(Refused), typed(KeyFormatError, DuplicateSignature):
        envelope.signature_keys(CHAIN)
