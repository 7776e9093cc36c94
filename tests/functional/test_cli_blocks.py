"""A development node whose blocks come on demand, as a real process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.cli.client import NodeClient, as_int, as_object
from node.cli.network_files import free_ports
from protocol.json_form import parse_time
from tests.support.commands import pegboard, running, wait_until_served
from tests.support.core_snapshot import SNAPSHOT

pytestmark = pytest.mark.functional

TRANSFER = ("wallet", "transfer", "bob", "1 TEST", "--dev-keys", "-a", "alice")


def test_a_manual_chain_needs_no_other_tool(tmp_path: Path) -> None:
    """R8.4, T-D3: a first block is there; a transaction waits, a block takes it, an hour passes in
    one more; a restart keeps them, however far ahead of the clock they are."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    options = ("--data-dir", str(tmp_path / "dev"), "--api", f"127.0.0.1:{port}")
    with running("node", "--dev", "--mode", "manual", *options) as node:
        assert wait_until_served(url)
        assert pegboard("blocks", "generate", "2", "--url", url).returncode == 0
        sent = pegboard(*TRANSFER, "--no-wait", "--url", url)
        assert sent.returncode == 0, sent.stderr
        head = json.loads(pegboard("blocks", "generate", "--url", url, "--json").stdout)
        travelled = json.loads(pegboard("blocks", "until", "+1h", "--url", url, "--json").stdout)
        shown = pegboard("show", "tx", sent.stdout.split()[1], "--json", "--url", url)
        found = json.loads(shown.stdout)
        assert found["block_num"] == head["head_block_number"] == 4
        assert travelled["head_block_number"] == 5
        reached, before = (parse_time(item["head_block_time"]) for item in (travelled, head))
        assert reached - before >= 3_600
        check_peers(NodeClient(url))
        assert node.stop() == 0
    with running("node", "--dev", "--mode", "manual", *options) as node:
        assert wait_until_served(url)
        again = json.loads(pegboard("show", "chain", "--url", url, "--json").stdout)
        assert again["head_block_id"] == travelled["head_block_id"]
        assert pegboard("blocks", "generate", "--url", url).returncode == 0
        assert node.stop() == 0


def test_a_state_of_bitshares_core_goes_on(tmp_path: Path) -> None:
    """Operations of its accounts pass unsigned, in its time; a restart goes on with its blocks."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    options = ("--data-dir", str(tmp_path / "fork"), "--api", f"127.0.0.1:{port}")
    forked = ("--fork", str(SNAPSHOT), "--impersonate")
    with running("node", "--dev", "--mode", "instant", *forked, *options) as node:
        assert wait_until_served(url)
        sent = pegboard("wallet", "transfer", "init1", "7 BTS", "-a", "nathan", "--url", url)
        assert sent.returncode == 0, sent.stderr
        found = json.loads(pegboard("show", "chain", "--url", url, "--json").stdout)
        assert found["head_block_number"] == 1_762
        assert found["head_block_time"].startswith("2025-01-01T02:2")
        below = pegboard("rewind", "1760", "--url", url)
        assert "not_undoable" in below.stderr
        assert node.stop() == 0
    with running("node", "--dev", "--mode", "instant", *forked, *options) as node:
        assert wait_until_served(url)
        again = json.loads(pegboard("show", "chain", "--url", url, "--json").stdout)
        assert again["head_block_id"] == found["head_block_id"]
        assert node.stop() == 0


def check_peers(client: NodeClient) -> None:
    """The node's own answers about its peers: it has none, and remembers one that is named."""
    info = as_object(client.call("network_node", "get_info"))
    assert (info["listening_on"], as_int(info["connection_count"])) == ("", 0)
    limits = as_object(client.call("network_node", "get_advanced_node_parameters"))
    assert as_int(limits["desired_number_of_connections"]) > 0
    assert client.call("network_node", "get_connected_peers") == []
    client.call("network_node", "add_node", "127.0.0.1:9")
    known = client.call("network_node", "get_potential_peers")
    assert isinstance(known, list)
    assert as_object(known[0])["endpoint"] == "127.0.0.1:9"
