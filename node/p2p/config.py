"""What a node is towards its peers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from node.p2p.effects import PeerAddress
from node.p2p.limits import PeerLimits
from protocol.schema import Record


class PeerConfig(Record, gc=True):
    """What this node is towards others."""

    node_id: bytes
    """The public node key; any 32 bytes of its own where the transport shows no key."""
    user_agent: str
    listen_port: int = 0
    """Port on which this node accepts connections; 0 for none."""
    seeds: tuple[PeerAddress, ...] = ()
    pinned_keys: Mapping[PeerAddress, bytes] = msgspec.field(default_factory=dict)
    """Public node keys of those that answer at some addresses; another is refused (T-P13)."""
    trusted_hosts: frozenset[str] = frozenset(("127.0.0.1", "::1"))
    """Hosts without caps and bans; nodes on them are still banned by their ids."""
    allowed_keys: frozenset[bytes] = frozenset()
    """Public node keys of those that may be peers; empty for all (T-P13)."""
    limits: PeerLimits = msgspec.field(default_factory=PeerLimits)
