"""What holds for the answers of every method: their ids lead somewhere, and no clock is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from node.api.arguments import parameters_of
from node.api.methods.tables import APIS
from protocol.ids import ObjectId, parse_object_id
from tests.support.api import ChainBackend, Client, Json
from tests.support.arguments import EVERY_METHOD
from tests.support.busy import a_busy_backend, arguments_of

EARLY, LATE = 1_420_070_400, 1_893_456_000
"""2015 and 2030."""
OBJECT_ID = re.compile(r"[1-9]\.[0-9]+\.[0-9]+")


CHANGING = ("network_broadcast", "debug", "pegboard_dev", "network_node", "rpc")
"""APIs that do things, or tell nothing of the chain."""


def answers(backend: ChainBackend) -> Iterator[tuple[str, Json]]:
    """Every method that reads, with its result."""
    for api, table in APIS.items():
        for name in table if api not in CHANGING else ():
            found = Client(backend).answer(name, *arguments_of(backend, api, name), api=api)
            if "result" in found:
                yield f"{api}.{name}", found["result"]


def ids_in(value: Json) -> Iterator[str]:
    """Every object id in an answer."""
    if isinstance(value, str) and OBJECT_ID.fullmatch(value):
        yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from ids_in(inner)
    for inner in value if isinstance(value, list) else ():
        yield from ids_in(inner)


def is_gone(backend: ChainBackend, found: ObjectId) -> bool:
    """Whether there was such an object once."""
    table = backend.state.table_of_type.get((found.space, found.type))
    return table is not None and found.instance < table.next_id


def test_every_id_that_an_answer_names_is_found() -> None:
    """A8: `most_recent_op` and all others; an object that is gone was one once."""
    backend = a_busy_backend()
    client = Client(backend)
    named: dict[str, str] = {}
    for method, result in answers(backend):
        for text in ids_in(result):
            named.setdefault(text, method)
    spaces = {text.rpartition(".")[0] for text in named}
    assert {"1.2", "1.3", "1.7", "1.8", "1.11", "2.6", "2.9", "5.0", "5.1", "5.2"} <= spaces
    for text, method in named.items():
        (item,) = client.call("get_objects", [text])
        assert item is not None or is_gone(backend, parse_object_id(text)), (text, method)
        assert item is None or item["id"] == text


def test_a_recorded_object_is_the_one_that_its_list_tells() -> None:
    """A8: fills, buckets and operations by their ids are what their own methods answer."""
    client = Client(a_busy_backend())
    fills = client.call("get_fill_order_history", "TEST", "USD", 100, api="history")
    span = ("2000-01-01T00:00:00", "2100-01-01T00:00:00")
    widths = client.call("get_market_history_buckets", api="history")
    buckets = [
        bucket
        for width in widths
        for bucket in client.call("get_market_history", "TEST", "USD", width, *span, api="history")
    ]
    operations = client.call("get_account_history", "alice", api="history")
    for records in (fills, buckets, operations):
        assert records
        assert client.call("get_objects", [item["id"] for item in records]) == records
    absent = ["1.11.999", "2.9.999", "5.0.999", "5.1.99999", "5.2.9", "7.0.0"]
    assert client.call("get_objects", absent) == [None] * len(absent)


def test_no_answer_about_the_chain_reads_the_node_s_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """C9: the same answers with the clock in 2015 and in 2030; a trade has volume and a price."""
    backend = a_busy_backend()
    found = []
    for clock in (EARLY, LATE):
        monkeypatch.setattr(backend, "now_s", lambda clock=clock: clock)
        found.append(dict(answers(backend)))
        found[-1]["pegboard.hold_state"].pop("hold")
    assert found[0] == found[1]
    ticker = found[0]["database.get_ticker"]
    assert "0" not in (ticker["base_volume"], ticker["quote_volume"], ticker["latest"])
    head = Client(backend).call("get_dynamic_global_properties")["time"]
    assert ticker["time"] == found[0]["database.get_24_volume"]["time"] == head
    assert found[0]["database.get_trade_history"]


def test_volume_ends_a_day_after_the_trade_by_the_chain_s_time() -> None:
    """C9 (core #1883): not by anybody's clock."""
    backend = a_busy_backend()
    client = Client(backend)
    assert client.call("get_24_volume", "TEST", "USD")["base_volume"] != "0"
    backend.travel_to(backend.state.dynamic.time + 86_400)
    assert client.call("get_24_volume", "TEST", "USD")["base_volume"] == "0"
    assert client.call("get_ticker", "TEST", "USD")["latest"] != "0"


@pytest.mark.parametrize(("api", "name"), EVERY_METHOD)
def test_every_method_answers_or_says_why_not(api: str, name: str) -> None:
    """No call of any method is a bug, on a chain where there is something to find."""
    backend = a_busy_backend()
    answer = Client(backend).answer(name, *arguments_of(backend, api, name), api=api)
    assert ("result" in answer) != ("error" in answer)
    assert backend.bugs == []
    assert parameters_of(APIS[api][name]) is not None
