"""One connection: its state, its frames, its rates, its clocks and its score.

    the one who dialled                         the one who listens
    AWAITING_REPLY   -- Hello ----------------> AWAITING_HELLO
    ACTIVE          <-- Hello ----------------- AWAITING_ACCEPTANCE
                     -- HelloAccepted --------> ACTIVE

The listener is silent until it has read an acceptable `Hello` (T-P11). Everything that may happen
in a state is a row of `TRANSITIONS`; whatever is not there is the peer's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import get_args

from node.p2p.charges import CHARGES, OUTBOUND_DIVISOR, Account, work_of
from node.p2p.effects import ClosePeer, Effect, PeerAddress, PeerKey, SendBytes
from node.p2p.errors import (
    BrokenTransport,
    MalformedMessage,
    RateExceeded,
    RepeatedItem,
    UnexpectedMessage,
)
from node.p2p.limits import RATE_WINDOW_MS, PeerLimits
from node.p2p.peer_database import host_group, narrow_group
from protocol.errors import ProtocolError
from protocol.p2p.framing import MAX_FRAME_BYTES, FrameReader, encode_frame
from protocol.p2p.handshake import HandshakePolicy, check_key
from protocol.p2p.message_codec import decode_message, encode_message
from protocol.p2p.messages import (
    MAX_TEXT_BYTES,
    ActiveMessage,
    Goodbye,
    GoodbyeCode,
    Hello,
    HelloAccepted,
    Message,
    Ping,
    Pong,
)
from protocol.p2p.transport import Transport


class PeerState(Enum):
    """Where a connection stands; see the drawing above."""

    AWAITING_HELLO = "awaiting hello"
    AWAITING_REPLY = "awaiting reply"
    AWAITING_ACCEPTANCE = "awaiting acceptance"
    ACTIVE = "active"
    CLOSED = "closed"


TRANSITIONS: Mapping[PeerState, Mapping[type[Message], PeerState]] = {
    PeerState.AWAITING_HELLO: {
        Hello: PeerState.AWAITING_ACCEPTANCE,
        Goodbye: PeerState.CLOSED,
    },
    PeerState.AWAITING_REPLY: {
        Hello: PeerState.ACTIVE,
        Goodbye: PeerState.CLOSED,
    },
    PeerState.AWAITING_ACCEPTANCE: {
        HelloAccepted: PeerState.ACTIVE,
        Goodbye: PeerState.CLOSED,
    },
    PeerState.ACTIVE: {
        **dict.fromkeys(get_args(ActiveMessage), PeerState.ACTIVE),
        Goodbye: PeerState.CLOSED,
    },
    PeerState.CLOSED: {},
}
"""Which message a state accepts, and the state that follows."""

_MINUTE_MS = 60_000


class RateWindow:
    """Counts one message type within the minute that began with its first one (T-P7)."""

    __slots__ = ("_bytes_max", "_started_ms", "_total_bytes", "messages", "messages_max")

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self.messages_max = messages_max
        self.messages = 0
        self._bytes_max = bytes_max
        self._total_bytes = 0
        self._started_ms = 0

    def add(self, size: int, now_ms: int) -> None:
        """Count one message of `size` bytes."""
        self._roll(now_ms)
        self.messages += 1
        self._total_bytes += size

    def is_exceeded(self, now_ms: int) -> bool:
        """Whether more was counted than the rate allows."""
        self._roll(now_ms)
        return self.messages > self.messages_max or self._total_bytes > self._bytes_max

    def _roll(self, now_ms: int) -> None:
        if now_ms - self._started_ms >= RATE_WINDOW_MS:
            self._started_ms = now_ms
            self.messages = 0
            self._total_bytes = 0


class Peer:
    """The state machine of one connection; it appends what it sends to the effects."""

    def __init__(
        self,
        key: PeerKey,
        address: PeerAddress,
        *,
        outbound: bool,
        transport: Transport,
        policy: HandshakePolicy,
        effects: list[Effect],
        limits: PeerLimits,
        now_ms: int,
    ) -> None:
        self.key = key
        self.address = address
        """The other end: where we dialled, or where the inbound connection came from."""
        self.machine = host_group(address.host)
        self.group = narrow_group(address.host)
        """Whose it may be; kept, because all are compared for each newcomer."""
        self.outbound = outbound
        self.state = PeerState.AWAITING_REPLY if outbound else PeerState.AWAITING_HELLO
        self.hello: Hello | None = None
        """What the peer said of itself; None before."""
        self.ready_ms: int | None = None
        """When the handshake was done and the peer admitted; None before."""
        self.connected_ms = now_ms
        self.last_block_ms: int | None = None
        """When it last delivered a block that was new; None for never."""
        self.last_transaction_ms: int | None = None
        self.ping_ms: int | None = None
        """The shortest time in which it answered a ping; None before the first answer."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.unwritten_bytes = 0
        """Of them, those that the shell has not written to the connection yet."""
        self._transport = transport
        self.policy = policy
        """What the other end must be."""
        self._effects = effects
        self._limits = limits
        self._frames = FrameReader()
        self._inbound_rates = {
            cls: RateWindow(charge.messages, charge.total_bytes) for cls, charge in CHARGES.items()
        }
        self._outbound_rates = {
            cls: RateWindow(
                charge.messages // OUTBOUND_DIVISOR, charge.total_bytes // OUTBOUND_DIVISOR
            )
            for cls, charge in CHARGES.items()
        }
        self.work = Account(limits.work_per_s, limits.work_cap)
        """What the peer may make this node look up and judge for it; beyond that it waits."""
        self._talk = Account(limits.work_per_s, limits.work_cap)
        """What it may cost to read what the peer says; more is a violation."""
        self._caused = Account(
            limits.work_per_s // OUTBOUND_DIVISOR, limits.work_cap // OUTBOUND_DIVISOR
        )
        """What this node may make the peer do."""
        self._is_mute = False
        """Whether the other end is told nothing any more."""
        self._heard_ms = now_ms
        self._frame_began_ms: int | None = None
        self._ping_nonce = 0
        self._pinged_ms = now_ms
        self._is_pinged = False
        self._score = 0
        self._scored_ms = now_ms

    @property
    def is_active(self) -> bool:
        """Whether the handshake is done and the connection is not closed."""
        return self.state is PeerState.ACTIVE

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is read or sent."""
        return self.state is PeerState.CLOSED

    @property
    def node_key(self) -> bytes | None:
        """The node key that the peer has proven; None before, and where nothing is encrypted."""
        return self._transport.remote_key

    @property
    def listen_address(self) -> PeerAddress | None:
        """Where the peer accepts connections, as far as is known."""
        if self.outbound:
            return self.address
        if self.hello is None or self.hello.listen_port == 0:
            return None
        return PeerAddress(self.address.host, self.hello.listen_port)

    def open(self) -> None:
        """Send what the transport opens with."""
        self._write(self._transport.opening())

    def feed(self, data: bytes, now_ms: int) -> None:
        """Accept bytes of the socket.

        Raises `BrokenTransport` when the transport cannot open them (T-P12), and `KeyNotAllowed`
        or `PinnedKeyDiffers` as soon as the peer has shown a wrong key (T-P13).
        """
        self.received_bytes += len(data)
        self._heard_ms = now_ms
        self._is_pinged = False
        was_known = self.node_key is not None
        try:
            opened = self._transport.receive(data)
        except ProtocolError as error:
            raise BrokenTransport(
                error.what, rule=error.rule, value=error.value, limit=error.limit
            ) from error
        if self.node_key is not None and not was_known:
            # Before the reply, which would tell the one that was dialled this node's own key.
            self._is_mute = self.outbound
            check_key(self.node_key, self.policy)
            self._is_mute = False
        self._write(opened.reply)
        self._frames.feed(opened.plain)
        if self._frame_began_ms is None:
            self._frame_began_ms = now_ms

    def next_message(self, now_ms: int) -> Message | None:
        """The next message that the state allows; None when more bytes are needed.

        Raises `MalformedMessage` (T-P1 to T-P3), `UnexpectedMessage` (T-P10) and `RateExceeded`
        (T-P7). After `MalformedMessage` the stream has no meaning.
        """
        try:
            payload = self._frames.next_frame()
            if payload is None:
                if self.unfinished_bytes == 0:
                    self._frame_began_ms = None
                return None
            self._frame_began_ms = now_ms
            message = decode_message(payload)
        except ProtocolError as error:
            raise MalformedMessage(
                error.what, rule=error.rule, value=error.value, limit=error.limit
            ) from error
        self._count(message, len(payload), now_ms)
        self._advance(type(message))
        return message

    @property
    def unfinished_bytes(self) -> int:
        """Those of a message that has come in part."""
        return self._frames.buffered_bytes + self._transport.buffered_bytes

    def may_send(self, cls: type[Message], now_ms: int) -> bool:
        """Whether one more message of this type stays within the peer's limits (T-P7)."""
        window = self._outbound_rates[cls]
        return not window.is_exceeded(now_ms) and self._caused.has_left(now_ms)

    def send(self, message: Message, now_ms: int) -> None:
        """Send a message; nothing happens on a closed connection."""
        if self.is_closed:
            return
        payload = encode_message(message)
        window = self._outbound_rates.get(type(message))
        if window is not None:
            window.add(len(payload), now_ms)
            self._caused.charge(work_of(message), now_ms)
        self._write(self._transport.send(encode_frame(payload)))

    def accept(self, now_ms: int) -> None:
        """The one who dialled accepts the listener's greeting."""
        assert self.outbound
        self.send(HelloAccepted(), now_ms)

    def close(self, code: GoodbyeCode, reason: str, *, in_log: str = "") -> None:
        """Say goodbye and close. A stranger gets no more bytes than it sent (T-P11).

        `in_log` is what this node's log says instead of the reason.
        """
        if self.is_closed:
            return
        goodbye = encode_message(Goodbye(code, _printable(reason)[:MAX_TEXT_BYTES]))
        data = self._transport.send(encode_frame(goodbye))
        is_stranger = not self.outbound and not self.is_active
        if is_stranger and self.sent_bytes + len(data) > self.received_bytes:
            self._is_mute = True
        self._write(data)
        self.state = PeerState.CLOSED
        reason = _printable(in_log or reason)
        self._effects.append(ClosePeer(self.key, code, reason, self.address.host))

    def answer_ping(self, ping: Ping, now_ms: int) -> None:
        """Answer with the same number."""
        if self.may_send(Pong, now_ms):
            self.send(Pong(ping.nonce), now_ms)

    def check_pong(self, pong: Pong, now_ms: int) -> None:
        """Note how long a ping took; raises `UnexpectedMessage` for a number never sent."""
        if not 0 < pong.nonce <= self._ping_nonce:
            raise UnexpectedMessage("pong without ping", rule="T-P10", value=pong.nonce)
        if pong.nonce == self._ping_nonce:
            took_ms = now_ms - self._pinged_ms
            self.ping_ms = took_ms if self.ping_ms is None else min(self.ping_ms, took_ms)

    def tick(self, now_ms: int) -> tuple[GoodbyeCode, str] | None:
        """Ping a silent peer; the reason to close one that missed a deadline (T-P5)."""
        limits = self._limits
        if not self.is_active and now_ms - self.connected_ms >= limits.handshake_timeout_ms:
            return GoodbyeCode.TIMEOUT, "handshake not finished in time"
        began_ms = self._frame_began_ms
        if began_ms is not None and now_ms - began_ms >= limits.frame_timeout_ms:
            return GoodbyeCode.TIMEOUT, "frame not finished in time"
        silence_ms = now_ms - self._heard_ms
        if silence_ms >= limits.silence_timeout_ms:
            return GoodbyeCode.TIMEOUT, "silent for too long"
        if self.is_active and silence_ms >= limits.ping_after_ms and not self._is_pinged:
            self._is_pinged = True
            self._ping_nonce += 1
            self._pinged_ms = now_ms
            self.send(Ping(self._ping_nonce), now_ms)
        return None

    def add_points(self, points: int, now_ms: int) -> int:
        """Add to the score, which sinks a little every minute; returns it."""
        minutes = (now_ms - self._scored_ms) // _MINUTE_MS
        self._scored_ms += minutes * _MINUTE_MS
        self._score = max(0, self._score - minutes * self._limits.score_decay_per_minute)
        self._score += points
        return self._score

    def _count(self, message: Message, size: int, now_ms: int) -> None:
        name, window = type(message).__name__, self._inbound_rates.get(type(message))
        if window is None:
            return
        window.add(size, now_ms)
        if window.is_exceeded(now_ms):
            raise RateExceeded(
                f"too many {name} in a minute",
                rule="T-P7",
                value=window.messages,
                limit=window.messages_max,
            )
        if not self._talk.charge(work_of(message), now_ms):
            raise RateExceeded(f"too much work, with {name} at last", rule="T-P7")

    def _advance(self, cls: type[Message]) -> None:
        following = TRANSITIONS[self.state].get(cls)
        if following is None:
            raise UnexpectedMessage(
                f"{cls.__name__} while {self.state.value}", rule="T-P10", value=cls.__name__
            )
        self.state = following
        if following is PeerState.ACTIVE:
            self._frames.max_frame_bytes = MAX_FRAME_BYTES

    def _write(self, data: bytes) -> None:
        if data and not self._is_mute:
            self.sent_bytes += len(data)
            self.unwritten_bytes += len(data)
            self._effects.append(SendBytes(self.key, data))


def _printable(text: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)


def unasked_answer(name: str, *, was_answered: bool) -> UnexpectedMessage | RepeatedItem:
    """The fault of an answer without a request; a repeated one counts little (T-P8)."""
    if was_answered:
        return RepeatedItem(f"{name} repeated", rule="T-P8")
    return UnexpectedMessage(f"{name} without a request", rule="T-P7")
