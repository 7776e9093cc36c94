"""The state as one block left it, read piece by piece while the chain moves on.

A cut copies nothing when it is made. It listens to the undo log, which knows the old fields of
every object that is touched: those that a cut has not read yet it keeps until they are read.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar, cast

from node.state.database import TABLE_PARTS, State, table_head
from node.state.errors import CutReverted
from node.state.objects.base import StateObject
from node.state.table import Table
from node.state.undo import CREATE, EDIT, REKEY, Record, Values
from protocol.binary import pack
from protocol.msgpack_form import array_header, pack_items, to_plain
from protocol.schema import Digest

AnyTable = Table[int, StateObject]
I = TypeVar("I", bound=int)  # noqa: E741
T = TypeVar("T", bound=StateObject)
RUN = 1_000


class StateCut:
    """All objects as the last finished block left them, without what open sessions have done.

    It holds as long as that block is not reverted. Call `close` when it is of no use any more.
    """

    def __init__(self, state: State) -> None:
        self.tables = state.kept_tables()
        self._log = state.log
        self._blocks_above = 0
        self._noted = 0
        """Records of the open sessions that were looked at."""
        self._ends: dict[object, int] = {table: table.next_id for table in self.tables}
        """What `next_id` was."""
        self._old: dict[object, dict[int, Values]] = {table: {} for table in self.tables}
        """Fields of the objects that were touched since."""
        assert self._log.depth <= 1, "a cut is made between transactions"
        for kind, table, item, _ in reversed(self._log.records):
            if kind == CREATE:
                self._ends[table] = item.id
        self._log.listeners.append(self)

    @property
    def is_reverted(self) -> bool:
        """Whether its block was taken back."""
        return self._blocks_above < 0

    def check(self) -> None:
        """Raise `CutReverted` if its block was taken back."""
        if self.is_reverted:
            raise CutReverted("the block of this state was taken back")

    def close(self) -> None:
        """Stop to follow the state; calling it twice does no harm."""
        if self in self._log.listeners:
            self._log.listeners.remove(self)

    def records_closed(self, records: Sequence[Record], blocks: int) -> None:
        """See `RecordListener`."""
        self._blocks_above += blocks
        if self.is_reverted:
            self.close()
        else:
            self._note(records)
            self._noted = 0

    def dump_slices(self, size: int) -> Iterator[bytes]:
        """What `pack_document` makes of `State.dump`, in parts of at most `size` objects.

        The parts may be asked for at any time while no session is open but the outermost. Raises
        `CutReverted`.
        """
        parts, room = [array_header(len(self.tables))], size
        for table in self.tables:
            instances = self._instances(table)
            plain = (table.space, table.type, self._ends[table])
            parts += array_header(TABLE_PARTS), pack_items(plain), array_header(len(instances))
            for items in self._runs(table, instances, room, size):
                parts.append(pack_items(map(to_plain, items)))
                room -= len(items)
                if not room:
                    yield b"".join(parts)
                    parts, room = [], size
        yield b"".join(parts)

    def objects(self, table: Table[I, T]) -> Iterator[T]:
        """The objects of a table in ascending order, as they were; raises `CutReverted`.

        Until all are read no transaction may be applied.
        """
        same = cast(AnyTable, table)
        for items in self._runs(same, self._instances(same), RUN, RUN):
            yield from cast(list[T], items)

    def hash_slices(self, size: int) -> Generator[None, None, Digest]:
        """`State.state_hash`, at most `size` objects a step; raises `CutReverted`."""
        digest, room = hashlib.sha256(), size
        for table in sorted(self.tables, key=lambda table: (table.space, table.type)):
            instances = self._instances(table)
            digest.update(table_head(table, self._ends[table], len(instances)))
            for items in self._runs(table, instances, room, size):
                digest.update(b"".join(map(pack, items)))
                room -= len(items)
                if not room:
                    yield
                    room = size
        return Digest(digest.digest())

    def _runs(
        self, table: AnyTable, instances: Sequence[int], first: int, size: int
    ) -> Iterator[list[StateObject]]:
        """The objects of a table: the first run of them at most `first` long, others `size`."""
        old, rows = self._old[table], table.rows
        start, end = 0, first
        while start < len(instances):
            self._catch_up()
            yield [
                table.detached(old[instance]) if instance in old else rows[instance]
                for instance in instances[start:end]
            ]
            start, end = end, end + size

    def _instances(self, table: AnyTable) -> list[int]:
        """The numbers of a table's objects, ascending."""
        self._catch_up()
        rows = table.rows
        found = sorted(rows)
        del found[bisect_left(found, self._ends[table]) :]
        removed = [instance for instance in self._old[table] if instance not in rows]
        return sorted([*found, *removed]) if removed else found

    def _catch_up(self) -> None:
        """Note what the open session has done since the last look."""
        self.check()
        assert self._log.depth <= 1, "a cut is read between transactions"
        records = self._log.records
        self._note(records[self._noted :])
        self._noted = len(records)

    def _note(self, records: Sequence[Record]) -> None:
        """Keep the fields of what is touched for the first time since the cut."""
        for kind, table, item, values in records:
            if kind in (CREATE, REKEY):
                continue
            old, instance = self._old[table], item.id
            if instance not in old and instance < self._ends[table]:
                old[instance] = values if kind == EDIT else table.current_values(item)
