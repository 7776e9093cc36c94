"""Blocks: ids, digests, the Merkle root, and reading from bytes once."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.asset import NO_FEE, AssetAmount
from protocol.binary import pack, unpack
from protocol.block import (
    EMPTY_MERKLE_ROOT,
    NO_BLOCK,
    BlockBody,
    BlockEnvelope,
    BlockHeader,
    HeaderEnvelope,
    OperationResults,
    SignedBlock,
    SignedBlockHeader,
    block_id,
    block_num_of,
    merkle_root,
    pack_results,
    processed,
)
from protocol.constants import MAX_BLOCK_BYTES
from protocol.crypto.hashes import ripemd160, sha224, sha256
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.signatures import sign_digest
from protocol.errors import DecodeError, PegboardError
from protocol.ids import AccountId, AssetId, ObjectId, WitnessId
from protocol.operations.base import Void
from protocol.operations.results import VoidResult
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId, Digest, Ripemd160, Tagged
from protocol.transaction import Transaction, TransactionEnvelope, sign
from tests.support.blocks import signed_block

CHAIN = sha256(b"a chain")
SECRET = PrivateKey(b"\x07" * 32)
SIGN = partial(sign_digest, SECRET)
PARENT = BlockId((41).to_bytes(4, "big") + b"\x09" * 16)

Transactions = list[tuple[TransactionEnvelope, OperationResults]]


def transactions(count: int) -> Transactions:
    found: Transactions = []
    for number in range(count):
        transfer = Transfer(NO_FEE, AccountId(number), AccountId(200), AssetAmount(5, AssetId(0)))
        signed = sign(Transaction(number, 2, 3, (transfer,)), [SECRET], CHAIN)
        result = VoidResult() if number % 2 else ObjectId(1, 7, number)
        found.append((TransactionEnvelope.from_transaction(signed), (result,)))
    return found


def produced(count: int) -> BlockEnvelope:
    content = transactions(count)
    root = merkle_root([sha256(pack(processed(*item))) for item in content])
    return sealed(BlockHeader(PARENT, 100, WitnessId(3), root), content)


def sealed(header: BlockHeader, content: Transactions) -> BlockEnvelope:
    body = BlockBody()
    for envelope, results in content:
        body.append(envelope, results, envelope.packed() + pack_results(results))
    return BlockEnvelope.produce(header, body, SIGN)


def test_a_block_is_read_once_and_without_loss() -> None:
    """R9.7: the envelope's ids and digests are those of the declared values."""
    envelope = produced(5)
    block = envelope.block
    assert pack(block) == envelope.packed
    assert unpack(SignedBlock, envelope.packed) == block
    assert BlockEnvelope.from_bytes(pack(block)).id == envelope.id
    names = list(SignedBlockHeader.__struct_fields__)
    assert envelope.header == SignedBlockHeader(*(getattr(block, name) for name in names))
    assert envelope.merkle_root() == block.transaction_merkle_root
    leaves = [sha256(pack(transaction)) for transaction in block.transactions]
    assert merkle_root(leaves) == envelope.merkle_root()
    assert [item.id for item, _ in envelope.transactions] == [
        item.id for item, _ in transactions(5)
    ]


def test_the_id_carries_the_number_and_commits_to_the_signature() -> None:
    """R9.7: SHA224 of the signed header, the number in the first four bytes."""
    envelope = produced(0)
    assert (envelope.num, block_num_of(envelope.id), block_num_of(NO_BLOCK)) == (42, 42, 0)
    assert envelope.id == block_id(envelope.header)
    assert envelope.id[4:] == sha224(pack(envelope.header))[4:20]


def test_the_id_needs_no_more_than_the_header() -> None:
    """R9.7: bytes behind the header, even senseless ones, do not change the id."""
    envelope = produced(2)
    size = len(pack(envelope.header))
    assert HeaderEnvelope.read(envelope.packed).id == envelope.id
    front = HeaderEnvelope.read(envelope.packed[:size] + b"senseless")
    assert (front.id, front.num, front.header) == (envelope.id, envelope.num, envelope.header)
    assert front.signing_key() == public_key(SECRET)
    with pytest.raises(DecodeError):
        HeaderEnvelope.read(envelope.packed[: size - 1])


def test_the_witness_signs_the_header() -> None:
    """R8.1: the key is recovered from the slice that was signed."""
    header = BlockHeader(PARENT, 100, WitnessId(3), EMPTY_MERKLE_ROOT)
    envelope = produced(0)
    assert envelope.header.witness_signature == SIGN(sha256(pack(header)))
    assert envelope.front.packed == pack(envelope.header)
    assert envelope.signing_key() == public_key(SECRET)
    content = transactions(2)
    envelope = signed_block(header, [processed(*item) for item in content], SECRET)
    assert envelope.merkle_root() != envelope.header.transaction_merkle_root


def test_merkle_root_promotes_the_odd_one() -> None:
    """R9.7: pairs hashed, odd one promoted, RIPEMD160 of the last."""
    a, b, c = (sha256(letter) for letter in (b"a", b"b", b"c"))
    assert merkle_root([]) == EMPTY_MERKLE_ROOT
    assert merkle_root([a]) == ripemd160(a)
    assert merkle_root([a, b]) == ripemd160(sha256(a + b))
    assert merkle_root([a, b, c]) == ripemd160(sha256(sha256(a + b) + c))


def slow_merkle_root(level: list[Digest]) -> Ripemd160:
    if not level:
        return EMPTY_MERKLE_ROOT
    if len(level) == 1:
        return ripemd160(level[0])
    above = []
    for start in range(0, len(level), 2):
        pair = level[start : start + 2]
        above.append(sha256(b"".join(pair)) if len(pair) == 2 else pair[0])
    return slow_merkle_root(above)


@given(st.integers(0, 40))
def test_merkle_root_equals_its_slow_twin(count: int) -> None:
    leaves = [sha256(bytes([number])) for number in range(count)]
    assert merkle_root(leaves) == slow_merkle_root(leaves)


def test_header_extensions_change_no_other_byte() -> None:
    """R9.7: the seam of later header members lies between root and signature."""
    plain = BlockHeader(PARENT, 100, WitnessId(3), EMPTY_MERKLE_ROOT)
    extended = BlockHeader(PARENT, 100, WitnessId(3), EMPTY_MERKLE_ROOT, (Tagged(0, Void()),))
    assert pack(extended) == pack(plain)[:-1] + b"\x01\x00"
    envelope = sealed(extended, [])
    assert envelope.header.extensions == (Tagged(0, Void()),)
    assert envelope.signing_key() == public_key(SECRET)


def test_damaged_blocks_are_refused() -> None:
    """R8.1: cut anywhere or with bytes behind, and never larger than the bound."""
    packed = produced(2).packed
    for length in range(len(packed)):
        with pytest.raises(PegboardError):
            BlockEnvelope.from_bytes(packed[:length])
    with pytest.raises(DecodeError, match="after the end"):
        BlockEnvelope.from_bytes(packed + b"\x00")
    with pytest.raises(DecodeError) as caught:
        BlockEnvelope.from_bytes(packed + bytes(MAX_BLOCK_BYTES))
    assert caught.value.limit == MAX_BLOCK_BYTES


@given(st.data())
def test_a_flipped_byte_never_escapes_as_another_error(data: st.DataObject) -> None:
    packed = bytearray(PACKED)
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        envelope = BlockEnvelope.from_bytes(bytes(packed))
    except PegboardError:
        return
    assert envelope.id != INTACT.id or envelope.merkle_root() != INTACT.merkle_root()


INTACT = produced(3)
PACKED = INTACT.packed
