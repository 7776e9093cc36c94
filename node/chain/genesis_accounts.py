"""The accounts of a genesis: the special ones, and those that it names (R9.8)."""

from __future__ import annotations

from node.state.database import State
from node.state.objects.accounts import Account, AccountStatistics
from protocol.authority import Authority, key_authority
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    HUNDRED_PERCENT,
    NULL_ACCOUNT,
    PROXY_TO_SELF_ACCOUNT,
    TEMP_ACCOUNT,
)
from protocol.genesis import SPECIAL_ACCOUNT_NAMES, Genesis
from protocol.ids import AccountId, VoteId, vote_id
from protocol.operations.account import AccountOptions
from protocol.operations.balance import NULL_KEY
from protocol.schema import MAX_TIMESTAMP, PublicKey

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
        add_account(
            state,
            name,
            authority,
            authority,
            NULL_KEY,
            patrons=(patron, patron, patron),
            percents=(network, HUNDRED_PERCENT - network),
            is_member=True,
            time_s=time_s,
        )


def reserve_accounts(state: State, count: int) -> None:
    """Leave account ids below `count` unused."""
    first_free = max(count, state.accounts.next_instance)
    state.accounts.next_instance = first_free
    state.statistics.next_instance = first_free


def create_accounts(state: State, genesis: Genesis) -> None:
    """The initial accounts; lifetime members are their own referrers (R8.20)."""
    for initial in genesis.initial_accounts:
        active_key = initial.effective_active_key()
        create_account(
            state,
            genesis,
            initial.name,
            key_authority(initial.owner_key),
            key_authority(active_key),
            active_key,
            is_member=initial.is_lifetime_member,
        )


def create_account(
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
    if is_member:
        account = state.accounts.next_id
        patrons = (account, account, account)
        percents = (network, HUNDRED_PERCENT - network)
    else:
        patrons = (TEMP_ACCOUNT, COMMITTEE_ACCOUNT, COMMITTEE_ACCOUNT)
        percents = (network, parameters.lifetime_referrer_percent_of_fee)
    return add_account(
        state,
        name,
        owner,
        active,
        memo_key,
        patrons=patrons,
        percents=percents,
        is_member=is_member,
        time_s=genesis.initial_timestamp,
    )


def add_account(
    state: State,
    name: str,
    owner: Authority,
    active: Authority,
    memo_key: PublicKey,
    *,
    patrons: tuple[AccountId, AccountId, AccountId],
    percents: tuple[int, int],
    is_member: bool,
    time_s: int,
) -> Account:
    """An account and its statistics; patrons are registrar, referrer and lifetime referrer.

    `percents` are the shares of the network and of the lifetime referrer, of 10,000.
    """
    account_id = state.accounts.next_id
    statistics_id = state.statistics.next_id
    state.statistics.create(
        AccountStatistics(
            id=statistics_id,
            owner=account_id,
            name=name,
            total_core_in_orders=0,
            core_in_balance=0,
            voting_stake=0,
            vote_tally_time=0,
            lifetime_fees_paid=0,
            pending_fees=0,
            pending_vested_fees=0,
        )
    )
    return state.accounts.create(
        Account(
            id=account_id,
            membership_expiration_date=MAX_TIMESTAMP if is_member else 0,
            registrar=patrons[0],
            referrer=patrons[1],
            lifetime_referrer=patrons[2],
            network_fee_percentage=percents[0],
            lifetime_referrer_fee_percentage=percents[1],
            referrer_rewards_percentage=0,
            name=name,
            owner=owner,
            active=active,
            options=AccountOptions(memo_key=memo_key),
            statistics=statistics_id,
            whitelisting_accounts=(),
            blacklisting_accounts=(),
            whitelisted_accounts=(),
            blacklisted_accounts=(),
            cashback_vb=None,
            creation_block_num=0,
            creation_time=time_s,
        )
    )


def next_vote_id(state: State, kind: int) -> VoteId:
    """A fresh vote target of a kind."""
    properties = state.global_properties.edit(state.properties)
    found = vote_id(kind, properties.next_available_vote_id)
    properties.next_available_vote_id += 1
    return found
