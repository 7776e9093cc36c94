"""The linters find what they are configured to find: the settings can fail.

`scripts/check` runs them over the repository; here each meets a planted violation.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
FUTURE = "from __future__ import annotations\n"
HEAD = f'"""A module."""\n\n{FUTURE}\n'


def complaints(path: str, text: str) -> set[str]:
    """The codes of what ruff says about a text that stood in a file of the repository."""
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    done = subprocess.run(
        [*ruff, "--stdin-filename", path, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO,
    )
    assert done.returncode in (0, 1), done.stderr
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith(path)}


PLANTED = [
    ("E501", "tests/x.py", HEAD + "x = " + "1" * 97 + "\n"),
    ("S301", "node/x.py", HEAD + "import pickle\n\npickle.loads(b'')\n"),
    ("S307", "node/x.py", HEAD + "eval('1')\n"),
    ("S602", "node/x.py", HEAD + "import subprocess\n\nsubprocess.run('ls', shell=True)\n"),
    ("D100", "node/x.py", FUTURE + "x = 1\n"),
    ("D103", "node/x.py", HEAD + "def f(): pass\n"),
    ("D103", "node/x.py", HEAD + "async def f(): pass\n"),
    ("D101", "protocol/x.py", HEAD + "class A: pass\n"),
    ("I002", "tests/x.py", '"""A module."""\n\nx = 1\n'),
    ("FIX002", "scripts/x.py", HEAD + "x = 1  # TO" + "DO: later\n"),
    ("TID251", "node/market/x.py", HEAD + "from typing import Any\n"),
    ("TID251", "protocol/operations/x.py", HEAD + "import typing\n\nx: list[typing.Any]\n"),
    ("SLF001", "node/core/x.py", HEAD + "x = y._z\n"),
    ("T201", "node/cli/x.py", HEAD + 'print("x")\n'),
    ("ARG001", "node/market/x.py", HEAD + 'def f(x):\n    """A function."""\n    return 1\n'),
    ("BLE001", "node/x.py", HEAD + "try:\n    f()\nexcept Exception:\n    pass\n"),
]


@pytest.mark.parametrize(("code", "path", "text"), PLANTED)
def test_ruff_finds_a_planted_violation(code: str, path: str, text: str) -> None:
    """The rules of the house that ruff knows, each where it holds."""
    assert code in complaints(path, text)


PERMITTED = [
    ("D103", "node/x.py", HEAD + "def _f(): pass\n"),
    ("D103", "tests/x.py", HEAD + "def f(): pass\n"),
    ("D104", "node/x/__init__.py", ""),
    ("I002", "node/x/__init__.py", '"""A package."""\n'),
    ("TID251", "protocol/schema.py", HEAD + "from typing import Any\n\nx: Any\n"),
    ("TID251", "node/services/x.py", HEAD + "from typing import Any\n\nx: Any\n"),
    ("T201", "scripts/x.py", HEAD + 'print("x")\n'),
]


@pytest.mark.parametrize(("code", "path", "text"), PERMITTED)
def test_ruff_lets_pass_what_is_allowed(code: str, path: str, text: str) -> None:
    """The rules hold nowhere else."""
    assert code not in complaints(path, text)


def test_dead_code_is_found(tmp_path: Path) -> None:
    """Functions, methods, classes and constants that nothing uses; not fields or parameters."""
    module = tmp_path / "module.py"
    module.write_text(
        "LIMIT = 1\n"
        "def lone(unused): pass\n"
        "class Kept:\n"
        "    field: int\n"
        "    def method(self): pass\n"
        "kept = Kept()\n"
        "kept.field = 2\n"
    )
    done = subprocess.run(
        [sys.executable, str(REPO / "scripts" / "dead_code.py"), str(module)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.findall("'(.+)'", done.stderr) == ["LIMIT", "lone", "method"]
