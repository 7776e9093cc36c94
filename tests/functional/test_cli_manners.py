"""However a command ends, it ends in words or in silence, and never in a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli.network_files import free_ports
from node.exit_codes import Exit
from tests.support.commands import CHECKOUT
from tests.unit.test_cli_json import leaves

pytestmark = pytest.mark.functional

FULL = Path("/dev/full")
NOWHERE = ("--url", "http://127.0.0.1:9")


INTERRUPTED = """
import os, signal, sys, threading
from node.start import main
try:
    threading.Timer(float(sys.argv.pop(1)), os.kill, (os.getpid(), signal.SIGINT)).start()
except KeyboardInterrupt:
    sys.exit(130)
main()
"""
"""A slow machine may interrupt this before it has called the program."""


@pytest.mark.parametrize("after_ms", [10, 30, 60, 120, 180, 240, 300, 400, 500, 600])
def test_ctrl_c_while_it_starts(after_ms: int, tmp_path: Path) -> None:
    """At any moment since it was called Ctrl-C ends it, without a traceback."""
    api = f"127.0.0.1:{free_ports(1)[0]}"
    command = ["up", "-n", "1", "--data-dir", str(tmp_path / "net"), "--api", api]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(after_ms / 1000), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (-signal.SIGINT, Exit.INTERRUPTED, Exit.OK)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_disk_is_named() -> None:
    """The help of every command, and answers, onto a disk that takes nothing: exit code 74."""
    program = (
        "import sys\nfrom node.cli import run\n"
        "said = [run([*path.split(), '--help']) for path in sys.argv[1:]]\n"
        "sys.stderr.write(' '.join(map(str, map(int, said))))\nimport os\nos._exit(0)"
    )
    paths = [" ".join(path) for path in leaves()]
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *paths],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        codes = done.stderr.splitlines()[-1].split()
        assert codes == [str(int(Exit.DISK))] * len(paths)
        for arguments in (("rule",), ("rule", "--json"), ("keys", "new"), ("--version",)):
            done = subprocess.run(
                [*CHECKOUT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
            assert (done.returncode, done.stderr.count("\n")) == (Exit.DISK, 1), done.stderr
            assert "No space left" in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_refusal_onto_a_full_disk_keeps_its_code() -> None:
    """Where nothing can be said, the exit code still says it is the disk."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [*CHECKOUT, "show", "chain", *NOWHERE], stdout=full, stderr=full, check=False
        )
    assert done.returncode == Exit.DISK


def test_up_onto_a_full_disk(tmp_path: Path) -> None:
    """`up` stops its network and names the disk."""
    if not FULL.exists():
        pytest.skip("no /dev/full")
    api = f"127.0.0.1:{free_ports(1)[0]}"
    with FULL.open("w") as full:
        done = subprocess.run(
            [*CHECKOUT, "up", "-n", "1", "--data-dir", str(tmp_path / "net"), "--api", api],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (Exit.DISK, False), done.stderr
