"""T-S3: each damage is told of, and asked for until a peer has sent the very block."""

from __future__ import annotations

from random import Random

import pytest

from node.core.chain_moves import ChainMoves
from node.core.chain_reader import ChainReader
from node.core.damaged_blocks import DamagedBlocks
from node.core.effect_list import EffectList
from node.core.effects import Report, StoreBlocks
from node.core.mending import Mending
from node.core.snapshot_slices import SnapshotTurns
from node.p2p.config import PeerConfig
from node.p2p.effects import BlockRefetched, PeerKey
from node.p2p.manager import PeerManager
from protocol.block import BlockEnvelope
from protocol.errors import DamagedData, PegboardError
from protocol.p2p.transport import PlainTransport
from protocol.schema import BlockId
from tests.support.chain import TestChain
from tests.support.memory_stores import MemoryBlockStore

PEER = PeerKey(1)


class Desk:
    """A chain with some blocks, and the mending of those that its store has damaged."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        maker = TestChain("alice", "bob")
        maker.block(maker.transfer("alice", "bob", 1))
        maker.blocks(3)
        self.block = maker.main[1]
        chain, config = maker.chain, PeerConfig(b"\1" * 32, "test")
        reader = ChainReader(chain, MemoryBlockStore())
        peers = PeerManager(reader, config, Random(1), make_transport=PlainTransport)
        self.asked: list[BlockId] = []
        patch.setattr(peers, "refetch_block", self.asked.append)
        self.effects = EffectList()
        turns = SnapshotTurns(chain, 1_000)
        moves = ChainMoves(chain, maker.ballots.pool, self.effects, turns)
        self.damaged = DamagedBlocks()
        self.mending = Mending(self.damaged, peers, moves, self.effects)

    def damage(self, block: BlockEnvelope | None) -> None:
        """Meet damage in the store, once more or for the first time."""
        error = DamagedData("rotten", value=None if block is None else block.id.hex())
        error.block = None if block is None else block.id
        self.damaged.note(error)

    def mend(self, data: bytes) -> None:
        """Have a peer send bytes that begin with the block's header."""
        self.mending.mend(BlockRefetched(PEER, self.block.front, data))

    def told(self) -> list[tuple[str, object]]:
        """What was said of which damage; a move without blocks' places is one that mends."""
        return [
            (effect.name, effect.fields.get("fetching"))
            if isinstance(effect, Report)
            else ("stored", isinstance(effect, StoreBlocks) and effect.blocks[0][0])
            for effect in self.effects.take()
        ]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_a_block_is_asked_for_once_and_stored_once(desk: Desk) -> None:
    """Who has sent it again need not do so twice, and what nobody can name is told of only."""
    desk.damage(desk.block)
    desk.damage(desk.block)
    desk.damage(None)
    desk.mending.look()
    assert desk.asked == [desk.block.id]
    assert desk.told() == [("block_damaged", 1), ("block_damaged", 0)]
    desk.mending.look()
    desk.mend(desk.block.packed)
    assert desk.told() == [("stored", desk.block.id), ("block_mended", None)]
    desk.mend(desk.block.packed)
    assert (desk.told(), desk.asked) == ([], [desk.block.id])


@pytest.mark.parametrize("what", ["cut off", "of another body"])
def test_bytes_that_are_not_the_blocks_are_refused(what: str, desk: Desk) -> None:
    """Its sender is told, and the next peer asked."""
    desk.damage(desk.block)
    desk.mending.look()
    desk.told()
    front = desk.block.front.packed
    body = desk.block.packed[len(front) :]
    with pytest.raises(PegboardError):
        desk.mend(front + (body[:-1] if what == "cut off" else b"\0"))
    assert (desk.told(), desk.asked) == ([], [desk.block.id, desk.block.id])
    desk.mend(desk.block.packed)
    assert desk.told()[0] == ("stored", desk.block.id)
