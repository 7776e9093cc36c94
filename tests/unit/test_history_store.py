"""The history's file: what it refuses, what it begins anew, and reads beside a write."""

from __future__ import annotations

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from node.history.block import HistoryTrace
from node.history.database.errors import DriverMissing, HistoryUnavailable
from node.history.database.open import open_database
from node.history.database.postgres import PAUSE_S, PostgresDatabase
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.history.memory import MemoryHistory
from node.history.reader import HistoryReader
from node.history.runs import OPERATIONS_A_RUN
from node.state.context import AppliedOperation
from node.storage.errors import StorageError, StoreDamaged, WrongChain, WrongFormat
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.operations.custom import Custom
from protocol.schema import BlockId, Digest
from tests.support.history import ACCOUNTS, make_trace
from tests.support.history_databases import HistoryPlace, PostgresPlace, SqlitePlace
from tests.support.history_questions import compare
from tests.support.postgres import NoServer, PostgresServer

CHAIN_ID = Digest(bytes(32))
OTHER_CHAIN = Digest(bytes([1]) * 32)
BLOCKS = 20


class MainChainIds:
    """A main chain of made-up blocks."""

    def __init__(self, traces: list[HistoryTrace]) -> None:
        self.traces = traces

    def id_at(self, num: int) -> BlockId | None:
        return self.traces[num - 1].envelope.id if 0 < num <= len(self.traces) else None

    def irreversible_num(self) -> int:
        return len(self.traces)


@pytest.fixture
def traces() -> list[HistoryTrace]:
    random = Random(3)
    return [make_trace(random, num) for num in range(1, BLOCKS + 1)]


def fill(place: HistoryPlace, traces: list[HistoryTrace]) -> None:
    """Write a history of all blocks, and close it."""
    history = StoredHistory(HistoryStore(place.open(), CHAIN_ID), MainChainIds(traces))
    for trace in traces:
        history.apply_block(trace)
    history.write_all(len(traces))
    history.close()


@pytest.fixture
def filled(place: HistoryPlace, traces: list[HistoryTrace]) -> HistoryPlace:
    """A closed history of all blocks, in each kind of database."""
    fill(place, traces)
    return place


@pytest.fixture
def path(tmp_path: Path, traces: list[HistoryTrace]) -> Path:
    """A closed history of all blocks in a file."""
    path = tmp_path / "history.sqlite"
    fill(SqlitePlace(path), traces)
    return path


@pytest.fixture
def shared(postgres: PostgresServer, traces: list[HistoryTrace]) -> PostgresPlace:
    """A closed history of all blocks on a server."""
    place = PostgresPlace(postgres.create_database())
    fill(place, traces)
    return place


def stored_num(path: Path, chain: Digest = CHAIN_ID) -> int:
    """The newest block of a file; 0 for none."""
    store = HistoryStore(SqliteDatabase(path), chain)
    head = store.head()
    store.close()
    return 0 if head is None else head.num


def test_it_goes_on_where_it_ended(filled: HistoryPlace, traces: list[HistoryTrace]) -> None:
    """T-S1: ids and numbers continue; blocks that are there already change nothing."""
    chain = MainChainIds(traces)
    history = StoredHistory(HistoryStore(filled.open(), CHAIN_ID), chain)
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


def test_a_block_that_would_leave_a_hole_is_a_bug(
    filled: HistoryPlace, traces: list[HistoryTrace]
) -> None:
    """A history without gaps is what ids and numbers rest on."""
    history = StoredHistory(HistoryStore(filled.open(), CHAIN_ID), MainChainIds(traces))
    with pytest.raises(AssertionError, match="gaps"):
        history.apply_block(make_trace(Random(9), BLOCKS + 2))
    history.close()


@pytest.mark.parametrize("common", [0, 1, 7, BLOCKS - 1])
def test_what_left_the_main_chain_is_taken_back(
    path: Path, traces: list[HistoryTrace], common: int
) -> None:
    """R9.10: a chain that was cut back has the history of its blocks alone, sums included."""
    kept = traces[:common]
    others = [make_trace(Random(9), num, fork=1) for num in range(common + 1, BLOCKS)]
    history = StoredHistory(
        HistoryStore(SqliteDatabase(path), CHAIN_ID), MainChainIds(kept + others)
    )
    assert history.stored_num == common
    twin = MemoryHistory()
    for trace in kept:
        twin.apply_block(trace)
    random = Random(5)
    for _ in range(20):
        compare(history, twin, random)
    for trace in others:
        history.apply_block(trace)
        twin.apply_block(trace)
    history.write_all(BLOCKS)
    assert history.stored_num == BLOCKS - 1
    for _ in range(20):
        compare(history, twin, random)
    history.go_back(common)
    assert (history.stored_num, history.recent.counts.operations) == (
        common,
        sum(len(trace.operations) for trace in kept),
    )
    history.close()


def test_a_file_of_another_chain_is_begun_anew(path: Path) -> None:
    """T-S5: everything in it can be made again from the blocks, so that nobody is asked."""
    assert stored_num(path) == BLOCKS
    assert stored_num(path, OTHER_CHAIN) == 0
    assert stored_num(path) == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE header SET value = CAST('99' AS BLOB) WHERE name = 'format'",
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
    history = StoredHistory(HistoryStore(SqliteDatabase(path), CHAIN_ID), MainChainIds(traces))
    overwrite(path, 1)
    with pytest.raises(StoreDamaged):
        history.operations_in(BLOCKS // 2)
    history.close()


@pytest.mark.parametrize("column", ["operations", "checksum"])
def test_each_flipped_bit_of_an_operation_is_noticed(
    filled: HistoryPlace, traces: list[HistoryTrace], column: str
) -> None:
    """T-S3: whatever bit of its run or of the checksum it is; on a server one of many."""
    history = StoredHistory(HistoryStore(filled.open(), CHAIN_ID), MainChainIds(traces))
    of_run = "WHERE instance = (SELECT max(instance) FROM operation WHERE instance <= 3)"
    ((value,),) = filled.execute(f"SELECT {column} FROM operation {of_run}")
    whole = value if isinstance(value, bytes) else int(value or 0).to_bytes(4, "big")
    assert history.operation(3) is not None
    for bit in range(0, 8 * len(whole), 13 if isinstance(filled, SqlitePlace) else 53):
        flipped = (int.from_bytes(whole, "big") ^ 1 << bit).to_bytes(len(whole), "big")
        stored = flipped if isinstance(value, bytes) else int.from_bytes(flipped, "big")
        filled.execute(f"UPDATE operation SET {column} = ? {of_run}", stored)
        with pytest.raises(StoreDamaged):
            history.operation(3)
    history.close()


def test_damage_met_while_opening_begins_it_anew(path: Path, traces: list[HistoryTrace]) -> None:
    """T-S3: what can be made again from the blocks is no reason not to start."""
    store = HistoryStore(SqliteDatabase(path), CHAIN_ID)
    overwrite(path, 3)
    history = StoredHistory(store, MainChainIds(traces))
    assert history.stored_num == 0
    for trace in traces:
        history.apply_block(trace)
    history.write_all(BLOCKS)
    assert history.stored_num == BLOCKS
    history.close()


def test_a_write_is_all_or_nothing(filled: HistoryPlace, traces: list[HistoryTrace]) -> None:
    """T-S2: one row that cannot be added takes the whole write back."""
    store = HistoryStore(filled.open(), CHAIN_ID)
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
    filled: HistoryPlace, traces: list[HistoryTrace]
) -> None:
    """A read that began before a commit goes on with what was there."""
    store = HistoryStore(filled.open(), CHAIN_ID)
    history = StoredHistory(store, MainChainIds(traces))
    history.apply_block(make_trace(Random(5), BLOCKS + 1))
    with store.view() as view:
        history.write(history.writable(BLOCKS + 1))
        assert view.head_num == BLOCKS
        assert view.block(BLOCKS + 1) is None
    with store.view() as view:
        assert view.block(BLOCKS + 1) is not None
    store.close()


def test_a_file_of_the_old_layout_is_begun_anew(tmp_path: Path) -> None:
    """T-S5: what version 2 wrote is recognised, and made again from the blocks."""
    path = tmp_path / "history.sqlite"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE header (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE block (num BIGINT PRIMARY KEY, id BLOB NOT NULL, time BIGINT NOT NULL,"
        " operations BIGINT NOT NULL, fills BIGINT NOT NULL, feeds BIGINT NOT NULL,"
        " margin_calls BIGINT NOT NULL, asset_events BIGINT NOT NULL) WITHOUT ROWID;"
        "INSERT INTO block VALUES (1, x'00', 5, 0, 0, 0, 0, 0);"
        "PRAGMA user_version = 2"
    )
    database.execute("INSERT INTO header VALUES ('chain_id', ?)", (bytes(CHAIN_ID),))
    database.commit()
    database.close()
    store = HistoryStore(SqliteDatabase(path), CHAIN_ID)
    assert store.head() is None
    assert isinstance(store.begun_anew, WrongFormat)
    assert "replay --history" in str(store.begun_anew)
    store.close()


# A history that nodes share.


def test_a_shared_history_of_another_chain_is_refused_and_kept(shared: PostgresPlace) -> None:
    """T-S5: not even a wish to make it anew may take it from the others."""
    for anew in (False, True):
        with pytest.raises(WrongChain, match="another chain"):
            HistoryStore(shared.open(), OTHER_CHAIN, anew=anew)
    assert shared.execute("SELECT count(*) FROM block") == [(BLOCKS,)]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("UPDATE header SET value = '99' WHERE name = 'format'", WrongFormat),
        ("DELETE FROM block WHERE num = 7", StoreDamaged),
        ("DROP TABLE header", StoreDamaged),
    ],
)
def test_a_shared_history_that_is_not_whole_is_refused_until_it_is_made_anew(
    shared: PostgresPlace, damage: str, error: type[StorageError]
) -> None:
    """T-S3, T-S5: a node does not decide alone that the others' history goes."""
    shared.execute(damage)
    with pytest.raises(error):
        HistoryStore(shared.open(), CHAIN_ID)
    store = HistoryStore(shared.open(), CHAIN_ID, anew=True)
    assert store.head() is None
    store.close()


def test_a_shared_history_of_other_blocks_is_refused(
    shared: PostgresPlace, traces: list[HistoryTrace]
) -> None:
    """R9.2: one of two nodes that call different blocks irreversible is wrong."""
    traces[-1] = make_trace(Random(9), BLOCKS, fork=1)
    with pytest.raises(WrongChain, match="another block"):
        StoredHistory(HistoryStore(shared.open(), CHAIN_ID), MainChainIds(traces))
    assert shared.execute("SELECT count(*) FROM block") == [(BLOCKS,)]


class SharedPair:
    """Two nodes that follow one chain and share a history; each is at a block of its own."""

    def __init__(self, place: HistoryPlace, traces: list[HistoryTrace]) -> None:
        self.traces = traces
        self.nodes = [
            StoredHistory(HistoryStore(place.open(), CHAIN_ID), MainChainIds([])) for _ in range(2)
        ]
        self.heads = [0, 0]

    def follow(self, node: int, head: int) -> None:
        for trace in self.traces[self.heads[node] : head]:
            self.nodes[node].apply_block(trace)
        self.heads[node] = head

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def twin_at(traces: list[HistoryTrace], head: int) -> MemoryHistory:
    twin = MemoryHistory()
    for trace in traces[:head]:
        twin.apply_block(trace)
    return twin


def same(history: HistoryReader, twin: HistoryReader) -> None:
    """Whether two histories answer alike, whatever is asked."""
    for seed in range(2):
        compare(history, twin, Random(seed))


def test_two_nodes_share_a_history(postgres: PostgresServer) -> None:
    """R9.2: whoever is first writes a block; no row is doubled, whoever is ahead; each answers as
    a history of its own would."""
    random = Random(11)
    traces = [make_trace(random, num) for num in range(1, 31)]
    place = PostgresPlace(postgres.create_database())
    pair = SharedPair(place, traces)
    for step in range(1, 4):
        ahead, behind = step % 2, 1 - step % 2
        pair.follow(ahead, 10 * step)
        pair.follow(behind, 10 * step - 4)
        pair.nodes[ahead].write_all(10 * step - 6)
        same(pair.nodes[ahead], twin_at(traces, 10 * step))
        same(pair.nodes[behind], twin_at(traces, 10 * step - 4))
        pair.nodes[behind].write_all(10 * step - 8)
        assert pair.nodes[behind].stored_num == 10 * step - 8
        same(pair.nodes[behind], twin_at(traces, 10 * step - 4))
    nums = place.execute("SELECT num FROM block ORDER BY num")
    assert nums == [(num,) for num in range(1, 25)]
    operations = sum(len(trace.operations) for trace in traces[:24])
    assert place.execute("SELECT max(operations), max(num) FROM block") == [(operations, 24)]
    runs = sum(-(-len(trace.operations) // OPERATIONS_A_RUN) for trace in traces[:24])
    assert place.execute("SELECT count(*) FROM operation") == [(runs,)]
    pair.close()


def test_a_node_that_begins_behind_a_shared_history_answers_from_it(
    shared: PostgresPlace, traces: list[HistoryTrace]
) -> None:
    """It takes in nothing that is there, and nothing is taken back; then it goes on with ids."""
    history = StoredHistory(HistoryStore(shared.open(), CHAIN_ID), MainChainIds([]))
    assert history.stored_num == BLOCKS
    for trace in traces[:5]:
        history.apply_block(trace)
    history.revert_block(5)
    same(history, twin_at(traces, BLOCKS))
    for trace in traces[4:]:
        history.apply_block(trace)
    traces.append(make_trace(Random(9), BLOCKS + 1))
    history.apply_block(traces[-1])
    same(history, twin_at(traces, BLOCKS + 1))
    history.close()


def test_nodes_that_write_at_once_do_not_disturb_each_other(postgres: PostgresServer) -> None:
    """Both have the same blocks to write; one waits for the other and finds them there."""
    random = Random(12)
    traces = [make_trace(random, num) for num in range(1, 101)]
    place = PostgresPlace(postgres.create_database())
    pair = SharedPair(place, traces)
    for head in range(10, 101, 10):
        for node in (0, 1):
            pair.follow(node, head)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda node, num=head: node.write_all(num), pair.nodes))
    same(pair.nodes[0], twin_at(traces, 100))
    same(pair.nodes[1], twin_at(traces, 100))
    assert place.execute("SELECT count(*) FROM block") == [(100,)]
    pair.close()


def test_blocks_that_contradict_a_shared_history_are_not_written(
    shared: PostgresPlace, traces: list[HistoryTrace]
) -> None:
    """R9.2: a node with another block of a number than what is there refuses to go on writing."""
    empty = MainChainIds([])
    history = StoredHistory(HistoryStore(shared.open(), CHAIN_ID), empty)
    other = [make_trace(Random(num), BLOCKS + num) for num in (1, 2)]
    for trace in other:
        history.apply_block(trace)
    second = StoredHistory(HistoryStore(shared.open(), CHAIN_ID), empty)
    second.apply_block(make_trace(Random(77), BLOCKS + 1, fork=1))
    second.write_all(BLOCKS + 1)
    with pytest.raises(WrongChain, match="another block"):
        history.write(history.writable(BLOCKS + 2))
    history.close()
    second.close()


# A server that fails.


def test_a_server_that_is_not_there_is_told(shared: PostgresPlace) -> None:
    """Exit code 69; and the message has no password."""
    parts = shared.url.replace("pegboard@", "pegboard:secret@").rpartition(":")
    with pytest.raises(HistoryUnavailable) as refused:
        HistoryStore(PostgresDatabase(f"{parts[0]}:1/none"), CHAIN_ID)
    assert refused.value.exit_code == 69
    assert "secret" not in str(refused.value)


def test_a_server_that_goes_and_returns(traces: list[HistoryTrace]) -> None:
    """Reads and writes are refused meanwhile, what was not written waits, and nothing is lost."""
    try:
        server = PostgresServer()
    except NoServer as error:
        pytest.skip(f"PostgreSQL is not tested: {error}")
    now = [0.0]
    try:
        database = PostgresDatabase(server.create_database(), lambda: now[0])
        history = StoredHistory(HistoryStore(database, CHAIN_ID), MainChainIds([]))
        for trace in traces[:10]:
            history.apply_block(trace)
        history.write_all(8)
        server.stop()
        for trace in traces[10:]:
            history.apply_block(trace)
        with pytest.raises(HistoryUnavailable):
            history.write_all(BLOCKS)
        with pytest.raises(HistoryUnavailable):
            history.operations_in(1)
        assert (history.stored_num, len(history.recent.blocks)) == (8, BLOCKS - 8)
        twin = twin_at(traces, BLOCKS)
        for account in ACCOUNTS:
            assert history.newest_entry(account) == twin.newest_entry(account)
            assert history.operation_count(account) == twin.operation_count(account)
        server.start()
        with pytest.raises(HistoryUnavailable, match="just now"):
            history.operations_in(1)
        now[0] += PAUSE_S
        same(history, twin_at(traces, BLOCKS))
        history.write_all(BLOCKS)
        same(history, twin_at(traces, BLOCKS))
        history.close()
    finally:
        server.remove()


def test_a_server_that_hangs_does_not_hold_a_read_up(
    postgres: PostgresServer, shared: PostgresPlace, traces: list[HistoryTrace]
) -> None:
    """The main thread reads: it gives up, and does not even try again for a while."""
    history = StoredHistory(HistoryStore(shared.open(), CHAIN_ID), MainChainIds(traces))
    assert history.operations_in(BLOCKS) is not None
    assert postgres.freeze(frozen=True) == 2
    try:
        with pytest.raises(HistoryUnavailable, match="cannot be used"):
            history.operations_in(BLOCKS)
        with pytest.raises(HistoryUnavailable, match="just now"):
            history.operations_in(BLOCKS)
    finally:
        postgres.freeze(frozen=False)
    history.close()


def test_a_missing_driver_is_told_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who names a server needs psycopg; exit code 78."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "node.history.database.postgres")
    with pytest.raises(DriverMissing, match="pip install 'psycopg") as refused:
        open_database("postgresql://localhost/none", tmp_path / "history.sqlite")
    assert refused.value.exit_code == 78
    open_database("", tmp_path / "history.sqlite").close()


@pytest.mark.parametrize(("first", "keys"), [(1, ["5", "6"]), (6, ["6"]), (7, [])])
def test_what_accounts_store_is_found_again(
    tmp_path: Path, traces: list[HistoryTrace], first: int, keys: list[str]
) -> None:
    """Y3.1: from the first block that the settings name, whether it was taken in or read anew."""
    for num in (5, 6):
        packed = b"\0\0\1c\1\1" + str(num).encode() + b"\0"
        op = Custom(AssetAmount(1, CORE_ASSET), ACCOUNTS[0], (), 0, packed)
        traces[num - 1].operations.append(AppliedOperation(op, 0, 0, 0, is_virtual=False))
    place, chain = SqlitePlace(tmp_path / "history.sqlite"), MainChainIds(traces)
    for trace_again in (traces, []):
        store = HistoryStore(place.open(), CHAIN_ID)
        history = StoredHistory(store, chain, custom_operations_start_block=first)
        for trace in trace_again:
            history.apply_block(trace)
        history.write_all(len(traces))
        assert history.storage is not None
        found = history.storage.items(None, None, None, start=0, limit=9)
        assert [item.key for item in found] == keys
        history.close()
