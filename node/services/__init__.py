"""The trio shells: what a process does around its node core."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _as_if_missing(package: str) -> Iterator[None]:
    """Have no module import a package meanwhile that it can do without."""
    found = sys.modules.get(package)
    sys.modules[package] = None  # type: ignore[assignment]  # how the import system says: not there
    try:
        yield
    finally:
        del sys.modules[package]
        if found is not None:
            sys.modules[package] = found


with _as_if_missing("rich"):
    # It would draw tracebacks, which no node has it do, and takes a tenth of a node's start to load
    import structlog  # noqa: F401
