"""Look-ups that consensus never needs, so the state has no index for them: names in order, keys.

Entries are only ever added, with each block, and every answer is checked against the state. So a
block that is taken back needs nothing here, and an old key that an account dropped is not named.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from node.state.database import State
from node.state.objects.accounts import Account
from node.state.undo import REMOVE, Change
from protocol.ids import AccountId
from protocol.schema import PublicKey


class Directory:
    """Account names in ascending order, and which accounts a key appears in."""

    def __init__(self, state: State) -> None:
        self.names: list[str] = sorted(account.name for account in state.accounts.rows.values())
        self.accounts_by_key: dict[PublicKey, set[AccountId]] = {}
        for account in state.accounts.in_order():
            self._add_keys(account)

    def apply_change(self, change: Change) -> None:
        """Take in what a block did to an object."""
        if change.kind == REMOVE or not isinstance(change.item, Account):
            return
        account = change.item
        at = bisect_left(self.names, account.name)
        if at == len(self.names) or self.names[at] != account.name:
            insort(self.names, account.name)
        self._add_keys(account)

    def names_from(self, state: State, lower_bound: str) -> Iterator[Account]:
        """Accounts by name, from the first name that is not less than a text."""
        for at in range(bisect_left(self.names, lower_bound), len(self.names)):
            account = state.account_by_name.find(self.names[at])
            if account is not None:
                yield account

    def accounts_of_key(self, state: State, key: PublicKey) -> list[AccountId]:
        """Accounts that have a key in an authority or as memo key, ascending."""
        found = []
        for instance in sorted(self.accounts_by_key.get(key, ())):
            account = state.accounts.find(instance)
            if account is not None and key in keys_of(account):
                found.append(account.id)
        return found

    def _add_keys(self, account: Account) -> None:
        for key in keys_of(account):
            self.accounts_by_key.setdefault(key, set()).add(account.id)


def keys_of(account: Account) -> tuple[PublicKey, ...]:
    """Every key of an account's authorities and options."""
    return (
        *(key for key, _ in account.owner.key_auths),
        *(key for key, _ in account.active.key_auths),
        account.options.memo_key,
    )
