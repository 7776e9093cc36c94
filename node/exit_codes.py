"""How a process of pegboard ends: the one table of exit codes, as in sysexits.h."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """An exit code and what it says; `pegboard --help` prints all of them."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Exit:
        """A code with its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done"
    REFUSED = 1, "refused by the chain, or a prediction that did not come true"
    USAGE = 64, "wrong use of the command line"
    DAMAGED = 65, "stored data is damaged, or a file cannot be read as what it should be"
    UNREACHABLE = 69, "no node, or no database of the history, answers at the URL, or not in time"
    BROKEN = (
        70,
        "an invariant of the chain is violated, and the node stopped before keeping the block;"
        " or the network has split for good",
    )
    DISK = 74, "disk full or failing"
    LOCKED = 75, "another process uses the data directory"
    KEYS = 77, "a key, key file or password is missing or wrong"
    CONFIGURATION = 78, "settings or genesis are wrong or do not fit together"
    INTERRUPTED = 130, "interrupted"
