"""Accounts: registration, change of keys and options, listing, membership."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from node.state.context import Context
from node.state.errors import (
    FeatureDisabled,
    InsufficientBalance,
    LimitExceeded,
    NameTaken,
    NoSuchObject,
    NotAuthorized,
)
from node.state.objects.accounts import Account
from protocol.asset import NO_FEE, AssetAmount
from protocol.authority import Authority, key_authority
from protocol.chain_parameters import ChainParameters
from protocol.constants import CORE_ASSET, PROXY_TO_SELF_ACCOUNT
from protocol.errors import ValidationError
from protocol.fee_schedule import AccountCreateFee, AccountUpgradeFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import AccountId, ObjectId, VoteId, vote_id
from protocol.operations.account import (
    BLACK_LISTED,
    NO_LISTING,
    WHITE_LISTED,
    AccountCreate,
    AccountOptions,
    AccountUpdate,
    AccountUpgrade,
    AccountWhitelist,
)
from protocol.operations.committee import CommitteeMemberCreate
from protocol.operations.witness import WitnessCreate
from protocol.schema import MAX_TIMESTAMP
from tests.support.state import (
    add_account,
    apply,
    core,
    created,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, GENESIS_TIME, key_of

NOBODY = AccountId(99)


@pytest.fixture
def ctx() -> Context:
    return make_context(make_state("alice", "bob", core=1000))


def create(name: str = "carol", **changes: object) -> AccountCreate:
    """Alice registers an account that bob refers for 40 % of the referral."""
    rule = key_authority(key_of(name))
    op = AccountCreate(NO_FEE, ALICE, BOB, 4000, name, rule, rule, AccountOptions(key_of(name)))
    return replace(op, **changes)


def account(ctx: Context, account_id: int) -> Account:
    return ctx.state.accounts.get(AccountId(account_id))


def basic_member(ctx: Context, name: str = "basic") -> AccountId:
    return add_account(ctx.state, name, core=100, lifetime=False)


def test_a_new_account_has_what_its_registration_says(ctx: Context) -> None:
    """R8.20: the percentages in force at registration stay with the account."""
    op = create()
    result = apply(ctx, op)
    assert result == ObjectId(1, 2, 8)
    new = account(ctx, created(result))
    assert (new.name, new.owner, new.active, new.options) == (
        "carol",
        op.owner,
        op.active,
        op.options,
    )
    assert (new.registrar, new.referrer, new.lifetime_referrer) == (ALICE, BOB, BOB)
    assert new.network_fee_percentage == 2000
    assert new.lifetime_referrer_fee_percentage == 3000
    assert new.referrer_rewards_percentage == 4000
    assert not new.is_member(GENESIS_TIME)
    assert (new.creation_block_num, new.creation_time) == (1, GENESIS_TIME)
    statistics = ctx.state.statistics.get(new.statistics)
    assert (statistics.owner, statistics.name, statistics.pending_fees) == (new.id, "carol", 0)
    assert ctx.state.account_named("carol") is new
    assert ctx.state.dynamic.accounts_registered_this_interval == 1


def test_the_lifetime_referrer_is_the_referrer_s_own(ctx: Context) -> None:
    """R8.20: a lifetime member is its own; an annual member hands its own on."""
    annual = basic_member(ctx)
    member = ctx.state.accounts.edit(account(ctx, annual))
    member.membership_expiration_date = GENESIS_TIME
    member.lifetime_referrer = BOB
    new = account(ctx, created(apply(ctx, create(referrer=annual))))
    assert (new.referrer, new.lifetime_referrer) == (annual, BOB)


def test_only_lifetime_members_register_and_only_members_refer(ctx: Context) -> None:
    """R9.6: registrar lifetime member; R8.20: referrer any member; R0.1: both exist."""
    basic = basic_member(ctx)
    expect(ctx, NotAuthorized, create(registrar=basic))
    expect(ctx, NotAuthorized, create(referrer=basic))
    expect(ctx, NoSuchObject, create(registrar=NOBODY))
    expect(ctx, NoSuchObject, create(referrer=NOBODY))


def test_a_name_is_used_once(ctx: Context) -> None:
    """R9.6: names are unique."""
    error = expect(ctx, NameTaken, create("alice"))
    assert error.value == "alice"


def test_authorities_are_bounded_and_name_accounts_that_exist(ctx: Context) -> None:
    """R9.5: at most maximum_authority_membership entries."""
    entries = tuple(sorted((key_of(f"k{n}"), 1) for n in range(11)))
    error = expect(ctx, LimitExceeded, create(owner=Authority(1, key_auths=entries)))
    assert (error.value, error.limit) == (11, 10)
    apply(ctx, create(owner=Authority(1, key_auths=entries[:10])))
    expect(ctx, NoSuchObject, create("dave", active=Authority(1, ((NOBODY, 1),))))


def test_the_basic_fee_rises_after_many_registrations() -> None:
    """R8.21: every `accounts_per_fee_scale` registrations shift it by 4 bits."""
    schedule = with_parameters(
        replace(ZERO_FEE_SCHEDULE, scale=10_000), 5, AccountCreateFee(1, 1, 0)
    )
    parameters = ChainParameters(schedule, accounts_per_fee_scale=2)
    ctx = make_context(make_state("alice", "bob", core=10_000, parameters=parameters))
    for number, fee in enumerate((1, 1, 16, 16, 256)):
        name = f"user{number}"
        if fee > 1:
            with pytest.raises(Exception, match="insufficient_fee"):
                apply(ctx, create(name, fee=core(fee - 1)))
        apply(ctx, create(name, fee=core(fee)))


def test_votes_name_candidates_within_the_limits(ctx: Context) -> None:
    """R8.11, R8.12: candidates and proxy exist, and the wanted numbers are allowed."""
    apply(ctx, WitnessCreate(NO_FEE, ALICE, "", key_of("w")))
    apply(ctx, CommitteeMemberCreate(NO_FEE, BOB, ""))
    witness, member = vote_id(1, 0), vote_id(0, 1)

    def update(
        *votes: VoteId, num_witness: int = 0, proxy: AccountId = PROXY_TO_SELF_ACCOUNT
    ) -> AccountUpdate:
        options = AccountOptions(
            key_of("alice"), proxy, num_witness=num_witness, votes=tuple(sorted(votes))
        )
        return AccountUpdate(NO_FEE, ALICE, new_options=options)

    op = update(witness, member, num_witness=1)
    apply(ctx, op)
    assert account(ctx, ALICE).options == op.new_options
    error = expect(ctx, NoSuchObject, update(vote_id(1, 1)))
    assert error.value == "1:1"
    expect(ctx, NoSuchObject, update(vote_id(0, 0)))
    expect(ctx, NoSuchObject, update(vote_id(2, 0)))
    expect(ctx, NoSuchObject, update(proxy=NOBODY))
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        ctx.state.parameters, maximum_witness_count=0
    )
    assert expect(ctx, LimitExceeded, op).limit == 0


def test_an_update_replaces_only_what_it_gives(ctx: Context) -> None:
    """R9.6: owner, active and options change each for itself."""
    before = account(ctx, ALICE)
    owner, options = before.owner, before.options
    active = key_authority(key_of("new active"))
    apply(ctx, AccountUpdate(NO_FEE, ALICE, active=active))
    assert (before.owner, before.active, before.options) == (owner, active, options)
    new_owner = key_authority(key_of("new owner"))
    apply(ctx, AccountUpdate(NO_FEE, ALICE, owner=new_owner))
    assert (before.owner, before.active) == (new_owner, active)


def test_an_update_is_checked_like_a_registration(ctx: Context) -> None:
    """R9.5: authorities exist and are bounded."""
    expect(ctx, NoSuchObject, AccountUpdate(NO_FEE, ALICE, owner=Authority(1, ((NOBODY, 1),))))
    expect(ctx, NoSuchObject, AccountUpdate(NO_FEE, ALICE, active=Authority(1, ((NOBODY, 1),))))
    expect(ctx, ValidationError, AccountUpdate(NO_FEE, ALICE))


def test_a_listing_stands_on_both_accounts(ctx: Context) -> None:
    """R2.20: white and black are independent bits; 0 takes the account off both."""
    both = WHITE_LISTED | BLACK_LISTED
    for listing, white, black in (
        (WHITE_LISTED, (BOB,), ()),
        (both, (BOB,), (BOB,)),
        (both, (BOB,), (BOB,)),
        (BLACK_LISTED, (), (BOB,)),
        (NO_LISTING, (), ()),
    ):
        apply(ctx, AccountWhitelist(NO_FEE, ALICE, BOB, listing))
        alice, bob = account(ctx, ALICE), account(ctx, BOB)
        assert (alice.whitelisted_accounts, alice.blacklisted_accounts) == (white, black)
        assert bob.whitelisting_accounts == ((ALICE,) if white else ())
        assert bob.blacklisting_accounts == ((ALICE,) if black else ())


def test_only_lifetime_members_list_unless_all_may(ctx: Context) -> None:
    """R2.20: allow_non_member_whitelists."""
    op = AccountWhitelist(NO_FEE, basic_member(ctx), BOB, WHITE_LISTED)
    expect(ctx, NotAuthorized, op)
    expect(ctx, NoSuchObject, replace(op, authorizing_account=ALICE, account_to_list=NOBODY))
    ctx.state.global_properties.edit(ctx.state.properties).parameters = replace(
        ctx.state.parameters, allow_non_member_whitelists=True
    )
    apply(ctx, op)


def test_an_upgrade_shares_out_the_old_fees_first() -> None:
    """R8.20: fees paid before, this one included, go to the old referrers.

    1000 of fees: network 20 % = 200, lifetime referrer 30 % = 300, of the other 500 the referrer
    40 % = 200 and the registrar 300.
    """
    schedule = with_parameters(
        replace(ZERO_FEE_SCHEDULE, scale=10_000), 8, AccountUpgradeFee(0, 1000)
    )
    ctx = make_context(make_state("alice", "bob", parameters=ChainParameters(schedule)))
    new = AccountId(created(apply(ctx, create())))
    state = ctx.state
    op = AccountUpgrade(core(1000), new, upgrade_to_lifetime_member=True)
    expect(ctx, InsufficientBalance, op)
    issue(state, new, core(1000))
    apply(ctx, op)
    upgraded = account(ctx, new)
    assert upgraded.membership_expiration_date == MAX_TIMESTAMP
    assert {upgraded.registrar, upgraded.referrer, upgraded.lifetime_referrer} == {new}
    assert upgraded.lifetime_referrer_fee_percentage == 8000
    assert state.figures_of(CORE_ASSET).accumulated_fees == 200
    statistics = state.statistics.get(upgraded.statistics)
    assert statistics.pending_fees == statistics.pending_vested_fees == 0
    assert statistics.lifetime_fees_paid == 1000
    cashback = [account(ctx, who).cashback_vb for who in (BOB, ALICE)]
    shares = [state.vesting_balances.get(found).balance for found in cashback if found is not None]
    assert shares == [AssetAmount(300 + 200, CORE_ASSET), AssetAmount(300, CORE_ASSET)]


def test_lifetime_membership_is_bought_once_and_annual_never(ctx: Context) -> None:
    """R8.20: annual membership is no longer sold."""
    expect(ctx, NotAuthorized, AccountUpgrade(NO_FEE, ALICE, upgrade_to_lifetime_member=True))
    basic = basic_member(ctx)
    expect(ctx, FeatureDisabled, AccountUpgrade(NO_FEE, basic))
    apply(ctx, AccountUpgrade(NO_FEE, basic, upgrade_to_lifetime_member=True))
    expect(ctx, NotAuthorized, AccountUpgrade(NO_FEE, basic, upgrade_to_lifetime_member=True))
