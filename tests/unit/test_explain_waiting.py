"""`why` of blocks, of transactions, of refusals and their remedies, and of what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.api.call import Stepwise
from node.api.methods.why import explain_block
from node.presets import SETTLEMENT_DELAY_S, development_key
from node.rules import rules
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.fees import fee_table
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.api import Client, transaction_json
from tests.support.desk import BLOCK_INTERVAL_S, Desk

Json = Any


def make_desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """At a feed of 0.1 and an MCR of 1.75, alice has a ratio of 2.5, bob of 2."""
    desk = Desk(monkeypatch, capsys).open_market()
    desk.wallet("bob", "borrow", "100 bitUSD", "--ratio", "2")
    return desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk of one test alone."""
    return make_desk(monkeypatch, capsys)


@pytest.fixture(scope="module")
def still_desks() -> list[Desk]:
    """The one desk of all tests that only ask, once it is made."""
    return []


@pytest.fixture
def still_desk(
    still_desks: list[Desk], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """A desk that changes nothing."""
    if not still_desks:
        still_desks.append(make_desk(monkeypatch, capsys))
    desk = Desk(monkeypatch, capsys, behind=still_desks[0])
    head_num = desk.chain.chain.head_num
    yield desk
    assert (desk.chain.chain.head_num, len(desk.chain.chain.pending)) == (head_num, 0)


def signed(
    desk: Desk, name: str, *ops: CallOrderUpdate | LimitOrderCreate | Transfer
) -> TransactionEnvelope:
    """A transaction of operations that pay their fees, signed by an account."""
    chain = desk.chain.chain
    table = fee_table(desk.chain.state.parameters.current_fees)
    paid = tuple(replace(op, fee=AssetAmount(table.required(op), CORE_ASSET)) for op in ops)
    number, prefix = reference_block(chain.head_id)
    transaction = Transaction(number, prefix, chain.head_time + 600, paid)
    key = development_key(name, "active")
    return TransactionEnvelope.from_transaction(sign(transaction, [key], chain.chain_id))


def asked(desk: Desk, path: Path, name: str, *ops: CallOrderUpdate | Transfer) -> Json:
    """What `why` says of a transaction in a file."""
    path.write_text(json.dumps(transaction_json(signed(desk, name, *ops))))
    ended = desk.run("why", str(path), "--json")
    assert ended.code == 0, ended.err
    return ended.json()


def borrow(desk: Desk, debt: int, collateral: int, who: str = "carol") -> CallOrderUpdate:
    chain = desk.chain
    return CallOrderUpdate(
        NO_FEE,
        chain.account(who),
        chain.amount(collateral),
        chain.amount(debt, "USD"),
    )


@pytest.mark.parametrize("debt", [1_000_000, 333_333, 7])
def test_a_remedy_is_the_least_that_passes(still_desk: Desk, tmp_path: Path, debt: int) -> None:
    """R3.4: with the told collateral, or debt, the position passes; one unit off, it fails."""
    desk, path = still_desk, tmp_path / "refused.json"
    refused = borrow(desk, debt, debt * 150)
    found = asked(desk, path, "carol", refused)
    assert not found["passes"]
    refusal = found["refusal"]
    assert (refusal["rule"], refusal["operation"]) == ("R3.4b", 0)
    assert refusal["limit_text"] == "1.750"
    for remedy in refusal["remedies"]:
        told = int(remedy["amount"]["amount"])
        step = -1 if remedy["field"] == "delta_collateral" else 1
        for amount, passes in ((told, True), (told + step, False)):
            sides = [refused.delta_collateral.amount, refused.delta_debt.amount]
            sides[0 if remedy["field"] == "delta_collateral" else 1] = amount
            assert asked(desk, path, "carol", borrow(desk, sides[1], sides[0]))["passes"] == passes
    assert len(refusal["remedies"]) == 2
    path.write_text(json.dumps(transaction_json(signed(desk, "carol", refused))))
    lines = desk.run("why", str(path)).out.splitlines()
    assert lines[0].startswith("Refused: operation 0: the position would not stay above")
    assert lines[1].startswith("    R3.4b: ")
    assert lines[2].startswith("To pass: put in at least ")


def test_collateral_that_may_leave(still_desk: Desk, tmp_path: Path) -> None:
    """R3.4: bob takes too much out; the told part of it passes, one unit more does not."""
    desk, path = still_desk, tmp_path / "refused.json"
    refusal = asked(desk, path, "bob", borrow(desk, 0, -40_000_000, "bob"))["refusal"]
    first, second = refusal["remedies"]
    least = int(first["amount"]["amount"])
    assert first["text"] == "take out at most 249.99999 TEST of collateral"
    assert least == -24_999_999
    for amount, passes in ((least, True), (least - 1, False)):
        assert asked(desk, path, "bob", borrow(desk, 0, amount, "bob"))["passes"] == passes
    assert second["text"].startswith("pay back at least ")


def test_an_operation_that_others_made_fail(still_desk: Desk, tmp_path: Path) -> None:
    """R3.4, I6: the second operation is refused for what the first has left; alone neither of them
    is refused so, and no remedy is told that is right for it alone."""
    desk, path = still_desk, tmp_path / "refused.json"
    first, second = borrow(desk, 100_000, 30_000_000), borrow(desk, 1_000_000, 150_000_000)
    refusal = asked(desk, path, "carol", first, second)["refusal"]
    assert refusal["rule"] == "R3.4b"
    assert refusal["remedies"] == []
    assert refusal["operation"] == 1
    assert asked(desk, path, "carol", second)["refusal"]["operation"] == 0


def test_what_is_missing_and_bad_files(still_desk: Desk, tmp_path: Path) -> None:
    """I6: a transfer of too much; a file that is no transaction is refused by name."""
    desk, path = still_desk, tmp_path / "refused.json"
    chain = desk.chain
    held = chain.balance("carol")
    op = Transfer(
        NO_FEE, chain.account("carol"), chain.account("bob"), chain.amount(held + 500_000), None
    )
    less, more = asked(desk, path, "carol", op)["refusal"]["remedies"]
    assert (less["field"], more["field"]) == ("amount", "balance")
    assert more["text"].startswith("carol needs ")
    most = int(less["amount"]["amount"])
    for amount, passes in ((most, True), (most + 1, False)):
        nearer = replace(op, amount=chain.amount(amount))
        assert asked(desk, path, "carol", nearer)["passes"] == passes
    path.write_text("{")
    assert desk.run("why", str(path)).code == 65
    path.write_text("{}")
    assert "Refused: transaction without operations" in desk.run("why", str(path)).out


def test_a_block_and_its_transaction(desk: Desk) -> None:
    """R4.4, R1.22: a feed and the call at the end of its block, each beside its rule."""
    desk.wallet("alice", "sell", "60 bitUSD", "--for", "900 TEST")
    desk.wallet("init0", "publish-feed", "bitUSD", "0.055", "--msqr", "1.1")
    num = desk.chain.chain.head_num
    found = desk.run("why", str(num), "--json").json()
    assert [effect["rule"] for effect in found["effects"]] == ["R1.22", "R4.4", "R2.7"]
    assert "It was called because" in found["effects"][1]["explanation"]
    text = desk.run("why", str(num)).out
    assert "by the chain: position called: bob pays 900.00000 TEST" in text
    assert f"R1.22: {rules()['R1.22'].sentence}" in text
    sent = desk.run("show", "tx", str(num), "0", "--json").json()["id"]
    effects = desk.run("why", sent, "--json").json()["effects"]
    assert [effect["rule"] for effect in effects] == ["R1.22"]
    assert desk.run("why", "0" * 40).code == 1
    assert desk.run("why", str(num + 9)).code == 1


def test_what_waits(desk: Desk) -> None:
    """R2.3, R4.2, R5.2, R5.4: an order that calls nobody, and a request."""
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "110 TEST")
    desk.wallet("alice", "sell", "20 bitUSD", "--for", "300 TEST")
    order = desk.run("why", "1.7.1", "--json").json()
    assert (order["before"], order["amount_before"]["amount_text"]) == (1, "10.0000 bitUSD")
    assert [one["rule"] for one in order["statements"]] == ["R2.3", "R2.4", "R4.2"]
    assert "No margin call takes it" in desk.run("why", "1.7.1").out
    desk.wallet("bob", "settle", "5 bitUSD")
    request = desk.run("why", "1.4.0", "--json").json()
    assert [one["rule"] for one in request["statements"]] == ["R5.2", "R5.4", "R5.5"]
    assert "bob settles 5.0000 bitUSD, due at" in request["statements"][0]["text"]
    assert desk.run("why", "1.7.9").code == 1
    assert desk.run("why", "2.17.0").code == 1


@pytest.mark.parametrize("by_bids", [False, True])
def test_a_swan_and_the_ways_back(desk: Desk, *, by_bids: bool) -> None:
    """R6.2, R6.4, R6.5, R6.6, R6.7: the block of the swan, what is left to ask, and the block of
    the revival, by a bid at maintenance or by a feed."""

    def told(subject: str) -> list[tuple[str, str]]:
        effects = desk.run("why", subject, "--json").json()["effects"]
        return [(effect["rule"], effect["text"]) for effect in effects if effect["is_virtual"]]

    def head() -> str:
        return str(desk.chain.chain.head_num)

    desk.wallet("init0", "publish-feed", "bitUSD", "0.01", "--msqr", "1.1")
    swan = told(head())
    assert [rule for rule, _ in swan] == ["R6.2", "R6.2", "R6.2"]
    assert swan[0][1].startswith("position settled globally: bob pays")
    assert swan[2][1].startswith("bitUSD is settled globally at 0.05499999")
    position = desk.run("why", "bob", "bitUSD", "--json").json()
    assert position["status"] == "asset_settled_globally"
    assert [one["rule"] for one in position["statements"]] == ["R6.4"]
    if by_bids:
        desk.wallet("bob", "bid-collateral", "40000 TEST", "--for", "200 bitUSD")
        waits = desk.run("why", "2.17.0", "--json").json()["statements"]
        assert [one["rule"] for one in waits] == ["R6.5", "R6.6"]
        assert waits[1]["text"].endswith("all bids take over 200.0000 bitUSD of 200.0000 bitUSD")
        desk.wallet("bob", "bid-collateral", "50000 TEST", "--for", "200 bitUSD")
        desk.backend.produce(slot=2_000)
        assert told_of(desk, "2.17.0") == [
            ("R6.5", "bob bids 40,000.00000 TEST to take over 200.0000 bitUSD of debt"),
            ("R6.5", "bob bids 50,000.00000 TEST to take over 200.0000 bitUSD of debt"),
        ]
        made, then = told_of(desk, "2.17.1")
        assert made == ("R6.5", "bob bids 50,000.00000 TEST to take over 200.0000 bitUSD of debt")
        assert (then[0], then[1][:42]) == ("R6.6", "revived: bob takes over 200.0000 bitUSD of")
    else:
        desk.wallet("init0", "publish-feed", "bitUSD", "0.3", "--msqr", "1.1")
    (taken, revived), rule = told(head()), "R6.6" if by_bids else "R6.7"
    who = "bob" if by_bids else "committee-account"
    assert taken[0] == revived[0] == rule
    assert taken[1].startswith(f"revived: {who} takes over 200.0000 bitUSD of debt")
    assert revived[1] == "bitUSD lives again after its global settlement"


def told_of(desk: Desk, subject: str) -> list[tuple[str, str]]:
    found = desk.run("why", subject, "--json").json()
    return [(one["rule"], one["text"].split(" (block ")[0]) for one in found["statements"]]


def test_what_became_of_orders_that_are_gone(desk: Desk) -> None:
    """R2.4, R2.7, R2.8, R2.10, R2.11: one was filled bit by bit, one cancelled, one expired."""
    desk.wallet("alice", "sell", "10 bitUSD", "--for", "110 TEST")
    desk.wallet("bob", "sell", "55 TEST", "--for", "5 bitUSD")
    desk.wallet("bob", "sell", "55 TEST", "--for", "5 bitUSD")
    desk.wallet("alice", "sell", "20 bitUSD", "--for", "300 TEST")
    desk.wallet("alice", "cancel", "1.7.3")
    assert told_of(desk, "1.7.0") == [
        ("R2.4", "alice offers 10.0000 bitUSD for 110.00000 TEST"),
        ("R2.7", "trade: alice pays 5.0000 bitUSD for 55.00000 TEST (1.7.0)"),
        ("R2.7", "trade: alice pays 5.0000 bitUSD for 55.00000 TEST (1.7.0)"),
    ]
    assert told_of(desk, "1.7.3") == [
        ("R2.4", "alice offers 20.0000 bitUSD for 300.00000 TEST"),
        ("R2.11", "alice cancels 1.7.3"),
    ]
    assert told_of(desk, "1.7.1") == [
        ("R2.4", "bob offers 55.00000 TEST for 5.0000 bitUSD"),
        ("R2.7", "trade: bob pays 55.00000 TEST for 5.0000 bitUSD (1.7.1)"),
    ]
    text = desk.run("why", "1.7.0").out
    assert "alice offers 10.0000 bitUSD for 110.00000 TEST (block " in text
    assert ", by the chain)" in text


def test_a_long_life_is_told_by_its_begin_and_its_end(desk: Desk) -> None:
    """The newest steps, found by the order's id alone; the first says that some are left out."""
    desk.wallet("alice", "sell", "25 bitUSD", "--for", "250 TEST")
    pays, gets = desk.chain.amount(1_000_000), desk.chain.amount(10_000, "USD")
    take = LimitOrderCreate(NO_FEE, desk.chain.account("bob"), pays, gets)
    desk.chain.chain.push_transaction(signed(desk, "bob", *[take] * 25))
    desk.backend.produce()
    found = desk.run("why", "1.7.0", "--json").json()["statements"]
    assert len(found) == 21
    assert found[0]["text"].endswith("some steps after it are left out")
    assert [one["text"].startswith("trade: alice pays 1.0000") for one in found[1:]] == [True] * 20


def test_what_became_of_a_request_that_is_gone(desk: Desk) -> None:
    """R5.2, R5.4: bob's request is paid by the position that is least collateralised."""
    desk.wallet("alice", "settle", "5 bitUSD")
    desk.backend.produce(slot=SETTLEMENT_DELAY_S // BLOCK_INTERVAL_S - 4)
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.1")
    desk.backend.produce(slot=9)
    (asked_for, paid) = told_of(desk, "1.4.0")
    assert asked_for == ("R5.2", "alice asks to settle 5.0000 bitUSD")
    assert paid[0] == "R5.4"
    assert paid[1].startswith("settlement: alice pays 5.0000 bitUSD for ")


def test_a_long_block_is_told_step_by_step(desk: Desk) -> None:
    """T-A2: whoever asks for a block with all that happened in it keeps nobody else waiting."""
    pays = [desk.chain.transfer("alice", "bob", 1) for _ in range(25)]
    desk.chain.chain.push_transaction(signed(desk, "alice", *pays))
    desk.backend.produce()
    client = Client(desk.backend)
    num = desk.chain.chain.head_num
    assert len(client.call("explain_block", num, api="pegboard")["effects"]) == 25
    answer = explain_block(client.session.call, num)
    assert isinstance(answer, Stepwise)
    assert sum(1 for _ in answer.steps) == 3


def test_blocks_and_transactions_over_the_api(desk: Desk) -> None:
    """R1.22, R4.4: the same for programs, by their declared records; what is not there is told."""
    client = Client(desk.backend)
    desk.wallet("alice", "sell", "60 bitUSD", "--for", "900 TEST")
    desk.wallet("init0", "publish-feed", "bitUSD", "0.055", "--msqr", "1.1")
    num = desk.chain.chain.head_num
    whole = client.call("explain_block", num, api="pegboard")
    feed, call, trade = whole["effects"]
    assert [feed["rule"], call["rule"], trade["rule"]] == ["R1.22", "R4.4", "R2.7"]
    assert feed["trx_in_block"] == 0
    assert "It was called because" in call["explanation"]
    assert client.call("explain_block", num, 0, api="pegboard")["effects"] == [feed]
    envelope, _ = desk.backend.blocks[num].transactions[0]
    sent = client.call("explain_sent", envelope.id.hex(), api="pegboard")
    assert (sent["block_num"], sent["effects"]) == (num, [feed])
    pending = signed(desk, "alice", desk.chain.transfer("alice", "bob", 1))
    desk.chain.chain.push_transaction(pending)
    waits = client.call("explain_sent", pending.id.hex(), api="pegboard")
    assert "block_num" not in waits
    assert waits["effects"][0]["rule"] == "B8"
    for method, argument in (("explain_block", num + 9), ("explain_sent", "0" * 40)):
        refused = client.refuse(method, argument, api="pegboard")
        assert refused["data"]["name"] == "no_such_object"
