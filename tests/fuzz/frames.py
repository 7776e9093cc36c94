"""T-P1, T-P2, T-P3: a stream of frames, and the message in each.

The first byte chooses the largest frame, the second the pieces in which the stream arrives.
"""

from __future__ import annotations

from protocol.errors import DecodeError, ProtocolError
from protocol.p2p.framing import (
    LENGTH_BYTES,
    MAX_FRAME_BYTES,
    MAX_HANDSHAKE_FRAME_BYTES,
    FrameReader,
    encode_frame,
)
from protocol.p2p.message_codec import decode_message, encode_message
from tests.fuzz.targets import Refused, accepted, check_refusal, cut, typed
from tests.unit.test_p2p_messages import EXAMPLES

MAX_BYTES = 2_048
SIZES = (MAX_HANDSHAKE_FRAME_BYTES, MAX_FRAME_BYTES)


def seeds() -> list[bytes]:
    """Each message alone, all in one stream, and frames that no honest peer sends."""
    frames = [encode_frame(encode_message(message)) for message in EXAMPLES]
    wrong = [b"", b"\x92\4\xcc\1", b"\x93\6\1\x90", b"\x92\4\1\0", b"\x99"]
    frames += [len(payload).to_bytes(LENGTH_BYTES, "big") + payload for payload in wrong]
    return [b"\1\0" + frame for frame in frames] + [b"\0\7" + b"".join(frames)]


@accepted
def check(data: bytes) -> None:
    """Every cut gives the same payloads; each is refused by name or has that one form."""
    if len(data) < 2:
        raise Refused
    largest, stream = SIZES[data[0] % 2], data[2:]
    payloads, refusal = read_all(stream, largest, len(stream))
    assert (payloads, refusal) == read_all(stream, largest, data[1]), "the cut of a stream shows"
    assert payloads or refusal or len(stream) < LENGTH_BYTES + largest
    if not payloads:
        raise Refused
    for payload in payloads:
        with typed(ProtocolError):
            message = decode_message(payload)
        assert encode_message(message) == payload, "a second form of one message"


def read_all(stream: bytes, largest: int, size: int) -> tuple[list[bytes], str]:
    """The payloads of a stream that comes in pieces, and why it ended."""
    reader = FrameReader(largest)
    payloads: list[bytes] = []
    for piece in cut(stream, size):
        reader.feed(piece)
        try:
            while (payload := reader.next_frame()) is not None:
                assert 0 < len(payload) <= largest, "a frame beyond its limit"
                payloads.append(payload)
        except DecodeError as error:
            check_refusal(error)
            return payloads, str(error)
        assert reader.buffered_bytes < LENGTH_BYTES + largest, "more than one frame is kept"
    return payloads, ""
