"""`pegboard wallet htlc`: amounts that wait for whoever shows a secret in time."""

from __future__ import annotations

import re
import secrets

import click

from node.cli import drafts
from node.cli.exits import UsageProblem
from node.cli.remote_chain import id_argument
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.asset import NO_FEE
from protocol.ids import HtlcId
from protocol.operations.htlc import (
    HASH_KINDS,
    HtlcCreate,
    HtlcCreateExtensions,
    HtlcExtend,
    HtlcRedeem,
    hash_of_preimage,
)
from protocol.schema import Tagged

SECRET_BYTES = 32
SHA256 = 2
"""The number of the hash that a new secret is locked by."""


@click.group()
def htlc() -> None:
    """Lock an amount for whoever shows a secret in time; without the secret it returns.

    \b
    pegboard wallet htlc create bob "10 TEST" --expires-in 1d -a alice --dev-keys
    pegboard wallet htlc redeem 1.16.0 PREIMAGE -a bob --dev-keys
    pegboard wallet htlc extend 1.16.0 12h -a alice --dev-keys
    """


@htlc.command()
@click.argument("receiver")
@click.argument("amount")
@click.option(
    "--hash",
    "hash_text",
    metavar="KIND:HEX",
    help=f"Lock by this hash; KIND is {', '.join(kind.name for kind in HASH_KINDS)}."
    "  [default: sha256 of a new secret, which is printed]",
)
@click.option(
    "--size",
    type=click.IntRange(0, 65_535),
    metavar="BYTES",
    help="Length of the preimage; 0: any.  [default: 0 with --hash]",
)
@click.option(
    "--expires-in",
    default="1d",
    show_default=True,
    metavar="TIME",
    help="Time after which the amount returns: 30s, 12h, 7d.",
)
@click.option("--memo", metavar="TEXT", help="A message that only the receiver can read.")
@wallet_options
def create(
    session: WalletSession,
    receiver: str,
    amount: str,
    hash_text: str | None,
    size: int | None,
    expires_in: str,
    memo: str | None,
) -> None:
    """Lock an amount for an account.

    \b
    pegboard wallet htlc create bob "10 TEST" --expires-in 1d
    pegboard wallet htlc create bob "10 TEST" --hash sha256:9f86… --size 32
    """
    chain, creator, to = session.chain, session.account(), session.chain.account(receiver)
    told: dict[str, str] = {}
    if hash_text is None:
        if size is not None:
            raise UsageProblem("--size needs --hash: a new secret has a length of its own")
        secret, size = secrets.token_bytes(SECRET_BYTES), SECRET_BYTES
        locked = hash_of_preimage(SHA256, secret)
        told = {"preimage": secret.hex(), "sha256": _hash_bytes(locked).hex()}
    else:
        locked = parse_hash(hash_text)
    message = None if memo is None else drafts.memo_for(chain, session.keys, creator, to, memo)
    operation = HtlcCreate(
        NO_FEE,
        creator.id,
        to.id,
        chain.parse_amount(amount),
        locked,
        size or 0,
        drafts.parse_seconds(expires_in),
        HtlcCreateExtensions(message),
    )
    session.send(operation, told=told)


@htlc.command()
@click.argument("contract")
@click.argument("preimage")
@click.option("--text", "is_text", is_flag=True, help="PREIMAGE is text, not hexadecimal.")
@wallet_options
def redeem(session: WalletSession, contract: str, preimage: str, is_text: bool) -> None:
    """Show the preimage of a contract (1.16.n), so that its receiver is paid.

    Everybody can read it then, also whoever has locked an amount by the same hash elsewhere.

    \b
    pegboard wallet htlc redeem 1.16.0 616263
    pegboard wallet htlc redeem 1.16.0 abc --text
    """
    shown = preimage.encode() if is_text else _bytes(preimage)
    number = id_argument(HtlcId, contract)
    session.send(HtlcRedeem(NO_FEE, number, session.account().id, shown))


@htlc.command()
@click.argument("contract")
@click.argument("time")
@wallet_options
def extend(session: WalletSession, contract: str, time: str) -> None:
    """Give the receiver of a contract (1.16.n) more time: 30s, 12h, 7d; only its creator can.

    \b
    pegboard wallet htlc extend 1.16.0 12h
    """
    number, seconds = id_argument(HtlcId, contract), drafts.parse_seconds(time)
    session.send(HtlcExtend(NO_FEE, number, session.account().id, seconds))


def parse_hash(text: str) -> Tagged:
    """Read "sha256:9f86…"; raises `UsageProblem`."""
    name, _, digits = text.partition(":")
    for tag, kind in enumerate(HASH_KINDS):
        if kind.name == name:
            found = _bytes(digits)
            if len(found) != kind.size:
                raise UsageProblem(f"not a {name}", value=len(found), limit=f"{kind.size} bytes")
            return Tagged(tag, found)
    limit = ", ".join(f"{kind.name}:HEX" for kind in HASH_KINDS)
    raise UsageProblem("not a hash", value=text, limit=limit)


def _bytes(text: str) -> bytes:
    if not re.fullmatch("(?:[0-9a-fA-F]{2})*", text):
        raise UsageProblem("not hexadecimal digits, two a byte", value=text)
    return bytes.fromhex(text)


def _hash_bytes(locked: Tagged) -> bytes:
    assert isinstance(locked.value, bytes), locked
    return locked.value


LOCK_COMMANDS = (htlc,)
