"""T-P12: the encrypted transport, alone: published vectors, and nothing but what was sent."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from protocol.errors import KeyFormatError
from protocol.p2p import noise
from protocol.p2p.noise import (
    KEY_BYTES,
    CipherState,
    Handshake,
    NodeKey,
    NotAuthentic,
    parse_node_key,
)
from protocol.p2p.noise_transport import (
    FIRST_BYTES,
    LENGTH_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PLAIN_BYTES,
    PADDING,
    SECOND_BYTES,
    THIRD_BYTES,
    NoiseTransport,
    prologue,
)
from protocol.schema import Digest

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "noise.json").read_text(encoding="utf-8")
)
CHAIN = Digest(b"c" * 32)
DIALLER = NodeKey(b"d" * 32)
LISTENER = NodeKey(b"l" * 32)
HANDSHAKE = (FIRST_BYTES, SECOND_BYTES, THIRD_BYTES)
PLACES = [
    (number, place)
    for number, length in enumerate(HANDSHAKE)
    for place in range(LENGTH_BYTES + length)
]


def key(text: str) -> NodeKey:
    return NodeKey(parse_node_key(text))


def pair(seed: int = 1, other_chain: Digest = CHAIN) -> tuple[NoiseTransport, NoiseTransport]:
    """The transports of one connection: the dialler's and the listener's."""
    entropy = Random(seed).randbytes
    return (
        NoiseTransport(DIALLER, CHAIN, entropy, outbound=True),
        NoiseTransport(LISTENER, other_chain, entropy, outbound=False),
    )


def connected(seed: int = 1) -> tuple[NoiseTransport, NoiseTransport]:
    """The same after the handshake."""
    dialler, listener = pair(seed)
    second = listener.receive(dialler.opening()).reply
    assert listener.receive(dialler.receive(second).reply).reply == b""
    return dialler, listener


def messages(seed: int = 1) -> list[bytes]:
    """The three messages of a handshake, framed."""
    dialler, listener = pair(seed)
    first = dialler.opening()
    second = listener.receive(first).reply
    return [first, second, dialler.receive(second).reply]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["source"])
def test_published_vectors(vector: dict[str, Any]) -> None:
    """T-P12: every message of both sides, byte for byte, and the hash of the transcript."""
    initiator, responder = (
        Handshake(
            key(vector[f"{role}_static"]),
            key(vector[f"{role}_ephemeral"]),
            bytes.fromhex(vector[f"{role}_prologue"]),
            initiator=role == "init",
        )
        for role in ("init", "resp")
    )
    steps = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"]))
             for m in vector["messages"]]  # fmt: skip
    sides = [(initiator, responder), (responder, initiator), (initiator, responder)]
    for (writer, reader), (payload, sealed) in zip(sides, steps[:3], strict=True):
        assert writer.write(payload) == sealed
        assert reader.read(sealed) == payload
    assert initiator.is_done
    assert responder.is_done
    hashes = {side._transcript.hex() for side in (initiator, responder)}
    assert len(hashes) == 1
    assert hashes == {vector.get("handshake_hash", *hashes)}
    assert initiator.remote_static == key(vector["resp_static"]).public
    assert responder.remote_static == key(vector["init_static"]).public
    ends = [initiator.split(), responder.split()]
    for number, (payload, sealed) in enumerate(steps[3:], 3):
        assert ends[number % 2].sending.encrypt(payload) == sealed
        assert ends[1 - number % 2].receiving.decrypt(sealed) == payload


def test_frames_travel_both_ways() -> None:
    """T-P12: what is sent before the handshake is done follows it; keys are known after it."""
    dialler, listener = pair()
    assert dialler.send(b"early") == b""
    assert listener.opening() == b""
    first = dialler.opening()
    second = listener.receive(first).reply
    assert (dialler.remote_key, listener.remote_key) == (None, None)
    third = dialler.receive(second).reply
    assert dialler.remote_key == LISTENER.public
    assert listener.receive(third) == (b"early", b"")
    assert listener.remote_key == DIALLER.public
    assert dialler.receive(listener.send(b"back")).plain == b"back"
    assert b"early" not in third
    assert [len(text) - LENGTH_BYTES for text in messages()] == list(HANDSHAKE)


def test_any_cut_of_the_stream_is_the_same() -> None:
    """T-P12: bytes may arrive in any pieces; long frames take several messages."""
    dialler, listener = connected()
    text = Random(2).randbytes(3 * MAX_PLAIN_BYTES + 5)
    sealed = dialler.send(b"a") + dialler.send(text)
    rng, found, most = Random(3), b"", 0
    while sealed:
        size = rng.choice((1, 2, 3, 1_000, 20_000))
        found += listener.receive(sealed[:size]).plain
        most = max(most, listener.buffered_bytes)
        sealed = sealed[size:]
    assert found == b"a" + text
    assert 0 < most <= LENGTH_BYTES + MAX_MESSAGE_BYTES
    assert listener.buffered_bytes == 0


def flip(text: bytes, bit: int) -> bytes:
    """The text with one bit changed."""
    changed = bytearray(text)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def shake_hands(
    dialler: NoiseTransport, listener: NoiseTransport, number: int, bit: int, heard: list[bytes]
) -> None:
    """A handshake in which one bit of one message changes; garbage follows, for a longer length."""
    text = dialler.opening()
    for at, reader in enumerate((listener, dialler, listener)):
        opened = reader.receive(flip(text, bit) if at == number else text)
        heard.append(opened.plain)
        text = opened.reply
    listener.receive(bytes(MAX_MESSAGE_BYTES))


@pytest.mark.parametrize(("number", "place"), PLACES)
def test_each_flipped_bit_of_the_handshake_fails_closed(number: int, place: int) -> None:
    """T-P12: whoever notices says so, nothing is read, nothing more is sent, no key is believed."""
    for bit in range(8 * place, 8 * place + 8):
        dialler, listener = pair()
        dialler.send(b"frame")
        heard: list[bytes] = []
        with pytest.raises(NotAuthentic):
            shake_hands(dialler, listener, number, bit, heard)
        assert not any(heard)
        broken = (listener, dialler, listener)[len(heard)]
        assert len(heard) >= number
        assert (broken.remote_key, broken.buffered_bytes) == (None, 0)
        assert broken.send(b"more") == b""
        with pytest.raises(NotAuthentic, match="broken"):
            broken.receive(b"")


@pytest.mark.parametrize("number", range(3))
def test_a_truncated_handshake_goes_nowhere(number: int) -> None:
    """T-P12: at every length it is waited for, in fewer than 100 bytes, until the time is over."""
    whole = messages()[number]
    for size in range(len(whole)):
        dialler, listener = pair()
        reader = (listener, dialler, listener)[number]
        if number:
            second = listener.receive(dialler.opening()).reply
            assert len(second) == LENGTH_BYTES + SECOND_BYTES
        assert reader.receive(whole[:size]) == (b"", b"")
        assert reader.remote_key is None
        assert reader.buffered_bytes == size < 100
        assert reader.send(b"frame") == b""


@pytest.mark.parametrize("length", [0, 1, 63, 65, 95, 97, 98, 1_024, 65_535])
@pytest.mark.parametrize("number", range(3))
def test_an_oversized_handshake_is_refused_by_its_length(number: int, length: int) -> None:
    """T-P12: two bytes are enough to know; also a Noise message of any other size."""
    dialler, listener = pair()
    reader = (listener, dialler, listener)[number]
    if number:
        listener.receive(dialler.opening())
    with pytest.raises(NotAuthentic) as caught:
        reader.receive(length.to_bytes(2, "big"))
    exact = HANDSHAKE[number]
    assert (caught.value.value, caught.value.limit) == (length, f"{exact}..{exact}")


@pytest.mark.parametrize("length", [0, 15, 16, MAX_MESSAGE_BYTES + 1, 65_535])
def test_an_oversized_or_empty_message_is_refused_by_its_length(length: int) -> None:
    """T-P12: none is longer than 16 KiB of text, and each says something."""
    _, listener = connected()
    with pytest.raises(NotAuthentic, match="length"):
        listener.receive(length.to_bytes(2, "big"))


def test_a_replayed_handshake_fails() -> None:
    """T-P12: recorded messages mean nothing to another connection, nor twice to the same."""
    first, second, third = messages(seed=1)
    dialler, listener = pair(seed=2)
    dialler.opening()
    with pytest.raises(NotAuthentic):
        dialler.receive(second)
    listener.receive(first)
    with pytest.raises(NotAuthentic):
        listener.receive(third)
    _, twice = pair(seed=3)
    twice.receive(first)
    with pytest.raises(NotAuthentic):
        twice.receive(first)


@pytest.mark.parametrize("order", [(0, 0), (1,), (1, 0), (0, 2)])
def test_repeated_lost_and_reordered_messages_end_it(order: tuple[int, ...]) -> None:
    """T-P12: only the next message opens; one's own message sent back does not."""
    dialler, listener = connected()
    sealed = [dialler.send(bytes([number])) for number in range(3)]
    with pytest.raises(NotAuthentic):
        deque(map(listener.receive, (sealed[number] for number in order)))
    with pytest.raises(NotAuthentic):
        dialler.receive(sealed[0])


def test_each_flipped_bit_of_a_message_fails_closed() -> None:
    """T-P12: also of its length."""
    dialler, _ = connected()
    sealed = dialler.send(b"twelve bytes")
    for bit in range(8 * len(sealed)):
        _, listener = connected()
        with pytest.raises(NotAuthentic):
            listener.receive(flip(sealed, bit) + bytes(MAX_MESSAGE_BYTES))


def test_another_chain_fails_at_the_second_message() -> None:
    """T-P12: the one who dialled learns why it may be, and has not shown its key."""
    dialler, listener = pair(other_chain=Digest(b"x" * 32))
    second = listener.receive(dialler.opening()).reply
    with pytest.raises(NotAuthentic, match="another chain"):
        dialler.receive(second)
    assert dialler.remote_key is None


def test_strangers_cost_no_key() -> None:
    """T-P12: what is not of this protocol is refused before a key is drawn or computed with."""

    def no_entropy(size: int) -> bytes:
        raise AssertionError("entropy spent on a stranger")

    listener = NoiseTransport(LISTENER, CHAIN, no_entropy, outbound=False)
    with pytest.raises(NotAuthentic, match="not of this protocol"):
        listener.receive(FIRST_BYTES.to_bytes(2, "big") + b"\1" * FIRST_BYTES)


@pytest.mark.parametrize("public", [bytes(32), b"\1" + bytes(31)])
def test_keys_of_small_order_are_refused(public: bytes) -> None:
    """T-P12: the shared secret would be zero, whatever our key is."""
    with pytest.raises(NotAuthentic, match="small order"):
        DIALLER.exchange(public)
    listener = NoiseTransport(LISTENER, CHAIN, Random(1).randbytes, outbound=False)
    first = messages()[0]
    with pytest.raises(NotAuthentic):
        listener.receive(first[:2] + public + first[34:])


def test_keys_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P12: both sides at once, after so many messages, to a key of Noise's own rule."""
    monkeypatch.setattr(noise, "REKEY_AFTER", 3)
    sending, receiving = CipherState(b"k" * 32), CipherState(b"k" * 32)
    for number in range(10):
        sealed = sending.encrypt(bytes([number]))
        assert receiving.decrypt(sealed) == bytes([number])
        frozen = CipherState(b"k" * 32)
        frozen.nonce = number
        if number < 3:
            assert frozen.decrypt(sealed) == bytes([number])
        else:
            with pytest.raises(NotAuthentic):
                frozen.decrypt(sealed)


def test_the_last_nonce_is_never_used() -> None:
    """T-P12: a cipher that has come so far stops; the number does not wrap."""
    cipher = CipherState(b"k" * 32)
    cipher.nonce = noise.MAX_NONCE - 1
    sealed = cipher.encrypt(b"last")
    for call in (partial(cipher.encrypt, b"one more"), partial(cipher.decrypt, sealed)):
        with pytest.raises(NotAuthentic, match="no nonce"):
            call()


def test_old_conversations_stay_closed() -> None:
    """T-P12: both node keys and the whole record do not give the key of a session."""
    first, second, _ = messages(seed=5)
    guess = NodeKey(b"guess" + bytes(27))
    guess.public = first[LENGTH_BYTES : LENGTH_BYTES + KEY_BYTES]
    spy = Handshake(DIALLER, guess, prologue(CHAIN), initiator=True)
    assert spy.write(PADDING) == first[LENGTH_BYTES:]
    with pytest.raises(NotAuthentic):
        spy.read(second[LENGTH_BYTES:])
    known = Handshake(
        DIALLER, NodeKey(Random(5).randbytes(KEY_BYTES)), prologue(CHAIN), initiator=True
    )
    known.write(PADDING)
    known.read(second[LENGTH_BYTES:])
    assert connected(seed=5)[0].send(b"same") != connected(seed=6)[0].send(b"same")


def test_random_bytes_raise_nothing_else() -> None:
    """T-P12: 2,000 streams of noise, of handshakes cut and mended, end in the one error."""
    rng = Random(9)
    for _ in range(2_000):
        dialler, listener = pair(seed=rng.randrange(4))
        data = bytearray(b"".join(messages(seed=rng.randrange(4))))
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(40)] = rng.randbytes(rng.randrange(40))
        dialler.opening()
        for side in (dialler, listener):
            with suppress(NotAuthentic):
                assert side.receive(bytes(data)).plain == b""


def test_node_keys_are_read_strictly() -> None:
    """T-P13: 64 digits; the text, which may be a secret, is not repeated."""
    assert parse_node_key("ab" * 32) == b"\xab" * 32
    for text in ("", "ab" * 31, "ab" * 33, "zz" * 32, "5KQwr"):
        with pytest.raises(KeyFormatError) as caught:
            parse_node_key(text)
        assert not text or text not in str(caught.value)
    with pytest.raises(KeyFormatError):
        NodeKey(bytes(31))
    assert "6464" not in repr(DIALLER)
    assert repr(DIALLER) == "NodeKey(redacted)"
