"""P1, P2, T-P6: a block is judged by its header before its body is read, kept or passed on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.chain.header_rules import HeaderRules
from node.core.effects import RecoverKeys, StoreBlocks
from node.core.inbox import (
    INBOX_BLOCKS_MAX,
    INBOX_BYTES_MAX,
    WORKER_FROM_SIGNATURES,
    block_refusal,
)
from node.core.settings import CoreSettings
from node.p2p.effects import ClosePeer
from node.p2p.limits import PeerLimits
from node.p2p.verdicts import BlockRefusal
from node.state.errors import AgainstCheckpoint, TooManyForks
from protocol.block import BlockBody, BlockEnvelope, HeaderEnvelope
from protocol.constants import MAX_BLOCK_BYTES
from protocol.crypto.curve import KEY_LENGTH
from protocol.crypto.recovery import QUESTION_LENGTH
from protocol.genesis_form import Genesis
from protocol.p2p.messages import (
    BlockMessage,
    Fetch,
    GoodbyeCode,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
)
from protocol.schema import BlockId, Ripemd160
from tests.support.bad_blocks import STRANGER, Maker, heavy_body
from tests.support.block_flood import BlockFlood
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


def node_with_blocks(genesis: Genesis) -> CoreNode:
    node = CoreNode(genesis, witness_names(3), ON_DEMAND, name=2)
    node.core.generate_blocks(4, START_MS)
    node.carry(START_MS)
    return node


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
    assert not witness.hear(player.effects)


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
    node.core.keys_recovered(question.token, bytes(KEY_LENGTH * count_of(question)), NOW_MS)
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
    assert announced(listener.hear(sender.effects)) == [block.id for block in fork]
    assert listener.send(wanted) == [BlockMessage(fork[0].packed)]


def count_of(question: RecoverKeys) -> int:
    """How many signatures a question is about."""
    return len(question.questions) // QUESTION_LENGTH


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
        assert next_node.hear(liar.effects) == []
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
    assert [count_of(question) for question in questions] == [WORKER_FROM_SIGNATURES] * 3
    assert PeerLimits().sync_unjudged >= 3


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The ids of the blocks whose headers the rules have judged, and whose bodies were hashed."""
    seen: list[bytes] = []
    check, root = HeaderRules.check, BlockEnvelope.merkle_root

    def note(
        rules: HeaderRules, front: HeaderEnvelope, size: int, *, trusted: bool = False
    ) -> None:
        seen.append(front.id)
        check(rules, front, size, trusted=trusted)

    def hash_body(envelope: BlockEnvelope) -> Ripemd160:
        seen.append(b"body of " + envelope.id)
        return root(envelope)

    monkeypatch.setattr(HeaderRules, "check", note)
    monkeypatch.setattr(BlockEnvelope, "merkle_root", hash_body)
    return seen


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("waits", [False, True])
def test_a_block_is_judged_once(genesis: Genesis, checks: list[bytes], waits: bool) -> None:
    """T-P6: on its way from a peer to the head its header is held to the rules once and its body
    hashed once, also where its parent had to wait for its keys, and on a fork that wins."""
    node = node_with_blocks(genesis)
    other = CoreNode(genesis, witness_names(3), ON_DEMAND, name=3)
    for num in range(1, node.chain.head_num):
        stored = node.blocks.blocks_from(num, 1)[0]
        other.core.push_block(BlockEnvelope.from_bytes(stored.data), NOW_MS)
    for number in range(WORKER_FROM_SIGNATURES if waits else 1):
        other.core.broadcast(transfer(other.chain, 1 + number), NOW_MS)
    fork = other.core.generate_blocks(3, NOW_MS, earliest_s=node.chain.slot_time(1))
    player = Player(node, 1, NOW_MS)
    checks.clear()
    questions = []
    for block in fork:
        assert player.deliver(block, BlockEnvelope.from_bytes(block.packed).packed) == ""
        questions += [item for item in player.effects if isinstance(item, RecoverKeys)]
    assert len(questions) == waits
    for question in questions:
        node.core.keys_recovered(question.token, bytes(KEY_LENGTH * count_of(question)), NOW_MS)
    assert node.chain.head_id == fork[-1].id
    assert sorted(checks) == sorted(
        one for block in fork for one in (block.id, b"body of " + block.id)
    )


def test_children_of_a_block_that_waits_have_a_cap(genesis: Genesis) -> None:
    """P1, P3, T-P6: while keys are recovered, few blocks of strangers wait behind, and the right
    one of another witness, which need not wait, is taken at once."""
    node = node_with_blocks(genesis)
    liar, honest = Player(node, 1, NOW_MS), Player(node, 2, NOW_MS)
    maker = Maker(node.chain)
    heavy = maker.make(body=heavy_body())
    assert liar.deliver(heavy, heavy.packed) == ""
    refused = []
    for number in range(INBOX_BLOCKS_MAX // 4 + 5):
        child = maker.make(
            previous=heavy.id, slot=2, secret=secret_of(f"random {number}"), body=BlockBody()
        )
        refused.append(liar.deliver(child, child.packed).partition(":")[0])
    assert refused.count("") == INBOX_BLOCKS_MAX // 4 - 1
    assert set(refused) == {"", "too_many_forks"}
    assert not [item for item in liar.effects if isinstance(item, ClosePeer)]
    later = maker.make(slot=2, body=BlockBody())
    assert honest.deliver(later, later.packed) == ""
    assert node.chain.head_id == later.id


def test_a_flood_of_bad_blocks_costs_no_slot() -> None:
    """T-P6: of five liars that come back again and again; the long form is `scripts/flood`."""
    flood = BlockFlood(seed=1)
    figures = flood.run(210, each_slot=15)
    assert figures.delivered >= 210
    assert figures.made == figures.slots >= 14
    assert figures.connections > 50
    kinds = {"unlinkable_block", "wrong_witness_signature", "wrong_witness", "wrong_timestamp"}
    assert kinds < set(figures.refused)
