"""C5, C6, C8, T-E1: each chain parameter at its bounds, alone and against the others."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import cache, partial

import pytest
from msgspec.structs import replace

from node.chain.block_builder import HEADER_BYTES_MAX
from node.chain.chain import Chain
from node.chain.invariants import check_all
from node.state.errors import TransactionTooLarge
from protocol.asset import NO_FEE, AssetAmount
from protocol.block import BlockEnvelope
from protocol.chain_parameters import (
    ChainParameters,
    ChainParametersExtensions,
    CustomAuthorityOptions,
    HtlcOptions,
)
from protocol.constants import (
    CORE_ASSET,
    HUNDRED_PERCENT,
    MAX_BLOCK_BYTES,
    MAX_DELAY_S,
    MAX_SUPPLY,
    MAX_TRANSACTION_BYTES,
)
from protocol.errors import PegboardError, ValidationError
from protocol.fee_schedule import FeeParameters, FeeSchedule, FlatFee, NoFee
from protocol.fees import (
    DEFAULT_FEE_SCHEDULE,
    ZERO_FEE_SCHEDULE,
    check_parameters,
    required_fee,
    with_parameters,
)
from protocol.ids import ProposalId
from protocol.operations import ENTRY_OF, OPERATIONS, Operation
from protocol.operations.account import AccountUpdate
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.custom import Custom
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.schema import MAX_TIMESTAMP, Tagged, schema_of
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.every_operation import BusyChain
from tests.support.leaves import bounds_of, leaves

FREE = FeeSchedule((), scale=0)
BASE = ChainParameters(
    FREE,
    maintenance_interval=300,
    committee_proposal_review_period=50,
    extensions=ChainParametersExtensions(HtlcOptions(1, 1), CustomAuthorityOptions(), 100, 100),
)
MEMBERS = ("init0", "init1", "init2")
UNPAYABLE = 1 << 63


class Committee:
    """A chain whose committee can change the parameters."""

    def __init__(self) -> None:
        self.node = node = BusyChain()
        votes = tuple(member.vote_id for member in node.state.committee_members.in_order())
        options = node.state.account_named("alice").options
        options = replace(options, votes=votes, num_committee=3)
        node.block(AccountUpdate(NO_FEE, node.alice, new_options=options))
        node.set_parameters(committee_proposal_review_period=50)
        node.block_at(node.state.dynamic.next_maintenance_time)
        self.start = node.chain.dump()
        self.serial = 0

    def begin(self) -> None:
        """Back to where all trials begin."""
        self.node.chain = Chain.restore(self.node.genesis, self.start)

    def push(self, *operations: Operation) -> None:
        """Push operations in a transaction that expires as late as it may, with their fees."""
        state, now = self.node.state, self.node.chain.head_time
        parameters = state.parameters
        self.serial += 1
        latest = min(now + parameters.maximum_time_until_expiration, MAX_TIMESTAMP)
        expiration = max(latest - self.serial % 1000, now + parameters.block_interval)
        priced = [self.priced(operation) for operation in operations]
        names = self.node.signers_of(operations)
        envelope = self.node.transaction(*priced, signers=names, expiration=expiration)
        self.node.chain.push_transaction(envelope)

    def priced(self, operation: Operation) -> Operation:
        fee = required_fee(operation, self.node.state.parameters.current_fees)
        return replace(operation, fee=AssetAmount(max(fee, operation.fee.amount), CORE_ASSET))  # type: ignore[type-var]

    def propose(self, parameters: ChainParameters) -> tuple[ProposalId, int]:
        """A block with a proposal that the committee approves: its number and expiration."""
        node, present = self.node, self.node.state.parameters
        review = present.committee_proposal_review_period
        expiration = node.chain.head_time + review + present.block_interval + 1
        change = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
        proposed = (ProposedOperation(change),)
        number = ProposalId(node.state.proposals.next_id)
        self.push(ProposalCreate(NO_FEE, node.alice, expiration, proposed, review))
        members = tuple(map(node.account, MEMBERS))
        self.push(ProposalUpdate(NO_FEE, node.alice, number, active_approvals_to_add=members))
        node.block()
        return number, expiration

    def change_to(self, parameters: ChainParameters) -> None:
        """Change the parameters and wait until they are in force."""
        node = self.node
        _, expiration = self.propose(parameters)
        node.block_at(expiration)
        if node.state.parameters != parameters:
            assert node.state.properties.pending_parameters == parameters
            node.block_at(node.state.dynamic.next_maintenance_time)
        assert node.state.parameters == parameters

    def live(self) -> None:
        """An empty block, one of pending transactions, a maintenance block; hash and snapshot."""
        node = self.node
        node.block()
        for operation in (
            replace(node.transfer("alice", "bob", 1 + self.serial)),
            node.sell("alice", node.amount(10, "COIN"), node.amount(900)),
        ):
            with suppress(PegboardError):
                self.push(operation)
        envelope = node.build()
        assert len(envelope.transactions) == len(node.chain.pending)
        node.receive(BlockEnvelope.from_bytes(envelope.packed))
        node.block_at(node.state.dynamic.next_maintenance_time)
        check_all(node.state)
        restored = Chain.restore(node.genesis, node.chain.dump())
        assert restored.state_hash() == node.chain.state_hash()

    def survives(self, parameters: ChainParameters) -> bool:
        """Whether parameters are taken; if so the chain goes on, and can be mended."""
        self.begin()
        before = self.node.chain.state_hash()
        if not is_accepted(parameters):
            with pytest.raises(ValidationError):
                self.propose(parameters)
            assert self.node.chain.state_hash() == before
            self.refuses_when_applied(parameters)
            return False
        self.change_to(parameters)
        self.live()
        self.change_to(BASE)
        self.live()
        return True

    def refuses_when_applied(self, parameters: ChainParameters) -> None:
        """Also those that are in an approved proposal already."""
        number, expiration = self.propose(BASE)
        change = CommitteeMemberUpdateGlobalParameters(NO_FEE, parameters)
        with self.node.chain.head_state() as state:
            proposal = state.proposals.get(number)
            proposal.proposed_transaction = replace(
                proposal.proposed_transaction, operations=(change,)
            )
        present = self.node.state.parameters
        self.node.block_at(expiration)
        properties = self.node.state.properties
        assert (properties.parameters, properties.pending_parameters) == (present, None)


@cache
def committee() -> Committee:
    return Committee()


def is_accepted(parameters: ChainParameters) -> bool:
    try:
        check_parameters(parameters)
    except ValidationError:
        return False
    return True


NUMBERS = {leaf.path: leaf for leaf in leaves(BASE) if ".current_fees" not in leaf.path}
INSIDE = {".block_interval": [30], ".maintenance_interval": [MAX_DELAY_S]}
"""Largest values that do not follow from smaller ones, since one must divide the other."""
BOUNDS = {
    path: [*bounds_of(leaf, is_accepted), *INSIDE.get(path, [])] for path, leaf in NUMBERS.items()
}


@pytest.mark.parametrize("path", NUMBERS)
def test_each_parameter_at_its_bounds(path: str) -> None:
    """C5, C8, T-E1: refused with its name, or a chain that goes on and can be mended."""
    for value in BOUNDS[path]:
        parameters = NUMBERS[path].change(value)
        try:
            accepted = committee().survives(parameters)
        except BaseException as error:
            error.add_note(f"{path} = {value}")
            raise
        if not accepted:
            with pytest.raises(ValidationError, match=path.rpartition(".")[2]) as refusal:
                check_parameters(parameters)
            assert refusal.value.rule
            assert refusal.value.limit is not None


def test_long_delays_are_refused() -> None:
    """C5, R8.10, R8.23: a chain whose next maintenance never comes could not be mended."""
    for name in ("maintenance_interval", "committee_proposal_review_period"):
        changes = {name: MAX_DELAY_S + 300, "maximum_proposal_lifetime": MAX_TIMESTAMP}
        parameters = replace(BASE, **changes)
        with pytest.raises(ValidationError, match=f"{name} is too long") as refusal:
            check_parameters(parameters)
        assert (refusal.value.value, refusal.value.limit) == (MAX_DELAY_S + 300, MAX_DELAY_S)
        assert not committee().survives(parameters)
        assert committee().survives(replace(parameters, **{name: MAX_DELAY_S}))


CONTRADICTIONS: list[dict[str, object]] = [
    {"maximum_block_size": 5120, "maximum_transaction_size": MAX_TRANSACTION_BYTES},
    {"maximum_block_size": 10_000, "maximum_transaction_size": 100_000},
    {"maintenance_interval": 6, "block_interval": 3, "maintenance_skip_slots": 255},
    {"maintenance_interval": 60, "block_interval": 30, "maximum_time_until_expiration": 31},
    {"block_interval": 30, "maintenance_skip_slots": 255, "maximum_time_until_expiration": 31},
    {"committee_proposal_review_period": 0, "maximum_proposal_lifetime": 6},
    {"maximum_proposal_lifetime": MAX_TIMESTAMP, "committee_proposal_review_period": MAX_DELAY_S},
    {"maintenance_interval": MAX_DELAY_S, "committee_proposal_review_period": 0},
    {"witness_pay_per_block": 2**63 - 1, "worker_budget_per_day": 2**63 - 1},
    {"witness_pay_per_block": 0, "worker_budget_per_day": 2**63 - 1},
    {"network_percent_of_fee": 0, "lifetime_referrer_percent_of_fee": 0},
    {"network_percent_of_fee": 10_000, "lifetime_referrer_percent_of_fee": 0},
    {"maximum_witness_count": 0, "maximum_committee_count": 0},
    {"accounts_per_fee_scale": 1, "account_fee_scale_bitshifts": 255},
    {"max_authority_depth": 0, "maximum_authority_membership": 0},
    {"max_authority_depth": 255, "maximum_authority_membership": 65_535},
    {"cashback_vesting_period_seconds": 0, "cashback_vesting_threshold": -1},
]


@pytest.mark.parametrize("changes", CONTRADICTIONS, ids="-".join)
def test_parameters_that_contradict_each_other(changes: dict[str, object]) -> None:
    """C7, C8: what is allowed together leaves a chain that goes on and can be mended."""
    assert committee().survives(replace(BASE, **changes))


def test_together_at_their_bounds() -> None:
    """C5, T-E1: many parameters at once, each at an end of what the others allow."""
    draw = random.Random(7)
    for _ in range(12):
        parameters = BASE
        for name in draw.sample(sorted(NUMBERS), len(NUMBERS)):
            found = {leaf.path: leaf for leaf in leaves(parameters)}
            value = draw.choice([min(BOUNDS[name]), max(BOUNDS[name]), *BOUNDS[name]])
            changed = found[name].change(value)
            if is_accepted(changed):
                parameters = changed
        for name in ("count_non_member_votes", "allow_non_member_whitelists"):
            parameters = replace(parameters, **{name: draw.random() < 0.5})
        try:
            assert committee().survives(parameters)
        except BaseException as error:
            error.add_note(repr(parameters))
            raise


# Fees (C6).


def with_fee(name: str, fee: int, scale: int = HUNDRED_PERCENT) -> FeeSchedule:
    """A schedule in which one kind of operation costs a fee, the others nothing."""
    entry = next(entry for entry in OPERATIONS.values() if entry.name == name)
    kind = type(entry.default_fee)
    names = [field.name for field in schema_of(kind).fields]
    priced = kind(**{field: 0 if field.startswith("price") else fee for field in names})
    schedule = FeeSchedule(tuple(Tagged(tag, no_fee(tag)) for tag in OPERATIONS), scale)
    return with_parameters(schedule, entry.id, priced)


def no_fee(tag: int) -> FeeParameters:
    kind = type(OPERATIONS[tag].default_fee)
    return kind(**{field.name: 0 for field in schema_of(kind).fields})


@cache
def examples() -> tuple[Operation, ...]:
    return tuple(BusyChain().examples())


MENDING = {"proposal_create", "proposal_update"}
PRICED = sorted(
    entry.name for entry in OPERATIONS.values() if not isinstance(entry.default_fee, NoFee)
)


@pytest.mark.parametrize("name", PRICED)
def test_a_fee_that_cannot_exist_refuses_its_own_operation_only(name: str) -> None:
    """C6, R8.17: for each kind of operation; what mends the parameters stays payable."""
    parameters = replace(
        BASE, current_fees=with_fee(name, UNPAYABLE), maximum_transaction_size=9999
    )
    if name in MENDING:
        with pytest.raises(ValidationError, match=f"current_fees: .*{name}") as refusal:
            check_parameters(parameters)
        assert (refusal.value.value, refusal.value.limit) == (UNPAYABLE, MAX_SUPPLY)
    else:
        check_parameters(parameters)
    for operation in examples():
        entry = ENTRY_OF[type(operation)]
        cost = partial(required_fee, operation, parameters.current_fees)
        if isinstance(operation, TicketCreate | TicketUpdate):
            assert cost() == required_fee(operation, DEFAULT_FEE_SCHEDULE)  # K2.4
        elif entry.name == name:
            with pytest.raises(ValidationError, match="required fee exceeds"):
                cost()
        else:
            assert cost() == 0


def test_fees_at_their_bounds() -> None:
    """C6, T-E1: schedules that cost nothing, or more than there is, leave a chain that goes on."""
    dear = tuple(
        Tagged(tag, replace(entry.default_fee, fee=UNPAYABLE))
        for tag, entry in OPERATIONS.items()
        if isinstance(entry.default_fee, FlatFee)
    )
    size = {"maximum_transaction_size": 9999}
    for schedule in (
        FeeSchedule((), scale=0),
        FeeSchedule((), scale=2**32 - 1),
        FeeSchedule(dear, scale=HUNDRED_PERCENT),
        ZERO_FEE_SCHEDULE,
        with_fee("transfer", MAX_SUPPLY),
        with_fee("transfer", 2**64 - 1, 2**32 - 1),
        with_fee("account_create", 2**64 - 1, 2**32 - 1),
        with_fee("proposal_create", 10**9),
    ):
        assert committee().survives(replace(BASE, current_fees=schedule, **size)), schedule


# Sizes (C7, C8).


def test_no_block_parameter_exceeds_what_peers_take() -> None:
    """C8, R9.3: refused in a genesis and when proposed; at the limit a full block is made."""
    for name, limit in (
        ("maximum_block_size", MAX_BLOCK_BYTES),
        ("maximum_transaction_size", MAX_TRANSACTION_BYTES),
    ):
        with pytest.raises(ValidationError, match=f"{name} is too high"):
            Chain(make_genesis(parameters=make_parameters(**{name: limit + 1})))
        assert not committee().survives(replace(BASE, **{name: limit + 1}))
    node = TestChain("alice", core=10**6)
    node.block()
    node.set_parameters(
        maximum_block_size=MAX_BLOCK_BYTES, maximum_transaction_size=MAX_TRANSACTION_BYTES
    )
    for number in range(20):
        node.push(Custom(node.amount(1), node.account("alice"), (), number, bytes(130_000)))
    assert sum(len(entry.envelope.packed()) for entry in node.chain.pending) > MAX_BLOCK_BYTES
    while len(node.chain.pending):
        envelope = BlockEnvelope.from_bytes(node.build().packed)
        assert envelope.transactions
        node.receive(envelope)


def test_what_fits_no_block_is_refused_into_the_pool() -> None:
    """C7, R9.4: and so never stands before others; what fits exactly is in the next block."""
    node = TestChain("alice", core=10**6)
    node.block()
    node.set_parameters(maximum_block_size=10_000, maximum_transaction_size=100_000)
    alice, results, room = node.account("alice"), 2, 10_000 - HEADER_BYTES_MAX
    empty = node.transaction(Custom(node.amount(1), alice, (), 1, bytes(1000)))
    data = 1000 + room - results - empty.size
    refusal = node.expect(
        TransactionTooLarge, Custom(node.amount(1), alice, (), 1, bytes(data + 1))
    )
    assert (refusal.value, refusal.limit, refusal.rule) == (room + 1, room, "R9.4")
    with pytest.raises(TransactionTooLarge):
        node.chain.simulate(node.transaction(Custom(node.amount(1), alice, (), 1, bytes(20_000))))
    largest = Custom(node.amount(1), alice, (), 1, bytes(data))
    block = node.block(largest, *(node.transfer("alice", "init0", n) for n in range(1, 4)))
    assert len(block.envelope.transactions) == 1
    assert len(node.block().envelope.transactions) == 3


def test_what_no_longer_fits_any_block_leaves_the_pool() -> None:
    """C7, R9.4: when the limit falls, with the reason; what waits behind it stays."""
    node = TestChain("alice", core=10**6)
    node.block()
    node.set_parameters(maximum_block_size=30_000, maximum_transaction_size=30_000)
    with node.chain.head_state() as state:
        smaller = replace(state.parameters, maximum_block_size=10_000)
        state.properties.pending_parameters = smaller
    due = node.chain.slot_at(node.state.dynamic.next_maintenance_time)
    maintenance = node.build(due)
    large = Custom(node.amount(1), node.account("alice"), (), 1, bytes(20_000))
    small, latest = node.transfer("alice", "init0", 1), node.chain.head_time + 80_000
    first = node.transaction(large, expiration=latest)
    behind = node.transaction(small, expiration=latest)
    node.chain.push_transaction(first)
    node.chain.push_transaction(behind)
    ((dropped, reason),) = node.receive(maintenance).dropped
    assert (dropped, type(reason)) == (first.id, TransactionTooLarge)
    assert [transaction.id for transaction, _ in node.block().envelope.transactions] == [behind.id]
