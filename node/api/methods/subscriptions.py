"""Database API: what the connection wants to be told of."""

from __future__ import annotations

from node.api.arguments import AssetArg, Boolean, Callback
from node.api.call import Answer, Call
from node.history.figures import market_of


def set_subscribe_callback(
    call: Call, callback: Callback, notify_remove_create: Boolean = False
) -> Answer:
    """Tell of every change of the objects that are read from now on.

    With `notify_remove_create`, also of every object that is created or removed.
    """
    call.session.subscriptions.follow_objects(callback, all_new_and_removed=notify_remove_create)
    return None


def set_auto_subscription(call: Call, enable: Boolean) -> Answer:
    """Whether reading an object subscribes to it."""
    call.session.subscriptions.follows_reads = enable
    return None


def set_pending_transaction_callback(call: Call, callback: Callback) -> Answer:
    """Tell of each transaction that enters the pending pool."""
    call.session.subscriptions.follow_pending(callback)
    return None


def set_block_applied_callback(call: Call, callback: Callback) -> Answer:
    """Tell the id of each block that is applied."""
    call.session.subscriptions.follow_blocks(callback)
    return None


def subscribe_to_market(call: Call, callback: Callback, a: AssetArg, b: AssetArg) -> Answer:
    """Tell of fills, orders and positions of a market."""
    call.session.subscriptions.follow_market(callback, market_of(a.id, b.id))
    return None


def unsubscribe_from_market(call: Call, a: AssetArg, b: AssetArg) -> Answer:
    """Tell no more of a market."""
    call.session.subscriptions.leave_market(market_of(a.id, b.id))
    return None


def cancel_all_subscriptions(call: Call) -> Answer:
    """Tell nothing more."""
    call.session.subscriptions.cancel_all()
    return None


METHODS = (
    set_subscribe_callback,
    set_auto_subscription,
    set_pending_transaction_callback,
    set_block_applied_callback,
    subscribe_to_market,
    unsubscribe_from_market,
    cancel_all_subscriptions,
)
