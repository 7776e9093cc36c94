"""`why` of blocks, of transactions, of refusals and their remedies, and of what waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.presets import development_key
from node.rules import rules
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.fees import fee_table
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.transfer import Transfer
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.api import transaction_json
from tests.support.desk import Desk

Json = Any


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.setenv("NO_COLOR", "1")
    desk = Desk(monkeypatch, capsys)
    desk.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.1")
    desk.wallet("alice", "borrow", "100 bitUSD", "--ratio", "2.5")
    desk.wallet("bob", "borrow", "100 bitUSD", "--ratio", "2")
    return desk


def signed(desk: Desk, name: str, op: CallOrderUpdate | Transfer) -> TransactionEnvelope:
    """A transaction of one operation that pays its fee, signed by an account."""
    chain = desk.chain.chain
    fee = fee_table(desk.chain.state.parameters.current_fees).required(op)
    op = replace(op, fee=AssetAmount(fee, CORE_ASSET))
    number, prefix = reference_block(chain.head_id)
    transaction = Transaction(number, prefix, chain.head_time + 600, (op,))
    key = development_key(name, "active")
    return TransactionEnvelope.from_transaction(sign(transaction, [key], chain.chain_id))


def asked(desk: Desk, path: Path, name: str, op: CallOrderUpdate | Transfer) -> Json:
    """What `why` says of a transaction in a file."""
    path.write_text(json.dumps(transaction_json(signed(desk, name, op))))
    ended = desk.run("why", str(path), "--json")
    assert ended.code == 0, ended.err
    return ended.json()


def borrow(desk: Desk, debt: int, collateral: int) -> CallOrderUpdate:
    chain = desk.chain
    return CallOrderUpdate(
        NO_FEE,
        chain.account("carol"),
        chain.amount(collateral),
        chain.amount(debt, "USD"),
    )


@pytest.mark.parametrize("debt", [1_000_000, 333_333, 7])
def test_a_remedy_is_the_least_that_passes(desk: Desk, tmp_path: Path, debt: int) -> None:
    """R3.4: with the told collateral, or debt, the position passes; one unit off, it fails."""
    path = tmp_path / "refused.json"
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


def test_what_is_missing_and_bad_files(desk: Desk, tmp_path: Path) -> None:
    """I6: a transfer of too much; a file that is no transaction is refused by name."""
    chain, path = desk.chain, tmp_path / "refused.json"
    held = chain.balance("carol")
    op = Transfer(
        NO_FEE, chain.account("carol"), chain.account("bob"), chain.amount(held + 500_000), None
    )
    (remedy,) = asked(desk, path, "carol", op)["refusal"]["remedies"]
    assert remedy["field"] == "balance"
    assert remedy["text"].startswith("carol needs ")
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
