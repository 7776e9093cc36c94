"""States that somebody reads piece by piece, each as a block left it, while the chain moves on."""

from __future__ import annotations

from node.api.errors import NotPossible
from node.chain.chain import Chain
from node.state.cut import StateCut
from protocol.schema import Mutable

HOLDS_MAX = 4
"""A hold keeps the old fields of whatever changes, so there are few..."""
IDLE_S = 60
"""...and none that nobody reads."""


class Hold(Mutable, gc=True):
    """The state that a block left."""

    number: int
    block_num: int
    block_id: str
    time_s: int
    cut: StateCut
    used_s: int
    """When somebody read it last."""


class Holds:
    """Those that are held, by their numbers, which are never used again."""

    def __init__(self) -> None:
        self._held: dict[int, Hold] = {}
        self._newest = 0

    def __len__(self) -> int:
        return len(self._held)

    def make(self, chain: Chain, now_s: int) -> Hold:
        """Hold the state of the head block; raises `NotPossible` if that is one too many (T-A2)."""
        self.let_go(now_s)
        if len(self._held) >= HOLDS_MAX:
            raise NotPossible(
                "others have as many states held as may be: ask again when they have read them",
                rule="T-A2",
                value=len(self._held),
                limit=HOLDS_MAX,
            )
        self._newest += 1
        head = chain.state.dynamic
        hold = Hold(
            self._newest,
            head.head_block_number,
            head.head_block_id.hex(),
            head.time,
            chain.cut(),
            now_s,
        )
        self._held[hold.number] = hold
        return hold

    def use(self, number: int, now_s: int) -> Hold:
        """A hold; raises `NotPossible` if it is not there any more, or its block is not."""
        self.let_go(now_s)
        hold = self._held.get(number)
        if hold is None:
            raise NotPossible(
                "no such hold: nobody read it for a while, or its block was taken back",
                value=number,
                limit=f"{IDLE_S} s",
            )
        hold.used_s = now_s
        return hold

    def drop(self, number: int) -> None:
        """Read it no more; without it, nothing happens."""
        hold = self._held.pop(number, None)
        if hold is not None:
            hold.cut.close()

    def let_go(self, now_s: int) -> None:
        """Drop those that nobody has read for a while, and those whose block is gone."""
        for hold in list(self._held.values()):
            if hold.cut.is_reverted or abs(now_s - hold.used_s) > IDLE_S:
                self.drop(hold.number)
