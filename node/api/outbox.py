"""What waits to be sent on one connection: bounded, so that a slow reader costs only itself."""

from __future__ import annotations

from collections import deque

from node.api.answer_room import AnswerRoom, AnswerShare
from node.api.durability import Durability
from node.api.json_text import Text

OUTBOX_BYTES_MAX = 1 << 20
"""A connection that lets more notices pile up is closed (T-A3)."""


class Outbox:
    """Texts in order; once full it takes no more and stays `overflowed`.

    A text is given out when all that it can tell of is stored (T-S1). Until it is sent it takes
    room that all connections share (T-R1).
    """

    def __init__(
        self,
        durability: Durability,
        share: AnswerShare | None = None,
        limit: int = OUTBOX_BYTES_MAX,
    ) -> None:
        """Without a `share` it has a room of its own."""
        self.durability = durability
        self.share = share or AnswerShare(AnswerRoom())
        self.limit = limit
        self.texts: deque[tuple[int, Text, bool]] = deque()
        """Each with the number of the newest move of the chain that it may tell of, and whether
        it was asked for."""
        self.size = 0
        """Bytes of what waits and nobody asked for."""
        self.taken_size = 0
        """Bytes that were given out and are not sent yet."""
        self.overflowed = False

    def __bool__(self) -> bool:
        return self.overflowed or self._has_durable()

    @property
    def holds_answer(self) -> bool:
        """Whether one is among what waits."""
        return any(is_answer for _, _, is_answer in self.texts)

    def put(self, text: Text, *, is_answer: bool = False) -> None:
        """Add a text; what does not fit is dropped together with all that waits.

        An answer piles up no further than its client asks: it only needs room, as those do that
        are given at once, and not even that if nothing else waits, for it may be a refusal.
        """
        if self.overflowed:
            return
        size = _size(text)
        piled = self.size + (0 if is_answer else size)
        fits = piled <= self.limit and self.share.has_room(size)
        if not fits and (self.texts or not is_answer):
            self.give_up()
            return
        self.size = piled
        self.share.add(size)
        self.texts.append((self.durability.made, text, is_answer))

    def give_up(self) -> None:
        """Drop all that waits: the connection is to be closed."""
        self.overflowed = True
        self.share.shrink(sum(_size(text) for _, text, _ in self.texts))
        self.texts.clear()
        self.size = 0

    def take(self) -> list[Text]:
        """All texts that may be sent, oldest first; they leave the outbox, and are to be `sent`."""
        texts = []
        while self._has_durable():
            _, text, is_answer = self.texts.popleft()
            self.size -= 0 if is_answer else _size(text)
            self.taken_size += _size(text)
            texts.append(text)
        return texts

    def sent(self) -> None:
        """What was taken has been sent, or will never be."""
        self.share.shrink(self.taken_size)
        self.taken_size = 0

    def _has_durable(self) -> bool:
        return bool(self.texts) and self.texts[0][0] <= self.durability.stored


def _size(text: Text) -> int:
    return sum(map(len, text))
