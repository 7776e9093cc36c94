"""How a node core behaves."""

from __future__ import annotations

from protocol.schema import Record


class CoreSettings(Record):
    """How a node core comes to its blocks, and how often it takes snapshots."""

    instant: bool = False
    """Produce a block for each accepted transaction, at once unless many come."""
    by_the_clock: bool = True
    """Produce in the slots of this node's witnesses."""
    enable_stale: bool = False
    """Produce on an old head, once nobody has shown a newer one for `start_grace_ms`."""
    start_grace_ms: int = 2_000
    """Time from the first tick in which peers can show a newer head."""
    listen_ms: int = 0
    """Time from the first tick in which nothing is signed, to hear who else has the keys (T-W1)."""
    required_participation: int = 33
    snapshot_interval: int = 1_000
