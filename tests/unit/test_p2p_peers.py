"""One manager and its hostile or slow peers, played message by message."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from random import Random

import pytest
from msgspec.structs import replace

from node.p2p import peer_database
from node.p2p.bans import Bans
from node.p2p.charges import CHARGES
from node.p2p.effects import (
    BlockReceived,
    ClosePeer,
    OpenConnection,
    PeerAddress,
    PeerPenalised,
    TransactionReceived,
)
from node.p2p.limits import PeerLimits
from node.p2p.recent import ByteCache, RecentSet
from node.p2p.synopsis import build_synopsis, continue_synopsis
from node.p2p.verdicts import BlockRefusal, TransactionRefusal
from protocol.p2p.messages import (
    MAX_SYNOPSIS_IDS,
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    GoodbyeCode,
    Inventory,
    ItemKind,
    KnownAddress,
    Message,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from protocol.schema import BlockId
from tests.support.fake_chain import (
    GENESIS_ID,
    FakeChain,
    id_of_block,
    make_block,
    make_transaction,
)
from tests.support.fake_network import START_MS, Stranger, goodbyes, make_hello, make_manager


def greeted(chain: FakeChain | None = None, limits: PeerLimits | None = None) -> Stranger:
    """A manager with one active inbound peer."""
    stranger = Stranger(make_manager(chain, limits))
    stranger.greet()
    stranger.effects.clear()
    return stranger


def another(first: Stranger, key: int, host: str = "10.8.0.1") -> Stranger:
    """One more active peer of the same manager."""
    stranger = Stranger(first.manager, key=key, host=host, now_ms=first.now_ms)
    stranger.greet(make_hello(f"stranger {key}", time_ms=first.now_ms))
    return stranger


def code_of(stranger: Stranger) -> GoodbyeCode | None:
    return stranger.closing.code if stranger.closing else None


BLOCK = make_block(GENESIS_ID, b"block")
BLOCK_ID = id_of_block(BLOCK)
TRANSACTION = make_transaction(b"a transaction")
TRANSACTION_ID = TRANSACTION.id


def was_handed_over(peer: Stranger, data: bytes) -> bool:
    """Whether the core got a block that this peer delivered, as it was sent."""
    return any(
        isinstance(effect, BlockReceived) and (effect.peer, effect.data) == (peer.key, data)
        for effect in peer.effects
    )


def test_an_announced_item_is_fetched_and_handed_over() -> None:
    """T-P7: ids first; the core gets the bytes that were asked for."""
    peer = greeted()
    assert peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,))) == [Fetch(ItemKind.BLOCK, (BLOCK_ID,))]
    assert peer.send(BlockMessage(BLOCK)) == []
    assert was_handed_over(peer, BLOCK)
    wanted = Inventory(ItemKind.TRANSACTION, (TRANSACTION_ID,))
    assert peer.send(wanted) == [Fetch(ItemKind.TRANSACTION, (TRANSACTION_ID,))]
    peer.send(TransactionMessage(TRANSACTION.packed()))
    (received,) = (item for item in peer.effects if isinstance(item, TransactionReceived))
    assert (received.peer, received.envelope.packed()) == (peer.key, TRANSACTION.packed())


@pytest.mark.parametrize("message", [BlockMessage(BLOCK), TransactionMessage(TRANSACTION.packed())])
def test_an_unasked_item_drops_its_sender(message: BlockMessage) -> None:
    """T-P7: an item that was not asked of this peer is a violation, and never handed over."""
    peer = greeted()
    assert goodbyes(peer.send(message)) == [GoodbyeCode.UNREQUESTED_ITEM]
    kinds = {type(effect) for effect in peer.effects}
    assert BlockReceived not in kinds
    assert TransactionReceived not in kinds
    assert peer.manager.statistics().bans == 2


def test_another_item_than_asked_for_drops_its_sender() -> None:
    """T-P7: the id is computed from the bytes, so a promise cannot be kept with other bytes."""
    peer = greeted()
    peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    assert goodbyes(peer.send(BlockMessage(make_block(GENESIS_ID, b"other")))) == [
        GoodbyeCode.UNREQUESTED_ITEM
    ]


def test_a_repeated_item_counts_little() -> None:
    """T-P8: links may repeat; it is not handed over twice, and twenty times are too many."""
    peer = greeted()
    peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    for _ in range(20):
        peer.send(BlockMessage(BLOCK))
    assert code_of(peer) is None
    assert sum(isinstance(effect, BlockReceived) for effect in peer.effects) == 1
    peer.send(BlockMessage(BLOCK))
    assert code_of(peer) is GoodbyeCode.UNREQUESTED_ITEM


@pytest.mark.parametrize(
    "message",
    [BlockIds(1, (), 0), Addresses(()), Pong(1), NotAvailable(ItemKind.BLOCK, (BLOCK_ID,))],
)
def test_unasked_answers_drop_their_sender(message: Message) -> None:
    """T-P7: an answer needs a question."""
    peer = greeted()
    assert goodbyes(peer.send(message)) == [GoodbyeCode.UNEXPECTED_MESSAGE]


def test_an_unreadable_item_drops_its_sender() -> None:
    """T-P1: bytes that are no block at all."""
    peer = greeted()
    assert goodbyes(peer.send(BlockMessage(b"short"))) == [GoodbyeCode.MALFORMED]
    peer = greeted()
    assert goodbyes(peer.send(TransactionMessage(b"unreadable"))) == [GoodbyeCode.MALFORMED]


@pytest.mark.parametrize("payload", [b"\xc1", b"\x92\x04\xff", b"\x80", bytes(300)])
def test_malformed_messages_drop_their_sender(payload: bytes) -> None:
    """T-P1: 100 points, a goodbye, a ban of host and node."""
    peer = greeted()
    data = len(payload).to_bytes(4, "big") + payload
    assert goodbyes(peer.send_bytes(data + data)) == [GoodbyeCode.MALFORMED]
    penalties = [effect for effect in peer.effects if isinstance(effect, PeerPenalised)]
    assert [(effect.points, effect.score) for effect in penalties] == [(100, 100)]
    again = Stranger(peer.manager, key=2)
    again.take()
    assert code_of(again) is GoodbyeCode.BANNED
    elsewhere = Stranger(peer.manager, key=3, host="10.7.0.1")
    assert goodbyes(elsewhere.send(make_hello())) == [GoodbyeCode.BANNED]


def test_an_oversized_frame_drops_its_sender() -> None:
    """T-P2: the length alone is enough."""
    peer = greeted()
    assert goodbyes(peer.send_bytes((2 * 2**20 + 1).to_bytes(4, "big"))) == [GoodbyeCode.MALFORMED]


def test_messages_that_never_end_are_bounded_together() -> None:
    """T-R1: the peer that has sent most of one goes, without a ban; the others are served on."""
    first = greeted(limits=PeerLimits(unfinished_bytes=300_000))
    others = [another(first, key, f"10.{key}.0.1") for key in (2, 3)]
    head = (2**20).to_bytes(4, "big")
    for peer, size in zip((first, *others), (90_000, 150_000, 50_000), strict=True):
        assert goodbyes(peer.send_bytes(head + bytes(size))) == []
    assert goodbyes(first.send_bytes(bytes(20_000))) == []
    closed = [effect for effect in first.effects if isinstance(effect, ClosePeer)]
    assert [(one.peer, one.code) for one in closed] == [(others[0].key, GoodbyeCode.RATE_LIMIT)]
    again = Stranger(first.manager, key=4, host="10.2.0.1")
    again.take()
    assert again.closing is None


@pytest.mark.parametrize(
    ("bad", "same", "other"),
    [("10.1.1.1", "10.1.1.1", "10.1.1.2"), ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1")],
)
def test_a_ban_is_of_what_one_machine_may_have(bad: str, same: str, other: str) -> None:
    """T-P1, T-P5: an address of IPv4 or a /64 of IPv6, in which a liar has as many as it likes."""
    manager = make_manager()
    liar = Stranger(manager, host=bad)
    liar.greet()
    liar.send(BlockMessage(BLOCK))
    again, neighbour = Stranger(manager, key=2, host=same), Stranger(manager, key=3, host=other)
    assert again.take() == neighbour.take() == []
    assert (code_of(again), code_of(neighbour)) == (GoodbyeCode.BANNED, None)


def test_a_trusted_host_is_not_banned_but_its_node_is() -> None:
    """T-P1: on a desk all nodes share one host."""
    manager = make_manager()
    bad = Stranger(manager, host="127.0.0.1")
    bad.greet()
    bad.send(BlockMessage(BLOCK))
    other = Stranger(manager, key=2, host="127.0.0.1")
    other.greet(make_hello("other"))
    again = Stranger(manager, key=3, host="127.0.0.1")
    assert goodbyes(again.send(make_hello())) == [GoodbyeCode.BANNED]


@pytest.mark.parametrize("cls", [Ping, GetAddresses, GetBlockIds, Inventory])
def test_more_than_the_rate_drops_the_sender(cls: type[Message]) -> None:
    """T-P7: the row's count in a minute is allowed, one more is not."""
    messages: dict[type[Message], Message] = {
        Ping: Ping(1),
        GetAddresses: GetAddresses(),
        GetBlockIds: GetBlockIds(()),
        Inventory: Inventory(ItemKind.BLOCK, (BLOCK_ID,)),
    }
    peer = greeted()
    for _ in range(CHARGES[cls].messages):
        peer.send(messages[cls])
    assert code_of(peer) is None
    peer.send(messages[cls])
    assert code_of(peer) is GoodbyeCode.RATE_LIMIT


def test_rates_begin_anew_after_a_minute() -> None:
    """T-P7: what was counted is forgotten with its minute."""
    peer = greeted()
    for _ in range(3):
        for _ in range(CHARGES[Ping].messages):
            peer.send(Ping(1))
        peer.now_ms += 60_000
    assert code_of(peer) is None


def test_deadlines_of_a_slow_peer() -> None:
    """T-P5: 5 s for the handshake, 30 s for a frame, 60 s of silence with a ping at 30 s."""
    peer = Stranger(make_manager())
    peer.tick(4_900)
    assert code_of(peer) is None
    peer.tick(100)
    assert code_of(peer) is GoodbyeCode.TIMEOUT

    peer = greeted()
    peer.send_bytes(bytes(3))
    for _ in range(5):
        peer.tick(5_900)
        peer.send_bytes(b"\xff" if peer.now_ms == START_MS + 5_900 else b"\x00")
    assert code_of(peer) is None
    peer.tick(500)
    assert code_of(peer) is GoodbyeCode.TIMEOUT

    peer = greeted()
    assert peer.tick(30_000) == [Ping(1)]
    assert peer.tick(10_000) == []
    peer.send(Pong(1))
    assert peer.tick(30_000) == [Ping(2)]
    peer.tick(30_000)
    assert code_of(peer) is GoodbyeCode.TIMEOUT


def test_an_unanswered_request_closes_after_30_s() -> None:
    """T-P5: the peer is dropped without a ban, and the item is asked of another one."""
    peer = greeted()
    peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    for _ in range(6):
        peer.tick(4_900)
        peer.send(Ping(1))
    assert code_of(peer) is None
    peer.tick(600)
    assert code_of(peer) is GoodbyeCode.TIMEOUT
    assert peer.manager.statistics().bans == 0


def test_a_late_item_is_asked_of_another_peer() -> None:
    """T-P5: after 3 s, a block after half a second, and one of two deliveries is handed over."""
    first = greeted()
    second = another(first, 2)
    for kind, item_id, late_ms in (
        (ItemKind.BLOCK, BLOCK_ID, 500),
        (ItemKind.TRANSACTION, TRANSACTION_ID, 3_000),
    ):
        first.now_ms = second.now_ms
        first.send(Inventory(kind, (item_id,)))
        assert second.send(Inventory(kind, (item_id,))) == []
        assert second.tick(late_ms - 100) == []
        assert second.tick(100) == [Fetch(kind, (item_id,))]
    second.send(BlockMessage(BLOCK))
    assert was_handed_over(second, BLOCK)
    first.send(BlockMessage(BLOCK))
    assert not any(isinstance(effect, BlockReceived) for effect in first.effects)
    assert code_of(first) is None


@pytest.mark.parametrize("kind", ItemKind)
def test_an_item_that_is_named_twice_is_asked_for_once(kind: ItemKind) -> None:
    """T-P7, T-P8: an announcement may say anything; it stops no node."""
    peer = greeted()
    item_id = BLOCK_ID if kind is ItemKind.BLOCK else TRANSACTION_ID
    assert peer.send(Inventory(kind, (item_id, item_id))) == [Fetch(kind, (item_id,))]


def test_an_item_that_two_peers_are_late_with_is_asked_of_one_more() -> None:
    """T-N5: the first went away, the second owes it, and both times come due in one moment."""
    first = greeted()
    second, third = another(first, 2), another(first, 3)
    for peer in (first, second, third):
        peer.send(Inventory(ItemKind.TRANSACTION, (TRANSACTION_ID,)))
    first.manager.disconnected(first.key, first.now_ms)
    assert third.tick(3_000) == [Fetch(ItemKind.TRANSACTION, (TRANSACTION_ID,))]


def test_not_available_turns_to_the_next_peer() -> None:
    """T-P7: at once, and the item is forgotten when nobody has it."""
    first = greeted()
    second = another(first, 2)
    first.send(Inventory(ItemKind.TRANSACTION, (TRANSACTION_ID,)))
    second.send(Inventory(ItemKind.TRANSACTION, (TRANSACTION_ID,)))
    refusal = NotAvailable(ItemKind.TRANSACTION, (TRANSACTION_ID,))
    first.manager.received(first.key, b"", first.now_ms)
    first.send(refusal)
    asked = [effect for effect in first.effects if getattr(effect, "peer", None) == second.key]
    assert len(asked) == 1
    second.send(refusal)
    assert first.manager.statistics().wanted_items == 0


def test_a_disconnect_turns_to_the_next_peer() -> None:
    """T-N5: nothing is left behind by a peer that goes away."""
    first = greeted()
    second = another(first, 2)
    first.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    second.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    first.manager.disconnected(first.key, first.now_ms)
    assert second.take() == [Fetch(ItemKind.BLOCK, (BLOCK_ID,))]


def test_old_blocks_are_not_fetched() -> None:
    """T-P6: nothing at or below the last irreversible block."""
    chain = FakeChain(lib_distance=20)
    chain.extend(100)
    peer = greeted(chain)
    old = BlockId((80).to_bytes(4, "big") + b"x" * 16)
    new = BlockId((81).to_bytes(4, "big") + b"x" * 16)
    assert peer.send(Inventory(ItemKind.BLOCK, (old, new))) == [Fetch(ItemKind.BLOCK, (new,))]


def test_verdicts_have_consequences() -> None:
    """T-P4, T-P6: an invalid item bans, a refused transaction does not."""
    peer = greeted()
    peer.manager.transaction_rejected(
        peer.key, TRANSACTION, TransactionRefusal.REFUSED, peer.now_ms
    )
    peer.manager.block_rejected(peer.key, BLOCK_ID, BlockRefusal.NOT_NOW, peer.now_ms)
    assert peer.take() == []
    peer.manager.transaction_rejected(
        peer.key, TRANSACTION, TransactionRefusal.INVALID, peer.now_ms
    )
    assert goodbyes(peer.take()) == [GoodbyeCode.INVALID_ITEM]
    peer = greeted()
    peer.manager.block_rejected(peer.key, BLOCK_ID, BlockRefusal.INVALID, peer.now_ms)
    assert goodbyes(peer.take()) == [GoodbyeCode.INVALID_ITEM]
    assert peer.manager.statistics().bans == 2


def test_unlinkable_blocks_start_one_round_at_a_time() -> None:
    """RELIABILITY 0.3: a hundred unlinkable blocks are one question, then one per wait."""
    peer = greeted()
    questions = 0
    for number in range(100):
        block_id = BlockId((number).to_bytes(4, "big") * 5)
        peer.manager.block_rejected(peer.key, block_id, BlockRefusal.UNLINKABLE, peer.now_ms)
        questions += len(peer.take())
    assert questions == 1
    asked_at = []
    for _ in range(1_200):
        answers = peer.send(BlockIds(1, (), 0)) if questions else []
        questions = 0
        peer.manager.block_rejected(peer.key, BLOCK_ID, BlockRefusal.UNLINKABLE, peer.now_ms)
        answers += peer.take() + peer.tick(100)
        if any(isinstance(answer, GetBlockIds) for answer in answers):
            questions = 1
            asked_at.append(peer.now_ms - START_MS)
    waits = [b - a for a, b in pairwise(asked_at)]
    assert waits
    assert all(later >= 2 * earlier - 200 for earlier, later in pairwise(waits))
    assert len(asked_at) <= 7


def test_fetches_are_served_at_a_bounded_rate() -> None:
    """T-P5, T-P11: a peer that asks for everything gets a burst, then its share by time."""
    chain = FakeChain()
    for _ in range(40):
        chain.push(make_block(chain.head_id, bytes(100_000)))
    peer = greeted(chain, PeerLimits(serve_burst_bytes=500_000, serve_bytes_per_s=1_000_000))
    served = peer.send(Fetch(ItemKind.BLOCK, tuple(chain.main[1:])))
    assert len(served) == 5
    assert len(peer.tick(100)) == 1
    assert len(peer.tick(300)) == 3
    for _ in range(100):
        served += peer.tick(100)
    assert len(served) == 36
    lost = BlockId(b"\x00\x00\x00\x01" + bytes(16))
    assert peer.send(Fetch(ItemKind.BLOCK, (lost,))) == [NotAvailable(ItemKind.BLOCK, (lost,))]


def test_too_many_open_fetches_drop_the_peer() -> None:
    """T-P7: what waits to be served has a cap."""
    chain = FakeChain()
    chain.extend(200, bytes(10_000))
    peer = greeted(chain, PeerLimits(serve_burst_bytes=1, serve_queue_items=500))
    for _ in range(2):
        peer.send(Fetch(ItemKind.BLOCK, tuple(chain.main[1:])))
    assert code_of(peer) is None
    for _ in range(2):
        peer.send(Fetch(ItemKind.BLOCK, tuple(chain.main[1:])))
    assert code_of(peer) is GoodbyeCode.RATE_LIMIT


def test_transactions_are_announced_together() -> None:
    """T-P7: one inventory a tick, not one a transaction, and none back to who sent it."""
    first = greeted()
    second = another(first, 2)
    manager = first.manager
    transactions = [make_transaction(bytes([number])) for number in range(5)]
    ids = tuple(envelope.id for envelope in transactions)
    for envelope in transactions:
        manager.announce_transaction(envelope, first.now_ms)
    first.send(Inventory(ItemKind.TRANSACTION, ids[:2]))
    messages = first.tick(100)
    assert messages == [Inventory(ItemKind.TRANSACTION, ids[2:])]
    assert second.send(Fetch(ItemKind.TRANSACTION, ids[:1])) == [
        TransactionMessage(transactions[0].packed())
    ]


def test_inbound_connections_have_caps() -> None:
    """T-P5, P11: 3 a host, 10 a /24; beyond 50 in the handshake and 200 in all others go."""
    manager = make_manager(limits=PeerLimits(max_inbound=20, max_in_handshake=15))

    def admitted(hosts: list[str], greets: bool) -> int:
        count = 0
        for host in hosts:
            key = len(keys) + 1
            keys.append(key)
            stranger = Stranger(manager, key=key, host=host)
            stranger.take()
            if stranger.closing is None:
                count += 1
                if greets:
                    stranger.greet(make_hello(f"node {key}"))
        return count

    keys: list[int] = []
    assert admitted(["10.1.1.1"] * 5, greets=True) == 3
    assert admitted([f"10.1.1.{n}" for n in range(2, 12)], greets=True) == 7
    assert admitted(["127.0.0.1"] * 4, greets=True) == 4
    assert admitted([f"10.{n}.1.1" for n in range(20, 40)], greets=False) == 20
    assert len(manager.statistics().peers) == 20
    manager = make_manager(limits=PeerLimits(max_in_handshake=5))
    assert admitted([f"10.{n}.1.1" for n in range(20, 40)], greets=False) == 20
    assert len(manager.statistics().peers) == 5
    manager = make_manager(limits=PeerLimits(max_in_handshake=5))
    assert admitted(["127.0.0.1"] * 9, greets=False) == 5


def test_a_newcomer_costs_the_same_beside_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P5, P11: the network group of a host is made once, not for each that comes after it."""
    parsed: list[str] = []

    def count(text: str, *, strict: bool) -> IPv4Network | IPv6Network:
        parsed.append(text)
        return ip_network(text, strict=strict)

    monkeypatch.setattr(peer_database, "ip_network", count)
    manager = make_manager()
    hosts = [f"10.77.{n}.{m}" for n in range(100) for m in range(1, 5)]
    for key, host in enumerate(hosts):
        stranger = Stranger(manager, key=key, host=host)
        if key % 2:
            stranger.greet(make_hello(f"node {key}"))
    assert len(manager.statistics().peers) == PeerLimits().max_inbound
    assert len(parsed) <= 2 * len(hosts)


def test_outbound_connections_spread_over_networks() -> None:
    """T-P9: at most `target_outbound`, one per /16; trusted hosts are exempt."""
    seeds = tuple(PeerAddress(f"10.{n}.0.{m}", 1) for n in range(6) for m in (1, 2))
    manager = make_manager(seeds=seeds)
    manager.tick(START_MS)
    dialled = [item.address for item in manager.take_effects() if isinstance(item, OpenConnection)]
    assert len(dialled) == 6
    assert len({address.host.rsplit(".", 2)[0] for address in dialled}) == 6
    local = tuple(PeerAddress("127.0.0.1", port) for port in range(1, 12))
    manager = make_manager(seeds=local)
    manager.tick(START_MS)
    manager.tick(START_MS + 1)
    assert sum(isinstance(item, OpenConnection) for item in manager.take_effects()) == 8


def test_told_addresses_have_caps() -> None:
    """T-P9: one source fills at most an eighth of the table."""
    listener = Stranger(make_manager(), outbound=True)
    listener.send(make_hello())
    told = tuple(KnownAddress(f"10.0.{n}.1", 1, 0) for n in range(200))
    listener.send(Addresses(told))
    assert len(listener.manager.database) == 125
    assert code_of(listener) is None


def test_scores_sink() -> None:
    """T-P8: a repeated item now and then is forgiven."""
    peer = greeted()
    peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    peer.send(BlockMessage(BLOCK))
    for _ in range(60):
        peer.send(BlockMessage(BLOCK))
        peer.now_ms += 30_000
    assert code_of(peer) is None


def test_bans_grow_and_end() -> None:
    """T-P1: 10 s doubling to an hour for the protocol, 300 s for rates, 600 s for items."""
    bans = Bans(replace(PeerLimits(), max_bans=3))
    waits = [bans.add("a", GoodbyeCode.MALFORMED, 0) for _ in range(12)]
    assert waits[:4] == [10_000, 20_000, 40_000, 80_000]
    assert waits[-1] == 3_600_000
    assert bans.add("b", GoodbyeCode.RATE_LIMIT, 0) == 300_000
    assert bans.add("c", GoodbyeCode.INVALID_ITEM, 0) == 600_000
    assert bans.is_banned("b", 299_999)
    assert not bans.is_banned("b", 300_000)
    bans.add("d", GoodbyeCode.MALFORMED, 0)
    assert len(bans) == 3
    assert not bans.is_banned("a", 1)


def test_a_synopsis_thins_out_towards_the_irreversible_block() -> None:
    """T-N5: head first in detail, the irreversible block always, few ids in all."""
    chain = FakeChain(lib_distance=5_000)
    chain.extend(6_000)
    nums = [int.from_bytes(block_id[:4], "big") for block_id in build_synopsis(chain)]
    assert nums[0] == 1_000
    assert nums[-3:] == [5_997, 5_999, 6_000]
    assert nums == sorted(set(nums))
    assert len(nums) <= 15 < MAX_SYNOPSIS_IDS
    assert build_synopsis(FakeChain()) == ()


def test_an_answer_begins_after_the_last_block_in_common() -> None:
    """T-N5: also when the asker is on a fork, knows nothing, or is ahead."""
    ours, theirs = FakeChain(lib_distance=1_000), FakeChain(lib_distance=1_000)
    ours.extend(100)
    theirs.extend(100)
    ours.extend(30, b"ours")
    theirs.extend(10, b"theirs")
    answer = continue_synopsis(ours, build_synopsis(theirs))
    assert 90 < answer.first_num <= 101
    assert answer.ids == tuple(ours.main[answer.first_num :])
    assert continue_synopsis(ours, ()).ids == tuple(ours.main[1:])
    assert continue_synopsis(ours, build_synopsis(ours)) == BlockIds(131, (), 0)
    long = FakeChain()
    long.extend(2_500)
    answer = continue_synopsis(long, ())
    assert (len(answer.ids), answer.remaining) == (2_000, 500)


def test_a_damaged_block_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-S3, T-N5: nor what follows it, while it is being fetched again: what a node lists it has to
    deliver."""
    chain = FakeChain()
    chain.extend(10)
    damaged = chain.main[7]
    monkeypatch.setattr(chain, "is_mending", lambda block_id: block_id == damaged)
    assert continue_synopsis(chain, ()) == BlockIds(1, tuple(chain.main[1:7]), 4)
    assert continue_synopsis(chain, tuple(chain.main[1:7])) == BlockIds(7, (), 0)


def test_an_answer_that_does_not_continue_our_synopsis_is_a_lie() -> None:
    """S5: ids must follow a block that we offered."""
    chain = FakeChain(lib_distance=1_000)
    chain.extend(100)
    peer = Stranger(make_manager(chain))
    messages = peer.greet(make_hello(head_num=200, head_id=b"\x00\x00\x00\xc8" + bytes(16)))
    assert isinstance(messages[0], GetBlockIds)
    peer.send(BlockIds(150, (BlockId(b"\x00\x00\x00\x96" + bytes(16)),), 0))
    penalties = [effect for effect in peer.effects if isinstance(effect, PeerPenalised)]
    assert [effect.points for effect in penalties] == [50]


def ahead(first: Stranger | None, key: int) -> Stranger:
    """A peer that greets with a head above ours, and was asked for its block ids."""
    manager = first.manager if first else make_manager()
    peer = Stranger(manager, key=key, host=f"10.{key}.0.1")
    asked = peer.greet(make_hello(f"ahead {key}", head_num=9, head_id=b"\x00\x00\x00\x09" * 5))
    assert asked == [GetBlockIds(())]
    return peer


def test_more_ids_are_asked_for_at_once() -> None:
    """T-N5: a round that brought blocks and left more is followed by the next without a wait."""
    peer = ahead(None, 1)
    assert peer.send(BlockIds(1, (BLOCK_ID,), 8)) == [Fetch(ItemKind.BLOCK, (BLOCK_ID,))]
    assert peer.send(BlockMessage(BLOCK)) == []
    assert peer.manager.is_syncing
    peer.manager.block_accepted(BLOCK_ID, (BLOCK_ID,), peer.now_ms)
    assert peer.take()[0] == GetBlockIds(())


def test_an_invalid_block_spoils_every_chain_that_holds_it() -> None:
    """T-P6: it is asked of nobody again, and whoever lists it later is dropped at once."""
    first = ahead(None, 1)
    second = ahead(first, 2)
    assert first.send(BlockIds(1, (BLOCK_ID,), 0)) == [Fetch(ItemKind.BLOCK, (BLOCK_ID,))]
    assert second.send(BlockIds(1, (BLOCK_ID,), 0)) == []
    first.send(BlockMessage(BLOCK))
    first.manager.block_rejected(first.key, BLOCK_ID, BlockRefusal.INVALID, first.now_ms)
    assert goodbyes(first.take()) == [GoodbyeCode.INVALID_ITEM]
    assert first.manager.statistics().sync_pending == 0
    assert second.tick(100) == []
    assert second.tick(10_000) == [GetBlockIds(())]
    assert goodbyes(second.send(BlockIds(1, (BLOCK_ID,), 0))) == [GoodbyeCode.INVALID_ITEM]


def test_promises_are_no_sync() -> None:
    """T-P5: a peer that lists blocks and delivers none, or no more, keeps no witness waiting."""
    second = make_block(BLOCK_ID)
    peer = ahead(None, 1)
    seen = []

    def look() -> None:
        seen.append(peer.manager.statistics().is_syncing)

    peer.send(BlockIds(1, (BLOCK_ID, id_of_block(second)), 0))
    look()
    peer.send(BlockMessage(BLOCK))
    look()
    peer.manager.block_accepted(BLOCK_ID, (BLOCK_ID,), peer.now_ms)
    look()
    peer.tick(2_900)
    look()
    peer.tick(100)
    look()
    assert seen == [False, True, True, True, False]


def test_what_follows_a_refused_block_falls_with_it() -> None:
    """RELIABILITY 0.3: one fault is counted once, however many blocks were on their way."""
    blocks = [make_block(BlockId(bytes(4) + b"x" * 16))]
    for _ in range(8):
        blocks.append(make_block(id_of_block(blocks[-1])))
    ids = tuple(id_of_block(block) for block in blocks)
    peer = ahead(None, 1)
    peer.send(BlockIds(1, ids, 0))
    for block in blocks:
        peer.send(BlockMessage(block))
    assert sum(isinstance(effect, BlockReceived) for effect in peer.effects) == len(blocks)
    for block_id in ids:
        peer.manager.block_rejected(peer.key, block_id, BlockRefusal.UNLINKABLE, peer.now_ms)
    peer.take()
    penalties = [effect for effect in peer.effects if isinstance(effect, PeerPenalised)]
    assert [effect.points for effect in penalties] == [50]
    assert not peer.manager.is_syncing


def test_recent_things_are_bounded() -> None:
    """T-P7: the oldest make room."""
    recent: RecentSet[int] = RecentSet(3)
    assert [recent.add(number) for number in (1, 2, 3, 1, 4)] == [True, True, True, False, True]
    assert [number for number in range(5) if number in recent] == [1, 3, 4]
    cache: ByteCache[int] = ByteCache(100)
    for number in range(10):
        cache.put(number, bytes(30))
    assert [number for number in range(10) if cache.get(number)] == [7, 8, 9]
    assert cache.total_bytes == 90
    cache.put(11, bytes(101))
    assert cache.get(11) is None


def test_shutting_down_says_goodbye() -> None:
    """T-P10: every peer is told."""
    peer = greeted()
    peer.manager.shut_down(peer.now_ms)
    assert goodbyes(peer.take()) == [GoodbyeCode.SHUTTING_DOWN]
    assert not peer.manager.statistics().peers


@pytest.mark.parametrize("seed", range(20))
def test_random_streams_only_ever_close_the_peer(seed: int) -> None:
    """T-P1: whatever bytes arrive in whatever state, the peer is dropped and nothing raises."""
    rng = Random(seed)
    manager = make_manager()
    for key in range(1, 60):
        peer = Stranger(manager, key=key, host="127.0.0.1", outbound=rng.random() < 0.5)
        if not peer.manager.statistics().peers[-1].outbound and rng.random() < 0.8:
            peer.greet(make_hello(f"node {key}"))
        length = rng.choice((0, 1, 2, 3, 5, 30, 1_000, 3_000_000))
        body = bytes([0x90 + rng.randrange(16), rng.randrange(1, 16)]) + rng.randbytes(40)
        manager.received(peer.key, length.to_bytes(4, "big") + body, START_MS)
        manager.disconnected(peer.key, START_MS)
    assert not manager.statistics().peers
    assert not [item for item in manager.take_effects() if isinstance(item, ClosePeer)][1_000:]
