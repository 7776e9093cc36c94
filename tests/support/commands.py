"""`pegboard` as a process of its own, for functional tests: read line by line, and ended."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from node.cli import run
from node.cli.client import NodeClient
from node.cli.exits import NodeUnreachable

Json = Any
TIMEOUT_S = 45
STOP_TIMEOUT_S = 20

CHECKOUT = (sys.executable, "-m", "node")
"""The program as the checkout has it."""


def pegboard(
    *arguments: str,
    timeout_s: float = TIMEOUT_S,
    program: Sequence[str] = CHECKOUT,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*program, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
    )


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process: the same but for a start of Python."""
    raws = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(raw, "utf-8", write_through=True) for raw in raws)
    with redirect_stdout(out), redirect_stderr(err):
        code = run([*arguments])
    return subprocess.CompletedProcess(arguments, code, *(raw.getvalue().decode() for raw in raws))


def wait_until_served(
    url: str, *, timeout_s: float = 60, is_running: Callable[[], bool] = lambda: True
) -> bool:
    """Wait until a node answers; False if that takes too long, or what starts it has ended."""
    client, deadline = NodeClient(url, timeout_s=5), time.monotonic() + timeout_s
    while time.monotonic() < deadline and is_running():
        with suppress(NodeUnreachable):
            client.call("database", "get_chain_id")
            return True
        time.sleep(0.1)
    return False


class Running:
    """A command that goes on until it is told to stop; with --json its lines are events."""

    def __init__(
        self, *arguments: str, program: Sequence[str] = CHECKOUT, cwd: Path | None = None
    ) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=cwd,
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, accept: Callable[[Json], object], timeout_s: float = TIMEOUT_S) -> Json:
        """The first event from now on that is accepted."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    break
                continue
            self.seen.append(line)
            event = json.loads(line)
            if accept(event):
                return event
        raise AssertionError(f"no such event; seen: {self.seen[-20:]}")

    def wait_for_block(self, num: int) -> Json:
        """The event of the first block with this number or a higher one."""
        return self.wait_for(lambda event: event["event"] == "block" and event["num"] >= num)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.close()

    def close(self) -> int:
        """Wait for the end, whatever brought it; the exit code."""
        try:
            code = self.process.wait(STOP_TIMEOUT_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.errors.close()
        return code

    def error_text(self) -> str:
        """The end of what it has said on standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-4_000:]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


@contextmanager
def running(
    *arguments: str, program: Sequence[str] = CHECKOUT, cwd: Path | None = None
) -> Iterator[Running]:
    """A command that is stopped at the end of the block, however that comes about."""
    command = Running(*arguments, program=program, cwd=cwd)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.stop()


def processes_with(text: str) -> list[int]:
    """Ids of this machine's processes whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found
