"""The tables of a history: of irreversible blocks only, added whole, one after the other.

Rows are only ever added, so that a history is right after kill -9 and no fork switch concerns it.
All of it can be derived from the blocks again: a file that is damaged, or of another format or
chain, is put away and begun anew. A history that nodes share is not, unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from node.history.block import BlockHistory
from node.history.database.account_rows import add_account_runs
from node.history.database.cut import cut_history
from node.history.database.session import Database, Session, schema_statements
from node.history.database.view import HistoryView
from node.history.figures import bucket_keys, fill_entry, join_minutes, minutes_of
from node.history.records import (
    ACCOUNT_TOTALS,
    BLOCKS,
    BUCKETS,
    EVENT_KINDS,
    FILLS,
    KINDS,
    MARKETS,
    OPERATIONS,
    POOL_OPERATIONS,
    AccountTotal,
    BlockRecord,
    Market,
    MarketTotal,
)
from node.history.runs import account_runs, operation_runs, totals_of
from node.storage.errors import StorageError, StoreDamaged, WrongChain, WrongFormat
from protocol.ids import AccountId
from protocol.schema import Digest

FORMAT_VERSION = 9


class HistoryStore:
    """The history of a chain in a database. One thread writes, one reads."""

    def __init__(self, database: Database, chain_id: Digest, *, anew: bool = False) -> None:
        """Open the history of a chain, or begin an empty one, or begin it `anew`.

        Raises `DiskError`, `HistoryUnavailable`; and for a shared one `WrongChain`, `WrongFormat`
        or `StoreDamaged`.
        """
        self.database = database
        self._chain_id = chain_id
        self.begun_anew: StorageError | None = None
        """Why there was nothing to go on with, if that is so."""
        try:
            database.connect()
            if anew:
                self._check_chain()
                database.clear()
            self._prepare()
        except (StoreDamaged, WrongChain, WrongFormat) as error:
            if database.is_shared:
                database.close()
                raise
            self._begin_anew(error)
        except StorageError:
            database.close()
            raise

    @property
    def is_shared(self) -> bool:
        """Whether other nodes may write here too."""
        return self.database.is_shared

    def head(self) -> BlockRecord | None:
        """The newest block that is here."""
        with self.view() as view:
            return view.head

    @contextmanager
    def view(self) -> Iterator[HistoryView]:
        """The history up to one block, for reads of one thread; `StorageError`."""
        with self.database.reading() as session:
            yield HistoryView(session)

    def write(
        self, blocks: Sequence[BlockHistory], markets: dict[Market, int]
    ) -> dict[AccountId, AccountTotal]:
        """Add blocks that follow each other, in one transaction; those that are here are passed.

        `markets` are the numbers of those that trade. Gives what there is then of each account
        that is concerned. Raises `StorageError`; `WrongChain` if the blocks that are here are
        others, `StoreDamaged` if some are missing.
        """
        with self.database.writing() as session:
            view = HistoryView(session)
            head = view.head
            new = [block for block in blocks if block.num > view.head_num]
            if head is not None and len(new) < len(blocks):
                self._check_same(view, blocks[: len(blocks) - len(new)])
            if new and head is not None and new[0].num != head.num + 1:
                raise StoreDamaged(
                    f"the history in {self.database.name} lacks blocks: start the node again",
                    value=new[0].num,
                    limit=head.num,
                )
            known = blocks[: len(blocks) - len(new)]
            totals = totals_of(account_runs(known)) if known else {}
            if new:
                totals.update(_write(session, view, new, markets))
        return totals

    def cut(self, num: int) -> None:
        """Take back what came after a block of a history that is not shared; `StorageError`."""
        assert not self.is_shared
        with self.database.writing() as session:
            view = HistoryView(session)
            last = view.block(num)
            if last is not None and num < view.head_num:
                cut_history(session, last)

    def clear(self, reason: StorageError) -> None:
        """Begin a history that is not shared anew: its rows are damaged, or of other blocks."""
        assert not self.is_shared
        self._begin_anew(reason)

    def close(self) -> None:
        """Give up the database; calling it twice does no harm."""
        self.database.close()

    def _begin_anew(self, reason: StorageError) -> None:
        self.begun_anew = reason
        self.database.clear()
        self._prepare()

    def _prepare(self) -> None:
        with self.database.writing() as session:
            if self.database.is_empty(session):
                self._create(session)
                return
            self._check_header(session)
            ((first, last, count),) = session.rows("SELECT min(num), max(num), count(*) FROM block")
        if count and (first, last) != (1, count):
            raise StoreDamaged(
                f"the history in {self.database.name} has lost blocks", value=count, limit=last
            )

    def _create(self, session: Session) -> None:
        text, data = self.database.types["text"], self.database.types["bytes"]
        options = self.database.table_options
        session.rows(
            f"CREATE TABLE header (name {text} PRIMARY KEY, value {data} NOT NULL){options}"
        )
        for kind in KINDS:
            for statement in schema_statements(kind, self.database):
                session.rows(statement)
        for name, value in self._header().items():
            session.rows("INSERT INTO header VALUES (?, ?)", name, value)

    def _header(self) -> dict[str, bytes]:
        return {"chain_id": bytes(self._chain_id), "format": str(FORMAT_VERSION).encode()}

    def _check_header(self, session: Session) -> None:
        rows = session.rows("SELECT name, value FROM header")
        found = {cast(str, name): bytes(cast(bytes, value)) for name, value in rows}
        wanted = self._header()
        if found.get("chain_id") != wanted["chain_id"]:
            raise WrongChain(
                f"the history in {self.database.name} is of another chain",
                value=found.get("chain_id", b"").hex(),
                limit=wanted["chain_id"].hex(),
            )
        if found.get("format") != wanted["format"]:
            raise WrongFormat(
                f"the history in {self.database.name} has another format:"
                " `pegboard replay --history` makes it anew",
                value=found.get("format", b"older").decode(errors="replace"),
                limit=FORMAT_VERSION,
            )

    def _check_chain(self) -> None:
        """Never clear what others share for another chain."""
        if not self.is_shared:
            return
        try:
            with self.database.writing() as session:
                if not self.database.is_empty(session):
                    self._check_header(session)
        except (StoreDamaged, WrongFormat):
            return

    def _check_same(self, view: HistoryView, blocks: Sequence[BlockHistory]) -> None:
        """Whether the newest of blocks that are here already is the same."""
        newest = blocks[-1]
        known = view.block(newest.num)
        if known is None or known.id != newest.id:
            raise WrongChain(
                f"the history in {self.database.name} holds another block than this node",
                value=newest.num,
            )


def _write(
    session: Session, view: HistoryView, blocks: Sequence[BlockHistory], markets: dict[Market, int]
) -> dict[AccountId, AccountTotal]:
    """Add what new blocks add; what there is then of each account that is concerned."""
    busy = [block for block in blocks if block.operations or block.events]
    fills = [fill for block in busy for fill in block.fills]
    minutes = minutes_of(fills)
    before = {key: view.bucket(*key) for key in bucket_keys(minutes)}
    known = {key: bucket for key, bucket in before.items() if bucket is not None}
    session.add(BLOCKS, [BLOCKS.row_of(_block_record(block)) for block in blocks])
    session.add(
        OPERATIONS, [OPERATIONS.row_of(run) for block in busy for run in operation_runs(block)]
    )
    runs = account_runs(busy)
    add_account_runs(session, runs)
    totals = totals_of(runs)
    session.replace(ACCOUNT_TOTALS, [ACCOUNT_TOTALS.row_of(total) for total in totals.values()])
    session.add(FILLS, [FILLS.row_of(fill_entry(fill)) for fill in fills])
    session.add(
        POOL_OPERATIONS,
        [POOL_OPERATIONS.row_of(entry) for block in busy for entry in block.pool_operations],
    )
    for kind in EVENT_KINDS:
        records = [record for block in busy for record in block.records_of(kind)]
        session.add(kind, [kind.row_of(record) for record in records])
    session.replace(BUCKETS, [BUCKETS.row_of(item) for item in join_minutes(known, minutes)])
    counts = {fill.market: fill.sequence + 1 for fill in fills}
    session.replace(
        MARKETS,
        [
            MARKETS.row_of(MarketTotal(market, markets[market], count))
            for market, count in counts.items()
        ],
    )
    return totals


def _block_record(block: BlockHistory) -> BlockRecord:
    operations = block.first_operation + len(block.operations)
    entries = block.first_entry + len(block.entries)
    return BlockRecord(block.num, block.id, block.time, operations, entries, block.next_fill)
