"""T-P5: a storm of handshakes from one address costs no key agreement and shuts nobody out."""

from __future__ import annotations

from functools import partial
from random import Random

from node.p2p.effects import ClosePeer, PeerAddress, PeerKey, PeerReady
from node.p2p.handshake_rate import HandshakeRate
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from protocol.p2p.messages import GoodbyeCode
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from tests.support.fake_chain import CHAIN_ID
from tests.support.fake_network import START_MS, Stranger, make_hello, make_manager

OURS = NodeKey(b"o" * 32)
LIMITS = PeerLimits()
STORM_HOST = "10.66.0.1"


class Counted:
    """A manager that encrypts, and how many key agreements it has begun."""

    def __init__(self) -> None:
        self.agreements = 0
        make_transport = partial(NoiseTransport, OURS, CHAIN_ID, self.entropy)
        self.manager = make_manager(make_transport=make_transport, node_id=OURS.public)
        self.keys = iter(range(1, 1_000_000))

    def entropy(self, size: int) -> bytes:
        """An ephemeral key, drawn once for each handshake that goes on after its first message."""
        self.agreements += 1
        return Random(self.agreements).randbytes(size)

    def half_handshake(self, host: str, now_ms: int, *, hang_up: bool) -> GoodbyeCode | None:
        """Send the first message of a handshake and nothing more; how the manager refused it."""
        key = PeerKey(next(self.keys))
        manager = self.manager
        manager.connected(key, PeerAddress(host, 50_000), outbound=False, now_ms=now_ms)
        stranger = NoiseTransport(OURS, CHAIN_ID, Random(1).randbytes, outbound=True)
        manager.received(key, stranger.opening(), now_ms)
        if hang_up:
            manager.disconnected(key, now_ms)
        closed = [item for item in manager.take_effects() if isinstance(item, ClosePeer)]
        return closed[0].code if closed else None

    def newcomer(self, host: str, now_ms: int) -> bool:
        """Whether an honest node from a host gets in."""
        key = NodeKey(Random(host).randbytes(32))
        transport = NoiseTransport(key, CHAIN_ID, Random(2).randbytes, outbound=True)
        number = next(self.keys)
        peer = Stranger(self.manager, key=number, host=host, now_ms=now_ms, transport=transport)
        peer.greet(make_hello(node_id=key.public, time_ms=now_ms))
        return any(isinstance(effect, PeerReady) for effect in peer.effects)


def test_a_storm_that_hangs_up_costs_no_keys() -> None:
    """T-P5: of 10,000 half handshakes in ten seconds thirty are worked on; newcomers get in."""
    node = Counted()
    codes = []
    for number in range(10_000):
        now_ms = START_MS + number
        codes.append(node.half_handshake(STORM_HOST, now_ms, hang_up=True))
        if number % 1_000 == 500:
            assert node.newcomer(f"10.{number // 1_000}.0.1", now_ms)
    assert set(codes) == {None, GoodbyeCode.RATE_LIMIT}
    assert codes.count(None) == LIMITS.handshake_burst + 9
    assert node.agreements == codes.count(None) + 10


def test_a_storm_that_stays_fills_no_slots() -> None:
    """T-P5: three connections of one address wait for the rest, the others are turned away."""
    node = Counted()
    codes = [node.half_handshake(STORM_HOST, START_MS, hang_up=False) for _ in range(1_000)]
    assert codes.count(None) == LIMITS.max_inbound_per_host == node.agreements
    assert len(node.manager.statistics().peers) == LIMITS.max_inbound_per_host
    assert all(node.newcomer(f"10.{number}.0.1", START_MS) for number in range(40))


def test_who_waits_may_come_again() -> None:
    """T-P5: one more each second, and the whole burst after a rest; trusted hosts are exempt."""
    rate = HandshakeRate(LIMITS)
    now_ms = START_MS
    for pause_ms, allowed in ((0, 20), (999, 0), (1, 1), (3_000, 3), (20_000, 20), (90_000, 20)):
        now_ms += pause_ms
        assert sum(rate.take(STORM_HOST, now_ms) for _ in range(50)) == allowed
    node = Counted()
    codes = {node.half_handshake("127.0.0.1", START_MS, hang_up=True) for _ in range(100)}
    assert codes == {None}


def test_a_whole_64_of_ipv6_is_one_address() -> None:
    """T-P5: one machine has as many of them as it likes; another /64 is another machine."""
    rate = HandshakeRate(LIMITS)
    taken = [rate.take(f"2001:db8:0:1::{number:x}", START_MS) for number in range(1, 100)]
    assert sum(taken) == LIMITS.handshake_burst
    assert rate.take("2001:db8:0:2::1", START_MS)


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    """T-P5: no address waits longer than its burst takes to come back."""
    rate = HandshakeRate(LIMITS)
    for _ in range(50):
        rate.take(STORM_HOST, START_MS)
    assert not rate.take(STORM_HOST, START_MS - 3_600_000)
    assert rate.take(STORM_HOST, START_MS - 3_600_000 + LIMITS.handshake_every_ms)


def test_many_addresses_cost_no_memory() -> None:
    """T-P5: the one that was used longest ago is forgotten."""
    rate = HandshakeRate(LIMITS)
    for number in range(5_000):
        rate.take(f"10.{number // 250}.{number % 250}.1", START_MS)
        rate.take(STORM_HOST, START_MS)
    assert len(rate) == LIMITS.max_rated_hosts
    assert not rate.take(STORM_HOST, START_MS)


def test_the_manager_is_the_one_that_counts() -> None:
    """T-P5: a storm is refused at the door, before a byte is read."""
    node = Counted()
    manager: PeerManager = node.manager
    for number in range(LIMITS.handshake_burst):
        manager.connected(
            PeerKey(-number - 1), PeerAddress(STORM_HOST, 1), outbound=False, now_ms=START_MS
        )
        manager.disconnected(PeerKey(-number - 1), START_MS)
    manager.take_effects()
    assert node.half_handshake(STORM_HOST, START_MS, hang_up=True) is GoodbyeCode.RATE_LIMIT
    assert node.agreements == 0
