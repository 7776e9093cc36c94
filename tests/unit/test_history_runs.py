"""Runs: what rows hold of operations and of accounts' histories, and that it comes back."""

from __future__ import annotations

from random import Random

import pytest

from node.history import memory
from node.history.block import BlockHistory, HistoryCounts
from node.history.numbering import number_block
from node.history.records import AccountOperation
from node.history.runs import (
    ENTRIES_A_RUN,
    OPERATIONS_A_RUN,
    account_runs,
    cut_run,
    entries_of,
    operation_runs,
    records_of,
    totals_of,
)
from node.state.context import AppliedOperation
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.chain import TestChain
from tests.support.history import make_trace
from tests.vectors.test_operations import Vector, declared, each_vector


def numbered(count: int) -> list[BlockHistory]:
    """Made-up blocks that follow each other."""
    random, counts = Random(4), HistoryCounts()
    blocks = [BlockHistory.of(make_trace(random, num)) for num in range(1, count + 1)]
    for block in blocks:
        number_block(block, counts)
    return blocks


def test_operations_come_back_from_their_runs() -> None:
    """All of a block, each once, or those within bounds."""
    for block in numbered(30):
        runs = list(operation_runs(block))
        assert len(runs) == -(-len(block.operations) // OPERATIONS_A_RUN)
        last = block.first_operation + len(block.operations)
        found = [record for run in runs for record in records_of(run, 0, last)]
        assert found == list(block.records())
        one = [record for run in runs for record in records_of(run, last - 1, last - 1)]
        assert one == found[-1:]


def test_the_bytes_of_an_operation_are_those_that_it_came_in() -> None:
    """Alone in its transaction or not: what is taken from there is what packing it would give."""
    chain = TestChain("alice", "bob")
    one, *two = (chain.transfer("alice", "bob", amount) for amount in (1, 2, 3))
    applied = chain.block(one, chain.transaction(*two))
    alone = {
        id(envelope.transaction.operations[0]) for envelope, _ in applied.envelope.transactions
    }
    assert len(alone & {id(found.op) for found in applied.operations}) == 2
    block = BlockHistory.of(applied)
    number_block(block, HistoryCounts())
    taken = list(operation_runs(block))
    block.transactions = []
    assert taken == list(operation_runs(block))
    records = [record for run in taken for record in records_of(run, 0, len(block.operations))]
    assert [record.op for record in records] == [found.op for found in block.operations]


@each_vector
def test_every_operation_stands_in_its_transaction_as_it_is(vector: Vector) -> None:
    """Whatever its class: what the history stores of it is its binary form."""
    op = declared(vector)
    sent = TransactionEnvelope.from_transaction(SignedTransaction(1, 2, 3, (op,)))
    trace = make_trace(Random(1), 1)
    trace.operations[:] = [AppliedOperation(op, 0, 0, 0, False)]
    block = BlockHistory.of(trace)
    block.transactions = [(sent, ())]
    (run,) = operation_runs(block)
    block.transactions = []
    assert [run] == list(operation_runs(block))


def test_entries_come_back_from_their_runs_and_can_be_cut() -> None:
    """Every account's, by number without gaps, in runs of a bounded size; sums follow."""
    blocks = numbered(200)
    entries = [entry for block in blocks for entry in block.account_operations]
    runs = account_runs(blocks)
    assert max(made.length for made in runs) == ENTRIES_A_RUN
    assert by_account([one for made in runs for one in entries_of(made.run)]) == by_account(entries)
    for made in runs:
        assert made.types == {entry.operation_type for entry in entries_of(made.run)}
    newest = {entry.account: (entry.number, entry.instance) for entry in entries}
    totals = totals_of(runs).values()
    assert {one.account: (one.operations, one.newest) for one in totals} == newest
    for cut in (0, 1, 333, len(entries)):
        left = [
            one for made in runs for kept in cut_run(made.run, cut) for one in entries_of(kept.run)
        ]
        assert by_account(left) == by_account(entries[:cut])


def by_account(entries: list[AccountOperation]) -> list[AccountOperation]:
    return sorted(entries, key=lambda entry: (entry.account, entry.number))


def test_operations_do_not_pile_up_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-R3: whoever asks for one never waits for very many; blocks that go away do not count."""
    monkeypatch.setattr(memory, "UNNUMBERED_MAX", 10)
    random, history = Random(4), memory.MemoryHistory()
    most = 0
    for num in range(1, 60):
        history.apply_block(make_trace(random, num))
        most = max(most, history.unnumbered)
    assert 5 < most <= 10
    while len(history) > 1:
        history.revert_block()
        assert 0 <= history.unnumbered <= 10
    assert history.counts.operations == len(history.blocks[0].operations)
    assert history.unnumbered == 0
