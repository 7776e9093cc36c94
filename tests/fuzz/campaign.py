"""Running one target for a while, by any engine, and its figures."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from node.compiled import SWITCH
from tests.fuzz import corpus, drawn
from tests.fuzz.targets import Target, load
from tests.support.shrinking import shrink

REPO = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 30
"""One input that takes longer is a finding."""
MEMORY_MB = 1_024
STATUS = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)/")
EXECUTED = re.compile(r"^(?:#|Done )(\d+)", re.MULTILINE)
PEAK = re.compile(r"^stat::peak_rss_mb:\s+(\d+)", re.MULTILINE)
ARTIFACTS = ("crash-*", "timeout-*", "oom-*")


@dataclass
class Figures:
    """What a campaign of one target came to."""

    executions: int = 0
    seconds: float = 0
    """Of the processor."""
    edges: int | None = None
    """Places of the code that were reached; None where nobody looked."""
    inputs: int = 0
    """Kept ones, those that were added meanwhile included."""
    peak_mb: int = 0
    findings: list[tuple[bytes, str]] = field(default_factory=list)

    def line(self) -> str:
        """One line."""
        rate = self.executions / self.seconds if self.seconds else 0
        edges = "" if self.edges is None else f"{self.edges:,} edges, "
        return (
            f"{self.executions:,} executions, {rate:,.0f} in a second of the processor, {edges}"
            f"{self.inputs:,} inputs kept, {self.peak_mb} MB, {len(self.findings)} findings"
        )


def run_guided(name: str, seed: int, seconds: float, runs: int, keep: bool) -> Figures:
    """Run a target under atheris in a process of its own."""
    with TemporaryDirectory(prefix="pegboard-fuzz-") as directory:
        inputs, artifacts = Path(directory, "inputs"), Path(directory, "artifacts")
        artifacts.mkdir()
        fill(inputs, starting_inputs(load(name)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = run_atheris(
            name,
            inputs,
            f"-seed={seed % (1 << 31) or 1}",
            f"-runs={runs or -1}",
            f"-max_total_time={0 if runs else max(1, int(seconds))}",
            f"-timeout={TIMEOUT_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={artifacts}/",
            "-print_final_stats=1",
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures = read_figures(text)
        figures.seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = [path.read_bytes() for kind in ARTIFACTS for path in sorted(artifacts.glob(kind))]
        figures.findings = [describe(name, data) for data in found]
        if keep:
            figures.inputs = keep_smallest(name, inputs)
    return figures


def run_atheris(name: str, inputs: Path, *options: str) -> str:
    """What one process of a target tells; its outcome stands in the files that it leaves."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(inputs), *options]
    # What is compiled tells no coverage.
    environment = {**os.environ, SWITCH: "0"}
    finished = subprocess.run(command, cwd=REPO, capture_output=True, check=False, env=environment)
    text = finished.stderr.decode(errors="replace")
    if not EXECUTED.search(text):
        raise RuntimeError(f"{' '.join(command)} did not start:\n{text[-2_000:]}")
    return text


def run_property(name: str, seed: int, seconds: float, runs: int, keep: bool) -> Figures:
    """Run a target with hypothesis in this process; it finds nothing to keep."""
    target, figures = load(name), Figures()
    kept = starting_inputs(target)
    started, end = time.process_time(), time.monotonic() + seconds
    while figures.executions < runs if runs else time.monotonic() < end:
        tried = drawn.run(target, kept, seed)
        figures.executions += tried.executions
        if tried.finding is not None:
            figures.findings.append(describe(name, tried.finding))
            break
        seed += 1
    return finish(figures, started, kept)


def run_blind(name: str, seed: int, seconds: float, runs: int, keep: bool) -> Figures:
    """Change kept inputs by chance, as many and as fast as can be; it finds nothing to keep."""
    target, figures, rng = load(name), Figures(), Random(seed)
    kept = starting_inputs(target)
    started, end = time.process_time(), time.monotonic() + seconds
    while figures.executions < runs if runs else time.monotonic() < end:
        data = drawn.changed(rng, kept, target.max_bytes)
        figures.executions += 1
        if failure(target.check, data) is not None:
            figures.findings.append(describe(name, data))
            break
    return finish(figures, started, kept)


def finish(figures: Figures, started: float, kept: Sequence[bytes]) -> Figures:
    """Add what this process says of itself."""
    figures.seconds = time.process_time() - started
    figures.inputs = len(kept)
    figures.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return figures


def read_figures(text: str) -> Figures:
    """The figures of libFuzzer's report."""
    figures = Figures(executions=max(map(int, EXECUTED.findall(text)), default=0))
    if statuses := STATUS.findall(text):
        figures.edges, figures.inputs = map(int, statuses[-1])
    if peak := PEAK.search(text):
        figures.peak_mb = int(peak[1])
    return figures


def starting_inputs(target: Target) -> list[bytes]:
    """What a campaign starts from: kept inputs, and those that the target makes."""
    return list(dict.fromkeys([*corpus.read(target.name), *target.seeds()]))


def fill(directory: Path, inputs: Iterable[bytes]) -> None:
    """A directory with one file an input, as libFuzzer wants them."""
    directory.mkdir()
    for data in inputs:
        (directory / sha256(data).hexdigest()[:20]).write_bytes(data)


def keep_smallest(name: str, inputs: Path) -> int:
    """Keep the smallest inputs that reach all that these reach; how many there are.

    Those that the target makes itself need not be kept.
    """
    smallest = inputs.with_name("smallest")
    smallest.mkdir()
    run_atheris(name, smallest, str(inputs), "-merge=1")
    found = {path.read_bytes() for path in smallest.iterdir()}
    return corpus.write(name, found - set(load(name).seeds()))


def describe(name: str, data: bytes) -> tuple[bytes, str]:
    """A finding as small as can be, and what it raises."""
    check = load(name).check
    reason = failure(check, data)
    if reason is None:
        return data, "a timeout or too much memory"
    small = shrink(data, lambda candidate: failure(check, candidate) is not None)
    return small, failure(check, small) or reason


def failure(check: Callable[[bytes], bool], data: bytes) -> str | None:
    """What a target raises for an input."""
    try:
        check(data)
    except Exception as error:  # noqa: BLE001  # whatever a target raises is a finding
        return f"{error!r:.500}"
    return None
