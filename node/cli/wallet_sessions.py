"""What commands that sign share: their keys, the account that acts, and their options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from node.cli.client import JsonObject, NodeClient, as_list, as_object, as_text
from node.cli.consequences import consequences
from node.cli.exits import UsageProblem
from node.cli.keyring import (
    DevelopmentKeys,
    KeyRing,
    WalletFiles,
    default_wallet_directory,
    password_reader,
)
from node.cli.options import JSON, Command, with_options
from node.cli.program import command_name
from node.cli.refusals import refusals_of
from node.cli.remote_chain import RemoteAccount, RemoteChain
from node.cli.sessions import URL, Session, make_output
from node.cli.transactions import Broadcast, broadcast
from protocol.json_form import JsonValue
from protocol.operations import ENTRY_OF, Operation
from protocol.operations.credit_offer import CreditDealRepay

MANUAL = "manual"
"""The node's word for blocks on demand."""
MANUAL_HINT = (
    "waiting for a block: this chain makes blocks on demand, by `{} blocks generate` in"
    " another terminal; --no-wait does not wait"
)


class WalletSession(Session):
    """A command that signs."""

    keys: KeyRing
    account_name: str | None
    waits: bool

    def account(self) -> RemoteAccount:
        """The account that acts: `--account`, or the only one that the wallet's keys belong to."""
        if self.account_name is not None:
            return self.chain.account(self.account_name)
        names = self.own_accounts()
        if len(names) != 1:
            raise UsageProblem(
                "which account acts? name it with --account, and on a development network sign"
                " with --dev-keys",
                value=", ".join(names) or None,
            )
        return self.chain.account(names[0])

    def own_accounts(self) -> list[str]:
        """Names of the accounts that the wallet's keys belong to; none for development keys."""
        if not isinstance(self.keys, WalletFiles):
            return []
        keys: list[JsonValue] = [header.pubkey for header in self.keys.headers()]
        if not keys:
            return []
        found = as_list(self.chain.client.call("database", "get_key_references", keys))
        ids = sorted({as_text(item) for accounts in found for item in as_list(accounts)})
        self.chain.know_accounts(ids)
        return [self.chain.account_name(item) for item in ids]

    def send(self, *operations: Operation, told: Mapping[str, str] | None = None) -> Broadcast:
        """Broadcast operations and print what became of them; before it, what else is `told`."""
        if self.waits and self.chain.info().get("block_mode") == MANUAL:
            self.output.hint(MANUAL_HINT.format(command_name()))
        done = broadcast(self.chain, self.keys, operations, wait=self.waits)
        after = consequences(self.chain, done)
        more = dict(told or {})
        self.output.answer(
            {**more, **done.to_json(self.chain), **after.to_json()},
            [
                *(f"{name} {text}" for name, text in more.items()),
                *describe(self.chain, done),
                *after.lines(),
            ],
        )
        return done


def describe(chain: RemoteChain, done: Broadcast) -> Iterable[str]:
    """What became of a transaction, for people."""
    where = "pending" if done.block_num is None else f"in block {done.block_num}"
    yield f"transaction {done.id} {where}"
    for index, operation in enumerate(done.operations):
        text = f"  {ENTRY_OF[type(operation)].name}, fee {chain.format_amount(operation.fee)}"
        if index < len(done.results):
            text += _describe_result(chain, operation, as_list(done.results[index]))
        yield text


def _describe_result(chain: RemoteChain, operation: Operation, result: Sequence[JsonValue]) -> str:
    tag, value = result
    if tag == 1:
        return f", made {value}"
    if tag == 2:
        return f", returned {chain.format_amount(value)}"
    if tag == 3:
        return _describe_objects(as_object(value))
    if tag == 4:
        return _describe_exchange(chain, as_object(value))
    if tag == 5 and isinstance(operation, CreditDealRepay):
        (released,) = as_list(as_object(value)["received"])
        return f", released {chain.format_amount(released)}"
    if tag == 5:
        return _describe_settlement(chain, as_object(value))
    return ""


def _describe_objects(result: JsonObject) -> str:
    """Which objects an operation has made, changed and ended."""
    parts = []
    for word, name in (("made", "new"), ("changed", "updated"), ("ended", "removed")):
        found = [as_text(item) for item in as_list(result.get(f"{name}_objects") or [])]
        parts += [f"{word} {', '.join(found)}"] if found else []
    return "".join(f", {part}" for part in parts)


def _describe_exchange(chain: RemoteChain, result: JsonObject) -> str:
    """What was given to a liquidity pool, and what it gave for it."""
    paid, received = (
        " and ".join(map(chain.format_amount, as_list(result[side])))
        for side in ("paid", "received")
    )
    return f", {paid} for {received}"


def _describe_settlement(chain: RemoteChain, result: JsonObject) -> str:
    """What a settlement answers with: a request, or what the fund of a settled asset paid."""
    made = [as_text(item) for item in as_list(result.get("new_objects") or [])]
    if made:
        return f", made {', '.join(made)}"
    paid, received = (
        ", ".join(map(chain.format_amount, as_list(result.get(side) or [])))
        for side in ("paid", "received")
    )
    return f", {paid} redeemed for {received} from the fund of the global settlement"


def wallet_options(command: Command) -> Command:
    """All options of a command that signs; its first argument becomes a `WalletSession`."""

    def invoke(
        *args: Any,
        is_json: bool,
        url: str,
        account: str | None,
        wallet: Path | None,
        password_fd: int | None,
        dev_keys: bool,
        no_wait: bool,
        **kwargs: Any,
    ) -> Any:
        chain = RemoteChain(NodeClient(url))
        session = WalletSession(
            make_output(chain, is_json=is_json),
            chain,
            open_keys(wallet, password_fd, dev_keys=dev_keys, account=account),
            account,
            waits=not no_wait,
        )
        with refusals_of(session.chain):
            return command(session, *args, **kwargs)

    return with_options(
        command, invoke, [_ACCOUNT, _DEV_KEYS, WALLET, PASSWORD_FD, _NO_WAIT, URL, JSON]
    )


def open_keys(
    wallet: Path | None, password_fd: int | None, *, dev_keys: bool, account: str | None = None
) -> KeyRing:
    """The key ring that the options name; `account` has a development key, too."""
    if not dev_keys:
        return WalletFiles(wallet or default_wallet_directory(), password_reader(password_fd))
    if wallet is not None or password_fd is not None:
        raise UsageProblem("--dev-keys needs neither --wallet nor --password-fd")
    return DevelopmentKeys([account] if account else [])


_ACCOUNT = click.option(
    "--account",
    "-a",
    metavar="NAME",
    help="Account that acts and pays.  [default: the only account of the wallet's keys]",
)
_DEV_KEYS = click.option(
    "--dev-keys",
    is_flag=True,
    help="Sign with the public keys of a development network's accounts; no wallet is needed.",
)
WALLET = click.option(
    "--wallet",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory of the wallet's keystore files.  [default: in the user's data directory]",
)
PASSWORD_FD = click.option(
    "--password-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Read the wallet's password from this open file descriptor.  [default: ask for it]",
)
_NO_WAIT = click.option(
    "--no-wait",
    is_flag=True,
    help="Return once the node has taken the transaction, not once it is in a block.",
)
