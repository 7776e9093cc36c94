"""Whether the inner modules run as C extensions (`scripts/compile`)."""

from __future__ import annotations

import sys

from node.state import undo

SWITCH = "PEGBOARD_COMPILED"
"""Environment variable; "0" has a process interpreted."""
FINDER = "pegboard_compiled"
"""The module that lets extensions in, where there are any."""


def how_it_runs() -> str:
    """Of the inner modules: "compiled" or "interpreted", and why where that surprises."""
    if hasattr(undo.UndoLog.begin, "__code__"):
        finder = sys.modules.get(FINDER)
        if finder is not None and finder.is_stale():
            return "interpreted: the sources are not those of the last scripts/compile"
        return "interpreted"
    return "compiled"
