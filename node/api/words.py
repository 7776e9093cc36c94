"""BitShares' words for our refusals, which its clients look for in messages.

A program that is told "now <= trx.expiration" asks for the time again and repeats its call; one
that finds "Insufficient Balance" tells its user. Our own name, words and numbers stand before.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from node.api.decimals import amount_text
from node.state.database import State
from node.state.errors import InsufficientBalance
from protocol.errors import PegboardError
from protocol.schema import Record

ASSERTION = "Assert Exception"


class Words(Record, gc=True):
    """What BitShares says where we refuse with a name, if our sentence is the given one, too."""

    name: str
    text: str | Callable[[State, PegboardError], str]
    """May hold {value}, {limit} and the groups of `what` as {0}, {1}."""
    kind: str = ASSERTION
    """What kind of exception BitShares calls it; "" where its message names none."""
    what: str = ""
    """Pattern for all of our sentence; "" for any."""


def _balance_words(state: State, error: PegboardError) -> str:
    """Who holds how much of what, and what would be needed, in whole units."""
    assert isinstance(error, InsufficientBalance)
    if error.asset_id is None or error.holder is None:
        return "Insufficient Balance: insufficient balance"
    asset, held, wanted = state.assets.get(error.asset_id), error.value, error.limit
    assert isinstance(held, int), held
    assert isinstance(wanted, int), wanted
    condition = "abo->get_balance() >= -delta" if held else "delta.amount > 0"
    return (
        f"{condition}: Insufficient Balance: {state.accounts.get(error.holder).name}'s balance of"
        f" {amount_text(held, asset)} {asset.symbol} is less than required"
        f" {amount_text(wanted, asset)} {asset.symbol}: insufficient balance"
    )


NO_OBJECT = "maybe_found != nullptr: Unable to find Object {value}"

WORDS = (
    Words("parse_error", "Invalid JSON message", kind=""),
    Words(
        "method_not_found",
        "_local_apis.size() > api_id: ",
        what="no such API on this connection",
    ),
    Words("method_not_found", "Method not found: No method with name '{value}'", kind=""),
    Words("is_allowed", "is_allowed: Access denied"),
    Words("no_such_object", "account: no such account", what="no such account"),
    Words("no_such_object", "asset: no such asset", what="no such asset"),
    Words("no_such_object", NO_OBJECT),
    Words("nonexist_order", NO_OBJECT + ": Limit order {value} does not exist"),
    Words("owner_mismatch", "Limit order is owned by someone else"),
    Words("insufficient_balance", _balance_words),
    Words("insufficient_fee", "core_fee_paid >= required_core_fee: Insufficient Fee Paid"),
    Words(
        "insufficient_fee_pool",
        "core_fee_paid <= fee_asset_dyn_data->fee_pool: Fee pool balance of '{value}' is less than"
        " the {limit} required to convert",
    ),
    Words("transaction_expired", "now <= trx.expiration: "),
    Words(
        "expiration_too_far",
        "trx.expiration <= now + chain_parameters.maximum_time_until_expiration: ",
    ),
    Words(
        "invalid_reference_block",
        "trx.ref_block_prefix == tapos_block_summary.block_id._hash[1].value(): ",
    ),
    Words("transaction_too_large", "Transaction exceeds maximum transaction size."),
    Words(
        "duplicate_transaction",
        "Transaction is already in the database",
        kind="duplicate transaction",
    ),
    Words("missing_active_auth", "Missing Active Authority {value}", kind=""),
    Words("missing_owner_auth", "Missing Owner Authority {value}", kind=""),
    Words("missing_other_auth", "Missing Authority", kind=""),
    Words("irrelevant_sig", "Unnecessary signature(s) detected", kind=""),
    Words("duplicate_sig", "Duplicate Signature detected", kind=""),
    Words("validation_error", "{0}.amount > 0: ", what=r"(\w+) must be positive"),
    Words("validation_error", "is_valid_name( name ): ", what="not an account name"),
    Words(
        "validation_error",
        "operations.size() > 0: A transaction must have at least one operation",
        what="transaction without operations",
    ),
    Words("validation_error", "from != to: ", what="sender and receiver are the same"),
    Words(
        "validation_error",
        "amount_to_sell.asset_id != min_to_receive.asset_id: ",
        what="an asset is sold for itself",
    ),
    Words(
        "name_taken",
        "current_account_itr == acnt_indx.indices().get<by_name>().end(): Account '{value}'"
        " already exists.",
        what="account name is taken",
    ),
    Words("name_taken", "asset_symbol_itr == asset_indx.end(): ", what="symbol is taken"),
    Words("expired", "op.expiration >= d.head_block_time(): "),
    Words("kill_unfilled", "Killing limit order due to unable to fill"),
    Words("market_not_whitelisted", "This market has not been whitelisted by the selling asset"),
    Words("market_blacklisted", "This market has been blacklisted by the selling asset"),
    Words("selling_asset_unauthorized", "The account is not allowed to transact the selling asset"),
    Words(
        "receiving_asset_unauthorized",
        "The account is not allowed to transact the receiving asset",
    ),
    Words("insufficient_feeds", "Cannot borrow asset with no price feed."),
    Words(
        "globally_settled",
        "Cannot update debt position when the asset has been globally settled",
    ),
    Words(
        "would_black_swan",
        "Updating call order would trigger a margin call that cannot be fully filled",
    ),
    Words(
        "below_required_ratio",
        "Updating call order would trigger a margin call that cannot be fully filled",
    ),
)
"""The first that fits counts."""


def core_words(state: State, error: PegboardError) -> str:
    """What BitShares says of a refusal; "" where none of its clients is known to look for it."""
    for words in WORDS:
        found = re.fullmatch(words.what or ".*", error.what) if words.name == error.name else None
        if found is None:
            continue
        if callable(words.text):
            text = words.text(state, error)
        else:
            text = words.text.format(*found.groups(), value=error.value, limit=error.limit)
        return f"{words.kind}: {text}" if words.kind else text
    return ""
