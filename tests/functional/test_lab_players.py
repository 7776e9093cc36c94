"""`pegboard lab` by real processes: killed and resumed, and on the workers of a Dask cluster."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli import run
from node.exit_codes import Exit
from node.lab.cluster import cluster
from node.lab.errors import OtherVersion, SchedulerUnreachable
from tests.support.lab import WALK
from tests.support.live_network import wait_for

pytestmark = pytest.mark.functional

FILES = ("runs.csv", "summary.csv", "runs.parquet", "report.html")


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """What all players are asked for: 20 runs."""
    scenario = tmp_path / "it.toml"
    scenario.write_text(WALK)
    vary = ("--vary", "MCR=1.6,1.75", "--vary", "trigger=bid,feed")
    return ["lab", str(scenario), *vary, "--paths", "5", "--seed", "9"]


@pytest.fixture
def expected(asked: list[str], tmp_path: Path) -> dict[str, bytes]:
    """What one process makes of it."""
    out = tmp_path / "one"
    assert run([*asked, "--workers", "1", "--out", str(out)]) == 0
    return read(out)


def read(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A scheduler with two workers, each a process, one of two threads."""
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, processes=True
        ) as found:
            yield found.scheduler_address


def test_whoever_plays_the_results_are_the_same(
    asked: list[str],
    expected: dict[str, bytes],
    tmp_path: Path,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two processes that are killed amid their runs, one that goes on, and the workers of a
    cluster write what one process writes, to the byte; workers of another version are refused."""
    out = tmp_path / "two"
    command = [sys.executable, "-m", "node", *asked, "--workers", "2", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = out / "runs.jsonl"
    wait_for(lambda: journal.exists() and journal.stat().st_size > 400, "runs", 60, ())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "runs.csv").exists()
    assert run([*asked, "--workers", "1", "--out", str(out)]) == 0
    assert read(out) == expected
    out = tmp_path / "cluster"
    assert run([*asked, "--scheduler", scheduler, "--out", str(out)]) == 0
    assert read(out) == expected
    monkeypatch.setattr("node.lab.cluster.VERSION", "0.0.1")
    with pytest.raises(OtherVersion) as refused, cluster(scheduler):
        pass
    assert refused.value.limit == "0.0.1"
    with pytest.raises(SchedulerUnreachable, match="nobody"), cluster("nobody://x"):
        pass
    elsewhere = [*asked, "--scheduler", "tcp://127.0.0.1:1", "--out", str(tmp_path / "none")]
    monkeypatch.setattr("node.lab.cluster.CONNECT_S", 0.2)
    assert run(elsewhere) == Exit.UNREACHABLE
