"""The history's file: what it refuses, what it begins anew, and reads beside a write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from node.api.block_history import HistoryTrace
from node.services.stored_history import StoredHistory
from node.storage.errors import StoreDamaged
from node.storage.history_store import HistoryStore
from protocol.schema import BlockId, Digest
from tests.support.history import ACCOUNTS, make_trace

CHAIN_ID = Digest(bytes(32))
OTHER_CHAIN = Digest(bytes([1]) * 32)
BLOCKS = 20


class MainChainIds:
    """A main chain of made-up blocks."""

    def __init__(self, traces: list[HistoryTrace]) -> None:
        self.traces = traces

    def id_at(self, num: int) -> BlockId | None:
        return self.traces[num - 1].envelope.id if 0 < num <= len(self.traces) else None


@pytest.fixture
def traces() -> list[HistoryTrace]:
    random = Random(3)
    return [make_trace(random, num) for num in range(1, BLOCKS + 1)]


@pytest.fixture
def path(tmp_path: Path, traces: list[HistoryTrace]) -> Path:
    """A closed history of all blocks."""
    path = tmp_path / "history.sqlite"
    history = StoredHistory(HistoryStore(path, CHAIN_ID), MainChainIds(traces))
    for trace in traces:
        history.apply_block(trace)
    history.write_all(BLOCKS)
    history.close()
    return path


def stored_num(path: Path, chain: Digest = CHAIN_ID) -> int:
    """The newest block of a file; 0 for none."""
    store = HistoryStore(path, chain)
    head = store.head()
    store.close()
    return 0 if head is None else head.num


def test_it_goes_on_where_it_ended(path: Path, traces: list[HistoryTrace]) -> None:
    """T-S1: ids and numbers continue; blocks that are there already change nothing."""
    chain = MainChainIds(traces)
    history = StoredHistory(HistoryStore(path, CHAIN_ID), chain)
    assert (history.stored_num, len(history.recent.blocks)) == (BLOCKS, 0)
    before = [history.operation_count(account) for account in ACCOUNTS]
    for trace in traces:
        history.apply_block(trace)
    assert [history.operation_count(account) for account in ACCOUNTS] == before
    traces.append(make_trace(Random(9), BLOCKS + 1))
    history.apply_block(traces[-1])
    total = sum(len(trace.operations) for trace in traces)
    assert history.recent.counts.operations == total
    newest = history.operation(total - 1)
    assert newest is not None
    assert newest.block_num == max(trace.envelope.num for trace in traces if trace.operations)
    history.close()


def test_a_block_that_would_leave_a_hole_is_a_bug(path: Path, traces: list[HistoryTrace]) -> None:
    """A history without gaps is what ids and numbers rest on."""
    history = StoredHistory(HistoryStore(path, CHAIN_ID), MainChainIds(traces))
    with pytest.raises(AssertionError, match="gaps"):
        history.apply_block(make_trace(Random(9), BLOCKS + 2))
    history.close()


def test_another_main_chain_begins_it_anew(path: Path, traces: list[HistoryTrace]) -> None:
    """The blocks were replaced below a history that was kept: none of its rows stay."""
    traces[-1] = make_trace(Random(9), BLOCKS, fork=1)
    history = StoredHistory(HistoryStore(path, CHAIN_ID), MainChainIds(traces))
    assert history.stored_num == 0
    assert all(history.operation_count(account) == 0 for account in ACCOUNTS)
    history.close()


def test_a_file_of_another_chain_is_begun_anew(path: Path) -> None:
    """T-S5: everything in it can be made again from the blocks, so that nobody is asked."""
    assert stored_num(path) == BLOCKS
    assert stored_num(path, OTHER_CHAIN) == 0
    assert stored_num(path) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "PRAGMA user_version = 99",
        "DELETE FROM block WHERE num = 7",
        "DROP TABLE header",
    ],
)
def test_a_file_that_is_not_whole_is_begun_anew(path: Path, damage: str) -> None:
    """T-S3, T-S5: another format, or lost rows, are noticed when it is opened."""
    database = sqlite3.connect(path)
    database.execute(damage)
    database.commit()
    database.close()
    assert stored_num(path) == 0


def test_a_file_of_something_else_is_begun_anew(tmp_path: Path) -> None:
    """T-S3: it is not even a database."""
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"not a database at all, but longer than a header" * 50)
    assert stored_num(path) == 0


def overwrite(path: Path, first_page: int) -> None:
    """Fill the file with rubbish from a page on."""
    data = path.read_bytes()
    start = first_page * 4096
    path.write_bytes(data[:start] + bytes(byte ^ 0x5A for byte in data[start:]))


def test_damage_met_while_reading_is_told(path: Path, traces: list[HistoryTrace]) -> None:
    """T-S3: a page of rubbish is never an answer."""
    history = StoredHistory(HistoryStore(path, CHAIN_ID), MainChainIds(traces))
    overwrite(path, 1)
    with pytest.raises(StoreDamaged):
        history.operations_in(BLOCKS // 2)
    history.close()


@pytest.mark.parametrize("column", ["data", "result", "checksum"])
def test_each_flipped_bit_of_an_operation_is_noticed(
    path: Path, traces: list[HistoryTrace], column: str
) -> None:
    """T-S3: whatever bit of its binary form or of its result it is."""
    history = StoredHistory(HistoryStore(path, CHAIN_ID), MainChainIds(traces))
    database = sqlite3.connect(path, isolation_level=None)
    (value,) = database.execute(f"SELECT {column} FROM operation WHERE id = 3").fetchone()
    whole = value if isinstance(value, bytes) else value.to_bytes(4, "big")
    assert history.operation(3) is not None
    for bit in range(8 * len(whole)):
        flipped = (int.from_bytes(whole, "big") ^ 1 << bit).to_bytes(len(whole), "big")
        stored = flipped if isinstance(value, bytes) else int.from_bytes(flipped, "big")
        database.execute(f"UPDATE operation SET {column} = ? WHERE id = 3", (stored,))
        with pytest.raises(StoreDamaged):
            history.operation(3)
    database.close()
    history.close()


def test_damage_met_while_opening_begins_it_anew(path: Path, traces: list[HistoryTrace]) -> None:
    """T-S3: what can be made again from the blocks is no reason not to start."""
    store = HistoryStore(path, CHAIN_ID)
    overwrite(path, 3)
    history = StoredHistory(store, MainChainIds(traces))
    assert history.stored_num == 0
    for trace in traces:
        history.apply_block(trace)
    history.write_all(BLOCKS)
    assert history.stored_num == BLOCKS
    history.close()


def test_a_write_is_all_or_nothing(path: Path, traces: list[HistoryTrace]) -> None:
    """T-S2: one row that cannot be added takes the whole write back."""
    store = HistoryStore(path, CHAIN_ID)
    history = StoredHistory(store, MainChainIds(traces))
    for num in range(BLOCKS + 1, BLOCKS + 9):
        history.apply_block(make_trace(Random(num), num))
    blocks = history.writable(BLOCKS + 8)
    assert any(block.operations for block in blocks)
    with pytest.raises(StoreDamaged):
        history.write([*blocks, blocks[0]])
    head = store.head()
    assert head is not None
    assert head.num == BLOCKS
    history.write(blocks)
    history.written(blocks)
    assert history.stored_num == BLOCKS + 8
    store.close()


def test_reads_see_whole_blocks_while_one_is_written(
    path: Path, traces: list[HistoryTrace]
) -> None:
    """A read that began before a commit goes on with what was there."""
    store = HistoryStore(path, CHAIN_ID)
    history = StoredHistory(store, MainChainIds(traces))
    history.apply_block(make_trace(Random(5), BLOCKS + 1))
    with store.view() as view:
        history.write(history.writable(BLOCKS + 1))
        assert view.head_num == BLOCKS
        assert view.block(BLOCKS + 1) is None
    with store.view() as view:
        assert view.block(BLOCKS + 1) is not None
    store.close()
