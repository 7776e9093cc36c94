"""What an account must be: a lifetime member, or the owner of what an operation names."""

from __future__ import annotations

from node.state.errors import NotAuthorized, TransactionRejected, WrongAccount
from node.state.objects.accounts import Account
from protocol.errors import TIME
from protocol.ids import AccountId, account_text
from protocol.schema import MAX_TIMESTAMP


def check_lifetime_member(account: Account) -> None:
    """Raise `NotAuthorized` unless the membership never ends (R9.6)."""
    if not account.is_lifetime_member():
        raise NotAuthorized(
            f"{account.name} is no lifetime member",
            rule="R9.6",
            value=account.membership_expiration_date,
            limit=MAX_TIMESTAMP,
            unit=TIME,
        )


def check_owner(
    account: AccountId,
    owner: AccountId,
    what: str,
    *,
    error: type[TransactionRejected] = WrongAccount,
    rule: str = "R9.6",
) -> None:
    """Raise unless the account that an operation names is the one that an object belongs to."""
    if account != owner:
        raise error(
            f"the {what} belongs to another account",
            rule=rule,
            value=account_text(account),
            limit=account_text(owner),
        )
