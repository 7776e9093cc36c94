#!/usr/bin/env python3
"""Asks a public database about known holes in the locked packages; exit code 1 if it knows one.

    scripts/audit.py LOCK [OPTION OF PIP-AUDIT ...]

Where the database cannot be reached, that is said, and the exit code is 0. A lock that had no hole
is not asked about again on the same day.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

AUDITED = Path(sys.prefix) / ".pegboard-audited"
"""What had no hole, and when: a line of a day and the SHA256 of a lock."""
TIMEOUT_S = 120


class DatabaseMissing(Exception):
    """The database gave no answer, and why."""


def ask(lock: Path, options: Sequence[str]) -> tuple[list[str], list[str]]:
    """A line for each known hole, and the names of packages that the database does not know.

    Raises `DatabaseMissing`.
    """
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    form = ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, *form, "-r", str(lock), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired as error:
        raise DatabaseMissing(f"no answer within {TIMEOUT_S} s") from error
    except ValueError as error:
        lines = done.stderr.strip().splitlines()
        raise DatabaseMissing(lines[-1][-300:] if lines else "no answer") from error
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        raise DatabaseMissing("it answers for none of the packages")
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, fixed in "
        f"{', '.join(hole['fix_versions']) or 'no version'}"
        for package in packages
        for hole in package.get("vulns", ())
    ]
    return holes, unknown


def main(lock: Path, options: Sequence[str]) -> int:
    """Audit a lock; the exit code."""
    today = datetime.now(UTC).date().isoformat()
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    clean = f"{today} {digest} {' '.join(options)}\n"
    if AUDITED.exists() and AUDITED.read_text() == clean:
        return 0
    try:
        holes, unknown = ask(lock, options)
    except DatabaseMissing as error:
        print(f"{lock.name} is NOT checked for known holes, the database cannot be asked: {error}")
        return 0
    if unknown:
        print(f"{lock.name}: the database does not know {', '.join(unknown)}")
    if holes:
        print(
            f"{lock.name} has known holes; `scripts/lock --upgrade` may mend them:",
            *holes,
            sep="\n  ",
        )
        return 1
    print(f"{lock.name} has no known hole")
    if not unknown:
        AUDITED.write_text(clean)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
