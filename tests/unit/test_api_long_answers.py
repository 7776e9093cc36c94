"""P8: an answer has a limit, whatever it answers; a call beyond it is refused, not built."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from node.api import session
from node.api.json_text import joined
from node.api.methods.tables import APIS
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.operations.custom import Custom
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain

BLOCKS = 40
BYTES_AN_OPERATION = 1_500
OPERATIONS_A_BLOCK = 8
FEE = AssetAmount(1_000, CORE_ASSET)


@pytest.fixture(scope="module")
def backend() -> ChainBackend:
    """A chain with half a megabyte of blocks, a whole one in JSON."""
    return make_long_chain()


def make_long_chain() -> ChainBackend:
    """A chain of `BLOCKS` long blocks."""
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    alice = chain.state.account_named("alice").id
    for number in range(BLOCKS):
        payloads = (
            bytes((number, place)) * (BYTES_AN_OPERATION // 2)
            for place in range(OPERATIONS_A_BLOCK)
        )
        backend.produce(*(Custom(FEE, alice, (), 0, payload) for payload in payloads))
    return backend


def test_a_listing_stops_at_the_limit(
    backend: ChainBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8, T-A2: a range of long blocks costs the limit in memory, not what it would have become."""
    client = Client(backend)
    whole = client.call("get_blocks", 1, BLOCKS, api="block")
    assert len(whole) == BLOCKS
    assert len(json.dumps(whole)) > 1_000_000
    monkeypatch.setattr(session, "ANSWER_BYTES_MAX", 200_000)
    del whole
    tracemalloc.start()
    try:
        refused = client.refuse("get_blocks", 1, BLOCKS, api="block")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused["data"]["name"] == "not_possible"
    assert "limit 200000 (T-A2)" in refused["message"]
    assert peak < 1_000_000
    assert len(client.call("get_blocks", 1, 5, api="block")) == 5


def test_a_batch_has_the_limit_as_a_whole(
    backend: ChainBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: what fits is answered, each call beyond it is refused for itself."""
    monkeypatch.setattr(session, "ANSWER_BYTES_MAX", 100_000)
    call = {"method": "call", "params": ["database", "get_block", [BLOCKS]]}
    (pieces,) = Client(backend).session.receive(json.dumps([call | {"id": n} for n in range(10)]))
    text = joined(pieces)
    answers = json.loads(text)
    assert ["result" in answer for answer in answers] == [True] * 3 + [False] * 7
    assert len(text) < 100_000 + 7 * 1_000


@pytest.mark.parametrize("api", APIS)
def test_no_method_answers_more_than_the_limit(
    backend: ChainBackend, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8, the kind: with a limit of nothing every answer that is more than nothing is refused."""
    monkeypatch.setattr(session, "ANSWER_BYTES_MAX", 0)
    client = Client(backend)
    for method in APIS[api]:
        answer = client.answer(method, api=api)
        assert "error" in answer, method
