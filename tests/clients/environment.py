"""The published clients, installed from the project's own lists into `.venv/clients`.

They get an interpreter environment of their own, since what they depend on clashes with what the
node depends on. Nothing happens when the lists are as they were at the last installation.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent.parent / ".venv" / "clients"
PYTHON_LIST = HERE / "requirements.txt"
SIGNING_LIST = HERE / "requirements-signing.txt"
METANODE_LIST = HERE / "requirements-metanode.txt"
NODE_LISTS = (HERE / "package.json", HERE / "package-lock.json")
INSTALL_TIMEOUT_S = 300


class ClientsMissing(Exception):
    """The clients cannot be installed here, and why."""


def python_clients() -> Path:
    """The interpreter that has the Python clients; raises `ClientsMissing`."""
    return _python_with(PYTHON_LIST, HOME / "python")


def signing_client() -> Path:
    """The interpreter that has bitshares-signing; raises `ClientsMissing`."""
    return _python_with(SIGNING_LIST, HOME / "signing")


def metanode_client() -> Path:
    """The interpreter that has Graphene-Metanode; raises `ClientsMissing`."""
    return _python_with(METANODE_LIST, HOME / "metanode")


def node_clients() -> Path:
    """The folder whose `node_modules` has the JavaScript clients; raises `ClientsMissing`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ClientsMissing(f"{tool} is not installed")
    home = HOME / "node"
    _install(home, NODE_LISTS, _install_node)
    return home


def _install(home: Path, lists: Sequence[Path], fill: Callable[[Path], None]) -> None:
    stamp = home / ".installed"
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in lists)).hexdigest()
    wanted = f"{digest} {home}"
    HOME.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        if stamp.exists() and stamp.read_text() == wanted:
            return
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        fill(home)
        stamp.write_text(wanted)


def _python_with(packages: Path, home: Path) -> Path:
    _install(home, (packages,), partial(_install_python, packages))
    return home / "bin" / "python"


def _install_python(packages: Path, home: Path) -> None:
    _run([sys.executable, "-m", "venv", str(home)])
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--no-compile", "--require-hashes"]
    _run([*pip, *options, "-r", str(packages)])


def _install_node(home: Path) -> None:
    for path in NODE_LISTS:
        shutil.copy(path, home)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(home)])


def _run(command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientsMissing(f"{command[0]} took more than {INSTALL_TIMEOUT_S} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ClientsMissing(f"{Path(command[0]).name} failed: {' | '.join(lines[-3:])[-300:]}")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One installation at a time; the others wait and then find it done."""
    with home.with_name(home.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Install what is missing and say where it is; exit code 1 when something cannot be."""
    try:
        print(python_clients(), signing_client(), metanode_client(), node_clients(), sep="\n")
    except ClientsMissing as error:
        sys.exit(f"the clients cannot be installed: {error}")


if __name__ == "__main__":
    main()
