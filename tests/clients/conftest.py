"""One network of three witnesses for all clients, and a tap in front of it for each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.cli.client import NodeClient
from tests.clients.conformance import TALLY_VARIABLE, tally_to_json
from tests.clients.drive import DRIVERS, Driver
from tests.clients.environment import (
    ClientsMissing,
    metanode_client,
    node_clients,
    python_clients,
    signing_client,
)
from tests.clients.tap import Tally, Tap
from tests.support.live_network import LiveNetwork, wait_for

WITNESS_COUNT = 3
BLOCK_INTERVAL_S = 1


@pytest.fixture(scope="package")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    """Witness processes and the node `api`, which clients speak to; some blocks are final."""
    directory = tmp_path_factory.mktemp("clients") / "net"
    live = LiveNetwork.create(directory, WITNESS_COUNT, BLOCK_INTERVAL_S)
    try:
        for node in live.nodes.values():
            node.start()
        client = live.nodes["api"].client
        assert client is not None
        wait_for(lambda: last_irreversible(client) > 2, "blocks", 60, live.nodes.values())
        yield live
    finally:
        live.stop_all()


def last_irreversible(client: NodeClient) -> int:
    """Height that will not be reverted."""
    properties = client.call("database", "get_dynamic_global_properties")
    assert isinstance(properties, dict)
    num = properties["last_irreversible_block_num"]
    assert isinstance(num, int)
    return num


@pytest.fixture(scope="package")
def tally() -> Iterator[Tally]:
    """What all clients called; written where the conformance table is made from it."""
    found = Tally()
    yield found
    target = os.environ.get(TALLY_VARIABLE)
    if target:
        Path(target).write_text(json.dumps(tally_to_json(found), indent=2))


@pytest.fixture(scope="package")
def node_client(network: LiveNetwork) -> NodeClient:
    """A plain caller of the node that the clients use."""
    client = network.nodes["api"].client
    assert client is not None
    return client


@pytest.fixture(scope="package")
def open_tap(node_client: NodeClient, tally: Tally) -> Iterator[Callable[[str], int]]:
    """A port for a client of a name, whose calls are counted."""
    host, _, port = node_client.url.removeprefix("http://").partition(":")
    taps: dict[str, Tap] = {}

    def open_one(name: str) -> int:
        if name not in taps:
            taps[name] = Tap(name, (host, int(port)), tally)
        return taps[name].port

    yield open_one
    for tap in taps.values():
        tap.close()


@pytest.fixture(scope="session")
def python_interpreter() -> Path:
    """The interpreter of the Python clients; without them their tests are skipped, loudly."""
    try:
        return python_clients()
    except ClientsMissing as error:
        pytest.skip(f"NO PYTHON CLIENTS: {error}")


@pytest.fixture(scope="session")
def signing_interpreter() -> Path:
    """The interpreter of bitshares-signing; without it its tests are skipped, loudly."""
    try:
        return signing_client()
    except ClientsMissing as error:
        pytest.skip(f"NO BITSHARES-SIGNING: {error}")


@pytest.fixture(scope="session")
def metanode_interpreter() -> Path:
    """The interpreter of Graphene-Metanode; without it its tests are skipped, loudly."""
    try:
        return metanode_client()
    except ClientsMissing as error:
        pytest.skip(f"NO GRAPHENE-METANODE: {error}")


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """The folder of the JavaScript clients; without them their tests are skipped, loudly."""
    try:
        return node_clients()
    except ClientsMissing as error:
        pytest.skip(f"NO JAVASCRIPT CLIENTS: {error}")


@pytest.fixture(scope="package")
def python_driver(
    python_interpreter: Path,
    open_tap: Callable[[str], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Driver:
    """python-bitshares; its wallet file goes to a folder of the test."""
    home = tmp_path_factory.mktemp("python-home")
    return Driver(
        [str(python_interpreter), str(DRIVERS / "python_bitshares.py")],
        f"ws://127.0.0.1:{open_tap('python-bitshares')}",
        "alice",
        "bob",
        "EUR",
        {"HOME": str(home)},
    )


def javascript_driver(folder: Path, script: str, port: int, me: str, peg: str) -> Driver:
    """A driver in JavaScript; `other` is nathan, who trades with all of them."""
    return Driver(
        ["node", str(DRIVERS / script)],
        f"ws://127.0.0.1:{port}",
        me,
        "nathan",
        peg,
        {"NODE_PATH": str(folder / "node_modules")},
    )


@pytest.fixture(scope="package")
def bitsharesjs_driver(node_folder: Path, open_tap: Callable[[str], int]) -> Driver:
    """bitsharesjs with bitsharesjs-ws."""
    return javascript_driver(node_folder, "bitsharesjs.cjs", open_tap("bitsharesjs"), "dave", "RUB")


@pytest.fixture(scope="package")
def btsdex_driver(node_folder: Path, open_tap: Callable[[str], int]) -> Driver:
    """btsdex."""
    return javascript_driver(node_folder, "btsdex.cjs", open_tap("btsdex"), "erin", "GOLD")
