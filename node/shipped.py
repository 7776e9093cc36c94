"""Files that come with the program: `config/`, which is also the folder `config` of `pegboard`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def shipped_file(path: str) -> Path:
    """Where a file of `config/` lies, by its path from the repository's root."""
    found = find_spec("pegboard")
    assert found is not None, "it is installed with `node`"
    assert found.origin is not None
    return Path(found.origin).parent / path


def find_file(path: str) -> Path:
    """A file from the working directory, or, where it has none of that path, of `config/`."""
    own = Path(path).resolve()
    shipped = shipped_file(path)
    return shipped if path.startswith("config/") and not own.exists() and shipped.exists() else own
