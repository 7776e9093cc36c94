"""`pegboard wallet htlc` and `ticket` against a chain in this process, and what shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.presets import development_key
from protocol.crypto.hashes import hash160, sha256
from protocol.fees import required_fee
from protocol.ids import account_text
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


def test_a_new_secret_locks_and_redeems(desk: Desk) -> None:
    """H2.3, H3.2: it is printed once, and whoever has it lets bob be paid."""
    done = desk.wallet("alice", "htlc", "create", "bob", "10 TEST", "--expires-in", "1d")
    secret = bytes.fromhex(done["preimage"])
    assert done["sha256"] == sha256(secret).hex()
    assert done["operations"][0][1]["preimage_hash"] == [2, done["sha256"]]
    (waiting,) = done["waiting"]
    assert waiting["text"].startswith("1.16.0 waits for its preimage; the amount returns at 20")
    assert waiting["rule"] == "H5.1"
    for name in ("alice", "bob"):
        assert (
            "contract 1.16.0: 10.00000 TEST of alice for bob"
            in desk.run("show", "account", name).out
        )
    before = desk.chain.balance("bob")
    done = desk.wallet("carol", "htlc", "redeem", "1.16.0", done["preimage"])
    assert done["caused"] == ["redeemed: bob gets 10.00000 TEST of alice (1.16.0)"]
    assert desk.chain.balance("bob") == before + 10**6
    history = desk.run("wallet", "history", "bob", "--dev-keys").out
    assert "redeemed: bob gets 10.00000 TEST of alice (1.16.0)" in history


def test_a_hash_of_somebody_else(desk: Desk) -> None:
    """H1.2, H4.1: as in the second half of a swap; the memo is for the receiver."""
    lock = f"hash160:{hash160(b'open').hex()}"
    how = ("--hash", lock, "--size", "4", "--expires-in", "1h", "--memo", "yours")
    done = desk.wallet("alice", "htlc", "create", "bob", "1 TEST", *how)
    assert "preimage" not in done
    fields = done["operations"][0][1]
    assert (fields["preimage_hash"][0], fields["preimage_size"]) == (3, 4)
    history = desk.run("wallet", "history", "bob", "--dev-keys", "--memos").out
    assert "locks 1.00000 TEST for bob for 3600 s: yours" in history
    desk.wallet("alice", "htlc", "extend", "1.16.0", "12h")
    htlc = desk.chain.state.htlcs.rows[0]
    assert htlc.expiration - desk.chain.state.dynamic.time > 46_000
    error = desk.refused("bob", "htlc", "redeem", "1.16.0", "close", "--text")
    assert (error["name"], error["rule"]) == ("preimage_size_mismatch", "H3.1")
    desk.wallet("bob", "htlc", "redeem", "1.16.0", "open", "--text")


def test_too_little_time_returns_at_once(desk: Desk) -> None:
    """H5.1: in the same block, as the command tells."""
    done = desk.wallet("alice", "htlc", "create", "bob", "1 TEST", "--expires-in", "1s")
    assert done["caused"] == ["not claimed: alice has 1.00000 TEST back (1.16.0)"]
    assert done["waiting"] == []


def test_tickets_are_made_split_and_shown(desk: Desk) -> None:
    """K2.1, K2.2: with what becomes of them next."""
    done = desk.wallet("alice", "ticket", "create", "100 TEST", "360d")
    (waiting,) = done["waiting"]
    text = "ticket 1.18.0: 100.00000 TEST, liquid, charging to lock 360 days, next at 20"
    assert waiting["text"].startswith(text)
    arguments = ("wallet", "ticket", "update", "1.18.0", "liquid", "--part", "40 TEST")
    ended = desk.run(*arguments, "--dev-keys", "-a", "alice")
    assert "ticket_update, fee 0.50000 TEST, made 1.18.1, changed 1.18.0" in ended.out
    shown = desk.run("show", "account", "alice").out
    assert "ticket 1.18.0: 60.00000 TEST, liquid, charging to lock 360 days" in shown
    assert "ticket 1.18.1: 40.00000 TEST, liquid, withdrawing, next at" in shown
    history = desk.run("wallet", "history", "alice", "--dev-keys").out
    assert "alice locks 100.00000 TEST in a ticket for lock 360 days" in history
    assert "alice splits 1.18.0: turns 40.00000 TEST of it to liquid" in history
    error = desk.refused("bob", "ticket", "update", "1.18.0", "180d")
    assert (error["name"], error["rule"]) == ("owner_mismatch", "K2.2")


def test_a_custom_authority_is_made_used_and_taken_back(desk: Desk, tmp_path: Path) -> None:
    """C2.2, C2.3, C2.4, C4.1: bob's key sends what alice has."""
    only_bob = tmp_path / "only-bob.json"
    bob = account_text(desk.chain.account("bob"))
    only_bob.write_text(
        json.dumps([{"member_index": 2, "restriction_type": 0, "argument": [7, bob]}])
    )
    how = ("--by", "bob", "--restrictions", str(only_bob))
    desk.wallet("alice", "custom-authority", "create", "transfer", *how)
    shown = desk.run("show", "account", "alice").out
    assert "custom authority 1.17.0: transfer by bob, 1 restriction, until 20" in shown
    before = desk.chain.balance("bob")
    operation = desk.chain.transfer("alice", "bob", 10**5)
    fee = required_fee(operation, desk.chain.state.parameters.current_fees)
    paid = replace(operation, fee=desk.chain.amount(fee))
    number, prefix = reference_block(desk.chain.chain.head_id)
    transaction = Transaction(number, prefix, desk.chain.chain.head_time + 60, (paid,))
    key = development_key("bob", "active")
    signed = sign(transaction, [key], desk.chain.chain.chain_id)
    desk.chain.block(TransactionEnvelope.from_transaction(signed))
    assert desk.chain.balance("bob") == before + 10**5
    desk.wallet("alice", "custom-authority", "update", "1.17.0", "--disable", "--remove", "0")
    assert "0 restrictions, until" in desk.run("show", "account", "alice").out
    desk.wallet("alice", "custom-authority", "delete", "1.17.0")
    assert len(desk.chain.state.custom_authorities) == 0
    ended = desk.run(
        *("wallet", "custom-authority", "create", "transfer", "--dev-keys", "-a", "alice")
    )
    assert ended.code == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "bob", "1 TEST", "--hash", "md5:00"),
        ("create", "bob", "1 TEST", "--hash", "sha256:00"),
        ("create", "bob", "1 TEST", "--hash", "sha256:xy"),
        ("create", "bob", "1 TEST", "--size", "4"),
        ("redeem", "1.16.0", "abc"),
        ("redeem", "1.2.0", "ab"),
        ("extend", "1.16.0", "soon"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(desk: Desk, arguments: tuple[str, ...]) -> None:
    """Before anything is sent."""
    ended = desk.run("wallet", "htlc", *arguments, "--dev-keys", "-a", "alice")
    assert ended.code == 64, ended
