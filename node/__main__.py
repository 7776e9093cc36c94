"""`python -m node`: the same as the command `pegboard`."""

from __future__ import annotations

from node.cli import main

main()
