"""The tutorial of the README runs as it is printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from node.cli.client import NodeClient

pytestmark = [pytest.mark.clients, pytest.mark.functional]

TUTORIAL = Path(__file__).with_name("tutorial.py")


def test_the_tutorial_borrows(
    python_interpreter: Path,
    open_tap: Callable[[str], int],
    node_client: NodeClient,
    tmp_path: Path,
) -> None:
    """R3.2: at the network's price of 0.1, 100 USD at the ratio 2.5 lock 2,500 TEST."""
    url = f"ws://127.0.0.1:{open_tap('python-bitshares')}"
    done = subprocess.run(
        [str(python_interpreter), str(TUTORIAL), url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "borrowed 100.0000 USD against 2,500.00000 TEST" in done.stdout
    positions = node_client.call("database", "get_call_orders", "USD", 10)
    assert isinstance(positions, list)
    [position] = positions
    assert isinstance(position, dict)
    assert (position["debt"], position["collateral"]) == (100_0000, 2_500_00000)
    orders = node_client.call("database", "get_limit_orders", "USD", "TEST", 10)
    assert isinstance(orders, list)
    assert len(orders) == 1
