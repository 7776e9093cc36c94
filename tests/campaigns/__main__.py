"""Every slow campaign there is, one after the other: scripts/campaign --hours 1.

At the end stands one table: what each came to, with its figures and its seed, and the command that
runs it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import NAMES
from tests.simulation.ledger import DEFAULT, Ledger, current_commit

REPO = Path(__file__).resolve().parent.parent.parent
SHORT_S = 600.0
"""A campaign of less time than this in all does less of what takes long however it is done."""


class Plan(NamedTuple):
    """What one campaign may use."""

    seconds: float
    seed: int
    is_short: bool
    ledger: Path


class Part(NamedTuple):
    """One campaign."""

    name: str
    script: str
    share: float
    """Of the time; 0 for what takes as long as it takes."""
    arguments: Callable[[Plan], list[str]]
    figures: str
    """A pattern of the lines that go into the table."""


class Result(NamedTuple):
    """How a campaign ended."""

    part: Part
    command: str
    code: int
    seconds: float
    lines: list[str]


def simulate(plan: Plan) -> list[str]:
    """Whole networks, of seeds that this commit has not seen."""
    return ["--hours", f"{plan.seconds / 3_600:.4f}", "--ledger", str(plan.ledger)]


def bite(plan: Plan) -> list[str]:
    """Every planted bug, or one of each way of finding them."""
    few = ["frames of any size", "a quorum of half", "told before stored"]
    return ["--teeth", *(word for name in few for word in ("--bug", name) if plan.is_short)]


def fuzz(plan: Plan) -> list[str]:
    """Every target for the same time."""
    return ["--minutes", f"{plan.seconds / 60 / len(NAMES):.3f}", "--seed", str(plan.seed)]


def crash(plan: Plan) -> list[str]:
    """Every crash point, or some of a shorter run."""
    return ["--blocks", "12", "--share", "0.05", "--every", "20"] if plan.is_short else []


def besiege(plan: Plan) -> list[str]:
    """Half of the time alone, half under siege."""
    few = ["--peers", "100", "--clients", "10"] if plan.is_short else []
    return ["--minutes", f"{max(plan.seconds / 2, 10) / 60:.3f}", *few]


def starve(plan: Plan) -> list[str]:
    """All loads at once in 512 MiB, for two minutes, or a look."""
    few = ["--peers", "100", "--clients", "10", "--minutes", "0.2"] if plan.is_short else []
    return ["--memory", "512", *few]


def soak(plan: Plan) -> list[str]:
    """For as long as the time allows; a day of its own is `scripts/soak --hours 24`."""
    return ["--hours", f"{max(plan.seconds, 30) / 3_600:.4f}", "--seed", str(plan.seed)]


def live(plan: Plan) -> list[str]:
    """A day of the cores alone, or half an hour of them."""
    return ["--simulated", "--hours", "0.5" if plan.is_short else "24"]


def shock(plan: Plan) -> list[str]:
    """A minute of each phase with 10,000 positions, or a look."""
    few = ["--positions", "1000", "--at-once", "4", "--minutes", "0.15"]
    return few if plan.is_short else []


def flood(plan: Plan) -> list[str]:
    """A million frames and a tenth as many blocks, however long they take, or some."""
    few = ["--frames", "3000", "--blocks", "1000", "--queued", "600"] if plan.is_short else []
    return ["--seed", str(plan.seed), *few]


def threaten(plan: Plan) -> list[str]:
    """A hundredth of what single threats need, however long it takes, or a look."""
    return ["--seed", str(plan.seed), "--share", "0.00001" if plan.is_short else "0.01"]


def kill(plan: Plan) -> list[str]:
    """Two hundred kills, however long they take, or some."""
    return ["--seed", str(plan.seed), *(["--count", "6"] if plan.is_short else [])]


PARTS = (
    Part(
        "simulation",
        "simulate",
        0.45,
        simulate,
        r"\d+ runs \(|simulated network-hours|conflicts of|^blocks|^memory|BELOW|FAILED|again:",
    ),
    Part("planted bugs", "simulate", 0.0, bite, r"bugs planted|MISSED"),
    Part("fuzzing", "fuzz", 0.4, fuzz, r"executions|FOUND|findings$"),
    Part("crash points", "crashpoints", 0.0, crash, r"^crash points|failures|NOT |WRONG|steps: "),
    Part("siege", "siege", 0.15, besiege, r"slots, \d+ missed"),
    Part("little memory", "siege", 0.0, starve, r"slots, \d+ missed|SKIPPED"),
    Part("soak", "soak", 0.25, soak, r"slots, \d+ missed|MiB/h|too short"),
    Part("a day", "soak", 0.0, live, r"MiB/h"),
    Part("shocks", "shocks", 0.0, shock, r"slots, \d+ missed|each took"),
    Part("floods", "flood", 0.0, flood, r"^T-P|^P15|FOUND"),
    Part("threats", "threats", 0.0, threaten, r"^T-|^FOUND|^FAILED|^WRONG"),
    Part("kills", "kills", 0.0, kill, r"kills"),
)


def main() -> int:
    """Run the parts; 1 when one of them fails."""
    options = read_arguments()
    parts = [part for part in PARTS if options.only is None or part.name in options.only]
    whole = sum(part.share for part in parts) or 1.0
    began_seed = Ledger(options.ledger, current_commit()).next_seed()
    results = []
    for part in parts:
        seconds = options.hours * 3_600 * part.share / whole
        is_short = options.hours * 3_600 < SHORT_S
        results.append(run(part, Plan(seconds, options.seed, is_short, options.ledger)))
    print(f"\n== commit {current_commit()}, seed {options.seed}, networks from {began_seed} on ==")
    for result in results:
        show(result)
    return int(any(result.code for result in results))


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/campaign", description=__doc__)
    parser.add_argument(
        "--hours", type=float, default=1.0, help="for what can be cut short (default 1)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all choices (default 1)")
    parser.add_argument(
        "--only", action="append", choices=[part.name for part in PARTS], help="some of them"
    )
    parser.add_argument(
        "--ledger", type=Path, default=DEFAULT, help="of simulated networks (var/seeds.jsonl)"
    )
    return parser.parse_args()


def run(part: Part, plan: Plan) -> Result:
    """Run one part, show what it prints, and keep its figures."""
    arguments = [part.script, *part.arguments(plan)]
    command = "scripts/" + " ".join(f"'{one}'" if " " in one else one for one in arguments)
    print(f"\n== {part.name} ==\n$ {command}", flush=True)
    started, lines = time.monotonic(), []
    process = subprocess.Popen(
        [str(REPO / "scripts" / arguments[0]), *arguments[1:]],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if re.search(part.figures, line):
            lines.append(line.strip())
    return Result(part, command, process.wait(), time.monotonic() - started, lines)


def show(result: Result) -> None:
    """The rows of one campaign."""
    verdict = "passed" if result.code == 0 else f"FAILED ({result.code})"
    print(f"{result.part.name:13} {verdict:11} {result.seconds / 60:6.1f} min  $ {result.command}")
    for line in result.lines:
        print(f"{'':14}{line}")


if __name__ == "__main__":
    sys.exit(main())
