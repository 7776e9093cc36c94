"""How much of what the chain did is on disk, so that nobody is told of the rest (T-S1).

The core counts its moves as it makes them, the shell says up to which they are stored. Whatever
is said about the chain rests on the moves that were made by then, and leaves once those are stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Durability:
    """Moves of the chain: those that were made, and those that are stored."""

    __slots__ = ("_waiting", "made", "stored")

    def __init__(self) -> None:
        self.made = 0
        """Number of the newest move; what is read now rests on it and on those before."""
        self.stored = 0
        """Number of the newest move that a crash cannot take back."""
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def is_complete(self) -> bool:
        """Whether every move is stored."""
        return self.stored == self.made

    def make(self) -> int:
        """Count one more move; its number."""
        self.made += 1
        return self.made

    def when_complete(self, tell: Callable[[], None]) -> None:
        """Have it told once all moves that were made by now are stored; at once if they are."""
        if self.is_complete:
            tell()
        else:
            self._waiting.append((self.made, tell))

    def store(self, move: int) -> None:
        """All moves up to a number are stored: tell who waits for them."""
        assert self.stored <= move <= self.made, "moves are stored in their order"
        self.stored = move
        while self._waiting and self._waiting[0][0] <= move:
            self._waiting.popleft()[1]()
