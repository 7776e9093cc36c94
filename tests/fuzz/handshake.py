"""T-P12: what comes to one side of an encrypted handshake, and after it.

The first byte chooses the side, the second the pieces in which the stream arrives. All keys are
fixed, so there is one honest stream for each side. Whatever differs from it must be found out at
the end of the message in which it does.
"""

from __future__ import annotations

from functools import cache
from random import Random

from protocol.p2p.noise import NodeKey, NotAuthentic
from protocol.p2p.noise_transport import (
    FIRST_BYTES,
    LENGTH_BYTES,
    MAX_MESSAGE_BYTES,
    SECOND_BYTES,
    THIRD_BYTES,
    NoiseTransport,
)
from protocol.schema import Digest
from tests.fuzz.targets import Refused, accepted, check_refusal, cut

MAX_BYTES = 512
CHAIN = Digest(b"c" * 32)
DIALLER, LISTENER = NodeKey(b"d" * 32), NodeKey(b"l" * 32)
TEXTS = (b"first", b"second text", b"\0" * 40)
HANDSHAKE_BYTES = {
    True: LENGTH_BYTES + SECOND_BYTES,
    False: 2 * LENGTH_BYTES + FIRST_BYTES + THIRD_BYTES,
}
"""What each side hears before it knows the other's key: `True` for the one that dialled."""


def side(*, outbound: bool) -> NoiseTransport:
    """A fresh side; the same each time."""
    key, seed = (DIALLER, 1) if outbound else (LISTENER, 2)
    return NoiseTransport(key, CHAIN, Random(seed).randbytes, outbound=outbound)


@cache
def honest(*, outbound: bool) -> bytes:
    """All that this side hears from an honest other."""
    dialler, listener = side(outbound=True), side(outbound=False)
    first = dialler.opening()
    second = listener.receive(first).reply
    third = dialler.receive(second).reply
    listener.receive(third)
    other = listener if outbound else dialler
    return (second if outbound else first + third) + b"".join(map(other.send, TEXTS))


def seeds() -> list[bytes]:
    """Both honest streams, whole and in small pieces, and altered or cut in each message."""
    found = []
    for outbound in (True, False):
        stream = honest(outbound=outbound)
        found += [bytes((outbound, size)) + stream for size in (0, 7)]
        for place in range(1, len(stream), 24):
            altered = stream[:place] + bytes((stream[place] ^ 1,)) + stream[place + 1 :]
            found += [bytes((outbound, 0)) + altered, bytes((outbound, 0)) + stream[:place]]
    return found


@accepted
def check(data: bytes) -> None:
    """Only what the honest other said is heard, and only its key is believed."""
    if len(data) < 2:
        raise Refused
    outbound, stream = bool(data[0] % 2), data[2:]
    transport = side(outbound=outbound)
    transport.opening()
    plain, is_broken = b"", False
    try:
        for piece in cut(stream, data[1]):
            plain += transport.receive(piece).plain
            assert transport.buffered_bytes <= LENGTH_BYTES + MAX_MESSAGE_BYTES
    except NotAuthentic as error:
        check_refusal(error)
        is_broken = True
        check_is_dead(transport)
    wanted, shaken = honest(outbound=outbound), HANDSHAKE_BYTES[outbound]
    is_honest = stream[: len(wanted)] == wanted[: len(stream)]
    assert b"".join(TEXTS).startswith(plain), "a text that nobody sent"
    if stream[:shaken] != wanted[:shaken]:
        assert transport.remote_key is None, "a key that nobody showed"
        assert not plain
    elif not is_broken:
        assert transport.remote_key == (LISTENER if outbound else DIALLER).public
    assert not is_honest or not is_broken or len(stream) > len(wanted), "an honest stream refused"
    if is_broken or not plain:
        raise Refused


def check_is_dead(transport: NoiseTransport) -> None:
    """Nothing is kept, sent or read after an error."""
    assert transport.buffered_bytes == 0
    assert transport.send(b"more") == b""
    try:
        transport.receive(b"")
    except NotAuthentic:
        return
    raise AssertionError("a broken transport goes on")
