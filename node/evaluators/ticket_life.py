"""What becomes of tickets: by their owners' wish, and by themselves at their times (K2.3, K3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from msgspec.structs import astuple

from node.state.balances import credit
from node.state.context import Context
from node.state.database import ALL, State
from node.state.objects.accounts import NO_TICKETS, TicketFigures
from node.state.objects.tickets import CHARGING, NEVER, STABLE, WITHDRAWING, Ticket
from protocol.constants import SECONDS_PER_DAY
from protocol.ids import AccountId, TicketId
from protocol.operations.ticket import TicketType

CHARGING_STEP_S = 15 * SECONDS_PER_DAY
CANCEL_S = 7 * SECONDS_PER_DAY
FOREVER_STEP_S = 180 * SECONDS_PER_DAY
FOREVER_STEPS = 4
"""Steps in which the value of what is locked for ever comes to nothing (K3.3)."""
DOWNGRADE_S = (180 * SECONDS_PER_DAY, 180 * SECONDS_PER_DAY, 360 * SECONDS_PER_DAY)
"""How long a ticket that falls stays in a type, by the type that it falls into (K1.1)."""


class Due(NamedTuple):
    """The tickets whose time had come."""

    updated: set[TicketId]
    removed: set[TicketId]


def later(time_s: int, seconds: int) -> int:
    """A time some seconds on; `NEVER` for one that cannot be written."""
    return min(time_s + seconds, NEVER)


def change_figures(
    state: State, account: AccountId, before: TicketFigures, after: TicketFigures
) -> None:
    """Let the figures of an account and of the chain follow a ticket (K3.4)."""
    if before == after:
        return
    statistics = state.statistics.edit(state.statistics_of(account))
    totals = astuple(statistics.tickets or NO_TICKETS)
    moved = [new - old for new, old in zip(astuple(after), astuple(before), strict=True)]
    found = TicketFigures(*(total + more for total, more in zip(totals, moved, strict=True)))
    statistics.tickets = None if found == NO_TICKETS else found
    pob = after.total_core_pob - before.total_core_pob
    inactive = after.total_core_inactive - before.total_core_inactive
    if pob or inactive:
        dynamic = state.dynamic_properties.edit(state.dynamic)
        dynamic.total_pob += pob
        dynamic.total_inactive += inactive


@contextmanager
def changing(state: State, ticket: Ticket) -> Iterator[Ticket]:
    """Edit a ticket; what it counts follows."""
    before = ticket.figures()
    yield state.tickets.edit(ticket)
    change_figures(state, ticket.account, before, ticket.figures())


def change_target(ticket: Ticket, target: int, now: int) -> None:
    """Let a ticket work up, or down, to another type (K2.3)."""
    if ticket.current_type < target:
        if ticket.status != CHARGING:
            ticket.status = CHARGING
            ticket.next_auto_update_time = later(now, CHARGING_STEP_S)
    else:
        ticket.status = WITHDRAWING
        if ticket.next_type_downgrade_time == NEVER:
            if ticket.current_type == target:
                ticket.next_type_downgrade_time = later(now, CANCEL_S)
            else:
                _fall(ticket, now)
        ticket.next_auto_update_time = ticket.next_type_downgrade_time
    ticket.target_type = target
    ticket.value = ticket.full_value()


def process_due_tickets(ctx: Context) -> Due:
    """Let all tickets be what they have become by now: the earliest first, then the older (K3.1).

    Those of a late block catch up: their times go on from when they were due.
    """
    state, due = ctx.state, Due(set(), set())
    while True:
        ticket = state.ticket_updates.first(ALL)
        if ticket is None or not _is_due(ticket, ctx.now):
            return due
        if ticket.status == WITHDRAWING and ticket.current_type == TicketType.LIQUID:
            credit(state, ticket.account, ticket.amount)
            change_figures(state, ticket.account, ticket.figures(), NO_TICKETS)
            state.tickets.remove(ticket)
            due.removed.add(ticket.id)
            continue
        with changing(state, ticket):
            _advance(ticket)
        due.updated.add(ticket.id)


def _is_due(ticket: Ticket, now: int) -> bool:
    return ticket.next_auto_update_time <= now and ticket.next_auto_update_time != NEVER


def _advance(ticket: Ticket) -> None:
    """One step of a ticket that stays, from when it was due (K3.2, K3.3)."""
    if ticket.is_forever():
        _decay(ticket)
        return
    if ticket.status == CHARGING:
        _charge(ticket)
    elif ticket.current_type == ticket.target_type:
        _come_to_rest(ticket)
        ticket.next_type_downgrade_time = NEVER
    else:
        _fall(ticket, ticket.next_type_downgrade_time)
        ticket.next_auto_update_time = ticket.next_type_downgrade_time
    ticket.value = ticket.full_value()


def _charge(ticket: Ticket) -> None:
    ticket.current_type += 1
    ticket.next_type_downgrade_time = NEVER
    if ticket.current_type < ticket.target_type:
        ticket.next_auto_update_time = later(ticket.next_auto_update_time, CHARGING_STEP_S)
    elif ticket.is_forever():
        ticket.status = WITHDRAWING
        ticket.next_auto_update_time = later(ticket.next_auto_update_time, FOREVER_STEP_S)
    else:
        _come_to_rest(ticket)


def _fall(ticket: Ticket, since: int) -> None:
    """Drop by a type, from when that was due."""
    ticket.current_type -= 1
    ticket.next_type_downgrade_time = later(since, DOWNGRADE_S[ticket.current_type])


def _decay(ticket: Ticket) -> None:
    """One of the steps in which what is locked for ever loses its value (K3.3)."""
    step = ticket.full_value() // FOREVER_STEPS
    if ticket.value <= step:
        ticket.value = 0
        _come_to_rest(ticket)
    else:
        ticket.value -= step
        ticket.next_auto_update_time = later(ticket.next_auto_update_time, FOREVER_STEP_S)


def _come_to_rest(ticket: Ticket) -> None:
    ticket.status = STABLE
    ticket.next_auto_update_time = NEVER
