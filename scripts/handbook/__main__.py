"""The two steps of `scripts/docs` around its generator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .finish import broken_links, link_all_rules
from .pages import write_pages
from .sources import rule_places


def main() -> int:
    """Write the pages, or finish the site that was made of them; the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("step", choices=["write", "finish"])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "write":
        print(f"{write_pages(arguments.directory)} pages")
        return 0
    link_all_rules(arguments.directory, rule_places())
    broken = list(broken_links(arguments.directory))
    print(*broken, f"{len(broken)} broken links", sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
