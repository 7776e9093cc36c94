"""Whom votes name, and which proposals wait for an account."""

from __future__ import annotations

from node.api.call import Call
from node.api.views import view_object
from node.state.objects.accounts import Account
from node.state.objects.governance import CommitteeMember, Witness, Worker
from node.state.objects.transactions import Proposal
from protocol.ids import VoteId, vote_kind
from protocol.json_form import JsonValue
from protocol.operations.account import COMMITTEE_VOTE, WITNESS_VOTE, WORKER_VOTE


def view_votes(call: Call, votes: list[VoteId]) -> list[JsonValue]:
    """What vote ids name, in their order; null for unknown ones."""
    kinds = {vote_kind(vote) for vote in votes}
    found: dict[VoteId, CommitteeMember | Witness | Worker] = {}
    if COMMITTEE_VOTE in kinds:
        found |= {item.vote_id: item for item in call.state.committee_members.in_order()}
    if WITNESS_VOTE in kinds:
        found |= {item.vote_id: item for item in witnesses_of(call)}
    if WORKER_VOTE in kinds:
        found |= {item.vote_for: item for item in call.state.workers.in_order()}
    return [
        None if item is None else view_object(call.backend, item)
        for item in (found.get(vote) for vote in votes)
    ]


def proposals_of(call: Call, account: Account) -> list[Proposal]:
    """Proposals that need an account's approval, by id."""
    return list(call.services.directory.proposals_of(call.state, account.id))


def witnesses_of(call: Call) -> list[Witness]:
    """All witnesses by id, the reserved null witness left out (R9.8)."""
    return [item for item in call.state.witnesses.in_order() if item.id != 0]
