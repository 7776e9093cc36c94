"""What the peer layer tells metrics, the dashboard and the log."""

from __future__ import annotations

from node.p2p.effects import PeerAddress, PeerKey
from protocol.schema import Record


class PeerStatistics(Record):
    """One connection."""

    key: PeerKey
    address: PeerAddress
    outbound: bool
    state: str
    node_id: bytes
    """The peer's public node key; empty before the handshake."""
    user_agent: str
    head_num: int
    """Head block number that the peer greeted with."""
    received_bytes: int
    sent_bytes: int
    requests_in_flight: int


class PeerLayerStatistics(Record):
    """All connections and what they share."""

    peers: tuple[PeerStatistics, ...]
    active_count: int
    dialling_count: int
    known_addresses: int
    bans: int
    wanted_items: int
    """Announced items that have not arrived yet."""
    sync_pending: int
    """Listed blocks that were not handed to the core yet."""
    sync_rounds: int
    """Sync rounds started so far."""
    is_syncing: bool
