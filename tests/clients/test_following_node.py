"""A node that follows one of a live network by `--follow`: what exchanges read of (Y7)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli.client import NodeClient
from node.cli.network_files import GENESIS, NodePlan
from node.config import ApiSettings, NodeSettings, write_settings
from tests.clients.conftest import last_irreversible
from tests.support.live_network import LiveNetwork, LiveNode, wait_for

pytestmark = [pytest.mark.clients, pytest.mark.functional]


def test_its_head_is_irreversible(
    network: LiveNetwork, node_client: NodeClient, tmp_path: Path
) -> None:
    """Y7: the blocks are the network's, and none is ahead of what cannot be taken back."""
    genesis = network.network.directory / GENESIS
    settings = tmp_path / "node.toml"
    write_settings(settings, NodeSettings(str(genesis), api=ApiSettings(listen="127.0.0.1:0")))
    node = LiveNode(NodePlan("reads", settings, tmp_path / "log"))
    trusted = node_client.url.removeprefix("http://")
    command = [sys.executable, "-m", "node", "node", "--config", str(settings), "--follow", trusted]
    with node.plan.log.open("ab") as log:
        node.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        node.wait_until_served()
        before = last_irreversible(node_client)
        wait_for(lambda: node.head().num > before, "blocks", 60, [node])
        head = node.head()
        assert head.num <= last_irreversible(node_client)
        block = node_client.call("database", "get_block_header", head.num + 1)
        assert isinstance(block, dict)
        assert block["previous"] == head.block_id
        assert node.stop() == 0
    finally:
        if node.is_running:
            node.kill()
    endpoints = json.loads(node.endpoints.read_text())
    assert endpoints["p2p"] == 0, "it has no peers"
