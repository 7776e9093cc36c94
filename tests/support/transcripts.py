"""What documents say that commands print, compared with what they do print.

A transcript is a block of lines: `$ command`, with what stands up to END after `<<END`, and below
it what is printed. A line "…" stands for any lines, "…" at the end of a line for its rest. Numbers
of blocks, ids, seeds and times differ from run to run and are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

ELISION = "…"
VOLATILE = (
    (r"\b[0-9a-f]{40}\b", "ID"),
    (r"\bblock \d+", "block N"),
    (r"\b\d+\.\d+\.\d+\b", "N.N.N"),
    (r"\b(--pegboard-seed|seed) \d+", r"\1 N"),
    (r"\bin \d+\.\d+s\b", "in N s"),
    (r"(?:/[\w.-]+)+/my-bot/", "/my-bot/"),
    (r"\s+", " "),
)


class Transcript(NamedTuple):
    """A command, and the lines that it is said to print."""

    command: str
    printed: tuple[str, ...]


def transcripts_of(lines: Sequence[str]) -> Iterator[Transcript]:
    """The commands of a block that begins with "$ "."""
    command, printed, is_inside = "", list[str](), False
    for line in lines:
        if is_inside:
            command += f"\n{line}"
            is_inside = line != "END"
        elif line.startswith("$ "):
            if command:
                yield Transcript(command, tuple(printed))
            command, printed, is_inside = line[2:], [], "<<END" in line
        else:
            printed.append(line)
    yield Transcript(command, tuple(printed))


def first_difference(expected: Sequence[str], printed: str) -> str | None:
    """The first line of a transcript that was not printed in its place; None if all were."""
    found = [bare for line in printed.splitlines() if (bare := _without_volatile(line))]
    place, may_skip = 0, False
    for line in expected:
        wanted = _without_volatile(line)
        if wanted == ELISION:
            may_skip = True
            continue
        fitting = (at for at in range(place, len(found)) if _fits(wanted, found[at]))
        at = next(fitting, None)
        if at is None or (at > place and not may_skip):
            return line
        place, may_skip = at + 1, False
    rest = found[place:]
    return None if may_skip or not rest else f"(end) {rest[0]}"


def _fits(wanted: str, found: str) -> bool:
    if wanted.endswith(ELISION):
        return found.startswith(wanted.removesuffix(ELISION).rstrip())
    return wanted == found


def _without_volatile(line: str) -> str:
    for pattern, instead in VOLATILE:
        line = re.sub(pattern, instead, line)
    return line.strip()
