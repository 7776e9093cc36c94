"""Hostile bytes: one target a door of the node, a kept corpus, and a campaign over both.

A module of `TARGETS` has `check(data)`, which hands the bytes to one door and says whether they
were let in. Whatever it raises is a finding: a refusal must be a typed error, what is accepted
must be written again as the same bytes. `seeds()` makes inputs that a campaign starts from.
"""

from __future__ import annotations
