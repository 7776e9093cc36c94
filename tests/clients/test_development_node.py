"""python-bitshares against a development node in its first minute, in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.client import as_int, as_object
from tests.clients.drive import DRIVERS, Driver
from tests.support.live_network import LiveNode

pytestmark = [pytest.mark.clients, pytest.mark.functional]

MANY = 60
"""Transfers in a row; each expires half a minute after the client's clock."""
LATE = 5
"""Of them, those that wait for their blocks."""


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveNode]:
    """A fresh chain; nothing was done with it."""
    found = LiveNode.development(tmp_path / "dev", request.param)
    found.start()
    yield found
    assert found.stop() == 0, found.log_tail()


def driver_of(node: LiveNode, interpreter: Path, home: Path) -> Driver:
    """The client, connected to a node."""
    assert node.client is not None
    command = [str(interpreter), str(DRIVERS / "python_bitshares.py")]
    url = node.client.url.replace("http:", "ws:")
    return Driver(command, url, "alice", "bob", "EUR", {"HOME": str(home)})


@pytest.mark.parametrize("node", ["manual", "instant", "interval"], indirect=True)
def test_a_fresh_node_is_connected_to(
    node: LiveNode, python_interpreter: Path, tmp_path: Path
) -> None:
    """C15: the client needs the block after the last irreversible one."""
    found = driver_of(node, python_interpreter, tmp_path).run("hurry", count=2)
    assert found["gained"] == found["wanted"]


@pytest.mark.parametrize("node", ["instant"], indirect=True)
def test_many_transfers_in_a_row(node: LiveNode, python_interpreter: Path, tmp_path: Path) -> None:
    """C14: none expires by the blocks of the others, and the chain stays near the clock."""
    driver = driver_of(node, python_interpreter, tmp_path)
    found = driver.run("hurry", count=MANY, waits=LATE)
    assert found["gained"] == found["wanted"] > 0
    assert node.client is not None
    properties = as_object(node.client.call("database", "get_dynamic_global_properties"))
    assert as_int(properties["head_block_number"]) > LATE
    assert '"ev": "transaction_dropped"' not in node.log_tail()
