"""What others can make a node keep, at most: the sum of all caps, beside its chain (T-R1).

Caps that count bytes on the wire are multiplied by what such bytes take once they are read, those
that count things by what one of them takes: measured with `tracemalloc`, and rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from node.api.answer_room import ANSWERS_BYTES_MAX, OWN_BYTES
from node.api.kept_answers import KEPT_BYTES_MAX
from node.chain.fork_database import SIDE_BYTES_MAX
from node.chain.pending import POOL_BYTES_MAX, POOL_TRANSACTIONS_MAX
from node.chain.vote_pool import ALL_WAITING_MAX
from node.core.inbox import INBOX_BYTES_MAX
from node.p2p.limits import PeerLimits
from node.services.connection_table import CONNECTIONS_MAX
from node.services.event_log import log
from node.services.p2p_server import SEND_QUEUES_BYTES

MEBIBYTE: Final = 1 << 20
READ: Final = 6
"""Times its own bytes that a block of many short transactions takes once it is read."""
PENDING_BYTES: Final = 2_200
"""Of a pending transaction, with what it did, beside three times its own bytes."""
KNOWN_BYTES: Final = 140
"""Of an id that a peer is known to have."""
ITEM_BYTES: Final = 205
"""Of an item in a table."""
OWED_BYTES: Final = 660
"""Of an item that a peer was asked for, and one that it has answered."""
WANTED_BYTES: Final = 760
"""Of an item that is wanted, with eight who have it..."""
SOURCE_BYTES: Final = 45
"""...and of each further one."""
VOTE_BYTES: Final = 600


def kept_for_strangers(limits: PeerLimits) -> Mapping[str, int]:
    """Bytes by what is kept, for who has no key of a witness."""
    peers = limits.max_inbound + limits.target_outbound + 1
    blocks = limits.max_wanted_blocks
    turns = limits.max_sources * limits.max_wanted + peers * blocks
    return {
        "requests, answers and notices": ANSWERS_BYTES_MAX + CONNECTIONS_MAX * OWN_BYTES,
        "answers that are given again": KEPT_BYTES_MAX,
        "what waits for peers": SEND_QUEUES_BYTES,
        "messages of peers, in part": limits.unfinished_bytes,
        "blocks of a sync": 2 * limits.sync_buffer_bytes,
        "items for who fetches them late": limits.item_cache_bytes,
        "transactions to be judged": READ * limits.waiting_transactions_bytes,
        "pending transactions": POOL_TRANSACTIONS_MAX * PENDING_BYTES + 3 * POOL_BYTES_MAX,
        "ids known to peers": peers * limits.max_known_ids * KNOWN_BYTES,
        "items that peers ask for": peers * limits.serve_queue_items * ITEM_BYTES,
        "items asked of peers": peers * limits.max_requests_per_peer * OWED_BYTES,
        "announced items": (limits.max_wanted + blocks) * WANTED_BYTES
        + blocks * peers * SOURCE_BYTES
        + turns * ITEM_BYTES,
        "items judged lately": limits.max_judged * ITEM_BYTES,
        "votes for unknown blocks": ALL_WAITING_MAX * VOTE_BYTES,
    }


def kept_for_witnesses() -> Mapping[str, int]:
    """Bytes by what is kept, for witnesses that lie, beside the former."""
    return {
        "blocks whose keys are recovered": READ * INBOX_BYTES_MAX,
        "blocks of other forks": READ * SIDE_BYTES_MAX,
    }


def tell_bound(limit_mib: int) -> None:
    """Say what a limit stands against."""
    log.info(
        "memory_limit",
        limit_mib=limit_mib,
        strangers_mib=in_mib(kept_for_strangers(PeerLimits())),
        lying_witnesses_mib=in_mib(kept_for_witnesses()),
    )


def in_mib(kept: Mapping[str, int]) -> int:
    """All together, rounded up."""
    return -(-sum(kept.values()) // MEBIBYTE)
