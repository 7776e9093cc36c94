"""(t) Going on from a large state of bitshares-core: real processes, time and memory."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from protocol.crypto.keys import key_text
from protocol.ids import (
    AccountBalanceId,
    AccountId,
    AccountStatisticsId,
    account_text,
    balance_text,
    id_text,
)
from protocol.schema import PublicKey
from tests.support.core_snapshot import PREFIX, lines_of_state

from .measure import print_value
from .startup import free_port

ACCOUNTS = 100_000
ALL_OF_BITSHARES = 2_000_000
MIB = 1 << 20


def bench_fork() -> None:
    """(t): 100,000 accounts, each with figures and a balance."""
    _bench(ACCOUNTS)


def bench_whole_fork() -> None:
    """(t:2m): two million accounts, more than BitShares has; some minutes, 4 GB on the disk."""
    _bench(ALL_OF_BITSHARES)


def _bench(accounts: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as directory:
        path = Path(directory, "state.jsonl")
        with path.open("wb") as file:
            file.writelines(_lines(accounts))
        small = Path(directory, "small.jsonl")
        small.write_bytes(b"\n".join(lines_of_state()) + b"\n")
        note = f"{accounts:,} accounts, {path.stat().st_size / MIB:,.0f} MiB"
        base_s, _, base = _run(Path(directory, "base"), small)
        first_s, first_peak, first = _run(Path(directory, "net"), path)
        again_s, again_peak, again = _run(Path(directory, "net"), path)
    print_value("t", "fork until ready", f"{first_s:.1f} s ({base_s:.1f} s a small one)", note)
    print_value("t", "the same again, from its own files", f"{again_s:.1f} s", note)
    for what, size in (("at rest after a fork", first), ("at rest after a restart", again)):
        each = f"{(size - base) * 1_000 / accounts:.2f} kB an account"
        print_value("t", what, f"{size:,.0f} MB resident, {each}", note)
    print_value("t", "at most", f"{max(first_peak, again_peak):,.0f} MB resident", note)


def _run(directory: Path, path: Path) -> tuple[float, float, float]:
    """Seconds until a node is ready, and MB at most and in the end."""
    program = str(Path(sys.executable).parent / "pegboard")
    command = [program, "node", "--dev", "--mode", "manual", "--fork", str(path), "--impersonate"]
    command += ["--data-dir", str(directory), "--api", f"127.0.0.1:{free_port()}"]
    start = monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if b'"ev": "ready"' in line:
                break
            if not line.startswith(b"{"):
                print(line.decode().rstrip(), file=sys.stderr)
        else:
            raise RuntimeError(f"the node ended with {process.wait()}")
        seconds = monotonic() - start
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak, now = (_megabytes(status, name) for name in ("VmHWM", "VmRSS"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    return seconds, peak, now


def _megabytes(status: str, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1_024 / 1e6


def _lines(accounts: int) -> Iterator[bytes]:
    """The state of the vectors, and many accounts more, each with keys of its own."""
    known = [json.loads(line) for line in lines_of_state()]
    yield from (line + b"\n" for line in lines_of_state())
    models = {kind: _newest(known, kind) for kind in ("1.2", "2.5", "2.6")}
    [account, balance, figures] = models.values()
    first, first_balance = int(account["id"][4:]) + 1, int(balance["id"][4:]) + 1
    for number in range(accounts):
        name, instance = f"account-{number}", first + number
        owner, its_figures = (
            account_text(AccountId(instance)),
            _id_of_figures(AccountStatisticsId(instance)),
        )
        digest = hashlib.sha256(name.encode()).digest()
        key = key_text(PublicKey(b"\x02" + digest), PREFIX)
        authority = {"weight_threshold": 1, "account_auths": [], "address_auths": []}
        authority |= {"key_auths": [[key, 1]]}
        rows: tuple[dict[str, Any], ...] = (
            account
            | {"id": owner, "name": name, "statistics": its_figures}
            | {"owner": authority, "active": authority}
            | {"options": account["options"] | {"memo_key": key}},
            figures | {"id": its_figures, "owner": owner, "name": name},
            balance
            | {"id": balance_text(AccountBalanceId(first_balance + number)), "owner": owner}
            | {"asset_type": "1.3.0", "balance": 0},
        )
        yield b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


_id_of_figures = id_text(AccountStatisticsId)


def _newest(known: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [one for one in known if one["id"].rpartition(".")[0] == kind]
    return max(found, key=lambda one: int(one["id"].rpartition(".")[2]))
