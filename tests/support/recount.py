"""Maintenance that looks at every account: the slow twin of what only looks at those that moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from node.state.database import State
from node.state.objects.accounts import Account, AccountStatistics
from node.state.touched import Members


@contextmanager
def full_recount(state: State) -> Iterator[None]:
    """Within it, maintenance walks all accounts."""

    def everybody(_: State) -> list[AccountStatistics]:
        return list(state.statistics.in_order())

    def all_voters(_: object) -> list[Account]:
        return [one for one in state.accounts.in_order() if one.options.is_voting()]

    with (
        patch.object(State, "take_moved_statistics", everybody),
        patch.object(Members, "in_order", all_voters),
    ):
        yield
