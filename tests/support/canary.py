"""Looks for the keys of a network in all that it leaves behind while it runs (T-X1)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from protocol.crypto.hashes import sha256
from protocol.crypto.keys import encode_base58, parse_wif

KEY_DIRECTORY = "keys"
OF_PROCESS = ("cmdline", "environ", "comm")
"""What others can read of a process, as far as the system lets them."""


def forms_of(secret: bytes) -> dict[str, bytes]:
    """How 32 bytes of a key may be written down, by name."""
    base64 = b64encode(secret).rstrip(b"=")
    wifs = {}
    for name, payload in (
        ("WIF", b"\x80" + secret),
        ("compressed WIF", b"\x80" + secret + b"\x01"),
    ):
        checksum = sha256(sha256(payload))[:4]
        wifs[name] = encode_base58(payload + checksum).encode()
    return {
        "bytes": secret,
        "reversed bytes": secret[::-1],
        "hexadecimal": secret.hex().encode(),
        "capital hexadecimal": secret.hex().upper().encode(),
        "base 58": encode_base58(secret).encode(),
        "base 64": base64,
        "base 64 of URLs": urlsafe_b64encode(secret).rstrip(b"="),
        **wifs,
    }


def secrets_in(directory: Path) -> dict[str, bytes]:
    """The keys of all key files under a directory, by the names of the files."""
    found = {}
    for path in sorted(directory.rglob(f"{KEY_DIRECTORY}/*")):
        text = path.read_text().strip()
        is_wif = path.suffix == ".wif"
        found[str(path)] = parse_wif(text).reveal() if is_wif else bytes.fromhex(text)
    return found


def find_keys(directory: Path, processes: Iterable[int]) -> list[str]:
    """Where a key stands that is in a key file under a directory: in any other file there, or in
    what the system tells of processes and of the files that they have open."""
    needles = [
        (f"{Path(path).name} as {form}", text)
        for path, secret in secrets_in(directory).items()
        for form, text in forms_of(secret).items()
    ]
    assert needles, "no key to look for"
    places = [path for path in directory.rglob("*") if path.parent.name != KEY_DIRECTORY]
    places += [place for process in processes for place in _places_of(process, directory)]
    return [
        f"{name} in {place}"
        for place in places
        if (data := _read(place))
        for name, text in needles
        if text in data
    ]


def _places_of(process: int, directory: Path) -> Iterator[Path]:
    """What the system tells of a process, and its open files that are not in the directory."""
    root = Path(f"/proc/{process}")
    yield from (root / name for name in OF_PROCESS)
    with suppress(OSError):
        for opened in (root / "fd").iterdir():
            target = opened.readlink()
            if not (target.is_file() and target.is_relative_to(directory)):
                yield opened


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes() if place.is_file() else b""
    except OSError:
        return b""
