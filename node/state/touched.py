"""Which objects changed since somebody last looked, so that nobody walks a table to find out.

It follows the undo log, so blocks that are taken back count as changes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from node.state.undo import Record, UndoLog


class Touched:
    """Numbers of the objects of some tables that were touched since they were last taken.

    More may be named: an object whose change was taken back, or one that was taken already while
    a session was open.
    """

    def __init__(self, log: UndoLog, tables: Iterable[object]) -> None:
        self._log = log
        self._instances: dict[object, set[int]] = {table: set() for table in tables}
        self._seen = dict.fromkeys(self._instances, 0)
        """Records of the open session that are taken already."""
        log.listeners.append(self)

    def records_closed(self, records: Sequence[Record], blocks: int) -> None:
        """See `RecordListener`."""
        for record in records:
            found = self._instances.get(record[1])
            if found is not None:
                found.add(record[2].id)
        self._seen = dict.fromkeys(self._instances, 0)

    def note(self, table: object, instances: Iterable[int]) -> None:
        """Name objects that were changed behind the undo log's back."""
        self._instances[table].update(instances)

    def take(self, table: object) -> list[int]:
        """The numbers of a table's touched objects, ascending; those since are named next."""
        assert self._log.depth <= 1, "what an inner session takes back would be missed"
        found, records = self._instances[table], self._log.records
        fresh = islice(records, self._seen[table], None)
        found.update(record[2].id for record in fresh if record[1] is table)
        self._instances[table], self._seen[table] = set(), len(records)
        return sorted(found)
