"""Transcripts of documents: a line that is not printed, or printed and left out, is found."""

from __future__ import annotations

import pytest

from tests.support.transcripts import Transcript, first_difference, transcripts_of

PRINTED = "one\nblock 12 made 1.7.3\nthree and more\nfour\n"


def test_commands_and_what_they_print_are_told_apart() -> None:
    """A file that is written inline belongs to its command."""
    lines = ["$ cat > a.py <<END", "x = 1", "END", "$ run a.py", "1", "…"]
    assert list(transcripts_of(lines)) == [
        Transcript("cat > a.py <<END\nx = 1\nEND", ()),
        Transcript("run a.py", ("1", "…")),
    ]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["one", "block 7 made 1.7.9", "three …", "four"], None),
        (["one", "…", "four"], None),
        (["…", "three …", "…"], None),
        (["one", "four"], "four"),
        (["…", "five", "…"], "five"),
        (["…", "three"], "three"),
        (["four", "…", "one"], "four"),
        (["one", "…", "three …"], "(end) four"),
    ],
)
def test_what_was_not_printed_in_its_place_is_named(lines: list[str], wrong: str | None) -> None:
    """Volatile numbers do not count, order and completeness do."""
    assert first_difference(lines, PRINTED) == wrong
