"""Simulated TCP: connections as two streams each, with delays, stalls, resets and partitions.

A stream keeps its order. Bytes that cannot pass wait and hold up what follows; after
`STALL_MS` the sender gives up. An end whose other side is gone learns it from a FIN, from a reset
when it sends, or from nobody at all.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from hashlib import blake2b
from random import Random
from typing import Protocol, assert_never

from node.p2p.effects import PeerAddress, PeerKey
from protocol.finality import Vote
from protocol.p2p.framing import LENGTH_BYTES
from protocol.p2p.message_codec import decode_message
from protocol.p2p.messages import (
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    Goodbye,
    Hello,
    HelloAccepted,
    Inventory,
    Message,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from tests.simulation.event_loop import EventLoop
from tests.simulation.options import Options

PORT = 1776
STALL_MS = 20_000
"""A sender whose bytes do not arrive for so long closes the connection."""
RETRY_MS = 250
DIAL_TIMEOUT_MS = 5_000
LINK_FAULTS = ("loss", "reset", "duplicate")
"""What happens to single messages by chance; other faults come with their times."""


class Host(Protocol):
    """What the network needs of a machine."""

    is_up: bool
    """Whether the machine answers at all."""

    @property
    def is_listening(self) -> bool:
        """Whether a process accepts connections on it."""
        ...

    def connected(self, key: PeerKey, address: PeerAddress, *, outbound: bool) -> None: ...

    def received(self, key: PeerKey, data: bytes) -> None: ...

    def disconnected(self, key: PeerKey) -> None: ...

    def dial_failed(self, address: PeerAddress) -> None: ...


class End:
    """One end of a connection."""

    __slots__ = ("is_open", "key", "node", "outgoing")

    def __init__(self, node: int, key: PeerKey) -> None:
        self.node = node
        self.key = key
        self.is_open = True
        self.outgoing: Stream | None = None


class Stream:
    """The bytes from one end to the other; None among them is the FIN."""

    __slots__ = ("is_pumping", "items", "last_due_ms", "source", "stalled_ms", "target")

    def __init__(self, source: End, target: End) -> None:
        self.source = source
        self.target = target
        self.items: deque[tuple[int, bytes | None]] = deque()
        self.last_due_ms = 0
        self.stalled_ms: int | None = None
        self.is_pumping = False


class Network:
    """All links between the hosts."""

    def __init__(self, loop: EventLoop, options: Options, counts: Counter[str]) -> None:
        self.loop = loop
        self._counts = counts
        self.hosts: Sequence[Host] = ()
        self._rng = Random(f"{options.seed}/network")
        self._options = options
        self._groups: Sequence[int] = (0,) * options.nodes
        self._deaf_until: dict[tuple[int, int], int] = {}
        self._clogged_until: dict[tuple[int, int], int] = {}
        self._ends: dict[int, dict[PeerKey, End]] = {node: {} for node in range(options.nodes)}
        self._last_key = 0
        self._is_healed = False
        self._disguised: set[int] = set()
        self.interceptor: Callable[[int, int, Message], int] | None = None
        """Says for how many milliseconds a message from one node to another is held back."""
        self.connections = 0
        """Connections made so far."""

    # Faults.

    def partition(self, groups: Sequence[int]) -> None:
        """Only nodes of one group hear each other from now on."""
        self._groups = tuple(groups)

    def deafen(self, source: int, target: int, duration_ms: int) -> None:
        """Nothing passes from one node to the other for a while; the other way is open."""
        self._deaf_until[source, target] = self.loop.now_ms + duration_ms

    def clog(self, one: int, other: int, duration_ms: int) -> None:
        """What is sent between two nodes for a while arrives after it."""
        until_ms = self.loop.now_ms + duration_ms
        self._clogged_until[one, other] = self._clogged_until[other, one] = until_ms

    def disguise(self, node: int) -> None:
        """Let a node come from another address with each connection, and be on all sides of a
        partition."""
        self._disguised.add(node)

    def heal(self) -> None:
        """No partition, no loss, no resets any more; delays stay."""
        self._is_healed = True
        self.partition((0,) * self._options.nodes)
        self._deaf_until.clear()
        self._clogged_until.clear()

    def is_blocked(self, source: int, target: int) -> bool:
        """Whether nothing passes from one node to another now."""
        return (
            not self.hosts[target].is_up
            or self._is_parted(source, target)
            or self._deaf_until.get((source, target), 0) > self.loop.now_ms
        )

    def _is_parted(self, source: int, target: int) -> bool:
        return self._groups[source] != self._groups[target] and not self._disguised & {
            source,
            target,
        }

    @property
    def is_parted(self) -> bool:
        """Whether there are nodes that hear nothing of each other."""
        return len(set(self._groups)) > 1

    def neighbours(self, node: int) -> list[tuple[PeerKey, int]]:
        """The open connections of a node, and who is at their other ends."""
        return [
            (key, end.outgoing.target.node)
            for key, end in self._ends[node].items()
            if end.is_open and end.outgoing is not None
        ]

    # What nodes do.

    def dial(self, node: int, address: PeerAddress) -> None:
        """Open a connection; the outcome is told to the host."""
        target = node_at(address)
        if target not in range(self._options.nodes):
            self.loop.later(DIAL_TIMEOUT_MS, lambda: self._refuse(node, address))
            return
        delay_ms = self._delay_ms(node, target)

        def arrive() -> None:
            if self.is_blocked(node, target) or self.is_blocked(target, node):
                self.loop.later(DIAL_TIMEOUT_MS, lambda: self._refuse(node, address))
            elif not self.hosts[target].is_listening:
                self.loop.later(delay_ms, lambda: self._refuse(node, address))
            else:
                self._connect(node, target, address)

        self.loop.later(delay_ms, arrive)

    def send(self, node: int, key: PeerKey, data: bytes) -> Message | None:
        """Hand over the bytes of one message; nothing when the connection is gone already."""
        end = self._ends[node].get(key)
        if end is None or not end.is_open:
            return None
        assert end.outgoing is not None
        message = decode_message(data[LENGTH_BYTES:])
        digest = blake2b(data, digest_size=4).hexdigest()
        self.loop.record("send", node, key, type(message).__name__, len(data), digest)
        target = end.outgoing.target.node
        delay_ms = self._delay_ms(node, target)
        if self.interceptor is not None:
            delay_ms += self.interceptor(node, target, message)
        if self._happens("reset", self._options.reset):
            self._break(end)
            return message
        if self._happens("loss", self._options.loss):
            delay_ms += self._rng.randrange(200, 2_000)
        self._push(end.outgoing, data, delay_ms)
        if may_repeat(message) and self._happens("duplicate", self._options.duplicate):
            self.loop.record("duplicate", node, type(message).__name__)
            self._push(end.outgoing, data, delay_ms)
        return message

    def send_raw(self, node: int, key: PeerKey, data: bytes) -> None:
        """Hand over bytes that need not be a message."""
        end = self._ends[node].get(key)
        if end is None or not end.is_open:
            return
        assert end.outgoing is not None
        digest = blake2b(data, digest_size=4).hexdigest()
        self.loop.record("send", node, key, "bytes", len(data), digest)
        self._push(end.outgoing, data, self._delay_ms(node, end.outgoing.target.node))

    def close(self, node: int, key: PeerKey) -> None:
        """Close a connection after what was sent."""
        end = self._ends[node].get(key)
        if end is not None and end.is_open:
            self._push_fin(end)
            self._lose(end)

    def cut_off(self, node: int, *, silently: bool) -> None:
        """The process of a node is gone; its machine says so unless it is gone as well."""
        for end in list(self._ends[node].values()):
            if not silently:
                self._push_fin(end)
            end.is_open = False
        self._ends[node].clear()

    # How it works.

    def _connect(self, node: int, target: int, address: PeerAddress) -> None:
        near, far = End(node, self._key()), End(target, self._key())
        near.outgoing, far.outgoing = Stream(near, far), Stream(far, near)
        self._ends[node][near.key] = near
        self._ends[target][far.key] = far
        self.connections += 1
        came_from = PeerAddress(self._host_of(node), 50_000 + self.connections % 10_000)
        self.loop.record("connected", node, target, near.key, far.key)

        def established() -> None:
            if near.is_open:
                self.hosts[node].connected(near.key, address, outbound=True)

        self.loop.later(self._delay_ms(target, node), established)
        self.hosts[target].connected(far.key, came_from, outbound=False)

    def _host_of(self, node: int) -> str:
        if node in self._disguised:
            return f"10.{node + 1}.{self.connections % 250}.1"
        return address_of(node).host

    def _refuse(self, node: int, address: PeerAddress) -> None:
        self.hosts[node].dial_failed(address)

    def _push_fin(self, end: End) -> None:
        assert end.outgoing is not None
        self._push(end.outgoing, None, self._delay_ms(end.node, end.outgoing.target.node))

    def _push(self, stream: Stream, item: bytes | None, delay_ms: int) -> None:
        due_ms = max(stream.last_due_ms, self.loop.now_ms + delay_ms)
        stream.last_due_ms = due_ms
        stream.items.append((due_ms, item))
        if not stream.is_pumping:
            stream.is_pumping = True
            self.loop.later(due_ms - self.loop.now_ms, lambda: self._pump(stream))

    def _pump(self, stream: Stream) -> None:
        """Deliver what is due, as far as the link lets it through."""
        source, target = stream.source, stream.target
        while stream.items and stream.items[0][0] <= self.loop.now_ms:
            if self.is_blocked(source.node, target.node):
                self._stall(stream)
                return
            stream.stalled_ms = None
            if not target.is_open:
                stream.items.clear()
                self._lose(source)
                break
            self._deliver(target, stream.items.popleft()[1])
        stream.is_pumping = bool(stream.items)
        if stream.items:
            wait_ms = max(0, stream.items[0][0] - self.loop.now_ms)
            self.loop.later(wait_ms, lambda: self._pump(stream))

    def _stall(self, stream: Stream) -> None:
        if stream.stalled_ms is None:
            stream.stalled_ms = self.loop.now_ms
        if self.loop.now_ms - stream.stalled_ms >= STALL_MS:
            stream.items.clear()
            stream.is_pumping = False
            self._lose(stream.source)
            return
        self.loop.later(RETRY_MS, lambda: self._pump(stream))

    def _deliver(self, end: End, data: bytes | None) -> None:
        if data is None:
            self._lose(end)
            return
        cut = self._rng.randrange(4 * len(data))
        host = self.hosts[end.node]
        for part in (data[:cut], data[cut:]):
            if part and end.is_open:
                host.received(end.key, part)

    def _break(self, end: End) -> None:
        """A reset: both ends lose the connection, each when it hears of it."""
        self.loop.record("reset", end.node, end.key)
        assert end.outgoing is not None
        end.outgoing.items.clear()
        self._push_fin(end)
        self._lose(end)

    def _lose(self, end: End) -> None:
        if end.is_open:
            end.is_open = False
            del self._ends[end.node][end.key]
            self.loop.record("disconnected", end.node, end.key)
            self.loop.later(0, lambda: self.hosts[end.node].disconnected(end.key))

    def _delay_ms(self, source: int, target: int) -> int:
        mean_ms = self._options.delay_ms
        drawn_ms = self._rng.randrange(mean_ms // 2, 3 * mean_ms // 2 + 1)
        if self._rng.randrange(20) == 0:
            drawn_ms += self._rng.randrange(4 * mean_ms)
        clogged_ms = self._clogged_until.get((source, target), 0) - self.loop.now_ms
        return max(drawn_ms, clogged_ms)

    def _happens(self, what: str, chance: int) -> bool:
        """Whether a fault of this chance, over 10,000, happens now; never after the healing."""
        happens = self._rng.randrange(10_000) < chance and not self._is_healed
        if happens:
            self._counts[f"fault {what}"] += 1
        return happens

    def _key(self) -> PeerKey:
        self._last_key += 1
        return PeerKey(self._last_key)


def address_of(node: int) -> PeerAddress:
    """Where a node listens; each is in a network of its own."""
    return PeerAddress(f"10.{node + 1}.0.1", PORT)


def node_at(address: PeerAddress) -> int:
    """The node that listens at an address."""
    return int(address.host.split(".")[1]) - 1


def may_repeat(message: Message) -> bool:
    """Whether a link may deliver a message twice: an honest peer is penalised for saying some
    twice, little for items; `Inventory`, requests and answers to them may come again."""
    match message:
        case Hello() | HelloAccepted() | Goodbye() | Pong() | BlockMessage() | TransactionMessage():
            return False
        case Ping() | Inventory() | Fetch() | NotAvailable() | GetBlockIds() | BlockIds():
            return True
        case GetAddresses() | Addresses() | Vote():
            return True
        case _:
            assert_never(message)
