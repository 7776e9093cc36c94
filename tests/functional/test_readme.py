"""The README walk: each command in it, in its order, in a fresh folder, as a reader would.

The commands are taken from the text itself, so that a command that is added or changed there is
run from then on. `CHANGED` has the few that cannot run as they stand, and why.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from node.cli.network_files import free_ports
from node.exit_codes import Exit
from tests.support.commands import wait_until_served
from tests.support.postgres import PostgresServer
from tests.support.transcripts import Transcript, first_difference, transcripts_of

pytestmark = pytest.mark.functional

REPO = Path(__file__).resolve().parents[2]
README = REPO / "README.md"
PROGRAMS = ("./scripts/", ".venv/bin/", "pegboard ", "python3 ", "bots/bin/")
"""How a command of the README begins; what else is written as code is a name."""

COMMAND_TIMEOUT_S = 300
START_TIMEOUT_S = 300
"""The first `up` installs what running needs."""

CHANGED = {
    # This walk is a part of all tests.
    "./scripts/test": "",
    "./scripts/test -k margin": "./scripts/test -q tests/unit/test_fees.py",
    # A measurement of minutes; that it starts is seen.
    "./scripts/bench": "./scripts/bench --help",
    # `scripts/test` begins with it.
    "./scripts/check": "",
    # Minutes of a C compiler; that it starts is seen.
    "./scripts/compile": "./scripts/compile --help",
    "./scripts/compile --check": "",
    # Half a minute of simulated faults, as tests/simulation has many.
    "./scripts/simulate --seed 7": "./scripts/simulate --help",
    "./scripts/simulate --seed 7 --scenario config/scenarios/lira.toml": "",
    "./scripts/simulate --hours 1": "",
    "./scripts/simulate --teeth": "",
    # Campaigns of minutes to hours, of which the tests hold a share; that they start is seen.
    "./scripts/crashpoints": "./scripts/crashpoints --help",
    "./scripts/fuzz": "./scripts/fuzz --help",
    "./scripts/docs": "./scripts/docs --help",
    "./scripts/siege": "./scripts/siege --help",
    "./scripts/siege --memory 512": "",
    "./scripts/soak --hours 24": "./scripts/soak --help",
    "./scripts/flood": "./scripts/flood --help",
    "./scripts/shocks": "./scripts/shocks --help",
    "pegboard node --config FILE --follow HOST:PORT": "pegboard node --help",
    "./scripts/threats --share 0.01": "./scripts/threats --help",
    "./scripts/campaign": "./scripts/campaign --help",
    # 360 runs take minutes; two of a smaller scenario are played.
    ".venv/bin/pegboard lab config/scenarios/lira.toml --vary MCR=1.4,1.6,1.75"
    " --vary MSQR=1.05,1.1,1.5 --paths 40 --seed 2021 --out lira": (
        ".venv/bin/pegboard lab config/scenarios/fall.toml --paths 2 --out lira"
    ),
    # uv does in seconds what takes pip half a minute; `up` has installed it where it may.
    ".venv/bin/pip install -e '.[lab]'": (
        ".venv/bin/uv pip install -q --python .venv/bin/python -e '.[lab]' || {command}"
    ),
    ".venv/bin/python -m pip install -qq --disable-pip-version-check pytest": (
        ".venv/bin/uv pip install -q --python .venv/bin/python pytest || {command}"
    ),
    ".venv/bin/pip install 'psycopg[binary]>=3.3'": (
        ".venv/bin/uv pip install -q --python .venv/bin/python 'psycopg[binary]>=3.3' || {command}"
    ),
    "python3 -m venv bots && bots/bin/pip install bitshares==0.7.1": (
        "python3 -m venv --without-pip bots"
        " && .venv/bin/uv pip install -q --python bots/bin/python bitshares==0.7.1 || ({command})"
    ),
    # Asks the index for newer versions and writes them down.
    "./scripts/lock": "",
    "pegboard replay --history": "pegboard replay --history --data-dir {data}",
    "bots/bin/python tests/clients/tutorial.py": "{command} ws://{api}",
}
"""What runs in place of a command; {command} is the command itself."""

STANDING = tuple(
    f"{where}{what}"
    for where in ("", ".venv/bin/")
    for what in ("./scripts/up", "pegboard up", "pegboard node --dev")
)
"""What runs until it is stopped."""


def commands_of(text: str) -> Iterator[str | Transcript]:
    """The commands of a README, programs in Python and transcripts, in their order."""
    for is_block, group in groupby(
        text.splitlines(), lambda line: not line or line.startswith("    ")
    ):
        lines = [line.removeprefix("    ") for line in group]
        block = "\n".join(lines).strip("\n").splitlines()
        if not is_block:
            for code in re.findall(r"`([^`]+)`", " ".join(lines)):
                if code.startswith(PROGRAMS):
                    yield code
        elif not block:
            continue
        elif block[0].startswith("$ "):
            yield from transcripts_of(block)
        elif block[0].startswith("import "):
            yield "\n".join(block)
        else:
            yield from (_bare(line) for line in block if line.startswith(PROGRAMS))


def _bare(line: str) -> str:
    """A command without the words that explain it, which stand behind two blanks or more."""
    return re.split(r" {2,}", line)[0].rstrip()


class Walk:
    """A reader in a folder of their own."""

    def __init__(self, folder: Path, data: Path, history: str) -> None:
        self.folder = folder
        self.data = data
        self.history = history
        self.api = f"127.0.0.1:{free_ports(1)[0]}"
        self.output = data / "output.txt"
        self.standing: subprocess.Popen[bytes] | None = None
        self.network = ""
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONSAFEPATH")
        inherited = {name: value for name, value in os.environ.items() if name not in hidden}
        self.environment = {
            **inherited,
            "XDG_DATA_HOME": str(data),
            "PEGBOARD_URL": f"http://{self.api}",
            "PIP_NO_COMPILE": "1",
        }

    def take(self, command: str | Transcript) -> None:
        """Run one command of the README, to its end or until the next that stays."""
        if isinstance(command, Transcript):
            fails = any(" failed" in line for line in command.printed)
            said = self._run(self._adapted(command.command), fails=fails)
            wrong = first_difference(command.printed, said)
            if wrong is not None:
                self._fail(f"{command.command}\nis not said to print: {wrong}", said)
            return
        if command.startswith("import "):
            program = self.folder / "program.py"
            program.write_text(command)
            self._run(f".venv/bin/python -P {program}")
            return
        wanted = self._adapted(command)
        if command.startswith(STANDING):
            self._start(command, wanted)
        elif wanted:
            if "replay" in wanted:
                self.stop()
            self._run(wanted)

    def _adapted(self, command: str) -> str:
        """What runs in place of a command."""
        if command in CHANGED:
            names = {"command": command, "data": self.network, "api": self.api}
            command = CHANGED[command].format(**names)
        command = re.sub(r"postgresql://\S+", self.history, command)
        return re.sub(r"^pegboard ", ".venv/bin/pegboard ", command)

    def _start(self, command: str, wanted: str) -> None:
        self.stop()
        self.network = str(self.data / "networks" / re.sub(r"\W+", "-", command).strip("-"))
        options = f" --api {self.api} --data-dir {self.network}"
        if "--block-interval" not in wanted and "--fork" not in wanted:
            options += " --block-interval 1"
        with self.output.open("wb") as output:
            self.standing = subprocess.Popen(
                ["bash", "-c", f"exec {wanted}{options}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        standing = self.standing
        is_served = wait_until_served(
            f"http://{self.api}",
            timeout_s=START_TIMEOUT_S,
            is_running=lambda: standing.poll() is None,
        )
        if not is_served:
            self._fail(command, self.output.read_text(errors="replace"))

    def _run(self, command: str, *, fails: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if (done.returncode != 0) != fails:
            self._fail(command, done.stdout)
        return done.stdout

    def stop(self) -> None:
        """End what stands, with Ctrl-C; it ends well."""
        if self.standing is None:
            return
        standing, self.standing = self.standing, None
        standing.send_signal(signal.SIGINT)
        try:
            code = standing.wait(60)
        except subprocess.TimeoutExpired:
            standing.kill()
            raise
        said = self.output.read_text(errors="replace")
        assert code in (Exit.OK, Exit.INTERRUPTED), said[-4_000:]
        assert "Traceback" not in said, said[-4_000:]

    def _fail(self, command: str, said: str) -> None:
        raise AssertionError(f"{command}\n{said[-4_000:]}")


def test_the_readme_s_commands_are_found() -> None:
    """The text is read as it is written: comments, blocks, inline code, programs in Python."""
    text = """
Do `./scripts/up -n 5` and never `scripts/up`:

    ./scripts/test -k x     some tests, all of them
    .venv/bin/pegboard rule R4.2
    NAME  a table

and a program:

    import pegboard

    print(1)

or `pegboard blocks
until +1d`.
"""
    assert list(commands_of(text)) == [
        "./scripts/up -n 5",
        "./scripts/test -k x",
        ".venv/bin/pegboard rule R4.2",
        "import pegboard\n\nprint(1)",
        "pegboard blocks until +1d",
    ]
    written = list(commands_of(README.read_text()))
    found = [one if isinstance(one, str) else one.command for one in written]
    assert [one for one in written if isinstance(one, str)][:2] == [
        "./scripts/up",
        "./scripts/test",
    ]
    assert set(CHANGED) <= set(found), "a change for a command that the README has no more"


def test_a_reader_s_walk(tmp_path: Path, postgres: PostgresServer) -> None:
    """Every command of the README works in a fresh folder, and the checks after it."""
    folder = tmp_path / "checkout"
    copy_checkout(folder)
    walk = Walk(folder, tmp_path / "data", postgres.create_database())
    walk.data.mkdir()
    try:
        for command in commands_of(README.read_text()):
            begin = time.monotonic()
            walk.take(command)
            shown = command if isinstance(command, str) else f"$ {command.command}"
            print(f"{time.monotonic() - begin:6.1f} s  {shown.splitlines()[0]}")
    finally:
        walk.stop()


def copy_checkout(folder: Path) -> None:
    """The files that git keeps; and what mypy found in them last, which saves a minute."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = REPO / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
    cache = REPO / ".mypy_cache"
    if cache.exists():
        shutil.copytree(cache, folder / cache.name)
