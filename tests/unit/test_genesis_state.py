"""The state before block 1."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.chain.chain import Chain
from node.chain.genesis import build_state
from node.chain.invariants import check_all
from node.state.objects.governance import TRIGGER_BID, TRIGGER_FEED
from node.state.objects.vesting import LinearVesting
from protocol.authority import key_authority
from protocol.chain_parameters import ImmutableChainParameters
from protocol.constants import COMMITTEE_ACCOUNT, CORE_ASSET, MAX_SUPPLY, NULL_ACCOUNT
from protocol.crypto.hashes import address_of
from protocol.crypto.keys import public_key
from protocol.errors import ValidationError
from protocol.genesis import (
    SPECIAL_ACCOUNT_NAMES,
    Genesis,
    InitialAccount,
    InitialBalance,
    InitialCollateralPosition,
    InitialVestingBalance,
    InitialWorker,
    chain_id,
)
from protocol.ids import AccountId, AssetBitassetDataId, BalanceId, WitnessId, vote_id
from protocol.operations.account import COMMITTEE_VOTE, WITNESS_VOTE, WORKER_VOTE
from protocol.operations.asset_options import WITNESS_FED_ASSET
from protocol.schema import MAX_TIMESTAMP, Digest
from tests.support.chain import make_genesis
from tests.support.world import GENESIS_TIME, secret_of

CHAIN_ID = Digest(bytes(32))


def test_special_accounts() -> None:
    """R9.8: six accounts that the chain knows by number, all lifetime members."""
    state = build_state(make_genesis(), CHAIN_ID)
    names = [state.accounts.get(AccountId(number)).name for number in range(6)]
    assert tuple(names) == SPECIAL_ACCOUNT_NAMES
    assert state.account_named("proxy-to-self").id == 5
    assert state.accounts.get(AccountId(4)).active.weight_threshold == 0
    assert state.accounts.get(NULL_ACCOUNT).active.weight_threshold == 1
    assert all(state.accounts.get(AccountId(number)).is_lifetime_member() for number in range(6))


def test_initial_accounts() -> None:
    """R8.20: members are their own referrers, others pay the committee and the temp account."""
    key = public_key(secret_of("dave"))
    genesis = make_genesis("alice")
    genesis = replace(
        genesis, initial_accounts=(*genesis.initial_accounts, InitialAccount("dave", key))
    )
    state = build_state(genesis, CHAIN_ID)
    alice, dave = state.account_named("alice"), state.account_named("dave")
    assert (alice.registrar, alice.referrer, alice.lifetime_referrer) == (alice.id,) * 3
    assert alice.network_fee_percentage + alice.lifetime_referrer_fee_percentage == 10_000
    assert alice.membership_expiration_date == MAX_TIMESTAMP
    assert (dave.registrar, dave.referrer, dave.lifetime_referrer) == (4, 0, 0)
    assert (dave.network_fee_percentage, dave.lifetime_referrer_fee_percentage) == (2000, 3000)
    assert not dave.is_member(GENESIS_TIME)
    assert dave.owner == dave.active == key_authority(key)
    assert dave.options.memo_key == key
    assert state.statistics.get(dave.statistics).owner == dave.id


def test_reserved_ids() -> None:
    """Account and asset ids below the reserved numbers stay free, and so do their statistics."""
    genesis = replace(
        make_genesis("alice"), immutable_parameters=ImmutableChainParameters(1, 3, 100, 100)
    )
    state = build_state(genesis, CHAIN_ID)
    assert state.account_named("init0").id == 100
    assert state.statistics.get(state.account_named("init0").statistics).id == 100
    assert state.asset_named("USD").id == 100
    assert state.figures_of(state.asset_named("USD").id).id == 100
    assert state.accounts.find(AccountId(50)) is None


def test_bitassets_follow_their_settings() -> None:
    """R1.13: fed by witnesses; without settings a BitAsset needs seven feeds."""
    genesis = make_genesis()
    state = build_state(genesis, CHAIN_ID)
    usd = state.asset_named("USD")
    data = state.bitasset_of(usd.id)
    assert data is not None
    assert usd.has_flag(WITNESS_FED_ASSET)
    assert data.options.minimum_feeds == 1
    assert not data.has_feed()
    rate = usd.options.core_exchange_rate
    assert (rate.base.asset_id, rate.quote.asset_id) == (usd.id, CORE_ASSET)

    plain = replace(genesis, pegboard=replace(genesis.pegboard, assets=None))
    bare = build_state(plain, CHAIN_ID).bitassets.get(AssetBitassetDataId(0))
    assert bare.options.minimum_feeds == 7


def test_the_witness_account_speaks_for_the_initial_witnesses() -> None:
    """R8.13, R1.13: so that the first feeds need no election; block 1 does not change it."""
    genesis = make_genesis(witnesses=3)
    chain = Chain(genesis, paranoid=True)
    authority = chain.state.account_named("witness-account").active
    names = [chain.state.accounts.get(account).name for account, _ in authority.account_auths]
    assert names == ["init0", "init1", "init2"]
    assert authority.weight_threshold == 2
    assert chain.state.properties.active_witnesses == (1, 2, 3)
    assert chain.state.witnesses.find(WitnessId(0)) is None


def test_vote_ids_count_up_over_all_kinds() -> None:
    """R8.11: witnesses, then committee, then two for each worker."""
    genesis = replace(
        make_genesis(witnesses=3), initial_worker_candidates=(InitialWorker("init0", 1000),)
    )
    state = build_state(genesis, CHAIN_ID)
    assert [w.vote_id for w in state.witnesses.in_order()] == [
        vote_id(WITNESS_VOTE, n) for n in range(3)
    ]
    assert [m.vote_id for m in state.committee_members.in_order()] == [
        vote_id(COMMITTEE_VOTE, n) for n in range(3, 6)
    ]
    assert [w.vote_for for w in state.workers.in_order()] == [vote_id(WORKER_VOTE, 6)]
    assert state.properties.next_available_vote_id == 8


def rich_genesis() -> Genesis:
    """Claimable, vesting and collateral on top of an account's balance."""
    genesis = make_genesis("alice", core=1000)
    owner = address_of(public_key(secret_of("alice")))
    usd = replace(
        genesis.initial_assets[0],
        collateral_records=(InitialCollateralPosition(owner, 300, 40),),
    )
    return replace(
        genesis,
        initial_assets=(usd,),
        initial_balances=(InitialBalance(owner, "TEST", 20), InitialBalance(owner, "USD", 40)),
        initial_vesting_balances=(InitialVestingBalance(owner, "TEST", 7, GENESIS_TIME, 1000, 9),),
    )


def test_supplies_are_what_was_handed_out() -> None:
    """I1, I3: CORE is balances, claimable, vesting and collateral; a BitAsset is its debt."""
    state = build_state(rich_genesis(), CHAIN_ID)
    check_all(state)
    assert state.figures_of(CORE_ASSET).current_supply == 1000 + 20 + 7 + 300
    assert state.figures_of(state.asset_named("USD").id).current_supply == 40
    holder = state.account_named("usd-collateral-holder-0")
    assert state.statistics.get(holder.statistics).total_core_in_orders == 300
    assert state.balance_of(COMMITTEE_ACCOUNT, CORE_ASSET) == 0
    vesting = state.genesis_balances.get(BalanceId(2))
    assert vesting.vesting_policy == LinearVesting(GENESIS_TIME, 0, 1000, 9)


def test_without_balances_the_committee_holds_everything() -> None:
    """As in bitshares-core: an unallocated supply belongs to the committee account."""
    state = build_state(make_genesis(), CHAIN_ID)
    check_all(state)
    assert state.balance_of(COMMITTEE_ACCOUNT, CORE_ASSET) == MAX_SUPPLY


def test_an_unbalanced_genesis_is_refused() -> None:
    """I3: a BitAsset that nobody owes."""
    genesis = rich_genesis()
    with pytest.raises(ValidationError):
        build_state(replace(genesis, initial_balances=genesis.initial_balances[1:] * 2), CHAIN_ID)


@pytest.mark.parametrize(("name", "value"), [("bid", TRIGGER_BID), ("feed", TRIGGER_FEED)])
def test_the_trigger(name: str, value: int) -> None:
    """R4.2, SM1, BS10: chosen by the genesis for good, and what follows from it."""
    chain = build_state(make_genesis(trigger=name), CHAIN_ID).chain
    assert chain.margin_call_trigger == value
    assert (chain.settle_match, chain.pay_mcop) == (name == "feed", name == "feed")


def test_equal_genesis_equal_state() -> None:
    """I18: the state depends on the genesis and the chain id, on nothing else."""
    genesis = rich_genesis()
    hashes = {build_state(rich_genesis(), chain_id(genesis)).state_hash() for _ in range(2)}
    assert hashes == {Chain(genesis).state_hash()}
    assert Chain(genesis, chain_id=CHAIN_ID).state_hash() not in hashes
