"""One peer's part in a sync."""

from __future__ import annotations

from collections import deque

from protocol.schema import BlockId


class SyncRound:
    """The synopsis sent, the ids received, and when to ask again."""

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
        "previous",
        "remaining",
        "strayed",
        "was_answered",
    )

    def __init__(self, head_num: int) -> None:
        self.head_num = head_num
        """The highest block that the peer has spoken of."""
        self.ids: deque[BlockId] = deque()
        """Ids of the peer's chain that were not handed to the core yet."""
        self.previous: BlockId | None = None
        """The id before the first of them on that chain, as far as the peer's answer says."""
        self.remaining = 0
        """How many more ids the peer said it has after these."""
        self.strayed = 0
        """Answers in a row that showed a fork below our irreversible block."""
        self.offered: tuple[BlockId, ...] = ()
        """The synopsis that the peer was sent."""
        self.offered_lib = 0
        """Our last irreversible block number when it was sent."""
        self.asked_ms: int | None = None
        """When it was sent; None once it is answered."""
        self.was_answered = False
        """Whether the peer has answered any synopsis."""
        self.is_wanted = False
        """Whether another round is to begin as soon as it may."""
        self.has_progressed = False
        """Whether this round has brought a block."""
        self.backoff_ms = 0
        self.next_round_ms = 0
        """No round begins before."""
        self.behind_since_ms: int | None = None
        """Since when the peer is ahead of us while no round is running."""

    @property
    def is_running(self) -> bool:
        """Whether an answer or a block is awaited."""
        return self.asked_ms is not None or bool(self.ids)
