"""Lets few of those that come at the same time go on in a round of the event loop."""

from __future__ import annotations

import trio


class Turns:
    """So many turns in each round of the event loop, first come, first served; `run` has to run.

    What one of a crowd wants may be little, and what all want keeps everybody else waiting.
    """

    def __init__(self, a_round: int) -> None:
        self._a_round = self._left = a_round
        self._waiting = trio.lowlevel.ParkingLot()
        self._is_used = trio.Event()

    async def take(self) -> None:
        """Wait for a turn; at once while the round has some left."""
        self._is_used.set()
        if self._left:
            self._left -= 1
        else:
            await self._waiting.park()

    async def run(self) -> None:
        """Give turns, for ever."""
        while True:
            await self._is_used.wait()  # a round of the event loop, also if it is set
            woken = len(self._waiting.unpark(count=self._a_round))
            self._left = self._a_round - woken
            if not self._waiting:
                self._is_used = trio.Event()
