"""A producing witness among peers that deliver bad blocks and nothing else (T-P6)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from node.core.effects import RecoverKeys, Report, StoreBlocks
from node.core.settings import CoreSettings
from node.p2p.effects import ClosePeer
from protocol.p2p.messages import BlockMessage, Fetch, Inventory, ItemKind
from tests.support.bad_blocks import BAD, Maker
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode
from tests.support.core_player import Player

WITNESSES = 3
TICK_MS = 100


@dataclass
class FloodFigures:
    """What became of a flood."""

    delivered: int = 0
    slots: int = 0
    made: int = 0
    """Blocks of the witnesses, one a slot if nothing held them up."""
    connections: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By the name of the refusal."""


class BlockFlood:
    """Some liars, each of whom comes back from another address when it is thrown out."""

    def __init__(self, seed: int, liars: int = 5) -> None:
        self.rng = Random(seed)
        self.node = CoreNode(
            make_genesis("alice", "bob"),
            witness_names(WITNESSES),
            CoreSettings(enable_stale=True, start_grace_ms=0),
            name=2,
        )
        self.now_ms = START_MS
        self.figures = FloodFigures()
        self._maker = Maker(self.node.chain)
        self._last_key = 0
        self._pass_slot()
        self._liars = [self._come() for _ in range(liars)]

    def run(self, blocks: int, each_slot: int) -> FloodFigures:
        """Deliver so many bad blocks, some in each slot."""
        figures = self.figures
        while figures.delivered < blocks:
            for _ in range(each_slot):
                at = self.rng.randrange(len(self._liars))
                if self._deliver(self._liars[at]):
                    self._liars[at] = self._come()
            self._pass_slot()
        return figures

    def _come(self) -> Player:
        self._last_key += 1
        self.figures.connections += 1
        return Player(self.node, self._last_key, self.now_ms)

    def _deliver(self, liar: Player) -> bool:
        """Announce a bad block and deliver it when asked; whether the liar is thrown out."""
        made = self.rng.choice(BAD)(self._maker, self.rng)
        liar.now_ms = self.now_ms
        liar.effects.clear()
        answers = liar.send(Inventory(ItemKind.BLOCK, (made.id,)))
        if Fetch(ItemKind.BLOCK, (made.id,)) in answers:
            self.figures.delivered += 1
            liar.send(BlockMessage(made.packed))
        else:
            self.figures.refused["not asked for"] += 1
        assert not self.node.chain.has_block(made.id), "kept"
        for effect in liar.effects:
            assert not isinstance(effect, StoreBlocks | RecoverKeys), effect
            if isinstance(effect, Report) and effect.name == "block_rejected":
                self.figures.refused[str(effect.fields["reason"]).partition(":")[0]] += 1
        return any(isinstance(one, ClosePeer) and one.peer == liar.key for one in liar.effects)

    def _pass_slot(self) -> None:
        """Let a slot pass: its witness makes its block."""
        head_num = self.node.chain.head_num
        interval_ms = self.node.chain.state.parameters.block_interval * 1_000
        end_ms = self.now_ms + interval_ms
        while self.now_ms < end_ms:
            self.now_ms += min(TICK_MS * 10, end_ms - self.now_ms)
            self.node.core.tick(self.now_ms)
            self.node.carry(self.now_ms)
            self.node.seen.clear()
        self.figures.slots += 1
        self.figures.made += self.node.chain.head_num - head_num
