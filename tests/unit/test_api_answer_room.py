"""P8, T-A2: the answers of all connections together have a limit, however they pile up."""

from __future__ import annotations

import gc
import json

import pytest

from node.api.answer_room import OWN_BYTES
from node.api.json_text import Text, joined
from node.api.session import ApiSession
from protocol.operations.custom import Custom
from tests.support.api import ChainBackend, Json, transaction_json
from tests.unit.test_api_long_answers import BLOCKS, FEE, make_long_chain

LIMIT = 3_000_000


def request(method: str, *arguments: object, api: str = "block") -> Json:
    """One call; the long ones ask for more than a megabyte."""
    return {"id": 1, "method": "call", "params": [api, method, arguments]}


LONG = request("get_blocks", 1, BLOCKS)
SHORT = request("get_block", BLOCKS, api="database")


@pytest.fixture(scope="module")
def chain() -> ChainBackend:
    return make_long_chain()


@pytest.fixture
def backend(chain: ChainBackend) -> ChainBackend:
    chain.api.room.limit = LIMIT
    assert chain.api.room.taken == 0
    return chain


def run(session: ApiSession, body: Json) -> list[Text]:
    """Serve a text to its end; nobody takes the answers."""
    work = session.serve(json.dumps(body))
    while True:
        try:
            next(work)
        except StopIteration as end:
            texts: list[Text] = end.value
            return texts


def build(session: ApiSession) -> None:
    """An answer that its client does not take."""
    run(session, LONG)


def begin(session: ApiSession) -> None:
    """An answer that is being built, in turns with those of others."""
    work = session.serve(json.dumps(LONG))
    for _ in range(BLOCKS):
        next(work, None)
    UNFINISHED.append(work)


def wait(session: ApiSession) -> None:
    """An answer in a batch of which another call waits for a block."""
    backend = session.call.backend
    assert isinstance(backend, ChainBackend)
    alice = backend.state.account_named("alice").id
    payload = len(UNFINISHED).to_bytes(2, "big")
    body = transaction_json(backend.test_chain.transaction(Custom(FEE, alice, (), 0, payload)))
    later = request("broadcast_transaction_synchronous", body, api="network_broadcast")
    assert run(session, [LONG, later]) == []
    UNFINISHED.append(later)


def notice(session: ApiSession) -> None:
    """A long notice that its client does not take."""
    session.push(1, "x" * 900_000)


def end_all(backend: ChainBackend) -> None:
    """All connections end, in the midst of whatever they do."""
    for session in list(backend.api.sessions):
        backend.api.close_session(session)
        session.sent()
    UNFINISHED.clear()


UNFINISHED: list[object] = []
PILES = {"built": build, "begun": begin, "waiting": wait, "noticed": notice}


@pytest.mark.parametrize("pile", PILES)
def test_answers_that_pile_up_leave_room_for_others(backend: ChainBackend, pile: str) -> None:
    """Each leaves as much as it takes; what is short is answered always, and all comes back."""
    room = backend.api.room
    sessions = [backend.api.open_session() for _ in range(20)]
    for session in sessions:
        PILES[pile](session)
    assert LIMIT / 4 < room.taken <= LIMIT - sessions[0].share.size + OWN_BYTES
    (text,) = run(backend.api.open_session(), SHORT)
    assert json.loads(joined(text))["result"]["transactions"]
    (text,) = run(backend.api.open_session(), LONG)
    refusal = json.loads(joined(text))["error"]
    assert refusal["data"]["name"] == "not_possible"
    assert "(T-A2)" in refusal["message"]
    assert str(LIMIT) in refusal["message"]
    end_all(backend)
    assert room.taken == 0
    assert "result" in json.loads(joined(run(backend.api.open_session(), LONG)[0]))
    end_all(backend)


@pytest.mark.parametrize("body", [LONG, request("get_blocks", 9, 1), request("get_block")])
def test_a_refused_answer_leaves_nothing_behind(backend: ChainBackend, body: Json) -> None:
    """T-R1: nothing that only a garbage collection would find, which comes seldom: no frame of
    the call holds the answer for which there was no room."""
    session = backend.api.open_session()
    backend.api.room.limit = 0
    run(session, body)
    gc.collect()
    gc.disable()
    try:
        (text,) = run(session, body)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert "error" in json.loads(joined(text))
    end_all(backend)


def test_texts_that_are_being_sent_take_room(backend: ChainBackend) -> None:
    """T-R1: from when they wait until they are sent, or the connection is gone."""
    session = backend.api.open_session()
    notice(session)
    before = session.share.size
    assert before > 900_000
    assert len(session.take_outgoing()) == 1
    assert session.share.size == before
    session.outgoing_sent()
    assert session.share.size == 0
    notice(session)
    session.take_outgoing()
    notice(session)
    backend.api.close_session(session)
    assert session.share.size == before, "what is being sent"
    session.outgoing_sent()
    assert backend.api.room.taken == 0
