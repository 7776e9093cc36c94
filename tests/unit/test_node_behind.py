"""A node that knows it is behind signs nothing: neither votes for its old head nor blocks on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.chain.header_rules import HeaderVerdict
from node.core.effects import ReserveSlot, ReserveVote
from node.core.settings import CoreSettings
from node.p2p.effects import PeerKey
from node.p2p.manager import PeerManager
from protocol.genesis import FINALITY_VOTES
from protocol.genesis_form import Genesis
from tests.support.bad_blocks import Maker
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode

SETTINGS = CoreSettings(enable_stale=True, start_grace_ms=0)


@pytest.fixture(scope="module")
def genesis() -> Genesis:
    return make_genesis("alice", finality=FINALITY_VOTES)


def none_is_known(node: CoreNode, patch: pytest.MonkeyPatch) -> None:
    """As far as the node knows it is where all are."""


def blocks_come_in(node: CoreNode, patch: pytest.MonkeyPatch) -> None:
    """A peer's chain is being fetched."""
    patch.setattr(PeerManager, "is_syncing", property(lambda self: True))


def one_waits(node: CoreNode, patch: pytest.MonkeyPatch) -> None:
    """A block was judged by its header, and its keys are being recovered."""
    question = node.core.inbox.add(PeerKey(1), Maker(node.chain).make(), HeaderVerdict.RIGHT)
    assert question is not None


Hint = Callable[[CoreNode, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("hint", "signs"), [(none_is_known, True), (blocks_come_in, False), (one_waits, False)]
)
def test_no_block_is_made(
    hint: Hint, genesis: Genesis, monkeypatch: pytest.MonkeyPatch, *, signs: bool
) -> None:
    """R8.5: what comes in may well be for this very slot."""
    node = CoreNode(genesis, witness_names(3), SETTINGS)
    hint(node, monkeypatch)
    node.core.tick(node.chain.slot_time(1) * 1_000)
    assert any(isinstance(effect, ReserveSlot) for effect in node.core.take_effects()) is signs
    assert node.chain.head_num == signs


@pytest.mark.parametrize(
    ("hint", "signs"), [(none_is_known, True), (blocks_come_in, False), (one_waits, False)]
)
def test_no_vote_is_cast(
    hint: Hint, genesis: Genesis, monkeypatch: pytest.MonkeyPatch, *, signs: bool
) -> None:
    """F5: a vote for a head that is passed over already could bar its key from the next one."""
    maker = CoreNode(genesis, witness_names(3), CoreSettings(by_the_clock=False))
    [block] = maker.core.generate_blocks(1, START_MS)
    node = CoreNode(genesis, witness_names(3), SETTINGS)
    node.chain.push_block(block)
    hint(node, monkeypatch)
    node.core.voting.vote_for_head(block.header.timestamp * 1_000)
    votes = [effect for effect in node.core.take_effects() if isinstance(effect, ReserveVote)]
    assert len(votes) == (3 if signs else 0)
