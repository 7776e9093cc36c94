"""`pegboard wallet`: accounts, assets, votes and proposals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, TypeVar, cast

import click

from node.cli import drafts, drafts_ownership
from node.cli.client import as_list
from node.cli.drafts_ownership import FED_BY
from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.remote_chain import RemoteChain, parse_decimal
from node.cli.transactions import read_operation
from node.cli.wallet_sessions import WalletSession, wallet_options
from protocol.crypto.keys import parse_key
from protocol.json_form import from_json_as
from protocol.operations import Operation
from protocol.operations.bitasset_options import (
    RESPONSE_NAMES,
    BitassetOptions,
    BitassetOptionsExtensions,
    ResponseName,
)

LISTINGS = {"white": 1, "black": 2, "none": 0}
OPERATIONS_LENGTH_MAX = 1 << 20
F = TypeVar("F", bound=Callable[..., None])


def black_swan_option(*, required: bool) -> Callable[[F], F]:
    """The response of a BitAsset to black swans (BS1)."""
    return click.option(
        "--black-swan",
        type=click.Choice(RESPONSE_NAMES),
        required=required,
        help="What is settled when a position cannot pay: all, none, or that one alone, to a fund"
        " or an order.",
    )


@click.command()
@click.argument("name")
@click.option("--active-key", required=True, metavar="KEY", help="Public key of everyday use.")
@click.option(
    "--owner-key", metavar="KEY", help="Public key that may change all.  [default: the active key]"
)
@click.option("--memo-key", metavar="KEY", help="Key for memos.  [default: the active key]")
@wallet_options
def create_account(
    session: WalletSession,
    name: str,
    active_key: str,
    owner_key: str | None,
    memo_key: str | None,
) -> None:
    """Register an account; the acting account must be a lifetime member.

    \b
    pegboard wallet create-account frank --active-key TEST6... -a alice --dev-keys
    """
    prefix = session.chain.prefix
    active = parse_key(active_key, prefix)
    session.send(
        drafts_ownership.create_account(
            session.account(),
            name,
            owner=parse_key(owner_key, prefix) if owner_key else active,
            active=active,
            memo=parse_key(memo_key, prefix) if memo_key else active,
        )
    )


@click.command()
@wallet_options
def upgrade(session: WalletSession) -> None:
    """Make the acting account a lifetime member."""
    session.send(drafts_ownership.upgrade(session.account()))


@click.command()
@click.argument("name")
@click.option(
    "--as",
    "listing",
    type=click.Choice([*LISTINGS]),
    default="white",
    show_default=True,
    help="On the white list, the black list, or neither.",
)
@wallet_options
def whitelist(session: WalletSession, name: str, listing: str) -> None:
    """Put an account on the acting account's white or black list."""
    listed = session.chain.account(name)
    session.send(drafts_ownership.whitelist(session.account(), listed, LISTINGS[listing]))


@click.command()
@click.argument("symbol")
@click.option(
    "--precision",
    type=click.IntRange(0, 12),
    default=4,
    show_default=True,
    help="Decimal places.",
)
@click.option(
    "--max-supply", metavar="NUMBER", help="Most units that may exist.  [default: 10^15 smallest]"
)
@click.option("--description", default="", metavar="TEXT", help="What people read about it.")
@click.option("--backed-by", metavar="SYMBOL", help="Make a BitAsset with this collateral.")
@click.option(
    "--fed-by",
    type=click.Choice([*FED_BY]),
    default="witnesses",
    show_default=True,
    help="Who publishes a BitAsset's feeds; producers are named with --producer.",
)
@click.option("--producer", "producers", multiple=True, metavar="NAME", help="May publish feeds.")
@black_swan_option(required=False)
@wallet_options
def create_asset(
    session: WalletSession,
    symbol: str,
    precision: int,
    max_supply: str | None,
    description: str,
    backed_by: str | None,
    fed_by: str,
    producers: tuple[str, ...],
    black_swan: ResponseName | None,
) -> None:
    """Create an asset, or a BitAsset with --backed-by.

    \b
    pegboard wallet create-asset SHELLS --precision 0 -a alice --dev-keys
    pegboard wallet create-asset SHELLUSD --backed-by TEST --fed-by producers --producer init0
    """
    chain, issuer = session.chain, session.account()
    if producers and (backed_by is None or fed_by != "producers"):
        raise UsageProblem("--producer needs --backed-by and --fed-by producers")
    if black_swan is not None and backed_by is None:
        raise UsageProblem("--black-swan needs --backed-by", value=black_swan)
    bitasset = None
    if backed_by is not None:
        response = None if black_swan is None else RESPONSE_NAMES.index(black_swan)
        bitasset = BitassetOptions(
            short_backing_asset=chain.asset(backed_by).id,
            extensions=BitassetOptionsExtensions(black_swan_response_method=response),
        )
    session.send(
        drafts_ownership.create_asset(
            issuer,
            chain.chain_symbol(symbol),
            precision,
            max_supply=None if max_supply is None else parse_decimal(max_supply, precision),
            description=description,
            flags=FED_BY[fed_by] if bitasset is not None else 0,
            bitasset=bitasset,
        )
    )
    if producers:
        session.send(
            drafts_ownership.name_producers(
                issuer, chain.asset(symbol), [chain.account(name) for name in producers]
            )
        )


@click.command()
@click.argument("symbol")
@black_swan_option(required=True)
@wallet_options
def update_bitasset(session: WalletSession, symbol: str, black_swan: ResponseName) -> None:
    """Change the response of a BitAsset of one's own to black swans (BS1, BS11).

    \b
    pegboard wallet update-bitasset SHELLUSD --black-swan fund -a alice --dev-keys
    """
    chain = session.chain
    asset = chain.asset(symbol)
    said = chain.bitasset(asset)["options"]
    options = cast(BitassetOptions, from_json_as(BitassetOptions, said, chain.prefix))
    session.send(drafts_ownership.change_response(session.account(), asset, options, black_swan))


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--committee", is_flag=True, help="Vote for committee members, not for producers.")
@click.option("--remove", is_flag=True, help="Take the votes back.")
@wallet_options
def vote(session: WalletSession, names: tuple[str, ...], committee: bool, remove: bool) -> None:
    """Vote for block producers; votes count at the next maintenance."""
    account = session.chain.fresh_account(session.account().name)
    session.send(
        drafts_ownership.vote(session.chain, account, names, committee=committee, remove=remove)
    )


@click.command()
@click.argument("proxy")
@wallet_options
def vote_as(session: WalletSession, proxy: str) -> None:
    """Let another account's votes count; proxy-to-self ends it."""
    account = session.chain.fresh_account(session.account().name)
    session.send(drafts_ownership.follow_votes(account, session.chain.account(proxy)))


@click.command()
@click.argument("operations", type=click.File("r"))
@wallet_options
def send(session: WalletSession, operations: IO[str]) -> None:
    """Sign and broadcast any operations, from a JSON file: [[id, {fields}], ...].

    Fees are filled in; "-" reads standard input.
    """
    session.send(*read_operations(session.chain, operations))


@click.command()
@click.argument("operations", type=click.File("r"))
@click.option(
    "--expires-in", default="1d", show_default=True, metavar="TIME", help="Lifetime: 30s, 12h, 7d."
)
@click.option(
    "--review",
    metavar="TIME",
    help="Time before the end in which no approval is added.  [default: none]",
)
@wallet_options
def propose(
    session: WalletSession, operations: IO[str], expires_in: str, review: str | None
) -> None:
    """Propose operations from a JSON file: [[id, {fields}], ...], for others to approve."""
    session.send(
        drafts_ownership.propose(
            session.account(),
            read_operations(session.chain, operations),
            expiration=drafts.expiration_in(session.chain, expires_in),
            review_period_s=None if review is None else drafts.parse_seconds(review),
        )
    )


@click.command()
@click.argument("proposal")
@click.option("--owner", is_flag=True, help="Approve with the owner authority.")
@click.option("--remove", is_flag=True, help="Take the approval back.")
@wallet_options
def approve(session: WalletSession, proposal: str, owner: bool, remove: bool) -> None:
    """Approve a proposal (1.10.n)."""
    session.send(drafts_ownership.approve(session.account(), proposal, owner=owner, remove=remove))


def read_operations(chain: RemoteChain, file: IO[str]) -> list[Operation]:
    """Operations of a JSON file; raises `FileUnreadable` or `DecodeError`."""
    try:
        data = json.loads(file.read(OPERATIONS_LENGTH_MAX))
    except (ValueError, RecursionError) as error:
        raise FileUnreadable(f"not JSON: {error}", value=file.name) from error
    return [read_operation(item, chain.prefix) for item in as_list(data)]


OWNERSHIP_COMMANDS = (
    create_account,
    upgrade,
    whitelist,
    create_asset,
    update_bitasset,
    vote,
    vote_as,
    send,
    propose,
    approve,
)
