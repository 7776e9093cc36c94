"""A producing node of its own process while simulations run, and what is left after `kill -9`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from node.cli.client import as_int, as_object
from protocol.json_form import JsonValue, parse_time
from tests.campaigns.shocks import ask, running_market
from tests.support.commands import processes_with
from tests.support.live_network import LiveNode

pytestmark = pytest.mark.functional

AT_ONCE = 10
FEW: list[JsonValue] = [{"blocks": 50}]
MANY: list[JsonValue] = [{"blocks": 1_000}]
ENDED_WITHIN_S = 10


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """A witness with a block each second, and some hundred positions."""
    with running_market(tmp_path / "net", 300) as live:
        yield live


def head_of(node: LiveNode) -> tuple[int, int]:
    """Number and time of the head."""
    assert node.client is not None
    found = as_object(node.client.call("database", "get_dynamic_global_properties"))
    return as_int(found["head_block_number"]), parse_time(str(found["time"]))


def test_no_slot_is_missed_and_no_child_outlives_its_node(node: LiveNode) -> None:
    """T-A2, T-R3: ten shocks and ten simulations at once, and each second has its block. The node
    takes its children along when it is killed. `scripts/shocks` has 10,000 positions."""
    client = node.client
    assert client is not None
    before = head_of(node)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(client.call, "pegboard", "simulate", FEW, 1) for _ in range(AT_ONCE)]
        over = Event()
        over.set()
        shocks = [pool.submit(ask, client.url, over) for _ in range(AT_ONCE)]
        for one in asked:
            assert as_object(as_object(one.result())["counts"])["blocks"] == 50
        assert [len(one.result().took_s) for one in shocks] == [1] * AT_ONCE
        wait(lambda: head_of(node)[0] > before[0])
        after = head_of(node)
        assert after[0] - before[0] == after[1] - before[1]

        for _ in range(AT_ONCE):
            pool.submit(client.call, "pegboard", "simulate", MANY, 1)
        settings = str(node.plan.settings)
        wait(lambda: len(processes_with(settings)) > 1)
        node.kill()
        wait(lambda: not processes_with(settings))


def wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDED_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
