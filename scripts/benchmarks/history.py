"""(h) What keeping the history costs: beside applying blocks, and in records a second."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.history.database.sqlite import SqliteDatabase
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.services.garbage import GarbageSchedule
from protocol.schema import BlockId

from .blocks import ReadBlock
from .measure import cpu_seconds, print_rate, print_ratio, print_time, print_value
from .workload import Recording, record_orders, record_transfers

ACCOUNTS = 2_000
TRANSFERS = 10_000
TRADERS = 500
ORDERS = 4_000
ROUNDS = 5


class NoBlocks:
    """A main chain of which nothing is stored."""

    def id_at(self, num: int) -> BlockId | None:
        """No block at all."""
        return None

    def irreversible_num(self) -> int:
        """No block at all."""
        return 0


def bench_history() -> None:
    """(h): taking blocks in and letting them go on the main thread, against applying them; and all
    that the thread does that writes them."""
    _, matching = record_orders(TRADERS, ORDERS)
    for what, recording in (
        ("transfers", record_transfers(ACCOUNTS, TRANSFERS)),
        ("limit orders that match", matching),
    ):
        _bench(what, recording)


def _bench(what: str, recording: Recording) -> None:
    shares, rates, costs, whole = [], [], [], []
    count = size = 0
    read = recording.reader_with_keys()
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as directory:
            path = Path(directory) / "history.sqlite"
            chain = recording.start()
            store = HistoryStore(SqliteDatabase(path), chain.chain_id)
            history = StoredHistory(store, NoBlocks(), begins_after=chain.head_num)
            apply_s, take_s = _follow(chain, history, recording, read)
            blocks = list(history.recent)
            write_s = cpu_seconds(partial(history.write, blocks))
            take_s += cpu_seconds(partial(history.written, blocks))
            counts = history.recent.counts
            count = len(blocks) + counts.operations + counts.entries + counts.fills
            shares.append(take_s / apply_s)
            whole.append((take_s + write_s) / apply_s)
            costs.append(take_s / len(blocks))
            rates.append(count / write_s)
            history.close()
            size = path.stat().st_size
    print_ratio("h", f"{what}: history / applying, main thread", shares, "target below 0.10")
    print_ratio("h", f"{what}: with the writing thread", whole, "CPU time of both")
    print_time("h", f"{what}: main thread, a block", costs)
    note = f"{count:,} operations, entries, fills in one transaction, CPU time"
    print_rate("h", f"{what}: records written", rates, note)
    print_value("h", f"{what}: on disk", f"{size / count:,.0f} bytes a record")


def _follow(
    chain: Chain, history: StoredHistory, recording: Recording, read: ReadBlock
) -> tuple[float, float]:
    """Apply block after block, keys known, and take each in; CPU time of the one and the other."""
    garbage = GarbageSchedule()
    apply_s = take_s = 0.0
    for data in recording.measured:
        applied: list[AppliedBlock] = []
        apply_s += cpu_seconds(partial(_apply, chain, read, data, applied))
        take_s += cpu_seconds(partial(_take_in, history, applied))
        garbage.collect_if_due()
    return apply_s, take_s


def _apply(chain: Chain, read: ReadBlock, data: bytes, applied: list[AppliedBlock]) -> None:
    applied += chain.push_block(read(data)).applied


def _take_in(history: StoredHistory, applied: list[AppliedBlock]) -> None:
    for block in applied:
        history.apply_block(block)
