"""Frames: lengths judged before payloads, whatever the pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, EncodeError
from protocol.p2p.framing import (
    LENGTH_BYTES,
    MAX_FRAME_BYTES,
    MAX_HANDSHAKE_FRAME_BYTES,
    FrameReader,
    encode_frame,
)


def drain(reader: FrameReader) -> list[bytes]:
    payloads = []
    while (payload := reader.next_frame()) is not None:
        payloads.append(payload)
    return payloads


@given(
    payloads=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    cuts=st.lists(st.integers(1, 20), min_size=1),
)
def test_any_cutting_gives_the_same_payloads(payloads: list[bytes], cuts: list[int]) -> None:
    """T-P1: the pieces in which a stream arrives do not matter."""
    stream = b"".join(encode_frame(payload) for payload in payloads)
    reader = FrameReader()
    found: list[bytes] = []
    position, turn = 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        reader.feed(stream[position : position + size])
        found += drain(reader)
        position, turn = position + size, turn + 1
    assert found == payloads
    assert reader.buffered_bytes == 0


@pytest.mark.parametrize("limit", [1, MAX_HANDSHAKE_FRAME_BYTES, MAX_FRAME_BYTES])
def test_a_length_above_the_limit_is_refused_before_its_payload(limit: int) -> None:
    """T-P2: four bytes are enough to be refused; the limit itself is allowed."""
    reader = FrameReader(limit)
    reader.feed(limit.to_bytes(LENGTH_BYTES, "big"))
    assert reader.next_frame() is None
    reader = FrameReader(limit)
    reader.feed((limit + 1).to_bytes(LENGTH_BYTES, "big"))
    with pytest.raises(DecodeError) as caught:
        reader.next_frame()
    assert (caught.value.value, caught.value.limit) == (limit + 1, limit)


def test_an_empty_frame_is_refused() -> None:
    """T-P1: no message is empty."""
    reader = FrameReader()
    reader.feed(bytes(LENGTH_BYTES))
    with pytest.raises(DecodeError):
        reader.next_frame()
    with pytest.raises(EncodeError):
        encode_frame(b"")


def test_a_raised_limit_holds_for_the_next_frame() -> None:
    """T-P2: what arrives together with the end of a handshake is read with the new limit."""
    large = bytes(MAX_HANDSHAKE_FRAME_BYTES + 1)
    reader = FrameReader()
    reader.feed(encode_frame(b"hello") + encode_frame(large))
    assert reader.next_frame() == b"hello"
    reader.max_frame_bytes = MAX_FRAME_BYTES
    assert reader.next_frame() == large


def test_no_frame_above_the_limit_is_made() -> None:
    """T-P2: our own frames keep to the limit as well."""
    assert len(encode_frame(bytes(MAX_FRAME_BYTES))) == MAX_FRAME_BYTES + LENGTH_BYTES
    with pytest.raises(EncodeError):
        encode_frame(bytes(MAX_FRAME_BYTES + 1))
