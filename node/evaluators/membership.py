"""What registering accounts, witnesses and committee members needs: membership and vote ids."""

from __future__ import annotations

from node.state.database import State
from node.state.errors import NotAuthorized
from node.state.objects.accounts import Account
from protocol.ids import VoteId, vote_id
from protocol.schema import MAX_TIMESTAMP


def check_lifetime_member(account: Account) -> None:
    """Raise `NotAuthorized` unless the membership never ends (R9.6)."""
    if not account.is_lifetime_member():
        raise NotAuthorized(
            f"{account.name} is no lifetime member",
            rule="R9.6",
            value=account.membership_expiration_date,
            limit=MAX_TIMESTAMP,
        )


def next_vote_id(state: State, kind: int) -> VoteId:
    """Use up the next vote id; one counter serves candidates of all kinds (R8.12)."""
    properties = state.global_properties.edit(state.properties)
    instance = properties.next_available_vote_id
    properties.next_available_vote_id = instance + 1
    return vote_id(kind, instance)
