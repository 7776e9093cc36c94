"""A process that recovers keys: questions on its standard input, keys on its standard output.

What it is asked and says is that of `recover_keys`, without a beginning or an end. It lives as long
as somebody asks: its input ends with the node, however that ends.

Each node has as many as cores, and a sync begins with their start: they load what they need alone.
`node.services.signature_pool.worker_command` starts one.
"""

from __future__ import annotations

import os
import signal
from typing import Final

from protocol.crypto.recovery import QUESTION_LENGTH, recover_keys

CHUNK: Final = 250
"""Signatures that are answered together: each answer is a round of the node's event loop."""


def work() -> None:
    """Answer until nobody asks any more. Ctrl-C in a terminal is for the node to judge."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = b""
    while data := os.read(0, CHUNK * QUESTION_LENGTH - len(asked)):
        asked += data
        whole = len(asked) - len(asked) % QUESTION_LENGTH
        if not _tell(recover_keys(asked[:whole])):
            return
        asked = asked[whole:]


def _tell(keys: bytes) -> bool:
    """Write all; False when nobody listens any more."""
    left = memoryview(keys)
    try:
        while left:
            left = left[os.write(1, left) :]
    except BrokenPipeError:
        return False
    return True
