"""C11, I19: no value beyond its declared width is ever stored, whatever operations ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest
from msgspec.structs import replace

from node.chain.apply_block import apply_block
from node.chain.block_builder import build_block
from node.chain.chain import Chain
from node.chain.invariants import INVARIANTS, check_all, check_widths
from node.chain.invariants_incremental import check_block
from node.chain.maintenance import next_maintenance_after
from node.chain.pending import AppliedTransaction
from node.chain.witness_schedule import scheduled_witness, slot_at, slot_time
from node.evaluators import EVALUATORS
from node.state.database import State
from node.state.errors import InvariantViolated, LimitExceeded
from protocol.asset import NO_FEE
from protocol.binary import pack
from protocol.constants import MAX_AMOUNT
from protocol.crypto.hashes import address_of
from protocol.crypto.signatures import sign_digest
from protocol.errors import EncodeError, PegboardError, ValidationError
from protocol.fee_schedule import FeeSchedule
from protocol.genesis import (
    Genesis,
    InitialAsset,
    InitialBalance,
    InitialVestingBalance,
    InitialWorker,
)
from protocol.ids import MAX_VOTE_INSTANCE, BudgetRecordId
from protocol.operations.base import Operation
from protocol.operations.committee import (
    CommitteeMemberCreate,
    CommitteeMemberUpdateGlobalParameters,
)
from protocol.operations.limit_order import LimitOrderUpdate
from protocol.operations.samet_fund import SametFundBorrow, SametFundRepay
from protocol.operations.witness import WitnessCreate
from protocol.schema import MAX_TIMESTAMP
from protocol.widths import check_width
from tests.support.chain import TestChain, make_genesis
from tests.support.every_operation import BusyChain
from tests.support.leaves import bounds_of, leaves
from tests.support.world import key_of


class Trial:
    """Tries operations on a busy chain, each in a block of its own that is taken back."""

    def __init__(self) -> None:
        self.node = BusyChain()
        self.chain = self.node.chain
        with self.chain.head_state() as state:
            self.before = state.state_hash()

    def try_operation(self, operation: Operation) -> AppliedTransaction | PegboardError:
        try:
            transaction = self.node.transaction(operation, signers=())
            return self.chain.simulate(transaction, check_signatures=False)
        except PegboardError as refusal:
            return refusal

    def accepts(self, operation: Operation) -> bool:
        return isinstance(self.try_operation(operation), AppliedTransaction)

    def live_with(self, operation: Operation) -> bool:
        """Put it in a block, then an empty and a maintenance block, unless it is refused."""
        applied = self.try_operation(operation)
        if not isinstance(applied, AppliedTransaction):
            assert applied.rule or applied.limit is not None, applied
            return False
        with self.chain.head_state() as state:
            revisions = []
            for pending, is_maintenance in (([applied], False), ([], False), ([], True)):
                slot = 1
                if is_maintenance:
                    slot = slot_at(state, state.dynamic.next_maintenance_time)
                envelope = build_block(
                    state.dynamic.head_block_id,
                    slot_time(state, slot),
                    scheduled_witness(state, slot),
                    pending,
                    state.parameters.maximum_block_size,
                    partial(sign_digest, self.node.witness_secret(scheduled_witness(state, slot))),
                )
                block = apply_block(state, envelope, self.chain.chain_id, trusted=True)
                check_block(state, block.revision)
                revisions.append(block.revision)
            check_all(state)
            assert State.restore(state.dump()).state_hash() == state.state_hash()
            for revision in reversed(revisions):
                state.log.revert(revision)
            assert state.state_hash() == self.before
        return True


@cache
def trial() -> Trial:
    return Trial()


def example_names() -> list[str]:
    examples = trial().node.examples()
    return [f"{number}-{type(op).__name__}" for number, op in enumerate(examples)]


def test_there_is_an_example_of_each_operation() -> None:
    """C11: all that are executed but the change of parameters, and loans, of which none is alone
    in its transaction; these have tests of their own."""
    examples = list(trial().node.examples())
    assert all(trial().accepts(operation) for operation in examples)
    missing = set(EVALUATORS) - {type(operation) for operation in examples}
    assert missing == {
        CommitteeMemberUpdateGlobalParameters,
        SametFundBorrow,
        SametFundRepay,
    }


@pytest.mark.parametrize("name", example_names())
def test_every_number_at_its_bounds(name: str) -> None:
    """T-E3, C11, I19, T-E1: applied or refused with a typed error; what is applied leaves a state
    that blocks and maintenance follow, that has a hash, and that a snapshot holds."""
    operation = list(trial().node.examples())[int(name.partition("-")[0])]
    assert trial().live_with(operation)
    for leaf in leaves(operation):
        for value in bounds_of(leaf, trial().accepts):
            try:
                trial().live_with(leaf.change(value))
            except BaseException as error:
                error.add_note(f"{leaf.path} = {value}")
                raise


def test_what_does_not_fit_is_found_as_packing_finds_it() -> None:
    """T-E3, C11, I19: each number of each kind of object, at its bounds and one beyond them."""
    seen = set()
    for table in trial().node.state.tables:
        for item in table.in_order():
            for leaf in leaves(item):
                if (table.cls, leaf.path) in seen:
                    continue
                seen.add((table.cls, leaf.path))
                for value in (leaf.smallest, leaf.largest):
                    check_width(leaf.change(value))
                    pack(leaf.change(value))
                for value in (leaf.smallest - 1, leaf.largest + 1):
                    with pytest.raises(EncodeError) as refusal:
                        check_width(leaf.change(value))
                    assert leaf.path.split("[")[0].removeprefix(".") in refusal.value.what
                    assert refusal.value.value == value
                    with pytest.raises(EncodeError):
                        pack(leaf.change(value))
    assert len(seen) > 100


def test_bytes_of_another_length_are_found() -> None:
    """C11, I19: keys and hashes have one length."""
    witness = next(trial().node.state.witnesses.in_order())
    with pytest.raises(EncodeError) as refusal:
        check_width(replace(witness, signing_key=witness.signing_key + b"x"))
    assert refusal.value.limit == "33..33"


def test_the_object_and_the_field_are_named() -> None:
    """I19: the recount and the check of a block name the same; a block that does it is refused."""
    with trial().chain.head_state() as state:
        state.log.begin()
        state.dynamic_properties.edit(state.dynamic).recently_missed_count = 1 << 32
        revision = state.log.finish()
        checks: tuple[Callable[[State], None], ...] = (
            check_widths,
            partial(check_block, revision=revision),
        )
        for check in checks:
            with pytest.raises(InvariantViolated) as violation:
                check(state)
            assert violation.value.what == "2.1.0.recently_missed_count does not fit its width"
            assert (violation.value.value, violation.value.rule) == (1 << 32, "I19")
        assert check_widths in INVARIANTS
        state.log.revert(revision)


def set_fields(node: TestChain, table: str, instance: int, **values: object) -> None:
    """Change an object behind the chain's back, as if a long history had made it so."""
    with node.chain.head_state() as state:
        item = getattr(state, table).rows[instance]
        for name, value in values.items():
            setattr(item, name, value)


def test_an_order_that_is_raised_for_ever_is_counted() -> None:
    """C11, R2.17, T2: what it has sold in all has room beyond any supply."""
    node = BusyChain()
    (order,) = (item for item in node.state.limit_orders.in_order() if item.seller == node.alice)
    set_fields(node, "limit_orders", order.id, filled_amount=2 * MAX_AMOUNT)
    grow = LimitOrderUpdate(
        NO_FEE, node.alice, order.id, delta_amount_to_sell=node.amount(6, "COIN")
    )
    node.block(grow)
    assert order.filled_amount == 2 * MAX_AMOUNT


def test_fees_of_a_lifetime_are_counted_up_to_the_width() -> None:
    """C11, R8.20: the same CORE can be paid as a fee again and again."""
    node = TestChain("alice", core=10**9)
    node.block()
    number = node.account("alice")
    set_fields(node, "statistics", number, lifetime_fees_paid=MAX_AMOUNT - 1)
    node.block(replace(node.transfer("alice", "init0", 1), fee=node.amount(5)))
    node.block_at(node.state.dynamic.next_maintenance_time)
    assert node.state.statistics_of(number).lifetime_fees_paid == MAX_AMOUNT


def test_a_pay_above_all_that_is_there_is_a_figure_of_the_budget() -> None:
    """C11, C5, R8.14: what witnesses could ask for is told up to the width."""
    node = TestChain("alice")
    node.block()
    node.set_parameters(witness_pay_per_block=MAX_AMOUNT)
    node.block_at(node.state.dynamic.next_maintenance_time)
    record = node.state.budget_records.get(BudgetRecordId(1)).record
    assert record.requested_witness_budget == MAX_AMOUNT
    assert record.witness_budget == record.total_budget


def test_no_maintenance_is_later_than_all_times() -> None:
    """C11, R8.10."""
    assert next_maintenance_after(0, 1, MAX_TIMESTAMP - 1, 1) == MAX_TIMESTAMP - 1
    assert next_maintenance_after(0, MAX_TIMESTAMP - 1, MAX_TIMESTAMP - 1, 1) == MAX_TIMESTAMP
    assert next_maintenance_after(10**9, 2 * 10**9, 3 * 10**9, 2) == 4 * 10**9
    assert next_maintenance_after(2 * 10**9, 3 * 10**9, 3 * 10**9, 2) == MAX_TIMESTAMP


def test_blocks_to_the_end_of_all_times() -> None:
    """C11, R8.5, T-E1: decades without a block, and a block in the very last slot."""
    node = TestChain("alice")
    node.set_parameters(block_interval=1)
    node.block()
    node.block()
    for time_s in (3 * 10**9, MAX_TIMESTAMP - 1, MAX_TIMESTAMP):
        node.block_at(time_s)
        assert node.chain.head_time == time_s
        node.chain.state_hash()
        assert node.state.dynamic.recently_missed_count > MAX_TIMESTAMP - 9


def test_vote_ids_run_out_with_a_reason() -> None:
    """C11, R8.12: a vote id has 24 bits for its number."""
    node = BusyChain()
    set_fields(node, "global_properties", 0, next_available_vote_id=MAX_VOTE_INSTANCE)
    node.expect(LimitExceeded, node.worker(0))
    node.block(WitnessCreate(NO_FEE, node.alice, "", key_of("alice block")))
    for operation in (
        WitnessCreate(NO_FEE, node.bob, "", key_of("bob block")),
        CommitteeMemberCreate(NO_FEE, node.bob, ""),
        node.worker(1),
    ):
        node.expect(LimitExceeded, operation)


def rich_genesis() -> Genesis:
    """A genesis with at least one entry of each kind."""
    owner = address_of(key_of("old"))
    genesis = make_genesis("alice", core=10**9)
    start = genesis.initial_timestamp
    fees = FeeSchedule((), scale=0)
    return replace(
        genesis,
        initial_parameters=replace(genesis.initial_parameters, current_fees=fees),
        initial_balances=(InitialBalance(owner, "TEST", 10**9),),
        initial_vesting_balances=(InitialVestingBalance(owner, "TEST", 10**9, start, 1000, 10**9),),
        initial_worker_candidates=(InitialWorker("init0", 1000),),
        initial_assets=(
            *genesis.initial_assets,
            InitialAsset("COIN", "init0", accumulated_fees=5),
        ),
    )


def test_every_number_of_a_genesis_at_its_bounds() -> None:
    """T-E3, C11, C5, T-E1: refused, or a chain that makes blocks, has a hash, fits a snapshot."""
    for leaf in leaves(rich_genesis()):
        for value in (leaf.smallest, leaf.largest):
            genesis = leaf.change(value)
            try:
                node = TestChain(genesis=genesis)
            except ValidationError:
                continue
            try:
                node.block()
                node.block()
                node.block_at(node.state.dynamic.next_maintenance_time)
                restored = Chain.restore(genesis, node.chain.dump())
                assert restored.state_hash() == node.chain.state_hash()
            except BaseException as error:
                error.add_note(f"{leaf.path} = {value}")
                raise
