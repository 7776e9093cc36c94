"""Lists for exports: oldest first, in pages that neither lose a record nor tell one twice."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from node.api.json_text import write_json
from node.cli.export_pages import PAGE, POSITIONS_PAGE
from node.services.aside_runner import ANSWER_BYTES_MAX
from protocol.asset import NO_FEE
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json
from tests.support.busy import a_busy_backend


def pages(client: Client, method: str, *subject: str, limit: int) -> Iterator[Json]:
    """The pages of a list, up to its end."""
    start: int | None = 0
    while start is not None:
        page = client.call(method, *subject, start, limit, api="pegboard")
        yield page
        start = page["next"]


def trade(backend: ChainBackend, usd: int) -> None:
    """One more trade, in a block of its own."""
    chain = backend.test_chain
    alice, bob = chain.account("alice"), chain.account("bob")
    backend.produce(
        LimitOrderCreate(NO_FEE, alice, chain.amount(usd, "USD"), chain.amount(usd * 12)),
        LimitOrderCreate(NO_FEE, bob, chain.amount(usd * 12), chain.amount(usd, "USD")),
    )


@pytest.fixture
def backend() -> ChainBackend:
    """Feeds, trades and margin calls, two of each at least."""
    backend = a_busy_backend()
    for usd in (10, 20, 30):
        trade(backend, usd)
    chain = backend.test_chain
    alice, bob = chain.account("alice"), chain.account("bob")
    # Takes what alice still offers: while there is a bid above all call prices, none is called.
    backend.produce(
        *chain.feed("USD", 1, 60),
        LimitOrderCreate(NO_FEE, bob, chain.amount(30_000), chain.amount(2_500, "USD")),
    )
    for usd in (40, 80):
        selling = chain.amount(usd, "USD"), chain.amount(usd * 62)
        backend.produce(LimitOrderCreate(NO_FEE, alice, *selling))
    return backend


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_are_the_whole_list(backend: ChainBackend, limit: int) -> None:
    """Whatever their size, in the order in which it happened."""
    client = Client(backend)
    newest_first = {
        "list_feeds": client.call("get_feed_history", "USD", api="pegboard"),
        "list_margin_calls": client.call("get_margin_call_history", "USD", api="pegboard"),
    }
    for method, known in newest_first.items():
        found = [
            one for page in pages(client, method, "USD", limit=limit) for one in page["records"]
        ]
        assert found == known[::-1]
        assert len(found) > 1, method
    known = client.call("get_positions", "USD", 300, api="pegboard")
    positions = pages(client, "list_positions", "USD", limit=limit)
    assert [one for page in positions for one in page["records"]] == known


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_trades_have_both_sides_in_each_page(backend: ChainBackend, limit: int) -> None:
    """A page never cuts a trade in two; amounts and times are those of `get_trade_history`."""
    client = Client(backend)
    listed = list(pages(client, "list_trades", "USD", "TEST", limit=limit))
    found = [one for page in listed for one in page["records"]]
    assert len(listed) == -(-len(found) // limit), "no page is less than full, and none is empty"
    span = (0, "2000-01-01T00:00:00", 100)
    known = client.call("get_trade_history_by_sequence", "USD", "TEST", *span)[::-1]
    assert len(found) == len(known) >= 4
    for one, same in zip(found, known, strict=True):
        assert (one["block_time"], one["maker"]["account"]) == (
            same["date"],
            same["side1_account_id"],
        )
        assert one["taker"]["account"] == same["side2_account_id"]
        amounts = tuple(int(amount["amount"]) for amount in one["amounts"])
        assert amounts == tuple(int(Decimal(same[side]) * 10**5) for side in ("value", "amount"))
        assert one["price"]["base"]["asset_id"] == one["amounts"][0]["asset_id"]


def test_what_comes_in_meanwhile_stands_behind(backend: ChainBackend) -> None:
    """A list that is read while blocks come in has each trade once."""
    client, seen = Client(backend), []
    for number, page in enumerate(pages(client, "list_trades", "USD", "TEST", limit=1)):
        seen += [one["sequence"] for one in page["records"]]
        if number < 3:
            trade(backend, 40 + number)
    whole = client.call("list_trades", "USD", "TEST", api="pegboard")["records"]
    assert seen == [one["sequence"] for one in whole]


def test_positions_are_those_of_the_head(backend: ChainBackend) -> None:
    """Pending transactions count for nothing, and stay pending."""
    client, chain = Client(backend), backend.test_chain
    backend.produce()
    before = client.call("list_positions", "USD", api="pegboard")
    assert before["head_block_id"] == chain.chain.head_id.hex()
    more = chain.amount(500), chain.amount(0, "USD")
    chain.push(CallOrderUpdate(NO_FEE, chain.account("alice"), *more))
    now = client.call("get_positions", "USD", api="pegboard")
    assert now != before["records"]
    waiting = len(chain.chain.pending)
    assert client.call("list_positions", "USD", api="pegboard") == before
    assert len(chain.chain.pending) == waiting > 0


def test_no_list_of_what_is_not_there(backend: ChainBackend) -> None:
    """R3.2.1, R0.1: only BitAssets have feeds and positions."""
    client = Client(backend)
    nothing: Json = {"records": [], "next": None}
    assert client.call("list_feeds", "TEST", api="pegboard") == nothing
    assert client.refuse("list_positions", "TEST", api="pegboard")["data"]["rule"] == "R3.2.1"
    assert client.refuse("list_margin_calls", "nobody", api="pegboard")["data"]["rule"] == "R0.1"


def test_a_page_of_an_export_is_asked_for_and_handed_over(backend: ChainBackend) -> None:
    """T-A2: as much as one call gives, and no more than a forked child may say."""
    client = Client(backend)
    for method, subject in (
        ("list_trades", ("USD", "TEST")),
        ("list_feeds", ("USD",)),
        ("list_margin_calls", ("USD",)),
    ):
        assert client.call(method, *subject, 0, PAGE, api="pegboard")["records"]
    [longest, *_] = client.call("list_positions", "USD", 0, POSITIONS_PAGE, api="pegboard")[
        "records"
    ]
    for side in longest["call_price"].values():
        side["amount"], side["asset_id"] = "9" * 16, "1.3." + "9" * 15
    longest |= dict.fromkeys(("id", "borrower", "debt_asset", "collateral_asset"), "9" * 19)
    longest |= dict.fromkeys(("debt", "collateral"), "9" * 16)
    longest |= {"borrower_name": "a" * 63, "collateral_ratio": 10**33}
    longest |= {"target_collateral_ratio": 65_535, "feed_change_to_reach": -(10**33)}
    assert len(write_json(longest)) * POSITIONS_PAGE < ANSWER_BYTES_MAX
