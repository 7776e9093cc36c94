"""The stored history against its twin, which keeps every block in memory and forgets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from node.api.block_history import HistoryTrace
from node.api.history import BUCKET_SECONDS, NEWEST, HistoryReader
from node.api.memory_history import MemoryHistory
from node.services import stored_history
from node.services.stored_history import StoredHistory
from node.storage.history_store import HistoryStore
from protocol.schema import BlockId, Digest
from tests.support.history import (
    ACCOUNTS,
    BITASSETS,
    MARKETS,
    POSITIONS,
    START,
    make_trace,
)

CHAIN_ID = Digest(bytes(32))
STEPS = 250
SEEDS = (1, 2, 3, 4)


class MainChainIds:
    """The ids of the main chain, as the block store tells them."""

    def __init__(self) -> None:
        self.ids: list[BlockId] = []

    def id_at(self, num: int) -> BlockId | None:
        return self.ids[num - 1] if 0 < num <= len(self.ids) else None


class Pair:
    """A stored history and its twin, that follow the same blocks."""

    def __init__(self, path: Path, seed: int) -> None:
        self.random = Random(seed)
        self.path = path
        self.chain = MainChainIds()
        self.twin = MemoryHistory()
        self.stored = self.open()
        self.irreversible = 0
        self.forks = 0
        self.traces: list[HistoryTrace] = []

    def open(self) -> StoredHistory:
        return StoredHistory(HistoryStore(self.path, CHAIN_ID), self.chain)

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
        for _ in range(min(count, len(self.chain.ids) - self.irreversible)):
            self.chain.ids.pop()
            self.traces.pop()
            self.stored.revert_block()
            self.twin.revert_block()

    def settle(self) -> None:
        """Blocks become irreversible and are written; readers look between the two steps too."""
        self.irreversible = self.random.randint(self.irreversible, len(self.chain.ids))
        blocks = self.stored.writable(self.irreversible)
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


def compare(stored: HistoryReader, twin: HistoryReader, random: Random) -> None:
    """Ask both everything, with random bounds."""
    bounds = Bounds(
        newest=random.choice((NEWEST, random.randrange(300))),
        oldest=random.choice((0, random.randrange(100))),
        limit=random.choice((0, 1, 3, 10, 1_000)),
        now=START + random.choice((0, 100, 1_000, 86_400, 87_000)) + random.randrange(60),
        num=random.randrange(250),
    )
    for answer, expected in zip(answers(stored, bounds), answers(twin, bounds), strict=True):
        assert answer == expected, bounds


class Bounds(NamedTuple):
    """What is asked for."""

    newest: int
    oldest: int
    limit: int
    now: int
    num: int


def answers(history: HistoryReader, bounds: Bounds) -> Iterator[object]:
    """Every method's answer."""
    newest, oldest, limit, now, num = bounds
    yield history.operation(num), history.operations_in(num), history.margin_call_at(num)
    for account in ACCOUNTS:
        yield history.operation_count(account), history.newest_operation(account)
        yield history.operations_of(account, newest=newest, oldest=oldest, limit=limit)
        yield history.numbered_operations_of(account, newest=newest, oldest=oldest, limit=limit)
        yield history.margin_calls_of(account=account, newest=newest, limit=limit)
    for market in MARKETS:
        yield history.fills_of(market, newest=newest, limit=limit)
        yield history.fills_until(market, now), history.last_day(market, now)
        for seconds in BUCKET_SECONDS:
            yield history.buckets_of(market, seconds, start=START, end=now, limit=limit)
    for asset in BITASSETS:
        yield history.feeds_of(asset, newest=newest, limit=limit)
        yield history.margin_calls_of(asset=asset, newest=newest, limit=limit)
        yield history.asset_events_of(asset, newest=newest, limit=limit)
    for position in POSITIONS:
        yield history.margin_calls_of(position=position, newest=newest, limit=limit)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stored_history_equals_its_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """R9.2, T-S1: through pops, writes and restarts, every answer is that of the twin."""
    monkeypatch.setattr(stored_history, "ROWS_A_WRITE", 40)
    pair = Pair(tmp_path / "history.sqlite", seed)
    for _ in range(STEPS):
        pair.step()
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
