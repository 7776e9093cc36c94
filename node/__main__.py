"""`python -m node`: the same as the command `pegboard`."""

from __future__ import annotations

from node.start import main

main()
