"""The table of calls, client by client, made from what a tap saw in the tests of the clients.

`scripts/conformance` runs those tests and writes the table to `node/api/CONFORMANCE.md`. With names
of tests, only these run, and the columns of the other clients stay.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.clients.tap import Tally

Json = Any

REPO = Path(__file__).resolve().parent.parent.parent
TABLE = REPO / "node" / "api" / "CONFORMANCE.md"
TALLY_VARIABLE: Final = "PEGBOARD_CLIENT_TALLY"
"""Environment variable: the file that the tests write their tally to."""
NOT_CLIENTS: Final = ("raw frames",)
"""Taps that no published client speaks through."""

HEAD = """\
# Calls of published clients

Written by `scripts/conformance` from the traffic of `tests/clients`, in which each client, as it
was published, drives a network of three witnesses (python-bitshares' own tests: a development
node). A cell says how often the client made the call; after a slash, how many of these were
answered with an error, because a test wanted a refusal or asked for what is not there.

python-bitshares 0.7.1 with graphenelib 1.6.1, uptick 0.2.6, bitsharesjs 6.0.3 with bitsharesjs-ws
6.0.2, btsdex 0.7.11, bitshares-signing 1.1.0, Graphene-Metanode 1.0.8.

"""


def tally_to_json(tally: Tally) -> Json:
    """A tally as {client: {"calls": {"api.method": [calls, errors]}, "notices": n}}."""
    clients = sorted({client for client, _ in tally.calls})
    return {
        client: {
            "calls": {
                name: [count, tally.errors[client, name]]
                for (who, name), count in sorted(tally.calls.items())
                if who == client
            },
            "notices": tally.notices[client],
        }
        for client in clients
    }


def render(tally: Json) -> str:
    """The table as Markdown: a row for each call, a column for each client."""
    clients = [client for client in tally if client not in NOT_CLIENTS]
    methods = sorted({name for client in clients for name in tally[client]["calls"]})
    rows = [["call", *clients]]
    for method in methods:
        found = [tally[client]["calls"].get(method) for client in clients]
        rows.append([f"`{method}`", *("" if cell is None else _cell(*cell) for cell in found)])
    rows.append(["notices received", *(str(tally[client]["notices"]) for client in clients)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "--:|" * len(clients))
    return HEAD + "\n".join(lines) + "\n"


def columns_of(table: str) -> Json:
    """What `render` made a table from."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    )
    found: Json = {client: {"calls": {}, "notices": 0} for client in head[1:]}
    for name, *cells in rows:
        for client, cell in zip(head[1:], cells, strict=True):
            if not name.startswith("`"):
                found[client]["notices"] = int(cell)
            elif cell:
                calls, _, errors = cell.partition(" / ")
                found[client]["calls"][name.strip("`")] = [int(calls), int(errors or 0)]
    return found


def methods_of(table: str) -> list[str]:
    """The calls that a rendered table lists, as "api.method"."""
    return [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]


def _cell(calls: int, errors: int) -> str:
    return f"{calls} / {errors}" if errors else str(calls)


def main() -> None:
    """Run the tests of the clients, print the table and write it; not if a test failed."""
    wanted = sys.argv[1:] or ["tests/clients"]
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "tally.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *wanted],
            cwd=REPO,
            env={**os.environ, TALLY_VARIABLE: str(target)},
            check=False,
        )
        if done.returncode or not target.exists():
            sys.exit("the tests of the clients did not pass; the table stays as it is")
        tally = json.loads(target.read_text())
    if sys.argv[1:]:
        tally = dict(sorted({**columns_of(TABLE.read_text()), **tally}.items()))
    table = render(tally)
    TABLE.write_text(table)
    print(table)


if __name__ == "__main__":
    main()
