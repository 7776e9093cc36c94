"""P13: a block rots on the disk of a running node; peers and clients ask for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node.cli.client import CallRefused
from tests.support.live_network import LiveNetwork, wait_for

pytestmark = pytest.mark.functional

VICTIM = 3


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", 1, 1)
    try:
        yield live
    finally:
        live.stop_all()


def test_a_rotten_block_is_refused_and_fetched_from_a_peer(network: LiveNetwork) -> None:
    """P13, T-S3: the node goes on, says so, has the block again, and a stop loses nothing."""
    witness, other = network.nodes["init0"], network.nodes["api"]
    witness.start()
    other.start()
    network.wait_until_agreed(("init0", "api"), above=VICTIM + 3)
    assert witness.client is not None
    block = witness.client.call("database", "get_block", VICTIM)
    with closing(sqlite3.connect(witness.directory / "data" / "blocks.sqlite")) as database:
        database.execute("UPDATE block SET data = zeroblob(100) WHERE num = ?", (VICTIM,))
        database.commit()

    with pytest.raises(CallRefused) as refused:
        witness.client.call("database", "get_block", VICTIM)
    assert refused.value.name == "store_damaged"

    def get_block() -> object:
        assert witness.client is not None
        try:
            return witness.client.call("database", "get_block", VICTIM)
        except CallRefused:
            return None

    assert wait_for(get_block, "the block to be here again", 20, [witness]) == block
    log = witness.plan.log.read_text()
    assert log.count('"ev": "block_damaged"') == log.count('"ev": "block_mended"') == 1
    network.wait_until_agreed(("init0", "api"), above=VICTIM + 5)
    assert [witness.stop(), other.stop()] == [0, 0], witness.log_tail()
    witness.start()
    assert get_block() == block
