"""The step between the bytes of a socket and the bytes of frames: where peers are encrypted.

A transport is a pure machine. A handshake travels as `opening` and as the `reply` of `receive`;
what `send` is given before the handshake is done comes out with a later reply.
`protocol.p2p.noise_transport` is the one that real nodes use; `PlainTransport` is for tests and
simulators, which name it.
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

    @property
    def remote_key(self) -> bytes | None:
        """The node key that the other end has shown to be its own; None before, or without any."""
        ...

    @property
    def buffered_bytes(self) -> int:
        """Bytes received of which nothing has come out yet."""
        ...

    def opening(self) -> bytes:
        """Bytes to send as soon as the connection exists."""
        ...

    def receive(self, data: bytes) -> Opened:
        """Accept bytes of the socket; raises `ProtocolError` when they are not authentic."""
        ...

    def send(self, plain: bytes) -> bytes:
        """The bytes for the socket that carry these bytes of frames."""
        ...


class TransportMaker(Protocol):
    """Makes the transport of a new connection."""

    def __call__(self, *, outbound: bool) -> Transport:
        """A fresh transport; `outbound` on the side that dialled."""
        ...


class PlainTransport:
    """The identity: bytes travel in the clear, and nobody shows a key."""

    __slots__ = ()

    def __init__(self, *, outbound: bool) -> None:
        pass

    @property
    def remote_key(self) -> bytes | None:
        """None."""
        return None

    @property
    def buffered_bytes(self) -> int:
        """0."""
        return 0

    def opening(self) -> bytes:
        """Nothing."""
        return b""

    def receive(self, data: bytes) -> Opened:
        """The bytes as they are."""
        return Opened(data, b"")

    def send(self, plain: bytes) -> bytes:
        """The bytes as they are."""
        return plain
