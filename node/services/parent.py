"""The command that started this node: it holds the other end of standard input.

That end closes with the command, however it ends, and the node ends too. Over the same socket the
node may ask it for what no process can do alone: to take the whole network through time. Nobody
else has that socket, and it has no address.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

from node.api.errors import NetworkRefused, NotPossible
from protocol.errors import PegboardError
from protocol.json_form import JsonValue

Done = Callable[["JsonValue | PegboardError"], None]


class Parent:
    """One end of a pair of sockets; texts are JSON, one a line, and answers come in any order."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._number = 0
        self._waiting: dict[int, tuple[trio.lowlevel.TrioToken, Done]] = {}
        self._lock = threading.Lock()

    def watch(self, gone: Callable[[], None]) -> None:
        """Read answers in a thread of its own until the command is gone, and say so."""
        threading.Thread(target=self._read, args=(gone,), daemon=True).start()

    def ask(self, verb: str, argument: JsonValue, done: Done) -> None:
        """Have the network go through time; `done` is told the answer or the refusal, by the event
        loop that asks. Raises `NotPossible` when the command is gone."""
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = trio.lowlevel.current_trio_token(), done
        text = json.dumps({"number": number, "verb": verb, "argument": argument}) + "\n"
        try:
            self._end.sendall(text.encode())
        except OSError as error:
            with self._lock:
                self._waiting.pop(number, None)
            raise NotPossible(f"the command that runs this network is gone: {error}") from error

    def _read(self, gone: Callable[[], None]) -> None:
        with suppress(OSError), self._end.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self._settle(json.loads(line))
        gone()

    def _settle(self, answer: dict[str, Any]) -> None:
        with self._lock:
            token, done = self._waiting.pop(answer["number"])
        refusal = answer.get("error")
        outcome = answer.get("result") if refusal is None else NetworkRefused.read(refusal)
        # a node that began anew has forgotten who asked
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(done, outcome)


def parent_at_standard_input() -> Parent:
    """The command that started this node, which ends with it."""
    parent = Parent(socket.socket(fileno=os.dup(0)))
    parent.watch(lambda: os.kill(os.getpid(), signal.SIGTERM))
    return parent
