"""Kept answers: the same as worked out anew, whatever moves the state, and bounded."""

from __future__ import annotations

import msgspec
import pytest

from node.api.kept_answers import ENTRY_BYTES, KeptAnswers
from protocol.asset import NO_FEE
from protocol.ids import asset_text
from protocol.json_form import JsonValue
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain

HEAD, ORDER = "2.1.0", "1.7.0"


class Counted:
    """Work that tells how often it was done."""

    def __init__(self, answer: JsonValue) -> None:
        self.answer = answer
        self.times = 0

    def __call__(self) -> JsonValue:
        self.times += 1
        return self.answer


@pytest.fixture
def chain() -> TestChain:
    return TestChain("alice")


def sell(chain: TestChain) -> LimitOrderCreate:
    seller = chain.account("alice")
    return LimitOrderCreate(NO_FEE, seller, chain.amount(1_000), chain.amount(10, "USD"))


def test_work_is_done_once_for_one_state(chain: TestChain) -> None:
    """Each key once, and all of them again when a transaction has moved the state."""
    kept, first, second = KeptAnswers(), Counted({"a": 1 << 63}), Counted([2])
    for _ in range(3):
        assert msgspec.json.encode(kept.find(chain.state, "first", first)) == (
            b'{"a":9223372036854775808}'
        )
        assert msgspec.json.encode(kept.find(chain.state, "second", second)) == b"[2]"
    assert (first.times, second.times) == (1, 1)
    chain.push(sell(chain))
    kept.find(chain.state, "first", first)
    assert (first.times, kept.size) == (2, len('{"a":9223372036854775808}') + ENTRY_BYTES)


def test_what_does_not_fit_is_worked_out_each_time(chain: TestChain) -> None:
    """T-A2: the size is bounded, and an answer beyond it is right all the same."""
    kept, work = KeptAnswers(limit=ENTRY_BYTES + 3), Counted("long")
    for _ in range(2):
        assert msgspec.json.encode(kept.find(chain.state, "long", work)) == b'"long"'
    assert (work.times, kept.size) == (2, 0)
    kept.find(chain.state, "short", Counted(123))
    assert kept.size == kept.limit


def test_another_state_has_answers_of_its_own(chain: TestChain) -> None:
    """Two states may have moved equally often."""
    kept, twin = KeptAnswers(), chain.twin()
    twin.state.log.serial = chain.state.log.serial
    kept.find(chain.state, "key", Counted(1))
    assert msgspec.json.encode(kept.find(twin.state, "key", Counted(2))) == b"2"


def test_clients_see_each_change_at_once(chain: TestChain) -> None:
    """A pending order, its block, an order taken back: each asked for twice."""
    backend = ChainBackend(chain)
    client = Client(backend)

    def look() -> tuple[Json, ...]:
        (head,) = client.call("get_objects", [HEAD])
        book = client.call("get_order_book", "TEST", "USD", 50)
        orders = client.call("get_objects", [ORDER])
        seen = (head["head_block_number"], len(book["bids"]), orders != [None])
        assert client.call("get_objects", [HEAD])[0] == head
        assert client.call("get_order_book", "TEST", "USD", 50) == book
        return seen

    assert look() == (0, 0, False)
    chain.push(sell(chain))
    assert look() == (0, 1, True)
    backend.produce()
    assert look() == (1, 1, True)
    backend.simulate(chain.transaction(sell(chain)))
    assert look() == (1, 1, True)


def test_one_market_has_an_answer_for_each_way_to_ask(chain: TestChain) -> None:
    """`base` and `quote` are echoed as asked, and each limit gives as many."""
    backend = ChainBackend(chain)
    backend.produce(sell(chain))
    client = Client(backend)
    usd = asset_text(chain.asset("USD"))
    assert client.call("get_order_book", "TEST", usd, 50)["quote"] == usd
    assert client.call("get_order_book", "TEST", "USD", 50)["quote"] == "USD"
    assert client.call("get_order_book", "TEST", "USD", 0)["bids"] == []
    assert client.call("get_order_book", "USD", "TEST", 50)["bids"] == []
