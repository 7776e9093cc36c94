"""What an account has, for `wallet balances` and `show account`."""

from __future__ import annotations

from collections.abc import Iterator

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.descriptions import (
    describe_custom_authority,
    describe_htlc,
    describe_order,
    describe_position,
    describe_ticket,
)
from node.cli.remote_chain import RemoteAccount, RemoteAsset, RemoteChain
from node.cli.sessions import Session
from protocol.authority import Authority
from protocol.crypto.keys import key_text
from protocol.ids import account_text, asset_text
from protocol.json_form import JsonValue
from protocol.wording import count_of

Balances = list[tuple[RemoteAsset, int]]
"""Assets, and amounts in their smallest units."""


def account_balances(chain: RemoteChain, name: str) -> Balances:
    """Every balance of an account that is not zero."""
    found = as_objects(chain.client.call("database", "get_account_balances", name, []))
    return [(chain.asset(as_text(item["asset_id"])), as_int(item["amount"])) for item in found]


def balance_json(asset: RemoteAsset, amount: int) -> JsonValue:
    """A balance as commands print it."""
    return {
        "asset": asset.symbol,
        "asset_id": asset_text(asset.id),
        "amount": str(amount),
        "amount_text": asset.format(amount),
    }


def show_holdings(
    session: Session, account: RemoteAccount, *, with_authorities: bool = False
) -> None:
    """Print an account's balances, positions, orders, requests, contracts and tickets."""
    chain = session.chain
    found = account_balances(chain, account.name)
    full = as_list(chain.client.call("database", "get_full_accounts", [account.name], False))
    holdings = as_object(as_list(full[0])[1])
    document: JsonObject = {
        "account": account.name,
        "id": account_text(account.id),
        "balances": [balance_json(asset, amount) for asset, amount in found],
        "positions": holdings.get("call_orders", []),
        "orders": holdings.get("limit_orders", []),
        "settlements": holdings.get("settle_orders", []),
        "htlcs_from": holdings.get("htlcs_from", []),
        "htlcs_to": holdings.get("htlcs_to", []),
        "custom_authorities": chain.client.call("pegboard", "get_custom_authorities", account.name),
        "tickets": chain.client.call("database", "get_tickets_by_account", account.name),
    }
    lines = list(_lines(chain, account, found, document))
    if with_authorities:
        document["details"] = holdings["account"]
        lines[1:1] = [
            f"  owner: {_authority_text(chain, account.owner)}",
            f"  active: {_authority_text(chain, account.active)}",
            *_special_lines(chain, as_object(holdings["account"])),
        ]
    session.output.answer(document, lines)


def _lines(
    chain: RemoteChain, account: RemoteAccount, balances: Balances, document: JsonObject
) -> Iterator[str]:
    yield f"{account.name} ({account_text(account.id)})"
    for asset, amount in balances:
        yield f"  {asset.format(amount)}"
    for position in as_objects(document["positions"]):
        yield f"  position {describe_position(chain, position)}"
    for order in as_objects(document["orders"]):
        yield f"  order {describe_order(chain, order)}"
    for request in as_objects(document["settlements"]):
        waiting = chain.format_amount(request["balance"])
        yield f"  settlement {request['id']}: {waiting} due {request['settlement_date']}"

    for name in ("htlcs_from", "htlcs_to"):
        for htlc in as_objects(document[name]):
            yield f"  contract {describe_htlc(chain, htlc)}"
    for custom in as_objects(document["custom_authorities"]):
        yield f"  custom authority {describe_custom_authority(chain, custom)}"
    for ticket in as_objects(document["tickets"]):
        yield f"  ticket {describe_ticket(chain, ticket)}"


def _special_lines(chain: RemoteChain, account: JsonObject) -> Iterator[str]:
    """Whose holders decide for an account, and what it buys back."""
    for side in ("owner", "active"):
        number, value = as_list(account[f"{side}_special_authority"])
        if number:
            holders = as_object(value)
            count = count_of(as_int(holders["num_top_holders"]), "largest holder")
            symbol = chain.asset(as_text(holders["asset"])).display_symbol
            yield f"  {side} authority at each maintenance: {count} of {symbol}"
    if "allowed_assets" in account:
        allowed = as_list(account["allowed_assets"])
        symbols = [chain.asset(as_text(asset)).display_symbol for asset in allowed]
        yield f"  buys back at each maintenance; may hold {', '.join(symbols)}"


def _authority_text(chain: RemoteChain, authority: Authority) -> str:
    entries = [(key_text(key, chain.prefix), weight) for key, weight in authority.key_auths]
    entries += [(chain.account_name(item), weight) for item, weight in authority.account_auths]
    parts = ", ".join(
        name if weight == 1 else f"{name} (weight {weight})" for name, weight in entries
    )
    return f"{authority.weight_threshold} of {parts or 'nobody'}"
