"""Look-ups that consensus never needs, so the state has no index for them: names in order, keys,
who is named in an authority, who issued an asset, who holds most, whose approval is needed, and
which liquidity pools hold an asset, who has SameT funds.

Entries are only ever added, with each block, and every answer is checked against the state. So a
block that is taken back needs nothing here, and an old key that an account dropped is not named.
Objects of pending transactions are found by their numbers, which are above all those seen.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from node.api.collateral import CollateralSums
from node.state.database import State
from node.state.objects.accounts import Account, AccountBalance, AccountStatistics
from node.state.objects.assets import Asset
from node.state.objects.base import StateObject
from node.state.objects.liquidity import LiquidityPool, SametFund
from node.state.objects.transactions import Proposal
from node.state.rankings import Place, Ranking
from node.state.table import Table
from node.state.undo import REMOVE, Revision
from protocol.crypto.addresses import addresses_of
from protocol.ids import AccountId, AssetId
from protocol.schema import Address, PublicKey

K = TypeVar("K", bound=Hashable)
Id = TypeVar("Id", bound=int)
T = TypeVar("T", bound=StateObject)

ALL_STAKES = 0
_LISTED = frozenset((Account, Asset, LiquidityPool, Proposal, SametFund))
Sides = tuple[AssetId | None, AssetId | None]
"""The assets of a pool; None for any."""


class Links(Generic[K]):
    """Which objects of one table were ever linked to a key: mostly one, whose number stands alone,
    for a set takes seven times as much."""

    def __init__(self) -> None:
        self.instances: dict[K, int | set[int]] = {}
        self.end = 0
        """Above the number of every object seen."""

    def add(self, item: StateObject, keys: Iterable[K]) -> None:
        """Link an object to keys, beside those it was linked to before."""
        self.end = max(self.end, item.id + 1)
        instances = self.instances
        for key in keys:
            known = instances.setdefault(key, item.id)
            if isinstance(known, set):
                known.add(item.id)
            elif known != item.id:
                instances[key] = {known, item.id}

    def candidates(self, table: Table[Id, T], key: K) -> Iterator[T]:
        """What may be linked now, ascending: what ever was, and what nobody has seen yet."""
        known = self.instances.get(key, ())
        linked = (known,) if isinstance(known, int) else sorted(known)
        for instance in (*linked, *range(self.end, table.next_id)):
            item = table.rows.get(instance)
            if item is not None:
                yield item


class Directory:
    """Account names and symbols in ascending order, and links from accounts and keys."""

    def __init__(self, state: State) -> None:
        self.names: list[str] = []
        self.symbols: list[str] = []
        self.accounts_by_key = Links[PublicKey]()
        self.accounts_by_address = Links[Address]()
        self.accounts_by_member = Links[AccountId]()
        self.assets_by_issuer = Links[AccountId]()
        self.pools_by_asset = Links[AssetId]()
        self.pools_by_sides = Links[Sides]()
        self.funds_by_owner = Links[AccountId]()
        self.funds_by_asset = Links[AssetId]()
        self.proposals_by_approver = Links[AccountId]()
        for account in state.accounts.in_order():
            self.names.append(account.name)
            self._link_account(account)
        for asset in state.assets.in_order():
            self.symbols.append(asset.symbol)
            self._link_asset(asset)
        for pool in state.liquidity_pools.in_order():
            self._link_pool(pool)
        for fund in state.samet_funds.in_order():
            self._link_fund(fund)
        for proposal in state.proposals.in_order():
            self._link_proposal(proposal)
        self.names.sort()
        self.symbols.sort()
        self.collateral = CollateralSums(state)
        """How much of each asset lies in positions."""
        self.holders = Ranking(state.balances, _place_of_balance)
        """Owners of an asset's balances that are not zero, by balance, in a group for each."""
        self.stakes = Ranking(state.statistics, _place_of_stake)
        """Accounts by the stake that votes as they do (R8.11), in the group `ALL_STAKES`."""

    def apply_block(self, revision: Revision) -> None:
        """Take in what a block created and changed."""
        for kind, _, item, _ in revision.net_records():
            if type(item) not in _LISTED or kind == REMOVE:
                continue
            if isinstance(item, Account):
                _insert(self.names, item.name)
                self._link_account(item)
            elif isinstance(item, Asset):
                _insert(self.symbols, item.symbol)
                self._link_asset(item)
            elif isinstance(item, LiquidityPool):
                self._link_pool(item)
            elif isinstance(item, SametFund):
                self._link_fund(item)
            elif isinstance(item, Proposal):
                self._link_proposal(item)

    def names_from(self, state: State, lower_bound: str) -> Iterator[Account]:
        """Accounts by name, from the first name that is not less than a text."""
        for at in range(bisect_left(self.names, lower_bound), len(self.names)):
            account = state.account_by_name.find(self.names[at])
            if account is not None:
                yield account

    def symbols_from(self, state: State, lower_bound: str) -> Iterator[Asset]:
        """Assets by symbol, from the first symbol that is not less than a text."""
        for at in range(bisect_left(self.symbols, lower_bound), len(self.symbols)):
            asset = state.asset_by_symbol.find(self.symbols[at])
            if asset is not None:
                yield asset

    def accounts_of_key(self, state: State, key: PublicKey) -> list[AccountId]:
        """Accounts that have a key, or an address of it, in an authority, or it as memo key."""
        by_key = self.accounts_by_key.candidates(state.accounts, key)
        found = {account.id for account in by_key if key in keys_of(account)}
        if self.accounts_by_address.instances:
            for address in addresses_of(key):
                by_address = self.accounts_by_address.candidates(state.accounts, address)
                found.update(one.id for one in by_address if address in addresses_in(one))
        return sorted(found)

    def accounts_naming(self, state: State, member: AccountId) -> list[AccountId]:
        """Accounts whose authorities name an account, ascending."""
        found = self.accounts_by_member.candidates(state.accounts, member)
        return [account.id for account in found if member in members_of(account)]

    def assets_issued_by(self, state: State, issuer: AccountId) -> Iterator[Asset]:
        """Assets of an issuer, by id."""
        found = self.assets_by_issuer.candidates(state.assets, issuer)
        return (asset for asset in found if asset.issuer == issuer)

    def pools_with(self, state: State, asset: AssetId) -> Iterator[LiquidityPool]:
        """Liquidity pools that hold an asset, by id."""
        found = self.pools_by_asset.candidates(state.liquidity_pools, asset)
        return (pool for pool in found if asset in (pool.asset_a, pool.asset_b))

    def pools_with_sides(
        self, state: State, asset_a: AssetId | None, asset_b: AssetId | None
    ) -> Iterator[LiquidityPool]:
        """Liquidity pools with a first asset, a second one, or both, by id."""
        found = self.pools_by_sides.candidates(state.liquidity_pools, (asset_a, asset_b))
        return (
            pool
            for pool in found
            if asset_a in (None, pool.asset_a) and asset_b in (None, pool.asset_b)
        )

    def funds_of(self, state: State, owner: AccountId) -> Iterator[SametFund]:
        """SameT funds of an account, by id."""
        found = self.funds_by_owner.candidates(state.samet_funds, owner)
        return (fund for fund in found if fund.owner_account == owner)

    def funds_in(self, state: State, asset: AssetId) -> Iterator[SametFund]:
        """SameT funds that lend an asset, by id."""
        found = self.funds_by_asset.candidates(state.samet_funds, asset)
        return (fund for fund in found if fund.asset_type == asset)

    def proposals_of(self, state: State, account: AccountId) -> Iterator[Proposal]:
        """Proposals that need an account's approval, by id."""
        found = self.proposals_by_approver.candidates(state.proposals, account)
        return (proposal for proposal in found if account in approvers_of(proposal))

    def _link_account(self, account: Account) -> None:
        self.accounts_by_key.add(account, keys_of(account))
        self.accounts_by_address.add(account, addresses_in(account))
        self.accounts_by_member.add(account, members_of(account))

    def _link_asset(self, asset: Asset) -> None:
        self.assets_by_issuer.add(asset, (asset.issuer,))

    def _link_pool(self, pool: LiquidityPool) -> None:
        a, b = pool.asset_a, pool.asset_b
        self.pools_by_asset.add(pool, (a, b))
        self.pools_by_sides.add(pool, ((a, None), (None, b), (a, b)))

    def _link_fund(self, fund: SametFund) -> None:
        self.funds_by_owner.add(fund, (fund.owner_account,))
        self.funds_by_asset.add(fund, (fund.asset_type,))

    def _link_proposal(self, proposal: Proposal) -> None:
        self.proposals_by_approver.add(proposal, approvers_of(proposal))


def keys_of(account: Account) -> tuple[PublicKey, ...]:
    """Every key of an account's authorities and options."""
    return (
        *(key for key, _ in account.owner.key_auths),
        *(key for key, _ in account.active.key_auths),
        account.options.memo_key,
    )


def addresses_in(account: Account) -> tuple[Address, ...]:
    """Every address of an account's authorities."""
    return (
        *(address for address, _ in account.owner.address_auths),
        *(address for address, _ in account.active.address_auths),
    )


def members_of(account: Account) -> tuple[AccountId, ...]:
    """Every account that an account's authorities name."""
    return (
        *(member for member, _ in account.owner.account_auths),
        *(member for member, _ in account.active.account_auths),
    )


def approvers_of(proposal: Proposal) -> tuple[AccountId, ...]:
    """Every account whose approval a proposal needs."""
    return (*proposal.required_active_approvals, *proposal.required_owner_approvals)


def _place_of_balance(item: AccountBalance) -> Place | None:
    return (item.asset_type, -item.balance, item.owner) if item.balance else None


def _place_of_stake(item: AccountStatistics) -> Place | None:
    power = item.voting_power
    stake = item.voting_stake if power is None else power.active
    return (ALL_STAKES, -stake, item.owner) if stake else None


def _insert(ordered: list[str], text: str) -> None:
    at = bisect_left(ordered, text)
    if at == len(ordered) or ordered[at] != text:
        insort(ordered, text)
