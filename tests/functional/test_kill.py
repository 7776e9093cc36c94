"""kill -9 at any moment and in every mode: what was told is there, and the same directory goes on.

C3, C4: one client hammers a real node and notes all that it is told; the process is killed while
it does so, several times; each new process is asked for everything. The moments come from a seed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from node.cli.client import CallRefused, NodeClient, as_int, as_list, as_object
from node.presets import development_key
from protocol.crypto.keys import wif
from tests.support.killed_node import MODES, Client, Moment, live_and_die, make_node
from tests.support.live_network import LiveNode, wait_for

pytestmark = pytest.mark.functional

LIVES: Sequence[Moment] = ("told", "early", "told")
MANY = 1_000


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveNode]:
    found = make_node(tmp_path / "net", request.param)
    yield found
    if found.is_running:
        found.kill()


@pytest.mark.parametrize("node", MODES, indirect=True)
def test_what_was_told_survives_kill_9(node: LiveNode, request: pytest.FixtureRequest) -> None:
    """C4, T-S1, T-W1: confirmed is kept, no block that was shown is gone, production goes on."""
    mode = request.node.callspec.params["node"]
    client = Client(mode, f"kill {mode}")
    for moment in LIVES:
        live_and_die(node, client, moment)
    node.start()
    assert node.client is not None
    client.check(node.client)
    client.transfer(node.client)
    assert node.stop() == 0, node.log_tail()
    node.start()
    client.check(node.client)


@pytest.mark.parametrize("node", ["manual", "instant"], indirect=True)
def test_a_thousand_blocks_in_one_call_are_there(node: LiveNode) -> None:
    """C3: each can be read at once, and a clean stop right after the answer keeps them all."""
    node.start()
    client = node.client
    assert client is not None
    key = wif(development_key("init0", "signing"))
    head = as_int(client.call("debug", "debug_generate_blocks", key, MANY))
    numbers = range(head - MANY + 1, head + 1)
    for start in range(numbers[0], head + 1, 100):
        blocks = client.call("block", "get_blocks", start, min(start + 99, head))
        assert None not in as_list(blocks)
    before = node.head()
    assert node.stop() == 0, node.log_tail()
    node.start()
    assert node.head() == before


@pytest.mark.parametrize("node", ["manual"], indirect=True)
def test_a_revert_that_was_told_survives_kill_9(node: LiveNode) -> None:
    """T-S1: the node goes on from where it went back to, votes and signs there, and moves on."""
    node.start()
    client = node.client
    assert client is not None
    place = as_object(client.call("pegboard_dev", "snapshot"))
    client.call("pegboard_dev", "mine", 50)
    state = client.call("pegboard_dev", "revert")
    node.kill()
    node.start()
    assert node.client is not None
    info = as_object(node.client.call("pegboard", "get_node_info"))
    assert info["head_block_id"] == place["block_id"] == as_object(state)["head_block_id"]
    head = as_object(node.client.call("pegboard_dev", "mine", 5))
    info = as_object(node.client.call("pegboard", "get_node_info"))
    irreversible = as_int(info["last_irreversible_block_num"])
    assert irreversible == as_int(head["head_block_number"]) - 2


@pytest.mark.parametrize("node", ["manual"], indirect=True)
def test_who_waits_is_told_that_the_node_ends(node: LiveNode) -> None:
    """C19: a synchronous broadcast is answered when the node is asked to end."""
    node.start()
    client = node.client
    assert client is not None
    body = Client("manual", "stop").transaction(client, 5)
    refusals: list[CallRefused] = []

    def broadcast() -> None:
        try:
            client.call("network_broadcast", "broadcast_transaction_synchronous", body)
        except CallRefused as error:
            refusals.append(error)

    waiting = threading.Thread(target=broadcast)
    waiting.start()
    wait_for(lambda: has_pending(client), "the transaction to wait", 10, [node])
    assert node.stop() == 0, node.log_tail()
    waiting.join()
    assert [error.name for error in refusals] == ["node_stopping"]


def has_pending(client: NodeClient) -> bool:
    """Whether alice's transfer shows already, as reads do of what is pending."""
    accounts = as_list(client.call("database", "lookup_account_names", ["bob"]))
    bob = str(as_object(accounts[0])["id"])
    balances = as_list(client.call("database", "get_account_balances", bob, ["1.3.0"]))
    return as_int(as_object(balances[0])["amount"]) % 10 == 5
