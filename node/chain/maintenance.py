"""What happens once in a maintenance interval, in the order of R8.10."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.budget import process_budget
from node.chain.buyback import buy_back
from node.chain.top_holders import make_authorities_of_holders
from node.chain.votes import (
    count_votes,
    refresh_balances,
    update_active_committee,
    update_active_witnesses,
    update_worker_votes,
)
from node.evaluators.cashback import share_out_fees
from node.evaluators.custom_authority import remove_expired_custom_authorities
from node.evaluators.fees import shift_basic_account_fee
from node.market.black_swan import process_bids
from node.market.feeds import drop_old_feeds
from node.state.context import Context
from node.state.database import State
from node.state.objects.accounts import AccountStatistics
from protocol.schema import MAX_TIMESTAMP


def is_maintenance_due(state: State, block_time_s: int) -> bool:
    """Whether a block of this time is a maintenance block; the first one always is (R8.10)."""
    return state.dynamic.next_maintenance_time <= block_time_s


def perform_maintenance(ctx: Context) -> None:
    """Buy back, count votes, share out fees, give holders their authorities, elect, renew
    parameters, process BitAssets, end custom authorities, budget (R8.10).

    All votes are counted before any fee is shared out, so that a vote's weight does not depend
    on the order of accounts. Accounts that neither vote nor moved anything are not looked at.
    """
    state = ctx.state
    buy_back(ctx)
    moved = state.take_moved_statistics()
    refresh_balances(state, moved)
    tally = count_votes(ctx)
    _share_out_fees(ctx, moved)
    state.disregard_moved_statistics()
    make_authorities_of_holders(state)
    update_active_witnesses(state, tally)
    update_active_committee(state, tally)
    update_worker_votes(state, tally)
    _renew_parameters(state)
    _set_next_time(ctx)
    _process_bitassets(ctx)
    remove_expired_custom_authorities(ctx)
    process_budget(ctx)


def _share_out_fees(ctx: Context, moved: Iterable[AccountStatistics]) -> None:
    """Every account's pending fees, in ascending order of accounts (R8.20)."""
    for statistics in moved:
        if statistics.pending_fees or statistics.pending_vested_fees:
            share_out_fees(ctx, ctx.state.accounts.get(statistics.owner))


def next_maintenance_after(previous_s: int, now_s: int, interval_s: int, block_num: int) -> int:
    """Time of the maintenance after the one of block `block_num`; none after all time (R8.10)."""
    if block_num == 1:
        return min((now_s // interval_s + 1) * interval_s, MAX_TIMESTAMP)
    return min(previous_s + ((now_s - previous_s) // interval_s + 1) * interval_s, MAX_TIMESTAMP)


def _renew_parameters(state: State) -> None:
    """Take the scaling of the registration fee back, then install pending parameters (R8.21)."""
    parameters = state.parameters
    if parameters.accounts_per_fee_scale:
        steps = state.dynamic.accounts_registered_this_interval // parameters.accounts_per_fee_scale
        if steps:
            shift_basic_account_fee(state, -parameters.account_fee_scale_bitshifts * steps)
    properties = state.properties
    if properties.pending_parameters is not None:
        state.global_properties.edit(properties)
        properties.parameters = properties.pending_parameters
        properties.pending_parameters = None


def _set_next_time(ctx: Context) -> None:
    dynamic = ctx.state.dynamic_properties.edit(ctx.state.dynamic)
    dynamic.next_maintenance_time = next_maintenance_after(
        dynamic.next_maintenance_time,
        ctx.now,
        ctx.state.parameters.maintenance_interval,
        dynamic.head_block_number,
    )
    dynamic.last_vote_tally_time = ctx.now
    dynamic.accounts_registered_this_interval = 0


def _process_bitassets(ctx: Context) -> None:
    """Reset settled volumes, drop old feeds, execute bids, by ascending id (R8.10, R6.6)."""
    state = ctx.state
    for bitasset in state.bitassets.in_order():
        if bitasset.force_settled_volume:
            state.bitassets.edit(bitasset).force_settled_volume = 0
        drop_old_feeds(ctx, bitasset)
        if bitasset.is_globally_settled():
            process_bids(ctx, bitasset)
