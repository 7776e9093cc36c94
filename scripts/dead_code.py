#!/usr/bin/env python3
"""Prints what nothing of the product uses, as vulture finds it; exit code 1 if there is any.

    scripts/dead_code.py [PATH ...]

Tests do not count as users. The names in a class's body do: codecs read them by declaration. So do
parameters: ruff knows better which ones a shared signature demands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vulture.core import Item, Vulture

PATHS = ("node", "protocol", "scripts")

ENTERED = ("@*.command", "@*.group", "@pytest.*", "@rule")
"""Decorators that enter a function into the command line, into pytest or among the agents."""

USED_OUTSIDE = {
    "handle_*": "the HTML parser calls them",
    "pytest_*": "pytest calls the hooks of a plugin",
    "__cause__": "Python keeps there what an exception was raised from",
    "__context__": "Python keeps there what was handled when an exception was raised",
    "_value_": "enum reads it off a member that `__new__` makes",
    "ZERO_FEE_SCHEDULE": "a chain on which everything is free, as the tests have it",
    "before_task_step": "trio calls it on the stopwatch of `scripts/bench k`",
    "after_task_step": "trio calls it on the stopwatch of `scripts/bench k`",
    "list_commands": "click asks a group of commands for them",
    "get_command": "click asks a group of commands for one",
    "after_io_wait": "trio calls it in each round of its loop",
}
"""Names for programs that import `protocol`, or for libraries, and what they do with them."""

FACE = "node/pegboard/"
"""What this folder offers is for programs."""

PARAMETER_CONFIDENCE = 100
"""Percent that vulture gives to an unused parameter, and to no other variable."""


def dead_code(paths: Sequence[str]) -> list[str]:
    """A line for each unused function, method, class, import and constant below some paths."""
    vulture = Vulture(ignore_names=list(USED_OUTSIDE), ignore_decorators=list(ENTERED))
    vulture.scavenge(list(paths))
    unused = vulture.get_unused_code()
    declared = {item.name for item in unused if is_declared(item)}
    return [
        item.get_report()
        for item in unused
        if not is_declared(item)
        and not (item.typ == "attribute" and item.name in declared)
        and FACE not in str(item.filename)
    ]


def is_declared(item: Item) -> bool:
    """Whether an unused variable is a parameter, or stands in the body of a class."""
    if item.typ != "variable":
        return False
    line = Path(item.filename).read_text().splitlines()[item.first_lineno - 1]
    return line[0].isspace() or bool(item.confidence == PARAMETER_CONFIDENCE)


if __name__ == "__main__":
    found = dead_code(sys.argv[1:] or PATHS)
    sys.exit("\n".join(found) if found else 0)
