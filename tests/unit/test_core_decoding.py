"""What a peer delivers is read once between its message and the chain, and passed on as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import pytest

from node.core.effects import RecoverKeys
from node.core.inbox import WORKER_FROM_SIGNATURES
from node.core.settings import CoreSettings
from node.p2p.effects import ClosePeer
from protocol import block, transaction
from protocol.binary import Reader, reader_for, unpack_from
from protocol.block import BlockEnvelope, SignedBlockHeader
from protocol.crypto.curve import KEY_LENGTH
from protocol.crypto.recovery import recover_keys
from protocol.genesis_form import Genesis
from protocol.p2p.messages import GoodbyeCode
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, transfer
from tests.support.core_player import Player

ON_DEMAND = CoreSettings(by_the_clock=False)


class Reads:
    """How often the derived readers read each transaction and each header."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[type, bytes]] = Counter()

    def unpack_from(self, cls: type, data: bytes, offset: int) -> tuple[object, int]:
        """The true reader, counted."""
        value: object
        value, end = unpack_from(cls, data, offset)
        self.counts[cls, data[offset:end]] += 1
        return value, end

    def reader_for(self, annotation: Hashable) -> Reader:
        """The true reader of a declared class, counted; of anything else as it is."""
        if not isinstance(annotation, type):
            return reader_for(annotation)
        cls = annotation
        return lambda data, offset, depth: self.unpack_from(cls, data, offset)

    def of(self, read: TransactionEnvelope | BlockEnvelope) -> int:
        """How often this one was read."""
        if isinstance(read, BlockEnvelope):
            return self.counts[SignedBlockHeader, read.front.packed]
        return self.counts[SignedTransaction, read.packed()]


@pytest.fixture
def reads(interpreted: None, monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    monkeypatch.setattr(block, "unpack_from", found.unpack_from)
    monkeypatch.setattr(block, "reader_for", found.reader_for)
    monkeypatch.setattr(transaction, "unpack_from", found.unpack_from)
    return found


@pytest.fixture
def genesis() -> Genesis:
    return make_genesis("alice", "bob")


def test_each_node_reads_an_item_once(genesis: Genesis, reads: Reads) -> None:
    """R9.7: gossiped, relayed, included, announced in a block: one reading a node, the same bytes.

    The first node makes transaction and block itself and reads neither.
    """
    maker = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    middle, far = CoreNode(genesis, name=2), CoreNode(genesis, name=3)
    nodes = [maker, middle, far]
    maker.connect(middle, START_MS)
    middle.connect(far, START_MS)
    now_ms = run(nodes, START_MS, 1)
    sent = transfer(maker.chain, 7)
    maker.core.broadcast(sent, now_ms)
    now_ms = run(nodes, now_ms, 1)
    pending = far.chain.pending_transaction(sent.id)
    assert pending is not None
    assert pending.packed() == sent.packed()
    assert reads.of(sent) == 2

    (made,) = maker.core.generate_blocks(1, now_ms)
    run(nodes, now_ms, 1)
    for node in nodes:
        envelope = node.chain.block_envelope(made.id)
        assert envelope is not None
        assert envelope.packed == made.packed
        assert [item.id for item, _ in envelope.transactions] == [sent.id]
    assert (reads.of(sent), reads.of(made)) == (2, 2)


def test_a_synced_block_is_read_once(genesis: Genesis, reads: Reads) -> None:
    """S5: header and transactions once each, though the header is judged long before the rest."""
    old = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    sent: list[TransactionEnvelope] = []
    made: list[BlockEnvelope] = []
    for amount in range(1, 31):
        sent.append(transfer(old.chain, amount))
        old.core.broadcast(sent[-1], START_MS)
        made += old.core.generate_blocks(1, START_MS)
    fresh = CoreNode(genesis, name=2)
    now_ms = old.chain.head_time * 1_000
    fresh.connect(old, now_ms)
    run([old, fresh], now_ms, 3)
    assert fresh.chain.head_id == old.chain.head_id
    assert {reads.of(item) for item in sent} == {reads.of(item) for item in made} == {1}
    assert fresh.chain.state_hash() == old.chain.state_hash()


def test_keys_of_what_is_pending_are_not_recovered_again(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that came before its block keeps its keys: no worker is asked, nor is its
    signature looked at again, however many they are; only those that did not come are."""
    maker = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    sent = [transfer(maker.chain, number + 1) for number in range(2 * WORKER_FROM_SIGNATURES)]
    for one in sent:
        maker.core.broadcast(one, START_MS)
    (made,) = maker.core.generate_blocks(1, START_MS)
    now_ms = maker.chain.head_time * 1_000
    for known in (len(sent), WORKER_FROM_SIGNATURES):
        player = Player(CoreNode(genesis, name=2), 1, now_ms)
        for one in sent[:known]:
            player.node.chain.push_transaction(TransactionEnvelope.from_bytes(one.packed()))
        monkeypatch.setattr(transaction, "recover_key", _refuse)
        assert player.deliver(made, made.packed) == ""
        monkeypatch.undo()
        asked = [item for item in player.effects if isinstance(item, RecoverKeys)]
        for question in asked:
            keys = recover_keys(question.questions)
            assert len(keys) == KEY_LENGTH * (len(sent) - known)
            player.node.core.keys_recovered(question.token, keys, now_ms)
        assert len(asked) == (known < len(sent))
        assert player.node.chain.head_id == made.id


def _refuse(*_: object) -> None:
    raise AssertionError("a key is recovered again")


def block_with_a_transfer(genesis: Genesis) -> BlockEnvelope:
    maker = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    maker.core.broadcast(transfer(maker.chain, 7), START_MS)
    (made,) = maker.core.generate_blocks(1, START_MS)
    return made


def test_a_true_header_with_a_damaged_body_is_held_against_its_sender_alone(
    genesis: Genesis,
) -> None:
    """T-P6: its id is not spoiled, and the true block comes from the next peer."""
    made = block_with_a_transfer(genesis)
    for damaged in (made.packed[:-1], made.packed + b"\x00"):
        node = CoreNode(genesis, name=2)
        liar, honest = Player(node, 1), Player(node, 2)
        assert liar.deliver(made, damaged).startswith("decode_error")
        (closed,) = (item for item in liar.effects if isinstance(item, ClosePeer))
        assert (closed.peer, closed.code) == (liar.key, GoodbyeCode.INVALID_ITEM)
        assert honest.deliver(made, made.packed) == ""
        assert node.chain.head_id == made.id


def test_a_header_is_judged_before_the_body_is_read(genesis: Genesis, reads: Reads) -> None:
    """T-W3: of a block from the future nothing but the header is read."""
    maker = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    sent = transfer(maker.chain, 7)
    maker.core.broadcast(sent, START_MS)
    (made,) = maker.core.generate_blocks(1, START_MS, earliest_s=maker.chain.head_time + 50)
    player = Player(CoreNode(genesis, name=2), 1)
    assert player.deliver(made, made.packed).startswith("future_block")
    assert (reads.of(made), reads.of(sent)) == (1, 0)
