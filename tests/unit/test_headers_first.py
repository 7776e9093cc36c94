"""P1, P2, T-P6: a block is judged by its header before its body is read, kept or passed on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from node.chain.chain import Chain
from node.core.effects import RecoverKeys, StoreBlocks
from node.core.inbox import INBOX_BYTES_MAX, WORKER_FROM_SIGNATURES, block_refusal
from node.core.settings import CoreSettings
from node.p2p.effects import ClosePeer
from node.p2p.limits import PeerLimits
from node.p2p.verdicts import BlockRefusal
from node.state.errors import AgainstCheckpoint, TooManyForks
from protocol.asset import NO_FEE
from protocol.block import (
    BlockBody,
    BlockEnvelope,
    BlockHeader,
    merkle_root,
    pack_results,
)
from protocol.constants import MAX_BLOCK_BYTES, MAX_TRANSACTION_SIGNATURES
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.genesis_form import Genesis
from protocol.ids import AccountId
from protocol.operations.custom import Custom
from protocol.p2p.messages import (
    BlockMessage,
    Fetch,
    GoodbyeCode,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
)
from protocol.schema import BlockId, Signature
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, transfer
from tests.support.core_player import Player
from tests.support.world import secret_of

ON_DEMAND = CoreSettings(by_the_clock=False)
LOST = BlockId(b"\x00\x00\x00\x04" + b"lost" * 4)
NOW_MS = START_MS + 60_000


@pytest.fixture
def genesis() -> Genesis:
    return make_genesis("alice", "bob")


def heavy_body(signatures: int = WORKER_FROM_SIGNATURES) -> BlockBody:
    """Transactions with so many signatures that a worker has to recover the keys."""
    body = BlockBody()
    for number in range(-(-signatures // MAX_TRANSACTION_SIGNATURES)):
        operation = Custom(NO_FEE, AccountId(0), (), number, b"")
        some = tuple(Signature(bytes(64) + bytes((n,))) for n in range(MAX_TRANSACTION_SIGNATURES))
        envelope = TransactionEnvelope.from_transaction(
            SignedTransaction(0, 0, 0, (operation,), (), some)
        )
        body.append(envelope, (), envelope.packed() + pack_results(()))
    return body


class Maker:
    """Blocks on top of a node's head, right or wrong in what a test says."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def make(
        self,
        *,
        slot: int = 1,
        previous: BlockId | None = None,
        late_s: int = 0,
        turn: int | None = None,
        secret: PrivateKey | None = None,
        body: BlockBody | None = None,
    ) -> BlockEnvelope:
        """A block; without changes it is that of the scheduled witness."""
        chain = self.chain
        witness = chain.scheduled_witness(slot if turn is None else turn)
        name = chain.state.accounts.get(chain.state.witnesses.get(witness).witness_account).name
        body = heavy_body() if body is None else body
        header = BlockHeader(
            chain.head_id if previous is None else previous,
            chain.slot_time(slot) + late_s,
            witness,
            merkle_root(body.digests),
        )
        return BlockEnvelope.produce(
            header, body, partial(sign_digest, secret or secret_of(f"{name} block"))
        )


def node_with_blocks(genesis: Genesis) -> CoreNode:
    node = CoreNode(genesis, witness_names(3), ON_DEMAND, name=2)
    node.core.generate_blocks(4, START_MS)
    node.carry(START_MS)
    return node


STRANGER = secret_of("stranger")

FALSE_HEADERS: dict[str, Callable[[Maker], BlockEnvelope]] = {
    "unlinkable_block": lambda maker: maker.make(previous=LOST),
    "wrong_timestamp": lambda maker: maker.make(late_s=1),
    "wrong_witness": lambda maker: maker.make(turn=2),
    "wrong_witness_signature": lambda maker: maker.make(secret=STRANGER),
    "wrong_witness_signature below the head": lambda maker: maker.make(
        secret=STRANGER, previous=maker.chain.id_at(maker.chain.head_num - 1), slot=2, turn=3
    ),
    "future_block": lambda maker: maker.make(slot=1_000),
}


@pytest.mark.parametrize("name", FALSE_HEADERS)
def test_a_false_header_costs_no_body(
    genesis: Genesis, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """P1, P2, T-P6: no transaction is read, no key recovered, nothing is kept or passed on."""
    node = node_with_blocks(genesis)
    player, witness = Player(node, 1, NOW_MS), Player(node, 2, NOW_MS)
    made = FALSE_HEADERS[name](Maker(node.chain))

    def read(*_: object) -> None:
        raise AssertionError("the body was read")

    monkeypatch.setattr(BlockBody, "read", read)
    if name.startswith("wrong_witness_signature below"):
        refused = player.deliver(made, made.packed)
        assert refused.startswith(("wrong_witness", "wrong_witness_signature"))
    else:
        assert player.deliver(made, made.packed).startswith(name)
    assert not [item for item in player.effects if isinstance(item, RecoverKeys | StoreBlocks)]
    assert not node.chain.has_block(made.id)
    assert not witness.read(player.effects)


def test_another_body_than_the_headers_is_not_recovered(genesis: Genesis) -> None:
    """P1: a true header with 29,760 signatures of somebody else costs a hash, and its sender."""
    node = node_with_blocks(genesis)
    liar, honest = Player(node, 1, NOW_MS), Player(node, 2, NOW_MS)
    made = Maker(node.chain).make(body=BlockBody())
    body = heavy_body(29_000).packed()
    assert len(body) < MAX_BLOCK_BYTES
    assert liar.deliver(made, made.front.packed + body).startswith("wrong_merkle_root")
    assert not [item for item in liar.effects if isinstance(item, RecoverKeys)]
    assert [item.code for item in liar.effects if isinstance(item, ClosePeer)] == [
        GoodbyeCode.INVALID_ITEM
    ]
    assert honest.deliver(made, made.packed) == ""
    assert node.chain.head_id == made.id


def test_a_lying_witness_holds_up_only_its_own_block(genesis: Genesis) -> None:
    """P1: while the keys of its signatures are recovered, other blocks go their way."""
    node = node_with_blocks(genesis)
    liar, honest = Player(node, 1, NOW_MS), Player(node, 2, NOW_MS)
    heavy = Maker(node.chain).make(body=heavy_body(29_000))
    liar.deliver(heavy, heavy.packed)
    (question,) = (item for item in liar.effects if isinstance(item, RecoverKeys))
    later = Maker(node.chain).make(slot=2, body=BlockBody())
    assert honest.deliver(later, later.packed) == ""
    assert node.chain.head_id == later.id
    node.core.keys_recovered(question.token, [None] * len(question.items), NOW_MS)
    assert node.chain.head_id == later.id


def test_what_waits_for_its_keys_has_a_cap(genesis: Genesis) -> None:
    """P1: bytes of blocks in the inbox are bounded; what is beyond may come again later."""
    node = node_with_blocks(genesis)
    players = [Player(node, number, NOW_MS) for number in range(1, 40)]
    refused = []
    for slot, player in enumerate(players, 1):
        made = Maker(node.chain).make(slot=slot, body=heavy_body(29_000))
        size = len(made.packed)
        player.now_ms += slot * 5_000
        refused.append(player.deliver(made, made.packed))
        assert not [item for item in player.effects if isinstance(item, ClosePeer)]
    taken = INBOX_BYTES_MAX // size
    assert refused[:taken] == [""] * taken
    assert all(reason.startswith("too_many_forks") for reason in refused[taken:])
    assert taken < len(refused)


def test_a_fork_is_neither_stored_nor_passed_on_before_it_wins(genesis: Genesis) -> None:
    """P2: a right block beside the head takes memory alone; when it wins it is both."""
    node = node_with_blocks(genesis)
    other = CoreNode(genesis, witness_names(3), ON_DEMAND, name=3)
    for num in range(1, node.chain.head_num):
        stored = node.blocks.blocks_from(num, 1)[0]
        other.core.push_block(BlockEnvelope.from_bytes(stored.data), NOW_MS)
    fork = other.core.generate_blocks(2, NOW_MS, earliest_s=node.chain.slot_time(1))
    sender, listener = Player(node, 1, NOW_MS), Player(node, 2, NOW_MS)
    assert sender.deliver(fork[0], fork[0].packed) == ""
    assert node.chain.has_block(fork[0].id)
    assert not [item for item in sender.effects if isinstance(item, StoreBlocks)]
    wanted = Fetch(ItemKind.BLOCK, (fork[0].id,))
    assert listener.send(wanted) == [NotAvailable(ItemKind.BLOCK, (fork[0].id,))]

    assert sender.deliver(fork[1], fork[1].packed) == ""
    (move,) = (item for item in sender.effects if isinstance(item, StoreBlocks))
    assert [block_id for block_id, _, _ in move.blocks] == [block.id for block in fork]
    assert node.chain.head_id == fork[1].id
    assert announced(listener.read(sender.effects)) == [block.id for block in fork]
    assert listener.send(wanted) == [BlockMessage(fork[0].packed)]


def announced(messages: list[Message]) -> list[bytes]:
    """Block ids in the inventories among some messages."""
    return [
        item_id
        for message in messages
        if isinstance(message, Inventory) and message.kind == ItemKind.BLOCK
        for item_id in message.ids
    ]


def test_random_keys_do_not_set_honest_nodes_against_each_other(genesis: Genesis) -> None:
    """P2: who makes them is banned by the first node; the next never hears of them."""
    node = node_with_blocks(genesis)
    next_node = Player(node, 2, NOW_MS)
    previous = node.chain.id_at(node.chain.head_num - 1)
    for number in range(64):
        liar = Player(node, 10 + number, NOW_MS)
        made = Maker(node.chain).make(
            previous=previous, turn=1, secret=secret_of(f"random {number}"), body=BlockBody()
        )
        assert liar.deliver(made, made.packed).startswith("wrong_")
        assert [item.code for item in liar.effects if isinstance(item, ClosePeer)] == [
            GoodbyeCode.INVALID_ITEM
        ]
        assert next_node.read(liar.effects) == []
    made = node.core.generate_blocks(1, NOW_MS)[0]
    assert announced(next_node.take()) == [made.id]


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (TooManyForks("x"), BlockRefusal.NOT_NOW),
        (AgainstCheckpoint("x"), BlockRefusal.OTHER_FORK),
    ],
)
def test_what_this_node_alone_refuses_is_nobodys_fault(
    error: TooManyForks | AgainstCheckpoint, refusal: BlockRefusal, genesis: Genesis
) -> None:
    """P2: caps and settings of this node ban no one who relays in good faith."""
    assert block_refusal(error) is refusal
    node = node_with_blocks(genesis)
    player = Player(node, 1, NOW_MS)
    node.core.peers.block_rejected(player.key, LOST, refusal, NOW_MS)
    node.core.tick(NOW_MS)
    player.take()
    closed = [item.code for item in player.effects if isinstance(item, ClosePeer)]
    codes = {BlockRefusal.OTHER_FORK: [GoodbyeCode.FORK_BELOW_IRREVERSIBLE]}
    assert closed == codes.get(refusal, [])
    assert node.core.peers.statistics().bans == 0


def test_a_synced_chain_keeps_its_pace(genesis: Genesis) -> None:
    """T-P6: the headers of blocks whose parents wait are judged, too; keys are recovered ahead."""
    ahead = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    made = []
    for _ in range(3):
        for number in range(WORKER_FROM_SIGNATURES):
            ahead.core.broadcast(transfer(ahead.chain, 1 + number), START_MS)
        made += ahead.core.generate_blocks(1, START_MS)
    node = CoreNode(genesis, name=2)
    player = Player(node, 1, NOW_MS)
    player.send(Inventory(ItemKind.BLOCK, tuple(block.id for block in made)))
    player.effects.clear()
    for block in made:
        player.send(BlockMessage(block.packed))
    questions = [item for item in player.effects if isinstance(item, RecoverKeys)]
    assert [len(question.items) for question in questions] == [WORKER_FROM_SIGNATURES] * 3
    assert PeerLimits().sync_unjudged >= 3


def test_an_ending_node_drops_what_waits(genesis: Genesis) -> None:
    """P15: blocks that wait are neither applied nor stored while the node says goodbye."""
    node = node_with_blocks(genesis)
    player = Player(node, 1, NOW_MS)
    heavy = Maker(node.chain).make(body=heavy_body())
    player.deliver(heavy, heavy.packed)
    (question,) = (item for item in player.effects if isinstance(item, RecoverKeys))
    node.core.take_no_more()
    node.core.take_effects()
    node.core.keys_recovered(question.token, [None] * len(question.items), NOW_MS)
    player.effects.clear()
    assert player.send(Inventory(ItemKind.BLOCK, (LOST,))) == []
    assert not [item for item in player.effects if isinstance(item, StoreBlocks)]
