"""Room for the texts of all connections together: who asks for much leaves some for others."""

from __future__ import annotations

from node.api.errors import NotPossible

ANSWERS_BYTES_MAX = 64 << 20
"""Of all answers and notices that are being built, wait, or are sent, beside what each connection
has for itself."""
OWN_BYTES = 64 << 10
"""Each connection's texts may always have so much."""


class AnswerRoom:
    """The bytes that all connections share."""

    def __init__(self, limit: int = ANSWERS_BYTES_MAX) -> None:
        self.limit = limit
        self.taken = 0


class AnswerShare:
    """What the texts of one connection take of it."""

    def __init__(self, room: AnswerRoom) -> None:
        self.room = room
        self.size = 0
        """Bytes of all its texts that are not sent yet."""

    def has_room(self, size: int) -> bool:
        """Whether at least as much is left for others when this share has taken so much more."""
        taken = _beyond_own(self.size + size)
        more = taken - _beyond_own(self.size)
        return not more or taken <= self.room.limit - self.room.taken - more

    def grow(self, size: int) -> None:
        """Take room; `NotPossible` unless at least as much is left for others afterwards (T-A2)."""
        if not self.has_room(size):
            raise self.no_room()
        self._become(self.size + size)

    def no_room(self) -> NotPossible:
        """The refusal of a text for which there is no room."""
        return NotPossible(
            "long answers of many clients are on their way: ask for less, or later",
            rule="T-A2",
            value=self.room.taken,
            limit=self.room.limit,
        )

    def add(self, size: int) -> None:
        """Take room for what is short and cannot be refused, as refusals cannot."""
        self._become(self.size + size)

    def shrink(self, size: int) -> None:
        """Give room back."""
        self._become(max(0, self.size - size))

    def _become(self, size: int) -> None:
        self.room.taken += _beyond_own(size) - _beyond_own(self.size)
        self.size = size


def _beyond_own(size: int) -> int:
    return max(0, size - OWN_BYTES)
