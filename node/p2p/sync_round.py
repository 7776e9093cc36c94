"""What is going on with one peer of a sync."""

from __future__ import annotations

from collections import deque

from protocol.schema import BlockId


class SyncRound:
    """What is going on with one peer."""

    __slots__ = (
        "asked_ms",
        "backoff_ms",
        "behind_since_ms",
        "has_progressed",
        "head_num",
        "ids",
        "is_wanted",
        "next_round_ms",
        "offered",
        "offered_lib",
        "remaining",
        "was_answered",
    )

    def __init__(self, head_num: int) -> None:
        self.head_num = head_num
        """The highest block that the peer has spoken of."""
        self.ids: deque[BlockId] = deque()
        """Ids of the peer's chain that were not handed to the core yet."""
        self.remaining = 0
        self.offered: tuple[BlockId, ...] = ()
        self.offered_lib = 0
        self.asked_ms: int | None = None
        self.was_answered = False
        self.is_wanted = False
        self.has_progressed = False
        self.backoff_ms = 0
        self.next_round_ms = 0
        self.behind_since_ms: int | None = None

    @property
    def is_running(self) -> bool:
        return self.asked_ms is not None or bool(self.ids)
