"""The state before block 1, built from a genesis."""

from __future__ import annotations

from node.chain.finality import start_finality
from node.chain.genesis_accounts import create_accounts, create_special_accounts, reserve_accounts
from node.chain.genesis_assets import create_assets, create_core, reserve_assets, settle_supplies
from node.state.creation import (
    create_committee_member,
    create_vesting_balance,
    create_witness,
    create_worker,
)
from node.state.database import State
from node.state.objects.development import Development
from node.state.objects.governance import (
    TRIGGER_BID,
    TRIGGER_FEED,
    VOTING_NAMES,
    ChainProperties,
    DynamicGlobalProperties,
    GlobalProperties,
    VestingWorker,
    WitnessSchedule,
)
from node.state.objects.transactions import BlockSummary
from node.state.objects.vesting import BALANCE_WORKER, CddVesting
from protocol.asset import AssetAmount
from protocol.authority import Authority
from protocol.constants import CORE_ASSET, WITNESS_ACCOUNT
from protocol.genesis import FINALITY_VOTES, Genesis, check_genesis
from protocol.genesis import TRIGGER_FEED as FEED
from protocol.ids import (
    BlockSummaryId,
    ChainPropertyId,
    DevelopmentId,
    DynamicGlobalPropertyId,
    GlobalPropertyId,
    WitnessId,
    WitnessScheduleId,
)
from protocol.schema import MAX_TIMESTAMP, BlockId, Digest

NO_HEAD = BlockId(bytes(20))
"""Id of the head before there is a block; block 1 has it for its previous one."""

ALL_SLOTS_FILLED = (1 << 128) - 1


def build_state(genesis: Genesis, chain_id: Digest) -> State:
    """The state of a chain without blocks; raises `ValidationError` for an impossible genesis.

    Object ids come out as bitshares-core numbers them. Unlike there, the initial witnesses are
    the witness account's authority from the start, so that feeds need not wait for the first
    elected witnesses (R1.13, R8.13).
    """
    check_genesis(genesis)
    state = State()
    state.log.begin()
    _create_properties(state, genesis, chain_id)
    create_special_accounts(state, genesis.initial_timestamp)
    reserve_accounts(state, genesis.immutable_parameters.num_special_accounts)
    create_core(state, genesis)
    reserve_assets(state, genesis.immutable_parameters.num_special_assets)
    create_accounts(state, genesis)
    create_assets(state, genesis)
    settle_supplies(state, genesis)
    _create_witnesses(state, genesis)
    _create_committee(state, genesis)
    _create_workers(state, genesis)
    if genesis.settings().finality == FINALITY_VOTES:
        start_finality(state)
    if genesis.settings().development:
        state.developments.create(Development(id=DevelopmentId(0), impersonated=()))
    state.log.finish()
    return state


def _create_properties(state: State, genesis: Genesis, chain_id: Digest) -> None:
    settings = genesis.settings()
    state.global_properties.create(
        GlobalProperties(
            id=GlobalPropertyId(0),
            parameters=genesis.initial_parameters,
            pending_parameters=None,
            next_available_vote_id=0,
            active_committee_members=(),
            active_witnesses=(),
        )
    )
    state.dynamic_properties.create(
        DynamicGlobalProperties(
            id=DynamicGlobalPropertyId(0),
            head_block_number=0,
            head_block_id=NO_HEAD,
            time=genesis.initial_timestamp,
            current_witness=WitnessId(0),
            next_maintenance_time=0,
            last_vote_tally_time=0,
            last_budget_time=0,
            witness_budget=0,
            accounts_registered_this_interval=0,
            recently_missed_count=0,
            current_aslot=0,
            recent_slots_filled=ALL_SLOTS_FILLED,
            maintenance_flag=False,
            last_irreversible_block_num=0,
            total_pob=0,
            total_inactive=0,
        )
    )
    state.chain_properties.create(
        ChainProperties(
            id=ChainPropertyId(0),
            chain_id=chain_id,
            immutable_parameters=genesis.immutable_parameters,
            margin_call_trigger=(
                TRIGGER_FEED if settings.margin_call_trigger == FEED else TRIGGER_BID
            ),
            strict_release=settings.strict_release,
            voting_stake=VOTING_NAMES.index(settings.voting_stake),
            settle_match=settings.settle_match,
            pay_mcop=settings.pay_mcop,
        )
    )
    state.block_summaries.create(BlockSummary(BlockSummaryId(0), NO_HEAD))


def _create_witnesses(state: State, genesis: Genesis) -> None:
    """The candidates, number 0 reserved (R9.8); the first of them are active."""
    state.witnesses.reserve(1)
    for candidate in genesis.initial_witness_candidates:
        account = state.account_named(candidate.owner_name)
        create_witness(state, account.id, candidate.block_signing_key)
    active = tuple(WitnessId(1 + number) for number in range(genesis.initial_active_witnesses))
    state.global_properties.edit(state.properties).active_witnesses = active
    state.witness_schedules.create(WitnessSchedule(WitnessScheduleId(0), active))
    accounts = sorted(state.witnesses.get(witness).witness_account for witness in active)
    witness_account = state.accounts.edit(state.accounts.get(WITNESS_ACCOUNT))
    witness_account.active = Authority(
        len(accounts) // 2 + 1, account_auths=tuple((account, 1) for account in accounts)
    )


def _create_committee(state: State, genesis: Genesis) -> None:
    for candidate in genesis.initial_committee_candidates:
        account = state.account_named(candidate.owner_name)
        create_committee_member(state, account.id)


def _create_workers(state: State, genesis: Genesis) -> None:
    """Workers whose pay vests at once."""
    start, nothing = genesis.initial_timestamp, AssetAmount(0, CORE_ASSET)
    for candidate in genesis.initial_worker_candidates:
        account = state.account_named(candidate.owner_name)
        balance = create_vesting_balance(
            state, account.id, nothing, CddVesting(0, 0, 0, start), BALANCE_WORKER
        )
        create_worker(
            state,
            account.id,
            VestingWorker(balance.id),
            begin=start,
            end=MAX_TIMESTAMP,
            daily_pay=candidate.daily_pay,
            name=f"Genesis-Worker-{candidate.owner_name}",
        )
