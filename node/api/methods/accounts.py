"""Database API: accounts, what they have, and who uses a key."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from node.api.arguments import (
    TEXT,
    AccountArg,
    AssetArgs,
    Boolean,
    Keys,
    Text,
    Texts,
    at_most,
    find_account,
    instance_of,
    list_of,
)
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.directory import ALL_STAKES
from node.api.full_account import view_full_account
from node.api.views import view_amount, view_object
from node.evaluators.balance import claimable
from node.state.objects.accounts import Account
from node.state.objects.permissions import WithdrawPermission
from protocol.asset import AssetAmount
from protocol.crypto.keys import parse_address, parse_key
from protocol.errors import KeyFormatError
from protocol.ids import (
    AccountId,
    BalanceId,
    ObjectId,
    WithdrawPermissionId,
    account_text,
    object_id,
)
from protocol.json_form import JsonValue

FullAccountNames = Annotated[list[str], list_of(TEXT, 50)]
LookupLimit = Annotated[int, at_most(1_000)]
PermissionLimit = Annotated[int, at_most(101)]
PermissionId = Annotated[int, instance_of("withdraw permission id", WithdrawPermissionId)]
VoterLimit = Annotated[int, at_most(200)]
BalanceIds = Annotated[list[BalanceId], list_of(instance_of("balance id", BalanceId))]


def get_accounts(call: Call, accounts: Texts, subscribe: Boolean = True) -> Answer:
    """Accounts by name or id; null for those that do not exist."""
    return _accounts(call, accounts, subscribe=subscribe)


def lookup_account_names(call: Call, names: Texts) -> Answer:
    """Accounts by name or id; null for those that do not exist."""
    return _accounts(call, names, subscribe=True)


def get_account_by_name(call: Call, name: Text) -> Answer:
    """An account by name, or null."""
    return _accounts(call, [name], subscribe=True)[0]


def get_account_id_from_string(call: Call, name_or_id: AccountArg) -> Answer:
    """The id of an account."""
    return account_text(name_or_id.id)


def get_account_count(call: Call) -> Answer:
    """How many accounts there are."""
    return len(call.state.accounts)


def lookup_accounts(
    call: Call, lower_bound_name: Text, limit: LookupLimit, subscribe: Boolean = True
) -> Answer:
    """Names and ids in the order of names, from a name on."""
    found = call.services.directory.names_from(call.state, lower_bound_name)
    return [[account.name, account_text(account.id)] for account in islice(found, limit)]


def get_full_accounts(
    call: Call, names_or_ids: FullAccountNames, subscribe: Boolean = True
) -> Answer:
    """Accounts with all that they have, each under the name or id as asked; unknown ones left out.

    With `subscribe`, every change of what they have is told.
    """
    answer: list[JsonValue] = []
    for asked in names_or_ids:
        account = find_account(call.backend, asked)
        if account is not None:
            if subscribe:
                call.session.subscriptions.note_account(account.id)
            answer.append([asked, view_full_account(call, account)])
    return answer


def get_account_balances(call: Call, account: AccountArg, assets: AssetArgs) -> Answer:
    """What an account holds: of the assets asked for, or all that is not zero."""
    if assets:
        held = [AssetAmount(call.state.balance_of(account.id, a.id), a.id) for a in assets]
    else:
        held = [
            AssetAmount(item.balance, item.asset_type)
            for item in call.state.balances_of_account.items(account.id)
            if item.balance
        ]
    return [view_amount(call.backend, amount) for amount in held]


def get_named_account_balances(call: Call, account: AccountArg, assets: AssetArgs) -> Answer:
    """The same as `get_account_balances`."""
    return get_account_balances(call, account, assets)


def get_key_references(call: Call, keys: Keys) -> Answer:
    """For each key, the accounts that have it in an authority or as memo key."""
    directory = call.services.directory
    return [
        [account_text(account) for account in directory.accounts_of_key(call.state, key)]
        for key in keys
    ]


def get_account_references(call: Call, account: AccountArg) -> Answer:
    """The accounts whose authorities name an account."""
    directory = call.services.directory
    return [account_text(other) for other in directory.accounts_naming(call.state, account.id)]


def is_public_key_registered(call: Call, public_key: Text) -> Answer:
    """Whether some account has a key; no key at all is not registered either."""
    try:
        key = parse_key(public_key, call.backend.address_prefix)
    except KeyFormatError:
        return False
    return bool(call.services.directory.accounts_of_key(call.state, key))


def get_top_voters(call: Call, limit: VoterLimit) -> Answer:
    """Figures of the accounts with most stake at the last count of votes, most first (R8.11, K4.7).

    Those that had none at that count are left out, whatever they had at an earlier one.
    """
    return Stepwise(_view_voters(call, limit))


def get_vesting_balances(call: Call, account: AccountArg) -> Answer:
    """The vesting balances of an account."""
    return [
        view_object(call.backend, item) for item in call.state.vesting_of_account.items(account.id)
    ]


def get_balance_objects(call: Call, addresses: Texts) -> Answer:
    """Balances of genesis that the holders of addresses may claim."""
    return [
        view_object(call.backend, item)
        for text in addresses
        for item in call.state.genesis_balances_of.items(
            parse_address(text, call.backend.address_prefix)
        )
    ]


def get_vested_balances(call: Call, objs: BalanceIds) -> Answer:
    """How much of balances of genesis has vested and was not claimed yet, in their order."""
    now = call.state.dynamic.time
    found = [call.state.genesis_balances.get(instance) for instance in objs]
    return [
        view_amount(call.backend, AssetAmount(claimable(item, now), item.balance.asset_id))
        for item in found
    ]


def get_withdraw_permissions_by_giver(
    call: Call, account: AccountArg, start: PermissionId = 0, limit: PermissionLimit = 101
) -> Answer:
    """The withdraw permissions that an account has given, from an id on."""
    return _permissions(call, call.state.permissions_given.items(account.id), start, limit)


def get_withdraw_permissions_by_recipient(
    call: Call, account: AccountArg, start: PermissionId = 0, limit: PermissionLimit = 101
) -> Answer:
    """The withdraw permissions that an account may use, from an id on."""
    return _permissions(call, call.state.permissions_received.items(account.id), start, limit)


def _view_voters(call: Call, limit: int) -> Steps:
    state, stakes = call.state, call.services.directory.stakes
    yield from stakes.catch_up()
    ranked = stakes.ranked(ALL_STAKES, 0, stakes.count(ALL_STAKES))
    found = (state.statistics_of(AccountId(owner)) for _, owner in ranked)
    counted_at = state.dynamic.last_vote_tally_time
    counted = (one for one in found if one.vote_tally_time >= counted_at)
    return [view_object(call.backend, one) for one in islice(counted, limit)]


def _permissions(
    call: Call, permissions: list[WithdrawPermission], start: int, limit: int
) -> list[JsonValue]:
    found = (item for item in permissions if item.id >= start)
    return [view_object(call.backend, item) for item in islice(found, limit)]


def _accounts(call: Call, names: list[str], *, subscribe: bool) -> list[JsonValue]:
    found = [find_account(call.backend, name) for name in names]
    if subscribe:
        call.session.subscriptions.note_objects(_ids(found))
    return [None if one is None else call.view(one) for one in found]


def _ids(accounts: list[Account | None]) -> list[ObjectId]:
    return [object_id(AccountId, account.id) for account in accounts if account is not None]


METHODS = (
    get_accounts,
    lookup_account_names,
    get_account_by_name,
    get_account_id_from_string,
    get_account_count,
    lookup_accounts,
    get_full_accounts,
    get_account_balances,
    get_named_account_balances,
    get_key_references,
    get_account_references,
    is_public_key_registered,
    get_top_voters,
    get_vesting_balances,
    get_balance_objects,
    get_vested_balances,
    get_withdraw_permissions_by_giver,
    get_withdraw_permissions_by_recipient,
)
