"""Greetings: what is accepted, what is refused and how (the hello cases of T-P10)."""

from __future__ import annotations

import pytest

from node.p2p.charges import CHARGES
from node.p2p.effects import PeerReady, SplitClaimed
from node.p2p.manager import SPLIT_CLAIM_MS
from node.p2p.peer import TRANSITIONS, PeerState
from protocol.p2p.handshake import (
    ClockSkew,
    HandshakePolicy,
    HelloRefused,
    NullNodeId,
    OtherChain,
    SelfConnection,
    UnsupportedVersion,
    check_hello,
    keeps_new_connection,
)
from protocol.p2p.messages import (
    MESSAGES,
    GetAddresses,
    Goodbye,
    GoodbyeCode,
    Hello,
    HelloAccepted,
    Inventory,
    Ping,
)
from tests.support.fake_chain import CHAIN_ID, FakeChain
from tests.support.fake_network import (
    START_MS,
    Stranger,
    goodbyes,
    make_hello,
    make_manager,
    node_id_of,
)

POLICY = HandshakePolicy(CHAIN_ID, node_id_of("manager"))


def test_a_good_greeting_is_accepted() -> None:
    """T-P10: nothing is raised, also at both ends of the clock's tolerance."""
    check_hello(make_hello(), POLICY, None, START_MS)
    check_hello(make_hello(), POLICY, None, START_MS + POLICY.max_clock_offset_ms)
    check_hello(make_hello(), POLICY, None, START_MS - POLICY.max_clock_offset_ms)


@pytest.mark.parametrize(
    ("changes", "refusal", "code"),
    [
        ({"protocol_version": 2}, UnsupportedVersion, GoodbyeCode.UNSUPPORTED_VERSION),
        ({"protocol_version": 0}, UnsupportedVersion, GoodbyeCode.UNSUPPORTED_VERSION),
        ({"chain_id": bytes(32)}, OtherChain, GoodbyeCode.OTHER_CHAIN),
        ({"node_id": bytes(32)}, NullNodeId, GoodbyeCode.NULL_NODE_ID),
        ({"node_id": node_id_of("manager")}, SelfConnection, GoodbyeCode.SELF_CONNECTION),
        ({"time_ms": START_MS + 30_001}, ClockSkew, GoodbyeCode.CLOCK_SKEW),
        ({"time_ms": START_MS - 30_001}, ClockSkew, GoodbyeCode.CLOCK_SKEW),
        ({"time_ms": 0}, ClockSkew, GoodbyeCode.CLOCK_SKEW),
    ],
)
def test_bad_greetings_are_refused_by_name(
    changes: dict[str, object], refusal: type[HelloRefused], code: GoodbyeCode
) -> None:
    """T-V1, T-P10: each has its exception and its code; the peer is told and not banned."""
    with pytest.raises(refusal) as caught:
        check_hello(make_hello(**changes), POLICY, None, START_MS)
    assert caught.value.code is code
    manager = make_manager()
    stranger = Stranger(manager)
    assert goodbyes(stranger.send(make_hello(**changes))) == [code]
    assert stranger.closing is not None
    assert manager.statistics().bans == 0
    assert not manager.statistics().peers


def test_the_listener_speaks_second_and_no_longer() -> None:
    """T-P11: silence until a greeting, then one greeting and nothing else."""
    manager = make_manager()
    stranger = Stranger(manager)
    assert stranger.take() == []
    answers = stranger.send(make_hello())
    assert [type(answer) for answer in answers] == [Hello]
    row = manager.statistics().peers[0]
    assert row.sent_bytes < 1.1 * row.received_bytes
    stranger.send(HelloAccepted())
    ready = [effect for effect in stranger.effects if isinstance(effect, PeerReady)]
    assert [effect.hello.user_agent for effect in ready] == ["test/stranger"]


def test_the_dialler_speaks_first_and_accepts() -> None:
    """T-P10: hello, hello, accepted; then it asks for addresses."""
    manager = make_manager()
    listener = Stranger(manager, outbound=True)
    assert [type(message) for message in listener.take()] == [Hello]
    answers = listener.send(make_hello())
    assert [type(answer) for answer in answers] == [HelloAccepted, GetAddresses]
    assert manager.statistics().active_count == 1


@pytest.mark.parametrize(
    "message", [Ping(1), GetAddresses(), HelloAccepted(), Inventory(0, (bytes(20),))]
)
def test_nothing_comes_before_the_greeting(message: Ping) -> None:
    """T-P10: a request before hello is a violation; so few bytes deserve no answer (T-P11)."""
    stranger = Stranger(make_manager())
    assert stranger.send(message) == []
    assert stranger.closing is not None
    assert stranger.closing.code is GoodbyeCode.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("again", [make_hello(), HelloAccepted()])
def test_a_second_greeting_is_a_violation(again: Hello) -> None:
    """T-P10: hello_unexpected."""
    manager = make_manager()
    stranger = Stranger(manager)
    stranger.greet()
    assert goodbyes(stranger.send(again)) == [GoodbyeCode.UNEXPECTED_MESSAGE]
    assert manager.statistics().bans > 0


def test_a_large_frame_in_the_handshake_is_refused() -> None:
    """T-P2: 1 KiB is the limit before both have greeted, 2 MiB after."""
    stranger = Stranger(make_manager())
    stranger.send_bytes((1025).to_bytes(4, "big"))
    assert stranger.closing is not None
    assert stranger.closing.code is GoodbyeCode.MALFORMED
    stranger = Stranger(make_manager())
    stranger.greet()
    assert stranger.send_bytes((1025).to_bytes(4, "big")) == []
    assert stranger.closing is None


def test_the_same_node_twice_is_refused() -> None:
    """T-P10: hello_already_connected: the older connection stays."""
    manager = make_manager()
    Stranger(manager, key=1).greet()
    second = Stranger(manager, key=2)
    assert goodbyes(second.send(make_hello())) == [GoodbyeCode.ALREADY_CONNECTED]
    assert [row.key for row in manager.statistics().peers] == [1]


@pytest.mark.parametrize("own_is_smaller", [True, False])
def test_both_sides_keep_the_same_of_two_crossing_connections(own_is_smaller: bool) -> None:
    """T-P10: the one that the smaller id dialled, whichever each side saw first."""
    small, large = b"\x01", b"\x02"
    own, remote = (small, large) if own_is_smaller else (large, small)
    for new_is_outbound in (True, False):
        kept = keeps_new_connection(
            own, remote, old_is_outbound=not new_is_outbound, new_is_outbound=new_is_outbound
        )
        dialled_by_own = new_is_outbound if kept else not new_is_outbound
        assert dialled_by_own == own_is_smaller
    assert not keeps_new_connection(own, remote, old_is_outbound=True, new_is_outbound=True)


def test_irreversible_blocks_that_contradict_each_other_part_peers() -> None:
    """S3: such a peer can never agree with us; one whose head is on a short fork can."""
    chain = FakeChain(lib_distance=20)
    chain.extend(100)
    fork = b"\x00\x00\x00\x32" + bytes(16)
    manager = make_manager(chain)
    enemy = Stranger(manager)
    answer = enemy.send(make_hello(head_num=60, head_id=fork, lib_num=50, lib_id=fork))
    assert goodbyes(answer) == [GoodbyeCode.FORK_BELOW_IRREVERSIBLE]
    laggard = Stranger(manager, key=2)
    laggard.greet(make_hello(head_num=50, head_id=fork, lib_num=40, lib_id=chain.id_at(40)))
    assert laggard.closing is None
    again = Stranger(manager, key=3, host="10.8.0.1")
    again.send(make_hello("laggard", head_num=60, head_id=fork, lib_num=50, lib_id=fork))
    back = Stranger(manager, key=4, host="10.8.0.1")
    back.greet(make_hello("laggard"))
    assert back.closing is None, "banned for a fork"


@pytest.mark.parametrize("is_told_by_peer", [False, True])
def test_a_claim_of_a_split_is_told_and_lasts_while_it_is_repeated(is_told_by_peer: bool) -> None:
    """T-W4: whichever end sees in the greeting that irreversible blocks contradict each other."""
    chain = FakeChain(lib_distance=20)
    chain.extend(100)
    fork = b"\x00\x00\x00\x32" + bytes(16)
    manager = make_manager(chain)
    peer = Stranger(manager, host="10.8.0.1")
    num = 80 if is_told_by_peer else 50
    if is_told_by_peer:
        peer.send(Goodbye(GoodbyeCode.FORK_BELOW_IRREVERSIBLE, "other"))
    else:
        peer.send(make_hello(head_num=60, head_id=fork, lib_num=50, lib_id=fork))
    claim = SplitClaimed(peer.key, "10.8.0.1", num, START_MS)
    assert [one for one in peer.effects if isinstance(one, SplitClaimed)] == [claim]
    assert manager.split == claim
    peer.tick(SPLIT_CLAIM_MS - 1)
    assert manager.split == claim
    peer.tick(1)
    assert manager.split is None


def test_a_peer_that_did_not_come_over_in_time_claims_no_split() -> None:
    """T-W4: once the handshake is done the code is said of chains that may still be given up."""
    manager = make_manager()
    stranger = Stranger(manager)
    stranger.greet()
    stranger.send(Goodbye(GoodbyeCode.FORK_BELOW_IRREVERSIBLE, "other"))
    assert manager.split is None


def test_every_state_has_a_row_and_only_goodbye_ends_it() -> None:
    """T-P10: the table is complete, and whoever is closed hears nothing."""
    assert set(TRANSITIONS) == set(PeerState)
    for state, row in TRANSITIONS.items():
        if state is PeerState.CLOSED:
            assert not row
        else:
            assert row[Goodbye] is PeerState.CLOSED
            assert list(row.values()).count(PeerState.CLOSED) == 1


def test_a_goodbye_is_believed() -> None:
    """T-P10: the peer is forgotten, with its reason, and without a penalty."""
    manager = make_manager()
    stranger = Stranger(manager)
    stranger.greet()
    stranger.send(Goodbye(GoodbyeCode.SHUTTING_DOWN, "bye"))
    assert stranger.closing is not None
    assert stranger.closing.code is GoodbyeCode.SHUTTING_DOWN
    assert not manager.statistics().peers
    assert stranger.send(Ping(1)) == []


def test_every_message_has_a_state_and_a_rate_or_a_reason_for_none() -> None:
    """T-P7, T-P10: a new message that is forgotten in either table is found here."""
    unrated = {Hello, HelloAccepted, Goodbye}
    assert set(CHARGES) == set(MESSAGES.values()) - unrated
    accepted = {cls for following in TRANSITIONS.values() for cls in following}
    assert accepted == set(MESSAGES.values())
    assert set(TRANSITIONS) == set(PeerState)
