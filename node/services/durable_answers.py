"""An answer leaves once all that it may tell of is durable, whatever it was asked for (T-S1)."""

from __future__ import annotations

import trio

from node.api.durability import Durability


async def wait_until_stored(durability: Durability) -> None:
    """Wait until all moves of the chain that were made by now are stored."""
    if not durability.is_complete:
        is_stored = trio.Event()
        durability.when_complete(is_stored.set)
        await is_stored.wait()
