"""Every number of the peer layer, with the threat that it answers; prices are in `charges`."""

from __future__ import annotations

from protocol.schema import Record

BAN_SCORE = 100
"""A peer whose score reaches it is dropped and banned."""


class PeerLimits(Record):
    """Caps and times; tests and configuration may give others."""

    handshake_timeout_ms: int = 5_000
    """From the connection to the end of the handshake (T-P5)."""
    frame_timeout_ms: int = 30_000
    """From the first to the last byte of a frame (T-P5)."""
    request_timeout_ms: int = 30_000
    """A peer that leaves a request unanswered for so long is dropped (T-P5)."""
    hedge_ms: int = 3_000
    """After so long another peer is asked for the same item as well."""
    block_hedge_ms: int = 500
    """The same for a block that was announced: a slot is short."""
    refetch_every_ms: int = 60_000
    """After so long all peers are asked again for a block that is damaged here (T-S3)."""
    mend_patience_ms: int = 10_000
    """So long a peer waits for a block that is being fetched again, before it hears that this
    node lacks it; less than `request_timeout_ms` (T-S3)."""
    ping_after_ms: int = 30_000
    """Silence after which a peer is pinged."""
    silence_timeout_ms: int = 60_000
    """Silence after which a peer is dropped (T-P5)."""

    max_inbound: int = 200
    """Connections that others opened (T-P5)."""
    max_inbound_per_host: int = 3
    """Of them from one address; trusted hosts are exempt (T-P5)."""
    max_inbound_per_group: int = 10
    """Of them from one /24 or /48; trusted hosts are exempt (T-P5)."""
    max_in_handshake: int = 50
    """Inbound connections that have not finished the handshake (T-P5)."""
    handshake_burst: int = 20
    """Inbound connections that one address may open at once, after a time without any; trusted
    hosts are exempt (T-P5)."""
    handshake_every_ms: int = 1_000
    """After so long it may open one more (T-P5)."""
    max_rated_hosts: int = 1_000
    """Addresses whose handshakes are counted."""
    target_outbound: int = 8
    """Connections that this node tries to open; one per /16 or /32 (T-P9)."""
    max_dialling: int = 8
    """Outbound attempts at a time."""
    ask_addresses_ms: int = 60_000
    """Wait before a peer that we dialled is asked for addresses again."""

    max_known_ids: int = 2_000
    """Ids remembered per peer as known to it: two of the longest announcements (T-P7, T-R1)."""
    max_wanted: int = 10_000
    """Announced transactions that wait to be fetched (T-P7)."""
    max_wanted_blocks: int = 200
    """Announced blocks that wait to be fetched (T-P7)."""
    max_judged: int = 20_000
    """Ids of items judged lately, which are not fetched again (T-P8)."""
    max_sources: int = 8
    """Peers remembered as able to deliver one wanted transaction."""
    max_requests_per_peer: int = 200
    """Items requested from one peer at a time."""
    max_announcements: int = 10_000
    """Transaction ids that wait for the next inventory."""

    serve_queue_items: int = 1_000
    """Items that one peer may have asked for and not got yet; more is a violation (T-P7)."""
    unwritten_bytes: int = 512 * 1024
    """While so many bytes wait to be written to a peer, nothing more is served to it (T-P5)."""
    serve_burst_bytes: int = 1024 * 1024
    """Bytes of items sent to one peer at once (T-P5, T-P11)."""
    serve_bytes_per_s: int = 16 * 1024 * 1024
    """Bytes of items sent to one peer in a second, on average (T-P11)."""
    work_per_s: int = 250_000
    """Work that one peer may cause in a second, in microseconds; see `node.p2p.charges` (T-P7)."""
    work_cap: int = 1_000_000
    """Work that a peer may cause at once after a while without any."""
    all_serving_per_s: int = 300_000
    """Work of answers to all peers in a second (P4)."""
    all_intake_per_s: int = 400_000
    """Work in a second of judging what those who dialled us send (P5)."""
    judged_at_once: int = 50_000
    """Work of judging transactions before others have their turn, in microseconds (P5, T-R3)."""
    waiting_transactions_bytes: int = 4 * 1024 * 1024
    """Delivered transactions that wait to be judged (P5)."""
    item_cache_bytes: int = 4 * 1024 * 1024
    """Announced items kept for peers that fetch them late."""

    sync_window: int = 400
    """Blocks ahead of the next undelivered one that are fetched from the peers."""
    sync_blocks_per_fetch: int = 40
    """Blocks asked of one peer in one message."""
    sync_requests_per_peer: int = 80
    """Sync blocks asked of one peer at a time."""
    unfinished_bytes: int = 64 * 1024 * 1024
    """Of the messages that all peers have sent in part; beyond it the one with most goes (T-R1)."""
    sync_buffer_bytes: int = 32 * 1024 * 1024
    """Bytes of blocks that wait for a predecessor; above it nothing new is requested."""
    sync_unjudged: int = 32
    """Blocks handed to the core that it has not judged yet."""
    sync_unjudged_bytes: int = 32 * 1024 * 1024
    """Their bytes, unless it is a single one: the core has room for so many, and for some that are
    announced besides (T-P6)."""
    sync_peers: int = 8
    """Peers that blocks are fetched from at a time."""
    sync_backoff_ms: int = 1_000
    """Wait after a sync round that brought nothing; doubles (message storms)."""
    max_sync_backoff_ms: int = 60_000
    max_rejected: int = 1_000
    """Ids of invalid blocks remembered; a chain that holds one is not fetched."""

    score_decay_per_minute: int = 10
    protocol_ban_ms: int = 10_000
    """First ban for a broken protocol; doubles with each one, up to `max_ban_ms`."""
    rate_ban_ms: int = 300_000
    invalid_item_ban_ms: int = 600_000
    max_ban_ms: int = 3_600_000
    max_bans: int = 1_000


RATE_WINDOW_MS = 60_000
