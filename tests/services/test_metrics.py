"""`/metrics` and `/version`: what a scrape is told, and that it was measured."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.settings import CoreSettings
from node.p2p.config import PeerConfig
from node.p2p.effects import PeerAddress, PeerKey
from node.p2p.manager import PeerManager
from node.services.api_server import ApiOptions, ApiServer
from node.services.metrics import NodeCollector, metrics_text
from node.services.pages import Page
from protocol.asset import NO_FEE
from protocol.ids import AssetBitassetDataId, WitnessId, witness_text
from protocol.operations.call_order import CallOrderUpdate
from protocol.p2p.transport import PlainTransport
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain
from tests.support.memory_stores import MemoryBlockStore


class Scraped:
    """The samples of one text, by name and the values of labels in the order of their names."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __getitem__(self, key: tuple[str, ...] | str) -> float:
        name, *labels = (key,) if isinstance(key, str) else key
        return self.samples[f"pegboard_{name}", *labels]


@pytest.fixture
def backend() -> ChainBackend:
    """Alice owes 10,000 USD units against twice their worth in CORE."""
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    debt, collateral = chain.amount(10**4, "USD"), chain.amount(2 * 10**5)
    backend.produce(CallOrderUpdate(NO_FEE, chain.account("alice"), collateral, debt))
    return backend


def scrape(backend: ChainBackend) -> Scraped:
    server = ApiServer(backend.api, ApiOptions())
    return Scraped(server.scrape())


def test_the_chain_is_measured(backend: ChainBackend) -> None:
    """FEATURES: head, irreversible block, missed slots of each witness, feeds, positions."""
    backend.produce(slot=3)
    found = scrape(backend)
    assert found["head_block"] == 3
    assert found["last_irreversible_block"] == backend.state.dynamic.last_irreversible_block_num
    assert found["head_age_seconds"] == 0
    missed = [found["missed_slots_total", witness_text(WitnessId(number))] for number in (1, 2, 3)]
    assert sum(missed) == 2
    assert found["feed_age_seconds", "USD"] == backend.now_s() - (
        backend.state.bitassets.get(AssetBitassetDataId(0)).current_feed_publication_time
    )
    assert found["asset_collateral_ratio", "USD", "0"] == 2.0


def test_calls_are_counted_by_method_and_code(backend: ChainBackend) -> None:
    """FEATURES: unknown names are counted together, so that nobody can invent series."""
    client = Client(backend)
    for _ in range(3):
        client.call("get_chain_id")
    client.refuse("get_account_balances", "nobody", [])
    client.refuse("made_up_1")
    client.refuse("made_up_2")
    client.refuse("get_chain_id", api="made_up")
    found = scrape(backend)
    requests = "rpc_requests_total"
    assert found[requests, "database", "0", "get_chain_id"] == 3
    assert found[requests, "database", "10", "get_account_balances"] == 1
    assert found[requests, "database", "-32601", ""] == 2
    assert found[requests, "", "-32601", ""] == 1


def test_subscriptions_and_slow_readers_are_counted(backend: ChainBackend) -> None:
    """FEATURES: what sessions follow now, and how many did not read."""
    client = Client(backend)
    client.call("set_subscribe_callback", 1, True)
    client.call("get_objects", ["1.2.0", "1.2.1"])
    client.call("subscribe_to_market", 2, "TEST", "USD")
    assert scrape(backend)["ws_subscriptions"] == 4
    client.session.push(1, "x" * (2 << 20))
    backend.api.close_session(client.session)
    found = scrape(backend)
    assert found["ws_subscriptions"] == 0
    assert found["rpc_sessions"] == 0
    assert found["ws_dropped_total"] == 1


def test_no_series_names_an_account_or_an_order(backend: ChainBackend) -> None:
    """FEATURES: their number must not grow with the chain."""
    client = Client(backend)
    client.call("get_account_by_name", "alice")
    labels = {label for key in scrape(backend).samples for label in key[1:]}
    assert "alice" not in labels
    assert not any(label.startswith(("1.2.", "1.7.", "1.8.")) for label in labels)


def page_of(server: ApiServer, path: str) -> Page:
    steps = server.pages.make(path, "localhost")
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(Page, end.value)


def test_pages_have_types(backend: ChainBackend) -> None:
    """FEATURES: `/metrics` for Prometheus, `/version` for people and tools."""
    server = ApiServer(backend.api, ApiOptions())
    status, kind, text = page_of(server, "/metrics")[:3]
    assert (status, kind) == (200, "text/plain; version=0.0.4")
    assert b"# TYPE pegboard_rpc_seconds histogram" in text
    status, kind, text = page_of(server, "/version")[:3]
    assert (status, kind) == (200, "application/json")
    assert json.loads(text) == {
        "version": backend.info().version,
        "chain_id": backend.chain_id.hex(),
    }


def test_the_node_behind_the_api_is_measured(backend: ChainBackend) -> None:
    """FEATURES: peers by direction, pending transactions, fork switches."""
    chain = backend.test_chain.chain
    reader = ChainReader(chain, MemoryBlockStore())
    peers = PeerManager(
        reader, PeerConfig(bytes(32), "test"), Random(1), make_transport=PlainTransport
    )
    core = NodeCore(chain, peers, CoreSettings())
    peers.connected(PeerKey(1), PeerAddress("127.0.0.1", 1), outbound=False, now_ms=0)
    backend.test_chain.push(backend.test_chain.transfer("alice", "bob", 1))
    registry = CollectorRegistry()
    registry.register(NodeCollector(core, Counter(fork_switch=2)))
    found = Scraped(metrics_text(registry))
    assert found["peers", "inbound"] == 1
    assert found["peers", "outbound"] == 0
    assert found["pending_transactions"] == 1
    assert found["fork_switches_total"] == 2
    assert found["blocks_rejected_total"] == 0
