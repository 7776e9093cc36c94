"""Database API: whom votes elect, and what waits for approvals."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import BOOLEAN, AccountArg, Text, Texts, at_most, instance_of, list_of
from node.api.call import Answer, Call
from node.api.governance import proposals_of, view_votes, witnesses_of
from node.api.views import view_object
from node.state.objects.base import StateObject
from protocol.ids import (
    AccountId,
    CommitteeMemberId,
    WitnessId,
    committee_member_text,
    parse_vote_id,
    witness_text,
)
from protocol.json_form import JsonValue

LookupLimit = Annotated[int, at_most(1_000)]
WitnessIds = Annotated[list[WitnessId], list_of(instance_of("witness id", WitnessId))]
CommitteeMemberIds = Annotated[
    list[CommitteeMemberId], list_of(instance_of("committee member id", CommitteeMemberId))
]
OptionalBoolean = Annotated[bool | None, BOOLEAN]


def get_witnesses(call: Call, witness_ids: WitnessIds) -> Answer:
    """Witnesses by id; null for those that do not exist."""
    return [_view(call, call.state.witnesses.find(instance)) for instance in witness_ids]


def get_witness_by_account(call: Call, account: AccountArg) -> Answer:
    """The witness that an account is, or null."""
    return _view(call, call.state.witness_by_account.find(account.id))


def get_witness_count(call: Call) -> Answer:
    """How many witnesses there are, elected or not."""
    return len(call.state.witnesses)


def lookup_witness_accounts(call: Call, lower_bound_name: Text, limit: LookupLimit) -> Answer:
    """Names and ids of witnesses by name, from a name on."""
    witnesses = [(item.witness_account, witness_text(item.id)) for item in witnesses_of(call)]
    return _by_name(call, witnesses, lower_bound_name, limit)


def get_committee_members(call: Call, committee_member_ids: CommitteeMemberIds) -> Answer:
    """Committee members by id; null for those that do not exist."""
    found = call.state.committee_members
    return [_view(call, found.find(instance)) for instance in committee_member_ids]


def get_committee_count(call: Call) -> Answer:
    """How many committee members there are, elected or not."""
    return len(call.state.committee_members)


def get_committee_member_by_account(call: Call, account: AccountArg) -> Answer:
    """The committee member that an account is, or null."""
    return _view(call, call.state.committee_member_by_account.find(account.id))


def lookup_committee_member_accounts(
    call: Call, lower_bound_name: Text, limit: LookupLimit
) -> Answer:
    """Names and ids of committee members by name, from a name on."""
    members = [
        (item.committee_member_account, committee_member_text(item.id))
        for item in call.state.committee_members.in_order()
    ]
    return _by_name(call, members, lower_bound_name, limit)


def get_all_workers(call: Call, is_expired: OptionalBoolean = None) -> Answer:
    """Every worker, or those whose time has ended, or those whose time has not, by id."""
    now = call.state.dynamic.time
    return [
        _view(call, item)
        for item in call.state.workers.in_order()
        if is_expired is None or (item.work_end_date <= now) == is_expired
    ]


def get_worker_count(call: Call) -> Answer:
    """How many workers there are, whether their time has ended or not."""
    return len(call.state.workers)


def get_workers_by_account(call: Call, account: AccountArg) -> Answer:
    """The workers that pay an account."""
    return [
        _view(call, item)
        for item in call.state.workers.in_order()
        if item.worker_account == account.id
    ]


def get_proposed_transactions(call: Call, account: AccountArg) -> Answer:
    """Proposals that need an account's approval."""
    return [_view(call, item) for item in proposals_of(call, account)]


def lookup_vote_ids(call: Call, votes: Texts) -> Answer:
    """The committee members, witnesses and workers that vote ids name; null for unknown ones."""
    return view_votes(call, [parse_vote_id(text) for text in votes])


def _by_name(
    call: Call, found: list[tuple[AccountId, str]], lower_bound: str, limit: int
) -> Answer:
    named = sorted((call.state.accounts.get(account).name, text) for account, text in found)
    pairs: list[JsonValue] = [[name, text] for name, text in named if name >= lower_bound]
    return pairs[:limit]


def _view(call: Call, item: StateObject | None) -> JsonValue:
    return None if item is None else view_object(call.backend, item)


METHODS = (
    get_witnesses,
    get_witness_by_account,
    get_witness_count,
    lookup_witness_accounts,
    get_committee_members,
    get_committee_member_by_account,
    lookup_committee_member_accounts,
    get_committee_count,
    get_all_workers,
    get_workers_by_account,
    get_worker_count,
    get_proposed_transactions,
    lookup_vote_ids,
)
