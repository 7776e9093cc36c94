"""What clients see of liquidity pools: lists, statistics, histories, notices."""

from __future__ import annotations

import pytest

from protocol.asset import NO_FEE
from protocol.ids import LiquidityPoolId
from protocol.json_form import format_time
from protocol.operations.asset import AssetUpdateIssuer
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.liquidity_pool import LiquidityPoolDelete, LiquidityPoolUpdate
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain
from tests.support.pools import deposit, exchange, new_pool, share_asset, withdraw

HISTORY = "history"
DAY = 86_400
LISTS = {
    "list_liquidity_pools": [],
    "get_liquidity_pools_by_asset_a": ["TEST"],
    "get_liquidity_pools_by_asset_b": ["USD"],
    "get_liquidity_pools_by_one_asset": ["1.3.1"],
    "get_liquidity_pools_by_both_assets": ["USD", "TEST"],
}
"""Each finds 1.19.0 and 1.19.1 first."""


@pytest.fixture
def backend() -> ChainBackend:
    """1.19.0 and 1.19.1 of TEST and USD; 1.19.2 of USD and the share of the first."""
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    for name in ("alice", "bob"):
        debt = chain.amount(10**6, "USD")
        backend.produce(CallOrderUpdate(NO_FEE, chain.account(name), chain.amount(10**8), debt))
    backend.produce(*(share_asset(chain, "alice", symbol) for symbol in ("LPA", "LPB", "LPC")))
    backend.produce(
        new_pool(chain, "alice", ("TEST", "USD"), "LPA", 100, 200),
        new_pool(chain, "alice", ("TEST", "USD"), "LPB"),
        new_pool(chain, "alice", ("USD", "LPA"), "LPC", 3),
    )
    backend.produce(deposit(chain, "alice", 0, 100_000, 10_000))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def ids(pools: Json) -> list[str]:
    return [pool["id"] for pool in pools]


def test_a_pool_as_bitshares_shows_it(client: Client) -> None:
    """L1, L11: the product is a string, whatever its size; the share names its pool."""
    (pool,) = client.call("list_liquidity_pools", 1)
    assert pool == {
        "id": "1.19.0",
        "asset_a": "1.3.0",
        "asset_b": "1.3.1",
        "balance_a": 100_000,
        "balance_b": 10_000,
        "share_asset": "1.3.2",
        "taker_fee_percent": 100,
        "withdrawal_fee_percent": 200,
        "virtual_value": "1000000000",
    }
    assert client.call("get_objects", ["1.19.0", "1.19.9"]) == [pool, None]
    share, other = client.call("get_assets", ["LPA", "USD"])
    assert share["for_liquidity_pool"] == "1.19.0"
    assert "for_liquidity_pool" not in other
    assert share["total_in_collateral"] == 0


@pytest.mark.parametrize("method", LISTS)
def test_lists_of_pools(client: Client, method: str) -> None:
    """L11: at most 101, from an id on, with statistics if they are wanted."""
    names = LISTS[method]
    found = client.call(method, *names)
    assert ids(found)[:2] == ["1.19.0", "1.19.1"]
    assert ids(client.call(method, *names, 1)) == ["1.19.0"]
    assert ids(client.call(method, *names, 1, "1.19.1")) == ["1.19.1"]
    assert client.call(method, *names, 0) == []
    assert client.call(method, *names, 101, "1.19.9") == []
    (pool, *_) = client.call(method, *names, None, None, True)
    assert pool.pop("statistics")["id"] == "5.6.0"
    assert pool == found[0]
    assert client.refuse(method, *names, 102)["code"] == -32602
    assert client.refuse(method, *names, 1, "1.3.0")["code"] == -32602


def test_lists_by_assets(client: Client) -> None:
    """L11: by the first, the second, either, both in any order; an unknown one is refused."""
    assert ids(client.call("get_liquidity_pools_by_asset_a", "USD")) == ["1.19.2"]
    assert client.call("get_liquidity_pools_by_asset_b", "TEST") == []
    assert ids(client.call("get_liquidity_pools_by_one_asset", "USD")) == [
        "1.19.0",
        "1.19.1",
        "1.19.2",
    ]
    both = client.call("get_liquidity_pools_by_both_assets", "LPA", "USD")
    assert both == client.call("get_liquidity_pools_by_both_assets", "1.3.1", "1.3.2")
    assert ids(both) == ["1.19.2"]
    assert client.call("get_liquidity_pools_by_both_assets", "LPA", "TEST") == []
    for method in LISTS:
        if LISTS[method]:
            assert client.refuse(method, *(["NOPE"] * len(LISTS[method])))["code"] == 10


def test_pools_by_id_and_by_share(client: Client) -> None:
    """L11: an answer for each question."""
    pools = client.call("list_liquidity_pools")
    found = client.call("get_liquidity_pools", ["1.19.2", "1.19.7", "1.19.0"], False)
    assert found == [pools[2], None, pools[0]]
    assert client.call("get_liquidity_pools", [], False, True) == []
    shares = ["LPC", "USD", "NOPE", "1.3.2"]
    by_share = client.call("get_liquidity_pools_by_share_asset", shares, False, True)
    assert [pool and pool["id"] for pool in by_share] == ["1.19.2", None, None, "1.19.0"]
    assert by_share[0]["statistics"]["id"] == "5.6.2"
    for method, item in (
        ("get_liquidity_pools", "1.19.0"),
        ("get_liquidity_pools_by_share_asset", "LPA"),
    ):
        assert client.refuse(method, [item] * 102)["code"] == -32602
    assert client.refuse("get_liquidity_pools", ["1.2.0"])["code"] == -32602


def test_pools_of_an_owner(backend: ChainBackend, client: Client) -> None:
    """L1, L11: whoever issues the share now; by share assets, from an asset on."""
    chain = backend.test_chain
    alice, bob = chain.account("alice"), chain.account("bob")
    owned = "get_liquidity_pools_by_owner"
    assert ids(client.call(owned, "alice")) == ["1.19.0", "1.19.1", "1.19.2"]
    assert ids(client.call(owned, "alice", 1, "1.3.3", True)) == ["1.19.1"]
    assert client.call(owned, "alice", 0) == client.call(owned, "bob") == []
    backend.produce(AssetUpdateIssuer(NO_FEE, alice, chain.asset("LPA"), bob))
    assert ids(client.call(owned, "alice")) == ["1.19.1", "1.19.2"]
    assert ids(client.call(owned, "bob")) == ["1.19.0"]
    assert client.refuse(owned, "nobody")["code"] == 10
    assert client.refuse(owned, "alice", 102)["code"] == -32602
    assert client.refuse(owned, "alice", 1, "1.19.0")["code"] == -32602


def test_pending_and_deleted_pools(backend: ChainBackend, client: Client) -> None:
    """L4, L11: lists are of the state with what waits."""
    chain = backend.test_chain
    chain.push(share_asset(chain, "bob", "LPD"))
    chain.push(new_pool(chain, "bob", ("TEST", "USD"), "LPD"))
    assert ids(client.call("get_liquidity_pools_by_both_assets", "TEST", "USD"))[-1] == "1.19.3"
    backend.produce(LiquidityPoolDelete(NO_FEE, chain.account("alice"), LiquidityPoolId(1)))
    assert ids(client.call("get_liquidity_pools_by_asset_b", "USD")) == ["1.19.0", "1.19.3"]
    assert client.call("get_objects", ["1.19.1", "5.6.1"]) == [None, None]


def statistics(client: Client, pool: str = "1.19.0") -> Json:
    (found,) = client.call("get_liquidity_pools", [pool], False, True)
    return found["statistics"]


def test_statistics(backend: ChainBackend, client: Client) -> None:
    """L12: what depositors, those who leave and those who exchange moved, and the fees."""
    chain = backend.test_chain
    assert set(map(str, statistics(client, "1.19.1").values())) == {"0", "5.6.1"}
    backend.produce(exchange(chain, "bob", 0, (10_000, "TEST"), (1, "USD")))
    backend.produce(exchange(chain, "bob", 0, (1_000, "USD"), (1, "TEST")))
    backend.produce(withdraw(chain, "alice", 0, 50_000))
    paid = 10_000 - -(-(10**9) // 110_000)
    to_b = paid - paid // 100
    first = (110_000, 10_000 - to_b)
    out = first[0] - -(-(first[0] * first[1]) // (first[1] + 1_000))
    to_a = out - out // 100
    left = (first[0] - to_a, first[1] + 1_000)
    due = (left[0] // 2, left[1] // 2)
    fees = (due[0] * 200 // 10_000, due[1] * 200 // 10_000)
    expected = {
        "deposit_count": 1,
        "deposit_amount_a": "100000",
        "deposit_amount_b": "10000",
        "deposit_share_amount": "100000",
        "withdrawal_count": 1,
        "withdrawal_amount_a": str(due[0] - fees[0]),
        "withdrawal_amount_b": str(due[1] - fees[1]),
        "withdrawal_share_amount": "50000",
        "withdrawal_fee_a": str(fees[0]),
        "withdrawal_fee_b": str(fees[1]),
        "exchange_a2b_count": 1,
        "exchange_a2b_amount_a": "10000",
        "exchange_a2b_amount_b": str(to_b),
        "exchange_b2a_count": 1,
        "exchange_b2a_amount_a": str(to_a),
        "exchange_b2a_amount_b": "1000",
        "exchange_fee_a": str(out // 100),
        "exchange_fee_b": str(paid // 100),
    }
    found = statistics(client)
    (pool,) = client.call("get_liquidity_pools", ["1.19.0"])
    for name, value in expected.items():
        assert (found[f"_24h_{name}"], found[f"total_{name}"]) == (value, value), name
    deltas = found["_24h_balance_delta_a"], found["_24h_balance_delta_b"]
    assert deltas == (pool["balance_a"], pool["balance_b"])
    assert len(found) == 1 + 2 * len(expected) + 2
    assert client.call("get_objects", ["5.6.0"]) == [found]


def test_the_last_24_hours_end(backend: ChainBackend, client: Client) -> None:
    """L12: an entry of exactly a day ago counts, an older one does not."""
    chain = backend.test_chain
    backend.produce(withdraw(chain, "alice", 0, 40_000))
    time = chain.state.dynamic.time
    before = statistics(client)
    assert (before["_24h_deposit_count"], before["_24h_withdrawal_count"]) == (1, 1)
    backend.travel_to(time + DAY)
    found = statistics(client)
    assert (found["_24h_deposit_count"], found["_24h_withdrawal_count"]) == (0, 1)
    assert (found["_24h_balance_delta_a"], found["total_deposit_count"]) == (-39_200, 1)
    backend.produce()
    found = statistics(client)
    assert (found["_24h_withdrawal_count"], found["_24h_balance_delta_a"]) == (0, 0)
    assert found["total_withdrawal_amount_a"] == "39200"


def history(client: Client, *arguments: Json) -> list[int]:
    """Sequences of the entries."""
    found = client.call("get_liquidity_pool_history", "1.19.0", *arguments, api=HISTORY)
    return [entry["sequence"] for entry in found]


def by_sequence(client: Client, *arguments: Json) -> list[int]:
    """The same of the other method."""
    method = "get_liquidity_pool_history_by_sequence"
    found = client.call(method, "1.19.0", *arguments, api=HISTORY)
    return [entry["sequence"] for entry in found]


def test_the_history_of_a_pool(backend: ChainBackend, client: Client) -> None:
    """L13, L14: newest first, by time and by sequence, of one type; start counts, stop does not."""
    chain = backend.test_chain
    alice = chain.account("alice")
    times = [chain.state.dynamic.time]
    for op in (
        exchange(chain, "bob", 0, (10_000, "TEST"), (1, "USD")),
        LiquidityPoolUpdate(NO_FEE, alice, LiquidityPoolId(0), None, 0),
        exchange(chain, "bob", 0, (10, "USD"), (1, "TEST")),
        withdraw(chain, "alice", 0, 100_000),
        LiquidityPoolDelete(NO_FEE, alice, LiquidityPoolId(0)),
    ):
        backend.produce(op)
        times.append(chain.state.dynamic.time)
    chain.push(deposit(chain, "alice", 1, 5, 5))
    texts = list(map(format_time, times))
    assert history(client) == by_sequence(client) == [7, 6, 5, 4, 3, 2, 1]
    assert history(client, texts[3]) == [5, 4, 3, 2, 1]
    assert history(client, texts[3], texts[0]) == [5, 4, 3]
    assert history(client, None, texts[3]) == [7, 6]
    assert history(client, texts[3], texts[3]) == history(client, texts[2], texts[3]) == []
    assert history(client, texts[3], None, 2) == [5, 4]
    assert history(client, None, None, None, 63) == [5, 3]
    assert history(client, texts[2], None, 101, 63) == [3]
    assert history(client, None, None, 0) == by_sequence(client, None, None, 0) == []
    assert by_sequence(client, 4) == by_sequence(client, 4, None, 101) == [4, 3, 2, 1]
    assert by_sequence(client, 4, texts[0]) == [4, 3]
    assert by_sequence(client, 4, texts[2]) == []
    assert by_sequence(client, 4, None, 101, 63) == [3]
    assert by_sequence(client, 0) == by_sequence(client, None, None, 101, 99) == []
    for method in ("get_liquidity_pool_history", "get_liquidity_pool_history_by_sequence"):
        assert client.call(method, "1.19.8", api=HISTORY) == []
        assert client.refuse(method, "1.3.0", api=HISTORY)["code"] == -32602
        refusal = client.refuse(method, "1.19.0", None, None, 102, api=HISTORY)
        assert refusal["code"] == -32602
    newest = client.call("get_liquidity_pool_history", "1.19.0", api=HISTORY)
    last = newest[0]
    record = client.call("get_account_history", "alice", api=HISTORY)[0]
    assert last == {
        "id": "5.4.8",
        "pool": "1.19.0",
        "sequence": 7,
        "time": texts[5],
        "op_type": 60,
        "op": record,
    }
    assert record["result"] == [
        3,
        {"new_objects": [], "updated_objects": ["1.3.2"], "removed_objects": ["1.19.0"]},
    ]
    assert client.call("get_objects", [entry["id"] for entry in newest]) == newest
    assert client.call("get_objects", ["5.4.99"]) == [None]


def test_results_on_the_wire(backend: ChainBackend, client: Client) -> None:
    """L3, L8: ids of what was made and bound, and amounts in the order of the rules."""
    chain = backend.test_chain
    backend.produce(exchange(chain, "bob", 0, (10_000, "TEST"), (1, "USD")))
    (record,) = client.call("get_account_history", "bob", "1.11.0", 1, api=HISTORY)
    usd = {"asset_id": "1.3.1"}
    test = {"asset_id": "1.3.0"}
    assert record["result"] == [
        4,
        {
            "paid": [{"amount": 10_000, **test}],
            "received": [{"amount": 900, **usd}],
            "fees": [
                {"amount": 0, "asset_id": "1.3.0"},
                {"amount": 0, **usd},
                {"amount": 9, **usd},
            ],
        },
    ]
    created = client.call("get_liquidity_pool_history_by_sequence", "1.19.2", 1, api=HISTORY)[0]
    assert created["op"]["result"][1] == {
        "new_objects": ["1.19.2"],
        "updated_objects": ["1.3.4"],
        "removed_objects": [],
    }


def test_whoever_read_a_pool_is_told_of_it(backend: ChainBackend) -> None:
    """L11: not its owner, unless she asked."""
    chain = backend.test_chain
    reader, owner, by_share = (Client(backend) for _ in range(3))
    for client in (reader, owner, by_share):
        client.call("set_subscribe_callback", 7, False)
    reader.call("get_liquidity_pools", ["1.19.0"])
    by_share.call("get_liquidity_pools_by_share_asset", ["LPA"])
    owner.call("get_full_accounts", ["alice"], True)
    backend.produce(exchange(chain, "bob", 0, (10_000, "TEST"), (1, "USD")))
    for client, told in ((reader, True), (by_share, True), (owner, False)):
        notices = client.notices()
        assert any("1.19.0" in str(notice) for notice in notices) == told


def test_an_exchange_that_was_taken_back(backend: ChainBackend, client: Client) -> None:
    """L12, L13: statistics and histories go back with the blocks."""
    chain = backend.test_chain
    before = statistics(client)
    client.call("snapshot", api="pegboard_dev")
    backend.produce(exchange(chain, "bob", 0, (10_000, "TEST"), (1, "USD")))
    backend.produce(withdraw(chain, "alice", 0, 100_000))
    assert statistics(client) != before
    client.call("revert", 1, api="pegboard_dev")
    assert statistics(client) == before
    assert history(client) == [2, 1]
