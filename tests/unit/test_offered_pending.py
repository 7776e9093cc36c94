"""A new peer is told of what waits here in the order in which it may be taken (R9.2, T-P11)."""

from __future__ import annotations

import pytest

from node.core import core
from node.core.settings import CoreSettings
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.genesis_form import Genesis
from protocol.operations.transfer import Transfer
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, signed

ON_DEMAND = CoreSettings(by_the_clock=False)


@pytest.fixture
def genesis() -> Genesis:
    return make_genesis("alice", "bob", core=100)


@pytest.fixture
def node(genesis: Genesis) -> CoreNode:
    return CoreNode(genesis, witness_names(3), ON_DEMAND, name=1)


def pay(node: CoreNode, sender: str, receiver: str, amount: int) -> TransactionEnvelope:
    """A transfer that waits at a node."""
    giver, taker = (node.chain.state.account_named(name).id for name in (sender, receiver))
    op = Transfer(NO_FEE, giver, taker, AssetAmount(amount, CORE_ASSET))
    envelope = signed(node.chain, op, sender)
    node.core.broadcast(envelope, START_MS)
    return envelope


def waiting(node: CoreNode) -> list[TransactionId]:
    return [entry.envelope.id for entry in node.chain.pending]


def meet(node: CoreNode, other: CoreNode) -> None:
    """Shake hands between two ticks."""
    node.connect(other, START_MS)
    while sum(one.carry(START_MS) for one in (node, other)):
        pass


def test_what_rests_on_what_waits_follows_it(genesis: Genesis, node: CoreNode) -> None:
    """Bob passes on what alice gave him: the one was told to nobody, the other not yet."""
    first = pay(node, "alice", "bob", 60)
    node.core.tick(START_MS)
    second = pay(node, "bob", "alice", 150)
    peer = CoreNode(genesis, name=2)
    meet(node, peer)
    run([node, peer], START_MS + 100, 1)
    assert waiting(peer) == [first.id, second.id]


def test_what_is_not_offered_is_told_as_it_was(
    genesis: Genesis, node: CoreNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-P11: of what waits the oldest are offered; what was announced since follows them all."""
    monkeypatch.setattr(core, "OFFERED_MAX", 2)
    old = [pay(node, "alice", "bob", amount) for amount in (1, 2, 3)]
    node.core.tick(START_MS)
    new = pay(node, "bob", "alice", 4)
    peer = CoreNode(genesis, name=2)
    meet(node, peer)
    run([node, peer], START_MS + 100, 1)
    assert waiting(peer) == [old[0].id, old[1].id, new.id]
