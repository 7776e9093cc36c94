"""Signatures: the bytes of bitsharesjs, and one accepted form for each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import coincurve
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto import recovery, signatures
from protocol.crypto.curve import CURVE_ORDER, KEY_LENGTH
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import NULL_KEY, PrivateKey, parse_wif, public_key
from protocol.errors import KeyFormatError
from protocol.schema import Digest, Signature

SECRET = parse_wif("5KQwrPbwdL6PhXujxW37FSSQZ1JiwsST4cqQzDeyXtP79zkvFD3")
KEY = public_key(SECRET)

JAVASCRIPT = {
    "eaff2efbaad6633967cb849b797f5809775eadf7eea870eb22300ee5dcfe5210": (
        "206f910858f1d8407e85d313c8588494b318d187e975fa8df656c9c5e7f328cf4d"
        "29426bc84d3b7002061f4199973bf736c0d63d1080cfb116ec9ff27ebaf7a00c"
    ),
    "e3b80ed55ae817a254b9aafd5ffc156a37dfe40fe24a1301e56d8b9917aebd82": (
        "1f6dde28c6ffb03401801ebd627c8e9a07bf71794ac1eaac998fe6183de43fd2aa"
        "183709170cb53370cec6fc09cc0f78789fef4dbd049c080e7d49d5496ef756c2"
    ),
    "2380b2f067d928a387e4e2918e26e5ec2f75aeaac28c060791de7830954cbe28": (
        "1f15238a9c209e317eddb7f092ea17f2dd89923dc8e2360c6242f58a849ffc8d60"
        "3ce55f0a5eb31f25ec9ea5e522b18cfe5f11c5a0a8d167f4378e5501228b830c"
    ),
}
"""Digests of real transactions that take 1, 2 and 7 attempts."""

DIGEST = Digest(bytes.fromhex("8aec637bf9004bc6fb5d5d4c057ffcd548a5ebcbf465476506bd75bf456a5969"))
PYTHON = Signature(
    bytes.fromhex(
        "1f2d64016dc345efaf937ee76ae4eb3793dbabcf18cc000c84f38bb2ba38d9f319"
        "4ea9809ddec3e4b846cb7287509659b9f76f1ae731a3681c86caca4b4d19b1ba"
    )
)
"""A signature of the Python client, whose nonce is salted with the time."""


@pytest.mark.parametrize(("digest", "signature"), JAVASCRIPT.items())
def test_signs_as_bitsharesjs_does(digest: str, signature: str) -> None:
    assert signatures.sign_digest(SECRET, Digest(bytes.fromhex(digest))).hex() == signature


def test_recovers_the_key_of_both_clients() -> None:
    assert signatures.recover_key(DIGEST, PYTHON) == KEY
    for digest, signature in JAVASCRIPT.items():
        pair = Digest(bytes.fromhex(digest)), Signature(bytes.fromhex(signature))
        assert signatures.recover_key(*pair) == KEY


@given(st.integers(1, CURVE_ORDER - 1), st.binary(min_size=32, max_size=32))
def test_what_is_signed_is_canonical_and_recovers(number: int, digest: bytes) -> None:
    secret = PrivateKey(number.to_bytes(32, "big"))
    signature = signatures.sign_digest(secret, Digest(digest))
    assert len(signature) == recovery.SIGNATURE_LENGTH
    assert recovery.is_canonical(signature)
    assert signatures.recover_key(Digest(digest), signature) == public_key(secret)


def test_the_twin_with_high_s_is_refused() -> None:
    """Malleability: negating s and the parity gives the same key, so only one form may count."""
    twin = twin_of(PYTHON)
    assert not recovery.is_canonical(twin)
    with pytest.raises(KeyFormatError, match="not canonical"):
        signatures.recover_key(DIGEST, twin)


def test_s_is_compared_with_half_the_order_exactly() -> None:
    half = CURVE_ORDER // 2
    at_limit = Signature(PYTHON[:33] + half.to_bytes(32, "big"))
    above = Signature(PYTHON[:33] + (half + 1).to_bytes(32, "big"))
    assert above[33] < 0x80
    assert recovery.is_canonical(at_limit)
    assert not recovery.is_canonical(above)


@pytest.mark.parametrize(
    ("offset", "number"),
    [(1, "80"), (1, "00"), (1, "007f"), (33, "80"), (33, "00"), (33, "007f")],
)
def test_numbers_that_are_not_32_positive_bytes_are_refused(offset: int, number: str) -> None:
    part = bytes.fromhex(number).ljust(32, b"\x01")
    signature = Signature(PYTHON[:offset] + part + PYTHON[offset + 32 :])
    assert not recovery.is_canonical(signature)
    with pytest.raises(KeyFormatError, match="not canonical"):
        signatures.recover_key(DIGEST, signature)


@pytest.mark.parametrize("header", [0, 26, 27, 30, 35, 255])
def test_only_headers_of_compressed_keys_are_accepted(header: int) -> None:
    with pytest.raises(KeyFormatError, match="header"):
        signatures.recover_key(DIGEST, Signature(bytes((header,)) + PYTHON[1:]))


@pytest.mark.parametrize("signature", [b"", PYTHON[:-1], PYTHON + b"\0"], ids=len)
def test_wrong_length_is_refused(signature: bytes) -> None:
    with pytest.raises(KeyFormatError, match="wrong length of a signature"):
        signatures.recover_key(DIGEST, Signature(signature))


def test_wrong_length_of_the_digest_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="digest"):
        signatures.recover_key(Digest(DIGEST[:-1]), PYTHON)
    with pytest.raises(KeyFormatError, match="digest"):
        signatures.sign_digest(SECRET, Digest(DIGEST + b"\0"))


def test_numbers_that_belong_to_no_key_are_refused() -> None:
    """Recovery ids 2 and 3 mean r + n, which is almost never below the field's prime."""
    with pytest.raises(KeyFormatError, match="belongs to no key"):
        signatures.recover_key(DIGEST, Signature(b"\x21" + PYTHON[1:]))


def test_another_digest_or_bit_gives_another_key_or_none() -> None:
    questions = sha256(DIGEST) + PYTHON
    for position in range(recovery.SIGNATURE_LENGTH):
        changed = bytearray(PYTHON)
        changed[position] ^= 1
        questions += DIGEST + bytes(changed)
    assert KEY not in answers(questions)


def test_a_batch_keeps_order_and_places_of_refusals() -> None:
    other = PrivateKey(b"\7" * 32)
    asked = [
        PYTHON,
        b"\x1b" + PYTHON[1:],
        signatures.sign_digest(other, DIGEST),
        b"\x21" + PYTHON[1:],
        twin_of(PYTHON),
        PYTHON,
    ]
    found = answers(b"".join(DIGEST + signature for signature in asked))
    assert found == [KEY, NULL_KEY, public_key(other), NULL_KEY, NULL_KEY, KEY]
    assert recovery.recover_keys(b"") == b""


def answers(questions: bytes) -> list[bytes]:
    """The keys one by one."""
    size, keys = KEY_LENGTH, recovery.recover_keys(questions)
    return [keys[at : at + size] for at in range(0, len(keys), size)]


def twin_of(signature: Signature) -> Signature:
    """The signature that another sign of s gives, by the same key."""
    s = CURVE_ORDER - int.from_bytes(signature[33:], "big")
    return Signature(
        bytes(((signature[0] - recovery.HEADER ^ 1) + recovery.HEADER,))
        + signature[1:33]
        + s.to_bytes(32, "big")
    )


@pytest.mark.parametrize("flipped", range(1, 4))
def test_a_wrong_recovery_id_is_another_key_whatever_a_verification_says(flipped: int) -> None:
    """T-C3: r is the x coordinate of two points. Verifying by the key that is expected would take
    either one's signature, and nodes that recover would find another key or none: so all recover.
    """
    wrong = Signature(
        bytes((recovery.HEADER + (PYTHON[0] - recovery.HEADER ^ flipped),)) + PYTHON[1:]
    )
    found = answers(DIGEST + wrong)[0]
    assert found != KEY
    assert (found == NULL_KEY) == (flipped >= 2)
    expected = coincurve.PublicKey(KEY)
    plain = coincurve.ecdsa.cdata_to_der(coincurve.ecdsa.deserialize_compact(wrong[1:]))
    assert expected.verify(plain, DIGEST, hasher=None)


def test_threads_do_not_share_buffers() -> None:
    """The library runs without the interpreter lock."""
    secrets = [PrivateKey(sha256(bytes((number,)))) for number in range(40)]
    pairs = [(DIGEST, signatures.sign_digest(secret, DIGEST)) for secret in secrets]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: signatures.recover_key(*pair), pairs * 5))
    assert found == [public_key(secret) for secret in secrets] * 5
