"""Whose authority an operation requires (R9.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from protocol.authority import Authority, all_keys_authority
from protocol.ids import AccountId
from protocol.operations import PAYER_OF, fee_payer
from protocol.operations.account import AccountCreate, AccountTransfer, AccountUpdate
from protocol.operations.asset import AssetUpdateIssuer
from protocol.operations.balance import BalanceClaim
from protocol.operations.base import Operation
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalDelete, ProposalUpdate
from protocol.operations.stealth import BlindTransfer, TransferFromBlind


class RequiredAuthorities(NamedTuple):
    """What must approve an operation; ascending, no duplicates.

    An account whose owner authority is required is not in `active` too: owner includes active.
    """

    active: tuple[AccountId, ...]
    """Accounts whose active, or owner, authority must approve."""
    owner: tuple[AccountId, ...] = ()
    """Accounts whose owner authority must approve."""
    other: tuple[Authority, ...] = ()
    """Authorities of no account that must approve."""


def required_authorities(operation: Operation) -> RequiredAuthorities:
    """The authorities that an operation requires; the fee payer's active one unless R9.6 says so.

    What a proposal proposes is not asked for here: it is approved while it waits (R8.23).
    """
    special = _SPECIAL.get(type(operation))
    if special is None:
        return RequiredAuthorities((fee_payer(operation),))
    return special(operation)


def _account_create(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, AccountCreate)
    buyback = operation.extensions.buyback_options
    if buyback is None:
        return RequiredAuthorities((operation.registrar,))
    return RequiredAuthorities(_ascending(operation.registrar, buyback.asset_to_buy_issuer))


def _account_update(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, AccountUpdate)
    if operation.changes_owner():
        return RequiredAuthorities((), owner=(operation.account,))
    return RequiredAuthorities((operation.account,))


def _account_transfer(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, AccountTransfer)
    return RequiredAuthorities((), owner=(operation.account_id,))


def _asset_update_issuer(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, AssetUpdateIssuer)
    return RequiredAuthorities((), owner=(operation.issuer,))


def _balance_claim(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, BalanceClaim)
    key = all_keys_authority((operation.balance_owner_key,))
    return RequiredAuthorities((operation.deposit_to_account,), other=(key,))


def _custom(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, Custom)
    return RequiredAuthorities(_ascending(operation.payer, *operation.required_auths))


def _blind(operation: Operation) -> RequiredAuthorities:
    """The owners of what is spent; the fee comes out of it, so the temp account stands for it."""
    assert isinstance(operation, BlindTransfer | TransferFromBlind)
    owners = tuple(item.owner for item in operation.inputs)
    return RequiredAuthorities((fee_payer(operation),), other=owners)


def _proposal_update(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, ProposalUpdate)
    owner = _ascending(*operation.owner_approvals_to_add, *operation.owner_approvals_to_remove)
    active = _ascending(
        operation.fee_paying_account,
        *operation.active_approvals_to_add,
        *operation.active_approvals_to_remove,
    )
    keys = (*operation.key_approvals_to_add, *operation.key_approvals_to_remove)
    return RequiredAuthorities(
        tuple(account for account in active if account not in owner),
        owner,
        (all_keys_authority(keys),) if keys else (),
    )


def _proposal_delete(operation: Operation) -> RequiredAuthorities:
    assert isinstance(operation, ProposalDelete)
    account = (operation.fee_paying_account,)
    if operation.using_owner_authority:
        return RequiredAuthorities((), owner=account)
    return RequiredAuthorities(account)


_SPECIAL: dict[type, Callable[[Operation], RequiredAuthorities]] = {
    AccountCreate: _account_create,
    AccountUpdate: _account_update,
    AccountTransfer: _account_transfer,
    AssetUpdateIssuer: _asset_update_issuer,
    BalanceClaim: _balance_claim,
    Custom: _custom,
    BlindTransfer: _blind,
    TransferFromBlind: _blind,
    ProposalUpdate: _proposal_update,
    ProposalDelete: _proposal_delete,
}


SOLE_ACCOUNT_OF = {cls: payer for cls, payer in PAYER_OF.items() if cls not in _SPECIAL}
"""Class -> the one account whose active authority is all that such an operation requires.

Missing where an operation may require more than its fee payer.
"""


def _ascending(*accounts: AccountId) -> tuple[AccountId, ...]:
    return tuple(sorted(set(accounts)))
