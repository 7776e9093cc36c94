"""Frames: a length of four bytes, big endian, and that many bytes of payload (T-P1, T-P2).

The length is judged before a byte of the payload is kept, so a peer cannot make this node
allocate more than one frame of the size that its session allows.
"""

from __future__ import annotations

from protocol.errors import DecodeError, EncodeError

LENGTH_BYTES = 4
MAX_FRAME_BYTES = 2 * 1024 * 1024
"""No payload is longer (BitShares' limit of a message)."""

MAX_HANDSHAKE_FRAME_BYTES = 1024
"""No payload is longer before both sides have greeted (T-P2)."""


def encode_frame(payload: bytes) -> bytes:
    """The frame of one payload; raises `EncodeError` when it is empty or too long."""
    if not 0 < len(payload) <= MAX_FRAME_BYTES:
        raise EncodeError(
            "frame size out of range", rule="T-P2", value=len(payload), limit=MAX_FRAME_BYTES
        )
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class FrameReader:
    """Cuts a stream of bytes into payloads.

    After each `feed`, call `next_frame` until it returns None: then what is buffered is at most
    one unfinished frame, so at most `max_frame_bytes` and the length.
    """

    __slots__ = ("_buffer", "max_frame_bytes")

    def __init__(self, max_frame_bytes: int = MAX_HANDSHAKE_FRAME_BYTES) -> None:
        assert 0 < max_frame_bytes <= MAX_FRAME_BYTES
        self.max_frame_bytes = max_frame_bytes
        """Largest payload accepted from now on; raised when the handshake is done."""
        self._buffer = bytearray()

    @property
    def buffered_bytes(self) -> int:
        """Bytes received that do not make a whole frame yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add what the stream delivered."""
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next whole payload, None when more bytes are needed.

        Raises `DecodeError` for a length of zero or above `max_frame_bytes`; the stream has no
        meaning after that and must be closed.
        """
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        if not 0 < length <= self.max_frame_bytes:
            raise DecodeError(
                "frame length out of range", rule="T-P2", value=length, limit=self.max_frame_bytes
            )
        end = LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[LENGTH_BYTES:end])
        del self._buffer[:end]
        return payload
