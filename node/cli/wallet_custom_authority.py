"""`pegboard wallet custom-authority`: let others act for an account, in one kind of operation."""

from __future__ import annotations

import json
from typing import IO

import click

from node.cli import drafts
from node.cli.client import as_list
from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.remote_chain import RemoteChain, id_argument
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.crypto.keys import parse_key
from protocol.ids import CustomAuthorityId
from protocol.json_form import from_json
from protocol.operations import OPERATIONS
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.restriction import Restriction
from protocol.restrictions import RESTRICTED

NAMES = {OPERATIONS[number].name: number for number in RESTRICTED}
"""What people write for the operations that may be restricted (C3.1)."""
RESTRICTIONS_LENGTH_MAX = 1 << 20

RESTRICTIONS = click.option(
    "--restrictions",
    type=click.File("r"),
    metavar="FILE",
    help='JSON, as [{"member_index": 2, "restriction_type": 0, "argument": [7, "1.2.9"],'
    ' "extensions": []}].  [default: none]',
)


@click.group()
def custom_authority() -> None:
    """Let others act for the acting account, in one kind of operation and within restrictions.

    \b
    pegboard wallet custom-authority create transfer --by bob --valid-for 7d -a alice --dev-keys
    pegboard wallet custom-authority update 1.17.0 --disable -a alice --dev-keys
    pegboard wallet custom-authority delete 1.17.0 -a alice --dev-keys
    """


@custom_authority.command()
@click.argument("operation", type=click.Choice([*NAMES]))
@click.option("--by", "members", multiple=True, metavar="NAME", help="Account that may act.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Public key that may sign.")
@click.option("--threshold", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option(
    "--valid-for", default="7d", show_default=True, metavar="TIME", help="Until when: 12h, 7d."
)
@RESTRICTIONS
@wallet_options
def create(
    session: WalletSession,
    operation: str,
    members: tuple[str, ...],
    keys: tuple[str, ...],
    threshold: int,
    valid_for: str,
    restrictions: IO[str] | None,
) -> None:
    """Make one for an operation; each account and key counts once.

    \b
    pegboard wallet custom-authority create limit_order_create --key TEST6... --valid-for 7d
    pegboard wallet custom-authority create transfer --by bob --restrictions only-bob.json
    """
    if not members and not keys:
        raise UsageProblem("name an account with --by or a key with --key")
    session.send(
        CustomAuthorityCreate(
            NO_FEE,
            session.account().id,
            True,
            0,
            drafts.expiration_in(session.chain, valid_for),
            NAMES[operation],
            _authority(session.chain, members, keys, threshold),
            _read(session.chain, restrictions),
        )
    )


@custom_authority.command()
@click.argument("number", metavar="AUTHORITY")
@click.option("--enable/--disable", "enabled", default=None, help="Let it count, or not.")
@click.option("--valid-for", metavar="TIME", help="Move its end: 12h, 7d from now.")
@click.option(
    "--remove", "removed", multiple=True, type=click.IntRange(0, 65_535), help="A restriction."
)
@RESTRICTIONS
@wallet_options
def update(
    session: WalletSession,
    number: str,
    enabled: bool | None,
    valid_for: str | None,
    removed: tuple[int, ...],
    restrictions: IO[str] | None,
) -> None:
    """Change a custom authority (1.17.n): restrictions of the file are added.

    \b
    pegboard wallet custom-authority update 1.17.0 --disable
    pegboard wallet custom-authority update 1.17.0 --valid-for 7d --remove 0
    """
    chain = session.chain
    session.send(
        CustomAuthorityUpdate(
            NO_FEE,
            session.account().id,
            id_argument(CustomAuthorityId, number),
            new_enabled=enabled,
            new_valid_to=None if valid_for is None else drafts.expiration_in(chain, valid_for),
            restrictions_to_remove=tuple(sorted(set(removed))),
            restrictions_to_add=_read(chain, restrictions),
        )
    )


@custom_authority.command()
@click.argument("number", metavar="AUTHORITY")
@wallet_options
def delete(session: WalletSession, number: str) -> None:
    """Take a custom authority (1.17.n) back.

    \b
    pegboard wallet custom-authority delete 1.17.0
    """
    found = id_argument(CustomAuthorityId, number)
    session.send(CustomAuthorityDelete(NO_FEE, session.account().id, found))


def _authority(
    chain: RemoteChain, members: tuple[str, ...], keys: tuple[str, ...], threshold: int
) -> Authority:
    accounts = sorted({chain.account(name).id for name in members})
    found = sorted({parse_key(key, chain.prefix) for key in keys})
    return Authority(
        threshold, tuple((one, 1) for one in accounts), tuple((one, 1) for one in found)
    )


def _read(chain: RemoteChain, file: IO[str] | None) -> tuple[Restriction, ...]:
    """Restrictions of a JSON file; raises `FileUnreadable` or `DecodeError`."""
    if file is None:
        return ()
    try:
        data = json.loads(file.read(RESTRICTIONS_LENGTH_MAX))
    except (ValueError, RecursionError) as error:
        raise FileUnreadable(f"not JSON: {error}", value=file.name) from error
    return tuple(from_json(Restriction, item, chain.prefix) for item in as_list(data))


CUSTOM_AUTHORITY_COMMANDS = (custom_authority,)
