"""The accounts of a genesis: the special ones, and those that it names (R9.8)."""

from __future__ import annotations

from node.state.creation import create_account
from node.state.database import State
from node.state.objects.accounts import Account
from protocol.authority import Authority, key_authority
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    HUNDRED_PERCENT,
    NULL_ACCOUNT,
    PROXY_TO_SELF_ACCOUNT,
    TEMP_ACCOUNT,
)
from protocol.genesis import SPECIAL_ACCOUNT_NAMES, Genesis
from protocol.operations.account import AccountOptions
from protocol.operations.balance import NULL_KEY
from protocol.schema import PublicKey

DEFAULT_NETWORK_PERCENT = 2_000
"""Network's share of the special accounts' fees, of 10,000."""


def create_special_accounts(state: State, time_s: int) -> None:
    """The six accounts that the chain itself knows; nobody can sign for most of them."""
    for name in SPECIAL_ACCOUNT_NAMES:
        account = state.accounts.next_id
        nobody = account in (NULL_ACCOUNT, PROXY_TO_SELF_ACCOUNT)
        authority = Authority(0 if account == TEMP_ACCOUNT else 1)
        patron = NULL_ACCOUNT if nobody else account
        network = 0 if nobody else DEFAULT_NETWORK_PERCENT
        create_account(
            state,
            name,
            authority,
            authority,
            AccountOptions(NULL_KEY),
            registrar=patron,
            referrer=patron,
            lifetime_referrer=patron,
            network_percent=network,
            lifetime_referrer_percent=HUNDRED_PERCENT - network,
            is_lifetime_member=True,
            now=time_s,
        )


def reserve_accounts(state: State, count: int) -> None:
    """Leave account ids below `count` unused."""
    first_free = max(count, state.accounts.next_id)
    state.accounts.reserve(first_free)
    state.statistics.reserve(first_free)


def create_accounts(state: State, genesis: Genesis) -> None:
    """The initial accounts; lifetime members are their own referrers (R8.20)."""
    for initial in genesis.initial_accounts:
        active_key = initial.effective_active_key()
        register_account(
            state,
            genesis,
            initial.name,
            key_authority(initial.owner_key),
            key_authority(active_key),
            active_key,
            is_member=initial.is_lifetime_member,
        )


def register_account(
    state: State,
    genesis: Genesis,
    name: str,
    owner: Authority,
    active: Authority,
    memo_key: PublicKey,
    *,
    is_member: bool,
) -> Account:
    """An account as if the temp account had registered it with the committee as referrer."""
    parameters = genesis.initial_parameters
    network = parameters.network_percent_of_fee
    own = state.accounts.next_id
    return create_account(
        state,
        name,
        owner,
        active,
        AccountOptions(memo_key),
        registrar=own if is_member else TEMP_ACCOUNT,
        referrer=own if is_member else COMMITTEE_ACCOUNT,
        lifetime_referrer=own if is_member else COMMITTEE_ACCOUNT,
        network_percent=network,
        lifetime_referrer_percent=(
            HUNDRED_PERCENT - network if is_member else parameters.lifetime_referrer_percent_of_fee
        ),
        is_lifetime_member=is_member,
        now=genesis.initial_timestamp,
    )
