"""T-P12, T-P13: real processes encrypt, and a list of node keys keeps others out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.config import read_settings, split_address
from node.storage.node_key import open_node_key
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
