"""The history of a real chain: fork switches, starts from snapshots, answers of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.chain.apply_block import AppliedBlock
from node.core.startup import start_chain
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.history.figures import market_of
from node.history.memory import MemoryHistory
from node.history.reader import HistoryReader
from node.history.records import ASSET_EVENTS, FEEDS, MARGIN_CALLS, NEWEST
from protocol.asset import NO_FEE
from protocol.block import BlockEnvelope
from protocol.ids import AssetId, OperationHistoryId, operation_text
from protocol.msgpack_form import pack_document
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain
from tests.support.memory_stores import MemoryBlockStore, MemorySnapshots

NAMES = ("alice", "bob", "carol")
MARKET = market_of(AssetId(1), AssetId(0))


def order(
    chain: TestChain, name: str, sold: tuple[int, str], wanted: tuple[int, str]
) -> LimitOrderCreate:
    return LimitOrderCreate(NO_FEE, chain.account(name), chain.amount(*sold), chain.amount(*wanted))


def borrow(chain: TestChain, name: str, collateral: int, debt: int) -> CallOrderUpdate:
    return CallOrderUpdate(
        NO_FEE, chain.account(name), chain.amount(collateral), chain.amount(debt, "USD")
    )


def trade(chain: TestChain, usd: int, core: int, slot: int = 1) -> AppliedBlock:
    """A block in which alice sells USD to bob."""
    return chain.block(
        order(chain, "alice", (usd, "USD"), (core, "TEST")),
        order(chain, "bob", (core, "TEST"), (usd, "USD")),
        slot=slot,
    )


def observed(history: HistoryReader, chain: TestChain) -> list[object]:
    """All that a reader can see of these people and this market."""
    accounts = [chain.account(name) for name in NAMES]
    now = chain.chain.head_time
    return [
        *(history.operations_of(one, newest=NEWEST, oldest=0, limit=500) for one in accounts),
        *(history.operations_in(num) for num in range(chain.chain.head_num + 2)),
        history.fills_of(MARKET, newest=NEWEST, limit=500),
        history.buckets_of(MARKET, 60, start=0, end=NEWEST, limit=500),
        history.last_day(MARKET, now),
        history.events_of(FEEDS, "asset_id", 1, newest=NEWEST, limit=500),
        history.events_of(MARGIN_CALLS, "debt_before_asset_id", 1, newest=NEWEST, limit=500),
    ]


class Follower:
    """A node that keeps a history of every block that it pushes."""

    def __init__(self, path: Path, chain: TestChain) -> None:
        self.chain = chain
        self.blocks = MemoryBlockStore()
        store = HistoryStore(SqliteDatabase(path), chain.chain.chain_id)
        self.history = StoredHistory(store, self.blocks)

    def push(self, envelope: BlockEnvelope) -> None:
        result = self.chain.chain.push_block(envelope)
        head = self.chain.chain.head_id
        ids = [block.envelope.id for block in result.applied]
        self.blocks.append([(envelope.id, envelope.num, envelope.packed)], head, ids)
        for popped in result.popped:
            self.history.revert_block(popped.num)
        for block in result.applied:
            self.history.apply_block(block)
        self.history.write_all(self.chain.chain.last_irreversible_num)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Follower]:
    follower = Follower(tmp_path / "history.sqlite", TestChain(*NAMES, witnesses=7))
    yield follower
    follower.history.close()


def test_a_fork_switch_leaves_the_history_of_the_branch_that_won(node: Follower) -> None:
    """R9.2: operations, trades and ids of the lost branch are gone, and the new ones are dense."""
    maker = node.chain.twin()
    for _ in range(9):
        node.push(maker.block().envelope)
    for applied in (
        maker.block(*maker.feed("USD", 1, 10)),
        maker.block(borrow(maker, "alice", 10**7, 10**5)),
        trade(maker, 100, 1200),
    ):
        node.push(applied.envelope)
    other = node.chain.twin()
    other.main = maker.main
    for num in range(1, maker.chain.head_num + 1):
        other.receive(maker.main[num])

    for amount in (1, 2):
        node.push(maker.block(maker.transfer("alice", "bob", amount)).envelope)
    node.push(trade(maker, 50, 700).envelope)
    lost = observed(node.history, node.chain)
    for applied in (
        other.block(other.transfer("alice", "carol", 9), slot=2),
        trade(other, 70, 900),
        other.block(*other.feed("USD", 1, 11)),
        other.block(),
    ):
        node.push(applied.envelope)
    assert node.chain.chain.head_id == other.chain.head_id
    assert observed(node.history, node.chain) != lost
    assert 0 < node.history.stored_num < node.chain.chain.head_num

    fresh, replayed = MemoryHistory(), node.chain.twin()
    for num in range(1, other.chain.head_num + 1):
        for applied in replayed.chain.push_block(other.main[num]).applied:
            fresh.apply_block(applied)
    assert observed(node.history, node.chain) == observed(fresh, replayed)


@pytest.mark.parametrize(("kept", "replayed"), [(28, 10), (15, 20), (3, 30), (0, 30)])
def test_a_start_from_a_snapshot_leaves_no_hole(tmp_path: Path, kept: int, replayed: int) -> None:
    """T-S1, T-S6: a snapshot above the end of the history is passed over for an older one."""
    chain = TestChain(*NAMES)
    blocks, snapshots = MemoryBlockStore(), MemorySnapshots()
    history = StoredHistory(
        HistoryStore(SqliteDatabase(tmp_path / "history.sqlite"), chain.chain.chain_id), blocks
    )
    whole = MemoryHistory()
    for num in range(1, 31):
        applied = chain.block(chain.transfer("alice", "bob", num))
        envelope = applied.envelope
        blocks.append([(envelope.id, num, envelope.packed)], envelope.id, [envelope.id])
        whole.apply_block(applied)
        if num in (10, 20):
            snapshots.save(num, envelope.id, pack_document(chain.chain.dump()))
        if num <= kept:
            history.apply_block(applied)
    history.write_all(kept)
    history = StoredHistory(history.store, blocks)
    assert history.stored_num == kept

    started = start_chain(chain.genesis, blocks, snapshots, history=history)
    assert started.replayed == replayed
    assert started.chain.head_num == 30
    assert observed(history, chain) == observed(whole, chain)
    assert history.stored_num == started.chain.last_irreversible_num
    history.close()


@pytest.mark.parametrize(("back", "begin"), [(28, 20), (20, 10), (17, 10), (9, 0)])
def test_far_back_begins_at_the_newest_snapshot_that_counts(
    tmp_path: Path, back: int, begin: int
) -> None:
    """R9.10, T-S6: one that is irreversible there; the history is that of the blocks up to it, and
    those that are reversible again can be taken back."""
    chain, there, whole = TestChain(*NAMES), None, MemoryHistory()
    blocks, snapshots = MemoryBlockStore(), MemorySnapshots()
    history = StoredHistory(
        HistoryStore(SqliteDatabase(tmp_path / "history.sqlite"), chain.chain.chain_id), blocks
    )
    for num in range(1, 31):
        applied = chain.block(chain.transfer("alice", "bob", num))
        envelope = applied.envelope
        last = chain.chain.last_irreversible_num
        blocks.append([(envelope.id, num, envelope.packed)], envelope.id, [envelope.id], last)
        history.apply_block(applied)
        history.write_all(last)
        if num <= back:
            whole.apply_block(applied)
            there = chain.chain.state_hash()
        if num in (10, 20):
            snapshots.save(num, envelope.id, pack_document(chain.chain.dump()))
    assert history.stored_num > 20
    head = blocks.id_at(back)
    assert head is not None
    blocks.go_back(head, 0)
    snapshots.forget_above(back)
    history = StoredHistory(history.store, blocks)

    started = start_chain(chain.genesis, blocks, snapshots, history=history)
    assert (started.chain.head_num, started.chain.state_hash()) == (back, there)
    assert started.replayed == back - begin
    assert history.stored_num <= started.chain.last_irreversible_num < back
    twin = TestChain(*NAMES)
    for num in range(1, back + 1):
        twin.chain.push_block(chain.main[num])
    assert observed(history, twin) == observed(whole, twin)
    for num in range(back, started.chain.lowest_undoable_num, -1):
        started.chain.rewind(num - 1)
        history.revert_block(num)
    history.close()


@pytest.fixture
def backend() -> ChainBackend:
    """Two bids of bob, far below the price, call alice's position and close it."""
    chain = TestChain(*NAMES)
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    backend.produce(borrow(chain, "alice", 20_000, 1_000), borrow(chain, "bob", 10**6, 10**4))
    backend.produce(order(chain, "bob", (300, "USD"), (3_600, "TEST")))
    backend.produce(order(chain, "bob", (700, "USD"), (9_800, "TEST")))
    backend.produce(*chain.feed("USD", 1, 12))
    return backend


def explain(client: Client, asked: str) -> Json:
    return client.call("explain_margin_call", asked, api="pegboard")


def test_a_margin_call_is_explained(backend: ChainBackend) -> None:
    """R4.2, R4.7, R1.10: which feed, call price, bid, price, and what remains."""
    client = Client(backend)
    newest, oldest = client.call("get_margin_call_history", "USD", api="pegboard")
    assert (newest["instance"], oldest["instance"]) == (1, 0)
    assert newest["account_name"] == oldest["account_name"] == "alice"
    assert oldest["settlement_price"]["quote"]["amount"] == 10
    assert (oldest["debt_before"]["amount"], oldest["collateral_before"]["amount"]) == (1000, 20000)
    assert oldest["collateral_ratio_before"] == 2_000
    price = oldest["call_price"]
    called_at = price["quote"]["amount"] * 1_750 * 1_000 // (price["base"]["amount"] * 1_000)
    assert called_at == 20_000 * 1_000 // 1_000
    assert (oldest["debt_covered"]["amount"], oldest["collateral_paid"]["amount"]) == (300, 3600)
    assert (oldest["debt_after"]["amount"], oldest["collateral_after"]["amount"]) == (700, 16400)
    assert not oldest["is_closed"]
    assert newest["debt_before"] == oldest["debt_after"]
    assert newest["collateral_before"] == oldest["collateral_after"]
    assert newest["is_closed"]
    assert newest["collateral_ratio_after"] is None
    assert oldest["bid"] in oldest["explanation"]
    assert "closed" in newest["explanation"]


def test_a_margin_call_is_found_by_every_id(backend: ChainBackend) -> None:
    """By position, by the fill's operation, by account; a position that was never called is not."""
    client = Client(backend)
    newest, oldest = client.call("get_margin_call_history", "alice", api="pegboard")
    assert explain(client, newest["position"]) == newest
    assert explain(client, oldest["operation"]) == oldest
    fills = client.call("get_block_operation_history", oldest["block_num"], api="history")
    (fill,) = [entry for entry in fills if entry["id"] == oldest["operation"]]
    assert fill["op"][1]["order_id"] == oldest["position"]
    assert client.call("get_margin_call_history", "USD", 0, 1, api="pegboard") == [newest]
    assert client.call("get_margin_call_history", "bob", api="pegboard") == []
    for unknown in ("1.8.1", "1.11.0", "1.2.0"):
        client.refuse("explain_margin_call", unknown, api="pegboard")
    client.refuse("get_margin_call_history", "NOBODY", api="pegboard")
    client.refuse("get_margin_call_history", "USD", 0, 101, api="pegboard")


def test_every_change_of_a_median_is_told(backend: ChainBackend) -> None:
    """R1.16: newest first, each in force until the next; a feed that says the same is no change."""
    client, chain = Client(backend), backend.test_chain
    backend.produce(*chain.feed("USD", 1, 12))
    feeds = client.call("get_feed_history", "USD", api="pegboard")
    prices = [feed["settlement_price"]["quote"]["amount"] for feed in feeds]
    assert prices == [12, 10]
    assert [feed["feed_count"] for feed in feeds] == [1, 1]
    assert client.call("get_feed_history", "USD", 0, 1, api="pegboard") == feeds[:1]


def test_a_global_settlement_is_told(backend: ChainBackend) -> None:
    """R6.2: the price and the fund of the settlement."""
    client, chain = Client(backend), backend.test_chain
    backend.produce(*chain.feed("USD", 1, 10**6))
    (event,) = client.call("get_asset_events", "USD", api="pegboard")
    data = chain.state.bitasset_of(chain.asset("USD"))
    assert data is not None
    assert event["event"] == "global_settlement"
    assert event["settlement_fund"] == str(data.settlement_fund)
    (record,) = backend.history.events_of(ASSET_EVENTS, "asset_id", 1, newest=NEWEST, limit=9)
    assert (record.event, record.settlement_price) == (event["event"], data.settlement_price)


def test_operations_of_some_types(backend: ChainBackend) -> None:
    """CLIENTS: a window of the account's numbered history, of which some types are shown."""
    client = Client(backend)
    call = ("get_account_history_by_operations", "bob")
    everything = client.call(*call, [], 1, 100, api="history")
    assert everything["total_count"] == len(everything["operation_history_objs"])
    orders = client.call(*call, [1], 1, 100, api="history")
    assert orders["total_count"] == everything["total_count"]
    assert [entry["op"][0] for entry in orders["operation_history_objs"]] == [1, 1]
    window = client.call(*call, [], 2, 2, api="history")["operation_history_objs"]
    assert window == everything["operation_history_objs"][::-1][1:3][::-1]


def test_the_operations_of_one_transaction(backend: ChainBackend) -> None:
    """Virtual operations of the boundary stand behind the last transaction."""
    client = Client(backend)
    num = client.call("get_margin_call_history", "USD", api="pegboard")[0]["block_num"]
    whole = client.call("get_block_operation_history", num, api="history")
    parts = [
        client.call("get_block_operation_history", num, place, api="history") for place in (0, 1)
    ]
    assert parts[0] + parts[1] == whole
    assert {entry["op"][0] for entry in parts[0]} == {1}
    assert {entry["op"][0] for entry in parts[1]} == {4}


def test_trades_of_one_block_page_without_doubles(backend: ChainBackend) -> None:
    """CLIENTS: pages by sequence show each trade once, whatever the limit."""
    client, chain = Client(backend), backend.test_chain
    for usd in (10, 20, 30):
        backend.produce(
            *(order(chain, "bob", (usd, "USD"), (usd * 12, "TEST")) for _ in range(3)),
            *(order(chain, "carol", (usd * 12, "TEST"), (usd, "USD")) for _ in range(3)),
        )
    ends = ("2000-01-01T00:00:00",)
    whole = client.call("get_trade_history_by_sequence", "TEST", "USD", 0, *ends, 100)
    assert len(whole) == 9 + 2
    for limit in (1, 2, 5):
        start, paged = 0, []
        while page := client.call(
            "get_trade_history_by_sequence", "TEST", "USD", start, *ends, limit
        ):
            paged += page
            start = min(trade["sequence"] for trade in page)
            if start <= 1:
                break
        assert paged == whole
    assert (
        client.call("get_trade_history", "TEST", "USD", "2100-01-01T00:00:00", *ends, 100) == whole
    )


def test_an_operation_is_an_object(backend: ChainBackend) -> None:
    """Ids 1.11.n are read like any other; they are dense on the main chain."""
    client = Client(backend)
    num = backend.test_chain.chain.head_num
    blocks = [
        client.call("get_block_operation_history", block, api="history")
        for block in range(1, num + 1)
    ]
    whole = [entry for block in blocks for entry in block]
    ids = [operation_text(OperationHistoryId(num)) for num in range(len(whole) + 1)]
    assert [entry["id"] for entry in whole] == ids[:-1]
    assert client.call("get_objects", ids) == [*whole, None]
