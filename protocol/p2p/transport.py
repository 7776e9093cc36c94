"""The step between the bytes of a socket and the bytes of frames: where encryption will live.

A transport is a pure machine. What it does with `Noise_XX_25519_ChaChaPoly_SHA256` one day, it
does with nothing but these three calls: its handshake messages travel as `opening` and as the
`reply` of `receive`, and what `send` is given before the handshake is done comes out with a later
reply. Today's only transport changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Opened(NamedTuple):
    """What came out of received bytes."""

    plain: bytes
    """Bytes of frames."""
    reply: bytes
    """Bytes that the transport itself wants to send back, such as a handshake message."""


class Transport(Protocol):
    """Turns frames into the bytes of one connection and back."""

    def opening(self) -> bytes:
        """Bytes to send as soon as the connection exists."""
        ...

    def receive(self, data: bytes) -> Opened:
        """Accept bytes of the socket; raises `ProtocolError` when they are not authentic."""
        ...

    def send(self, plain: bytes) -> bytes:
        """The bytes for the socket that carry these bytes of frames."""
        ...


class PlainTransport:
    """The identity: bytes travel in the clear."""

    __slots__ = ()

    def opening(self) -> bytes:
        """Nothing."""
        return b""

    def receive(self, data: bytes) -> Opened:
        """The bytes as they are."""
        return Opened(data, b"")

    def send(self, plain: bytes) -> bytes:
        """The bytes as they are."""
        return plain
