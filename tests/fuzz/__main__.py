"""Hostile bytes at the doors of a node: scripts/fuzz [--target NAME] [--minutes N | --runs N].

Each target is steered by coverage where atheris is installed, and else by hypothesis; all engines
start from the kept inputs. A finding is shrunk and printed with the command that repeats it.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.campaign import run_blind, run_guided, run_property
from tests.fuzz.targets import NAMES, load

ENGINES = {"guided": run_guided, "property": run_property, "blind": run_blind}


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 when there is a finding."""
    options = read_arguments(arguments)
    if options.replay is not None:
        return replay(options)
    engine = options.engine or ("guided" if find_spec("atheris") else "property")
    if options.engine is None and engine == "property":
        print("atheris is not installed: inputs are drawn by hypothesis, which no coverage steers")
    findings = 0
    for name in options.targets or NAMES:
        seed = options.seed if options.seed is not None else int(time.time())
        figures = ENGINES[engine](name, seed, options.minutes * 60, options.runs, options.keep)
        print(f"{name:12} {engine}, seed {seed}: {figures.line()}", flush=True)
        findings += len(figures.findings)
        for data, reason in figures.findings:
            tell(name, data, reason)
    print(f"{findings} findings")
    return min(findings, 1)


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument(
        "--target",
        dest="targets",
        action="append",
        choices=NAMES,
        help="one target, or several in turn; all if not given",
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="of each target (default 1)")
    parser.add_argument("--runs", type=int, default=0, help="end after so many inputs of a target")
    parser.add_argument("--seed", type=int, help="of all choices; the time if not given")
    parser.add_argument(
        "--engine", choices=ENGINES, help="blind is the fastest, guided needs atheris"
    )
    parser.add_argument("--keep", action="store_true", help="keep inputs that reach new code")
    parser.add_argument("--replay", metavar="INPUT", help="one input in escaped form, or a file")
    options = parser.parse_args(arguments)
    if options.replay is not None and len(options.targets or ()) != 1:
        parser.error("--replay needs one --target")
    return options


def replay(options: argparse.Namespace) -> int:
    """Run one input with its traceback."""
    path = Path(options.replay)
    is_file = len(options.replay) < 256 and path.exists()
    data = path.read_bytes() if is_file else corpus.unescape(options.replay)
    was_let_in = load(options.targets[0]).check(data)
    print("let in" if was_let_in else "refused as it should be")
    return 0


def tell(name: str, data: bytes, reason: str) -> None:
    """A finding, and how to see it again."""
    print(f"  FOUND {reason}")
    print(f"  scripts/fuzz --target {name} --replay {shlex.quote(corpus.escape(data))}")


if __name__ == "__main__":
    sys.exit(main())
