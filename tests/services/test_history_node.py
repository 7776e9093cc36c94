"""A node process and its history: kill -9 in the middle, restarts, and making it anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import msgspec
import pytest

from node.app import replay_node
from node.cli import run
from node.history.database.session import select_from
from node.history.database.sqlite import remove_history
from node.history.records import ACCOUNT_OPERATIONS
from node.history.runs import entries_of
from node.services.opened import HISTORY_FILE
from tests.support.live_network import LiveNetwork, LiveNode

pytestmark = pytest.mark.functional

KILLS = 4
TABLES = (
    "operation",
    "fill",
    "bucket",
    "market",
    "feed",
    "margin_call",
    "asset_event",
    "account_total",
    "block",
)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path / "net", 1, 1)
    try:
        yield live
    finally:
        live.stop_all()


def act(node: LiveNode, *command: str) -> None:
    """A signed operation of a development account, which is in a block when this returns."""
    assert node.client is not None
    assert run(["wallet", *command, "--dev-keys", "--url", node.client.url]) == 0


def history_of(node: LiveNode) -> Path:
    return node.directory / "data" / HISTORY_FILE


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table; of accounts' histories the entries, whichever rows they share."""
    database = sqlite3.connect(path)
    try:
        rows = {
            table: sorted(database.execute(f"SELECT * FROM {table}").fetchall()) for table in TABLES
        }
        runs = database.execute(select_from(ACCOUNT_OPERATIONS)).fetchall()
    finally:
        database.close()
    entries = [entry for run in runs for entry in entries_of(ACCOUNT_OPERATIONS.record_of(run))]
    rows["account_operation"] = sorted(map(msgspec.structs.astuple, entries))
    return rows


def count_operations(node: LiveNode, account: str) -> int:
    """How many operations the history of an account tells."""
    assert node.client is not None
    answer = node.client.call("history", "get_relative_account_history", account, 0, 100, 0)
    assert isinstance(answer, list)
    return len(answer)


def test_a_history_survives_kill_9_and_equals_one_made_anew(network: LiveNetwork) -> None:
    """T-S1, T-S6: what the API told of irreversible blocks is there after each kill -9, without
    gaps or doubles; and a history made from the blocks alone has the same rows."""
    node = network.nodes["init0"]
    node.start()
    network.wait_for_height("init0", 2)
    for number in range(1, KILLS + 1):
        act(node, "transfer", "alice", f"{number} TEST", "-a", "bob")
        act(node, "borrow", "10 bitUSD", "--ratio", "3", "-a", "bob")
        act(node, "sell", "10 bitUSD", "--for", "90 TEST", "-a", "bob")
        act(node, "sell", "200 TEST", "--for", "10 bitUSD", "-a", "alice")
        told = count_operations(node, "bob")
        assert told >= 4 * number
        node.kill()
        node.start()
        assert count_operations(node, "bob") >= told
    head = node.head().num
    network.wait_for_height("init0", head + 2)
    assert node.stop() == 0

    live = rows_of(history_of(node))
    assert len(live["fill"]) >= 2 * KILLS
    assert [row[0] for row in live["block"]] == list(range(1, len(live["block"]) + 1))
    assert [row[3] for row in sorted(live["account_operation"], key=itemgetter(3))] == list(
        range(len(live["account_operation"]))
    )

    started = replay_node(node.plan.settings, with_history=True)
    assert started.chain.head_num >= len(live["block"])
    assert rows_of(history_of(node)) == live


def test_a_history_that_is_lost_is_made_again_at_the_next_start(network: LiveNetwork) -> None:
    """T-S6: a start from a snapshot must not leave a hole below it."""
    node = network.nodes["init0"]
    text = node.plan.settings.read_text()
    node.plan.settings.write_text(text + "\n[storage]\nsnapshot_interval = 2\n")
    node.start()
    act(node, "transfer", "alice", "1 TEST", "-a", "bob")
    told = count_operations(node, "bob")
    network.wait_for_height("init0", node.head().num + 4)
    node.kill()
    assert any((node.directory / "data" / "snapshots").iterdir())
    remove_history(history_of(node))
    node.start()
    assert count_operations(node, "bob") == told
    assert node.stop() == 0
    assert [row[0] for row in rows_of(history_of(node))["block"]][:3] == [1, 2, 3]
