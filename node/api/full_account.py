"""An account with all that it has, in one answer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from node.api.call import Call
from node.api.governance import proposals_of, view_votes
from node.api.views import Json, view_object
from node.state.objects.accounts import Account
from node.state.objects.assets import Asset
from node.state.objects.base import StateObject
from node.state.objects.market import CallOrder, ForceSettlement
from protocol.ids import AccountId, asset_text
from protocol.json_form import JsonValue

LIST_MAX = 500
"""Most entries of one kind; `more_data_available` tells that there are more."""


def view_full_account(call: Call, account: Account) -> Json:
    """Everything about an account; no key is ever missing."""
    state, owner = call.state, account.id
    lists: dict[str, list[JsonValue]] = {
        "balances": _views(call, state.balances_of_account.items(owner)),
        "vesting_balances": _views(call, state.vesting_of_account.items(owner)),
        "limit_orders": _views(call, state.orders_of_account.items(owner)),
        "call_orders": _views(call, positions_of(call, owner)),
        "settle_orders": _views(call, settlements_of(call, owner)),
        "proposals": _views(call, proposals_of(call, account)),
        "withdraws_from": _views(call, state.permissions_given.items(owner)),
        "withdraws_to": _views(call, state.permissions_received.items(owner)),
        "htlcs_from": _views(call, state.htlcs_from.items(owner)),
        "htlcs_to": _views(call, state.htlcs_to.items(owner)),
        "assets": [asset_text(asset.id) for asset in _assets_of(call, owner)],
    }
    answer: Json = {
        "account": view_object(call.backend, account),
        "statistics": view_object(call.backend, state.statistics.get(account.statistics)),
        "registrar_name": state.accounts.get(account.registrar).name,
        "referrer_name": state.accounts.get(account.referrer).name,
        "lifetime_referrer_name": state.accounts.get(account.lifetime_referrer).name,
        "votes": [vote for vote in view_votes(call, list(account.options.votes)) if vote],
        "more_data_available": {name: len(items) > LIST_MAX for name, items in lists.items()},
    }
    for name, items in lists.items():
        answer[name] = items[:LIST_MAX]
    if account.cashback_vb is not None:
        vesting = state.vesting_balances.get(account.cashback_vb)
        answer["cashback_balance"] = view_object(call.backend, vesting)
    return answer


def positions_of(call: Call, borrower: AccountId) -> list[CallOrder]:
    """The positions of an account, by debt asset."""
    return call.state.positions_of_account.items(borrower)


def settlements_of(call: Call, owner: AccountId) -> list[ForceSettlement]:
    """The settlement requests of an account, by id."""
    return call.state.settlements_of_account.items(owner)


def _assets_of(call: Call, issuer: AccountId) -> Iterable[Asset]:
    return islice(call.services.directory.assets_issued_by(call.state, issuer), LIST_MAX + 1)


def _views(call: Call, items: Iterable[StateObject]) -> list[JsonValue]:
    return [view_object(call.backend, item) for item in islice(items, LIST_MAX + 1)]
