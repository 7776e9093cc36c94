"""`pegboard wallet ticket`: CORE that is locked, for votes."""

from __future__ import annotations

import click

from node.cli.remote_chain import id_argument
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.ids import TicketId
from protocol.operations.ticket import TicketCreate, TicketType, TicketUpdate

TARGETS = {"liquid": 0, "180d": 1, "360d": 2, "720d": 3, "forever": 4}
"""What people write for the types of tickets (K1.1)."""


@click.group()
def ticket() -> None:
    """Lock CORE for a time, or for ever; on some chains that is what votes.

    \b
    pegboard wallet ticket create "1000 TEST" 180d -a alice --dev-keys
    pegboard wallet ticket update 1.18.0 liquid -a alice --dev-keys
    """


@ticket.command()
@click.argument("amount")
@click.argument("target", type=click.Choice([*TARGETS][1:]))
@wallet_options
def create(session: WalletSession, amount: str, target: str) -> None:
    """Lock CORE in a ticket that works up to a type, by a step every 15 days.

    \b
    pegboard wallet ticket create "1000 TEST" 180d
    """
    locked = session.chain.parse_amount(amount)
    session.send(TicketCreate(NO_FEE, session.account().id, TARGETS[target], locked))


@ticket.command()
@click.argument("number", metavar="TICKET")
@click.argument("target", type=click.Choice([*TARGETS]))
@click.option("--part", metavar="AMOUNT", help="Split so much off for it.  [default: all]")
@wallet_options
def update(session: WalletSession, number: str, target: str, part: str | None) -> None:
    """Let a ticket (1.18.n), or a part of it, work up or down to another type.

    "liquid" frees its CORE, bit by bit.

    \b
    pegboard wallet ticket update 1.18.0 720d
    pegboard wallet ticket update 1.18.0 liquid --part "100 TEST"
    """
    amount = None if part is None else session.chain.parse_amount(part)
    found, target_type = id_argument(TicketId, number), TicketType(TARGETS[target])
    session.send(TicketUpdate(NO_FEE, found, session.account().id, target_type, amount))


TICKET_COMMANDS = (ticket,)
