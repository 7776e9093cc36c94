"""Tickets: locking CORE, and changing what a ticket works up to (K2)."""

from __future__ import annotations

from msgspec.structs import replace

from node.evaluators.membership import check_owner
from node.evaluators.ticket_life import (
    CHARGING_STEP_S,
    change_figures,
    change_target,
    changing,
    later,
    process_due_tickets,
)
from node.state.balances import check_balance, debit
from node.state.context import Context
from node.state.database import State
from node.state.errors import (
    LimitExceeded,
    OwnerMismatch,
)
from node.state.lock_errors import (
    TicketLockedForever,
    TicketTargetUnchanged,
)
from node.state.objects.accounts import NO_TICKETS
from node.state.objects.tickets import CHARGING, NEVER, Ticket
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import ObjectId, TicketId, asset_text, ticket_text
from protocol.operations.results import GenericOperationResult
from protocol.operations.ticket import TicketCreate, TicketType, TicketUpdate


def evaluate_ticket_create(ctx: Context, op: TicketCreate) -> None:
    """The account holds what it locks (K2.1)."""
    check_balance(ctx.state, op.account, op.amount, rule="K2.1")


def apply_ticket_create(ctx: Context, op: TicketCreate, checked: None) -> ObjectId:
    """Lock the amount in a ticket that begins to charge (K2.1)."""
    state = ctx.state
    debit(state, op.account, op.amount)
    ticket = state.tickets.create(
        Ticket(
            id=state.tickets.next_id,
            account=op.account,
            target_type=op.target_type,
            amount=op.amount,
            current_type=TicketType.LIQUID,
            status=CHARGING,
            value=0,
            next_auto_update_time=later(ctx.now, CHARGING_STEP_S),
            next_type_downgrade_time=NEVER,
        )
    )
    change_figures(state, op.account, NO_TICKETS, ticket.figures())
    return state.tickets.object_id(ticket.id)


def evaluate_ticket_update(ctx: Context, op: TicketUpdate) -> Ticket:
    """The ticket, once its owner gives it another target that it can still have (K2.2)."""
    ticket = ctx.state.tickets.get(op.ticket)

    check_owner(op.account, ticket.account, "ticket", error=OwnerMismatch, rule="K2.2")
    if ticket.is_forever():
        raise TicketLockedForever(
            "the CORE of the ticket is locked for ever", rule="K2.2", value=ticket_text(ticket.id)
        )
    if op.target_type == ticket.target_type:
        target = TicketType(op.target_type)
        raise TicketTargetUnchanged(
            "the ticket has this target already", rule="K2.2", value=target.name
        )
    part = op.amount_for_new_target
    if part is not None and part.amount > ticket.amount.amount:
        raise LimitExceeded(
            "the ticket holds less",
            rule="K2.2",
            value=part.amount,
            limit=ticket.amount.amount,
            unit=asset_text(CORE_ASSET),
        )
    return ticket


def apply_ticket_update(ctx: Context, op: TicketUpdate, ticket: Ticket) -> GenericOperationResult:
    """Give the ticket, or a part that becomes another one, the new target; it counts at once
    (K2.2)."""
    state, part = ctx.state, op.amount_for_new_target
    made: set[TicketId] = set()
    changed = ticket
    if part is not None and part.amount < ticket.amount.amount:
        changed = _split(state, ticket, part)
        made.add(changed.id)
    with changing(state, changed):
        change_target(changed, op.target_type, ctx.now)
    due = process_due_tickets(ctx)
    updated = {ticket.id, *due.updated} - made - due.removed
    return GenericOperationResult(
        *(
            tuple(state.tickets.object_id(number) for number in sorted(numbers))
            for numbers in (made, updated, due.removed)
        )
    )


def _split(state: State, ticket: Ticket, part: AssetAmount) -> Ticket:
    """A ticket of its own of a part of the amount, alike in all else."""
    with changing(state, ticket):
        ticket.amount = replace(ticket.amount, amount=ticket.amount.amount - part.amount)
        ticket.value = ticket.full_value()
    made = state.tickets.create(
        Ticket(
            id=state.tickets.next_id,
            account=ticket.account,
            target_type=ticket.target_type,
            amount=part,
            current_type=ticket.current_type,
            status=ticket.status,
            value=0,
            next_auto_update_time=ticket.next_auto_update_time,
            next_type_downgrade_time=ticket.next_type_downgrade_time,
        )
    )
    made.value = made.full_value()
    change_figures(state, made.account, NO_TICKETS, made.figures())
    return made
