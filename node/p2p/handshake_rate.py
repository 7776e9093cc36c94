"""How often strangers of one address may make this node agree on keys (T-P5)."""

from __future__ import annotations

from node.p2p.limits import PeerLimits
from node.p2p.peer_database import host_group


class HandshakeRate:
    """A bucket an address: `handshake_burst` at once, then one more every `handshake_every_ms`.

    The address is one of IPv4 or a /64 of IPv6, which a single machine may have whole. A bucket is
    one number, the time at which it is full again; of too many the one used longest ago is
    forgotten, so that a storm from many addresses costs no memory.
    """

    __slots__ = ("_full_ms", "_limits")

    def __init__(self, limits: PeerLimits) -> None:
        self._limits = limits
        self._full_ms: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._full_ms)

    def take(self, host: str, now_ms: int) -> bool:
        """Count a handshake of a host; False, and nothing is counted, when it is one too many."""
        limits = self._limits
        group = host_group(host)
        most_ms = now_ms + limits.handshake_burst * limits.handshake_every_ms
        # A clock that was set back must not keep an address out for longer than a burst takes.
        full_ms = min(max(self._full_ms.pop(group, 0), now_ms), most_ms)
        after_ms = full_ms + limits.handshake_every_ms
        is_allowed = after_ms <= most_ms
        self._full_ms[group] = after_ms if is_allowed else full_ms
        if len(self._full_ms) > limits.max_rated_hosts:
            del self._full_ms[next(iter(self._full_ms))]
        return is_allowed
