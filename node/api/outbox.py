"""What waits to be sent on one connection: bounded, so that a slow reader costs only itself."""

from __future__ import annotations

from collections import deque

OUTBOX_BYTES_MAX = 1 << 20
"""A connection that lets more pile up is closed (T-A3)."""


class Outbox:
    """Texts in order; once full it takes no more and stays `overflowed`."""

    def __init__(self, limit: int = OUTBOX_BYTES_MAX) -> None:
        self.limit = limit
        self.texts: deque[str] = deque()
        self.size = 0
        self.overflowed = False

    def __bool__(self) -> bool:
        return bool(self.texts) or self.overflowed

    def put(self, text: str) -> None:
        """Add a text; what does not fit is dropped together with all that waits."""
        if self.overflowed:
            return
        self.size += len(text) if text.isascii() else len(text.encode())
        if self.size > self.limit:
            self.overflowed = True
            self.texts.clear()
            return
        self.texts.append(text)

    def take(self) -> list[str]:
        """All texts that wait, oldest first; they leave the outbox."""
        texts = list(self.texts)
        self.texts.clear()
        self.size = 0
        return texts
