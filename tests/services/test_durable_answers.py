"""Nobody is told of what a crash can still take back, whatever was asked and however (C3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from trio_websocket import connect_websocket_url

from node.core.own_blocks import NoSigningKey
from node.core.settings import CoreSettings
from node.services.node_inputs import BLOCKS_AT_ONCE
from node.services.pages import PAGES
from protocol.crypto.keys import wif
from tests.support.api import transaction_json
from tests.support.arguments import methods, sample_arguments
from tests.support.core_nodes import transfer
from tests.support.served_node import Json, ServedNode, serve_node
from tests.support.world import secret_of

INSTANT = CoreSettings(instant=True, by_the_clock=False)
KEY = wif(secret_of("init0 block"))
METHODS = list(methods())
MANY = 1_000


class Answers:
    """What has been answered so far, by what was asked."""

    def __init__(self, nursery: trio.Nursery, node: ServedNode) -> None:
        self.nursery = nursery
        self.node = node
        self.found: dict[str, tuple[int, Json]] = {}

    def ask(self, api: str, method: str, *arguments: Json) -> None:
        """Call, without waiting for the answer."""
        self.nursery.start_soon(self._ask, api, method, *arguments)

    def get(self, path: str) -> None:
        """The same for a page."""
        self.nursery.start_soon(self._get, path)

    async def _ask(self, api: str, method: str, *arguments: Json) -> None:
        self.found[f"{api}.{method}"] = await self.node.call(api, method, *arguments)

    async def _get(self, path: str) -> None:
        self.found[path] = await self.node.page(path)

    async def settle(self) -> None:
        """Wait until nothing moves any more but the clock's ticks."""
        await trio.testing.wait_all_tasks_blocked(0.05)


@asynccontextmanager
async def asking(tmp_path: Path, settings: CoreSettings | None = None) -> AsyncIterator[Answers]:
    """A node whose disk stands still from its second block on, and somebody who asks."""
    with trio.fail_after(60):
        async with serve_node(tmp_path, settings) as node, trio.open_nursery() as nursery:
            await node.call("pegboard_dev", "generate_blocks", 1)
            node.blocks.gate.clear()
            yield Answers(nursery, node)


@pytest.mark.trio
async def test_a_vote_is_recorded_once_its_block_is_stored(tmp_path: Path) -> None:
    """F5, T-S1: one for a block that was lost could forbid the key to vote ever again."""
    async with asking(tmp_path) as answers:
        node = answers.node
        node.inputs.generate_blocks(3)
        await answers.settle()
        head_num = node.chain.head_num
        assert voted_for(node) == {head_num - 3}
        node.blocks.gate.set()
        await answers.settle()
        assert voted_for(node) == {head_num}


def voted_for(node: ServedNode) -> set[int]:
    """The blocks that its keys have voted for last, as far as is recorded."""
    return {target for _, target in (node.guard.load_votes() or {}).values()}


@pytest.mark.trio
async def test_no_answer_leaves_before_the_blocks_it_may_tell_of_are_stored(
    tmp_path: Path,
) -> None:
    """C3, T-S1: every method of every API and every page, asked while blocks wait for the disk."""
    async with asking(tmp_path) as answers:
        node = answers.node
        node.inputs.generate_blocks(3)
        made = node.core.durability.made
        for api, method in METHODS:
            answers.ask(api, method, *sample_arguments(api, method))
        for path in PAGES:
            answers.get(path)
        await answers.settle()
        assert answers.found == {}
        node.blocks.gate.set()
        while len(answers.found) < len(METHODS) + len(PAGES):
            await trio.sleep(0.01)
        assert node.core.durability.made > made, "some make blocks, others take them back"
        assert node.blocks.head() == (node.chain.head_num, node.chain.head_id)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("api", "method", "arguments"),
    [
        ("debug", "debug_generate_blocks", [KEY, 20]),
        ("pegboard_dev", "generate_blocks", [20]),
        ("pegboard_dev", "travel_to", ["+1h"]),
    ],
)
async def test_blocks_on_demand_are_stored_before_they_are_told(
    api: str, method: str, arguments: list[Json], tmp_path: Path
) -> None:
    """C3: the call itself waits for its blocks."""
    async with asking(tmp_path) as answers:
        answers.ask(api, method, *arguments)
        await answers.settle()
        assert answers.node.chain.head_num > 1
        assert answers.found == {}
        answers.node.blocks.gate.set()
        while not answers.found:
            await trio.sleep(0.01)
        ((status, body),) = answers.found.values()
        assert (status, "result" in body) == (200, True)
        assert answers.node.blocks.head() == (
            answers.node.chain.head_num,
            answers.node.chain.head_id,
        )


@pytest.mark.trio
@pytest.mark.parametrize("method", ["broadcast_transaction", "broadcast_transaction_synchronous"])
async def test_an_instant_block_is_stored_before_its_transaction_is_confirmed(
    method: str, tmp_path: Path
) -> None:
    """C4: whatever broadcasts on a node that makes a block for it."""
    async with asking(tmp_path, INSTANT) as answers:
        node = answers.node
        body = transaction_json(transfer(node.chain, 5))
        answers.ask("network_broadcast", method, body)
        await answers.settle()
        assert node.chain.head_num == 2
        assert answers.found == {}
        node.blocks.gate.set()
        while not answers.found:
            await trio.sleep(0.01)
        assert node.blocks.head() == (2, node.chain.head_id)


@pytest.mark.trio
async def test_notices_wait_too_and_follow_the_answer_of_their_call(tmp_path: Path) -> None:
    """C3, trap 5: over WebSocket, the answer first, then what the call caused."""
    async with asking(tmp_path) as answers:
        node = answers.node
        url = f"ws://127.0.0.1:{node.port}"
        socket = await connect_websocket_url(answers.nursery, url)
        for number, request in enumerate(
            (
                ["database", "set_block_applied_callback", [7]],
                ["pegboard_dev", "generate_blocks", [5]],
            )
        ):
            await socket.send_message(
                json.dumps({"id": number, "method": "call", "params": request})
            )
        assert json.loads(await socket.get_message())["id"] == 0
        received: list[Json] = []

        async def read() -> None:
            while len(received) < 6:
                received.append(json.loads(await socket.get_message()))

        answers.nursery.start_soon(read)
        await answers.settle()
        assert node.chain.head_num == 6
        assert received == []
        node.blocks.gate.set()
        while len(received) < 6:
            await trio.sleep(0.01)
        assert received[0]["id"] == 1
        assert [notice["params"][0] for notice in received[1:]] == [7] * 5
        assert node.blocks.head() == (6, node.chain.head_id)
        await socket.aclose()


@pytest.mark.trio
async def test_a_notice_of_the_stored_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    """C3: who follows blocks is told of each as soon as it is stored, while others are made."""
    async with asking(tmp_path) as answers:
        node = answers.node
        node.blocks.gate.set()
        socket = await connect_websocket_url(answers.nursery, f"ws://127.0.0.1:{node.port}")
        request = {"id": 0, "method": "set_block_applied_callback", "params": [7]}
        await socket.send_message(json.dumps(request))
        assert json.loads(await socket.get_message())["id"] == 0
        node.blocks.gate.clear()
        node.inputs.generate_blocks(1)
        first = node.chain.head_id.hex()
        await answers.settle()
        node.inputs.generate_blocks(1)
        before = node.core.durability.stored
        store = node.core.durability.store

        def close_the_gate_again(move: int) -> None:
            node.blocks.gate.clear()
            store(move)

        received: list[Json] = []

        async def read() -> None:
            while len(received) < 2:
                received.append(json.loads(await socket.get_message())["params"])

        answers.nursery.start_soon(read)
        with pytest.MonkeyPatch.context() as patch:
            durability = type(node.core.durability)
            patch.setattr(durability, "store", lambda _, move: close_the_gate_again(move))
            node.blocks.gate.set()
            while not received:
                await trio.sleep(0.01)
        await answers.settle()
        assert received == [[7, [first]]]
        assert node.core.durability.stored == before + 1 < node.core.durability.made
        node.blocks.gate.set()
        while len(received) < 2:
            await trio.sleep(0.01)
        await socket.aclose()


def test_a_block_can_be_read_as_soon_as_it_is_made(tmp_path: Path) -> None:
    """C3: also when it is irreversible already, so that the chain has forgotten it."""
    node = ServedNode(tmp_path, CoreSettings(by_the_clock=False))
    made = node.inputs.generate_blocks(MANY)
    assert node.chain.last_irreversible_num > MANY // 2
    for block in made:
        found = node.backend.block_at(block.num)
        assert found is not None
        assert found.id == block.id
    node.store_all()
    assert node.blocks.head() == (MANY, node.chain.head_id)
    assert node.backend.reader.unstored.block(made[0].id) is None
    found = node.backend.block_at(1)
    assert found is not None
    assert found.id == made[0].id
    node.service.history.close()


@pytest.mark.trio
async def test_one_durable_write_serves_many_blocks(tmp_path: Path) -> None:
    """C3: what is made while the disk is busy is one write of blocks and one of
    slots and votes."""
    async with asking(tmp_path) as answers:
        node = answers.node
        before = (node.guard.writes, node.blocks.appends)
        answers.ask("pegboard_dev", "generate_blocks", MANY)
        while node.chain.head_num <= MANY:
            await trio.sleep(0.01)
        await answers.settle()
        assert answers.found == {}
        node.blocks.gate.set()
        while not answers.found:
            await trio.sleep(0.01)
        assert node.blocks.head() == (MANY + 1, node.chain.head_id)
        assert (node.guard.writes, node.blocks.appends) == (before[0] + 2, before[1] + 2)


@pytest.mark.trio
async def test_others_are_answered_while_blocks_are_made(tmp_path: Path) -> None:
    """T-A2: a call for many blocks gives way after each of them."""
    async with asking(tmp_path) as answers:
        node = answers.node
        node.blocks.gate.set()
        answers.ask("pegboard_dev", "generate_blocks", MANY)
        while node.chain.head_num < 3:
            await trio.lowlevel.checkpoint()
        status, _ = await node.call("database", "get_chain_id")
        assert status == 200
        assert answers.found == {}
        assert node.chain.head_num <= MANY


@pytest.mark.trio
async def test_a_clean_stop_stores_what_waits(tmp_path: Path) -> None:
    """C3, P15: a write that runs when the node is told to end is not cut off, and what waits behind
    it is written too."""
    async with asking(tmp_path) as answers:
        node = answers.node
        node.inputs.generate_blocks(5)
        await answers.settle()
        node.inputs.generate_blocks(MANY)
        head = (node.chain.head_num, node.chain.head_id)
        node.blocks.gate.set()
    assert node.blocks.head() == head == (MANY + 6, node.chain.head_id)
    assert node.core.durability.is_complete


@pytest.mark.trio
async def test_blocks_of_one_demand_are_stored_together(tmp_path: Path) -> None:
    """T-S1: as many as one write takes, all that there are at the end or at a refusal, and not
    later than anything else."""
    node = ServedNode(tmp_path, CoreSettings(by_the_clock=False))
    stored: list[int] = []

    async def carry() -> None:
        while True:
            batch = await node.inputs.next_batch()
            stored.extend(len(move.blocks) for move in batch.moves)

    async def make(count: int, to_come: int) -> list[int]:
        node.inputs.generate_blocks(count, to_come=to_come)
        await trio.testing.wait_all_tasks_blocked()
        return stored

    async with trio.open_nursery() as nursery:
        nursery.start_soon(carry)
        assert await make(3, 3) == []
        assert await make(3, 0) == [6]
        assert await make(BLOCKS_AT_ONCE - 1, 3) == [6]
        assert await make(1, 2) == [6, BLOCKS_AT_ONCE]
        assert await make(1, 1) == [6, BLOCKS_AT_ONCE]
        node.inputs.tick()
        await trio.testing.wait_all_tasks_blocked()
        assert stored == [6, BLOCKS_AT_ONCE, 1]
        assert await make(2, 9) == [6, BLOCKS_AT_ONCE, 1]
        node.core.own.secrets.clear()
        with pytest.raises(NoSigningKey):
            await make(1, 8)
        await trio.testing.wait_all_tasks_blocked()
        assert stored == [6, BLOCKS_AT_ONCE, 1, 2]
        nursery.cancel_scope.cancel()
    node.history.close()
