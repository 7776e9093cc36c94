"""Answers that wait for something, when it happens before their connection's task goes on (A10).

The job of a call is over in one round of the event loop, its connection's task goes on in another,
and in between the chain moves. Here it always does.
"""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from trio_websocket import connect_websocket_url

from node.api.api import Api
from node.api.backend import BlockTrace
from node.api.fair_queue import Client
from node.api.json_text import Text
from node.api.session import ApiSession
from node.services.request_runner import RequestRunner
from tests.services.test_api_server import encoded, read_response, serve
from tests.support.api import ChainBackend, Json, transaction_json
from tests.support.chain import TestChain


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ChainBackend:
    """A chain that makes a block whenever a text was served, before anybody can be answered."""
    found = ChainBackend(TestChain("alice", "bob"))
    serve_text = RequestRunner.serve

    async def serve_and_move(
        runner: RequestRunner, session: ApiSession, client: Client, data: str | bytes
    ) -> list[Text]:
        texts = await serve_text(runner, session, client, data)
        found.produce()
        found.api.flush_sessions()
        await trio.testing.wait_all_tasks_blocked()
        return texts

    monkeypatch.setattr(RequestRunner, "serve", serve_and_move)
    return found


def broadcast(backend: ChainBackend) -> Json:
    """A transfer that is answered once it is in a block."""
    chain = backend.test_chain
    body = transaction_json(chain.transaction(chain.transfer("alice", "bob", 5)))
    params = ["network_broadcast", "broadcast_transaction_synchronous", [body]]
    return {"id": 3, "method": "call", "params": params}


@pytest.mark.trio
@pytest.mark.parametrize("is_batch", [False, True])
async def test_what_happens_before_it_is_waited_for_is_answered(
    backend: ChainBackend, is_batch: bool
) -> None:
    """C19: over HTTP, where nothing else would come of it."""
    async with serve(backend) as served, await served.connect() as stream:
        request = broadcast(backend)
        await stream.send_all(served.post(encoded([request] if is_batch else request)))
        status, answer = await read_response(stream)
        (answer,) = answer if is_batch else [answer]
        assert (status, answer["id"], answer["result"]["block_num"]) == (200, 3, 1)


@pytest.mark.trio
async def test_it_is_not_answered_before_it_is_stored(
    backend: ChainBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C3, C19: the block that came so early is on no disk yet; the client need not ask again."""
    durability = backend.api.durability
    block_applied = Api.block_applied

    def apply_and_count(api: Api, trace: BlockTrace) -> None:
        durability.make()
        block_applied(api, trace)

    monkeypatch.setattr(Api, "block_applied", apply_and_count)
    async with serve(backend) as served, await served.connect() as stream:
        await stream.send_all(served.post(encoded(broadcast(backend))))
        with trio.move_on_after(0.1):
            pytest.fail(f"answered too early: {await read_response(stream)}")
        assert durability.made == 1
        durability.store(1)
        backend.api.flush_sessions()
        status, answer = await read_response(stream)
        assert (status, answer["result"]["block_num"]) == (200, 1)


@pytest.mark.trio
async def test_a_notice_follows_the_answer_of_the_call_that_asked_for_it(
    backend: ChainBackend,
) -> None:
    """Trap 5: a client may take whatever comes first for the answer."""
    async with serve(backend) as served, trio.open_nursery() as nursery:
        socket = await connect_websocket_url(nursery, f"ws://127.0.0.1:{served.port}")
        call = {"id": 3, "method": "set_block_applied_callback", "params": [7]}
        await socket.send_message(json.dumps(call))
        assert json.loads(await socket.get_message())["id"] == 3
        assert json.loads(await socket.get_message())["params"][0] == 7
        await socket.aclose()
