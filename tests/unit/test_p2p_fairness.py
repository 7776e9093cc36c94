"""P3, P10, P11: peers that promise, flood, idle or are silent cost themselves, and nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from node.p2p.effects import BlockReceived, ClosePeer, SendBytes
from node.p2p.inventory import Gossip
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.requests import RequestTracker
from node.p2p.verdicts import BlockRefusal
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader
from protocol.p2p.message_codec import decode_message
from protocol.p2p.messages import (
    BlockIds,
    BlockMessage,
    Fetch,
    GetBlockIds,
    GoodbyeCode,
    Inventory,
    ItemKind,
    Message,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from protocol.schema import BlockId, TransactionId
from tests.support.fake_chain import (
    GENESIS_ID,
    FakeChain,
    id_of_block,
    make_block,
    make_transaction,
)
from tests.support.fake_network import (
    START_MS,
    FakeNetwork,
    Stranger,
    make_hello,
    make_manager,
    peer_of,
)

BLOCK = make_block(GENESIS_ID, b"next")
BLOCK_ID = id_of_block(BLOCK)


def fetched(messages: list[Message]) -> list[bytes]:
    return [item for message in messages if isinstance(message, Fetch) for item in message.ids]


def fake_ids(count: int, salt: int = 0) -> list[TransactionId]:
    return [TransactionId((salt * 1_000_000 + n).to_bytes(20, "big")) for n in range(1, count + 1)]


class Steps:
    """Counts the looks that gossip takes at items."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for cls, name in ((Gossip, "_has"), (RequestTracker, "holders")):
            monkeypatch.setattr(cls, name, self._counted(getattr(cls, name)))

    def _counted(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            self.count += 1
            return method(*arguments)

        return call


def announce(peer: Stranger, ids: list[TransactionId]) -> list[bytes]:
    """Announce transactions; what is fetched of them."""
    found = []
    for start in range(0, len(ids), 1_000):
        batch = tuple(ids[start : start + 1_000])
        found += fetched(peer.send(Inventory(ItemKind.TRANSACTION, batch)))
    return found


@pytest.mark.parametrize("end", ["not available", "disconnected"])
def test_what_nobody_has_costs_in_proportion(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """P3: ten thousand ids, each refused by itself or lost with its peer: linear, not quadratic."""
    steps = Steps(monkeypatch)
    costs = []
    for count in (1_000, 10_000):
        peer = peer_of(make_manager(), 1)
        asked = announce(peer, fake_ids(count))
        steps.count = 0
        if end == "disconnected":
            peer.manager.disconnected(peer.key, peer.now_ms)
        while asked and end == "not available":
            refusal = NotAvailable(ItemKind.TRANSACTION, (asked.pop(0),))
            asked += fetched(peer.send(refusal))
        assert peer.manager.statistics().wanted_items == 0
        costs.append(steps.count / count)
    assert costs[1] <= 1.3 * costs[0], costs


def test_a_tick_costs_nothing_for_what_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """P3: ten times a second nobody looks through all that is wanted."""
    steps = Steps(monkeypatch)
    peer = peer_of(make_manager(), 1)
    announce(peer, fake_ids(10_000))
    steps.count = 0
    for _ in range(20):
        peer.tick(100)
    assert steps.count == 0


def test_a_listed_block_is_fetched_from_who_has_it() -> None:
    """P10: a peer lists the next block and never delivers it; who announces it is asked at once."""
    manager = make_manager()
    liar = Stranger(manager, key=1, host="10.1.0.1")
    liar.greet(make_hello("liar", head_num=1, head_id=BLOCK_ID))
    assert fetched(liar.send(BlockIds(1, (BLOCK_ID,), 0))) == [BLOCK_ID]
    honest = peer_of(manager, 2)
    honest.tick(500)
    assert fetched(honest.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))) == [BLOCK_ID]
    honest.send(BlockMessage(BLOCK))
    assert [item.peer for item in honest.effects if isinstance(item, BlockReceived)] == [honest.key]


def test_a_block_behind_a_false_list_is_handed_over() -> None:
    """P10: a list that has a block of nobody before the true one delays the true one not at all."""
    chain = FakeChain()
    chain.extend(1)
    second = make_block(chain.head_id, b"second")
    manager = make_manager(chain)
    liar = Stranger(manager, key=1, host="10.1.0.1")
    true_id = id_of_block(second)
    false_id = BlockId(b"\x00\x00\x00\x01" + bytes(16))
    liar.greet(make_hello("liar", head_num=2, head_id=true_id))
    liar.send(BlockIds(1, (false_id, true_id), 0))
    honest = peer_of(manager, 2)
    honest.tick(500)
    assert fetched(honest.send(Inventory(ItemKind.BLOCK, (true_id,)))) == [true_id]
    honest.send(BlockMessage(second))
    assert [item.front.id for item in honest.effects if isinstance(item, BlockReceived)] == [
        true_id
    ]


@pytest.mark.parametrize("liars", [1, 8, 30])
def test_a_block_announced_by_liars_first_comes_from_the_one_we_dialled(liars: int) -> None:
    """P10: half a second after a liar was asked for a block it is asked of another peer."""
    manager = make_manager()
    promised = Inventory(ItemKind.BLOCK, (BLOCK_ID,))
    others = [peer_of(manager, key) for key in range(1, liars + 1)]
    for other in others:
        other.send(promised)
    honest = peer_of(manager, 99, outbound=True)
    assert fetched(honest.send(promised)) == []
    assert fetched(honest.tick(500)) == [BLOCK_ID]


def said_to(peer: Stranger, effects: Iterable[object]) -> list[Message]:
    """What a manager says to a peer with some effects."""
    frames = FrameReader(MAX_FRAME_BYTES)
    for effect in effects:
        if isinstance(effect, SendBytes) and effect.peer == peer.key:
            frames.feed(effect.data)
    messages = []
    while (payload := frames.next_frame()) is not None:
        messages.append(decode_message(payload))
    return messages


@pytest.mark.parametrize("named", [(0, 1), (1, 0), (0, 2), (2, 0)])
def test_what_a_peer_lacks_is_asked_of_others_whatever_else_it_names(named: tuple[int]) -> None:
    """P10, T-P8: a refusal that repeats itself in part, or lies in part, still counts."""
    ids = fake_ids(3)
    manager = make_manager()
    first, second = peer_of(manager, 1), peer_of(manager, 2)
    assert announce(first, ids[:2]) == ids[:2]
    assert announce(second, ids[:2]) == []
    for refused in ((1,), named):
        first.effects.clear()
        first.send(NotAvailable(ItemKind.TRANSACTION, tuple(ids[at] for at in refused)))
    assert fetched(said_to(second, first.effects)) == [ids[0]]


@pytest.mark.parametrize("refusal", [BlockRefusal.CORRUPT, BlockRefusal.INVALID])
def test_a_false_body_does_not_hide_the_true_block(refusal: BlockRefusal) -> None:
    """P10: whoever delivers another body than the header's has not delivered: the others that told
    of the block are asked at once; of one that is wrong for good nobody is."""
    manager = make_manager()
    liar, honest = peer_of(manager, 1), peer_of(manager, 2)
    for peer in (liar, honest):
        peer.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    liar.send(BlockMessage(BLOCK))
    manager.block_rejected(liar.key, BLOCK_ID, refusal, liar.now_ms)
    wanted = [BLOCK_ID] if refusal is BlockRefusal.CORRUPT else []
    assert fetched(honest.take()) == wanted
    honest.effects.clear()
    if wanted:
        honest.send(BlockMessage(BLOCK))
        assert [item.peer for item in honest.effects if isinstance(item, BlockReceived)] == [
            honest.key
        ]


def test_a_slow_reader_is_served_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P5: no more is sent than it takes, nothing of it is read twice, and it stays."""
    chain = FakeChain()
    for _ in range(40):
        chain.push(make_block(chain.head_id, bytes(100_000)))
    reads: list[bytes] = []
    read = chain.block_bytes

    def count(block_id: BlockId) -> bytes | None:
        reads.append(block_id)
        return read(block_id)

    monkeypatch.setattr(chain, "block_bytes", count)
    limits = PeerLimits()
    manager = make_manager(chain, limits)
    peer = peer_of(manager, 1)
    peer.is_slow = True
    blocks = peer.send(Fetch(ItemKind.BLOCK, tuple(chain.main[1:])))
    assert len(blocks) == limits.unwritten_bytes // 100_000 + 1
    assert peer.tick(1_000) == []
    for _ in range(40):
        manager.written(peer.key, 100_200, peer.now_ms)
        blocks += peer.take()
        peer.now_ms += 100
    assert [type(block) for block in blocks] == [BlockMessage] * 40
    assert len(reads) == 40
    assert peer.closing is None


def test_who_was_late_is_asked_last() -> None:
    """P10: a peer that did not deliver comes after the others from then on, until it does."""
    manager = make_manager()
    liar, honest = peer_of(manager, 1), peer_of(manager, 2)
    liar.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    honest.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))
    assert fetched(honest.tick(500)) == [BLOCK_ID]
    honest.send(BlockMessage(BLOCK))
    third = peer_of(manager, 3, now_ms=honest.now_ms)
    other = id_of_block(make_block(GENESIS_ID, b"another"))
    third.send(Inventory(ItemKind.BLOCK, (other,)))
    for peer in (liar, honest):
        peer.now_ms = third.now_ms
        assert fetched(peer.send(Inventory(ItemKind.BLOCK, (other,)))) == []
    assert third.send(NotAvailable(ItemKind.BLOCK, (other,))) == []
    assert (fetched(liar.take()), fetched(third.take())) == ([], [])
    honest.effects.clear()
    assert manager.statistics().wanted_items == 1
    asked = {row.key: row.requests_in_flight for row in manager.statistics().peers}
    assert (asked[liar.key], asked[honest.key]) == (1, 1)


def test_false_announcements_keep_nobody_else_out() -> None:
    """P10, T-P7: ten peers that announce what does not exist fill the table; the honest one's
    transaction is fetched, and its block."""
    manager = make_manager(limits=PeerLimits(max_wanted=1_000))
    for key in range(1, 11):
        announce(peer_of(manager, key), fake_ids(2_000, key))
    assert manager.statistics().wanted_items == 1_000
    honest = peer_of(manager, 50)
    transaction = make_transaction(b"true")
    assert announce(honest, [transaction.id]) == [transaction.id]
    assert fetched(honest.send(Inventory(ItemKind.BLOCK, (BLOCK_ID,)))) == [BLOCK_ID]
    honest.send(TransactionMessage(transaction.packed()))
    assert manager.statistics().wanted_items == 1_000


def crowd(manager: PeerManager, count: int, hosts_per_group: int = 10) -> list[Stranger]:
    """Idle peers from as few networks as the caps allow, each a second after the one before."""
    peers = []
    for number in range(count):
        host = f"10.99.{number // hosts_per_group}.{number % hosts_per_group + 1}"
        now_ms = START_MS + number * 1_000
        peer = Stranger(manager, key=1_000 + number, host=host, now_ms=now_ms)
        peer.greet(make_hello(f"idle {number}", time_ms=now_ms))
        peers.append(peer)
    return peers


def test_newcomers_find_room_among_idle_peers() -> None:
    """P11: 200 idle peers of 20 networks shut out nobody; the newest of the largest goes."""
    manager = make_manager()
    idle = crowd(manager, 200)
    now_ms = idle[-1].now_ms + 1_000
    newcomers = [peer_of(manager, key, now_ms=now_ms + key) for key in range(1, 51)]
    for peer in (*idle, *newcomers):
        peer.take()
    open_keys = {row.key for row in manager.statistics().peers}
    assert len(open_keys) == 200
    assert sum(peer.key in open_keys for peer in newcomers) >= 45
    gone = [peer for peer in idle if peer.key not in open_keys]
    assert len(gone) >= 45
    assert manager.statistics().bans == 0


def test_peers_that_serve_well_are_not_the_ones_that_go() -> None:
    """P11: who brought blocks and transactions, answers fast or is here longest stays."""
    manager = make_manager()
    good = [peer_of(manager, key) for key in range(1, 17)]
    for number, peer in enumerate(good[:4]):
        block = make_block(GENESIS_ID, bytes((number,)))
        peer.send(Inventory(ItemKind.BLOCK, (id_of_block(block),)))
        peer.send(BlockMessage(block))
    for number, peer in enumerate(good[4:8]):
        transaction = make_transaction(bytes((number,)))
        announce(peer, [transaction.id])
        peer.send(TransactionMessage(transaction.packed()))
    for peer in good[8:]:
        peer.tick(30_000) if peer is good[8] else peer.take()
    for peer in good[8:]:
        peer.now_ms = good[8].now_ms
        peer.send(Pong(1))
    for peer in good[:8]:
        peer.now_ms = good[8].now_ms
        peer.send(Ping(1))
    start_ms = good[8].now_ms
    for number in range(400):
        host = f"10.{100 + number // 100}.{number // 10 % 10}.{number % 10 + 1}"
        idle = Stranger(manager, key=1_000 + number, host=host, now_ms=start_ms + number)
        idle.greet(make_hello(f"idle {number}", time_ms=start_ms + number))
    stay = {row.key for row in manager.statistics().peers}
    assert [peer.key in stay for peer in good] == [True] * 16
    assert len(stay) == 200


def test_half_open_connections_shut_out_nobody() -> None:
    """P11, T-P5: fifty strangers that never greet; the oldest of the largest network goes."""
    manager = make_manager()
    silent = [
        Stranger(manager, key=1_000 + number, host=f"10.99.{number // 10}.{number % 10 + 1}")
        for number in range(50)
    ]
    newcomer = peer_of(manager, 1)
    assert newcomer.closing is None
    assert [item.peer for item in newcomer.effects if isinstance(item, ClosePeer)] == [
        silent[0].key
    ]
    assert len(manager.statistics().peers) == 50


@pytest.mark.parametrize("silent", [1, 8, 20])
@pytest.mark.parametrize("falls_silent", ["before its list", "after its list"])
def test_a_cold_sync_is_not_held_up_by_silent_peers(silent: int, falls_silent: str) -> None:
    """T-N5, P10: they cost their own requests and one wait, however many there are."""
    network = FakeNetwork()
    chain = FakeChain()
    chain.extend(500)
    fresh = network.add_node("fresh")
    names = [f"mute {number}" for number in range(silent)]
    for name in (*names, "good"):
        node = network.add_node(name)
        node.chain.blocks.update(chain.blocks)
        node.chain.main[:] = chain.main
    for name in names:
        network.connect(name, "fresh")
    while fresh.manager.statistics().active_count < silent:
        network.run(100)
    while falls_silent == "after its list" and not fresh.manager.statistics().sync_pending:
        network.run(100)
    for name in names:
        network.nodes[name].is_silent = True
    network.connect("fresh", "good")
    network.run(15_000)
    assert fresh.chain.head_num == 500
    assert max(fresh.blocks_received.values()) == 1
    seen = Counter(closing.code for closing in fresh.closed)
    assert set(seen) <= {GoodbyeCode.TIMEOUT}


def test_a_question_is_not_repeated_to_who_does_not_answer() -> None:
    """T-N5: a silent peer is asked once, and its place in the sync goes to another."""
    manager = make_manager(limits=PeerLimits(sync_peers=1))
    silent = Stranger(manager, key=1, host="10.1.0.1")
    head = BlockId(b"\x00\x00\x00\x09" + bytes(16))
    assert silent.greet(make_hello("silent", head_num=9, head_id=head)) == [GetBlockIds(())]
    second = Stranger(manager, key=2, host="10.2.0.1")
    assert second.greet(make_hello("second", head_num=9, head_id=head)) == []
    assert second.tick(2_900) == []
    assert second.tick(100) == [GetBlockIds(())]
