"""T-A1, T-A7: the body of a JSON-RPC request, as one text of a session.

The chain behind it is the same for each input: what a client may broadcast is simulated, and
nothing makes a block.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import cache

from node.api.errors import InvalidValue
from node.api.json_text import joined
from protocol.block import BlockEnvelope
from protocol.transaction import TransactionEnvelope
from tests.fuzz.targets import LEAKS, Refused, accepted
from tests.support.api import ChainBackend
from tests.support.desk import PresetChain

MAX_BYTES = 1_024
ANSWER_BYTES_MAX = 8 << 20
BATCH_MAX = 50


class StillBackend(ChainBackend):
    """A backend whose chain stands still."""

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        self.simulate(envelope)

    def push_block(self, envelope: BlockEnvelope) -> None:
        raise InvalidValue("blocks are not taken here")

    def generate_blocks(self, count: int, wif: str | None = None) -> Generator[None, None, int]:
        yield from ()
        return self.test_chain.chain.head_num

    def travel_to(self, time_s: int) -> int:
        return self.test_chain.chain.head_num

    def add_peer(self, host: str, port: int) -> bool:
        return True


@cache
def backend() -> StillBackend:
    """The node that all inputs ask."""
    found = StillBackend(PresetChain())
    found.produce()
    return found


TRANSFER = {
    "fee": {"amount": 0, "asset_id": "1.3.0"},
    "from": "1.2.5",
    "to": "1.2.6",
    "amount": {"amount": 1, "asset_id": "1.3.0"},
    "extensions": [],
}
TRANSACTION = {
    "ref_block_num": 1,
    "ref_block_prefix": 2,
    "expiration": "2026-01-01T00:00:00",
    "operations": [[0, TRANSFER]],
    "extensions": [],
    "signatures": [],
}
YEAR = ["2026-01-01T00:00:00", "2027-01-01T00:00:00"]
CALLS: list[list[object]] = [
    [0, "get_objects", [["1.2.0", "2.1.0", "1.3.1"]]],
    [0, "get_account_by_name", ["alice"]],
    [0, "get_full_accounts", [["alice", "1.2.5"], True]],
    [0, "lookup_asset_symbols", [["USD", "1.3.0"]]],
    [0, "list_assets", ["A", 20]],
    [0, "get_order_book", ["USD", "TEST", 20]],
    [0, "get_ticker", ["USD", "TEST"]],
    [0, "get_call_orders", ["USD", 10]],
    [0, "get_required_fees", [[[0, TRANSFER]], "1.3.0"]],
    [0, "get_block", [1]],
    [0, "get_key_references", [["TEST" + "1" * 50]]],
    [0, "set_subscribe_callback", [5, False]],
    [1, "login", ["", ""]],
    ["history", "get_account_history", ["alice", "1.11.0", 5, "1.11.0"]],
    ["history", "get_market_history", ["USD", "TEST", 60, *YEAR]],
    ["network_broadcast", "broadcast_transaction", [TRANSACTION]],
]


def seeds() -> list[bytes]:
    """Calls in both dialects, a batch, a subscription, and a call of each kind of argument."""
    calls = [{"id": n, "method": "call", "params": call} for n, call in enumerate(CALLS)]
    plain = {"jsonrpc": "2.0", "id": "a", "method": "database.get_chain_id", "params": []}
    texts: list[object] = [*calls, plain, {"id": 1, "method": "rpc.discover"}, calls[:3]]
    return [json.dumps(text, separators=(",", ":")).encode() for text in texts]


@accepted
def check(data: bytes) -> None:
    """Each request has one answer in JSON; nothing is a bug of ours, nothing tells too much."""
    node = backend()
    session = node.api.open_session()
    try:
        answers = [joined(text) for text in session.receive(data) + session.take_outgoing()]
    finally:
        node.api.close_session(session)
    assert node.bugs == [], f"a bug: {node.bugs.pop()!r}"
    assert len(answers) <= 1 + BATCH_MAX
    is_served = False
    for answer in answers:
        assert len(answer) <= ANSWER_BYTES_MAX, "an answer without a limit"
        assert LEAKS.search(answer.decode()) is None, f"it tells too much: {answer[:500]!r}"
        document = json.loads(answer)
        for item in document if isinstance(document, list) else [document]:
            is_served |= "error" not in item
            if "error" in item:
                assert item["error"]["data"]["name"], "a refusal without a name"
    if not is_served:
        raise Refused
