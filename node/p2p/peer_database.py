"""Addresses of other nodes: which were heard of, which answered, and when to try again (T-P9).

An address is `new` until a connection to it has finished the handshake, `tried` after that. New
ones make room for each other and never push out a tried one. Seeds are kept for ever and tried
again for ever. Randomness comes with the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from random import Random

from node.p2p.effects import PeerAddress
from protocol.errors import DecodeError
from protocol.p2p.messages import MAX_ADDRESSES, KnownAddress, is_ip_address
from protocol.schema import MAX_TIMESTAMP, Mutable

MAX_PEERS = 1_000
"""Addresses that are remembered (T-P9)."""

MAX_NEW_PER_SOURCE = 125
"""New addresses that one network group may have told us (T-P9)."""

ANCHORS = 2
"""Peers that a node goes back to after a restart (T-P9)."""

FIRST_RETRY_MS = 1_000
MAX_RETRY_MS = 300_000
"""Wait after a failed attempt: doubles from 1 s to 5 min, plus up to a quarter by chance."""

GROUPS_KEPT = 4_096
"""Hosts of which the group is remembered: a newcomer's is compared with those of all peers."""

JSON_VERSION = 1


class PeerRecord(Mutable):
    """What is known of one address."""

    address: PeerAddress
    source: str
    """Network group of who told us; empty for seeds and for those that came to us."""
    is_seed: bool = False
    is_tried: bool = False
    last_seen_s: int = 0
    """When a connection to it was last open, seconds since 1970; 0 for never."""
    failures: int = 0
    """Failed attempts since the last success."""
    next_attempt_ms: int = 0


class PeerDatabase:
    """At most `MAX_PEERS` addresses, in the order in which they were heard of."""

    def __init__(self, seeds: Iterable[PeerAddress] = ()) -> None:
        self._records: dict[PeerAddress, PeerRecord] = {}
        self._own: dict[PeerAddress, None] = {}
        named = tuple(seeds)
        self.seeds = frozenset(named)
        """Addresses that the operator named; one of them is among the peers, if any answers."""
        self.anchors: frozenset[PeerAddress] = frozenset()
        """Peers of before the last restart, or of now: dialled before others, so that whoever has
        filled the table and makes the node start again does not choose all of its peers."""
        for address in named:
            self._records[address] = PeerRecord(address, "", is_seed=True)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, address: PeerAddress) -> bool:
        return address in self._records

    def find(self, address: PeerAddress) -> PeerRecord | None:
        """The record of an address."""
        return self._records.get(address)

    def records(self) -> tuple[PeerRecord, ...]:
        """All records, in the order in which their addresses were heard of."""
        return tuple(self._records.values())

    def want(self, address: PeerAddress, rng: Random) -> bool:
        """Remember an address without regard to who told it, and let it be dialled at once."""
        if address not in self._records and not self.add(address, "", rng):
            return False
        self._records[address].next_attempt_ms = 0
        return True

    def add(self, address: PeerAddress, source: str, rng: Random) -> bool:
        """Remember an address that `source` told us; False when there is no room for it."""
        if address in self._records or address in self._own:
            return False
        if source:
            told = sum(item.source == source for item in self._records.values())
            if told >= MAX_NEW_PER_SOURCE:
                return False
        if len(self._records) >= MAX_PEERS and not self._evict(rng):
            return False
        self._records[address] = PeerRecord(address, source)
        return True

    def forget_own(self, address: PeerAddress) -> None:
        """The address is this node's: never dial it again."""
        self._records.pop(address, None)
        if len(self._own) < MAX_ADDRESSES:
            self._own[address] = None

    def mark_connected(self, address: PeerAddress, now_ms: int) -> None:
        """A connection to the address has finished the handshake."""
        record = self._records.get(address)
        if record is not None:
            record.is_tried = True
            record.last_seen_s = now_ms // 1000

    def mark_seen(self, address: PeerAddress, now_ms: int) -> None:
        """A node that says that it listens there has connected to us from that host."""
        record = self._records.get(address)
        if record is not None:
            record.last_seen_s = now_ms // 1000

    def set_anchors(self, addresses: Iterable[PeerAddress]) -> None:
        """Replace the anchors; none leaves the last ones."""
        self.anchors = frozenset(addresses) or self.anchors

    def clear_failures(self, address: PeerAddress, now_ms: int) -> None:
        """A connection to the address has lived long enough to trust it again."""
        record = self._records.get(address)
        if record is not None:
            record.failures = 0
            record.last_seen_s = now_ms // 1000

    def forget_failures(self) -> None:
        """Let every address be dialled at once: it was this node that ended its connections."""
        for record in self._records.values():
            record.failures = record.next_attempt_ms = 0

    def mark_failed(self, address: PeerAddress, now_ms: int, rng: Random) -> None:
        """An attempt failed or a connection ended: wait twice as long as the time before."""
        record = self._records.get(address)
        if record is None:
            return
        wait_ms = min(FIRST_RETRY_MS << min(record.failures, 20), MAX_RETRY_MS)
        record.failures += 1
        record.next_attempt_ms = now_ms + wait_ms + rng.randrange(wait_ms // 4 + 1)

    def candidates(
        self, now_ms: int, count: int, rng: Random, is_allowed: Callable[[PeerAddress], bool]
    ) -> list[PeerAddress]:
        """Up to `count` addresses to dial now: anchors and seeds that never answered first, then
        tried and new ones in turn, by chance. `is_allowed` is asked before each choice, so that it
        may count what was chosen before."""
        due = [item for item in self._records.values() if item.next_attempt_ms <= now_ms]
        first = [item for item in due if item.address in self.anchors]
        first += [item for item in due if item.is_seed and not item.is_tried]
        tried = [item for item in due if item.is_tried and item.address not in self.anchors]
        new = [item for item in due if not item.is_seed and not item.is_tried]
        rng.shuffle(tried)
        rng.shuffle(new)
        mixed = [item for pair in zip(tried, new, strict=False) for item in pair]
        shorter = min(len(tried), len(new))
        chosen: list[PeerAddress] = []
        for record in first + mixed + tried[shorter:] + new[shorter:]:
            if len(chosen) == count:
                break
            if is_allowed(record.address):
                chosen.append(record.address)
        return chosen

    def sample(self, rng: Random, asker: PeerAddress | None) -> tuple[KnownAddress, ...]:
        """Up to 200 addresses that answered or connected before, without the asker's own (T-P9)."""
        shown = [
            KnownAddress(item.address.host, item.address.port, item.last_seen_s)
            for item in self._records.values()
            if item.last_seen_s > 0 and item.address != asker and is_ip_address(item.address.host)
        ]
        return tuple(rng.sample(shown, min(len(shown), MAX_ADDRESSES)))

    def to_json(self) -> dict[str, object]:
        """What survives a restart: addresses that are not seeds; tried ones and anchors marked."""
        return {
            "version": JSON_VERSION,
            "peers": [
                {
                    "host": item.address.host,
                    "port": item.address.port,
                    "source": item.source,
                    "tried": item.is_tried,
                    "anchor": item.address in self.anchors,
                    "last_seen": item.last_seen_s,
                }
                for item in self._records.values()
                if not item.is_seed
            ],
        }

    def load_json(self, data: object) -> None:
        """Add what `to_json` wrote. Raises `DecodeError` and adds nothing for anything else."""
        if not isinstance(data, dict) or data.get("version") != JSON_VERSION:
            raise DecodeError("not a peer database of this version", limit=JSON_VERSION)
        rows = data.get("peers")
        if not isinstance(rows, list) or len(rows) > MAX_PEERS:
            raise DecodeError("peers must be a list", rule="T-P9", limit=MAX_PEERS)
        records = [_read_record(index, row) for index, row in enumerate(rows)]
        anchors = [
            record.address for record, row in zip(records, rows, strict=True) if row.get("anchor")
        ]
        for record in records:
            if len(self._records) < MAX_PEERS:
                self._records.setdefault(record.address, record)
        self.set_anchors(anchors[:ANCHORS])

    def _evict(self, rng: Random) -> bool:
        """Drop a new address by chance; False when all are tried or seeds."""
        new = [
            item.address
            for item in self._records.values()
            if not item.is_tried and not item.is_seed
        ]
        if not new:
            return False
        del self._records[rng.choice(new)]
        return True


def wide_group(host: str) -> str:
    """The /16 or /32 of a host: who may tell us many addresses, and what is dialled once."""
    return network_group(host, v4_bits=16, v6_bits=32)


def narrow_group(host: str) -> str:
    """The /24 or /48 of a host: what one operator may own, so it may connect a few times."""
    return network_group(host, v4_bits=24, v6_bits=48)


def host_group(host: str) -> str:
    """What a single machine may have: an address of IPv4, a /64 of IPv6."""
    return network_group(host, v4_bits=32, v6_bits=64)


@lru_cache(GROUPS_KEPT)
def network_group(host: str, *, v4_bits: int, v6_bits: int) -> str:
    """The network that an address belongs to, such as "10.1.0.0/16"; a name is its own group."""
    if not is_ip_address(host):
        return host
    bits = v4_bits if ip_address(host).version == 4 else v6_bits
    return str(ip_network(f"{host}/{bits}", strict=False))


def _read_record(index: int, row: object) -> PeerRecord:
    if not isinstance(row, dict):
        raise DecodeError(f"peers[{index}] is not an object")
    host, port, source = row.get("host"), row.get("port"), row.get("source")
    tried, last_seen = row.get("tried"), row.get("last_seen")
    anchor = row.get("anchor", False)
    if not isinstance(host, str) or not is_ip_address(host):
        raise DecodeError(f"peers[{index}].host is not an address", value=host)
    if type(port) is not int or not 0 < port < 65_536:
        raise DecodeError(f"peers[{index}].port out of range", value=port, limit=65_535)
    if not isinstance(source, str) or len(source) > 64:
        raise DecodeError(f"peers[{index}].source is not a network group", value=source)
    if type(tried) is not bool:
        raise DecodeError(f"peers[{index}].tried is not true or false", value=tried)
    if type(anchor) is not bool:
        raise DecodeError(f"peers[{index}].anchor is not true or false", value=anchor)
    if type(last_seen) is not int or not 0 <= last_seen <= MAX_TIMESTAMP:
        raise DecodeError(f"peers[{index}].last_seen out of range", value=last_seen)
    address = PeerAddress(host, port)
    return PeerRecord(address, source, is_tried=tried, last_seen_s=last_seen)
