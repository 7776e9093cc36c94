"""Counting votes at maintenance, and the witnesses and committee that they elect (R8.11-R8.13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from node.chain.ticket_votes import Power, note_powers, voices
from node.state.context import Context
from node.state.database import State
from node.state.objects.accounts import Account, AccountStatistics
from node.state.objects.governance import VOTING_TICKETS, CommitteeMember, Witness
from protocol.authority import Authority
from protocol.chain_parameters import ChainParameters
from protocol.constants import (
    COMMITTEE_ACCOUNT,
    CORE_ASSET,
    RELAXED_COMMITTEE_ACCOUNT,
    WITNESS_ACCOUNT,
)
from protocol.ids import AccountId, VoteId, vote_kind
from protocol.operations.account import COMMITTEE_VOTE, WITNESS_VOTE, WORKER_VOTE
from protocol.schema import Mutable

WEIGHT_BITS = 16
"""Bits of the largest weight in an elected authority (R8.13)."""

NO_POWER = Power(0, 0, 0, 0, 0)

Candidate = TypeVar("Candidate", Witness, CommitteeMember)


class Tally(Mutable):
    """What the voters want."""

    votes: dict[VoteId, int]
    """Stake by vote id."""
    witness_counts: list[int]
    """Stake by half the number of witnesses wanted (R8.12)."""
    committee_counts: list[int]
    """Stake by half the number of committee members wanted."""
    witness_total: int = 0
    """All the stake that took part."""
    committee_total: int = 0


def refresh_balances(state: State, moved: Iterable[AccountStatistics]) -> None:
    """Note each account's CORE balance, the stake of the count that follows (R8.11).

    `moved` are the figures of the accounts that can have another balance than was noted.
    """
    for statistics in moved:
        balance = state.balance_of(statistics.owner, CORE_ASSET)
        if statistics.core_in_balance != balance:
            state.statistics.edit(statistics).core_in_balance = balance


def count_votes(ctx: Context) -> Tally:
    """Tally the stake of all accounts by their own opinion or their proxy's (R8.11).

    Accounts without a vote and without a proxy are passed over: they would wish for no number of
    witnesses, which abstains.
    """
    state = ctx.state
    parameters = state.parameters
    tally = Tally(
        {},
        [0] * (parameters.maximum_witness_count // 2 + 1),
        [0] * (parameters.maximum_committee_count // 2 + 1),
    )
    members_only = None if parameters.count_non_member_votes else partial(_is_member, ctx.now)
    if state.chain.voting_stake == VOTING_TICKETS:
        _count_tickets(ctx, tally, members_only)
    else:
        for account, stake in state.stakes.by_opinion(members_only):
            opinion = state.accounts.get(account)
            _note_stake(state, opinion, stake, ctx.now)
            _add_opinion(parameters, tally, opinion, Power(stake, stake, stake, stake, stake))
    state.stakes.disregard_figures()
    return tally


def _count_tickets(ctx: Context, tally: Tally, counts: Callable[[Account], bool] | None) -> None:
    """Add what is locked in tickets; a committee vote is one of several, and shares (K4.6)."""
    state, powers = ctx.state, dict[AccountId, Power]()
    for opinion, power in voices(state, ctx.now, counts):
        others = opinion.options.number_of_votes(COMMITTEE_VOTE)
        _add_opinion(state.parameters, tally, opinion, power, max(others, 1))
        before = powers.get(opinion.id, NO_POWER)
        powers[opinion.id] = Power(*(one + more for one, more in zip(before, power, strict=True)))
    note_powers(state, powers, ctx.now)


def _is_member(now: int, account: Account) -> bool:
    return account.is_member(now)


def _note_stake(state: State, opinion: Account, stake: int, now: int) -> None:
    statistics = state.statistics.edit(state.statistics.get(opinion.statistics))
    statistics.voting_stake = stake
    statistics.vote_tally_time = now


def _add_opinion(
    parameters: ChainParameters, tally: Tally, opinion: Account, power: Power, sharing: int = 1
) -> None:
    """Add some stake of an opinion, of which its committee votes share theirs by so many."""
    options = opinion.options
    votes = tally.votes
    each = {
        COMMITTEE_VOTE: power.committee // sharing,
        WITNESS_VOTE: power.witness,
        WORKER_VOTE: power.worker,
    }
    for vote in options.votes:
        votes[vote] = votes.get(vote, 0) + each[vote_kind(vote)]
    if options.num_witness <= parameters.maximum_witness_count:
        tally.witness_counts[options.num_witness // 2] += power.witness
    if options.num_committee <= parameters.maximum_committee_count:
        tally.committee_counts[options.num_committee // 2] += power.committee
    tally.witness_total += power.witness
    tally.committee_total += power.committee


def wanted_count(counts: Sequence[int], total: int, minimum: int) -> int:
    """How many to elect: what half of the stake that has an opinion wants at most (R8.12)."""
    target = (total - counts[0]) // 2
    half, reached = 0, 0
    if target > 0:
        while half < len(counts) - 1 and reached <= target:
            half += 1
            reached += counts[half]
    return max(2 * half + 1, minimum)


def update_active_witnesses(state: State, tally: Tally) -> None:
    """Elect the witnesses and make them the authority of the witness account (R8.12, R8.13)."""
    minimum = state.chain.immutable_parameters.min_witness_count
    count = wanted_count(tally.witness_counts, tally.witness_total, minimum)
    for witness in state.witnesses.in_order():
        votes = tally.votes.get(witness.vote_id, 0)
        if witness.total_votes != votes:
            state.witnesses.edit(witness).total_votes = votes
    elected = _most_voted(state.witnesses.in_order(), count)
    _set_active(
        state, WITNESS_ACCOUNT, [(item.witness_account, item.total_votes) for item in elected]
    )
    properties = state.global_properties.edit(state.properties)
    properties.active_witnesses = tuple(sorted(item.id for item in elected))


def update_active_committee(state: State, tally: Tally) -> None:
    """Elect the committee and make it the authority of the committee accounts (R8.12, R8.13)."""
    minimum = state.chain.immutable_parameters.min_committee_member_count
    count = wanted_count(tally.committee_counts, tally.committee_total, minimum)
    for member in state.committee_members.in_order():
        votes = tally.votes.get(member.vote_id, 0)
        if member.total_votes != votes:
            state.committee_members.edit(member).total_votes = votes
    elected = _most_voted(state.committee_members.in_order(), count)
    weights = [(item.committee_member_account, item.total_votes) for item in elected]
    _set_active(state, COMMITTEE_ACCOUNT, weights)
    if elected:
        relaxed = state.accounts.edit(state.accounts.get(RELAXED_COMMITTEE_ACCOUNT))
        relaxed.active = state.accounts.get(COMMITTEE_ACCOUNT).active
    properties = state.global_properties.edit(state.properties)
    properties.active_committee_members = tuple(item.id for item in elected)


def update_worker_votes(state: State, tally: Tally) -> None:
    """Note the votes of each worker (R8.10)."""
    for worker in state.workers.in_order():
        votes = tally.votes.get(worker.vote_for, 0)
        if worker.total_votes_for != votes:
            state.workers.edit(worker).total_votes_for = votes


def _most_voted(candidates: Iterable[Candidate], count: int) -> list[Candidate]:
    """Most votes first, then the older vote id."""
    return sorted(candidates, key=lambda item: (-item.total_votes, item.vote_id))[:count]


def _set_active(state: State, account: AccountId, votes: Sequence[tuple[AccountId, int]]) -> None:
    authority = elected_authority(votes)
    if authority is not None:
        state.accounts.edit(state.accounts.get(account)).active = authority


def elected_authority(votes: Sequence[tuple[AccountId, int]]) -> Authority | None:
    """The authority of elected accounts, weighted by votes; None when nobody has any (R8.13)."""
    largest = max((count for _, count in votes), default=0)
    if largest == 0:
        return None
    shift = max(largest.bit_length() - WEIGHT_BITS, 0)
    weights = sorted((account, max(count >> shift, 1)) for account, count in votes if count > 0)
    total = sum(weight for _, weight in weights)
    return Authority(total // 2 + 1, account_auths=tuple(weights))
