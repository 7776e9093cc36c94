"""The kept inputs of each target: one text file, one input a line, in escaped form.

What a campaign keeps reaches a place of the code that no other input does, or was a finding once;
those stand behind a line that says what it was, and stay for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DIRECTORY = Path(__file__).parent / "corpus"
COMMENT = "#"


def escape(data: bytes) -> str:
    """An input as a line of ASCII, readable where it is text."""
    text = data.decode("latin-1").encode("unicode_escape").decode()
    text = f"\\x23{text[1:]}" if text.startswith(COMMENT) else text
    blanks = len(text) - len(text.rstrip(" "))
    return text[: len(text) - blanks] + "\\x20" * blanks


def unescape(line: str) -> bytes:
    """The input of a line."""
    return line.encode("ascii").decode("unicode_escape").encode("latin-1")


def path_of(name: str) -> Path:
    """The file of a target."""
    return DIRECTORY / f"{name}.txt"


def read(name: str) -> list[bytes]:
    """All kept inputs of a target, former findings first."""
    path = path_of(name)
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return [unescape(line) for line in lines if line and not line.startswith(COMMENT)]


def write(name: str, found: Iterable[bytes]) -> int:
    """Replace what a campaign found; former findings stay. The number of inputs."""
    path = path_of(name)
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    head = lines[: lines.index("")] if "" in lines else []
    former = {line for line in head if not line.startswith(COMMENT)}
    rest = sorted({escape(data) for data in found} - former, key=lambda line: (len(line), line))
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*head, "", *(line for line in rest if line)]) + "\n")
    return len(former) + len(rest)
