"""Calls of programs that the fast tests do not run, as they send them, replayed over a WebSocket.

Read off what bitshares-explorer-api, Graphene-Metanode and bitshares-signing send, written down
anew: their numbers for APIs, their surplus arguments, their booleans (A1 to A3). What stands behind
a call is the part of the answer that these programs read; a type stands for any value of it.

The first is on no package index. The others run themselves, too, in tests/clients.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
import trio
from trio_websocket import connect_websocket_url

from protocol.asset import NO_FEE
from protocol.json_form import format_time
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain

from .test_api_limits import serve

NUMBER = (int, str)
"""Integers of 64 bits come as text when they are large."""
PRICES = {"base": {"amount": NUMBER, "asset_id": str}, "quote": {"amount": NUMBER, "asset_id": str}}
ASSET = {"id": str, "symbol": str, "precision": int, "issuer": str, "dynamic_asset_data_id": str}
ACCOUNT = {"id": str, "name": str, "options": {"memo_key": str}, "active": {"key_auths": list}}
HEAD = {"head_block_number": int, "head_block_id": str, "time": str}
ORDER = {"id": str, "for_sale": NUMBER, "sell_price": PRICES, "seller": str}
FULL = [["alice", {"account": ACCOUNT, "limit_orders": [ORDER], "balances": list}]]
BLOCK = {"timestamp": str, "witness": str, "previous": str}
TICKER = {"base": str, "quote": str, "latest": str, "highest_bid": str, "lowest_ask": str}
VOLUME = {"base_volume": str, "quote_volume": str}
OFFER = {"price": str, "base": str, "quote": str}
BOOK = {"asks": [OFFER], "bids": list}
FEE = {"amount": int, "asset_id": "1.3.0"}
SUPPLY = {"current_supply": NUMBER, "confidential_supply": NUMBER, "fee_pool": NUMBER}
HISTORY = {"id": str, "op": [int, dict], "block_num": int, "result": list}
FILL = {"key": {"sequence": int}, "time": str, "op": {"order_id": str, "pays": dict, "fee": dict}}
TRADE = {"sequence": int, "date": str, "price": str, "amount": str, "value": str, "type": str}
BUCKET = {"open_base": NUMBER, "high_base": NUMBER, "close_quote": NUMBER, "low_quote": NUMBER}
HOLDER = {"name": str, "account_id": str, "amount": NUMBER}
OPERATIONS = (0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 19, 47, 59, 60, 61, 63, 75)
NOW, DAY_AGO = "NOW", "DAY_AGO"
"""Texts in the place of times."""


class Recorded(NamedTuple):
    """A call and what is read of its answer."""

    program: str
    api: str
    method: str
    arguments: list[Json]
    answer: Json


def explorer(method: str, arguments: list[Json], answer: Json, api: str = "database") -> Recorded:
    return Recorded("explorer", api, method, arguments, answer)


def metanode(method: str, arguments: list[Json], answer: Json, api: str = "database") -> Recorded:
    return Recorded("metanode", api, method, arguments, answer)


CALLS = [
    explorer("get_dynamic_global_properties", [], HEAD),
    explorer("get_objects", [["2.3.0"]], [SUPPLY]),
    explorer("get_24_volume", ["TEST", "USD"], VOLUME),
    explorer("get_global_properties", [], {"active_witnesses": list, "parameters": dict}),
    explorer("get_accounts", [["1.2.0"]], [{"name": str}]),
    explorer("lookup_account_names", [["alice"], 0], [ACCOUNT]),
    explorer("get_full_accounts", [["alice"], 0], FULL),
    explorer("get_block_header", ["1", 0], BLOCK),
    explorer("get_block_header", [1, 0], BLOCK),
    explorer("get_block", [1, 0], BLOCK | {"transactions": list}),
    explorer("lookup_asset_symbols", [["USD"], 0], [ASSET]),
    explorer("get_assets", [["1.3.0"], 0], [ASSET]),
    explorer("get_ticker", ["TEST", "USD"], TICKER),
    explorer("get_order_book", ["USD", "TEST", 10], BOOK),
    explorer("get_margin_positions", ["alice"], [{"id": str, "call_price": PRICES}]),
    explorer("get_worker_count", [], int),
    explorer("get_witness_count", [], int),
    explorer("get_objects", [["1.6.1"]], [{"witness_account": str, "total_votes": NUMBER}]),
    explorer("get_committee_count", [], int),
    explorer(
        "get_account_history", ["alice", "1.11.1", 20, "1.11.9999999999"], [HISTORY], "history"
    ),
    explorer("get_market_history", ["1.3.1", "1.3.0", 86400, DAY_AGO, NOW], [BUCKET], "history"),
    explorer("get_asset_holders", ["1.3.0", 0, 100], [HOLDER], "asset"),
    explorer("get_asset_holders_count", ["1.3.0"], int, "asset"),
    metanode("get_account_by_name", ["alice", 1], ACCOUNT),
    metanode("get_named_account_balances", ["alice", ["1.3.0"]], [{"amount": NUMBER}]),
    metanode("get_chain_properties", [], {"chain_id": str}),
    metanode("get_objects", [["2.1.0"]], [HEAD]),
    metanode("get_key_references", [["KEY"]], [list]),
    metanode("lookup_asset_symbols", [["TEST", "USD"]], [ASSET]),
    metanode("get_ticker", ["USD", "TEST", False], TICKER),
    metanode("get_trade_history", ["1.3.1", "1.3.0", NOW, DAY_AGO, 100], [TRADE]),
    metanode("get_full_accounts", [["alice"], "false"], FULL),
    metanode("get_full_accounts", [["alice"], False], FULL),
    metanode(
        "get_required_fees", [[["1", {"from": "1.2.7"}], ["2", {"from": "1.2.7"}]], "1.3.0"], [FEE]
    ),
    metanode("list_assets", ["US", 100], [ASSET]),
    metanode("get_fill_order_history", ["1.3.0", "1.3.1", 100], [FILL], "history"),
    metanode("get_relative_account_history", ["alice", 0, 100, 0], [HISTORY], "history"),
    Recorded("signing", "database", "lookup_accounts", ["alice", 1], [["alice", str]]),
    Recorded(
        "signing",
        "database",
        "get_required_fees",
        [[[str(number), {"from": "1.2.7"}] for number in OPERATIONS], "1.3.0"],
        [FEE],
    ),
]


def matches(answer: Json, shape: Json) -> bool:
    """Whether an answer has a shape: a list of one stands for any number but none of its like."""
    if isinstance(shape, dict):
        return isinstance(answer, dict) and all(
            name in answer and matches(answer[name], inner) for name, inner in shape.items()
        )
    if isinstance(shape, list) and isinstance(answer, list):
        if len(shape) == 1:
            return bool(answer) and all(matches(item, shape[0]) for item in answer)
        return len(answer) == len(shape) and all(map(matches, answer, shape))
    if isinstance(shape, (type, tuple)):
        return isinstance(answer, shape) and not isinstance(answer, bool)
    return bool(answer == shape)


@pytest.fixture
def backend() -> ChainBackend:
    """Alice has borrowed, sold to bob, and offers more."""
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    alice, bob = chain.account("alice"), chain.account("bob")
    usd, core = chain.amount(100, "USD"), chain.amount(1_200)
    backend.produce(*chain.feed("USD", 1, 10))
    debt = chain.amount(10**5, "USD")
    backend.produce(CallOrderUpdate(NO_FEE, alice, chain.amount(10**7), debt))
    backend.produce(
        LimitOrderCreate(NO_FEE, alice, usd, core), LimitOrderCreate(NO_FEE, bob, core, usd)
    )
    backend.produce(LimitOrderCreate(NO_FEE, alice, chain.amount(1_000), usd))
    return backend


@pytest.mark.trio
@pytest.mark.parametrize("program", ["explorer", "metanode", "signing"])
async def test_recorded_calls_are_answered_as_their_programs_read_them(
    program: str, backend: ChainBackend
) -> None:
    """A1, A2, A3: by names of APIs, or by the numbers that the login gave."""
    head = backend.state.dynamic.time
    places = {
        NOW: format_time(head + 86_400),
        DAY_AGO: format_time(head - 86_400),
        "KEY": Client(backend).call("get_account_by_name", "alice")["options"]["memo_key"],
    }
    async with serve(backend=backend) as port, trio.open_nursery() as nursery:
        socket = await connect_websocket_url(nursery, f"ws://127.0.0.1:{port}")

        async def ask(api: int | str, method: str, arguments: list[Json]) -> Json:
            text = json.dumps({"id": 1, "method": "call", "params": [api, method, arguments]})
            for name, value in places.items():
                text = text.replace(json.dumps(name), json.dumps(value))
            await socket.send_message(text)
            answer = json.loads(await socket.get_message())
            assert "result" in answer, (method, arguments, answer)
            return answer["result"]

        numbers: dict[str, int] = {"database": 0, "login": 1}
        for call in CALLS:
            if call.program != program:
                continue
            api: int | str = call.api
            if program == "explorer":
                if call.api not in numbers:
                    numbers[call.api] = await ask(1, call.api, [])
                api = numbers[call.api]
            answer = await ask(api, call.method, call.arguments)
            assert matches(answer, call.answer), (call.method, call.arguments, answer)
        await socket.aclose()


def test_shapes_tell_answers_apart() -> None:
    """The comparison itself: what is missing, of another type, or empty is no match."""
    assert matches([{"id": "1.3.0", "precision": 5, "more": 1}], [{"id": str, "precision": int}])
    assert matches([1, {}], [int, dict])
    for answer, shape in (
        ([], [ASSET]),
        ([None], [ASSET]),
        ({"amount": "0"}, {"amount": int}),
        ({}, {"amount": int}),
        (True, int),
        ([1], [int, dict]),
        ({"asset_id": "1.3.1"}, {"asset_id": "1.3.0"}),
    ):
        assert not matches(answer, shape)
