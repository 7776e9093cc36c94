"""What waits to be sent on one connection: bounded, so that a slow reader costs only itself."""

from __future__ import annotations

from collections import deque

from node.api.durability import Durability
from node.api.json_text import Text

OUTBOX_BYTES_MAX = 1 << 20
"""A connection that lets more pile up is closed (T-A3)."""


class Outbox:
    """Texts in order; once full it takes no more and stays `overflowed`.

    A text is given out when all that it can tell of is stored (T-S1).
    """

    def __init__(self, durability: Durability, limit: int = OUTBOX_BYTES_MAX) -> None:
        self.durability = durability
        self.limit = limit
        self.texts: deque[tuple[int, Text]] = deque()
        """With the number of the newest move of the chain that each may tell of."""
        self.size = 0
        self.overflowed = False

    def __bool__(self) -> bool:
        return self.overflowed or self._has_durable()

    def put(self, text: Text) -> None:
        """Add a text; what does not fit is dropped together with all that waits."""
        if self.overflowed:
            return
        self.size += _size(text)
        if self.size > self.limit:
            self.overflowed = True
            self.texts.clear()
            return
        self.texts.append((self.durability.made, text))

    def take(self) -> list[Text]:
        """All texts that may be sent, oldest first; they leave the outbox."""
        texts = []
        while self._has_durable():
            _, text = self.texts.popleft()
            self.size -= _size(text)
            texts.append(text)
        return texts

    def _has_durable(self) -> bool:
        return bool(self.texts) and self.texts[0][0] <= self.durability.stored


def _size(text: Text) -> int:
    return sum(map(len, text))
