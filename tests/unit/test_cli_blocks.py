"""`pegboard blocks`, and what wallets say to people whose transaction waits for one."""

from __future__ import annotations

import json

import pytest

from node.cli.blocks import BLOCKS_AT_ONCE
from node.cli.program import command_name
from node.cli.wallet_sessions import MANUAL_HINT
from protocol.json_form import format_time, parse_time
from tests.support.desk import Desk

TRANSFER = ("transfer", "bob", "1 TEST", "--dev-keys", "-a", "alice")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


def test_blocks_are_generated(desk: Desk) -> None:
    """One without a number; more than one call makes when there are many."""
    num = desk.chain.chain.head_num
    ended = desk.run("blocks", "generate")
    assert (ended.code, desk.chain.chain.head_num) == (0, num + 1)
    time = format_time(desk.chain.chain.head_time)
    assert ended.out == f"1 block made, head {num + 1} at {time}\n"
    many = BLOCKS_AT_ONCE + 1
    head = desk.run("blocks", "generate", str(many), "--json").json()
    assert head["head_block_number"] == num + 1 + many
    assert head["head_block_id"] == desk.chain.chain.head_id.hex()


def test_a_waiting_transaction_comes_into_the_block(desk: Desk) -> None:
    """`--mode manual`, from the transaction to its block, without another tool."""
    desk.backend.instant = False
    before = desk.chain.balance("bob")
    sent = desk.run("wallet", *TRANSFER, "--no-wait")
    assert sent.code == 0, sent.err
    assert desk.run("blocks", "generate", "1").code == 0
    (transaction,) = desk.backend.blocks[desk.chain.chain.head_num].transactions
    assert f"transaction {transaction[0].id.hex()} pending" in sent.out
    assert desk.chain.balance("bob") > before


@pytest.mark.parametrize("distance", ["+1h", "+3600s", "+60m"])
def test_time_travel_takes_one_block(desk: Desk, distance: str) -> None:
    """R8.4: to the first slot at or after the time."""
    chain = desk.chain.chain
    num, time = chain.head_num, chain.head_time
    head = desk.run("blocks", "until", distance, "--json").json()
    assert head["head_block_number"] == num + 1
    reached = parse_time(head["head_block_time"])
    assert time + 3_600 <= reached < time + 3_600 + chain.state.parameters.block_interval


def test_time_travel_to_a_date(desk: Desk) -> None:
    """The same time once more is no travel."""
    date = format_time(desk.chain.chain.slot_time(1_000))
    assert date in desk.run("blocks", "until", date).out
    again = desk.run("blocks", "until", date, "--json")
    assert again.code == 1
    assert json.loads(again.err)["error"]["name"] == "invalid_params"


@pytest.mark.parametrize("count", ["0", "-1", "x", "1000001"])
def test_a_count_is_a_count(desk: Desk, count: str) -> None:
    """Refused before the node hears of it."""
    assert desk.run("blocks", "generate", count).code == 64


def test_other_chains_are_left_alone(desk: Desk) -> None:
    """T-A4: a chain with other witnesses does not move on demand, and its node says why."""
    desk.backend.is_development = False
    for arguments in (("generate", "1"), ("until", "+1h")):
        ended = desk.run("blocks", *arguments)
        assert ended.code == 1
        assert "this is no development chain" in ended.err


def test_a_wallet_says_why_it_waits(desk: Desk) -> None:
    """Only where blocks come on demand, only to those who wait, and never into JSON."""
    assert MANUAL_HINT not in desk.run("wallet", *TRANSFER).err
    desk.backend.block_mode = "manual"
    assert desk.run("wallet", *TRANSFER).err == f"{MANUAL_HINT.format(command_name())}\n"
    assert desk.run("wallet", *TRANSFER, "--no-wait").err == ""
    assert desk.run("wallet", *TRANSFER, "--json").err == ""
