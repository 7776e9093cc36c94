"""Compiles the inner modules, once for each state of the sources: scripts/compile [--check]."""

from __future__ import annotations

import argparse
import sys
from time import monotonic

from . import build, place
from .check import check


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/compile", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check",
        action="store_true",
        help="then play the same chains both ways, compare their states, and run the fast tests",
    )
    what.add_argument("--remove", action="store_true", help="have everything interpreted again")
    options = parser.parse_args()
    if options.remove:
        place.remove()
        print("all modules are interpreted")
        return 0
    try:
        _compile()
    except build.CannotCompile as error:
        print(f"not compiled: {error}", file=sys.stderr)
        return 1
    return check() if options.check else 0


def _compile() -> None:
    if place.key_in_place() == build.key_of():
        print("compiled already")
        return
    compiler, start = build.find_compiler(), monotonic()
    print("compiling; this takes two minutes or three", flush=True)
    made = build.build(compiler)
    place.put(made)
    print(f"compiled in {monotonic() - start:.0f} s; `scripts/compile --remove` takes it back")


if __name__ == "__main__":
    sys.exit(main())
