"""Which connection makes room for a newcomer: as Bitcoin Core chooses, by what is hard to feign.

Whoever wants to shut newcomers out has to hold most of the slots, and can be better than honest
peers in one respect, hardly in all: so the best by each of some measures are safe, and of the rest
the youngest of the network group that has most connections goes (P11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b

from node.p2p.peer import Peer

SAFE_BY_GROUP = 4
"""Peers of the groups that a secret of this node prefers: nobody can choose to be in one."""
SAFE_BY_PING = 8
SAFE_BY_TRANSACTIONS = 4
SAFE_BY_BLOCKS = 8
_NEVER_MS = 1 << 62


def choose_victim(peers: Sequence[Peer], secret: bytes) -> Peer | None:
    """The inbound connection to close, None if all are worth more than a newcomer."""

    def by_group(peer: Peer) -> int:
        return _draw(secret, peer.group)

    measures: tuple[tuple[int, Callable[[Peer], int]], ...] = (
        (SAFE_BY_GROUP, by_group),
        (SAFE_BY_PING, lambda peer: _NEVER_MS if peer.ping_ms is None else peer.ping_ms),
        (SAFE_BY_TRANSACTIONS, lambda peer: -(peer.last_transaction_ms or -_NEVER_MS)),
        (SAFE_BY_BLOCKS, lambda peer: -(peer.last_block_ms or -_NEVER_MS)),
    )
    rest = list(peers)
    for count, measure in measures:
        rest.sort(key=measure)
        safe = sum(abs(measure(peer)) < _NEVER_MS for peer in rest[:count])
        del rest[:safe]
    rest.sort(key=lambda peer: peer.connected_ms)
    del rest[: len(rest) // 2]
    return youngest_of_largest_group(rest)


def youngest_of_largest_group(peers: Sequence[Peer]) -> Peer | None:
    """The last to come of the network group that has most of these connections."""
    sizes = Counter(peer.group for peer in peers)
    return max(
        peers,
        key=lambda peer: (sizes[peer.group], peer.connected_ms, peer.key),
        default=None,
    )


def _draw(secret: bytes, text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), key=secret, digest_size=7).digest(), "big")
