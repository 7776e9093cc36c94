"""What of the pool a block takes over, what stays on top of it, and what has to be applied anew.

Most blocks are made of what waits here too, in this very order: then all is done but the boundary
(R9.4). What a block passes over may stay where nothing of the block depends on it, and it on
nothing that comes later in the block (R9.2). From the first transaction on of which neither is
known, all is taken back, and applied again on top of the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from node.chain.pending import AppliedTransaction, PendingPool
from node.chain.pending_footprint import Footprint, is_balance_looked_at, may_stay
from node.state.database import State
from node.state.objects.base import StateObject
from node.state.undo import EDIT, Record
from protocol.block import BlockEnvelope, OperationResults
from protocol.transaction import TransactionEnvelope

Stays = Callable[[AppliedTransaction], bool]


class Split:
    """A pool before a block comes, up to a place of the undo log."""

    __slots__ = ("_noted", "_noted_to", "end", "footprint", "kept", "ready", "ready_spans")

    def __init__(self) -> None:
        self.ready: list[AppliedTransaction] = []
        """The first transactions of the block."""
        self.ready_spans: list[range] = []
        """Where the records of these stand: between those of what is kept."""
        self.kept: list[AppliedTransaction] = []
        """What stays on top of it."""
        self.end = 0
        """Where the records of both end, and those of what has to be applied anew begin."""
        self.footprint = Footprint()
        """Of what is kept, as far as it was noted."""
        self._noted = self._noted_to = 0

    def keep(self, entry: AppliedTransaction) -> None:
        """Have the next one stay."""
        self.kept.append(entry)
        self.end += entry.steps

    def take(self, entry: AppliedTransaction) -> None:
        """Have the next one belong to the block."""
        start, self.end = self.end, self.end + entry.steps
        if self.ready_spans and self.ready_spans[-1].stop == start:
            start = self.ready_spans.pop().start
        self.ready_spans.append(range(start, self.end))
        self.ready.append(entry)

    def kept_spans(self, start: int = 0) -> Iterator[range]:
        """Where the records of what is kept stand, from a place on."""
        for span in (*self.ready_spans, range(self.end, self.end)):
            if span.start > start:
                yield range(start, span.start)
            start = max(start, span.stop)

    def note_kept(self, records: Sequence[Record]) -> Footprint:
        """The footprint of all that is kept so far; `records` are those of the undo log."""
        if self._noted < len(self.kept):
            for span in self.kept_spans(self._noted_to):
                self.footprint.add((), records[span.start : span.stop])
            self.footprint.add(self.kept[self._noted :], ())
            self._noted, self._noted_to = len(self.kept), self.end
        return self.footprint

    def edited_since(self, records: Sequence[Record]) -> list[Record] | None:
        """The first edit by what is kept of each object that the block's transactions touched.

        None if what is kept has done more to one of them.
        """
        shared: set[StateObject] = set()
        for span in self.ready_spans:
            items = (item for _, _, item, _ in records[span.start : span.stop])
            shared.update(item for item in items if item in self.footprint.touched)
        edits: dict[StateObject, Record] = {}
        for span in self.kept_spans() if shared else ():
            for record in records[span.start : span.stop]:
                if record[2] in shared:
                    if record[0] != EDIT:
                        return None
                    edits.setdefault(record[2], record)
        return list(edits.values())


class Splitter:
    """Finds how a pool may be split before a block, beginning with what spares most."""

    __slots__ = ("_block", "_may_all_stay", "_places", "_pool", "_state")

    def __init__(
        self, state: State, pool: PendingPool, block: BlockEnvelope, may_all_stay: bool
    ) -> None:
        """`may_all_stay` is what `Footprint.may_stay` answers of the whole pool."""
        self._state, self._pool, self._block = state, pool, block
        self._may_all_stay = may_all_stay
        self._places = {
            envelope.id: place for place, (envelope, _) in enumerate(block.transactions)
        }

    def splits(self) -> Iterator[Split]:
        """Each after the one before has come to nothing: then the undo log ends at its `end`."""
        if not is_balance_looked_at(self._state, self._block):
            for may_stay in (self._may_stay, self._may_stay_without_book):
                split = self._walk(may_stay)
                if split.kept and self._may_keep(split):
                    yield split
                if not split.footprint.has_read(self._state.limit_orders):
                    break
        split = self._walk(lambda _: False)
        if split.ready:
            yield split

    def _walk(self, may_stay: Stays) -> Split:
        """Take what the block has next, keep what may stay, until something does neither."""
        split = Split()
        for entry in self._pool:
            place = self._places.get(entry.envelope.id)
            if place is None and may_stay(entry):
                split.keep(entry)
            elif place == len(split.ready) and self._may_take(split, entry, place):
                split.take(entry)
            else:
                break
        return split

    def _may_take(self, split: Split, entry: AppliedTransaction, place: int) -> bool:
        """Whether this is the block's transaction, with its results, and depends on none kept."""
        if entry.has_guessed_time or not _is_same(entry, *self._block.transactions[place]):
            return False
        records = self._state.log.records
        return not split.kept or split.note_kept(records).may_change_places(
            entry, records[split.end : split.end + entry.steps]
        )

    def _may_stay(self, entry: AppliedTransaction) -> bool:
        return self._may_all_stay or may_stay(entry, self._block)

    def _may_stay_without_book(self, entry: AppliedTransaction) -> bool:
        reads = entry.reads
        return reads is not None and self._state.limit_orders not in reads and self._may_stay(entry)

    def _may_keep(self, split: Split) -> bool:
        """Whether the rest of the block may be tried on top of what is kept."""
        footprint = split.note_kept(self._state.log.records)
        return not footprint.meets(self._state, self._block, len(split.ready))


def _is_same(
    entry: AppliedTransaction, envelope: TransactionEnvelope, stated: OperationResults
) -> bool:
    is_same = entry.envelope is envelope or entry.envelope.packed() == envelope.packed()
    return is_same and entry.results == stated
