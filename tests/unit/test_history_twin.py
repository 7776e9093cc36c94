"""The stored history against its twin, which keeps every block in memory and forgets nothing."""

from __future__ import annotations

from random import Random

import pytest

from node.history.block import HistoryTrace
from node.history.database import stored as stored_history
from node.history.database.store import HistoryStore
from node.history.database.stored import StoredHistory
from node.history.memory import MemoryHistory
from node.history.records import NEWEST
from protocol.schema import BlockId, Digest
from tests.support.history import MARKETS, make_trace
from tests.support.history_databases import HistoryPlace, SqlitePlace
from tests.support.history_questions import compare

CHAIN_ID = Digest(bytes(32))
STEPS = 150
STEPS_ON_A_SERVER = 24
"""Fewer: each question is a round trip."""
SEEDS = (1, 2)


class MainChainIds:
    """The ids of the main chain, as the block store tells them."""

    def __init__(self) -> None:
        self.ids: list[BlockId] = []
        self.irreversible = 0

    def id_at(self, num: int) -> BlockId | None:
        return self.ids[num - 1] if 0 < num <= len(self.ids) else None

    def irreversible_num(self) -> int:
        return self.irreversible


class Pair:
    """A stored history and its twin, that follow the same blocks."""

    def __init__(self, place: HistoryPlace, seed: int) -> None:
        self.random = Random(seed)
        self.place = place
        self.chain = MainChainIds()
        self.twin = MemoryHistory()
        self.stored = self.open()
        self.forks = 0
        self.traces: list[HistoryTrace] = []

    def open(self) -> StoredHistory:
        return StoredHistory(HistoryStore(self.place.open(), CHAIN_ID), self.chain)

    def step(self) -> None:
        """One block more, some blocks less, a write, a restart, or a write under way."""
        action = self.random.random()
        if action < 0.7:
            self.apply()
        elif action < 0.8:
            self.pop(self.random.randrange(1, 6))
        elif action < 0.95:
            self.settle()
        else:
            self.restart()

    def apply(self) -> None:
        trace = make_trace(self.random, len(self.chain.ids) + 1, self.forks)
        self.chain.ids.append(trace.envelope.id)
        self.traces.append(trace)
        self.stored.apply_block(trace)
        self.twin.apply_block(trace)

    def pop(self, count: int) -> None:
        self.forks += 1
        for _ in range(min(count, len(self.chain.ids) - self.chain.irreversible)):
            self.chain.ids.pop()
            self.traces.pop()
            self.stored.revert_block(len(self.chain.ids) + 1)
            self.twin.revert_block()

    def settle(self) -> None:
        """Blocks become irreversible and are written; readers look between the two steps too."""
        self.chain.irreversible = self.random.randint(self.chain.irreversible, len(self.chain.ids))
        blocks = self.stored.writable(self.chain.irreversible)
        if blocks:
            self.stored.write(blocks)
            compare(self.stored, self.twin, self.random)
            self.stored.written(blocks)

    def restart(self) -> None:
        """Lose what is in memory; blocks that are not on disk are told again."""
        self.stored.close()
        self.stored = self.open()
        for trace in self.traces:
            self.stored.apply_block(trace)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stored_history_equals_its_twin(
    place: HistoryPlace, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """R9.2, T-S1: through pops, writes and restarts, every answer is that of the twin."""
    monkeypatch.setattr(stored_history, "SIZE_OF_A_WRITE", 20)
    pair = Pair(place, seed)
    for _ in range(STEPS if isinstance(place, SqlitePlace) else STEPS_ON_A_SERVER):
        pair.step()
        recent = pair.stored.recent
        assert recent.size == sum(1 + len(block.operations) for block in recent)
        compare(pair.stored, pair.twin, pair.random)
    assert pair.stored.stored_num > 0
    pair.stored.close()


def test_trades_of_one_second_are_told_apart() -> None:
    """Sides that follow each other belong together only once, whatever follows them."""
    random = Random(7)
    twin = MemoryHistory()
    for num in range(1, 200):
        twin.apply_block(make_trace(random, num))
    for market in MARKETS:
        fills = twin.fills_of(market, newest=NEWEST, limit=1_000)
        for older, newer in zip(fills[1:], fills, strict=False):
            assert not (older.is_second and newer.is_second)
            if newer.is_second:
                assert older.op.is_maker != newer.op.is_maker
                assert older.op.fill_price == newer.op.fill_price
        assert sum(fill.is_second for fill in fills) > 5
