"""Two node processes that share a history on a PostgreSQL server, which goes and returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.app import replay_node
from node.cli.client import CallRefused
from node.cli.network_files import API_NODE
from tests.services.test_history_node import act, count_operations
from tests.support.commands import pegboard
from tests.support.history_databases import PostgresPlace
from tests.support.live_network import LiveNetwork, LiveNode, wait_for
from tests.support.postgres import NoServer, PostgresServer

pytestmark = pytest.mark.functional

UNAVAILABLE = 69


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    try:
        found = PostgresServer()
    except NoServer as error:
        pytest.skip(f"PostgreSQL is not tested: {error}")
    yield found
    found.remove()


@pytest.fixture
def place(server: PostgresServer) -> PostgresPlace:
    return PostgresPlace(server.create_database())


@pytest.fixture
def network(tmp_path: Path, place: PostgresPlace) -> Iterator[LiveNetwork]:
    """A witness and an observer, both of which serve an API, with one history."""
    live = LiveNetwork.create(tmp_path / "net", 1, 1)
    for node in live.nodes.values():
        text = node.plan.settings.read_text()
        node.plan.settings.write_text(f"history = {json.dumps(place.url)}\n{text}")
    try:
        yield live
    finally:
        live.stop_all()


def stored(place: PostgresPlace) -> int:
    """The newest block in the database."""
    ((num,),) = place.execute("SELECT max(num) FROM block")
    return int(num or 0)


def history_of(node: LiveNode, account: str) -> object:
    assert node.client is not None
    return node.client.call("history", "get_relative_account_history", account, 0, 100, 0)


def is_told(node: LiveNode, account: str, count: int) -> bool:
    """Whether a node tells so many operations; it may not have tried again yet."""
    try:
        return count_operations(node, account) >= count
    except CallRefused:
        return False


def events_of(node: LiveNode, name: str) -> list[dict[str, object]]:
    """The lines of one event in a node's log."""
    lines = node.plan.log.read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [event for event in events if event.get("ev") == name]


def test_two_nodes_share_a_history_through_kill_9(
    network: LiveNetwork, place: PostgresPlace
) -> None:
    """T-S1, R9.2: both write, no row is doubled or missing, and both tell the same."""
    witness, observer = network.nodes["init0"], network.nodes[API_NODE]
    witness.start()
    observer.start()
    network.wait_for_height("init0", 2)
    for number in range(1, 4):
        act(witness, "transfer", "alice", f"{number} TEST", "-a", "bob")
        observer.kill() if number == 1 else witness.kill()
        observer.start() if number == 1 else witness.start()
    head = witness.head().num
    network.wait_until_agreed(("init0", API_NODE), head)
    wait_for(lambda: stored(place) > head, "the blocks to be stored", 30, [witness, observer])
    assert history_of(witness, "bob") == history_of(observer, "bob")
    assert count_operations(observer, "bob") >= 3
    assert (witness.stop(), observer.stop()) == (0, 0)

    nums = place.execute("SELECT num FROM block ORDER BY num")
    assert nums == [(num,) for num in range(1, len(nums) + 1)]
    firsts = place.execute(
        "SELECT block_num, min(instance) FROM operation WHERE block_num > 1 GROUP BY block_num"
    )
    counted = place.execute(
        "SELECT num + 1, operations FROM block WHERE num < ?"
        " AND num + 1 IN (SELECT block_num FROM operation)",
        len(nums),
    )
    assert sorted(firsts) == sorted(counted)
    live = place.execute("SELECT * FROM operation ORDER BY instance")
    started = replay_node(witness.plan.settings, with_history=True)
    assert started.chain.head_num >= len(nums)
    anew = place.execute("SELECT * FROM operation ORDER BY instance")
    assert anew[: len(live)] == live[: len(anew)]
    assert len(anew) > 3


def test_a_node_goes_on_without_its_server_and_catches_up(
    network: LiveNetwork, server: PostgresServer, place: PostgresPlace
) -> None:
    """T-S4: consensus never waits for the history; a start does, and says why it cannot."""
    node = network.nodes["init0"]
    node.start()
    act(node, "transfer", "alice", "1 TEST", "-a", "bob")
    before = node.head().num
    wait_for(lambda: stored(place) >= before, "the blocks to be stored", 30, [node])

    server.stop()
    network.wait_for_height("init0", before + 6)
    wait_for(lambda: events_of(node, "history_waits"), "the node to tell", 30, [node])
    waits = len(events_of(node, "history_waits"))
    assert waits < 12
    act(node, "transfer", "alice", "2 TEST", "-a", "bob")
    with pytest.raises(CallRefused, match="history_unavailable"):
        history_of(node, "alice")

    server.start()
    head = node.head().num
    wait_for(lambda: stored(place) >= head, "the history to catch up", 60, [node])
    assert events_of(node, "history_goes_on")
    wait_for(lambda: is_told(node, "bob", 2), "the history to answer", 30, [node])
    assert node.stop() == 0


def test_a_start_without_the_server_is_refused_by_name(
    network: LiveNetwork, server: PostgresServer
) -> None:
    """T-S4: exit code 69, and which server it is."""
    server.stop()
    done = pegboard("node", "--config", str(network.nodes["init0"].plan.settings))
    assert done.returncode == UNAVAILABLE
    fatal = json.loads(done.stderr.splitlines()[-1])
    assert (fatal["ev"], fatal["exit_code"]) == ("fatal", UNAVAILABLE)
    assert "PostgreSQL at 127.0.0.1" in fatal["reason"]
