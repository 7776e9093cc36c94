"""API 1: how much one call may ask for, by the names that BitShares' operators set it with."""

from __future__ import annotations

from collections.abc import Callable

from node.api.arguments import parameters_of
from node.api.call import Answer, Call
from node.api.errors import AccessDenied
from node.api.full_account import LIST_MAX
from node.api.methods import (
    accounts,
    asset_holders,
    assets,
    credit,
    funds,
    history,
    htlc,
    market,
    orders,
    pools,
    storage,
    tickets,
    voting,
)
from node.api.subscriptions import SUBSCRIPTIONS_MAX
from protocol.json_form import JsonValue

Method = Callable[..., Answer]

LIMITED: dict[str, Method] = {
    "get_account_history": history.get_account_history,
    "get_account_history_operations": history.get_account_history_operations,
    "get_account_history_by_operations": history.get_account_history_by_operations,
    "get_relative_account_history": history.get_relative_account_history,
    "get_trade_history": market.get_trade_history,
    "get_trade_history_by_sequence": market.get_trade_history_by_sequence,
    "get_liquidity_pool_history": pools.get_liquidity_pool_history,
    "get_top_markets": market.get_top_markets,
    "get_assets": assets.list_assets,
    "get_asset_holders": asset_holders.get_asset_holders,
    "get_key_references": accounts.get_key_references,
    "get_full_accounts": accounts.get_full_accounts,
    "get_top_voters": accounts.get_top_voters,
    "get_limit_orders": market.get_limit_orders,
    "get_limit_orders_by_account": market.get_limit_orders_by_account,
    "get_account_limit_orders": market.get_account_limit_orders,
    "get_grouped_limit_orders": orders.get_grouped_limit_orders,
    "get_order_book": market.get_order_book,
    "get_call_orders": market.get_call_orders,
    "get_settle_orders": market.get_settle_orders,
    "get_collateral_bids": market.get_collateral_bids,
    "lookup_accounts": accounts.lookup_accounts,
    "lookup_witness_accounts": voting.lookup_witness_accounts,
    "lookup_committee_member_accounts": voting.lookup_committee_member_accounts,
    "lookup_vote_ids": voting.lookup_vote_ids,
    "list_htlcs": htlc.list_htlcs,
    "get_htlc_by": htlc.get_htlc_by_from,
    "get_withdraw_permissions_by_giver": accounts.get_withdraw_permissions_by_giver,
    "get_withdraw_permissions_by_recipient": accounts.get_withdraw_permissions_by_recipient,
    "get_tickets": tickets.list_tickets,
    "get_liquidity_pools": pools.list_liquidity_pools,
    "get_samet_funds": funds.list_samet_funds,
    "get_credit_offers": credit.list_credit_offers,
    "get_storage_info": storage.get_storage_info,
}
"""BitShares' name of a limit, and the method whose declaration has it."""


def get_config(call: Call) -> Answer:
    """Limits of this node's answers; refused after `logout`."""
    if not call.session.is_logged_in:
        raise AccessDenied("Access denied, please login", rule="T-A4")
    answer: dict[str, JsonValue] = {
        "enable_subscribe_to_all": True,
        "has_api_helper_indexes_plugin": True,
        "has_market_history_plugin": True,
        "api_limit_get_market_history": history.BUCKETS_MAX,
        "api_limit_get_full_accounts_lists": LIST_MAX,
        "api_limit_get_full_accounts_subscribe": SUBSCRIPTIONS_MAX,
    }
    for name, method in LIMITED.items():
        (limit,) = {one.argument.maximum for one in parameters_of(method)} - {0}
        answer[f"api_limit_{name}"] = limit
    return answer


METHODS = (get_config,)
