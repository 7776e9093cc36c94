"""The sixteen things that bite whoever serves BitShares' clients, each on the wire of a live node.

The unit tests of the API say the same of its parts; here the frames are those of a real network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.presets import TEST_NETWORK_ID, development_key
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.crypto.hashes import ripemd160, sha512
from protocol.crypto.keys import key_text, parse_key, public_key
from protocol.ids import AccountId, parse_id
from protocol.json_form import parse_time, to_json
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from protocol.transaction import Transaction, reference_block, sign
from tests.clients.drive import Driver
from tests.clients.raw import RawSocket

pytestmark = [pytest.mark.clients, pytest.mark.functional]

Json = Any

FEE = AssetAmount(100_000, CORE_ASSET)
FEE_JSON = {"amount": 0, "asset_id": "1.3.0"}


@pytest.fixture
def wire(open_tap: Callable[[str], int]) -> Iterator[RawSocket]:
    """A connection of no client in particular."""
    with RawSocket(open_tap("raw frames")) as found:
        yield found


def signed_transfer(wire: RawSocket, units: int, *, at_block: int | None = None) -> Json:
    """A transfer from nathan to dave, on the head block or an older one, as clients send it."""
    head = wire.result(0, "get_dynamic_global_properties")
    block_id = head["head_block_id"]
    if at_block is not None:
        block_id = wire.result(0, "get_block_header", at_block + 1)["previous"]
    num, prefix = reference_block(BlockId(bytes.fromhex(block_id)))
    sender, receiver = (
        parse_id(AccountId, wire.result(0, "get_account_by_name", name)["id"])
        for name in ("nathan", "dave")
    )
    operation = Transfer(FEE, sender, receiver, AssetAmount(units, CORE_ASSET), None, ())
    transaction = Transaction(num, prefix, parse_time(head["time"]) + 100, (operation,))
    secret = development_key("nathan", "active")
    return to_json(sign(transaction, [secret], TEST_NETWORK_ID), "TEST")


def hex_of(wire: RawSocket, operation: Json) -> str:
    """The bytes that the node reads in an operation's JSON."""
    transaction = {
        "ref_block_num": 1,
        "ref_block_prefix": 2,
        "expiration": "2029-01-01T00:00:00",
        "operations": [operation],
        "extensions": [],
    }
    return str(wire.result(0, "get_transaction_hex_without_sig", transaction))


def test_trap_01_a_known_chain_id(wire: RawSocket) -> None:
    """Trap 1: the default preset has the id of the public test network, which clients know."""
    assert wire.result(0, "get_chain_id") == TEST_NETWORK_ID.hex()
    assert wire.result(0, "get_chain_properties")["chain_id"] == TEST_NETWORK_ID.hex()


def test_trap_02_apis_by_number_by_name_and_by_nothing(wire: RawSocket) -> None:
    """Trap 2: 0 needs no login, names need none either, numbers are handed out in order."""
    assert wire.result(0, "get_account_by_name", "alice")["name"] == "alice"
    assert wire.result("history", "get_fill_order_history", "TEST", "USD", 1) is not None
    assert wire.result(1, "login", "", "") is True
    assert wire.result(1, "database") == 0
    assert wire.result(1, "network_broadcast") == 2
    assert wire.result(1, "history") == 3
    assert wire.result(3, "get_market_history_buckets")[0] == 60
    wire.send('{"id":5,"method":"get_chain_id","params":[]}')
    assert wire.receive()["result"] == TEST_NETWORK_ID.hex()


def test_trap_03_id_zero(wire: RawSocket) -> None:
    """Trap 3: btsdex begins with it; a callback may be 0 too."""
    assert wire.answer(0, 1, "login", "", "") == {"id": 0, "result": True}
    assert wire.result(0, "set_pending_transaction_callback", 0) is None
    wire.send(
        json.dumps(
            {
                "id": 0,
                "method": "call",
                "params": [
                    "network_broadcast",
                    "broadcast_transaction",
                    [signed_transfer(wire, 303)],
                ],
            }
        )
    )
    frames = [wire.receive(), wire.receive()]
    assert {"id": 0, "result": None} in frames
    [told] = [frame for frame in frames if frame.get("method") == "notice"]
    assert told["params"][0] == 0


def test_trap_04_success_has_no_error_key(wire: RawSocket) -> None:
    """Trap 4: void is null; `jsonrpc` comes back only if it was sent."""
    assert wire.answer(4, 0, "cancel_all_subscriptions") == {"id": 4, "result": None}
    call = {"jsonrpc": "2.0", "id": 4, "method": "call", "params": [0, "get_chain_id", []]}
    wire.send(json.dumps(call))
    assert wire.receive() == {"id": 4, "jsonrpc": "2.0", "result": TEST_NETWORK_ID.hex()}
    refused = wire.answer(4, 0, "get_ticker", "TEST", "NOSUCHASSET")
    assert set(refused) == {"id", "error"}
    assert refused["error"]["message"].startswith("Execution error: ")


def test_trap_05_nothing_is_pushed_unasked(wire: RawSocket) -> None:
    """Trap 5: while blocks come, each frame is an answer; after a cancellation it is so again."""

    def wait_for_blocks(count: int) -> None:
        start = wire.result(0, "get_dynamic_global_properties")["head_block_number"]
        while wire.result(0, "get_block_header", start + count) is None:
            continue

    wait_for_blocks(2)
    assert wire.result(0, "set_block_applied_callback", 77) is None
    frame = wire.receive()
    assert frame["params"][0] == 77
    wire.send('{"id":1,"method":"call","params":[0,"cancel_all_subscriptions",[]]}')
    while wire.receive().get("id") != 1:
        continue
    wait_for_blocks(2)


def test_trap_06_the_irreversible_block_is_below_the_head(wire: RawSocket) -> None:
    """Trap 6: the Python client takes its reference from the header after it."""
    for _ in range(20):
        found = wire.result(0, "get_dynamic_global_properties")
        irreversible = found["last_irreversible_block_num"]
        assert 0 < irreversible < found["head_block_number"]
        header = wire.result(0, "get_block_header", irreversible + 1)
        assert int(header["previous"][:8], 16) == irreversible


def test_trap_07_old_references_hold(wire: RawSocket) -> None:
    """Trap 7: a client keeps one reference for a day; here it is the first block."""
    transaction = signed_transfer(wire, 707, at_block=1)
    assert transaction["ref_block_num"] == 1
    assert wire.result("network_broadcast", "broadcast_transaction", transaction) is None


def test_trap_08_json_in_every_form(wire: RawSocket) -> None:
    """Trap 8: text or number, `[]` or `{}`, absent options, a nonce of 64 bits."""
    key = key_text(public_key(development_key("nathan", "active")), "TEST")
    memo = {"from": key, "to": key, "nonce": (1 << 64) - 1, "message": "00"}
    plain = {"fee": FEE_JSON, "from": "1.2.6", "to": "1.2.7", "amount": FEE_JSON, "memo": memo}
    wide = plain | {
        "fee": {"amount": "0", "asset_id": "1.3.0"},
        "extensions": [],
        "memo": memo | {"nonce": str((1 << 64) - 1)},
    }
    assert hex_of(wire, [0, plain]) == hex_of(wire, [0, wide])
    assert hex_of(wire, [0, plain]) == hex_of(wire, [0, wide | {"extensions": {}}])
    python = {"weight_threshold": 1, "account_auths": [], "key_auths": [[key, 1]]}
    update = {"fee": FEE_JSON, "account": "1.2.6", "extensions": []}
    assert hex_of(wire, [6, update | {"active": python | {"extensions": []}}]) == hex_of(
        wire, [6, update | {"active": python | {"address_auths": []}, "extensions": {}}]
    )


def test_trap_09_numbers_where_numbers_are_needed(wire: RawSocket) -> None:
    """Trap 9: these are used without a conversion; what is wider than 32 bits is text."""
    found = wire.result(0, "get_dynamic_global_properties")
    peg = wire.result(0, "lookup_asset_symbols", ["USD"])[0]
    account = wire.result(0, "get_account_by_name", "alice")
    feed = wire.result(0, "get_objects", [peg["bitasset_data_id"]])[0]["current_feed"]
    numbers = [
        found["head_block_number"],
        found["last_irreversible_block_num"],
        peg["precision"],
        peg["options"]["flags"],
        peg["options"]["issuer_permissions"],
        feed["maintenance_collateral_ratio"],
        feed["maximum_short_squeeze_ratio"],
        account["active"]["weight_threshold"],
        account["active"]["key_auths"][0][1],
        wire.result(0, "get_global_properties")["parameters"]["block_interval"],
    ]
    assert [type(item) for item in numbers] == [int] * len(numbers)
    assert isinstance(found["recent_slots_filled"], str)
    assert isinstance(peg["options"]["max_supply"], str)


def test_trap_10_the_confirmation_is_a_notice(wire: RawSocket) -> None:
    """Trap 10: null at once; the notice once the transaction is in a block, with its results."""
    transaction = signed_transfer(wire, 1_010)
    method = "broadcast_transaction_with_callback"
    assert wire.result("network_broadcast", method, 42, transaction) is None
    told = wire.receive()
    callback, [confirmation] = told["params"]
    assert (told["method"], callback) == ("notice", 42)
    assert set(confirmation) == {"id", "block_num", "trx_num", "trx"}
    assert confirmation["trx"]["operation_results"] == [[0, {}]]
    block = wire.result(0, "get_block", confirmation["block_num"])
    found = block["transactions"][confirmation["trx_num"]]
    assert found["signatures"] == transaction["signatures"]


def test_trap_11_keys_sort_by_their_address(wire: RawSocket) -> None:
    """Trap 11: by RIPEMD160 of SHA512 of the key, however they come."""
    keys = [
        key_text(public_key(development_key(name, "active")), "TEST")
        for name in ("alice", "bob", "carol", "dave", "erin")
    ]
    update = {"fee": FEE_JSON, "account": "1.2.6", "extensions": {}}

    def bytes_of(order: list[str]) -> str:
        auths = [[key, 1] for key in order]
        active = {"weight_threshold": 1, "account_auths": [], "key_auths": auths}
        return hex_of(wire, [6, update | {"active": active}])

    def address(key: str) -> bytes:
        return ripemd160(sha512(parse_key(key, "TEST")))

    found = bytes_of(sorted(keys, key=address))
    assert bytes_of(keys) == bytes_of(keys[::-1]) == found
    places = [found.index(parse_key(key, "TEST").hex()) for key in sorted(keys, key=address)]
    assert places == sorted(places)


def test_trap_12_a_feed_without_extensions(wire: RawSocket) -> None:
    """Trap 12: clients drop BSIP77's ratio from bytes and JSON; what is sent is what is signed."""
    price = {
        "base": {"amount": 1, "asset_id": "1.3.1"},
        "quote": {"amount": 10, "asset_id": "1.3.0"},
    }
    feed = {
        "settlement_price": price,
        "maintenance_collateral_ratio": 1750,
        "maximum_short_squeeze_ratio": 1100,
        "core_exchange_rate": price,
    }
    fields = {"fee": FEE_JSON, "publisher": "1.2.12", "asset_id": "1.3.1", "feed": feed}
    bare = hex_of(wire, [19, fields | {"extensions": []}])
    assert bare == hex_of(wire, [19, fields | {"extensions": {}}])
    full = hex_of(wire, [19, fields | {"extensions": {"initial_collateral_ratio": 2000}}])
    assert full != bare
    assert full.endswith("0100d00700")


def test_trap_13_the_placeholder_of_the_exchange_rate(python_driver: Driver) -> None:
    """Trap 13: the client says 1.3.1 and means the asset that it creates."""
    found = python_driver.run("placeholder")
    assert found["sent"] == "1.3.1"
    assert found["rate"] == found["id"] != "1.3.1"


def test_trap_14_hard_coded_names_and_objects(wire: RawSocket) -> None:
    """Trap 14: clients ask for these without having been told of them."""
    ids = ["2.0.0", "2.1.0", "2.11.0", "2.12.0", "1.2.5"]
    objects = wire.result(0, "get_objects", ids)
    assert [item["id"] for item in objects] == ids
    assert objects[3]["current_shuffled_witnesses"]
    assert objects[4]["name"] == "proxy-to-self"
    names = ["proxy-to-self", "witness-account", "null-account", "committee-account"]
    assert None not in wire.result(0, "lookup_account_names", names)
    assert wire.result(0, "get_objects", ["2.8.0"]) is not None


def test_trap_15_reads_show_what_is_pending(wire: RawSocket) -> None:
    """Trap 15: the next read after the answer of a broadcast shows its effect."""
    transaction = signed_transfer(wire, 1_515)
    [before] = wire.result(0, "get_account_balances", "dave", ["1.3.0"])
    assert wire.result("network_broadcast", "broadcast_transaction", transaction) is None
    [after] = wire.result(0, "get_account_balances", "dave", ["1.3.0"])
    assert int(after["amount"]) - int(before["amount"]) == 1_515


def test_trap_16_escapes_are_letters(wire: RawSocket) -> None:
    """Trap 16: `\\u00e9` and é are one text, so one transaction."""
    call = (
        '{"id":1,"method":"call","params":[0,"get_transaction_hex_without_sig",[{"ref_block_num":1,'
        '"ref_block_prefix":2,"expiration":"2029-01-01T00:00:00","extensions":[],"operations":'
        '[[21,{"fee":{"amount":0,"asset_id":"1.3.0"},"witness":"1.6.1","witness_account":"1.2.12",'
        '"new_url":"%s"}]]}]]}'
    )
    answers = []
    for text in ("caf\\u00e9", "café"):
        wire.send(call % text)
        answers.append(wire.receive()["result"])
    assert answers[0] == answers[1]
    assert "café".encode().hex() in answers[0]
