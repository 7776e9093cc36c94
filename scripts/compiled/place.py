"""Puts what was compiled into the environment, and takes it out again."""

from __future__ import annotations

import json
import shutil
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from . import finder
from .build import OWN_FILES

SITE = Path(sysconfig.get_path("platlib"))
MODULES = SITE / Path(finder.FOLDER).name
FINDER = SITE / "pegboard_compiled.py"
LIBRARY = SITE / (finder.LIBRARY + EXTENSION_SUFFIXES[0])
STARTER = SITE / "pegboard_compiled.pth"
"""Read by every Python of the environment when it starts."""


def key_in_place() -> str | None:
    """The key of what stands there, or None."""
    try:
        manifest = json.loads((MODULES / finder.MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    key: str | None = manifest.get("key")
    return key if STARTER.exists() and FINDER.exists() else None


def put(made: Path) -> None:
    """Put extensions in place; processes that run keep those that they have."""
    remove()
    shutil.copytree(made, MODULES)
    shutil.move(MODULES / LIBRARY.name, LIBRARY)
    shutil.copy(OWN_FILES / "finder.py", FINDER)
    STARTER.write_text("import pegboard_compiled; pegboard_compiled.install()\n")


def remove() -> None:
    """Take everything out; from now on the sources are interpreted."""
    STARTER.unlink(missing_ok=True)
    FINDER.unlink(missing_ok=True)
    LIBRARY.unlink(missing_ok=True)
    shutil.rmtree(MODULES, ignore_errors=True)
