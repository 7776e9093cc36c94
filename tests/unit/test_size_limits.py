"""T-P4: what is too large is refused at each door, and before any signature costs a look."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.api.json_text import joined
from node.core.effects import Report
from node.core.settings import CoreSettings
from node.state.errors import BlockRejected, TransactionTooLarge
from protocol.asset import NO_FEE
from protocol.operations.base import Operation
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.p2p.messages import Fetch, Inventory, ItemKind, TransactionMessage
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend, Client, transaction_json
from tests.support.chain import TestChain
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.core_player import Player
from tests.support.world import GENESIS_TIME

PROPOSAL_ENDS_S = GENESIS_TIME + 86_400
LIMIT = 2_048
"""The default of `maximum_transaction_size`."""


def of_size(
    chain: TestChain, size: int, wrap: Callable[[Custom], Operation]
) -> TransactionEnvelope:
    """A signed transaction of so many bytes."""
    empty = Custom(chain.amount(1), chain.account("alice"), (), 1, bytes(1_000))
    overhead = chain.transaction(wrap(empty)).size - 1_000
    found = chain.transaction(wrap(replace(empty, data=bytes(size - overhead))))
    assert found.size == size
    return found


def by_peer(chain: TestChain, envelope: TransactionEnvelope) -> bool:
    """Whether a node takes it from a peer."""
    node = CoreNode(chain.genesis, settings=CoreSettings(by_the_clock=False))
    for num in range(1, chain.chain.head_num + 1):
        node.chain.push_block(chain.main[num])
    player = Player(node, 1, START_MS)
    answers = player.send(Inventory(ItemKind.TRANSACTION, (envelope.id,)))
    assert [type(answer) for answer in answers] == [Fetch]
    player.send(TransactionMessage(envelope.packed()))
    refused = [one for one in player.effects if isinstance(one, Report)]
    assert not [one for one in refused if one.name == "transaction_bug"]
    return node.chain.pending_transaction(envelope.id) is not None


def by_api(chain: TestChain, envelope: TransactionEnvelope) -> bool:
    """Whether a client may broadcast it."""
    client = Client(ChainBackend(chain))
    text = json.dumps(
        {
            "id": 1,
            "method": "call",
            "params": ["network_broadcast", "broadcast_transaction", [transaction_json(envelope)]],
        }
    )
    (answer,) = client.session.receive(text.encode())
    found = json.loads(joined(answer))
    assert "error" not in found or found["error"]["data"]["name"] == TransactionTooLarge.name
    return "error" not in found


def by_block(chain: TestChain, envelope: TransactionEnvelope) -> bool:
    """Whether a block of a witness that has no limit of its own may hold it."""
    liar = chain.twin()
    liar.follow(chain)
    liar.set_parameters(maximum_transaction_size=LIMIT * 2)
    liar.chain.push_transaction(envelope)
    made = liar.build()
    assert len(made.transactions) == 1
    try:
        chain.receive(made)
    except BlockRejected:
        return False
    return True


PATHS = {"peer": by_peer, "API": by_api, "block": by_block}
WRAPS: dict[str, Callable[[Custom], Operation]] = {
    "operation": lambda inner: inner,
    "proposal": lambda inner: ProposalCreate(
        NO_FEE, inner.payer, PROPOSAL_ENDS_S, (ProposedOperation(inner),)
    ),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_transaction_at_the_limit(path: str, wrap: str, beyond: int) -> None:
    """T-P4, R9.3: n - 1, n and n + 1 bytes, plain and within a proposal, through every door."""
    chain = TestChain("alice", "bob")
    chain.blocks(2)
    envelope = of_size(chain, LIMIT + beyond, WRAPS[wrap])
    assert PATHS[path](chain, envelope) == (beyond <= 0)


def test_what_is_too_large_costs_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-P4: its size is judged before a key is recovered."""
    chain = TestChain("alice", "bob")
    chain.blocks(2)
    envelope = of_size(chain, LIMIT + 1, WRAPS["operation"])
    monkeypatch.setattr("protocol.transaction.recover_key", None)
    with pytest.raises(TransactionTooLarge):
        chain.chain.push_transaction(envelope)
