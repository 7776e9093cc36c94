"""How much stake stands behind each opinion, kept as accounts move (R8.11, K4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from node.state.objects.accounts import Account, AccountStatistics
from node.state.objects.vesting import VestingBalance
from node.state.table import Table
from node.state.touched import Touched
from protocol.constants import PROXY_TO_SELF_ACCOUNT
from protocol.ids import AccountId, AccountStatisticsId, VestingBalanceId


class Share(NamedTuple):
    """The part of one account in the next count of votes."""

    opinion: AccountId
    """Whose votes count for it: its own, or its proxy's."""
    stake: int


class Stakes:
    """The shares of all accounts that vote or have a proxy, and have any stake.

    Only accounts that were touched since the last question are looked at.
    """

    def __init__(
        self,
        accounts: Table[AccountId, Account],
        statistics: Table[AccountStatisticsId, AccountStatistics],
        vesting: Table[VestingBalanceId, VestingBalance],
    ) -> None:
        self._accounts, self._statistics, self._vesting = accounts, statistics, vesting
        self._touched_accounts = Touched(accounts)
        self._touched_statistics, self._touched_vesting = Touched(statistics), Touched(vesting)
        self._shares: dict[int, Share] = {}
        self._totals: dict[AccountId, int] = {}

    def by_opinion(
        self, counts: Callable[[Account], bool] | None = None
    ) -> list[tuple[AccountId, int]]:
        """Accounts whose opinions count, ascending, with all the stake that has them.

        With `counts`, only the shares of accounts for which it holds.
        """
        self._catch_up()
        if counts is None:
            return sorted(self._totals.items())
        totals: dict[AccountId, int] = {}
        for instance, (opinion, stake) in self._shares.items():
            if counts(self._accounts.rows[instance]):
                totals[opinion] = totals.get(opinion, 0) + stake
        return sorted(totals.items())

    def by_voter(self) -> list[tuple[AccountId, AccountId]]:
        """Accounts that vote or have a proxy and any stake, ascending, each with whose opinion
        counts for it."""
        self._catch_up()
        return sorted((AccountId(one), share.opinion) for one, share in self._shares.items())

    def _catch_up(self) -> None:
        for account in sorted({*self._touched_accounts.take(), *self._owners()}):
            self._refresh(account)

    def disregard_figures(self) -> None:
        """Take all figures as known: since the last question only the count wrote into them."""
        self._touched_statistics.disregard()

    def look_through(self) -> None:
        """Look at all accounts of a state that was restored."""
        self._touched_accounts.note(self._accounts.rows)
        self.by_opinion()

    def _owners(self) -> Iterator[int]:
        """Accounts whose figures or vesting balances were touched."""
        for figures in map(self._statistics.rows.get, self._touched_statistics.take()):
            if figures is not None:
                yield figures.owner
        for vesting in map(self._vesting.rows.get, self._touched_vesting.take()):
            if vesting is not None:
                yield vesting.owner

    def _refresh(self, instance: int) -> None:
        before, now = self._shares.get(instance), self._share(instance)
        if before == now:
            return
        if before is not None:
            del self._shares[instance]
            left = self._totals[before.opinion] - before.stake
            if left:
                self._totals[before.opinion] = left
            else:
                del self._totals[before.opinion]
        if now is not None:
            self._shares[instance] = now
            self._totals[now.opinion] = self._totals.get(now.opinion, 0) + now.stake

    def _share(self, instance: int) -> Share | None:
        account = self._accounts.rows.get(instance)
        if account is None or not account.options.is_voting():
            return None
        figures = self._statistics.get(account.statistics)
        stake = figures.total_core_in_orders + figures.core_in_balance
        if figures.tickets is not None:
            stake += figures.tickets.total_core_pol + figures.tickets.total_core_pob
        if account.cashback_vb is not None:
            stake += self._vesting.get(account.cashback_vb).balance.amount
        proxy = account.options.voting_account
        opinion = account.id if proxy == PROXY_TO_SELF_ACCOUNT else proxy
        return Share(opinion, stake) if stake > 0 else None
