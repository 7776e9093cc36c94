"""Damaged blocks of the store are told of, fetched from peers, and stored again (T-S3)."""

from __future__ import annotations

from node.chain.apply_block import check_merkle_root
from node.core.chain_moves import ChainMoves
from node.core.damaged_blocks import DamagedBlocks
from node.core.effect_list import EffectList
from node.p2p.effects import BlockRefetched
from node.p2p.manager import PeerManager
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError


class Mending:
    """Between whoever meets damage in a store, the peers, and the store."""

    def __init__(
        self, damaged: DamagedBlocks, peers: PeerManager, moves: ChainMoves, effects: EffectList
    ) -> None:
        self._damaged = damaged
        self._peers = peers
        self._moves = moves
        self._effects = effects

    def look(self) -> None:
        """Say which blocks were found damaged, and ask peers for them."""
        for damage in self._damaged.take_news():
            wanted = damage.block if damage.is_new else None
            fetching = int(wanted is not None)
            self._effects.report("block_damaged", reason=damage.reason, fetching=fetching)
            if wanted is not None:
                self._peers.refetch_block(wanted)

    def mend(self, received: BlockRefetched) -> None:
        """Store a block once more; raises what is wrong with it if these are not its bytes, and has
        asked for it again then."""
        front = received.front
        try:
            envelope = BlockEnvelope.read(front, received.data)
            check_merkle_root(envelope)
        except PegboardError:
            self._peers.refetch_block(front.id)
            raise
        if self._damaged.mend(front.id):
            self._moves.store_again(envelope)
            self._effects.report(
                "block_mended", num=front.num, id=front.id.hex(), peer=received.peer
            )
