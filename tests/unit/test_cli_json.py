"""One form of JSON for all commands, and text that the commands read back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest

from node.cli import cli, run
from node.cli.client import NodeClient
from node.cli.remote_chain import RemoteChain, parse_decimal
from node.presets import development_key
from protocol.crypto.keys import key_text, public_key
from protocol.ids import account_text
from tests.support.desk import Desk
from tests.unit.test_cli_main import command_at, commands

Json = Any

WITHOUT_JSON = {("completion",), ("genesis", "make")}
"""A script, and a file that is JSON itself."""

ALONE = {("wallet", "create"), ("wallet", "import-key")}
"""Need a password; they print no amounts (see the tests of the wallet)."""


def leaves() -> list[tuple[str, ...]]:
    """The path of every command that is no group."""
    return [path for path in commands(cli) if not isinstance(command_at(path), click.Group)]


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_every_command_has_json(path: tuple[str, ...]) -> None:
    """--json is an option of each command that prints something of its own."""
    has_json = "is_json" in {parameter.name for parameter in command_at(path).params}
    assert has_json == (path not in WITHOUT_JSON)


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_usage_errors_are_json(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Also what click refuses by itself is one JSON object on standard error."""
    assert run([*path, "--nonsense", "--json"]) == 64
    printed = capsys.readouterr()
    error = json.loads(printed.err)["error"]
    assert (error["name"], error["exit_code"], printed.out) == ("usage", 64, "")
    assert "--nonsense" in error["message"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A market in which something of each kind has happened."""
    desk = Desk(monkeypatch, capsys).open_market("10,000 bitUSD", "4")
    desk.wallet("alice", "sell", "100 bitUSD", "--for", "1050 TEST")
    desk.wallet("bob", "borrow", "400 bitUSD", "--ratio", "1.8")
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "150 TEST")
    desk.wallet("bob", "sell", "15 TEST", "--for", "2 bitUSD")
    desk.wallet("alice", "settle", "5 bitUSD")
    return desk


COMMANDS = """\
alice show chain
alice show witnesses
alice show delegates
alice show account alice
alice show block 5
alice show tx 5|0
alice show asset bitUSD
alice show asset TEST
alice show book bitUSD
alice show positions bitUSD
alice show settlements bitUSD
alice show assets
alice show accounts
alice show trades bitUSD
alice show feeds bitUSD
alice show calls bitUSD
alice wallet accounts
alice wallet balances
alice wallet history
bob wallet history
alice wallet transfer bob|1,000.5 TEST
alice wallet borrow 1bitusd|--ratio|3
alice wallet adjust bitUSD|--debt|-1 bitUSD
alice wallet cover bitUSD|--amount|1 bitUSD
alice wallet sell 1 bitUSD|--for|90 TEST|--take-profit|5
alice wallet buy 1 bitUSD|--with|1 TEST
alice wallet cancel 1.7.1
alice wallet settle 1 bitUSD
alice wallet create-account frank77|--active-key|{key}
alice wallet upgrade
alice wallet whitelist bob|--as|white
alice wallet create-asset SHELLS|--precision|2
alice wallet issue 5 SHELLS|--to|bob
alice wallet create-asset SHELLUSD|--backed-by|TEST|--black-swan|fund
alice wallet update-bitasset SHELLUSD|--black-swan|order
alice show asset SHELLUSD
alice wallet create-buyback shells-back|SHELLS|--with|TEST|--with|bitUSD
alice wallet special-authority SHELLS|--holders|3|--owner
alice wallet special-authority --owner
alice show account shells-back
alice wallet create-asset SHARE
alice wallet pool:create bitUSD|TEST|--share|SHARE|--taker-fee|0.3|--withdrawal-fee|1%
alice wallet pool:deposit SHARE|10 bitUSD|100 TEST
bob wallet pool:exchange 1.19.0|5 TEST|--for|0.1 bitUSD
alice show pools
alice show pools bitUSD
alice wallet pool:update SHARE|--taker-fee|0.1|--no-withdrawal-fee
alice wallet pool:withdraw 1,000 SHARE
alice wallet pool:delete SHARE
alice wallet fund:create 100 TEST|--fee|0.05
alice wallet fund:update 1.20.0|--amount|50 TEST|--fee|0.1%
alice show funds
alice show funds TEST
bob wallet fund:borrow 1.20.0|10 TEST|--then|{file}
alice wallet fund:delete 1.20.0
alice wallet vote init1
alice wallet vote-as bob
alice wallet send {file}
bob wallet propose {file}
alice wallet approve 1.10.0
init0 wallet publish-feed bitUSD|0.01|--msqr|1.1
alice wallet htlc:create bob|1 TEST|--hash|sha256:{lock}
alice wallet htlc:extend 1.16.0|1h
bob wallet htlc:redeem 1.16.0|abc|--text
alice wallet ticket:create 10 TEST|180d
alice wallet ticket:update 1.18.0|720d
alice wallet custom-authority:create transfer|--by|bob
alice wallet custom-authority:update 1.17.0|--disable
alice wallet custom-authority:delete 1.17.0
bob wallet bid-collateral 500 TEST|--for|100 bitUSD
alice wallet credit:offer 50 TEST|--against|0.2 bitUSD for 1 TEST|--borrower|bob|9 TEST
alice wallet credit:update 1.21.0|--least|1 TEST|--fee|2
bob wallet credit:accept 1.21.0|5 TEST
bob wallet credit:auto-repay 1.22.0|full
bob wallet credit:repay 1.22.0|--amount|2 TEST
alice wallet credit:offer 5 TEST|--against|0.2 bitUSD for 1 TEST
alice wallet credit:delete 1.21.1
alice show credit alice
alice show asset bitUSD
alice show positions bitUSD
"""
"""Who types what, a command a line: group, command, arguments. A colon joins the words of one."""


def documents(desk: Desk, tmp_path: Path) -> Iterator[tuple[tuple[str, ...], Json]]:
    """What each command of `show` and `wallet` prints with --json, and its path."""
    operation = [[0, transfer_fields(desk)]]
    file = tmp_path / "operations.json"
    file.write_text(json.dumps(operation))
    key = key_text(public_key(development_key("carol", "active")), "TEST")
    lock = hashlib.sha256(b"abc").hexdigest()
    for line in COMMANDS.format(file=file, key=key, lock=lock).splitlines():
        account, group, command, *rest = line.split(" ", 3)
        words = (group, *command.split(":"))
        arguments = [*words, *(rest[0].split("|") if rest else [])]
        signing = ["--dev-keys", "-a", account] if group == "wallet" else []
        ended = desk.run(*arguments, *signing, "--json")
        if words == ("wallet", "upgrade"):
            assert json.loads(ended.err)["error"]["unit"] == "" or ended.code == 0
            continue
        assert ended.code == 0, (line, ended.err)
        yield words, ended.json()


def transfer_fields(desk: Desk) -> Json:
    alice, bob = (account_text(desk.chain.account(name)) for name in ("alice", "bob"))
    amount = {"amount": 100_000, "asset_id": "1.3.0"}
    return {"fee": amount, "from": alice, "to": bob, "amount": amount, "extensions": []}


NUMBERS = re.compile(
    r"(block_num|trx_in_block|op_in_trx|virtual_op|num|number|index|precision|flags|count|percent"
    r"|ratio|fee_rate|bits|version|sequence|weight|weight_threshold|participation|expiration|kind|seconds"
    r"|issuer_permissions|slot|head_block_number|last_irreversible_block_num|ref_block_prefix"
    r"|instance|operation_type|committee|witness|new_listing|feed_lifetime_sec|missed|delay_sec|delegate"
    r"|minimum_feeds|interval_s|num_committee|num_witness|permission|listing|fee_percentage"
    r"|key_auths|account_auths|percentage|special_authority|num_top_holders|voted|ratio_before|ratio_after"
    r"|last_confirmed_block_num|total_missed|last_aslot|extensions|nonce|creation_block_num"
    r"|feed_change_to_reach|preimage_hash|preimage_size|seconds_to_add|fee_rate|auto_repay|target_type|on_fill"
    r"|maximum_force_settlement_volume|black_swan_response_method)$"
)
"""Ends of the names of what is counted, and no amount."""


def check(value: Json, name: str, path: str) -> Iterator[str]:
    """What a document says in another form than the one for all."""
    if isinstance(value, list):
        for item in value:
            yield from check(item, name, path)
    elif isinstance(value, dict):
        if value.keys() >= {"amount", "asset_id"} or ("balance" in value and "asset_id" in value):
            key = "amount" if "amount" in value else "balance"
            if not (isinstance(value[key], str) and isinstance(value.get(f"{key}_text"), str)):
                yield f"{path}: {value}"
        if isinstance(value.get("base"), dict) and "text" not in value:
            yield f"{path}: no text in a price"
        for key, item in value.items():
            yield from check(item, key, f"{path}.{key}")
    elif isinstance(value, str) and re.fullmatch(r"[0-9]+\.[0-9]+", value):
        if name not in ("price", "version"):
            yield f"{path}: a decimal number {value}"
    elif isinstance(value, int) and not isinstance(value, bool) and not NUMBERS.search(name):
        yield f"{path}: the number {value}"


OPERATION_TAG = re.compile(r"(\.op|operations|operation_results|result|proposed_ops): the")
"""The kind of an operation or result stands before it as a number."""


def test_amounts_are_strings_in_both_units(desk: Desk, tmp_path: Path) -> None:
    """Over all commands; no amount is a number, and each has what people read beside it."""
    seen, wrong = set(), []
    for path, document in documents(desk, tmp_path):
        seen.add(path)
        found = check(document, "", " ".join(path))
        wrong += [line for line in found if not OPERATION_TAG.search(line)]
    assert wrong == []
    wanted = {path for path in leaves() if path[0] in ("show", "wallet")} - ALONE
    assert wanted - seen == {("wallet", "upgrade")}


AMOUNT = re.compile(
    r"(?<![\w.,-])(-?[0-9][0-9,]*(?:\.[0-9]+)?) ((?:bit)?[A-Z][A-Za-z.]+)\b(?! for| per)"
)
PRICE = re.compile(r"(?<![\w.,])([0-9][0-9,]*\.[0-9]{8})\b")


def test_what_is_printed_can_be_typed(desk: Desk, tmp_path: Path) -> None:
    """Over all commands, each amount and price in their text is read back as it is."""
    chain = RemoteChain(NodeClient())
    amounts: set[tuple[str, str]] = set()
    prices: set[str] = set()
    for line in (
        ("show", "account", "alice"),
        ("show", "asset", "bitUSD"),
        ("show", "positions", "bitUSD"),
        ("show", "book", "bitUSD"),
        ("show", "settlements", "bitUSD"),
        ("show", "trades", "bitUSD"),
        ("show", "feeds", "bitUSD"),
        ("show", "calls", "bitUSD"),
        ("show", "pools"),
        ("show", "funds"),
        ("wallet", "history", "alice", "--dev-keys"),
        ("wallet", "history", "bob", "--dev-keys"),
        ("wallet", "sell", "1,000.5bitusd", "--for", "99,999 TEST", "--dev-keys", "-a", "alice"),
    ):
        text = desk.run(*line).out
        amounts |= set(AMOUNT.findall(text))
        prices |= set(PRICE.findall(text))
    assert len(amounts) > 15
    assert len(prices) > 6
    for number, symbol in amounts:
        if symbol in ("MCR", "SQP"):
            continue
        for written in (f"{number} {symbol}", f"{number}{symbol}", f"{number} {symbol.lower()}"):
            read = chain.parse_amount(written)
            whole = Decimal(number.replace(",", "")) * 10 ** chain.asset(symbol).precision
            assert (read.amount, read.asset_id) == (whole, chain.asset(symbol).id)
    for price in prices:
        published = desk.wallet("init0", "publish-feed", "bitEUR", price)
        feed = published["operations"][0][1]["feed"]["settlement_price"]
        assert feed["text"] == f"{price} bitEUR for 1 TEST"
        (row,) = desk.run("show", "feeds", "bitEUR", "--json").json()["published"]
        again = row["feed"]["settlement_price"]["text"]
        desk.wallet("init0", "publish-feed", "bitEUR", again)


@pytest.mark.parametrize("written", ["0.0998", "0.0998 bitUSD", "0.0998 bitUSD for 1 TEST"])
def test_prices_as_people_write_them(desk: Desk, written: str) -> None:
    """With its unit, as it is printed; of another pair it is refused."""
    done = desk.wallet("init0", "publish-feed", "bitUSD", written)
    price = done["operations"][0][1]["feed"]["settlement_price"]
    assert price["text"] == "0.09980000 bitUSD for 1 TEST"
    for wrong in (f"{written.split()[0]} bitEUR", "0.1 bitUSD for 2 TEST", "-1", "0"):
        assert desk.refused("init0", "publish-feed", "bitUSD", wrong)["exit_code"] in (64, 78)


def test_negative_numbers_are_numbers(desk: Desk) -> None:
    """An option takes an amount below zero; an argument that must not be one says so."""
    desk.wallet("alice", "adjust", "bitUSD", "--debt", "-5 bitUSD", "--collateral", "-1TEST")
    for wrong in (
        ("wallet", "transfer", "bob", "-1 TEST"),
        ("wallet", "publish-feed", "bitUSD", "-1"),
        ("wallet", "settle", "-1bitUSD"),
    ):
        ended = desk.run(*wrong, "--dev-keys", "-a", "init0")
        assert ended.code == 64
        assert "cannot be negative: -1" in ended.err


@pytest.mark.parametrize("ratio", ["1.75", "1.750", "2", "1,000.000"])
def test_ratios_are_decimals(ratio: str) -> None:
    """As `show` prints them."""
    assert parse_decimal(ratio, 3) >= 1_750
