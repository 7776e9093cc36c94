"""The end of a node that contradicts itself: what it would say from then on is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from node.core.effect_list import EffectList
from node.core.effects import StopNode
from node.core.inbox import BlockInbox
from node.exit_codes import Exit
from node.state.errors import InvariantViolated

BROKEN = (InvariantViolated, AssertionError)
"""The state or the code contradicts itself: the block is not kept, and the node must end (T-R4)."""


class Breakdown:
    """Stops a node; the blocks that wait in its inbox are not looked at any more."""

    def __init__(self, inbox: BlockInbox, effects: EffectList) -> None:
        self._inbox = inbox
        self._effects = effects

    def stop(self, why: str) -> None:
        """End the node, and tell its operator why."""
        self._inbox.clear()
        self._effects.add(StopNode(Exit.BROKEN, why))

    @contextmanager
    def if_broken(self) -> Iterator[None]:
        """Stop the node for any of `BROKEN`, which goes on to whoever asked (T-R4)."""
        try:
            yield
        except BROKEN as error:
            self.stop(str(error) or repr(error))
            raise
