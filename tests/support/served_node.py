"""A whole node in this process: core, shell and API, and a disk that can be made to stand still."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio

from node.api.api import Api
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.settings import CoreSettings
from node.core.startup import start_chain
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.p2p.config import PeerConfig
from node.p2p.manager import PeerManager
from node.services.api_backend import NodeApiBackend
from node.services.api_server import ApiOptions, serve_api
from node.services.node_inputs import NodeInputs
from node.services.node_service import NodeService, Stores
from node.storage.interface import SignedSlot, SignedVote
from pegboard.lessons.told import LessonTeacher
from protocol.genesis import chain_id
from protocol.genesis_form import FINALITY_VOTES, Genesis
from protocol.p2p.transport import PlainTransport
from protocol.schema import BlockId
from tests.support.chain import make_genesis, witness_names
from tests.support.history_databases import SqlitePlace
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots
from tests.support.world import GENESIS_TIME, secret_of

Json = Any
WITNESSES = 3
GATE_TIMEOUT_S = 60


class StandingClock:
    """A clock that tests move by hand."""

    def __init__(self, now_ms: int = GENESIS_TIME * 1_000) -> None:
        self.time_ms = now_ms

    def wall_ms(self) -> int:
        return self.time_ms

    def timer_ms(self) -> int:
        return self.time_ms


class GatedBlockStore(MemoryBlockStore):
    """A disk that keeps no block while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.appends = 0

    def append(
        self,
        blocks: Sequence[tuple[BlockId, int, bytes]],
        head: BlockId | None,
        main_chain: Sequence[BlockId] = (),
        irreversible_num: int = 0,
    ) -> None:
        assert self.gate.wait(GATE_TIMEOUT_S), "the gate stays closed"
        self.appends += 1
        super().append(blocks, head, main_chain, irreversible_num)


class CountingGuard(MemorySigningGuard):
    """A record of signed slots that counts its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def reserve(self, slots: Sequence[SignedSlot], votes: Sequence[SignedVote] = ()) -> None:
        self.writes += 1
        super().reserve(slots, votes)


class ServedNode:
    """A development node with its stores at hand; `serve_node` runs it."""

    def __init__(
        self,
        directory: Path,
        settings: CoreSettings,
        *,
        witnesses: int = WITNESSES,
        keys: int = 99,
        before: ServedNode | None = None,
        genesis: Genesis | None = None,
    ) -> None:
        """`before` is a node whose process has ended, and which this one goes on from."""
        genesis = genesis or make_genesis(
            "alice", "bob", witnesses=witnesses, finality=FINALITY_VOTES
        )
        self.blocks: GatedBlockStore = GatedBlockStore() if before is None else before.blocks
        self.guard: CountingGuard = CountingGuard() if before is None else before.guard
        self.clock: StandingClock = StandingClock() if before is None else before.clock
        place = SqlitePlace(directory / "history.sqlite")
        history = StoredHistory(HistoryStore(place.open(), chain_id(genesis)), self.blocks)
        self.chain = start_chain(genesis, self.blocks, MemorySnapshots(), history=history).chain
        reader = ChainReader(self.chain, self.blocks)
        self.core = NodeCore(
            self.chain,
            PeerManager(
                reader, PeerConfig(bytes(32), "test"), Random(1), make_transport=PlainTransport
            ),
            settings,
            reader=reader,
            secrets=[secret_of(f"{name} block") for name in witness_names(witnesses)[:keys]],
            last_signed=self.guard.load(),
            last_votes=self.guard.load_votes(),
        )
        self.history = history
        self.inputs = NodeInputs(self.core, self.clock)
        self.backend = NodeApiBackend(self.inputs, reader, genesis, history, is_development=True)
        self.api = Api(self.backend, self.core.durability, LessonTeacher)
        stores = Stores(self.blocks, self.guard, MemorySnapshots())
        self.service = NodeService(self.inputs, stores, history, self.api, lambda *_: None)
        self.port = 0

    def store_all(self) -> None:
        """What a running service does with all that waits, where none runs."""
        while (batch := self.inputs.take_batch()) is not None:
            self.service._store(batch)
            self.service._note_stored(batch)

    async def call(self, api: str, method: str, *arguments: Json) -> tuple[int, Json]:
        """Status and body of one call over HTTP, on a connection of its own."""
        body = json.dumps({"id": 1, "method": "call", "params": [api, method, list(arguments)]})
        lines = [
            "POST / HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            "Connection: close",
            f"Content-Length: {len(body)}",
        ]
        status, text = await self._exchange("\r\n".join([*lines, "", body]))
        return status, json.loads(text)

    async def page(self, path: str) -> tuple[int, str]:
        """Status and body of a GET."""
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close"]
        return await self._exchange("\r\n".join([*lines, "", ""]))

    async def _exchange(self, request: str) -> tuple[int, str]:
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(request.encode())
            data = b"".join([chunk async for chunk in stream])
        head, _, text = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), text.decode()


@asynccontextmanager
async def serve_node(
    directory: Path,
    settings: CoreSettings | None = None,
    *,
    witnesses: int = WITNESSES,
    keys: int = 99,
) -> AsyncIterator[ServedNode]:
    """A node that serves its API for the time of a test, and stops cleanly at the end."""
    node = ServedNode(
        directory, settings or CoreSettings(by_the_clock=False), witnesses=witnesses, keys=keys
    )
    options = ApiOptions(connections_max=1_000)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(node.service.run, None)
            serve = partial(serve_api, node.api, "127.0.0.1", 0, options=options)
            node.port = await nursery.start(serve)
            try:
                yield node
            finally:
                node.blocks.gate.set()
            nursery.cancel_scope.cancel()
    finally:
        node.service.history.close()
