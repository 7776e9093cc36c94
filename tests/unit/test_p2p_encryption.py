"""T-P12, T-P13: encrypted peers as the peer layer sees them, and networks closed to a list."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from node.p2p.effects import ClosePeer, PeerAddress, PeerPenalised, PeerReady, SendBytes
from node.p2p.manager import PeerManager
from protocol.p2p.framing import encode_frame
from protocol.p2p.handshake import FalseNodeId, HandshakePolicy, KeyNotAllowed, check_hello
from protocol.p2p.message_codec import encode_message
from protocol.p2p.messages import (
    Goodbye,
    GoodbyeCode,
    Hello,
    HelloAccepted,
    Message,
    Ping,
    Pong,
)
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.p2p.transport import PlainTransport
from tests.support.fake_chain import CHAIN_ID, FakeChain
from tests.support.fake_network import (
    START_MS,
    FakeNetwork,
    Stranger,
    goodbyes,
    make_hello,
    make_manager,
)
from tests.unit.test_p2p_messages import EXAMPLES

OURS = NodeKey(b"o" * 32)
FRIEND = NodeKey(b"f" * 32)
OTHER = NodeKey(b"x" * 32)
CLOSED = frozenset((OURS.public, FRIEND.public))
MATCHING = {"node_id": FRIEND.public}


def make_encrypted(allowed: frozenset[bytes] = frozenset()) -> PeerManager:
    make_transport = partial(NoiseTransport, OURS, CHAIN_ID, Random(1).randbytes)
    return make_manager(make_transport=make_transport, allowed_keys=allowed, node_id=OURS.public)


def make_stranger(
    manager: PeerManager, key: NodeKey = FRIEND, *, outbound: bool = False
) -> Stranger:
    transport = NoiseTransport(key, CHAIN_ID, Random(2).randbytes, outbound=not outbound)
    return Stranger(manager, outbound=outbound, transport=transport)


def test_an_encrypted_peer_is_known_by_its_key() -> None:
    """T-P12, T-P13: greeting, messages and statistics; no frame is to be seen on the way."""
    manager = make_encrypted()
    friend = make_stranger(manager)
    friend.greet(make_hello(**MATCHING))
    assert friend.send(Ping(7)) == [Pong(7)]
    (row,) = manager.statistics().peers
    assert row.node_id == FRIEND.public
    sent = b"".join(item.data for item in friend.effects if isinstance(item, SendBytes))
    assert b"test/manager" not in sent


def test_a_listener_sends_no_more_than_it_got() -> None:
    """T-P11: after each message of the encrypted handshake, and of the greeting."""
    manager = make_encrypted()
    friend = make_stranger(manager)
    for step in (friend.take, lambda: friend.send(make_hello(**MATCHING))):
        step()
        (row,) = manager.statistics().peers
        assert 0 < row.sent_bytes <= row.received_bytes


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda one: type(one).__name__)
def test_no_message_of_a_stranger_brings_more_than_it_is(message: Message) -> None:
    """T-P11: whatever comes in place of a greeting, once or often, at most as much is sent back."""
    for times in (1, 50):
        friend = make_stranger(make_encrypted())
        friend.take()
        (before,) = friend.manager.statistics().peers
        data = encode_frame(encode_message(message)) * times
        sealed = friend.transport.send(data)
        sent, received = before.sent_bytes, before.received_bytes + len(sealed)
        known = len(friend.effects)
        friend.send_bytes(sealed)
        effects = friend.effects[known:]
        sent += sum(len(one.data) for one in effects if isinstance(one, SendBytes))
        assert 0 < sent <= received


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x60" + b"\xff" * 96, bytes(400)]
)
def test_strangers_of_another_protocol_are_dropped_and_told_nothing(data: bytes) -> None:
    """T-P12: one line in the log; nobody is banned for bytes that anybody on the way could send."""
    manager = make_encrypted()
    stranger = Stranger(manager, transport=PlainTransport(outbound=True))
    stranger.manager.received(stranger.key, data, START_MS)
    effects = manager.take_effects()
    assert [type(effect) for effect in effects] == [PeerPenalised, ClosePeer]
    statistics = manager.statistics()
    assert (statistics.bans, statistics.peers) == (0, ())


@pytest.mark.parametrize("share", [0, 1, 50, 97])
def test_a_slow_handshake_runs_out_of_time(share: int) -> None:
    """T-P5, T-P12: it counts as one that has not greeted, however far it has come."""
    manager = make_encrypted()
    transport = NoiseTransport(FRIEND, CHAIN_ID, Random(2).randbytes, outbound=True)
    opening = transport.opening()
    stranger = Stranger(manager)
    stranger.send_bytes(opening[:share])
    stranger.tick(4_999)
    assert len(manager.statistics().peers) == 1
    stranger.tick(1)
    assert stranger.closing is not None
    assert stranger.closing.code is GoodbyeCode.TIMEOUT


def test_an_unfinished_message_runs_out_of_time() -> None:
    """T-P5, T-P12: bytes that trickle into one encrypted message do not count as a whole frame."""
    manager = make_encrypted()
    friend = make_stranger(manager)
    friend.greet(make_hello(**MATCHING))
    sealed = friend.transport.send(bytes(10_000))
    friend.send_bytes(sealed[:2])
    for at in range(2, 31):
        friend.tick(1_000)
        if friend.closing is None:
            friend.send_bytes(sealed[at : at + 1])
    friend.tick(1_000)
    assert friend.closing is not None
    assert "frame not finished" in friend.closing.reason


def test_an_altered_message_ends_the_connection() -> None:
    """T-P12: after the greeting too; the reason stands in the log, no goodbye is sent."""
    manager = make_encrypted()
    friend = make_stranger(manager)
    friend.greet(make_hello(**MATCHING))
    sealed = bytearray(friend.transport.send(b"frame"))
    sealed[-1] ^= 1
    assert friend.send_bytes(bytes(sealed)) == []
    assert friend.closing is not None
    faults = [item.reason for item in friend.effects if isinstance(item, PeerPenalised)]
    assert faults == [
        "broken_transport: altered, repeated or out of order (T-P12)",
    ]
    assert manager.statistics().bans == 0


def test_a_listed_key_is_let_in() -> None:
    """T-P13: in both directions."""
    for outbound in (False, True):
        manager = make_encrypted(CLOSED)
        friend = make_stranger(manager, outbound=outbound)
        hello = make_hello(**MATCHING)
        friend.send(hello) if outbound else friend.greet(hello)
        assert any(isinstance(effect, PeerReady) for effect in friend.effects)


def test_a_key_that_is_not_listed_is_refused() -> None:
    """T-P13: before its greeting is read; it is told the code, the log its key; no ban."""
    manager = make_encrypted(CLOSED)
    other = make_stranger(manager, OTHER)
    answers = other.send(make_hello(node_id=FRIEND.public))
    assert goodbyes(answers) == [GoodbyeCode.KEY_NOT_ALLOWED]
    assert not any(isinstance(answer, Hello) for answer in answers)
    assert other.closing is not None
    assert other.closing.code is GoodbyeCode.KEY_NOT_ALLOWED
    assert other.closing.reason == (
        f"key_not_allowed: node key is not on the list of peers, value {OTHER.public.hex()} (T-P13)"
    )
    assert manager.statistics().bans == 0


def test_who_dials_a_key_that_is_not_listed_shows_nothing() -> None:
    """T-P13: neither its own key, in the third message, nor a greeting."""
    manager = make_encrypted(CLOSED)
    other = make_stranger(manager, OTHER, outbound=True)
    assert other.take() == []
    assert other.closing is not None
    assert other.closing.code is GoodbyeCode.KEY_NOT_ALLOWED
    assert other.transport.remote_key is None
    assert manager.statistics().peers == ()


def test_a_list_lets_nobody_in_who_shows_no_key() -> None:
    """T-P13: a transport without keys does not open a closed network."""
    stranger = Stranger(make_manager(allowed_keys=CLOSED))
    answers = stranger.send(make_hello(node_id=FRIEND.public))
    assert goodbyes(answers) == [GoodbyeCode.KEY_NOT_ALLOWED]


def test_a_node_id_is_the_proven_key() -> None:
    """T-P13: who claims another's id is refused by name; nobody can get another banned."""
    manager = make_encrypted()
    other = make_stranger(manager, OTHER)
    assert goodbyes(other.send(make_hello(**MATCHING))) == [GoodbyeCode.FALSE_NODE_ID]
    policy = HandshakePolicy(CHAIN_ID, OURS.public, CLOSED)
    with pytest.raises(FalseNodeId):
        check_hello(make_hello(**MATCHING), policy, OTHER.public, START_MS)
    with pytest.raises(KeyNotAllowed):
        check_hello(make_hello(node_id=OTHER.public), policy, OTHER.public, START_MS)
    check_hello(make_hello(**MATCHING), policy, FRIEND.public, START_MS)


def test_a_copy_of_the_key_is_refused_as_oneself() -> None:
    """T-P13: two processes with one key file do not become peers."""
    twin = make_stranger(make_encrypted(), OURS)
    answers = twin.send(make_hello(node_id=OURS.public))
    assert goodbyes(answers) == [GoodbyeCode.SELF_CONNECTION]


def test_the_goodbye_of_one_who_greeted_is_encrypted_too() -> None:
    """T-P12: as everything after the handshake."""
    manager = make_encrypted()
    friend = make_stranger(manager)
    friend.greet(make_hello(**MATCHING))
    manager.shut_down(START_MS)
    (goodbye,) = friend.take()
    assert isinstance(goodbye, Goodbye)


def test_encrypted_nodes_find_each_other_and_sync() -> None:
    """T-P12: three nodes over links that cut the bytes anywhere."""
    network = FakeNetwork(seed=4)
    full = FakeChain()
    full.extend(150)
    network.add_node("full", full, key=OURS)
    network.add_node("fresh", seeds=("full",), key=FRIEND)
    network.add_node("third", seeds=("fresh",), key=OTHER)
    network.run(30_000)
    heads = {node.chain.head_id for node in network.nodes.values()}
    assert heads == {full.head_id}
    assert network.nodes["third"].manager.statistics().active_count >= 1
    assert not any(node.penalties for node in network.nodes.values())
    keys = {row.node_id for row in network.nodes["fresh"].manager.statistics().peers}
    assert keys <= {OURS.public, OTHER.public}


def test_hello_accepted_follows() -> None:
    """T-P10: the greeting is the same three messages under the encryption."""
    manager = make_encrypted()
    listener = make_stranger(manager, outbound=True)
    assert [type(message) for message in listener.take()] == [Hello]
    answers = listener.send(make_hello(**MATCHING))
    assert isinstance(answers[0], HelloAccepted)


def make_pinned(key: NodeKey) -> PeerManager:
    """A manager that knows which key answers where `Stranger` listens."""
    make_transport = partial(NoiseTransport, OURS, CHAIN_ID, Random(1).randbytes)
    pins = {PeerAddress("10.9.0.1", 1776): key.public}
    return make_manager(make_transport=make_transport, node_id=OURS.public, pinned_keys=pins)


def test_a_seed_of_the_pinned_key_is_a_peer() -> None:
    """T-P13: and who comes from its host need not be that node."""
    friend = make_stranger(make_pinned(FRIEND), outbound=True)
    friend.send(make_hello(**MATCHING))
    assert any(isinstance(effect, PeerReady) for effect in friend.effects)
    other = make_stranger(make_pinned(FRIEND), OTHER)
    other.greet(make_hello(node_id=OTHER.public))
    assert any(isinstance(effect, PeerReady) for effect in other.effects)


def test_a_seed_of_another_key_is_refused() -> None:
    """T-P13: before it is shown anything; the reason names both keys, and nobody is banned."""
    manager = make_pinned(FRIEND)
    other = make_stranger(manager, OTHER, outbound=True)
    assert other.take() == []
    assert other.closing is not None
    assert other.closing.reason == (
        "pinned_key_differs: another node than the one that is named for this address, "
        f"value {OTHER.public.hex()}, limit {FRIEND.public.hex()} (T-P13)"
    )
    assert other.transport.remote_key is None
    statistics = manager.statistics()
    assert (statistics.bans, statistics.peers) == (0, ())


def test_a_pinned_seed_must_show_a_key() -> None:
    """T-P13: a greeting in the clear with the right id is not enough."""
    pins = {PeerAddress("10.9.0.1", 1776): FRIEND.public}
    stranger = Stranger(make_manager(pinned_keys=pins), outbound=True)
    stranger.send(make_hello(**MATCHING))
    assert stranger.closing is not None
    assert stranger.closing.reason.startswith("pinned_key_differs")
