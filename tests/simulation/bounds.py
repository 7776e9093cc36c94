"""What a node may hold in memory, and what the price of an asset may be, looked at in every run.

Caps alone say little in a small network, which comes near few of them. So it is also asked whose
things are held: those of peers that have left, of forks that can win no more or of blocks that are
stored are a leak, however small (T-R1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from node.chain.fork_database import SIDE_BYTES_MAX, STRANGERS_MAX
from node.chain.vote_pool import AHEAD_BLOCKS, EQUIVOCATIONS_MAX, WAITING_MAX, WINDOW_BLOCKS
from node.core.core import NodeCore
from node.core.inbox import INBOX_BYTES_MAX
from node.p2p.peer_database import MAX_PEERS
from node.state.database import State
from protocol.ids import AccountId
from tests.simulation.checkers import demand


class Bound(NamedTuple):
    """So many of something at most."""

    name: str
    count: Callable[[NodeCore], int]
    most: Callable[[NodeCore], int]


def _limits(name: str) -> Callable[[NodeCore], int]:
    return lambda core: int(getattr(core.peers._limits, name))


def _fixed(value: int) -> Callable[[NodeCore], int]:
    return lambda core: value


BOUNDS = (
    Bound("bytes in the inbox", lambda core: core.inbox._bytes, _fixed(INBOX_BYTES_MAX)),
    Bound(
        "bytes beside the main chain",
        lambda core: core.chain._forks._side_bytes,
        _fixed(SIDE_BYTES_MAX),
    ),
    Bound(
        "strangers' blocks", lambda core: len(core.chain._forks._strangers), _fixed(STRANGERS_MAX)
    ),
    Bound(
        "heights with votes",
        lambda core: len(core.ballots.pool._votes),
        _fixed(WINDOW_BLOCKS + AHEAD_BLOCKS),
    ),
    Bound(
        "votes of one peer that wait",
        lambda core: max(core.ballots.pool._waiting_of.values(), default=0),
        _fixed(WAITING_MAX),
    ),
    Bound(
        "proofs of lying",
        lambda core: len(core.ballots.pool.equivocations),
        _fixed(EQUIVOCATIONS_MAX),
    ),
    Bound("addresses", lambda core: len(core.peers.database), _fixed(MAX_PEERS)),
    Bound("bans", lambda core: len(core.peers._connections.bans), _limits("max_bans")),
    Bound(
        "synced blocks out",
        lambda core: len(core.peers._relay.sync._unjudged),
        _limits("sync_unjudged"),
    ),
    Bound(
        "bytes of synced blocks",
        lambda core: core.peers._relay.sync._arrived_bytes,
        _limits("sync_buffer_bytes"),
    ),
    Bound(
        "pending transactions",
        lambda core: len(core.chain.pending),
        lambda core: core.chain.pending.transactions_max,
    ),
)
"""What is capped, by whom; T-P2 to T-P11 say why."""


def _rooms(core: NodeCore) -> dict[str, Iterable[int]]:
    """Keys of peers under which something is kept."""
    relay = core.peers._relay
    return {
        "requests": relay.tracker._by_peer,
        "late requests": relay.tracker._late,
        "known items": relay.gossip._known,
        "unasked items": relay.gossip._unasked,
        "queues of answers": relay.server._queues,
        "rounds of sync": relay.sync._rounds,
        "questions for addresses": relay.addresses._questions,
        "ready peers": core.peers._ready.values(),
    }


def check_bounds(node: int, core: NodeCore) -> None:
    """A node holds no more than it may, and nothing of what is gone (T-R1, T-P6, T-P7)."""
    for bound in BOUNDS:
        count, most = bound.count(core), bound.most(core)
        demand(count <= most, "bounds", node, bound.name, count, "of", most)
    for room, keys in _rooms(core).items():
        left = [key for key in keys if key not in core.peers._peers]
        demand(not left, "leak", node, room, "of peers that are gone:", left)
    forks = core.chain._forks
    old = [item.num for item in forks.items.values() if item.num < forks.root.num]
    demand(not old, "leak", node, "blocks below the last irreversible one:", old)
    low = [num for num in core.ballots.pool._votes if num <= core.chain.last_irreversible_num]
    demand(not low, "leak", node, "votes for irreversible blocks:", low)


def check_rest(node: int, core: NodeCore) -> None:
    """When nothing has happened for a while nothing is left to do (T-R1)."""
    demand(not core.inbox, "leak", node, "blocks in the inbox")
    demand(core.durability.is_complete, "leak", node, "moves that are not stored")
    unstored = len(core.moves.unstored or ())
    demand(not unstored, "leak", node, unstored, "unstored blocks")


def check_prices(state: State, liars: Collection[AccountId]) -> int:
    """The median of each asset is inside the range of honest feeds, while those who lie are fewer
    than half (T-W5); how many assets have had a price among lies."""
    among_lies, now = 0, state.dynamic.time
    for bitasset in state.bitassets.in_order():
        lifetime = bitasset.options.feed_lifetime_sec
        live = [
            (publisher, values.settlement_price)
            for publisher, (published, values) in bitasset.feeds
            if published and now - published < lifetime
        ]
        honest = [price for publisher, price in live if publisher not in liars]
        lies, median = len(live) - len(honest), bitasset.median_feed.settlement_price
        if median.is_null() or 2 * lies >= len(live):
            continue
        is_low = all(median.is_less(price) for price in honest)
        is_high = all(price.is_less(median) for price in honest)
        demand(not is_low and not is_high, "honest price", bitasset.asset_id, median, honest)
        among_lies += lies > 0
    return among_lies
