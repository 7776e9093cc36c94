"""Three real witness processes and a fresh observer, over TCP, with a kill in the middle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app import replay_node
from tests.support.live_network import LiveNetwork

pytestmark = pytest.mark.functional

WITNESSES = ("init0", "init1", "init2")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", len(WITNESSES), 1)
    try:
        yield live
    finally:
        live.stop_all()


def test_a_network_survives_kill_9_and_everybody_agrees(network: LiveNetwork) -> None:
    """T-S1, S7, I18: demo, kill -9, restart, fresh observer; one head and one state hash."""
    for name in WITNESSES:
        network.nodes[name].start()
    network.wait_for_height("init0", 3)
    client = network.nodes["init0"].client
    assert client is not None
    played = subprocess.run(
        [sys.executable, "-m", "node", "demo", "margin-call", "--url", client.url],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-3_000:] + played.stderr[-3_000:]

    victim = network.nodes["init1"]
    before = victim.head()
    victim.kill()
    network.wait_for_height("init0", before.num + 3)
    victim.start()
    assert victim.head().num >= before.num, "a block that was announced is lost"

    network.nodes["api"].start()
    agreed = network.wait_until_agreed((*WITNESSES, "api"), above=before.num + 5)

    assert [node.stop() for node in network.nodes.values()] == [0, 0, 0, 0]
    replayed = replay_node(network.nodes["api"].plan.settings, paranoid=True).chain
    assert replayed.head_num >= agreed.num
    stored = network.nodes["init1"].plan.settings
    assert replay_node(stored).chain.head_num >= agreed.num


def test_a_network_that_was_stopped_goes_on(network: LiveNetwork) -> None:
    """S6: all nodes end and start again, with nothing but their own stores."""
    for name in WITNESSES:
        network.nodes[name].start()
    before = network.wait_until_agreed(WITNESSES, above=3)
    for name in WITNESSES:
        network.nodes[name].kill()
    for name in WITNESSES:
        network.nodes[name].start()
    after = network.wait_until_agreed(WITNESSES, above=before.num + 2)
    assert after.block_id != before.block_id
