"""T-P3, T-P6: a block, its header first."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec

from protocol.binary import pack
from protocol.block import BlockEnvelope, HeaderEnvelope, SignedBlock
from protocol.errors import KeyFormatError, ProtocolError
from protocol.json_form import from_json, to_json
from tests.fuzz.targets import Refused, accepted, typed
from tests.fuzz.transactions import PREFIX, VECTORS, check_transaction
from tests.support.fake_chain import GENESIS_ID, make_block

MAX_BYTES = 1_024


def seeds() -> list[bytes]:
    """A block of bitshares-core's own node, and the smallest ones."""
    vector = json.loads((VECTORS / "block.json").read_text(encoding="utf-8"))
    block = pack(from_json(SignedBlock, vector["block"], PREFIX))
    return [
        block,
        block[:-1],
        block[:50],
        block + b"\0",
        make_block(GENESIS_ID),
        make_block(GENESIS_ID, b"payload"),
    ]


@accepted
def check(data: bytes) -> None:
    """A header is read alone as with its block; a block has one binary form."""
    with typed(ProtocolError):
        front = HeaderEnvelope.read(data)
    assert data.startswith(front.packed)
    assert pack(front.header) == front.packed, "a second binary form of one header"
    with typed(ProtocolError):
        envelope = BlockEnvelope.from_bytes(data)
    assert (envelope.id, envelope.num) == (front.id, front.num)
    assert envelope.num - 1 == int.from_bytes(front.header.previous[:4], "big")
    block = envelope.block
    assert pack(block) == data, "a second binary form of one block"
    envelope.merkle_root()
    text = msgspec.json.encode(to_json(block, PREFIX))
    read = from_json(SignedBlock, msgspec.json.decode(text), PREFIX)
    assert pack(read) == data, "another block in JSON"
    for transaction, _ in envelope.transactions:
        check_transaction(transaction)
    with suppress(Refused), typed(KeyFormatError):
        front.signing_key()
