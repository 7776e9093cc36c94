"""`pegboard wallet` against a chain in this process: every command, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.cli import keyring
from node.presets import development_key
from protocol.constants import CORE_UNIT
from protocol.crypto.keys import wif
from protocol.crypto.keystore import SCRYPT_N_MIN
from protocol.ids import account_text
from tests.support.desk import Desk, Ended

USD = 10**4
"""Smallest units of a bitUSD."""


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


@pytest.fixture
def priced(desk: Desk) -> Desk:
    """A desk where one TEST is worth 0.10 bitUSD."""
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--mcr", "1.75", "--msqr", "1.1")
    return desk


def test_a_transfer_moves_money_and_is_in_a_block(desk: Desk) -> None:
    """R9.3: built and signed here, in a block there; the memo is for the receiver."""
    before = desk.chain.balance("bob")
    done = desk.wallet("alice", "transfer", "bob", "12.5 TEST", "--memo", "for lunch")
    assert desk.chain.balance("bob") - before == 1_250_000
    assert done["block_num"] == desk.chain.chain.head_num
    assert len(done["id"]) == 40
    operation = done["operations"][0][1]
    assert operation["memo"]["message"] not in ("", "for lunch")


def test_memos_are_read_by_both_ends(desk: Desk) -> None:
    """The history shows a memo to whoever has a key of either end, and only on demand."""
    desk.wallet("alice", "transfer", "bob", "1 TEST", "--memo", "grüße")
    for name in ("alice", "bob"):
        arguments = ("wallet", "history", name, "--dev-keys")
        assert "grüße" not in desk.run(*arguments).out
        assert desk.run(*arguments, "--memos").out.rstrip().endswith("with a memo: grüße")


def test_import_key(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key comes from a file, is encrypted, and opens its account; twice is refused."""
    monkeypatch.setattr(keyring, "SCRYPT_N_DEFAULT", SCRYPT_N_MIN)
    (tmp_path / "alice.wif").write_text(wif(development_key("alice", "active")))
    (tmp_path / "password").write_text("correct horse battery\n")

    def import_key() -> Ended:
        with (tmp_path / "password").open() as file:
            return desk.run(
                *("wallet", "import-key", "--wif-file", str(tmp_path / "alice.wif"), "--json"),
                *("--wallet", str(tmp_path / "wallet"), "--password-fd", str(file.fileno())),
            )

    assert import_key().json()["accounts"] == ["alice"]
    assert import_key().code == 64
    (tmp_path / "alice.wif").write_text(wif(development_key("bob", "active")))
    (tmp_path / "password").write_text("another password\n")
    assert import_key().code == 77, "one password opens all files of a wallet"


def test_text_and_json_say_the_same(desk: Desk) -> None:
    """The text names the transaction, its block and its fee."""
    ended = desk.run("wallet", "transfer", "bob", "1 TEST", "--dev-keys", "-a", "alice")
    assert ended.code == 0
    assert f"in block {desk.chain.chain.head_num}" in ended.out
    assert "transfer, fee 0.20000 TEST" in ended.out


def test_borrow_adjust_cover(priced: Desk) -> None:
    """R3.3: a position is opened at a ratio, changed, and closed; its collateral returns."""
    core = priced.chain.balance("alice")
    priced.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5", "--target-ratio", "2")
    (position,) = priced.run("show", "positions", "USD", "--json").json()
    assert (position["debt"], position["collateral"]) == ("1000000", str(2_500 * CORE_UNIT))
    assert position["collateral_ratio"] == 2500
    priced.wallet("alice", "adjust", "bitUSD", "--ratio", "3")
    (position,) = priced.run("show", "positions", "USD", "--json").json()
    assert position["collateral"] == str(3_000 * CORE_UNIT)
    assert position["target_collateral_ratio"] == 2000, "kept unless a new one is given"
    priced.wallet("alice", "cover", "bitUSD", "--amount", "40 bitUSD")
    (position,) = priced.run("show", "positions", "USD", "--json").json()
    assert position["debt"] == str(60 * USD)
    priced.wallet("alice", "cover", "bitUSD")
    assert priced.run("show", "positions", "USD", "--json").json() == []
    fees = 4 * 20 * CORE_UNIT // 100
    assert priced.chain.balance("alice") == core - fees


def test_a_refusal_carries_rule_value_and_limit(priced: Desk) -> None:
    """R3.4: what the chain refuses is printed with its name and numbers; exit code 1."""
    arguments = ("wallet", "borrow", "100 bitUSD", "--ratio", "1.2", "--dev-keys", "-a", "alice")
    ended = priced.run(*arguments)
    assert ended.code == 1
    assert "below_required_ratio" in ended.err
    assert "R3.4" in ended.err
    error = json.loads(priced.run(*arguments, "--json").err)["error"]
    assert error["name"] == "below_required_ratio"
    assert error["exit_code"] == 1


def test_sell_buy_cancel(priced: Desk) -> None:
    """R2.4, R2.11: orders rest, match, and come back."""
    priced.wallet("alice", "borrow", "100 bitUSD", "--collateral", "3000 TEST")
    placed = priced.wallet("alice", "sell", "10 bitUSD", "--for", "100 TEST")
    order = placed["operation_results"][0][1]
    book = priced.run("show", "book", "bitUSD", "--json").json()
    assert [bid["id"] for bid in book["bids"]] == [order]
    priced.wallet("bob", "buy", "4 bitUSD", "--with", "40 TEST")
    assert priced.chain.balance("bob", "USD") == 4 * USD
    priced.wallet("alice", "cancel", order)
    assert priced.chain.balance("alice", "USD") == 96 * USD
    killed = priced.refused("bob", "buy", "1 bitUSD", "--with", "9 TEST", "--fill-or-kill")
    assert killed["rule"] == "R2.9"


def test_an_order_that_takes_profit(priced: Desk) -> None:
    """T3, T4, T8: what a fill brings is offered again, which `why` and `show block` tell."""
    priced.wallet("alice", "borrow", "100 bitUSD", "--collateral", "3000 TEST")
    options = ("--take-profit", "5", "--take-profit-within", "7d", "--repeat")
    placed = priced.wallet("bob", "buy", "20 bitUSD", "--with", "200 TEST", *options)
    order = placed["operation_results"][0][1]
    assert placed["operations"][0][1]["extensions"]["on_fill"][0][1]["spread_percent"] == 500
    done = priced.run("wallet", "sell", "4 bitUSD", "--for", "40 TEST", "--dev-keys", "-a", "alice")
    assert "bob offers 4.0000 bitUSD for 42.00000 TEST" in done.out
    (mine, other) = priced.run("wallet", "balances", "bob", "--dev-keys", "--json").json()["orders"]
    assert (mine["id"], mine["take_profit_order_id"]) == (order, other["id"])
    assert other["take_profit_order_id"] == order
    why = priced.run("why", order).out
    assert "100.00 % are offered again at" in why
    assert f"{other['id']} is raised by it" in why
    num = str(priced.chain.chain.head_num)
    assert "T4" in priced.run("why", num).out
    text = priced.run("wallet", "balances", "bob", "--dev-keys").out
    assert "then again 5.00 % dearer" in text
    priced.wallet("alice", "buy", "1 bitUSD", "--with", "10.5 TEST")
    history = priced.run("wallet", "history", "bob", "--dev-keys").out
    assert f"bob changes {order}: adds 10.50000 TEST" in history
    for arguments, word in (
        (("--repeat",), "--take-profit"),
        (("--take-profit", "0"), "percentage"),
        (("--take-profit", "655.36"), "percentage"),
        (("--take-profit", "1", "--take-profit-size", "100.01"), "100 %"),
        (("--take-profit", "1", "--take-profit-fee", "NONE"), "no such asset"),
    ):
        refused = priced.refused("bob", "sell", "1 TEST", "--for", "1 bitUSD", *arguments)
        assert word in str(refused), refused


def test_settle_waits_for_its_delay(priced: Desk) -> None:
    """R5.2: the request is set aside and shown until it is due."""
    priced.wallet("alice", "borrow", "100 bitUSD", "--ratio", "4")
    priced.wallet("alice", "settle", "5 bitUSD")
    (waiting,) = priced.run("show", "settlements", "bitUSD", "--json").json()
    assert waiting["owner_name"] == "alice"
    sooner = "unless a margin call takes it before"
    assert sooner not in priced.run("show", "settlements", "bitUSD").out
    priced.chain.state.chain.settle_match = True
    assert sooner in priced.run("show", "settlements", "bitUSD").out
    assert priced.chain.balance("alice", "USD") == 95 * USD


def test_create_and_issue_assets(desk: Desk) -> None:
    """An asset is created, issued, and shown; a BitAsset gets its named producers."""
    desk.wallet("alice", "create-asset", "SHELLS", "--precision", "0", "--max-supply", "1000")
    desk.wallet("alice", "issue", "10 SHELLS", "--to", "bob")
    assert desk.chain.balance("bob", "SHELLS") == 10
    ended = desk.run(
        *("wallet", "create-asset", "SHELLUSD", "--backed-by", "TEST", "--fed-by", "producers"),
        *("--producer", "carol", "--dev-keys", "-a", "alice"),
    )
    assert ended.code == 0, ended.err
    desk.wallet("carol", "publish-feed", "bitSHELLUSD", "0.5")
    market = desk.run("show", "asset", "bitSHELLUSD", "--json").json()["market"]
    assert market["feed_count"] == 1
    assert desk.refused("bob", "publish-feed", "bitSHELLUSD", "0.5")["rule"] == "R1.13"


def test_the_response_of_a_bitasset(desk: Desk) -> None:
    """BS1, BS2, BS11: chosen when it is made, changed by its issuer, and shown, with the pool."""

    def shown() -> tuple[list[str], dict[str, str]]:
        lines = desk.run("show", "asset", "SHELLUSD").out.splitlines()
        return lines, desk.run("show", "asset", "SHELLUSD", "--json").json()["market"]

    desk.wallet("alice", "create-asset", "SHELLUSD", "--backed-by", "TEST", "--black-swan", "none")
    assert shown()[1]["black_swan_response"] == "none"
    refused = desk.refused("bob", "update-bitasset", "SHELLUSD", "--black-swan", "fund")
    assert refused["name"] == "wrong_account", refused
    desk.wallet("alice", "update-bitasset", "SHELLUSD", "--black-swan", "fund")
    desk.wallet("init0", "publish-feed", "SHELLUSD", "0.1", "--msqr", "1.5")
    desk.wallet("alice", "borrow", "100 SHELLUSD", "--ratio", "2")
    falls = desk.run("shock", "SHELLUSD", "--by", "-10%,-40%").out.splitlines()
    assert [" 1 alone " in line for line in falls[1:]] == [False, True]
    fall = desk.run("shock", "SHELLUSD", "--feed", "-40%").out
    assert "settled alone: 1 position that cannot pay" in fall
    assert not any("settled-debt pool" in line for line in shown()[0])
    desk.wallet("init0", "publish-feed", "SHELLUSD", "0.06", "--msqr", "1.5")
    lines, market = shown()
    assert market["individual_settlement_debt_text"] == "100.0000 bitSHELLUSD"
    assert market["individual_settlement_fund_text"] == "2,000.00000 TEST"
    text = dict(line.split("  ", 1) for line in lines if "  " in line)
    assert text["settled-debt pool"].strip() == "100.0000 bitSHELLUSD for 2,000.00000 TEST"
    assert text["black swan"].strip() == "the position is settled alone, to a fund"
    assert text["feed (median)"].strip().startswith("0.06000000")
    assert text["feed in force"].strip().startswith("0.07500000")
    ended = desk.run(
        *("wallet", "create-asset", "SHELLS", "--black-swan", "fund", "--dev-keys", "-a", "alice")
    )
    assert "--black-swan needs --backed-by" in ended.err


def test_create_account_with_a_new_key_in_a_wallet(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is made in a wallet, registered, and signs; the wallet knows its account."""
    monkeypatch.setattr(keyring, "SCRYPT_N_DEFAULT", SCRYPT_N_MIN)
    password = tmp_path / "password"
    password.write_text("correct horse battery\n")
    wallet = tmp_path / "wallet"

    def with_wallet(*arguments: str) -> str:
        with password.open() as file:
            options = ("--wallet", str(wallet), "--password-fd", str(file.fileno()), "--json")
            ended = desk.run("wallet", *arguments, *options)
        assert ended.code == 0, ended.err
        return ended.out

    made = json.loads(with_wallet("create"))
    desk.wallet("alice", "create-account", "frank77", "--active-key", made["public_key"])
    desk.wallet("alice", "transfer", "frank77", "100 TEST")
    assert list(json.loads(with_wallet("accounts"))) == ["frank77"]
    with_wallet("transfer", "bob", "1 TEST")
    assert desk.chain.balance("frank77") == 98 * CORE_UNIT + 80_000
    desk.wallet("alice", "transfer", "frank77", "200 TEST")
    with_wallet("upgrade")
    assert desk.chain.state.account_named("frank77").is_lifetime_member()
    holdings = desk.run("wallet", "balances", "frank77", "--dev-keys", "--json").json()
    assert holdings["balances"][0]["amount_text"] == "198.80000 TEST"


def test_vote_and_take_it_back(desk: Desk) -> None:
    """R8.11: votes are added to those that are there, and removed one by one."""
    desk.wallet("alice", "vote", "init1", "init2")
    account = desk.chain.state.account_named("alice")
    assert account.options.num_witness == 2
    desk.wallet("alice", "vote", "init1", "--remove")
    assert desk.chain.state.account_named("alice").options.num_witness == 1
    desk.wallet("alice", "vote", "init3", "--committee")
    options = desk.chain.state.account_named("alice").options
    assert (options.num_witness, options.num_committee, len(options.votes)) == (1, 1, 2)
    desk.wallet("alice", "vote-as", "bob")
    voting = desk.chain.state.account_named("alice").options.voting_account
    assert voting == desk.chain.account("bob")
    assert desk.refused("alice", "vote", "bob")["name"] == "no_such_name"


def test_propose_and_approve(desk: Desk, tmp_path: Path) -> None:
    """R8.23: operations of a file wait for an approval, then happen."""
    alice, bob = (account_text(desk.chain.account(name)) for name in ("alice", "bob"))
    amount = {"amount": 100_000, "asset_id": "1.3.0"}
    fields = {"fee": amount, "from": alice, "to": bob, "amount": amount, "extensions": []}
    path = tmp_path / "operations.json"
    path.write_text(json.dumps([[0, fields]]))
    proposed = desk.wallet("bob", "propose", str(path))
    before = desk.chain.balance("bob")
    desk.wallet("alice", "approve", proposed["operation_results"][0][1])
    assert desk.chain.balance("bob") == before + CORE_UNIT
    desk.wallet("alice", "send", str(path))
    assert desk.chain.balance("bob") == before + 2 * CORE_UNIT


def test_whitelist_and_history(desk: Desk) -> None:
    """R2.20: a listing reaches the chain, and the history tells it."""
    desk.wallet("alice", "whitelist", "bob", "--as", "black")
    history = desk.run("wallet", "history", "alice", "--dev-keys", "--json").json()
    assert history[0]["op"][0] == 7
    text = desk.run("wallet", "history", "alice", "--dev-keys").out
    assert "alice: account whitelist" in text


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        (["transfer", "bob", "1 NOPE"], 1, "no_such_name"),
        (["transfer", "nobody77", "1 TEST"], 1, "no_such_name"),
        (["transfer", "bob", "1"], 64, "usage"),
        (["transfer", "bob", "1.123456 TEST"], 64, "usage"),
        (["transfer", "bob", "x TEST"], 64, "usage"),
        (["transfer", "bob", "99999999999999999 TEST"], 64, "usage"),
        (["cancel", "1.8.0"], 64, "usage"),
        (["approve", "1.7.0"], 64, "usage"),
        (["cover", "bitUSD"], 1, "no_position"),
        (["borrow", "1 bitUSD", "--ratio", "2"], 1, "insufficient_feeds"),
        (["borrow", "1 bitUSD"], 64, "usage"),
        (["sell", "1 TEST", "--for", "1 bitUSD", "--expires-in", "2"], 64, "usage"),
        (["publish-feed", "TEST", "1"], 64, "usage"),
        (["transfer", "alice", "1 TEST"], 1, "validation_error"),
    ],
)
def test_refusals_are_typed(desk: Desk, arguments: list[str], code: int, name: str) -> None:
    """Each refusal has a name, and an exit code that says whose fault it is."""
    error = desk.refused("alice", *arguments)
    assert (error["name"], error["exit_code"]) == (name, code)


def test_a_missing_key_is_told_before_anything_is_sent(desk: Desk, tmp_path: Path) -> None:
    """R9.5: without the key the command ends with 77 and names the key that would do."""
    ended = desk.run(
        *("wallet", "transfer", "bob", "1 TEST", "-a", "alice", "--json"),
        *("--wallet", str(tmp_path / "empty")),
    )
    assert ended.code == 77
    error = json.loads(ended.err)["error"]
    assert error["name"] == "key_missing"
    assert error["limit"].startswith("TEST")


def test_which_account_acts_must_be_clear(desk: Desk) -> None:
    """With development keys every account could act, so one must be named."""
    ended = desk.run("wallet", "transfer", "bob", "1 TEST", "--dev-keys")
    assert ended.code == 64
    assert "--account" in ended.err


def test_pools_are_made_filled_used_and_ended(priced: Desk) -> None:
    """L3 to L8: by the symbol of their share; the text says what came of it."""

    def pool(name: str, *arguments: str) -> str:
        ended = priced.run("wallet", "pool", *arguments, "--dev-keys", "-a", name)
        assert ended.code == 0, ended.err
        return ended.out

    priced.wallet("alice", "borrow", "100 bitUSD", "--ratio", "3")
    priced.wallet("alice", "create-asset", "SHARE")
    made = pool("alice", "create", "bitUSD", "TEST", "--share", "SHARE", "--taker-fee", "0.3")
    assert "liquidity_pool_create, fee 0.50000 TEST, made 1.19.0" in made
    filled = pool("alice", "deposit", "SHARE", "50 bitUSD", "500 TEST")
    assert "500.00000 TEST and 50.0000 bitUSD for 5,000.0000 SHARE" in filled
    sold = pool("bob", "exchange", "1.19.0", "5 TEST", "--for", "0.49 bitUSD")
    assert "5.00000 TEST for 0.4936 bitUSD" in sold
    (shown,) = (line for line in priced.run("show", "pools").out.splitlines() if "1.19.0" in line)
    assert "505.00000 TEST" in shown
    assert "0.30 %" in shown
    history = priced.run("wallet", "history", "bob", "--dev-keys").out
    assert "bob sells 5.00000 TEST to 1.19.0 for 0.4900 bitUSD or more" in history
    pool("alice", "update", "SHARE", "--taker-fee", "0")
    pool("alice", "withdraw", "5,000 SHARE")
    pool("alice", "delete", "SHARE")
    assert priced.run("show", "pools").out.strip() == "no pools"


def test_what_is_wrong_about_a_pool_is_said(priced: Desk) -> None:
    """L8: an asset that is nobody's share, a price that is not paid, a fee with too many digits."""
    refused = priced.refused("alice", "pool", "delete", "bitUSD")
    assert refused["message"] == "no liquidity pool has these shares"
    assert priced.refused("alice", "pool", "update", "1.19.0")["exit_code"] == 64
    wrong = ("create", "bitUSD", "TEST", "--share", "bitEUR", "--taker-fee", "0.333")
    assert priced.refused("alice", "pool", *wrong)["limit"] == "2"
    assert priced.refused("alice", "pool", "delete", "1.19.0")["name"] == "no_such_object"
