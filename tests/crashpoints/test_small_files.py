"""T-S2, T-W1: every small file of a data directory, crashed at each step of its writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.crashpoints import small_files
from tests.crashpoints.enumeration import Enumeration, scratch
from tests.crashpoints.mutants import REPLACEMENTS
from tests.crashpoints.small_files import SMALL_FILES, crash_everywhere
from tests.crashpoints.sqlite_files import find_library

pytestmark = pytest.mark.skipif(
    find_library() is None,
    reason="NOT PROVEN HERE: Python's SQLite is not a library that can be watched",
)


@pytest.fixture
def directory() -> Iterator[Path]:
    with scratch() as found:
        yield found


@pytest.mark.parametrize("name", SMALL_FILES)
def test_what_was_told_is_there_whole_after_each_crash(directory: Path, name: str) -> None:
    """T-S2, T-X1: every small file of a data directory, keys among them."""
    enumeration = Enumeration(cap=50)
    assert crash_everywhere(SMALL_FILES[name], directory, enumeration) == []
    assert enumeration.crashes > 4 * SMALL_FILES[name].writes


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_a_planted_bug_is_found(directory: Path, name: str) -> None:
    """P16: each wrong order of write, flush and rename."""
    with patch.object(small_files, "replace_file", REPLACEMENTS[name]):
        file = SMALL_FILES["any that is replaced"]
        assert crash_everywhere(file, directory, Enumeration(cap=50))
