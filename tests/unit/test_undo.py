"""The object database against an obvious twin: plain copies of plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.state.indexes import FEW, G, GroupIndex, OrderedIndex, TimeIndex, UniqueIndex
from node.state.objects.base import StateObject
from node.state.table import Table
from node.state.undo import CREATE, EDIT, REMOVE, UndoLog
from protocol.ids import AccountId, CallOrderId
from protocol.schema import Int64


class Position(StateObject):
    id: CallOrderId
    borrower: AccountId
    debt: Int64


class Store:
    """A table with every kind of index."""

    def __init__(self) -> None:
        self.log = UndoLog()
        self.table = Table(Position, CallOrderId, self.log)
        self.by_borrower = UniqueIndex[AccountId, Position](lambda item: item.borrower)
        self.by_debt = OrderedIndex[int, Position](
            lambda item: item.debt % 2, lambda item: item.debt, mutable=True
        )
        self.by_age = OrderedIndex[tuple[()], Position](
            lambda item: (), lambda item: -(item.borrower // 2)
        )
        self.by_third = GroupIndex[int, int, Position](
            lambda item: item.borrower % 3, lambda item: -item.borrower
        )
        self.by_time: TimeIndex[Position] = TimeIndex(lambda item: item.borrower // 2)
        for index in (self.by_borrower, self.by_debt, self.by_age, self.by_third, self.by_time):
            self.table.add_index(index)

    def create(self, debt: int) -> Position:
        instance = self.table.next_id
        return self.table.create(Position(CallOrderId(instance), AccountId(instance + 10), debt))


def _become(position: Position, borrower: AccountId) -> None:
    position.borrower = borrower
    position.debt += 1


Image = tuple[dict[int, tuple[int, int]], int]


def image(store: Store) -> Image:
    rows = {i: (int(item.borrower), item.debt) for i, item in store.table.rows.items()}
    return rows, store.table.next_id


class UndoMachine(RuleBasedStateMachine):
    """R9.1: nested sessions, merges, undo and popped blocks give back exactly what was."""

    @initialize()
    def start(self) -> None:
        self.store = Store()
        self.images: list[Image] = []
        self.revisions: list[tuple[Image, object]] = []

    @rule()
    def begin(self) -> None:
        self.images.append(image(self.store))
        self.store.log.begin()

    @precondition(lambda self: self.images)
    @rule(debt=st.integers(1, 9))
    def create(self, debt: int) -> None:
        self.store.create(debt)

    @precondition(lambda self: self.images and self.store.table.rows)
    @rule(pick=st.integers(0, 99), debt=st.integers(1, 9))
    def edit(self, pick: int, debt: int) -> None:
        item = list(self.store.table.in_order())[pick % len(self.store.table)]
        self.store.table.edit(item).debt = debt

    @precondition(lambda self: self.images and self.store.table.rows)
    @rule(pick=st.integers(0, 99), borrower=st.integers(0, 9))
    def rekey(self, pick: int, borrower: int) -> None:
        item = list(self.store.table.in_order())[pick % len(self.store.table)]
        taken = self.store.by_borrower.find(AccountId(borrower))
        if taken is None or taken is item:
            self.store.table.rekey(item, lambda moved: _become(moved, AccountId(borrower)))

    @precondition(lambda self: self.images and self.store.table.rows)
    @rule(pick=st.integers(0, 99))
    def remove(self, pick: int) -> None:
        self.store.table.remove(list(self.store.table.in_order())[pick % len(self.store.table)])

    @precondition(lambda self: len(self.images) > 1)
    @rule()
    def merge(self) -> None:
        self.store.log.merge()
        self.images.pop()

    @precondition(lambda self: self.images)
    @rule()
    def undo(self) -> None:
        self.store.log.undo()
        assert image(self.store) == self.images.pop()

    @precondition(lambda self: len(self.images) == 1)
    @rule()
    def finish(self) -> None:
        self.revisions.append((self.images.pop(), self.store.log.finish()))

    @precondition(lambda self: not self.images and self.revisions)
    @rule()
    def pop_block(self) -> None:
        before, revision = self.revisions.pop()
        self.store.log.revert(revision)  # type: ignore[arg-type]
        assert image(self.store) == before

    @invariant()
    def indexes_equal_a_fresh_sort(self) -> None:
        items = list(self.store.table.rows.values())
        for group in (0, 1):
            expected = sorted((item.debt, item.id) for item in items if item.debt % 2 == group)
            _check_ordered(self.store.by_debt, group, expected)
        ages = sorted((-(item.borrower // 2), item.id) for item in items)
        _check_ordered(self.store.by_age, (), ages)
        for third in range(3):
            members = [item for item in items if item.borrower % 3 == third]
            members.sort(key=lambda i: (-i.borrower, i.id))
            assert self.store.by_third.items(third) == members
            for item in items:
                found = self.store.by_third.find(third, -item.borrower)
                assert found is (item if item in members else None)
        times = sorted((item.borrower // 2, item.id) for item in items)
        assert self.store.by_time.earliest() == (times[0][0] if times else None)
        due = [item.id for item in self.store.by_time.up_to(5)]
        assert due == [instance for time, instance in times if time <= 5]
        for item in items:
            assert self.store.by_borrower.find(item.borrower) is item


def _check_ordered(
    index: OrderedIndex[G, Position], group: G, expected: Sequence[tuple[int, int]]
) -> None:
    """All answers of an ordered index, from what it must hold: keys and instance numbers."""
    instances = [instance for _, instance in expected]
    first = index.first(group)
    found = list(index.items(group))
    assert [item.id for item in found] == instances
    assert index.count(group) == len(found)
    assert first is (found[0] if found else None)
    assert [index.place_of(group, item) for item in found] == list(range(len(found)))
    for key in (-5, 4):
        due = [instance for at, instance in expected if at <= key]
        assert [item.id for item in index.up_to(group, key)] == due


def test_many_members_of_a_group_are_found_as_few_are() -> None:
    """R9.1: also after some were taken out of the middle, and put back."""
    store = Store()
    store.log.begin()
    items = [store.create(debt) for debt in range(1, 6 * FEW)]
    for gone in (items[:0], items[FEW : 2 * FEW], items[: 5 * FEW]):
        store.log.begin()
        for item in gone:
            store.table.remove(item)
        for third in range(3):
            members = [item for item in items if item.borrower % 3 == third and item not in gone]
            assert store.by_third.items(third) == members[::-1]
            for item in items:
                found = store.by_third.find(third, -item.borrower)
                assert found is (item if item in members else None)
        store.log.undo()


TestUndoMachine = UndoMachine.TestCase
TestUndoMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.sampled_from("cemr"), st.integers(0, 9)), max_size=30))
def test_changes_of_a_revision_are_the_difference_of_the_states(
    steps: list[tuple[str, int]],
) -> None:
    """R9.1: subscribers are told exactly what a block created, edited and removed; an index that
    nobody looked at meanwhile has it all."""
    store = Store()
    store.log.begin()
    for debt in (1, 2, 3):
        store.create(debt)
    store.log.finish()
    before = {item.id: store.table.values_of(item) for item in store.table.in_order()}
    store.log.begin()
    for step, value in steps:
        items = list(store.table.in_order())
        if step == "c" or not items:
            store.create(value)
        elif step == "e":
            store.table.edit(items[value % len(items)]).debt = value
        elif step == "m":
            item = items[value % len(items)]
            store.table.rekey(item, lambda moved: _become(moved, moved.borrower))
        else:
            store.table.remove(items[value % len(items)])
    items = list(store.table.in_order())
    _check_ordered(store.by_age, (), sorted((-(item.borrower // 2), item.id) for item in items))
    after = {item.id for item in items}
    changes = list(store.log.finish().changes())
    created = {change.item.id for change in changes if change.kind == CREATE}
    removed = {change.item.id for change in changes if change.kind == REMOVE}
    assert created == after - before.keys()
    assert removed == before.keys() - after
    for change in changes:
        if change.kind != CREATE:
            assert change.old_values == before[CallOrderId(change.item.id)]
        if change.kind == EDIT:
            assert change.item.id in after


def test_an_object_that_moved_is_found_where_it_was_once_that_is_undone() -> None:
    """R9.1, T-E2: in every index, whatever it was keyed by meanwhile."""
    store = Store()
    store.log.begin()
    item = store.create(3)
    store.log.finish()
    old, new = item.borrower, AccountId(item.borrower + 1)
    store.log.begin()
    store.table.rekey(item, lambda moved: _become(moved, new))
    assert store.by_borrower.find(new) is item
    store.log.undo()
    assert store.by_borrower.find(new) is None
    assert store.by_borrower.find(old) is item


def test_an_object_is_saved_once_a_session() -> None:
    store = Store()
    store.log.begin()
    item = store.create(5)
    store.log.merge() if store.log.depth > 1 else None
    store.log.begin()
    store.table.edit(item).debt = 6
    records = len(store.log.records)
    store.table.edit(item).debt = 7
    assert len(store.log.records) == records
    store.log.undo()
    assert item.debt == 5


def test_a_block_takes_over_a_part_of_the_session_around_it() -> None:
    """R9.1: the rest goes on as if it had begun after it; each can be taken back alone."""
    store = Store()
    store.log.begin()
    first, second = store.create(1), store.create(2)
    store.log.finish()
    origin = image(store)
    store.log.begin()
    for item in (first, second, first):
        with_session(store, item)
    store.log.begin()
    third = store.create(7)
    draft = store.log.draft([range(1), range(2, 3)])
    assert [record[2] for record in draft.own] == [third]
    assert [record[2] for record in draft.left or ()] == [second]
    assert store.log.finish(draft) is draft.revision
    assert [record[:3:2] for record in draft.revision.records] == [(EDIT, first), (CREATE, third)]
    assert (first.debt, second.debt, store.log.depth) == (3, 3, 1)
    store.log.undo()
    assert (first.debt, second.debt) == (3, 2)
    store.log.revert(draft.revision)
    assert image(store) == origin


def test_the_newest_changes_of_a_session_are_taken_back() -> None:
    """R9.1: back to a place, and what is edited after that is saved again."""
    store = Store()
    store.log.begin()
    item = store.create(1)
    store.log.finish()
    store.log.begin()
    with_session(store, item)
    with_session(store, item)
    store.log.take_back(1)
    assert (item.debt, len(store.log.records)) == (2, 1)
    store.table.edit(item).debt = 9
    assert len(store.log.records) == 2
    store.log.undo()
    assert item.debt == 1


def with_session(store: Store, item: Position) -> None:
    """Edit an object in a session of its own."""
    store.log.begin()
    store.table.edit(item).debt += 1
    store.log.merge()
