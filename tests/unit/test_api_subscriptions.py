"""Who is told what, and who is told nothing."""

from __future__ import annotations

import json

import pytest

from node.api.answer_room import OWN_BYTES, AnswerRoom, AnswerShare
from node.api.durability import Durability
from node.api.json_text import Text, joined
from node.api.outbox import OUTBOX_BYTES_MAX, Outbox
from node.api.subscriptions import SUBSCRIPTIONS_MAX
from protocol.asset import NO_FEE
from protocol.ids import LimitOrderId, ObjectId
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain


@pytest.fixture
def backend() -> ChainBackend:
    chain = TestChain("alice", "bob")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    debt = chain.amount(10**4, "USD")
    backend.produce(CallOrderUpdate(NO_FEE, chain.account("alice"), chain.amount(10**6), debt))
    return backend


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def transfer(backend: ChainBackend) -> Json:
    chain = backend.test_chain
    return transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))


def sell(backend: ChainBackend) -> LimitOrderCreate:
    chain = backend.test_chain
    return LimitOrderCreate(
        NO_FEE, chain.account("alice"), chain.amount(100, "USD"), chain.amount(1500)
    )


def test_nothing_is_pushed_without_a_subscription(backend: ChainBackend, client: Client) -> None:
    """Trap 5: the Python client takes the next frame for its answer."""
    client.call("get_objects", ["2.1.0"])
    client.call("get_full_accounts", ["alice"], True)
    client.call("broadcast_transaction", transfer(backend), api="network_broadcast")
    backend.produce(sell(backend))
    assert client.notices() == []


def test_reading_an_object_subscribes_to_it(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: `set_subscribe_callback`, then `get_objects` is the subscription."""
    client.call("set_subscribe_callback", 9, False)
    client.call("get_objects", ["2.1.0"])
    backend.produce(sell(backend))
    ((callback, (objects,)),) = client.notices()
    assert callback == 9
    assert [item["id"] for item in objects] == ["2.1.0"]
    assert objects[0]["head_block_number"] == 3


def test_reading_before_the_callback_subscribes_to_nothing(
    backend: ChainBackend, client: Client
) -> None:
    """CLIENTS: the callback comes first; a new one forgets what was read before."""
    client.call("get_objects", ["2.1.0"])
    assert not client.session.subscriptions.objects
    client.call("set_subscribe_callback", 9, False)
    backend.produce()
    assert client.notices() == []
    client.call("get_objects", ["2.1.0"])
    client.call("set_subscribe_callback", 10, False)
    backend.produce()
    assert client.notices() == []


def test_reads_can_be_kept_from_subscribing(backend: ChainBackend, client: Client) -> None:
    """`set_auto_subscription` and the last argument of `get_objects` switch it off."""
    client.call("set_subscribe_callback", 9, False)
    client.call("get_objects", ["2.1.0"], False)
    client.call("set_auto_subscription", False)
    client.call("get_objects", ["2.1.0"])
    backend.produce()
    assert client.notices() == []


def test_a_full_account_is_followed_with_all_it_has(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: btsdex needs changed balances with `owner`, the Python client statistics."""
    client.call("set_subscribe_callback", 9, False)
    client.call("get_full_accounts", ["alice"], True)
    chain = backend.test_chain
    backend.produce(sell(backend), chain.transfer("alice", "bob", 5))
    ((_, (objects,)),) = client.notices()
    kinds = {item["id"].rpartition(".")[0] for item in objects}
    assert {"1.7", "2.5"} <= kinds
    state = [item for item in objects if item["id"].rpartition(".")[0] not in ("1.11", "2.9")]
    assert all(item.get("owner", item.get("seller")) == "1.2.9" for item in state)


def test_what_enters_an_account_s_history_is_told(backend: ChainBackend, client: Client) -> None:
    """A8: new 1.11.n and 2.9.n of those accounts that are followed, as `get_objects` has them."""
    client.call("set_subscribe_callback", 9, False)
    client.call("get_full_accounts", ["bob"], True)
    chain = backend.test_chain
    backend.produce(chain.transfer("alice", "bob", 5), sell(backend))
    ((_, (objects,)),) = client.notices()
    told = [item for item in objects if item["id"].startswith(("1.11.", "2.9."))]
    (newest, *_) = client.call("get_account_history", "bob", api="history")
    operation, entry = told
    assert operation == newest
    assert entry["operation_id"] == newest["id"]
    assert entry["account"] == "1.2.10"
    assert client.call("get_objects", [item["id"] for item in told]) == told
    backend.produce(sell(backend))
    assert client.notices() == []


def test_a_removed_object_is_told_as_its_id(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: the text of the id stands for an object that is gone."""
    backend.produce(sell(backend))
    client.call("set_subscribe_callback", 9, False)
    client.call("get_objects", ["1.7.0"])
    alice = backend.test_chain.account("alice")
    backend.produce(LimitOrderCancel(NO_FEE, alice, LimitOrderId(0)))
    assert client.notices() == [[9, [["1.7.0"]]]]


def test_all_new_and_removed_objects_on_demand(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: bitsharesjs' ChainStore sets the second argument."""
    client.call("set_subscribe_callback", 9, True)
    backend.produce(sell(backend))
    ((_, (objects,)),) = client.notices()
    assert "1.7.0" in [item["id"] for item in objects]
    assert "2.1.0" not in [item["id"] for item in objects]


def test_each_block_is_told_by_its_id(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: [callback, [block id]]."""
    client.call("set_block_applied_callback", 2)
    applied = backend.produce()
    assert client.notices() == [[2, [applied.envelope.id.hex()]]]


def test_pending_transactions_are_told_under_callback_0(
    backend: ChainBackend, client: Client
) -> None:
    """Trap 3: the Python client uses callback id 0."""
    client.call("set_pending_transaction_callback", 0)
    body = transfer(backend)
    Client(backend).call("broadcast_transaction", body, api="network_broadcast")
    assert client.notices() == [[0, [body]]]


def test_a_market_tells_fills_and_orders(backend: ChainBackend, client: Client) -> None:
    """CLIENTS: pairs of operation and result; and the objects of the market."""
    client.call("subscribe_to_market", 4, "USD", "TEST")
    chain = backend.test_chain
    backend.produce(sell(backend))
    ((_, (objects,)),) = client.notices()
    assert [item["id"] for item in objects] == ["1.7.0"]
    buy = LimitOrderCreate(
        NO_FEE, chain.account("bob"), chain.amount(1500), chain.amount(100, "USD")
    )
    backend.produce(buy)
    (_, (fills,)), (_, (gone,)) = client.notices()
    assert [(op[0], result) for op, result in fills] == [(4, [0, {}])] * 2
    assert gone == ["1.7.0"]
    client.call("unsubscribe_from_market", "TEST", "USD")
    backend.produce(sell(backend))
    assert client.notices() == []


def test_after_cancel_nothing_more(backend: ChainBackend, client: Client) -> None:
    """Trap 5: bitsharesjs-ws fails on a notice for a callback that it has forgotten."""
    client.call("set_subscribe_callback", 1, True)
    client.call("get_objects", ["2.1.0"])
    client.call("get_full_accounts", ["alice"], True)
    client.call("set_block_applied_callback", 2)
    client.call("set_pending_transaction_callback", 3)
    client.call("subscribe_to_market", 4, "USD", "TEST")
    client.call("cancel_all_subscriptions")
    Client(backend).call("broadcast_transaction", transfer(backend), api="network_broadcast")
    backend.produce(sell(backend))
    assert client.notices() == []


def test_a_confirmation_comes_when_the_transaction_is_in_a_block(
    backend: ChainBackend, client: Client
) -> None:
    """Trap 10: the JavaScript clients wait for the notice, with the results of the operations."""
    body = transaction_json(backend.test_chain.transaction(sell(backend)))
    method = "broadcast_transaction_with_callback"
    assert client.call(method, 27, body, api="network_broadcast") is None
    assert client.notices() == []
    applied = backend.produce()
    ((callback, (told,)),) = client.notices()
    assert callback == 27
    assert told["block_num"] == applied.envelope.num
    assert told["trx_num"] == 0
    assert told["id"] == applied.envelope.transactions[0][0].id.hex()
    assert told["trx"]["operation_results"] == [[1, "1.7.0"]]
    backend.produce()
    assert client.notices() == []


def test_a_refused_transaction_is_not_confirmed_later(
    backend: ChainBackend, client: Client
) -> None:
    """Trap 10: the refusal comes in the same call, and nothing waits after it."""
    body = transfer(backend)
    client.call("broadcast_transaction", body, api="network_broadcast")
    method = "broadcast_transaction_with_callback"
    error = client.refuse(method, 27, body, api="network_broadcast")
    assert error["data"]["name"] == "duplicate_transaction"
    backend.produce()
    assert client.notices() == []


def test_a_synchronous_broadcast_is_answered_by_the_block(
    backend: ChainBackend, client: Client
) -> None:
    """CLIENTS: the Python client reads `trx.operation_results[0][1]` of a blocking call."""
    text = request_text(backend, 5)
    assert client.session.receive(text) == []
    applied = backend.produce()
    (answer,) = (read(one) for one in client.session.take_outgoing())
    assert answer["id"] == 5
    assert answer["result"]["block_num"] == applied.envelope.num


def test_a_batch_waits_for_all_its_answers(backend: ChainBackend, client: Client) -> None:
    """JSON-RPC 2.0: one text for the whole batch, in its order."""
    text = "[" + request_text(backend, 5) + ',{"id":6,"method":"get_account_count"}]'
    assert client.session.receive(text) == []
    backend.produce()
    (answers,) = (read(one) for one in client.session.take_outgoing())
    assert [answer["id"] for answer in answers] == [5, 6]
    assert answers[0]["result"]["trx_num"] == 0


def test_on_an_instant_chain_the_answer_comes_at_once() -> None:
    """A development chain makes the block inside the call; the notice follows the answer."""
    backend = ChainBackend(TestChain("alice", "bob"), instant=True)
    client = Client(backend)
    (text,) = client.session.receive(request_text(backend, 5))
    assert read(text)["result"]["block_num"] == 1
    method = "broadcast_transaction_with_callback"
    assert client.call(method, 27, transfer(backend), api="network_broadcast") is None
    assert [callback for callback, _ in client.notices()] == [27]


def test_a_closed_session_leaves_nothing_behind(backend: ChainBackend, client: Client) -> None:
    """T-A3: sessions, waits and subscriptions are freed with the connection."""
    client.call("set_block_applied_callback", 2)
    client.session.receive(request_text(backend, 5))
    backend.api.close_session(client.session)
    assert backend.api.sessions == {}
    assert len(backend.api.waits) == 0
    backend.produce()
    assert client.session.take_outgoing() == []


def test_plain_http_cannot_subscribe(backend: ChainBackend) -> None:
    """CLIENTS: no state between HTTP calls, so a subscription is refused, not forgotten."""
    client = Client(backend, can_push=False)
    for method, arguments in (
        ("set_subscribe_callback", [1, False]),
        ("set_block_applied_callback", [1]),
        ("set_pending_transaction_callback", [1]),
        ("subscribe_to_market", [1, "USD", "TEST"]),
    ):
        assert client.refuse(method, *arguments)["data"]["name"] == "not_possible"


def test_a_full_outbox_stays_full() -> None:
    """T-A3: what a slow reader lets pile up is bounded, and its connection is over."""
    outbox = Outbox(Durability())
    for _ in range(OUTBOX_BYTES_MAX // 1024):
        outbox.put([b"x" * 1000, b"x" * 24])
    assert len(outbox.take()) == OUTBOX_BYTES_MAX // 1024
    for _ in range(OUTBOX_BYTES_MAX // 1024 + 1):
        outbox.put([b"x" * 1000, b"x" * 24])
    outbox.put([b"x"])
    assert outbox.overflowed
    assert outbox.take() == []


def test_the_outbox_counts_bytes() -> None:
    """T-A3: the limit is of bytes on the wire."""
    outbox = Outbox(Durability(), limit=4)
    outbox.put([b"ab", b"cd"])
    assert outbox.take() == [[b"ab", b"cd"]]
    outbox.put([b"ab", b"cde"])
    assert outbox.overflowed


def test_answers_pile_up_no_further_than_there_is_room() -> None:
    """T-A3, T-R1: what was asked for may be long; the room that all share bounds it."""
    room = AnswerRoom(4 * OWN_BYTES)
    outbox = Outbox(Durability(), AnswerShare(room), limit=4)
    long = [b"x" * OWN_BYTES]
    outbox.put([b"ab"])
    outbox.put(long, is_answer=True)
    outbox.put([b"cd"])
    assert outbox.take() == [[b"ab"], long, [b"cd"]]
    outbox.sent()
    assert (room.taken, outbox.size) == (0, 0)
    for _ in range(3):
        outbox.put(long, is_answer=True)
    assert len(outbox.texts) == 3
    outbox.put(long, is_answer=True)
    assert outbox.overflowed
    assert room.taken == 0


def test_the_only_answer_always_fits() -> None:
    """T-R1: it may be the refusal for which there was no room, and its client waits for it."""
    outbox = Outbox(Durability(), AnswerShare(AnswerRoom(0)), limit=4)
    refusal = [b"x" * (OWN_BYTES + 1)]
    outbox.put(refusal, is_answer=True)
    assert outbox.take() == [refusal]
    outbox.put(refusal, is_answer=True)
    outbox.put(refusal, is_answer=True)
    assert outbox.overflowed


def test_a_session_that_is_not_read_is_to_be_closed(backend: ChainBackend, client: Client) -> None:
    """T-A3: the shell is told why."""
    client.session.outbox.limit = 100
    client.call("set_block_applied_callback", 2)
    backend.produce()
    assert client.session.close_reason == ""
    backend.produce()
    assert "T-A3" in client.session.close_reason


def test_subscriptions_are_bounded(client: Client) -> None:
    """T-A3: beyond 1,000 objects, those that were read longest ago are forgotten."""
    client.call("set_subscribe_callback", 1, False)
    subscriptions = client.session.subscriptions
    for instance in range(SUBSCRIPTIONS_MAX + 5):
        subscriptions.note_objects([ObjectId(1, 2, instance)])
    assert len(subscriptions.objects) == SUBSCRIPTIONS_MAX
    assert ObjectId(1, 2, 4) not in subscriptions.objects
    assert ObjectId(1, 2, 5) in subscriptions.objects


def request_text(backend: ChainBackend, number: int) -> str:
    """A synchronous broadcast of a transfer."""
    params = ["network_broadcast", "broadcast_transaction_synchronous", [transfer(backend)]]
    return json.dumps({"id": number, "method": "call", "params": params})


def read(text: Text) -> Json:
    """The JSON value of a text."""
    return json.loads(joined(text))
