"""Who waits for a transaction is told what becomes of it, and costs nobody else anything (C19)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from node.api import session
from node.api.call import Wait
from node.api.errors import NotConfirmedYet
from node.api.json_text import joined
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.operations.account import AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend, Client, Json, transaction_json
from tests.support.chain import TestChain
from tests.support.world import key_of

SYNCHRONOUS = "broadcast_transaction_synchronous"
WITH_CALLBACK = "broadcast_transaction_with_callback"
OTHERS = 2_000
CLOSING_LINES = 50
"""Far fewer than there are others."""


@pytest.fixture
def backend() -> ChainBackend:
    return ChainBackend(TestChain("alice", "bob"))


@pytest.fixture
def client(backend: ChainBackend) -> Client:
    return Client(backend)


def transfer(backend: ChainBackend, expiration: int | None = None) -> TransactionEnvelope:
    chain = backend.test_chain
    return chain.transaction(chain.transfer("alice", "bob", 5), expiration=expiration)


def send(client: Client, envelope: TransactionEnvelope, request_id: int = 1) -> list[Json]:
    """Broadcast and wait; the answers that came at once."""
    params = ["network_broadcast", SYNCHRONOUS, [transaction_json(envelope)]]
    texts = client.session.receive(
        json.dumps({"id": request_id, "method": "call", "params": params})
    )
    return [json.loads(joined(text)) for text in texts]


def late_answers(client: Client) -> list[Json]:
    return [json.loads(joined(text)) for text in client.session.take_outgoing()]


def spend_all(chain: TestChain) -> Operation:
    """What leaves alice without the means of her pending transfer."""
    return chain.transfer("alice", "bob", chain.balance("alice"))


def change_key(chain: TestChain) -> Operation:
    """What makes the signature of her pending transfer worthless."""
    other = Authority(1, key_auths=((key_of("bob"), 1),))
    return AccountUpdate(NO_FEE, chain.account("alice"), owner=other, active=other)


REASONS: dict[str, Callable[[TestChain], Operation]] = {
    "insufficient_balance": spend_all,
    "missing_active_auth": change_key,
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_transaction_that_a_block_makes_invalid_ends_the_wait(
    backend: ChainBackend, client: Client, reason: str
) -> None:
    """C19: the sender is told in that very block, with the reason's own name."""
    elsewhere = backend.test_chain.twin()
    assert send(client, transfer(backend)) == []
    elsewhere.push(REASONS[reason](elsewhere))
    backend.receive(elsewhere.build())
    (answer,) = late_answers(client)
    assert (answer["id"], answer["error"]["data"]["name"]) == (1, reason)
    assert len(backend.api.waits) == 0


def test_an_order_that_is_gone_ends_the_wait_of_its_cancellation(
    backend: ChainBackend, client: Client
) -> None:
    """C19: what another block did to the object, too."""
    chain = backend.test_chain
    alice = chain.account("alice")
    applied = backend.produce(
        LimitOrderCreate(NO_FEE, alice, chain.amount(100), chain.amount(10, "USD"))
    )
    (order,) = chain.state.limit_orders.in_order()
    elsewhere = backend.test_chain.twin()
    elsewhere.receive(applied.envelope)
    cancel = LimitOrderCancel(NO_FEE, alice, order.id)
    assert send(client, chain.transaction(cancel)) == []
    elsewhere.push(cancel)
    backend.receive(elsewhere.build())
    (answer,) = late_answers(client)
    assert answer["error"]["data"]["name"] == "nonexist_order"


def test_an_expired_transaction_ends_the_wait(backend: ChainBackend, client: Client) -> None:
    """R9.3, C19: a full block is made without the transaction until its time has passed."""
    chain = backend.test_chain
    elsewhere = chain.twin()
    assert send(client, transfer(backend, chain.chain.head_time + 10)) == []
    elsewhere.blocks(3)
    for num in (1, 2):
        backend.receive(elsewhere.main[num])
    assert late_answers(client) == []
    backend.receive(elsewhere.main[3])
    backend.receive(elsewhere.build())
    (answer,) = late_answers(client)
    assert answer["error"]["data"]["name"] == "transaction_expired"


def test_a_callback_is_for_confirmations_alone(backend: ChainBackend, client: Client) -> None:
    """C19: a client takes any call of it for success, so a dropped transaction calls it never."""
    elsewhere = backend.test_chain.twin()
    body = transaction_json(transfer(backend))
    assert client.call(WITH_CALLBACK, 27, body, api="network_broadcast") is None
    elsewhere.push(spend_all(elsewhere))
    backend.receive(elsewhere.build())
    assert client.notices() == []
    assert len(backend.api.waits) == 0


def test_a_second_broadcast_does_not_end_the_wait_of_the_first(
    backend: ChainBackend, client: Client
) -> None:
    """C19: the duplicate is refused; who sent the first is still told of its block."""
    envelope = transfer(backend)
    assert send(client, envelope, 1) == []
    (refusal,) = send(client, envelope, 2)
    assert refusal["error"]["data"]["name"] == "duplicate_transaction"
    backend.produce()
    (answer,) = late_answers(client)
    assert (answer["id"], answer["result"]["block_num"]) == (1, 1)


def test_who_may_not_wait_broadcasts_nothing(
    backend: ChainBackend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C18, T-A2: refused is refused: nothing is pending after it."""
    monkeypatch.setattr(session, "WAITING_MAX", 1)
    assert send(client, transfer(backend)) == []
    (refusal,) = send(client, transfer(backend), 2)
    assert refusal["error"]["data"]["name"] == "not_possible"
    assert len(backend.test_chain.chain.pending) == 1


def test_a_node_that_ends_tells_who_waits(backend: ChainBackend, client: Client) -> None:
    """C19: and takes no call that would wait for a block that it will not see."""
    assert send(client, transfer(backend)) == []
    backend.api.stop()
    (answer,) = late_answers(client)
    assert answer["error"]["data"]["name"] == "node_stopping"
    (refusal,) = send(client, transfer(backend))
    assert refusal["error"]["data"]["name"] == "node_stopping"
    assert len(backend.test_chain.chain.pending) == 1


def test_giving_up_tells_one_connection_alone(backend: ChainBackend, client: Client) -> None:
    """C19: an answer over HTTP has its time; the others go on waiting."""
    other = Client(backend)
    envelope = transfer(backend)
    assert send(client, envelope) == send(other, transfer(backend)) == []
    backend.api.waits.give_up(client.session, NotConfirmedYet("not yet"))
    assert [answer["error"]["data"]["name"] for answer in late_answers(client)] == [
        "not_confirmed_yet"
    ]
    backend.produce()
    assert late_answers(client) == []
    assert len(late_answers(other)) == 1


def lines_of(action: Callable[[], object]) -> int:
    """Lines of Python that an action runs through: what it costs, on any machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("of_others", [0, OTHERS])
def test_closing_costs_the_same_however_many_others_wait(
    backend: ChainBackend, client: Client, of_others: int
) -> None:
    """A12: neither the waits nor the sessions of others are walked over."""
    chain = backend.test_chain
    closing = Client(backend)
    for serial in range(of_others):
        envelope = chain.transaction(chain.transfer("alice", "bob", 1 + serial))
        session = client.session if serial % 2 else Client(backend).session
        backend.api.wait_for(Wait(session, envelope.id, print))
    assert send(closing, transfer(backend)) == []
    assert lines_of(lambda: backend.api.close_session(closing.session)) < CLOSING_LINES
    assert len(backend.api.waits) == of_others
