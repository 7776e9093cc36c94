"""`pegboard wallet`: keys in encrypted files, and what they own."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from node.cli.client import JsonObject, as_list, as_object, as_objects, as_text
from node.cli.descriptions import describe_record
from node.cli.exits import KeyMissing
from node.cli.holdings import account_balances, balance_json, show_holdings
from node.cli.keyring import (
    KeyRing,
    WalletFiles,
    default_wallet_directory,
    password_reader,
    random_key,
)
from node.cli.output import table
from node.cli.sessions import Session, chain_options
from node.cli.wallet_credit import CREDIT_COMMANDS
from node.cli.wallet_custom_authority import CUSTOM_AUTHORITY_COMMANDS
from node.cli.wallet_funds import fund
from node.cli.wallet_htlc import LOCK_COMMANDS
from node.cli.wallet_market import MARKET_COMMANDS
from node.cli.wallet_ownership import OWNERSHIP_COMMANDS
from node.cli.wallet_pools import pool
from node.cli.wallet_sessions import PASSWORD_FD, WALLET, WalletSession, wallet_options
from node.cli.wallet_special import SPECIAL_COMMANDS
from node.cli.wallet_ticket import TICKET_COMMANDS
from protocol.crypto.keys import PrivateKey, parse_wif
from protocol.crypto.memo import decrypt_memo
from protocol.errors import KeyFormatError
from protocol.ids import account_text
from protocol.json_form import JsonValue, from_json
from protocol.operations.memo import Memo

ROLES = ("active", "owner", "memo")
WIF_LENGTH_MAX = 200


@click.group()
def wallet() -> None:
    """Keep keys, and use them: transfers, positions, orders, pools, votes.

    Amounts are a number and a symbol: "100 bitUSD", "5 TEST". On a development network add
    --dev-keys and name the account; no wallet is needed then.

    \b
    pegboard wallet transfer bob "10 TEST" --dev-keys -a alice
    pegboard wallet borrow "100 bitUSD" --ratio 2.5 --dev-keys -a alice
    """


@wallet.command()
@WALLET
@PASSWORD_FD
@click.option(
    "--wif-file",
    type=click.File("r"),
    default="-",
    show_default=True,
    help='File that holds the key in WIF; "-" is standard input. Keys never stand in arguments.',
)
@click.option(
    "--role", type=click.Choice(ROLES), default="active", show_default=True, help="What it is for."
)
@chain_options
def import_key(
    session: Session,
    wallet: Path | None,
    password_fd: int | None,
    wif_file: IO[str],
    role: str,
) -> None:
    """Encrypt a key into the wallet.

    \b
    pegboard wallet import-key < alice.wif
    """
    if wif_file.isatty():
        click.echo("WIF, then Enter:", err=True)
    secret = parse_wif(wif_file.readline(WIF_LENGTH_MAX).strip())
    _add_key(session, wallet, password_fd, secret, role)


@wallet.command()
@WALLET
@PASSWORD_FD
@click.option(
    "--role", type=click.Choice(ROLES), default="active", show_default=True, help="What it is for."
)
@chain_options
def create(session: Session, wallet: Path | None, password_fd: int | None, role: str) -> None:
    """Make a new random key in the wallet, which is created when missing.

    Give the public key that is printed to whoever registers your account.
    """
    _add_key(session, wallet, password_fd, random_key(), role)


def _add_key(
    session: Session, wallet: Path | None, password_fd: int | None, secret: PrivateKey, role: str
) -> None:
    files = WalletFiles(
        wallet or default_wallet_directory(), password_reader(password_fd, confirm=True)
    )
    chain = session.chain
    header = files.add(secret, chain=chain.chain_id, role=role, prefix=chain.prefix)
    accounts = as_list(
        as_list(chain.client.call("database", "get_key_references", [header.pubkey]))[0]
    )
    names = [chain.account_name(as_text(item)) for item in accounts]
    session.output.answer(
        {"public_key": header.pubkey, "role": role, "uuid": header.uuid, "accounts": [*names]},
        [
            f"public key {header.pubkey} ({role})",
            f"file {files.directory / header.uuid}.json",
            f"accounts with this key: {', '.join(names) or 'none yet'}",
        ],
    )


@wallet.command()
@wallet_options
def accounts(session: WalletSession) -> None:
    """The accounts that the wallet's keys belong to, with their balances."""
    names = session.own_accounts()
    if not names and session.account_name is not None:
        names = [session.account_name]
    if not names:
        raise KeyMissing("the wallet's keys belong to no account; name one with --account")
    balances = {name: account_balances(session.chain, name) for name in names}
    rows = [
        (name, asset.format(amount))
        for name, amounts in balances.items()
        for asset, amount in amounts
    ]
    document: JsonValue = {
        name: [balance_json(asset, amount) for asset, amount in amounts]
        for name, amounts in balances.items()
    }
    session.output.answer(document, table(("account", ">balance"), rows))


@wallet.command()
@click.argument("name", required=False)
@wallet_options
def balances(session: WalletSession, name: str | None) -> None:
    """What an account has: balances, positions, open orders, settlement requests."""
    show_holdings(session, session.chain.account(name) if name else session.account())


@wallet.command()
@click.argument("name", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=20,
    show_default=True,
    help="Number of operations at most.",
)
@click.option("--memos", is_flag=True, help="Decrypt memos that the wallet has a key for.")
@wallet_options
def history(session: WalletSession, name: str | None, limit: int, memos: bool) -> None:
    """What happened to an account, newest first."""
    account = session.chain.account(name) if name else session.account()
    records = as_objects(
        session.chain.client.call(
            "history", "get_account_history", account_text(account.id), "1.11.0", limit, "1.11.0"
        )
    )
    lines = []
    for record in records:
        text = describe_record(session.chain, record)
        memo = read_memo(session.keys, session.chain.prefix, record) if memos else None
        if memo is not None:
            record["memo_text"] = memo
            text += f": {memo}"
        lines.append(f"block {record['block_num']}  {text}")
    session.output.answer([*records], lines)


def read_memo(keys: KeyRing, prefix: str, record: JsonObject) -> str | None:
    """The text of an operation's memo; None without a memo or a key for it."""
    fields = as_object(as_list(record["op"])[1])
    extensions = fields.get("extensions")
    data = fields.get("memo") or (isinstance(extensions, dict) and extensions.get("memo"))
    if not isinstance(data, dict):
        return None
    memo = from_json(Memo, data, prefix)
    for ours, theirs in ((memo.to, memo.from_), (memo.from_, memo.to)):
        secret = keys.find(ours, prefix)
        if secret is not None:
            try:
                return decrypt_memo(secret, theirs, memo.nonce, memo.message)
            except KeyFormatError:
                return None
    return None


for command in (
    *(
        *MARKET_COMMANDS,
        *CREDIT_COMMANDS,
        *LOCK_COMMANDS,
        *TICKET_COMMANDS,
        *CUSTOM_AUTHORITY_COMMANDS,
        *OWNERSHIP_COMMANDS,
        *SPECIAL_COMMANDS,
    ),
    pool,
    fund,
):
    wallet.add_command(command)
