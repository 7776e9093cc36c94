"""Maintenance that looks at every account: the slow twin of what only looks at those that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from node.state.database import State
from node.state.objects.accounts import Account, AccountStatistics
from node.state.stakes import Stakes
from protocol.constants import PROXY_TO_SELF_ACCOUNT
from protocol.ids import AccountId


@contextmanager
def full_recount(state: State) -> Iterator[None]:
    """Within it, maintenance walks all accounts."""

    def everybody(_: State) -> list[AccountStatistics]:
        return list(state.statistics.in_order())

    def all_stakes(
        _: Stakes, counts: Callable[[Account], bool] | None = None
    ) -> list[tuple[AccountId, int]]:
        totals: dict[AccountId, int] = {}
        for account in state.accounts.in_order():
            if account.options.is_voting() and (counts is None or counts(account)):
                statistics = state.statistics.get(account.statistics)
                stake = statistics.total_core_in_orders + statistics.core_in_balance
                if account.cashback_vb is not None:
                    stake += state.vesting_balances.get(account.cashback_vb).balance.amount
                tickets = state.tickets_of_account.items(account.id)
                stake += sum(
                    one.amount.amount for one in tickets if one.value or not one.is_forever()
                )
                proxy = account.options.voting_account
                opinion = account.id if proxy == PROXY_TO_SELF_ACCOUNT else proxy
                totals[opinion] = totals.get(opinion, 0) + stake
        return [(account, stake) for account, stake in sorted(totals.items()) if stake]

    with (
        patch.object(State, "take_moved_statistics", everybody),
        patch.object(Stakes, "by_opinion", all_stakes),
    ):
        yield
