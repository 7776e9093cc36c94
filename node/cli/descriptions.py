"""Operations, orders and positions in a line for people."""

from __future__ import annotations

from typing import cast

from node.cli.client import JsonObject, as_int, as_list, as_object, as_text
from node.cli.remote_chain import RemoteAsset, RemoteChain
from node.explain.deeds import describe, describe_turn
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.authority import Authority
from protocol.crypto.keys import key_text
from protocol.ids import AccountId, AssetId, CallOrderId, asset_text
from protocol.json_form import JsonValue, format_time, from_json, from_json_as
from protocol.operations import OPERATIONS
from protocol.operations.base import Operation, TaggedOperation
from protocol.operations.limit_order import FillOrder
from protocol.schema import MAX_TIMESTAMP
from protocol.wording import count_of, format_decimal, format_units_ratio

NEVER = format_time(MAX_TIMESTAMP)


class RemoteNames:
    """What the accounts and assets of a node's chain are called."""

    def __init__(self, chain: RemoteChain) -> None:
        self._chain = chain

    def account(self, account: AccountId) -> str:
        """See `Names.account`."""
        return self._chain.account_name(account)

    def symbol(self, asset_id: AssetId) -> str:
        """See `Names.symbol`."""
        return self._chain.asset(asset_text(asset_id)).display_symbol

    def amount(self, amount: AssetAmount) -> str:
        """See `Names.amount`."""
        return self._chain.format_amount(amount)

    def price(self, price: Price) -> str:
        """See `Names.price`."""
        sides = price.base, price.quote
        base, quote = (self._chain.asset(asset_text(side.asset_id)) for side in sides)
        return format_ratio(sides[0].amount, sides[1].amount, base, quote)


def read_operation(chain: RemoteChain, data: JsonValue) -> Operation:
    """An operation from JSON."""
    return cast(Operation, from_json_as(TaggedOperation, data, chain.prefix))


def describe_record(chain: RemoteChain, record: JsonObject) -> str:
    """A record of an account's history (1.11.n)."""
    op, how = read_operation(chain, record["op"]), None
    if isinstance(op, FillOrder) and op.order_id.is_of(CallOrderId) and op.is_maker:
        asset = chain.asset(asset_text(op.receives.asset_id))
        if as_int(record["block_num"]) in chain.global_settlements(asset):
            how = "settled globally"
    return describe(op, RemoteNames(chain), how=how)


def describe_operation(chain: RemoteChain, data: JsonValue) -> str:
    """An operation from JSON: who, what, how much."""
    return describe(read_operation(chain, data), RemoteNames(chain))


def describe_order(chain: RemoteChain, order: JsonObject) -> str:
    """A limit order (1.7.n): what it gives, what it asks for."""
    base, quote = _price_sides(order["sell_price"])
    sold = chain.asset(as_text(base["asset_id"]))
    bought = chain.asset(as_text(quote["asset_id"]))
    for_sale = as_int(order["for_sale"])
    wanted = for_sale * as_int(quote["amount"]) // as_int(base["amount"])
    text = f"{order['id']}: {sold.format(for_sale)} for {bought.format(wanted)}"
    for entry in as_list(order["on_fill"]):
        spread = as_int(as_object(as_list(entry)[1])["spread_percent"])
        text += f", then again {format_decimal(spread, 2)} % dearer"
    return text


def describe_position(chain: RemoteChain, position: JsonObject) -> str:
    """A position (1.8.n): its debt and its collateral."""
    base, quote = _price_sides(position["call_price"])
    backing = chain.asset(as_text(base["asset_id"]))
    debt = chain.asset(as_text(quote["asset_id"]))
    owed, held = as_int(position["debt"]), as_int(position["collateral"])
    return f"{position['id']}: owes {debt.format(owed)}, holds {backing.format(held)}"


def describe_custom_authority(chain: RemoteChain, custom: JsonObject) -> str:
    """A custom authority (1.17.n): who may do what, until when."""
    authority = from_json(Authority, custom["auth"], chain.prefix)
    names = [chain.account_name(account) for account, _ in authority.account_auths]
    keys = [key_text(key, chain.prefix) for key, _ in authority.key_auths]
    operation = OPERATIONS[as_int(custom["operation_type"])].name
    count = count_of(len(as_list(custom["restrictions"])), "restriction")
    state = "" if custom["enabled"] else ", switched off"
    who = ", ".join((*names, *keys)) or "everybody"
    return f"{custom['id']}: {operation} by {who}, {count}, until {custom['valid_to']}{state}"


def describe_htlc(chain: RemoteChain, htlc: JsonObject) -> str:
    """A hash time lock contract (1.16.n): what waits, between whom, until when."""
    transfer = as_object(htlc["transfer"])
    creator, to = (chain.account_name(as_text(transfer[side])) for side in ("from", "to"))
    end = as_object(as_object(htlc["conditions"])["time_lock"])["expiration"]
    return f"{htlc['id']}: {chain.format_amount(transfer)} of {creator} for {to} until {end}"


def describe_ticket(chain: RemoteChain, ticket: JsonObject) -> str:
    """A ticket (1.18.n): how much is locked how far, and what becomes of it next."""
    amount, current = chain.format_amount(ticket["amount"]), as_text(ticket["current_type"])
    text = f"{ticket['id']}: {amount}, {current.replace('_', ' ')}, {ticket['status']}"
    if ticket["target_type"] != current:
        text += f" to {as_text(ticket['target_type']).replace('_', ' ')}"
    next_time = as_text(ticket["next_auto_update_time"])
    return text if next_time == NEVER else f"{text}, next at {next_time}"


def format_price(price: JsonValue, base: RemoteAsset, quote: RemoteAsset) -> str:
    """A price as whole units of `base` for one of `quote`, 8 decimals, rounded down; - if null."""
    return format_ratio(*units_in(price, base, quote), base, quote)


def units_in(price: JsonValue, base: RemoteAsset, quote: RemoteAsset) -> tuple[int, int]:
    """Smallest units of two assets in a price, whichever way round it stands."""
    sides = {as_text(side["asset_id"]): as_int(side["amount"]) for side in _price_sides(price)}
    return sides.get(asset_text(base.id), 0), sides.get(asset_text(quote.id), 0)


def format_ratio(base_units: int, quote_units: int, base: RemoteAsset, quote: RemoteAsset) -> str:
    """A price given by two amounts of smallest units; see `format_price`."""
    return format_units_ratio(base_units, quote_units, (base.precision, quote.precision))


def price_text(units: tuple[int, int], base: RemoteAsset, quote: RemoteAsset) -> str:
    """A price of two amounts for people: of a BitAsset, whichever way it was given, in it."""
    if base.bitasset_data_id is None and quote.bitasset_data_id is not None:
        units, base, quote = (units[1], units[0]), quote, base
    ratio = format_ratio(*units, base, quote)
    return f"{ratio} {base.display_symbol} for 1 {quote.display_symbol}"


def price_units(price: JsonValue) -> tuple[int, int]:
    """Smallest units of both sides of a price."""
    base, quote = _price_sides(price)
    return as_int(base["amount"]), as_int(quote["amount"])


def _price_sides(price: JsonValue) -> tuple[JsonObject, JsonObject]:
    fields = as_object(price)
    return as_object(fields["base"]), as_object(fields["quote"])


def describe_event(chain: RemoteChain, asset: RemoteAsset, event: JsonObject) -> str:
    """A turn in the life of a BitAsset that no operation records."""
    fund = chain.backing_asset(asset).of(as_int(event["settlement_fund"]))
    told = event["settlement_price"]
    price = NULL_PRICE if told is None else from_json(Price, told, chain.prefix)
    return describe_turn(asset.id, as_text(event["event"]), price, fund, RemoteNames(chain))
