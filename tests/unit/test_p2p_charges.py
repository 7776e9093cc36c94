"""P4, P5, T-P7, T-P11: what peers make each other do is charged, in one table, by a given clock."""

from __future__ import annotations

import pytest

from node.core.settings import CoreSettings
from node.p2p.charges import CHARGES, RECOVERY, REFUSED_FACTOR, Account, work_of
from node.p2p.effects import ClosePeer, TransactionReceived, VoteReceived
from node.p2p.limits import PeerLimits
from node.p2p.verdicts import TransactionRefusal
from protocol.asset import NO_FEE
from protocol.block import NO_BLOCK
from protocol.finality import Vote
from protocol.ids import AccountId
from protocol.operations.custom import Custom
from protocol.p2p.framing import encode_frame
from protocol.p2p.message_codec import encode_message
from protocol.p2p.messages import (
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    GoodbyeCode,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
    Ping,
    TransactionMessage,
)
from protocol.schema import BlockId, Signature, TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.chain import make_genesis
from tests.support.core_nodes import START_MS as CORE_START_MS
from tests.support.core_nodes import CoreNode
from tests.support.core_player import Player
from tests.support.fake_chain import FakeChain, make_block
from tests.support.fake_network import START_MS, Stranger, make_manager, peer_of


def signed_often(number: int, signatures: int) -> TransactionEnvelope:
    """A transaction with so many signatures."""
    operation = Custom(NO_FEE, AccountId(0), (), 0, number.to_bytes(8, "big"))
    some = tuple(Signature(bytes(64) + bytes((n,))) for n in range(signatures))
    return TransactionEnvelope.from_transaction(SignedTransaction(0, 0, 0, (operation,), (), some))


def count(messages: list[Message], cls: type[Message]) -> int:
    return sum(isinstance(message, cls) for message in messages)


def long_chain(blocks: int = 12_000) -> FakeChain:
    """A chain of which only the ids matter."""
    chain = FakeChain(lib_distance=1_000_000)
    chain.main += [BlockId(num.to_bytes(4, "big") + bytes(16)) for num in range(1, blocks + 1)]
    return chain


def test_an_account_grows_with_the_time_that_it_is_told() -> None:
    """T-P7: work is paid back at a rate, up to a cap; a clock that stands still pays nothing."""
    account = Account(per_s=1_000, cap=5_000)
    assert account.charge(5_000, 0)
    assert not account.has_left(0)
    assert account.has_left(1)
    assert account.charge(4_500, 1)
    assert not account.has_left(4_000)
    assert account.has_left(5_000)
    assert not account.charge(10_000, 5_000)
    account.charge(0, 10**9)
    assert account.charge(9_999, 10**9)
    assert not account.charge(2, 10**9 - 60_000)


@pytest.mark.parametrize("cls", [cls for cls in CHARGES if CHARGES[cls].work])
def test_every_message_has_its_price(cls: type[Message]) -> None:
    """T-P7: what talks without being asked is paid for, by its ids where it has any."""
    messages: dict[type[Message], Message] = {
        Inventory: Inventory(ItemKind.BLOCK, (bytes(20),) * 7),
        Fetch: Fetch(ItemKind.BLOCK, (bytes(20),) * 7),
        NotAvailable: NotAvailable(ItemKind.BLOCK, (bytes(20),) * 7),
    }
    charge = CHARGES[cls]
    if cls in messages:
        assert work_of(messages[cls]) == charge.work + 7 * charge.work_per_item
    full = charge.messages * charge.work
    assert full / 60 <= PeerLimits().work_per_s, "a peer within its rate is within its account"


def test_a_flood_of_ids_ends_the_connection() -> None:
    """P4, T-P7: a peer that keeps its rates and has this node look at every id it can name."""
    peer = peer_of(make_manager(), 1)
    sent = 0
    while peer.closing is None:
        ids = tuple((sent * 1_000 + n).to_bytes(20, "big") for n in range(1_000))
        peer.send(Inventory(ItemKind.TRANSACTION, ids))
        sent += 1
    assert peer.closing.code is GoodbyeCode.RATE_LIMIT
    limits = PeerLimits()
    assert sent * 4_020 < 2 * limits.work_cap + 5_000
    assert sent < CHARGES[Inventory].messages


def test_this_node_spends_half_of_what_it_accepts() -> None:
    """T-P7: in the other direction the same table holds, with a margin for windows and clocks."""
    manager = make_manager()
    peer = peer_of(manager, 1)
    ids = 0
    for number in range(200):
        for n in range(1_000):
            transaction = TransactionId((number * 1_000 + n + 1).to_bytes(20, "big"))
            manager._relay.gossip._announcements[transaction] = None
        manager._relay.gossip.flush(peer.now_ms)
    for message in peer.take():
        assert isinstance(message, Inventory)
        ids += len(message.ids)
    assert ids * CHARGES[Inventory].work_per_item < PeerLimits().work_cap // 2 + 10_000
    assert ids > 50_000


def test_many_askers_wait_their_turn() -> None:
    """P4: thirty peers ask for 2,000 ids as often as they may: all are answered, at a bounded
    pace, none is dropped, and each answer is one read."""
    chain = long_chain()
    reads = []
    read = chain.ids_from

    def ids_from(num: int, most: int) -> list[BlockId]:
        reads.append(most)
        return read(num, most)

    chain.ids_from = ids_from  # type: ignore[method-assign,assignment]
    manager = make_manager(chain)
    peers = [peer_of(manager, key) for key in range(1, 31)]
    answered = dict.fromkeys(range(30), 0)
    for _ in range(40):
        for number, peer in enumerate(peers):
            if answered[number] * 1_000 <= peer.now_ms - START_MS:
                answered[number] += count(peer.send(GetBlockIds(())), BlockIds) or -10_000
        for number, peer in enumerate(peers):
            peer.now_ms += 100
            if number == 0:
                manager.tick(peer.now_ms)
        taken = [effect for peer in peers[:1] for effect in peer.effects]
        assert not [item for item in taken if isinstance(item, ClosePeer)]
    work = len(reads) * CHARGES[GetBlockIds].answer * 2_000
    assert work <= PeerLimits().all_serving_per_s * 5
    assert all(most == 2_000 for most in reads)


def test_what_all_ask_for_is_bounded_and_comes_in_turns() -> None:
    """P4: ten peers that ask without end share what this node has to give."""
    limits = PeerLimits(all_serving_per_s=40_000, work_per_s=10**6)
    manager = make_manager(long_chain(), limits)
    peers = [peer_of(manager, key) for key in range(1, 11)]
    waiting = {peer.key: False for peer in peers}
    answers = {peer.key: 0 for peer in peers}
    for _ in range(100):
        for peer in peers:
            if not waiting[peer.key]:
                manager.received(
                    peer.key, encode_frame(encode_message(GetBlockIds(()))), peer.now_ms
                )
                waiting[peer.key] = True
        effects = [*manager.take_effects()]
        for peer in peers:
            peer.now_ms += 100
        manager.tick(peers[0].now_ms)
        effects += manager.take_effects()
        for effect in effects:
            key = getattr(effect, "peer", None)
            assert not isinstance(effect, ClosePeer)
            if key in waiting:
                waiting[key] = False
                answers[key] += 1
    total = sum(answers.values())
    assert 80 <= total <= 120, "ten seconds at 40 ms of work a second, 4 ms each"
    assert min(answers.values()) >= total // 20


def test_a_second_question_before_the_answer_is_a_fault() -> None:
    """T-P7: what one peer has waiting is bounded."""
    manager = make_manager(long_chain(), PeerLimits(all_serving_per_s=1))
    peer = peer_of(manager, 1)
    peer.send(GetBlockIds(()))
    peer.send(GetBlockIds(()))
    peer.send(GetBlockIds(()))
    assert peer.closing is not None
    assert peer.closing.code is GoodbyeCode.RATE_LIMIT


def deliver(peer: Stranger, envelope: TransactionEnvelope) -> bool:
    """Announce a transaction and deliver it; whether the node asked for it."""
    answers = peer.send(Inventory(ItemKind.TRANSACTION, (envelope.id,)))
    if Fetch(ItemKind.TRANSACTION, (envelope.id,)) not in answers:
        return False
    peer.send(TransactionMessage(envelope.packed()))
    return True


def play_refused(peer: Stranger, seconds: int) -> int:
    """Deliver transactions of 20 signatures that the state refuses, as many as are taken."""
    made: dict[bytes, TransactionEnvelope] = {}
    taken = 0
    for number in range(seconds * 100):
        envelope = signed_often(1_000_000 * peer.key + number, 20)
        made[envelope.id] = envelope
        answers = peer.send(Inventory(ItemKind.TRANSACTION, (envelope.id,)))
        for message in answers + peer.tick(10):
            for item_id in message.ids if isinstance(message, Fetch) else ():
                taken += 1
                asked = made[item_id]
                peer.send(TransactionMessage(asked.packed()))
                peer.manager.transaction_rejected(
                    peer.key, asked, TransactionRefusal.REFUSED, peer.now_ms
                )
    return taken


def test_refused_transactions_are_paid_for_by_their_signatures() -> None:
    """P5: a peer whose transactions are refused is asked for fewer and fewer, and not banned."""
    peer = peer_of(make_manager(), 1)
    taken = play_refused(peer, 20)
    price = REFUSED_FACTOR * (CHARGES[TransactionMessage].answer + 20 * RECOVERY)
    limits = PeerLimits()
    paid = (limits.work_cap + 20 * limits.work_per_s) // price
    assert taken <= paid + limits.max_requests_per_peer
    assert peer.closing is None
    assert peer.manager.statistics().bans == 0


def test_good_transactions_are_taken_ten_times_as_fast() -> None:
    """P5: refused ones are charged more; those that were taken cost what they are worth."""
    peer = peer_of(make_manager(), 1)
    assert all(deliver(peer, signed_often(number, 1)) for number in range(1_000))


def test_a_transaction_that_a_poor_peer_told_of_comes_from_another() -> None:
    """P5, P10: whoever cannot pay delays nothing that others have, too."""
    manager = make_manager()
    poor = peer_of(manager, 1)
    play_refused(poor, 60)
    good = signed_often(7, 1)
    while deliver(poor, signed_often(poor.now_ms, 20)):
        pass
    assert not deliver(poor, good)
    other = peer_of(manager, 2)
    other.now_ms = poor.now_ms
    assert deliver(other, good)
    assert [item.peer for item in other.effects if isinstance(item, TransactionReceived)] == [
        other.key
    ]


def test_those_who_dialled_us_share_one_account() -> None:
    """P5: however many come, judging what they send takes a bounded part of the time, and what the
    peers that we dialled send is judged as before."""
    manager = make_manager()
    inbound = [peer_of(manager, key) for key in range(1, 61)]
    taken = 0
    for second in range(10):
        for peer in inbound:
            peer.now_ms = START_MS + second * 1_000
            for number in range(5):
                envelope = signed_often(peer.key * 10**6 + second * 1_000 + number, 20)
                if deliver(peer, envelope):
                    taken += 1
                    manager.transaction_rejected(
                        peer.key, envelope, TransactionRefusal.REFUSED, peer.now_ms
                    )
        manager.tick(START_MS + second * 1_000 + 900)
    limits = PeerLimits()
    price = CHARGES[TransactionMessage].answer + 20 * RECOVERY
    assert taken <= 11 * limits.all_intake_per_s // price + 300
    ours = peer_of(manager, 99, outbound=True)
    ours.now_ms = inbound[0].now_ms
    assert deliver(ours, signed_often(3, 1))


def test_what_was_asked_for_before_it_was_priced_waits_its_turn() -> None:
    """P5, T-R3: fifty peers deliver at once what each was asked for while everybody could pay: no
    more is judged at a time than leaves others their turn, and all of it is, of each some soon."""
    manager = make_manager()
    peers = [peer_of(manager, key) for key in range(1, 51)]
    made: list[list[TransactionEnvelope]] = []
    for peer in peers:
        made.append([signed_often(1_000 * peer.key + number, 20) for number in range(20)])
        ids = tuple(envelope.id for envelope in made[-1])
        assert peer.send(Inventory(ItemKind.TRANSACTION, ids)) == [Fetch(ItemKind.TRANSACTION, ids)]
    judged: dict[int, list[int]] = {peer.key: [] for peer in peers}

    def look(second: int) -> int:
        found = 0
        for effect in manager.take_effects():
            if isinstance(effect, TransactionReceived):
                judged[effect.peer].append(second)
                found += 1
        return found

    for peer, envelopes in zip(peers, made, strict=True):
        for envelope in envelopes:
            data = encode_frame(encode_message(TransactionMessage(envelope.packed())))
            manager.received(peer.key, data, peer.now_ms)
    limits = PeerLimits()
    price = CHARGES[TransactionMessage].answer + 20 * RECOVERY
    at_once = limits.judged_at_once // price + 1
    assert look(0) == at_once
    for second in range(8):
        for tenth in range(1, 11):
            manager.tick(START_MS + second * 1_000 + tenth * 100)
            assert look(second) <= at_once
    assert {len(times) for times in judged.values()} == {20}
    assert all(min(times) == 0 for times in judged.values()), "each has had a turn"


def test_votes_of_nobody_are_paid_for() -> None:
    """P5, F7: votes whose keys may not vote are judged until the account is empty, then dropped."""
    manager = make_manager()
    peer = peer_of(manager, 1)
    judged = 0
    for number in range(5_000):
        vote = Vote(NO_BLOCK, BlockId(number.to_bytes(20, "big")), Signature(bytes(65)))
        peer.effects.clear()
        peer.send(vote)
        if any(isinstance(effect, VoteReceived) for effect in peer.effects):
            judged += 1
            manager.vote_passed_over(peer.key, peer.now_ms)
    limits = PeerLimits()
    assert judged <= limits.work_cap // (RECOVERY * (REFUSED_FACTOR - 1)) + 1
    assert peer.closing is None


def test_a_full_pool_is_not_the_peers_fault() -> None:
    """P5: what this node has no room for costs its sender nothing more."""
    peer = peer_of(make_manager(), 1)
    for number in range(1_000):
        envelope = signed_often(number, 1)
        assert deliver(peer, envelope)
        peer.manager.transaction_rejected(
            peer.key, envelope, TransactionRefusal.NO_ROOM, peer.now_ms
        )


def test_the_core_charges_what_it_refuses() -> None:
    """P5: through the node core, with real signatures refused by the state."""
    node = CoreNode(make_genesis("alice", "bob"), settings=CoreSettings(by_the_clock=False))
    player = Player(node, 1, CORE_START_MS)
    asked = 0
    for number in range(400):
        envelope = signed_often(number, 1)
        answers = player.send(Inventory(ItemKind.TRANSACTION, (envelope.id,)))
        if count(answers, Fetch):
            asked += 1
            player.send(TransactionMessage(envelope.packed()))
    limits = PeerLimits()
    price = REFUSED_FACTOR * (CHARGES[TransactionMessage].answer + RECOVERY)
    assert asked <= limits.work_cap // price + 1


QUESTIONS: dict[str, Message] = {
    "Ping": Ping(1),
    "GetAddresses": GetAddresses(),
    "GetBlockIds": GetBlockIds(()),
    "Fetch of blocks": Fetch(ItemKind.BLOCK, (b"\x00\x00\x00\x01" + bytes(16),)),
    "Inventory": Inventory(ItemKind.BLOCK, (b"\x00\x00\x00\x02" + b"i" * 16,)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_a_minute_of_each_question_brings_is_bounded(name: str) -> None:
    """T-P11: bytes answered to one peer in a minute, whatever it asks, as often as it may."""
    chain = long_chain()
    block = make_block(chain.main[0], bytes(60_000))
    first = chain.main[1]
    chain.blocks[first] = block
    limits = PeerLimits(serve_burst_bytes=2**18, serve_bytes_per_s=2**18)
    manager = make_manager(chain, limits)
    peer = peer_of(manager, 1)
    question = QUESTIONS[name]
    size = len(encode_frame(encode_message(question)))
    sent = answered = 0
    for _ in range(600):
        for _ in range(20):
            if peer.closing is None and sent < CHARGES[type(question)].messages:
                sent += 1
                answers = peer.send(question)
                answered += sum(len(encode_message(answer)) for answer in answers)
        answered += sum(len(encode_message(answer)) for answer in peer.tick(100))
    most = {
        "Ping": 2 * sent * size,
        "GetAddresses": 4 * 15_000,
        "GetBlockIds": 240 * 45_000,
        "Fetch of blocks": limits.serve_burst_bytes + 60 * limits.serve_bytes_per_s,
        "Inventory": 2 * sent * size,
    }
    assert answered <= most[name], (sent, answered)


def test_blocks_just_announced_wait_for_nobody() -> None:
    """P4: while others have used up what there is to give, each is given the newest block, once."""
    chain = FakeChain()
    chain.extend(5)
    manager = make_manager(chain, PeerLimits(all_serving_per_s=1))
    greedy, honest = peer_of(manager, 1), peer_of(manager, 2)
    greedy.send(GetBlockIds(()))
    block = make_block(chain.head_id, b"new")
    chain.push(block)
    manager.block_accepted(chain.head_id, (chain.head_id,), greedy.now_ms)
    honest.take()
    fetch = Fetch(ItemKind.BLOCK, (chain.head_id,))
    assert honest.send(fetch) == [BlockMessage(block)]
    assert honest.send(fetch) == []
