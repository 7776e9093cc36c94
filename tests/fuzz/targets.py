"""The doors that are fuzzed, and the rules that hold at each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import NamedTuple, cast

from protocol.errors import PegboardError

NAMES = (
    "frames",
    "peers",
    "handshake",
    "transactions",
    "blocks",
    "genesis",
    "requests",
    "http",
    "settings",
)

REFUSAL_CHARACTERS_MAX = 2_000
LEAKS = re.compile(r" at 0x[0-9a-f]{6}|Traceback|/home/|site-packages|\.py\b")
"""What no answer to a stranger may hold (T-A7)."""


class Target(NamedTuple):
    """One door."""

    name: str
    check: Callable[[bytes], bool]
    """Whether the bytes were let in; whatever it raises is a finding."""
    seeds: Callable[[], list[bytes]]
    max_bytes: int
    """Longest input that a campaign makes."""


def load(name: str) -> Target:
    """The target of a name; its modules are imported now, and not before."""
    module = import_module(f"tests.fuzz.{name}")
    return Target(name, module.check, module.seeds, cast(int, module.MAX_BYTES))


class Refused(Exception):
    """The door refused with a typed error, as it should."""


@contextmanager
def typed(*expected: type[PegboardError]) -> Iterator[None]:
    """Turns an expected refusal into `Refused`; its text must be short and tell no secrets."""
    try:
        yield
    except expected as error:
        check_refusal(error)
        raise Refused from error


def check_refusal(error: PegboardError) -> None:
    """Raises `AssertionError` for a refusal that says nothing, too much or what it must not."""
    text = str(error)
    assert error.name != PegboardError.name, f"a refusal without a name: {text}"
    assert error.what.strip(), "a refusal that does not say what was refused"
    assert len(text) <= REFUSAL_CHARACTERS_MAX, f"a refusal of {len(text)} characters"
    assert LEAKS.search(text) is None, f"a refusal that tells too much: {text}"


def accepted(check: Callable[[bytes], None]) -> Callable[[bytes], bool]:
    """The check of a target from a function that returns for what it lets in."""

    def result(data: bytes) -> bool:
        try:
            check(data)
        except Refused:
            return False
        return True

    return result


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """The bytes in pieces of a size; in one piece for 0."""
    size = size or len(data) or 1
    return (data[at : at + size] for at in range(0, len(data), size))
