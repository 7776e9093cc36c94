"""What votes where the genesis says `tickets`: locked CORE, by opinions that decay (K4.2-K4.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from node.state.database import State
from node.state.objects.accounts import NO_TICKETS, Account, AccountStatistics, VotingPower
from protocol.constants import HUNDRED_PERCENT, SECONDS_PER_DAY
from protocol.ids import AccountId

FULL_FOR_S = 360 * SECONDS_PER_DAY
"""How long an opinion counts whole after it was last changed (K4.4)."""
DECAY_STEP_S = 45 * SECONDS_PER_DAY
DECAY_STEP = 1_250
"""Share that each step takes, of 10,000."""
DECAY_STEPS = 7
"""Steps that take a part; after the last one nothing is left."""


class Power(NamedTuple):
    """The stake of one voter, or of all those of one opinion."""

    whole: int
    """Before anything decays."""
    active: int
    """After the voter's own opinion, whose proxy it is, has decayed."""
    committee: int
    witness: int
    worker: int


class Voice(NamedTuple):
    """Some stake, and whose opinion counts for it."""

    opinion: Account
    power: Power


def voices(
    state: State, now: int, counts: Callable[[Account], bool] | None = None
) -> Iterator[Voice]:
    """The stake of each voter that has any, ascending; with `counts`, of those for which it holds.

    Once any CORE is locked for ever, only accounts that have locked some so have a voice (K4.2);
    without tickets, only those with CORE in orders (K5.2).
    """
    is_burning = state.dynamic.total_pob > 0 or state.dynamic.total_inactive > 0
    for voter, opinion_id in state.stakes.by_voter():
        account = state.accounts.get(voter)
        if counts is not None and not counts(account):
            continue
        own = state.statistics.get(account.statistics)
        stake = stake_of(own, is_burning=is_burning)
        if stake == 0:
            continue
        opinion = state.accounts.get(opinion_id)
        voted_at = state.statistics.get(opinion.statistics).last_vote_time
        active = stake if voter == opinion_id else decayed(stake, own.last_vote_time, now)
        left = decayed(active, voted_at, now)
        yield Voice(opinion, Power(stake, active, left, left, left))


def stake_of(figures: AccountStatistics, *, is_burning: bool) -> int:
    """The stake of an account from its tickets, and from CORE in orders while nobody has locked
    any for ever (K4.2)."""
    tickets = figures.tickets or NO_TICKETS
    if is_burning and not (tickets.total_core_pob or tickets.total_core_inactive):
        return 0
    base = 0 if is_burning else figures.total_core_in_orders
    return ticket_stake(
        base,
        (tickets.total_core_pol, tickets.total_pol_value),
        (tickets.total_core_pob, tickets.total_pob_value),
    )


def ticket_stake(base: int, pol: tuple[int, int], pob: tuple[int, int]) -> int:
    """The stake of amounts and values: what is locked for ever multiplies what is locked for a
    time, then the base, and gives nothing alone once the base is none (K4.3)."""
    (locked, locked_value), (burnt, burnt_value) = pol, pob
    if burnt == 0:
        return base + locked_value
    if locked == 0:
        if burnt <= base:
            return base + burnt_value - burnt
        return base * burnt_value // burnt
    if burnt <= locked:
        lifted = burnt_value * locked_value // locked
        return base + lifted + locked_value - burnt * locked_value // locked
    excess, lifted = burnt - locked, locked_value * burnt_value // burnt
    if excess <= base:
        return base + lifted + burnt_value - locked * burnt_value // burnt - excess
    return lifted + base * burnt_value // burnt


def decayed(stake: int, voted_at: int, now: int) -> int:
    """What is left of stake by an opinion that was last changed at a time (K4.4)."""
    age = now - voted_at
    if age < FULL_FOR_S:
        return stake
    steps = (age - FULL_FOR_S) // DECAY_STEP_S + 1
    if steps > DECAY_STEPS:
        return 0
    return stake - stake * DECAY_STEP * steps // HUNDRED_PERCENT


def note_powers(state: State, powers: dict[AccountId, Power], now: int) -> None:
    """Write down what each opinion came to; those without a voice keep what they had (K4.7)."""
    for account, power in powers.items():
        figures = state.statistics.get(state.accounts.get(account).statistics)
        state.statistics.edit(figures)
        figures.voting_stake = power.whole
        figures.voting_power = VotingPower(
            power.active, power.committee, power.witness, power.worker
        )
        figures.vote_tally_time = now
