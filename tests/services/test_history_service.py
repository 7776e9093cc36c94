"""The shell around a core keeps the history: irreversible blocks reach the disk, and no others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from node.api.api import Api
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.settings import CoreSettings
from node.core.startup import start_chain
from node.history.block import BlockHistory
from node.history.database import stored
from node.history.database.errors import HistoryUnavailable
from node.history.database.store import HistoryStore
from node.history.database.stored import MainChain, StoredHistory
from node.p2p.config import PeerConfig
from node.p2p.manager import PeerManager
from node.services import history_keeper
from node.services.api_backend import NodeApiBackend
from node.services.history_keeper import GATHER_S, HistoryKeeper
from node.services.node_inputs import NodeInputs
from node.services.node_service import NodeService, NodeStopped, Stores
from node.storage.errors import DiskError
from protocol.genesis import chain_id
from protocol.p2p.transport import PlainTransport
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import transfer
from tests.support.history_databases import HistoryPlace, PostgresPlace, SqlitePlace
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots
from tests.support.postgres import PostgresServer
from tests.support.world import GENESIS_TIME, secret_of

WITNESSES = 3


class StoppedClock:
    """A clock that stands at genesis: blocks come on demand alone."""

    def wall_ms(self) -> int:
        return GENESIS_TIME * 1_000

    def timer_ms(self) -> int:
        return 0


class FullDisk(StoredHistory):
    """A history on a disk without room."""

    def write(self, blocks: Sequence[BlockHistory]) -> None:
        raise DiskError("no space left")


def make_service(history_class: type[StoredHistory], place: HistoryPlace) -> NodeService:
    """A node whose witnesses are all here."""
    genesis = make_genesis("alice", "bob", witnesses=WITNESSES)
    blocks = MemoryBlockStore()
    history = history_class(HistoryStore(place.open(), chain_id(genesis)), blocks)
    chain = start_chain(genesis, blocks, MemorySnapshots(), history=history).chain
    reader = ChainReader(chain, blocks)
    core = NodeCore(
        chain,
        PeerManager(
            reader, PeerConfig(bytes(32), "test"), Random(1), make_transport=PlainTransport
        ),
        CoreSettings(by_the_clock=False),
        reader=reader,
        secrets=[secret_of(f"{name} block") for name in witness_names(WITNESSES)],
    )
    inputs = NodeInputs(core, StoppedClock())
    backend = NodeApiBackend(inputs, reader, genesis, history, is_development=True)
    stores = Stores(blocks, MemorySigningGuard(), MemorySnapshots())
    return NodeService(inputs, stores, history, Api(backend, core.durability), lambda *_: None)


@pytest.mark.trio
async def test_blocks_are_written_once_they_are_irreversible(
    place: HistoryPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.2: what may be taken back is in memory alone, which stays small."""
    monkeypatch.setattr(history_keeper, "GATHER_S", 0)
    service = make_service(StoredHistory, place)
    history, chain = service.history, service.inputs.core.chain
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run, None)
        for _ in range(40):
            service.inputs.generate_blocks(5)
            with trio.fail_after(30):
                while history.stored_num < chain.last_irreversible_num:
                    await trio.sleep(0.001)
            assert history.stored_num == chain.last_irreversible_num < chain.head_num
            assert len(history.recent.blocks) == chain.head_num - history.stored_num
        nursery.cancel_scope.cancel()
    assert chain.last_irreversible_num > 190
    history.close()


class Counts(StoredHistory):
    """A history that notes how many blocks each write takes."""

    def __init__(self, store: HistoryStore, chain: MainChain) -> None:
        super().__init__(store, chain)
        self.writes: list[int] = []

    def write(self, blocks: Sequence[BlockHistory]) -> None:
        self.writes.append(len(blocks))
        super().write(blocks)


@pytest.mark.trio
async def test_blocks_that_come_soon_after_a_write_share_the_next(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One write for many costs less; as many as one takes wait for nothing, and nobody for long.
    Meanwhile they are numbered, for whoever asks about them (T-R3)."""
    service = make_service(Counts, SqlitePlace(tmp_path / "history.sqlite"))
    history, chain = service.history, service.inputs.core.chain
    assert isinstance(history, Counts)
    keeper = HistoryKeeper(history)

    def make(count: int) -> None:
        service.inputs.generate_blocks(count)
        keeper.advance(chain.last_irreversible_num)

    async def until(is_done: Callable[[], bool]) -> None:
        """Wait for the threads, for which the clock does not move."""
        for _ in range(10_000):
            if is_done():
                return
            await trio.to_thread.run_sync(time.sleep, 0.001)
        raise AssertionError

    async def until_written() -> None:
        await until(lambda: history.stored_num == chain.last_irreversible_num)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run)
        make(10)
        await until_written()
        monkeypatch.setattr(history_keeper, "NUMBERED_AT_ONCE", 1)
        service.inputs.broadcast(transfer(chain, 1))
        make(1)
        assert history.recent.unnumbered == 1
        await until(lambda: history.recent.unnumbered == 0)
        for _ in range(3):
            make(5)
            await trio.testing.wait_all_tasks_blocked()
        assert len(history.writes) == 1
        mock_clock.jump(GATHER_S)
        await until_written()
        assert len(history.writes) == 2
        assert history.writes[1] > 10
        monkeypatch.setattr(stored, "SIZE_OF_A_WRITE", 1)
        make(3)
        await until_written()
        assert set(history.writes[2:]) == {1}
        nursery.cancel_scope.cancel()
    history.close()


@pytest.mark.trio
async def test_a_disk_without_room_stops_the_node(tmp_path: Path) -> None:
    """T-S4: exit code 74, as for the blocks."""
    service = make_service(FullDisk, SqlitePlace(tmp_path / "history.sqlite"))
    service.inputs.generate_blocks(20)
    with trio.fail_after(30), pytest.raises(ExceptionGroup) as stopped:
        await service.run(None)
    service.history.close()
    match, _ = stopped.value.split(NodeStopped)
    assert match is not None
    (reason,) = match.exceptions
    assert isinstance(reason, NodeStopped)
    assert reason.exit_code == DiskError.exit_code


class FailsTwice(StoredHistory):
    """A history whose server does not answer the first two times."""

    failures = 0

    def write(self, blocks: Sequence[BlockHistory]) -> None:
        if self.failures < 2:
            self.failures += 1
            raise HistoryUnavailable("no answer")
        super().write(blocks)


@pytest.mark.trio
async def test_a_server_that_fails_is_tried_again(postgres: PostgresServer) -> None:
    """T-S4: what was not written waits in memory; the node never ends because of it."""
    service = make_service(FailsTwice, PostgresPlace(postgres.create_database()))
    history, chain = service.history, service.inputs.core.chain
    assert isinstance(history, FailsTwice)
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run, None)
        service.inputs.generate_blocks(20)
        with trio.fail_after(30):
            while history.stored_num < chain.last_irreversible_num:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert (history.failures, history.stored_num) == (2, chain.last_irreversible_num)
    history.close()
