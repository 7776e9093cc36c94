"""T-P9: an address that the operator names is dialled at once, within the limits of all others."""

from __future__ import annotations

from node.p2p.effects import OpenConnection, PeerAddress, PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.manager import PeerManager
from node.p2p.peer_database import FIRST_RETRY_MS
from tests.support.fake_network import START_MS, make_manager

NAMED = PeerAddress("10.1.0.1", 1776)
OTHER = PeerAddress("10.2.0.1", 1776)


def dialled(manager: PeerManager) -> list[PeerAddress]:
    """What the manager wants dialled since the last look."""
    return [item.address for item in manager.take_effects() if isinstance(item, OpenConnection)]


def test_a_named_peer_waits_for_no_tick() -> None:
    manager = make_manager()
    assert manager.add_address(NAMED, START_MS)
    assert dialled(manager) == [NAMED]


def test_a_peer_named_again_is_dialled_once() -> None:
    """Neither while it is being dialled, nor while it is connected."""
    manager = make_manager()
    for _ in range(3):
        assert manager.add_address(NAMED, START_MS)
    assert dialled(manager) == [NAMED]
    manager.connected(PeerKey(1), NAMED, outbound=True, now_ms=START_MS)
    assert manager.add_address(NAMED, START_MS)
    assert dialled(manager) == []


def test_a_named_peer_waits_for_room() -> None:
    """Connections that this node opens have their number, and its attempts, too."""
    for limits in (PeerLimits(target_outbound=1), PeerLimits(max_dialling=1)):
        manager = make_manager(limits=limits)
        manager.add_address(OTHER, START_MS)
        manager.add_address(NAMED, START_MS)
        assert dialled(manager) == [OTHER]
        manager.connection_failed(OTHER, START_MS)
        manager.tick(START_MS + 1)
        assert dialled(manager) == [NAMED]


def test_a_peer_that_failed_waits_until_it_is_named_again() -> None:
    """Whoever names another changes nothing about that."""
    manager = make_manager()
    manager.add_address(NAMED, START_MS)
    manager.connection_failed(NAMED, START_MS)
    manager.take_effects()
    manager.add_address(OTHER, START_MS + 1)
    manager.tick(START_MS + FIRST_RETRY_MS - 1)
    assert dialled(manager) == [OTHER]
    manager.add_address(NAMED, START_MS + FIRST_RETRY_MS - 1)
    assert dialled(manager) == [NAMED]
    manager.connection_failed(NAMED, START_MS + FIRST_RETRY_MS)
    manager.tick(START_MS + 3 * FIRST_RETRY_MS - 1)
    assert dialled(manager) == []


def test_a_paused_node_dials_nobody_who_is_named() -> None:
    manager = make_manager()
    manager.pause(START_MS)
    assert manager.add_address(NAMED, START_MS)
    assert dialled(manager) == []
    manager.resume()
    manager.tick(START_MS + 1)
    assert dialled(manager) == [NAMED]


def test_the_own_address_is_not_dialled() -> None:
    manager = make_manager()
    manager.database.forget_own(NAMED)
    assert not manager.add_address(NAMED, START_MS)
    assert dialled(manager) == []
