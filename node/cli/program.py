"""How the reader calls this program from where they are."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path

PROGRAM = "pegboard"


def command_name() -> str:
    """What to type in the working directory: "pegboard", or a path to it, or `python -m node`.

    The name alone only where the shell finds the program that runs now, and no other.
    """
    own = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM)
    if not own.exists():
        return f"{shlex.quote(sys.executable)} -m node"
    if found is not None and Path(found).resolve() == own.resolve():
        return PROGRAM
    with suppress(OSError, ValueError):
        own = own.relative_to(Path.cwd())
    return shlex.quote(str(own))
