"""The history in memory: it follows the chain forwards and back, and stays bounded."""

from __future__ import annotations

import pytest

from node.api.decimals import change_text, decimal_text, price_text
from node.chain.apply_block import AppliedBlock
from node.history.figures import market_of
from node.history.memory import MemoryHistory
from node.history.records import BUCKET_SECONDS, NEWEST
from node.state.objects.assets import Asset
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import SECONDS_PER_DAY
from protocol.errors import DecodeError
from protocol.ids import AssetId
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.chain import TestChain

MARKET = market_of(AssetId(1), AssetId(0))


@pytest.fixture
def chain() -> TestChain:
    chain = TestChain("alice", "bob")
    chain.block(*chain.feed("USD", 1, 10))
    alice = chain.account("alice")
    chain.block(CallOrderUpdate(NO_FEE, alice, chain.amount(10**7), chain.amount(10**5, "USD")))
    return chain


def trade(chain: TestChain, usd: int, core: int, slot: int = 1) -> AppliedBlock:
    """A block in which alice sells USD to bob."""
    alice, bob = chain.account("alice"), chain.account("bob")
    return chain.block(
        LimitOrderCreate(NO_FEE, alice, chain.amount(usd, "USD"), chain.amount(core)),
        LimitOrderCreate(NO_FEE, bob, chain.amount(core), chain.amount(usd, "USD")),
        slot=slot,
    )


def observed(history: MemoryHistory, chain: TestChain) -> list[object]:
    """All that a reader can see of accounts and of the market."""
    everything = {"newest": NEWEST, "oldest": 0, "limit": 1_000}
    accounts = [chain.account(name) for name in ("alice", "bob")]
    return [
        [history.operations_of(account, **everything) for account in accounts],
        [history.operation_count(account) for account in accounts],
        history.fills_of(MARKET, newest=NEWEST, limit=1_000),
        [
            history.buckets_of(MARKET, seconds, start=0, end=NEWEST, limit=1_000)
            for seconds in BUCKET_SECONDS
        ],
    ]


def test_a_block_that_is_taken_back_leaves_no_trace(chain: TestChain) -> None:
    """R9.2: on a fork switch the history is again what it was."""
    history = MemoryHistory()
    history.apply_block(trade(chain, 100, 1200))
    before = observed(history, chain)
    history.apply_block(trade(chain, 100, 1300))
    history.apply_block(chain.block(chain.transfer("alice", "bob", 1)))
    assert observed(history, chain) != before
    history.revert_block()
    history.revert_block()
    assert observed(history, chain) == before


def test_a_block_is_remembered_with_what_it_did_by_itself(chain: TestChain) -> None:
    """B6a: fills stand beside the operations that caused them; a block taken back is gone."""
    history = MemoryHistory()
    traded = trade(chain, 100, 1200)
    history.apply_block(traded)
    records = list(history.operations_in(traded.envelope.num))
    names = [type(record.op).__name__ for record in records]
    assert sorted(names) == ["FillOrder", "FillOrder", "LimitOrderCreate", "LimitOrderCreate"]
    assert [record.is_virtual for record in records].count(True) == 2
    history.revert_block()
    assert history.operations_in(traded.envelope.num) == []


def test_buckets_keep_extremes_and_sums(chain: TestChain) -> None:
    """One bucket of an hour: opening 12, high 13, low 11, close 11; each trade counts once."""
    history = MemoryHistory()
    for core in (1200, 1300, 1100):
        history.apply_block(trade(chain, 100, core))
    (bucket,) = history.buckets_of(MARKET, 3600, start=0, end=NEWEST, limit=9)
    prices = (bucket.opening, bucket.high, bucket.low, bucket.close)
    assert [price.base.amount for price in prices] == [1200, 1300, 1100, 1100]
    assert (bucket.base_volume, bucket.quote_volume) == (3600, 300)
    assert bucket.open_time % 3600 == 0


def test_the_last_day_forgets_older_trades(chain: TestChain) -> None:
    """Volumes of 24 hours; the price before them is what the change is measured from."""
    history = MemoryHistory()
    first = trade(chain, 100, 1000)
    history.apply_block(first)
    history.apply_block(trade(chain, 100, 1200))
    then = first.envelope.header.timestamp
    day = history.last_day(MARKET, then + 5)
    assert day is not None
    assert (day.base_volume, day.quote_volume, day.day_ago) == (2200, 200, None)
    later = history.last_day(MARKET, then + SECONDS_PER_DAY)
    assert later is not None
    assert (later.base_volume, later.quote_volume) == (1200, 100)
    assert later.day_ago is not None
    assert change_text(later.day_ago, later.latest) == "20"
    assert history.last_day(market_of(AssetId(0), AssetId(9)), then) is None


def test_what_is_forgotten_still_counts(chain: TestChain) -> None:
    """A node forgets blocks that its store keeps; numbers and ids go on."""
    history = MemoryHistory()
    for amount in range(1, 6):
        history.apply_block(chain.block(chain.transfer("alice", "bob", amount)))
    bob = chain.account("bob")
    history.forget(4)
    records = history.operations_of(bob, newest=NEWEST, oldest=0, limit=10)
    assert [record.block_num for record in records] == [7, 6, 5]
    assert [record.instance for record in records] == [4, 3, 2]
    assert history.operation_count(bob) == 5
    numbered = history.numbered_operations_of(bob, newest=4, oldest=1, limit=10)
    assert [record.instance for record in numbered] == [3, 2]


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0, 5, "0"),
        (1200, 2, "12"),
        (1, 5, "0.00001"),
        (123450, 5, "1.2345"),
        (-150, 2, "-1.5"),
        (7, 0, "7"),
        (7, -2, "700"),
    ],
)
def test_decimals_are_shortest(value: int, places: int, text: str) -> None:
    """CLIENTS: no padding."""
    assert decimal_text(value, places) == text


def test_a_price_of_another_market_is_refused(chain: TestChain) -> None:
    """A price is only written in the two assets that it is of."""
    usd, core = chain.state.asset_named("USD"), chain.state.asset_named("TEST")
    price = Price(AssetAmount(1, usd.id), AssetAmount(3, core.id))
    assert price_text(price, core, usd) == "3"
    assert price_text(price, usd, core) == "0.3333333333333333333"
    assert price_text(Price(AssetAmount(1, usd.id), AssetAmount(0, core.id)), core, usd) == "0"
    with pytest.raises(DecodeError):
        price_text(Price(AssetAmount(1, usd.id), AssetAmount(3, AssetId(9))), core, usd)
    assert isinstance(usd, Asset)
