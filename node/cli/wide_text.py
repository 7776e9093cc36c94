"""Paragraphs for terminals, where Chinese and Japanese signs are two columns wide."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

COLUMNS_MIN = 24
"""Narrower terminals wrap by themselves."""
_BEGINS_NO_LINE = frozenset("，。、；：？！）》」』”’…％,.;:?!)%")
_ENDS_NO_LINE = frozenset("（《「『“‘(")
_PIECES = re.compile(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|.", re.DOTALL)
"""Spaces, words, and single wide signs, between which a line may end."""


def width_of(text: str) -> int:
    """How many columns a text takes."""
    return sum(
        0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text
    )


def wrap(text: str, columns: int, indent: str = "") -> list[str]:
    """A paragraph in lines of at most so many columns, as far as its words allow.

    A line ends at spaces and between wide signs, but not before a sign that closes something.
    """
    room = max(columns, COLUMNS_MIN) - width_of(indent)
    lines = [""]
    for piece in _unbroken(text.strip()):
        is_first = not lines[-1]
        if not is_first and width_of(lines[-1] + piece.rstrip()) > room:
            lines.append(piece.lstrip())
        else:
            lines[-1] += piece.lstrip() if is_first else piece
    return [(indent + line).rstrip() for line in lines]


def _unbroken(text: str) -> list[str]:
    """What stays on one line each, with the spaces before it."""
    found = [""]
    for piece in _PIECES.findall(text):
        last = found[-1]
        stays = (
            not last.strip()
            or piece[0] in _BEGINS_NO_LINE
            or last[-1] in _ENDS_NO_LINE
            or last[-1] == "\N{NO-BREAK SPACE}"
            or piece.startswith("\N{NO-BREAK SPACE}")
        )
        if stays:
            found[-1] += piece if not piece.isspace() or "\N{NO-BREAK SPACE}" in piece else " "
        elif piece.isspace():
            found.append(" ")
        else:
            found.append(piece)
    return found
