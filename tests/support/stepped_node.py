"""`python -m tests.support.stepped_node FILE …`: pegboard with a wall clock that a test sets.

The file holds how many milliseconds it is ahead; without the file it is right.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from node.start import main

true_ns = time.time_ns


def ahead_ms(file: Path) -> int:
    """What the test has written."""
    try:
        return int(file.read_text() or "0")
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    clock_file = Path(sys.argv.pop(1))
    time.time_ns = lambda: true_ns() + ahead_ms(clock_file) * 1_000_000
    main()
