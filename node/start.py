"""Where the program begins: Ctrl-C ends it without a word while it is still being loaded."""

from __future__ import annotations

import gc
import signal
import sys

from node.exit_codes import Exit

NEW_OBJECTS = 200_000
"""After which the garbage collector looks, more than what is being loaded: that stays."""


def main() -> None:
    """Load the command line, which takes a moment, and run it.

    A shell starts its background jobs with Ctrl-C ignored; that stays.
    """
    gc.set_threshold(NEW_OBJECTS)
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from node.cli import main as run

    try:
        signal.signal(signal.SIGINT, handler)
        run()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
