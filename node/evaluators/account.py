"""Accounts: registration, change of keys and options, listing, membership."""

from __future__ import annotations

from node.evaluators.cashback import share_out_fees
from node.evaluators.fees import shift_basic_account_fee
from node.evaluators.membership import check_lifetime_member
from node.evaluators.special_accounts import (
    check_buyback,
    check_special_authorities,
    make_buyback_account,
    set_special_authorities,
)
from node.state.context import Context
from node.state.creation import create_account
from node.state.database import State
from node.state.errors import (
    FeatureDisabled,
    LimitExceeded,
    NameTaken,
    NoSuchObject,
    NotAuthorized,
)
from node.state.objects.accounts import Account
from protocol.authority import Authority
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import AccountId, ObjectId, VoteId, account_text, format_vote_id
from protocol.operations.account import (
    BLACK_LISTED,
    WHITE_LISTED,
    AccountCreate,
    AccountOptions,
    AccountUpdate,
    AccountUpgrade,
    AccountWhitelist,
)
from protocol.operations.results import VoidResult
from protocol.schema import MAX_TIMESTAMP

NEVER_A_MEMBER = 0
"""Membership expiration of a basic account."""


def evaluate_account_create(ctx: Context, op: AccountCreate) -> Account:
    """The referrer, once registrar, referrer, authorities, what is special about it (Y1.1, Y2.1),
    votes and name pass (R9.6)."""
    state = ctx.state
    registrar = state.accounts.get(op.registrar)
    referrer = state.accounts.get(op.referrer)

    check_lifetime_member(registrar)
    if not referrer.is_member(ctx.now):
        raise NotAuthorized(
            "the referrer is no member",
            rule="R8.20",
            value=account_text(referrer.id),
        )
    _check_authority(state, op.owner)
    _check_authority(state, op.active)
    check_special_authorities(state, op.extensions)
    if op.extensions.buyback_options is not None:
        check_buyback(state, op.extensions.buyback_options)
    _check_votes(state, op.options)
    if state.account_by_name.find(op.name) is not None:
        raise NameTaken("account name is taken", rule="R0.1", value=op.name)
    return referrer


def apply_account_create(ctx: Context, op: AccountCreate, referrer: Account) -> ObjectId:
    """Create the account with its statistics, and raise the fee when many register (R8.21)."""
    state, parameters = ctx.state, ctx.state.parameters
    account = create_account(
        state,
        op.name,
        op.owner,
        op.active,
        op.options,
        registrar=op.registrar,
        referrer=op.referrer,
        lifetime_referrer=referrer.lifetime_referrer,
        network_percent=parameters.network_percent_of_fee,
        lifetime_referrer_percent=parameters.lifetime_referrer_percent_of_fee,
        referrer_percent=op.referrer_percent,
        now=ctx.block_time,
        block_num=ctx.block_num,
    )
    set_special_authorities(state, account, op.extensions, is_own=True)
    if op.extensions.buyback_options is not None:
        make_buyback_account(state, account, op.extensions.buyback_options)
    _count_registration(state)
    return state.accounts.object_id(account.id)


def _count_registration(state: State) -> None:
    parameters = state.parameters
    dynamic = state.dynamic_properties.edit(state.dynamic)
    dynamic.accounts_registered_this_interval += 1
    per_scale = parameters.accounts_per_fee_scale
    if per_scale and dynamic.accounts_registered_this_interval % per_scale == 0:
        shift_basic_account_fee(state, parameters.account_fee_scale_bitshifts)


def evaluate_account_update(ctx: Context, op: AccountUpdate) -> None:
    """New authorities and votes name what exists, within the limits (R9.5, R8.12)."""
    state = ctx.state
    state.accounts.get(op.account)

    if op.owner is not None:
        _check_authority(state, op.owner)
    if op.active is not None:
        _check_authority(state, op.active)
    check_special_authorities(state, op.extensions)
    if op.new_options is not None:
        _check_votes(state, op.new_options)


def apply_account_update(ctx: Context, op: AccountUpdate, checked: None) -> VoidResult:
    """Replace what the operation gives; another opinion is fresh again (K4.5)."""
    options = ctx.state.accounts.get(op.account).options
    account = ctx.state.accounts.edit(ctx.state.accounts.get(op.account))
    if op.owner is not None:
        account.owner = op.owner
    if op.active is not None:
        account.active = op.active
    is_own = op.owner is not None or op.active is not None
    set_special_authorities(ctx.state, account, op.extensions, is_own=is_own)
    if op.new_options is not None:
        account.options = op.new_options
        if (options.voting_account, options.votes) != (
            op.new_options.voting_account,
            op.new_options.votes,
        ):
            statistics = ctx.state.statistics
            statistics.edit(statistics.get(account.statistics)).last_vote_time = ctx.now
    return VoidResult()


def evaluate_account_whitelist(ctx: Context, op: AccountWhitelist) -> None:
    """Both accounts exist; whoever lists is a lifetime member, unless all may (R2.20)."""
    state = ctx.state
    lister = state.accounts.get(op.authorizing_account)
    state.accounts.get(op.account_to_list)

    if not state.parameters.allow_non_member_whitelists:
        check_lifetime_member(lister)


def apply_account_whitelist(ctx: Context, op: AccountWhitelist, checked: None) -> VoidResult:
    """Write the listing on both accounts."""
    accounts = ctx.state.accounts
    is_white = bool(op.new_listing & WHITE_LISTED)
    is_black = bool(op.new_listing & BLACK_LISTED)

    listed = accounts.edit(accounts.get(op.account_to_list))
    listed.whitelisting_accounts = _with_member(
        listed.whitelisting_accounts, op.authorizing_account, present=is_white
    )
    listed.blacklisting_accounts = _with_member(
        listed.blacklisting_accounts, op.authorizing_account, present=is_black
    )
    lister = accounts.edit(accounts.get(op.authorizing_account))
    lister.whitelisted_accounts = _with_member(
        lister.whitelisted_accounts, op.account_to_list, present=is_white
    )
    lister.blacklisted_accounts = _with_member(
        lister.blacklisted_accounts, op.account_to_list, present=is_black
    )
    return VoidResult()


def evaluate_account_upgrade(ctx: Context, op: AccountUpgrade) -> None:
    """Only lifetime membership is sold, and only once (R8.20)."""
    account = ctx.state.accounts.get(op.account_to_upgrade)

    if account.is_lifetime_member():
        raise NotAuthorized(
            "already a lifetime member", rule="R8.20", value=account_text(op.account_to_upgrade)
        )
    if not op.upgrade_to_lifetime_member:
        raise FeatureDisabled("annual membership is no longer sold", rule="R8.20", value=False)


def apply_account_upgrade(ctx: Context, op: AccountUpgrade, checked: None) -> VoidResult:
    """Share out what was paid so far, this fee included, then make it its own referrer chain."""
    account = ctx.state.accounts.get(op.account_to_upgrade)
    share_out_fees(ctx, account)
    ctx.state.accounts.edit(account)
    account.membership_expiration_date = MAX_TIMESTAMP
    account.registrar = account.referrer = account.lifetime_referrer = op.account_to_upgrade
    account.lifetime_referrer_fee_percentage = HUNDRED_PERCENT - account.network_fee_percentage
    return VoidResult()


def _check_authority(state: State, authority: Authority) -> None:
    limit = state.parameters.maximum_authority_membership
    if authority.size() > limit:
        raise LimitExceeded(
            "authority has too many entries", rule="R9.5", value=authority.size(), limit=limit
        )
    for account, _ in authority.account_auths:
        state.accounts.get(account)


def _check_votes(state: State, options: AccountOptions) -> None:
    """The wanted numbers are within the chain's, and proxy and candidates exist (R8.11, R8.12)."""
    parameters = state.parameters
    for field, wanted, limit in (
        ("num_witness", options.num_witness, parameters.maximum_witness_count),
        ("num_committee", options.num_committee, parameters.maximum_committee_count),
    ):
        if wanted > limit:
            raise LimitExceeded(f"{field} is too high", rule="R8.12", value=wanted, limit=limit)
    state.accounts.get(options.voting_account)
    if options.votes:
        candidates = _candidates(state)
        for vote in options.votes:
            if vote not in candidates:
                raise NoSuchObject("no such candidate", rule="R8.12", value=format_vote_id(vote))


def _candidates(state: State) -> frozenset[VoteId]:
    """Everything that can be voted for; only ever asked whether it holds a vote."""
    return frozenset(
        [
            *(item.vote_id for item in state.committee_members.rows.values()),
            *(item.vote_id for item in state.witnesses.rows.values()),
            *(item.vote_for for item in state.workers.rows.values()),
        ]
    )


def _with_member(
    members: tuple[AccountId, ...], account: AccountId, *, present: bool
) -> tuple[AccountId, ...]:
    others = [member for member in members if member != account]
    return tuple(sorted([*others, account])) if present else tuple(others)
