"""Witnesses, committee members, workers, chain parameters and the head of the chain."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.chain_parameters import ChainParameters, ImmutableChainParameters
from protocol.ids import (
    AccountId,
    BudgetRecordId,
    ChainPropertyId,
    CommitteeMemberId,
    DynamicGlobalPropertyId,
    GlobalPropertyId,
    VestingBalanceId,
    VoteId,
    WitnessId,
    WitnessScheduleId,
    WorkerId,
)
from protocol.schema import (
    SORTED,
    BlockId,
    Digest,
    Int64,
    PublicKey,
    Record,
    Timestamp,
    UInt8,
    UInt32,
    UInt64,
    UInt128,
    Variant,
)


class Witness(StateObject):
    """A block producer (1.6.n); 1.6.0 is the reserved null witness (R9.8)."""

    id: WitnessId
    witness_account: AccountId
    last_aslot: UInt64
    """Absolute slot of its last block."""
    signing_key: PublicKey
    pay_vb: VestingBalanceId | None
    vote_id: VoteId
    total_votes: UInt64
    url: str
    total_missed: Int64
    last_confirmed_block_num: UInt32


class CommitteeMember(StateObject):
    """A member or candidate of the committee (1.5.n)."""

    id: CommitteeMemberId
    committee_member_account: AccountId
    vote_id: VoteId
    total_votes: UInt64
    url: str


class RefundWorker(Record):
    """Returns its pay to the reserve (R8.15)."""

    total_burned: Int64


class VestingWorker(Record):
    """Pays into a vesting balance (R8.15)."""

    balance: VestingBalanceId


class BurnWorker(Record):
    """Pays the null account (R8.15)."""

    total_burned: Int64


WorkerPay = RefundWorker | VestingWorker | BurnWorker
"""Where a worker's pay goes."""


class Worker(StateObject):
    """A project paid from the reserve when voted for (1.14.n, R8.14)."""

    id: WorkerId
    worker_account: AccountId
    work_begin_date: Timestamp
    work_end_date: Timestamp
    daily_pay: Int64
    worker: Annotated[
        WorkerPay,
        Variant({0: RefundWorker, 1: VestingWorker, 2: BurnWorker}),
    ]
    vote_for: VoteId
    total_votes_for: UInt64
    name: str
    url: str


class WitnessSchedule(StateObject):
    """The order of this round's slots (2.12.0, R8.5)."""

    id: WitnessScheduleId
    current_shuffled_witnesses: tuple[WitnessId, ...]


class GlobalProperties(StateObject):
    """Chain parameters and who is elected (2.0.0)."""

    id: GlobalPropertyId
    parameters: ChainParameters
    pending_parameters: ChainParameters | None
    """Take effect at the next maintenance (R8.10)."""
    next_available_vote_id: UInt32
    active_committee_members: tuple[CommitteeMemberId, ...]
    active_witnesses: Annotated[tuple[WitnessId, ...], SORTED]


class DynamicGlobalProperties(StateObject):
    """The head of the chain and what every block changes (2.1.0)."""

    id: DynamicGlobalPropertyId
    head_block_number: UInt32
    head_block_id: BlockId
    time: Timestamp
    current_witness: WitnessId
    next_maintenance_time: Timestamp
    last_vote_tally_time: Timestamp
    last_budget_time: Timestamp
    witness_budget: Int64
    accounts_registered_this_interval: UInt32
    recently_missed_count: UInt32
    current_aslot: UInt64
    """Slots since genesis, missed ones included."""
    recent_slots_filled: UInt128
    """One bit for each of the last 128 slots, the newest lowest."""
    maintenance_flag: bool
    """Whether the head block was a maintenance block; the next slots are skipped (R8.4)."""
    last_irreversible_block_num: UInt32
    total_pob: Int64
    """CORE in tickets that is locked for ever, and of value still (K3.4)."""
    total_inactive: Int64
    """CORE in tickets that is locked for ever, and of no value any more."""


class ChainProperties(StateObject):
    """What genesis fixed for good (2.11.0)."""

    id: ChainPropertyId
    chain_id: Digest
    immutable_parameters: ImmutableChainParameters
    margin_call_trigger: UInt8
    """What calls a position, `TRIGGER_BID` or `TRIGGER_FEED` (R4.2)."""
    strict_release: bool
    """Whether collateral leaves only as debt is paid back (R3.6)."""
    voting_stake: UInt8
    """What votes, by its place in `VOTING_NAMES` (K4.1)."""
    settle_match: bool = False
    """Whether margin calls that find no bid take settlement requests (SM1)."""
    pay_mcop: bool = False
    """Whether funds pay no more than MCOP (BS10)."""


TRIGGER_BID = 0
TRIGGER_FEED = 1
TRIGGER_NAMES = ("bid", "feed")
"""What people call the two, by their numbers."""

VOTING_TICKETS = 1
VOTING_NAMES = ("plain", "tickets")
"""What a genesis calls the two, by their numbers."""


class BudgetFigures(Record):
    """One maintenance interval's budget, in CORE (R8.14)."""

    time_since_last_budget: UInt64
    from_initial_reserve: Int64
    from_accumulated_fees: Int64
    from_unused_witness_budget: Int64
    requested_witness_budget: Int64
    total_budget: Int64
    witness_budget: Int64
    worker_budget: Int64
    leftover_worker_funds: Int64
    supply_delta: Int64
    max_supply: Int64
    current_supply: Int64


class BudgetRecord(StateObject):
    """The budget of one maintenance (2.13.n)."""

    id: BudgetRecordId
    time: Timestamp
    record: BudgetFigures
