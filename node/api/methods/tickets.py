"""Database API: tickets, locked CORE (K5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from node.api.arguments import AccountArg, at_most, instance_of
from node.api.call import Answer, Call
from node.api.views import view_object
from node.state.objects.tickets import Ticket
from protocol import ids

TicketLimit = Annotated[int, at_most(101)]
TicketId = Annotated[int, instance_of("ticket id", ids.TicketId)]


def list_tickets(call: Call, limit: TicketLimit = 101, start_id: TicketId = 0) -> Answer:
    """All tickets, by id from an id on."""
    return _views(call, call.state.tickets.in_order(), start_id, limit)


def get_tickets_by_account(
    call: Call, account: AccountArg, limit: TicketLimit = 101, start_id: TicketId = 0
) -> Answer:
    """The tickets of an account, by id from an id on."""
    return _views(call, call.state.tickets_of_account.items(account.id), start_id, limit)


def _views(call: Call, found: Iterable[Ticket], start: int, limit: int) -> Answer:
    wanted = islice((item for item in found if item.id >= start), limit)
    return [view_object(call.backend, item) for item in wanted]


METHODS = (list_tickets, get_tickets_by_account)
