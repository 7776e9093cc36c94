"""Answers that follow from the state alone, kept as JSON text until the state moves.

Between two transactions many clients ask for the same: the head of the chain, an asset, a book.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from node.api.json_text import written
from node.state.database import State
from node.state.undo import UndoLog
from protocol.json_form import JsonValue

KEPT_BYTES_MAX = 16 << 20
"""Of text; what is asked for beyond it is worked out each time."""
ENTRY_BYTES = 200
"""What an entry takes beside its text."""


class KeptAnswers:
    """One state's answers; every change of the state forgets them all."""

    def __init__(self, limit: int = KEPT_BYTES_MAX) -> None:
        self.limit = limit
        self.size = 0
        self._answers: dict[Hashable, JsonValue] = {}
        self._log: UndoLog | None = None
        self._serial = 0

    def find(self, state: State, key: Hashable, work: Callable[[], JsonValue]) -> JsonValue:
        """The answer of a key, which `work` gives when it is not known; only to be written out."""
        log = state.log
        if log.serial != self._serial or log is not self._log:
            self.clear()
            self._log, self._serial = log, log.serial
        found = self._answers.get(key)
        if found is None:
            text = msgspec.json.encode(work())
            found = written(text)
            size = len(text) + ENTRY_BYTES
            if self.size + size <= self.limit:
                self._answers[key] = found
                self.size += size
        return found

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()
        self.size = 0
