"""The hash of the state that clients ask for: in steps, shared, of one block."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from node.core import head_hash
from node.core.head_hash import HashedHead, HeadHash
from node.state.cut import StateCut
from tests.support.chain import TestChain


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> TestChain:
    monkeypatch.setattr(head_hash, "SLICE_OBJECTS", 4)
    chain = TestChain("alice", "bob", "carol", witnesses=7)
    chain.blocks(2)
    return chain


def finish(steps: Generator[None, None, HashedHead]) -> HashedHead:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: HashedHead = end.value
            return found


def test_it_is_of_the_block_that_was_the_head(chain: TestChain) -> None:
    """I18: pending transactions and later blocks leave no trace in it."""
    expected = chain.chain.head_num, chain.chain.head_id, chain.chain.state_hash()
    chain.push(chain.transfer("alice", "bob", 1))
    steps = HeadHash(chain.chain).steps()
    for _ in range(3):
        next(steps)
    chain.block(chain.transfer("bob", "carol", 2))
    assert finish(steps) == expected
    assert not [one for one in chain.state.log.listeners if isinstance(one, StateCut)]


def test_all_who_ask_for_one_block_share_the_work(
    chain: TestChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[StateCut] = []
    real = chain.chain.cut

    def counted(_: object) -> StateCut:
        cuts.append(real())
        return cuts[-1]

    monkeypatch.setattr(type(chain.chain), "cut", counted)
    shared = HeadHash(chain.chain)
    one, other = shared.steps(), shared.steps()
    for _ in range(2):
        next(one)
        next(other)
    one.close()
    expected = finish(other)
    assert finish(shared.steps()) == expected, "it is kept"
    assert len(cuts) == 1
    chain.block()
    assert finish(shared.steps())[0] == expected[0] + 1
    assert len(cuts) == 2


def test_when_the_block_is_popped_it_is_of_what_replaced_it(chain: TestChain) -> None:
    """R9.2."""
    other = chain.twin()
    other.follow(chain)
    chain.block(chain.transfer("alice", "bob", 7))
    shared = HeadHash(chain.chain)
    askers = [shared.steps(), shared.steps()]
    for asker in askers:
        next(asker)
    for _ in range(2):
        chain.receive(other.block(slot=2).envelope)
    expected = chain.chain.head_num, other.chain.head_id, other.chain.state_hash()
    assert [finish(asker) for asker in askers] == [expected, expected]
