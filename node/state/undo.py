"""The undo log: what was created, edited and removed, in order, to be taken back (R9.1, T-E2).

One flat list of records serves all nested sessions: a session is a position in the list. Undoing
walks back to the position, merging forgets the position, finishing a block cuts its records off as
a `Revision`, which can be reverted later to pop the block. An object is saved once a session, when
it is first edited; its `stamp` tells that it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, Literal, NamedTuple, Protocol, assert_never

from node.state.objects.base import StateObject
from protocol.ids import ObjectId
from protocol.widths import WidthCheck

Values = tuple[object, ...]
"""The declared fields of an object, in order."""


class UndoableTable(Protocol):
    """What the undo log, and who reads its records, needs from a table."""

    check_width: WidthCheck

    def id_of(self, item: StateObject) -> ObjectId: ...

    def current_values(self, item: StateObject) -> Values: ...

    def undo_create(self, item: StateObject) -> None: ...

    def undo_edit(self, item: StateObject, values: Values) -> None: ...

    def undo_rekey(self, item: StateObject, values: Values) -> None: ...

    def undo_remove(self, item: StateObject) -> None: ...


CREATE: Final = 0
EDIT: Final = 1
REMOVE: Final = 2
REKEY: Final = 3

Kind = Literal[0, 1, 2, 3]
Record = tuple[Kind, UndoableTable, StateObject, Values]
"""One step: its kind, and for an edit the fields as they were when the session began.

`REKEY` moves an object within indexes; it always comes after an edit, or the creation, of it.
"""


kind_of: Callable[[Record], Kind] = itemgetter(0)
table_of: Callable[[Record], UndoableTable] = itemgetter(1)
item_of: Callable[[Record], StateObject] = itemgetter(2)
"""Parts of a record, for what goes over many."""


class Change(NamedTuple):
    """What a finished block did to one object."""

    kind: Kind
    """`CREATE`, `EDIT` or `REMOVE`."""
    table: UndoableTable
    item: StateObject
    old_values: Values
    """The fields before the block; empty for a created object."""


class Revision:
    """The records of one finished block, oldest first."""

    __slots__ = ("_net_records", "records")

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self._net_records: Collection[Record] | None = None

    def changes(self) -> Iterator[Change]:
        """Each object that differs from before the block, in the order of first touch."""
        return map(Change._make, self.net_records())

    def net_records(self) -> Collection[Record]:
        """The same as bare records; found once, before the next block moves on."""
        if self._net_records is None:
            records = self.records
            first: dict[StateObject, Record] = {}
            for _ in map(first.setdefault, map(item_of, records), records):
                pass
            if REMOVE in map(kind_of, records):
                removed = {record[2] for record in records if record[0] == REMOVE}
                self._net_records = list(_with_removals(first, removed))
            else:
                self._net_records = first.values()
        return self._net_records


class Draft(NamedTuple):
    """A session that can be finished: its changes, and what stays of the session around it."""

    revision: Revision
    own: list[Record]
    """Its own records."""
    left: list[Record] | None = None
    """None for all of it."""


def _saved_once(*parts: Sequence[Record]) -> list[Record]:
    """The records of sessions that become one, in which an object is saved only at first."""
    records: list[Record] = []
    seen: set[StateObject] = set()
    for part in parts:
        for record in part:
            if record[0] != EDIT or record[2] not in seen:
                records.append(record)
                seen.add(record[2])
    return records


def _with_removals(
    first: Mapping[StateObject, Record], removed: Container[StateObject]
) -> Iterator[Record]:
    """First records by their object, with what a removed object was before."""
    for item, record in first.items():
        if item not in removed:
            yield record
            continue
        kind, table, _, values = record
        if kind != CREATE:
            old = values if kind == EDIT else table.current_values(item)
            yield REMOVE, table, item, old


class RecordListener(Protocol):
    """Told of all that happens to the state, a whole outermost session at a time.

    What the open sessions have done so far it finds in `UndoLog.records`.
    """

    def records_closed(self, records: Sequence[Record], blocks: int) -> None:
        """A session was finished (`blocks` is 1), undone (0), or later reverted (-1)."""


class UndoLog:
    """The open sessions of one state."""

    __slots__ = ("listeners", "marks", "records", "serial")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.marks: list[int] = []
        self.serial = 0
        self.listeners: list[RecordListener] = []

    @property
    def depth(self) -> int:
        """Number of open sessions."""
        return len(self.marks)

    def save_again(self) -> None:
        """Have every object that is edited from now on saved anew, also by an open session."""
        self.serial += 1

    def first_created(self, table: object) -> StateObject | None:
        """The first object that the open sessions created in a table."""
        return next(
            (item for kind, of, item, _ in self.records if kind == CREATE and of is table), None
        )

    def begin(self) -> None:
        """Open a session inside the current one."""
        self.marks.append(len(self.records))
        self.serial += 1

    def merge(self) -> None:
        """Close the innermost session and leave its changes to the one around it."""
        assert len(self.marks) > 1, "the outermost session is finished or undone"
        self.marks.pop()
        self.serial += 1

    def undo(self) -> None:
        """Close the innermost session and take its changes back."""
        mark = self.marks.pop()
        records = self.records[mark:]
        del self.records[mark:]
        if not self.marks:
            self._tell(records, 0)
        self._walk_back(records)

    def take_back(self, start: int) -> None:
        """Take back what the innermost session has done since there were `start` records."""
        assert start >= self.marks[-1], "not below the session"
        records = self.records[start:]
        del self.records[start:]
        self._walk_back(records)

    def draft(self, earlier: Sequence[range] = ()) -> Draft:
        """What `finish` would keep of the innermost session, to be looked at before.

        Of the session around it, the records in the places `earlier` become the first ones.
        """
        assert len(self.marks) in (1, 2), self.marks
        records, mark = self.records, self.marks[-1]
        own = records[mark:]
        if not earlier:
            return Draft(Revision(own), own)
        taken: list[Record] = []
        left: list[Record] = []
        end = 0
        for span in earlier:
            left += records[end : span.start]
            taken += records[span.start : span.stop]
            end = span.stop
        left += records[end:mark]
        return Draft(Revision(_saved_once(taken, own)), own, left)

    def finish(self, draft: Draft | None = None) -> Revision:
        """Close the innermost session and keep its changes; its records can be reverted later.

        If it was inside another one, that goes on, as if it had begun after these changes: they
        must not touch the same objects, but for what the draft takes over from there.
        """
        revision, _, left = self.draft() if draft is None else draft
        mark = self.marks.pop()
        self.serial += 1
        if left is None:
            del self.records[mark:]
        else:
            self.records = left
        self._tell(revision.records, 1)
        return revision

    def revert(self, revision: Revision) -> None:
        """Take back the newest finished revision; a session that was open then may still be."""
        assert len(self.marks) <= 1, "a revision is reverted below the sessions of transactions"
        self._tell(revision.records, -1)
        self._walk_back(revision.records)

    def _tell(self, records: Sequence[Record], blocks: int) -> None:
        for listener in self.listeners:
            listener.records_closed(records, blocks)

    def _walk_back(self, records: list[Record]) -> None:
        for kind, table, item, values in reversed(records):
            if kind == EDIT:
                table.undo_edit(item, values)
            elif kind == CREATE:
                table.undo_create(item)
            elif kind == REKEY:
                table.undo_rekey(item, values)
            elif kind == REMOVE:
                table.undo_remove(item)
            else:
                assert_never(kind)
        self.serial += 1
