"""The committed table of clients' calls, and the tap that it is made from."""

from __future__ import annotations

import json

from wsproto.frame_protocol import FrameProtocol, Opcode

from node.api.methods.tables import APIS
from tests.clients.conformance import TABLE, methods_of, render, tally_to_json
from tests.clients.tap import Tally, texts_of

UNSERVED = {"login.crypto"}
"""Asked for by btsdex, which goes on without them."""


def test_every_call_of_the_table_is_served() -> None:
    """CLIENTS 4: a call that a client was seen to make cannot be lost unnoticed."""
    methods = methods_of(TABLE.read_text())
    assert len(methods) > 50
    served = {f"{api}.{method}" for api, table in APIS.items() for method in table}
    assert set(methods) - served <= UNSERVED


def test_all_calls_that_every_client_needs_are_in_the_table() -> None:
    """CLIENTS 4: the table is of real traffic, so these must be there."""
    methods = methods_of(TABLE.read_text())
    for name in (
        "database.get_chain_properties",
        "database.get_required_fees",
        "database.set_block_applied_callback",
        "history.get_account_history",
        "login.network_broadcast",
        "network_broadcast.broadcast_transaction",
        "network_broadcast.broadcast_transaction_synchronous",
        "network_broadcast.broadcast_transaction_with_callback",
    ):
        assert name in methods, name


def test_a_tally_names_apis_that_were_handed_out() -> None:
    """Trap 2: number 2 is what the login answered on that connection, and 0 the database."""
    calls = [
        {"id": 0, "method": "call", "params": [1, "history", []]},
        {"id": 1, "method": "call", "params": [2, "get_account_history", []]},
        {"id": 2, "method": "call", "params": [0, "get_ticker", []]},
        {"id": 3, "method": "get_chain_id", "params": []},
        {"id": 4, "method": "call", "params": ["orders", "get_tracked_groups", []]},
    ]
    answers = [{"id": number, "result": 2} for number in (0, 1, 3, 4)]
    tally = Tally()
    notice = {"method": "notice", "params": [1, []]}
    tally.add("one", calls, [notice, {"id": 2, "error": {}}, *answers])
    found = tally_to_json(tally)["one"]
    assert found == {
        "calls": {
            "database.get_chain_id": [1, 0],
            "database.get_ticker": [1, 1],
            "history.get_account_history": [1, 0],
            "login.history": [1, 0],
            "orders.get_tracked_groups": [1, 0],
        },
        "notices": 1,
    }
    table = render({"one": found})
    assert "| `database.get_ticker` | 1 / 1 |" in table
    assert methods_of(table) == sorted(found["calls"])


def test_texts_are_found_in_both_protocols() -> None:
    """HTTP bodies by their length; WebSocket messages from masked and from fragmented frames."""
    post = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]"
    assert list(texts_of(post + post)) == ["[]", "[]"]
    assert list(texts_of(b"HTTP/1.1 200 \r\ncontent-length: 4\r\n\r\nnull")) == ["null"]
    upgrade = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    masked = FrameProtocol(client=True, extensions=[]).send_data(json.dumps([1]))
    assert list(texts_of(upgrade + masked)) == ["[1]"]
    server = FrameProtocol(client=False, extensions=[])
    fragments = server.send_data("[1,", fin=False) + server.send_data("2]", fin=True)
    switch = b"HTTP/1.1 101 \r\nUpgrade: WebSocket\r\n\r\n"
    assert list(texts_of(switch + fragments)) == ["[1,2]"]
    assert fragments[0] & 0x0F == Opcode.TEXT
