"""Frames inside Noise messages, each after its length in two bytes, big endian (T-P12).

The first message carries as much padding as the second needs, so that a stranger gets no more
bytes than it sent (T-P11). In the handshake every length is exact; afterwards a message holds 1 to
`MAX_PLAIN_BYTES` of the stream of frames, whose own boundaries do not show. The prologue binds the
handshake to this transport, its version and the chain: of two nodes that differ in one of them,
the one that dialled sees a second message that is not authentic.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.errors import ProtocolError
from protocol.p2p.noise import KEY_BYTES, TAG_BYTES, Handshake, NodeKey, NotAuthentic, Session
from protocol.p2p.transport import Opened
from protocol.schema import Digest

MAGIC = b"pegboard"
TRANSPORT_VERSION = 1

LENGTH_BYTES = 2
MAX_PLAIN_BYTES = 16 * 1024
MAX_MESSAGE_BYTES = MAX_PLAIN_BYTES + TAG_BYTES

PADDING = bytes(KEY_BYTES + 2 * TAG_BYTES)
"""Payload of the first message."""

FIRST_BYTES = KEY_BYTES + len(PADDING)
SECOND_BYTES = 2 * KEY_BYTES + 2 * TAG_BYTES
THIRD_BYTES = KEY_BYTES + 2 * TAG_BYTES
"""Lengths of the handshake's messages: e, padding; e, s, empty payload; s, empty payload."""


def prologue(chain_id: Digest) -> bytes:
    """What both sides must agree on beforehand."""
    return MAGIC + TRANSPORT_VERSION.to_bytes(2, "big") + chain_id


class NoiseTransport:
    """The encrypted transport of one connection.

    `entropy` gives so many random bytes; it is asked once, for the ephemeral key. The first error
    is the last: nothing is read or sent after it.
    """

    def __init__(
        self,
        key: NodeKey,
        chain_id: Digest,
        entropy: Callable[[int], bytes],
        *,
        outbound: bool,
    ) -> None:
        self._key = key
        self._prologue = prologue(chain_id)
        self._entropy = entropy
        self._outbound = outbound
        self._handshake: Handshake | None = None
        self._session: Session | None = None
        self._remote_key: bytes | None = None
        self._buffer = bytearray()
        self._waiting = b""
        """Frames that were sent before the handshake was done."""
        self._is_broken = False

    @property
    def remote_key(self) -> bytes | None:
        """The other's static key; None until a whole message has shown that it is its own."""
        return self._remote_key

    @property
    def buffered_bytes(self) -> int:
        """Bytes of an unfinished message; at most `MAX_MESSAGE_BYTES` and its length."""
        return len(self._buffer)

    def opening(self) -> bytes:
        """The first message, from the one who dialled."""
        return _framed(self._begin().write(PADDING)) if self._outbound else b""

    def receive(self, data: bytes) -> Opened:
        """What whole messages say; raises `NotAuthentic`, and then for ever."""
        if self._is_broken:
            raise NotAuthentic("the transport is broken", rule="T-P12")
        self._buffer += data
        plain: list[bytes] = []
        reply = b""
        try:
            while (message := self._next_message()) is not None:
                if self._session is None:
                    reply += self._shake(message)
                else:
                    plain.append(self._session.receiving.decrypt(message))
        except ProtocolError:
            self._break()
            raise
        return Opened(b"".join(plain), reply)

    def send(self, plain: bytes) -> bytes:
        """The messages that carry these bytes; none before the handshake is done."""
        if self._is_broken:
            return b""
        if self._session is None:
            self._waiting += plain
            return b""
        return _sealed(self._session, plain)

    def _begin(self) -> Handshake:
        ephemeral = NodeKey(self._entropy(KEY_BYTES))
        self._handshake = Handshake(self._key, ephemeral, self._prologue, initiator=self._outbound)
        return self._handshake

    def _next_message(self) -> bytes | None:
        """The next whole message; its length is judged before the rest is waited for."""
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        least, most = self._lengths()
        if not least <= length <= most:
            raise NotAuthentic(
                "wrong length of an encrypted message",
                rule="T-P12",
                value=length,
                limit=f"{least}..{most}",
            )
        end = LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        message = bytes(self._buffer[LENGTH_BYTES:end])
        del self._buffer[:end]
        return message

    def _lengths(self) -> tuple[int, int]:
        """Shortest and longest message that may come now."""
        if self._session is not None:
            return TAG_BYTES + 1, MAX_MESSAGE_BYTES
        if self._outbound:
            return SECOND_BYTES, SECOND_BYTES
        length = FIRST_BYTES if self._handshake is None else THIRD_BYTES
        return length, length

    def _shake(self, message: bytes) -> bytes:
        """Take a message of the handshake; what is to be sent because of it."""
        if self._outbound:
            assert self._handshake is not None
            self._read(self._handshake, message)
            reply = _framed(self._handshake.write())
        elif self._handshake is None:
            if message[KEY_BYTES:] != PADDING:
                raise NotAuthentic("first message is not of this protocol", rule="T-P12")
            handshake = self._begin()
            handshake.read(message)
            return _framed(handshake.write())
        else:
            self._read(self._handshake, message)
            reply = b""
        self._remote_key = self._handshake.remote_static
        self._session = self._handshake.split()
        self._handshake = None
        waiting, self._waiting = self._waiting, b""
        return reply + _sealed(self._session, waiting)

    @staticmethod
    def _read(handshake: Handshake, message: bytes) -> None:
        try:
            handshake.read(message)
        except NotAuthentic as error:
            raise NotAuthentic(
                "handshake failed: another chain, another transport, or bytes altered on the way",
                rule="T-P12",
            ) from error

    def _break(self) -> None:
        """Forget all keys and bytes."""
        self._is_broken = True
        self._handshake = None
        self._session = None
        self._buffer.clear()
        self._waiting = b""


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def _sealed(session: Session, plain: bytes) -> bytes:
    if len(plain) <= MAX_PLAIN_BYTES:
        return _framed(session.sending.encrypt(plain)) if plain else b""
    view = memoryview(plain)
    starts = range(0, len(plain), MAX_PLAIN_BYTES)
    return b"".join(
        _framed(session.sending.encrypt(view[start : start + MAX_PLAIN_BYTES])) for start in starts
    )
