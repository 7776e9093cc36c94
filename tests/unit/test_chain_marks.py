"""Marks on a chain: going back undoes exactly what came after, also what was irreversible."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.chain.invariants import check_all
from node.chain.undo_marks import Mark, NotUndoable, TooManyMarks
from protocol.genesis import FINALITY_VOTES
from protocol.schema import Digest
from tests.support.chain import TestChain


def a_chain(finality: str = FINALITY_VOTES) -> TestChain:
    one = TestChain("alice", "bob", "carol", finality=finality)
    one.blocks(4)
    return one


def go_back(one: TestChain, mark: Mark) -> None:
    one.chain.revert(mark)
    one.ballots.pool.forget_above_head()
    one.ballots.last_votes.clear()


def test_a_revert_takes_back_what_was_irreversible() -> None:
    """Head, state, pool and irreversibility are as they were, and the chain goes on from there."""
    one = a_chain()
    pending = one.push(one.transfer("alice", "bob", 5))
    mark = one.chain.mark()
    before = one.chain.state_hash(), one.chain.head_id, one.chain.last_irreversible_num
    one.block(one.transfer("alice", "carol", 7))
    for _ in range(20):
        one.block(one.transfer("bob", "carol", 1))
    later = one.push(one.transfer("bob", "carol", 2))
    assert one.chain.last_irreversible_num > mark.num
    last = one.chain.head_id

    rewound = one.chain.revert(mark)

    assert (one.chain.state_hash(), one.chain.head_id, one.chain.last_irreversible_num) == before
    assert rewound.popped[0].envelope.id == last
    assert len(rewound.popped) == 21
    assert rewound.dropped == [later.envelope.id]
    assert [entry.envelope.id for entry in one.chain.pending] == [pending.envelope.id]
    assert one.balance("carol") == 10**10
    assert one.chain.id_at(mark.num + 1) is None
    check_all(one.state)
    one.ballots.pool.forget_above_head()
    one.ballots.last_votes.clear()
    one.blocks(6)
    assert one.balance("bob") == 10**10 + 5
    assert one.chain.last_irreversible_num > mark.num
    other = one.twin()
    other.follow(one)
    assert other.chain.state_hash() == one.chain.state_hash()


def test_a_mark_serves_again_and_those_above_it_do_not() -> None:
    """A revert takes back the marks that lie above it, and no other."""
    one = a_chain()
    low = one.chain.mark()
    one.blocks(5)
    high = one.chain.mark()
    one.blocks(5)
    go_back(one, high)
    one.blocks(5)
    go_back(one, low)
    with pytest.raises(NotUndoable):
        one.chain.revert(high)
    one.blocks(5)
    go_back(one, low)
    one.chain.release(low)
    one.chain.release(low)
    with pytest.raises(NotUndoable) as refused:
        one.chain.revert(low)
    assert refused.value.value == low.num


def test_rewind_to_any_block_that_is_held() -> None:
    """Below what is held, and above the head, there is a refusal that names the range."""
    one = a_chain()
    first = one.chain.head_num
    assert one.chain.lowest_undoable_num == one.chain.last_irreversible_num
    with pytest.raises(NotUndoable):
        one.chain.rewind(one.chain.last_irreversible_num - 1)
    one.chain.mark()
    hashes = {}
    for _ in range(12):
        one.block(one.transfer("alice", "bob", 1))
        hashes[one.chain.head_num] = one.chain.state_hash()
    for num in (first + 9, first + 3, first + 1):
        one.chain.rewind(num)
        assert one.chain.state_hash() == hashes[num]
        assert not one.chain.pending
    with pytest.raises(NotUndoable) as refused:
        one.chain.rewind(first + 2)
    assert refused.value.limit == f"{one.chain.lowest_undoable_num}..{first + 1}"


def test_forks_grow_on_a_chain_that_went_back() -> None:
    """Each block that is left has its children, its slot and its rules."""
    one = a_chain()
    mark = one.chain.mark()
    one.blocks(8)
    go_back(one, mark)
    other = one.twin()
    other.follow(one)
    other.block(other.transfer("alice", "carol", 3), slot=2)
    other.block()
    one.block()
    one.follow(other)
    assert one.chain.head_id == other.chain.head_id
    assert one.chain.state_hash() == other.chain.state_hash()


def test_a_mark_on_a_branch_that_lost_is_gone() -> None:
    """A better fork takes its block back: nothing goes to another block of that number instead."""
    one = a_chain()
    low = one.chain.mark()
    other = one.twin()
    other.follow(one)
    one.block()
    high = one.chain.mark()
    other.block(other.transfer("alice", "carol", 3), slot=2)
    other.block()
    one.follow(other)
    assert one.chain.head_id == other.chain.head_id
    with pytest.raises(NotUndoable, match="taken back"):
        one.chain.revert(high)
    go_back(one, low)
    assert one.chain.head_id == low.block_id


def test_the_oldest_mark_is_let_go_when_too_much_is_held() -> None:
    """What is held is bounded: a revert beyond it is refused, and nothing is held any more."""
    one = a_chain()
    held = one.chain._held
    held.changes_max = 60
    old = one.chain.mark()
    for _ in range(30):
        one.block(one.transfer("alice", "bob", 1))
    assert not held.marks
    assert not held.held
    with pytest.raises(NotUndoable, match="let go") as refused:
        one.chain.revert(old)
    assert refused.value.limit == 60
    fresh = one.chain.mark()
    one.blocks(2)
    go_back(one, fresh)


def test_what_is_held_is_counted_once() -> None:
    """Blocks that are taken back are held no more, however often, and then anew."""
    one = a_chain()
    held, mark = one.chain._held, one.chain.mark()
    for _ in range(3):
        one.ballots.last_votes.clear()
        one.blocks(6)
        assert len(held.held) > 2
        changes = [len(each.block.revision.records) for each in held.held.values()]
        assert held._changes == sum(changes) > 0
        one.chain.revert(mark)
        assert held._changes == len(held.held) == 0


def test_there_are_not_too_many_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of marks has a limit, which the refusal names."""
    monkeypatch.setattr("node.chain.undo_marks.MARKS_MAX", 2)
    one = a_chain()
    first = one.chain.mark()
    one.chain.mark()
    with pytest.raises(TooManyMarks) as refused:
        one.chain.mark()
    assert (refused.value.value, refused.value.limit) == (2, 2)
    one.chain.release(first)
    one.chain.mark()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["block", "mark", "revert", "rewind", "release"]), max_size=40))
def test_any_mix_of_marks_and_blocks(steps: list[str]) -> None:
    """Wherever the chain goes back to, its state is the one that it had there."""
    one = a_chain()
    hashes: dict[int, Digest] = {one.chain.head_num: one.chain.state_hash()}
    marks: list[Mark] = []
    for at, step in enumerate(steps):
        mark = marks[at % len(marks)] if marks else None
        if step == "block":
            one.block(one.transfer("alice", "bob", at + 1))
            hashes[one.chain.head_num] = one.chain.state_hash()
        elif step == "mark":
            marks.append(one.chain.mark())
        elif step == "release" and mark is not None:
            one.chain.release(mark)
            marks.remove(mark)
        elif step == "revert" and mark is not None:
            go_back(one, mark)
            marks = [one for one in marks if one.num <= mark.num]
        elif step == "rewind":
            num = max(one.chain.lowest_undoable_num, min(hashes), one.chain.head_num - 2)
            one.chain.rewind(num)
            one.ballots.pool.forget_above_head()
            one.ballots.last_votes.clear()
            marks = [one for one in marks if one.num <= num]
        assert one.chain.state_hash() == hashes[one.chain.head_num]
        assert one.chain.lowest_undoable_num <= one.chain.last_irreversible_num
