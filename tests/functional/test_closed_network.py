"""T-P5, T-P12, T-P13: real processes encrypt, and keep out whom they should; storms cost little."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.config import read_settings, split_address
from node.storage.node_key import open_node_key
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from protocol.schema import Digest
from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = pytest.mark.functional

WITNESSES = ("init0", "init1")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", len(WITNESSES), 1)
    try:
        yield live
    finally:
        live.stop_all()


def key_of(node: LiveNode) -> str:
    """The public key of a node, whose file is made now if it never ran."""
    return open_node_key(node.directory / "data" / "keys" / "node.key").public.hex()


def allow(node: LiveNode, *keys: str) -> None:
    """Close a node to all but some keys."""
    text = ", ".join(f'"{key}"' for key in keys)
    settings = node.plan.settings.read_text()
    assert "[p2p]\n" in settings
    node.plan.settings.write_text(settings.replace("[p2p]\n", f"[p2p]\nallowed_keys = [{text}]\n"))


def first_bytes(address: str) -> bytes:
    """What a node says to one who speaks no Noise."""
    with socket.create_connection(split_address(address), timeout=10) as stranger:
        stranger.sendall(b"\x00\x60" + b"\xff" * 96)
        return stranger.recv(1_000)


def test_a_closed_network_refuses_other_keys(network: LiveNetwork) -> None:
    """T-P12, T-P13: two witnesses that list each other agree; the third node is refused by name
    in both logs and stays at its genesis; a stranger gets not a byte."""
    nodes = [network.nodes[name] for name in WITNESSES]
    keys = [key_of(node) for node in nodes]
    for node in nodes:
        allow(node, *keys)
        node.start()
    outsider = network.nodes["api"]
    outsider.start()
    network.wait_until_agreed(WITNESSES, above=5)
    refused = f"key_not_allowed: node key is not on the list of peers, value {key_of(outsider)}"
    wait_for(lambda: refused in nodes[0].plan.log.read_text(), "the refusal", 30, nodes)
    told = "peer said goodbye: node key is not on the list of peers"
    wait_for(lambda: told in outsider.plan.log.read_text(), "the goodbye", 30, [outsider])
    assert outsider.head().num == 0
    client = nodes[0].client
    assert client is not None
    peers: Any = client.call("network_node", "get_connected_peers")
    assert {peer["info"]["node_id"] for peer in peers} <= {keys[1], ""}
    assert first_bytes(read_settings(nodes[0].plan.settings).p2p.listen) == b""


def test_a_seed_of_another_key_is_refused(network: LiveNetwork) -> None:
    """T-P13: a node that knows its seeds by their keys follows one, and names both keys of the
    other, which has got a new one."""
    nodes = [network.nodes[name] for name in WITNESSES]
    addresses = [read_settings(node.plan.settings).p2p.listen for node in nodes]
    keys = [key_of(node) for node in nodes]
    for node in nodes:
        node.start()
    outsider = network.nodes["api"]
    wrong = key_of(outsider)
    settings = outsider.plan.settings.read_text()
    for address, key in zip(addresses, (keys[0], wrong), strict=True):
        assert f'"{address}"' in settings
        settings = settings.replace(f'"{address}"', f'"{key}@{address}"')
    outsider.plan.settings.write_text(settings)
    outsider.start()
    network.wait_until_agreed((WITNESSES[0], "api"), above=3)
    refused = (
        "pinned_key_differs: another node than the one that is named for this address, "
        f"value {keys[1]}, limit {wrong} (T-P13)"
    )
    wait_for(lambda: refused in outsider.plan.log.read_text(), "the refusal", 30, [outsider])
    assert "pinned_key_differs" not in nodes[1].plan.log.read_text()


STORM_HOST = "127.66.0.1"
"""Another address than those of this machine's own nodes, which are trusted."""
STORM = 500


def test_a_storm_of_half_handshakes_costs_nobody_else(network: LiveNetwork) -> None:
    """T-P5: one address begins hundreds of handshakes and finishes none; few are answered, blocks
    go on, and a newcomer gets in meanwhile."""
    witness = network.nodes["init0"]
    for name in WITNESSES:
        network.nodes[name].start()
    network.wait_until_agreed(WITNESSES, above=2)
    address = split_address(read_settings(witness.plan.settings).p2p.listen)
    client = witness.client
    assert client is not None
    chain_id = Digest(bytes.fromhex(str(client.call("database", "get_chain_id"))))
    answered = sum(half_handshake(address, chain_id) for _ in range(STORM))
    assert 0 < answered < STORM // 4
    before = witness.head()
    network.nodes["api"].start()
    network.wait_until_agreed((*WITNESSES, "api"), above=before.num + 2)


def half_handshake(address: tuple[str, int], chain_id: Digest) -> bool:
    """Send the first message, and hang up after the answer; whether there was one."""
    transport = NoiseTransport(NodeKey(b"s" * 32), chain_id, os.urandom, outbound=True)
    try:
        with socket.create_connection(address, 10, (STORM_HOST, 0)) as stranger:
            stranger.sendall(transport.opening())
            return len(stranger.recv(1_000)) > 0
    except ConnectionError:
        return False
