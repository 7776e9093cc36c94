"""The rule book's paragraphs, and those that no test of this node can show."""

from __future__ import annotations

PARAGRAPHS = {1: 22, 2: 20, 3: 9, 4: 14, 5: 10, 6: 9, 7: 3, 8: 23, 9: 8}
"""Number of rules in each section: R1.1 to R1.22, R2.1 to R2.20, and so on."""

BOUNDARY_CONSEQUENCES = ("B1", "B2", "B3", "B4", "B5", "B6", "B6a", "B7", "B8", "B9")
"""What follows from running the market engine at the block boundary."""

RULES = (
    *(f"R{section}.{n}" for section, count in PARAGRAPHS.items() for n in range(1, count + 1)),
    *BOUNDARY_CONSEQUENCES,
)

NOT_APPLICABLE = {
    "R1.6": "bounds of index ranges, which our indexes do not need",
    "R4.11": "margin calls as makers exist only where calls run inside the operation",
    "R5.7": "settlement against margin calls is not built",
    "B9": "an open question, not a rule",
}
"""Rules without a test, each with its reason."""
