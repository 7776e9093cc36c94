"""Runs one chapter of a driver: a script that uses a client, under the client's own interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from node.presets import WITNESSES, development_key
from protocol.crypto.keys import wif
from protocol.schema import Record

Json = Any

DRIVERS = Path(__file__).resolve().parent / "drivers"
CHAPTER_TIMEOUT_S = 90
MARK = "RESULT "


class Driver(Record):
    """A client, where it runs, and the accounts and the BitAsset that it has for itself."""

    command: Sequence[str]
    url: str
    me: str
    other: str
    peg: str
    environment: Mapping[str, str] = MappingProxyType({})
    folder: Path | None = None
    """Where it runs, if it leaves files behind."""

    def run(self, chapter: str, **settings: Json) -> Json:
        """The result of a chapter; an `AssertionError` with what the client said if it failed."""
        wanted = {
            "url": self.url,
            "me": self.me,
            "other": self.other,
            "peg": self.peg,
            "witness": WITNESSES[0],
            "token": f"{self.peg}TOKEN",
            "newcomer": f"{self.me}-child",
            "keys": {
                name: wif(development_key(name, "active"))
                for name in (self.me, self.other, WITNESSES[0])
            },
            "more_keys": [],
            **settings,
        }
        done = subprocess.run(
            [*self.command, chapter],
            input=json.dumps(wanted),
            capture_output=True,
            text=True,
            timeout=CHAPTER_TIMEOUT_S,
            check=False,
            env={**os.environ, **self.environment},
            cwd=self.folder,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        said = f"{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}"
        assert done.returncode == 0, f"{chapter} ended with {done.returncode}\n{said}"
        assert len(lines) == 1, f"{chapter} gave no result\n{said}"
        return json.loads(lines[0].removeprefix(MARK))
