"""Blocks of few transactions that come together are asked about together (T-P6)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from node.chain.chain import Chain
from node.chain.header_rules import HeaderVerdict
from node.core import inbox as inbox_module
from node.core.effects import RecoverKeys
from node.core.inbox import WORKER_FROM_SIGNATURES, BlockInbox
from node.core.settings import CoreSettings
from node.p2p.effects import PeerKey
from protocol.asset import NO_FEE, AssetAmount
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET
from protocol.crypto.recovery import QUESTION_LENGTH, recover_keys
from protocol.genesis_form import Genesis
from protocol.ids import AccountId
from protocol.operations.transfer import Transfer
from protocol.p2p.messages import BlockMessage, Inventory, ItemKind, TransactionMessage
from protocol.schema import Digest
from protocol.transaction import TransactionEnvelope
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, signed
from tests.support.core_player import Player
from tests.support.world import key_of

ON_DEMAND = CoreSettings(by_the_clock=False)
FEW = WORKER_FROM_SIGNATURES // 3 + 1
"""Three such blocks are worth a question, two are not."""
SENDERS = ("alice", "bob")
NO_CHAIN = Digest(bytes(32))
"""Of which nothing could be recovered."""


@pytest.fixture
def genesis() -> Genesis:
    return make_genesis("alice", "bob")


def make_blocks(maker: CoreNode, counts: Sequence[int]) -> list[BlockEnvelope]:
    """Blocks of so many transfers, as they come from elsewhere, each of another sender."""
    made = []
    for at, count in enumerate(counts):
        for number in range(count):
            maker.core.broadcast(send(maker.chain, SENDERS[at % 2], 1 + number), START_MS)
        made += maker.core.generate_blocks(1, START_MS)
    return [BlockEnvelope.from_bytes(block.packed) for block in made]


def send(chain: Chain, sender: str, amount: int) -> TransactionEnvelope:
    """A transfer to nobody in particular."""
    account = chain.state.account_named(sender).id
    op = Transfer(NO_FEE, account, AccountId(0), AssetAmount(amount, CORE_ASSET))
    return signed(chain, op, sender)


def keys_known(block: BlockEnvelope) -> list[bool]:
    return [transaction.knows_signature_keys() for transaction, _ in block.transactions]


@pytest.fixture
def blocks(genesis: Genesis) -> list[BlockEnvelope]:
    return make_blocks(CoreNode(genesis, witness_names(3), ON_DEMAND), [FEW, FEW, FEW])


@pytest.fixture
def inbox(genesis: Genesis) -> BlockInbox:
    return BlockInbox(CoreNode(genesis).chain.chain_id)


def add(inbox: BlockInbox, block: BlockEnvelope) -> RecoverKeys | None:
    return inbox.add(PeerKey(1), block, HeaderVerdict.RIGHT)


def test_a_question_is_about_all_that_was_gathered(
    inbox: BlockInbox, blocks: list[BlockEnvelope]
) -> None:
    """Each transaction gets its own key, whichever block it is of."""
    assert [add(inbox, block) for block in blocks[:2]] == [None, None]
    assert inbox.take_ready() is None
    question = add(inbox, blocks[2])
    assert question is not None
    assert len(question.questions) == 3 * FEW * QUESTION_LENGTH
    assert not inbox.is_gathering
    inbox.let_go()
    assert inbox.take_ready() is None, "it is asked about, and waits for the answer"
    inbox.set_keys(question.token, recover_keys(question.questions))
    for at, block in enumerate(blocks):
        ready = inbox.take_ready()
        assert ready is not None
        assert ready.envelope is block
        assert keys_known(block) == [True] * FEW
        for transaction, _ in block.transactions:
            assert transaction.signature_keys(NO_CHAIN) == (key_of(SENDERS[at % 2]),)


def test_what_is_not_worth_a_question_is_let_go(
    inbox: BlockInbox, blocks: list[BlockEnvelope]
) -> None:
    """In its order, with keys to be recovered where it is applied; what comes later begins anew."""
    for block in blocks[:2]:
        assert add(inbox, block) is None
    inbox.let_go()
    assert not inbox.is_gathering
    for block in blocks[:2]:
        ready = inbox.take_ready()
        assert ready is not None
        assert ready.envelope is block
        assert keys_known(block) == [False] * FEW
    assert add(inbox, blocks[2]) is None


@pytest.mark.parametrize("limit", ["GATHERED_BLOCKS_MAX", "INBOX_BYTES_MAX"])
def test_a_full_inbox_gathers_nothing(
    limit: str, inbox: BlockInbox, blocks: list[BlockEnvelope], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-P6: by blocks and by bytes; one that need not wait never does as others came with it."""
    monkeypatch.setattr(inbox_module, limit, 0)
    assert add(inbox, blocks[0]) is None
    assert not inbox.is_gathering
    assert inbox.take_ready() is not None


def test_what_was_gathered_is_forgotten_with_all_else(
    inbox: BlockInbox, blocks: list[BlockEnvelope]
) -> None:
    """A node that ends asks nothing more."""
    for block in blocks[:2]:
        add(inbox, block)
    inbox.clear()
    assert not inbox.is_gathering
    assert add(inbox, blocks[2]) is None


def test_a_sync_of_small_blocks_asks_about_many_at_once(genesis: Genesis) -> None:
    """T-P6: hundreds of blocks take few questions, and the rest is judged without one."""
    old = CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)
    make_blocks(old, [5] * 100)
    fresh = CoreNode(genesis, name=2)
    now_ms = old.chain.head_time * 1_000
    fresh.connect(old, now_ms)
    counts: list[int] = []
    for _ in range(50):
        now_ms = run([old, fresh], now_ms, 1)
        questions = [effect for effect in fresh.seen if isinstance(effect, RecoverKeys)]
        for question in questions[len(counts) :]:
            counts.append(len(question.questions) // QUESTION_LENGTH)
            keys = recover_keys(question.questions)
            fresh.core.keys_recovered(question.token, keys, now_ms)
    assert fresh.chain.state_hash() == old.chain.state_hash()
    assert set(counts) == {WORKER_FROM_SIGNATURES // 5 * 5 + 5}
    assert 300 < sum(counts) <= 500


def test_a_transaction_may_rest_on_a_block_that_comes_just_before_it(genesis: Genesis) -> None:
    """R9.3: a block that waits for others is applied before what follows it is judged."""
    maker, node = CoreNode(genesis, witness_names(3), ON_DEMAND), CoreNode(genesis, name=2)
    first, block = make_blocks(maker, [1, 1])
    later = send(maker.chain, "bob", 7)
    now_ms = maker.chain.head_time * 1_000
    player = Player(node, 1, now_ms)
    assert player.deliver(first, first.packed) == ""
    player.send(Inventory(ItemKind.BLOCK, (block.id,)))
    player.send(Inventory(ItemKind.TRANSACTION, (later.id,)))
    player.say(BlockMessage(block.packed), TransactionMessage(later.packed()))
    assert node.chain.head_id == block.id
    assert [entry.envelope.id for entry in node.chain.pending] == [later.id]
