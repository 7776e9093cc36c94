"""A node in its first minute: a chain without a block, and what clients ask of it (C15)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.api.json_text import joined
from node.core.settings import CoreSettings
from node.services.api_backend import NodeApiBackend
from tests.support.api import Json, transaction_json
from tests.support.arguments import EVERY_METHOD, sample_arguments
from tests.support.core_nodes import transfer
from tests.support.served_node import ServedNode

INTERNAL_ERROR = -32603
INSTANT = CoreSettings(instant=True, by_the_clock=False)


class NodeMaker:
    """Makes nodes of a development chain that nobody runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made: list[ServedNode] = []

    def __call__(self, settings: CoreSettings = INSTANT, *, keys: int = 99) -> ServedNode:
        node = ServedNode(self.directory, settings, keys=keys)
        self.made.append(node)
        return node


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[NodeMaker]:
    maker = NodeMaker(tmp_path)
    yield maker
    for node in maker.made:
        node.service.history.close()


def ask(node: ServedNode, api: str, method: str, *arguments: Json) -> Json:
    """The answer of a call on a connection of its own."""
    session = node.api.open_session()
    request = {"id": 1, "method": "call", "params": [api, method, list(arguments)]}
    texts = session.receive(json.dumps(request))
    node.store_all()
    node.api.close_session(session)
    return json.loads(joined(texts[0])) if texts else None


@pytest.mark.parametrize(("api", "name"), EVERY_METHOD)
def test_every_method_is_answered_before_the_first_block(
    make_node: NodeMaker, monkeypatch: pytest.MonkeyPatch, api: str, name: str
) -> None:
    """C15, T-D3: a result or a refusal that has a name, never a bug; also without keys."""
    bugs: list[Exception] = []
    monkeypatch.setattr(
        NodeApiBackend, "report_bug", lambda _node, _method, error: bugs.append(error)
    )
    needs_keys = api in ("debug", "pegboard_dev", "network_broadcast")
    for keys in (99, 0) if needs_keys else (99,):
        check_answer(make_node(keys=keys), api, name)
    assert bugs == []


def check_answer(node: ServedNode, api: str, name: str) -> None:
    """Call a method; its answer may be anything but a bug."""
    answer = ask(node, api, name, *sample_arguments(api, name))
    if answer is not None and "error" in answer:
        assert answer["error"]["code"] != INTERNAL_ERROR


def test_a_client_finds_the_block_that_it_refers_to(make_node: NodeMaker) -> None:
    """C15, T-D3: the Python client connects by the block after the last irreversible one."""
    node = make_node()
    node.inputs.make_first_block()
    node.store_all()
    properties = ask(node, "database", "get_dynamic_global_properties")["result"]
    irreversible = properties["last_irreversible_block_num"]
    header = ask(node, "database", "get_block_header", irreversible + 1)["result"]
    prefix = struct.unpack_from("<I", bytes.fromhex(header["previous"]), 4)[0]
    envelope = transfer(node.chain, 5, reference=(irreversible & 0xFFFF, prefix))
    body = transaction_json(envelope)
    answer = ask(node, "network_broadcast", "broadcast_transaction", body)
    assert answer["result"] is None
    assert node.chain.head_num == 2


def test_a_first_block_is_made_once_and_needs_a_key(make_node: NodeMaker) -> None:
    """C15, T-D3: a chain with a block gets none; a node without keys starts all the same."""
    node = make_node()
    for _ in range(3):
        node.inputs.make_first_block()
    assert node.chain.head_num == 1
    without = make_node(keys=0)
    without.inputs.make_first_block()
    assert without.chain.head_num == 0


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("broadcast_transaction", []),
        ("broadcast_transaction_synchronous", []),
        ("broadcast_transaction_with_callback", [7]),
    ],
)
def test_an_instant_node_without_keys_takes_no_transaction(
    make_node: NodeMaker, method: str, first: list[Json]
) -> None:
    """C18, T-D2: refused by name, and then nothing is pending, told or waited for."""
    node = make_node(keys=0)
    listener = node.api.open_session()
    listener.receive('{"id":1,"method":"set_pending_transaction_callback","params":[1]}')
    body = transaction_json(transfer(node.chain, 5))
    error = ask(node, "network_broadcast", method, *first, body)["error"]
    assert error["data"]["name"] == "no_signing_key"
    assert (len(node.chain.pending), len(node.api.waits)) == (0, 0)
    assert listener.take_outgoing() == []
    assert node.core.take_effects() == []
