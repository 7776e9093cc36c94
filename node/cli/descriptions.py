"""Operations, orders and positions in a line for people."""

from __future__ import annotations

from collections.abc import Callable

from node.cli.client import JsonObject, as_int, as_list, as_object, as_text
from node.cli.remote_chain import RemoteAsset, RemoteChain
from protocol.ids import CallOrderId, ForceSettlementId, LimitOrderId, asset_text, parse_object_id
from protocol.json_form import JsonValue
from protocol.operations import ENTRY_OF, OPERATIONS, operation_name
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetSettle,
    AssetSettleCancel,
    BidCollateral,
    ExecuteBid,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import FillOrder, LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.wording import format_units_ratio


def describe_record(chain: RemoteChain, record: JsonObject) -> str:
    """A record of an account's history (1.11.n)."""
    tag, fields = as_list(record["op"])
    return describe_operation(chain, as_int(tag), as_object(fields), as_int(record["block_num"]))


def describe_operation(
    chain: RemoteChain, tag: int, fields: JsonObject, block_num: int | None = None
) -> str:
    """An operation: who, what, how much; with its block, whether a fill was a global settlement."""
    if tag == FILL_ORDER and block_num is not None:
        return _fill_order(chain, fields, block_num)
    describe = _WORDS.get(tag)
    if describe is not None:
        return describe(chain, fields)
    name = operation_name(tag).replace("_", " ")
    entry = OPERATIONS.get(tag)
    payer = fields.get(entry.fee_payer.removesuffix("_")) if entry is not None else None
    return f"{chain.account_name(as_text(payer))}: {name}" if payer else name


def describe_order(chain: RemoteChain, order: JsonObject) -> str:
    """A limit order (1.7.n): what it gives, what it asks for."""
    base, quote = _price_sides(order["sell_price"])
    sold = chain.asset(as_text(base["asset_id"]))
    bought = chain.asset(as_text(quote["asset_id"]))
    for_sale = as_int(order["for_sale"])
    wanted = for_sale * as_int(quote["amount"]) // as_int(base["amount"])
    return f"{order['id']}: {sold.format(for_sale)} for {bought.format(wanted)}"


def describe_position(chain: RemoteChain, position: JsonObject) -> str:
    """A position (1.8.n): its debt and its collateral."""
    base, quote = _price_sides(position["call_price"])
    backing = chain.asset(as_text(base["asset_id"]))
    debt = chain.asset(as_text(quote["asset_id"]))
    owed, held = as_int(position["debt"]), as_int(position["collateral"])
    return f"{position['id']}: owes {debt.format(owed)}, holds {backing.format(held)}"


def format_price(price: JsonValue, base: RemoteAsset, quote: RemoteAsset) -> str:
    """A price as whole units of `base` for one of `quote`, 8 decimals, rounded down; - if null."""
    sides = {as_text(side["asset_id"]): as_int(side["amount"]) for side in _price_sides(price)}
    units = sides.get(asset_text(base.id), 0), sides.get(asset_text(quote.id), 0)
    return format_ratio(*units, base, quote)


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


def _transfer(chain: RemoteChain, fields: JsonObject) -> str:
    sender, receiver = (chain.account_name(as_text(fields[side])) for side in ("from", "to"))
    memo = " with a memo" if fields.get("memo") else ""
    return f"{sender} sends {chain.format_amount(fields['amount'])} to {receiver}{memo}"


def _limit_order_create(chain: RemoteChain, fields: JsonObject) -> str:
    seller = chain.account_name(as_text(fields["seller"]))
    gives, wants = (
        chain.format_amount(fields[side]) for side in ("amount_to_sell", "min_to_receive")
    )
    return f"{seller} offers {gives} for {wants}"


def _limit_order_cancel(chain: RemoteChain, fields: JsonObject) -> str:
    return f"{chain.account_name(as_text(fields['fee_paying_account']))} cancels {fields['order']}"


def _call_order_update(chain: RemoteChain, fields: JsonObject) -> str:
    account = chain.account_name(as_text(fields["funding_account"]))
    debt, collateral = as_object(fields["delta_debt"]), as_object(fields["delta_collateral"])
    parts = []
    for delta, up, down in ((debt, "borrows", "pays back"), (collateral, "locks", "frees")):
        amount = as_int(delta["amount"])
        if amount:
            text = chain.format_amount({**delta, "amount": abs(amount)})
            parts.append(f"{up if amount > 0 else down} {text}")
    return f"{account} {' and '.join(parts)}"


def _fill_order(chain: RemoteChain, fields: JsonObject, block_num: int = 0) -> str:
    account = chain.account_name(as_text(fields["account_id"]))
    order = as_text(fields["order_id"])
    found = parse_object_id(order)
    kind = next((word for id_type, word in _FILLED if found.is_of(id_type)), "fill")
    if found.is_of(CallOrderId) and fields["is_maker"]:
        asset = chain.asset(as_text(as_object(fields["receives"])["asset_id"]))
        is_global = block_num in chain.global_settlements(asset)
        kind = f"position settled{' globally' if is_global else ''}"
    pays, receives = (chain.format_amount(fields[side]) for side in ("pays", "receives"))
    fee = ""
    if as_int(as_object(fields["fee"])["amount"]):
        fee = chain.format_amount(fields["fee"])
        # A position pays its fee on top of what the other side gets; the others get less by it.
        if found.is_of(CallOrderId):
            pays += f", of which {fee} to the issuer,"
            return f"{kind}: {account} pays {pays} for {receives} ({order})"
        fee = f" less a fee of {fee}"
    return f"{kind}: {account} pays {pays} for {receives}{fee} ({order})"


def _asset_settle(chain: RemoteChain, fields: JsonObject) -> str:
    account = chain.account_name(as_text(fields["account"]))
    return f"{account} asks to settle {chain.format_amount(fields['amount'])}"


def _publish_feed(chain: RemoteChain, fields: JsonObject) -> str:
    asset = chain.asset(as_text(fields["asset_id"]))
    price = as_object(fields["feed"])["settlement_price"]
    backing = chain.asset(as_text(as_object(as_object(price)["quote"])["asset_id"]))
    publisher = chain.account_name(as_text(fields["publisher"]))
    text = format_price(price, asset, backing)
    return f"{publisher} publishes {text} {asset.display_symbol} for 1 {backing.display_symbol}"


def _global_settle(chain: RemoteChain, fields: JsonObject) -> str:
    asset = chain.asset(as_text(fields["asset_to_settle"]))
    backing = chain.asset(as_text(_price_sides(fields["settle_price"])[1]["asset_id"]))
    issuer = chain.account_name(as_text(fields["issuer"]))
    price = format_price(fields["settle_price"], asset, backing)
    return (
        f"{issuer} settles all {asset.display_symbol} at {price} {asset.display_symbol}"
        f" for 1 {backing.display_symbol}"
    )


def _settle_cancel(chain: RemoteChain, fields: JsonObject) -> str:
    account, amount = chain.account_name(as_text(fields["account"])), fields["amount"]
    return f"settlement ended: {account} gets {chain.format_amount(amount)} back"


def _bid_collateral(chain: RemoteChain, fields: JsonObject) -> str:
    bidder = chain.account_name(as_text(fields["bidder"]))
    debt = as_object(fields["debt_covered"])
    if not as_int(debt["amount"]):
        return f"{bidder}'s bid for {chain.asset(as_text(debt['asset_id'])).display_symbol} ends"
    collateral = chain.format_amount(fields["additional_collateral"])
    return f"{bidder} bids {collateral} to take over {chain.format_amount(debt)} of debt"


def _execute_bid(chain: RemoteChain, fields: JsonObject) -> str:
    bidder = chain.account_name(as_text(fields["bidder"]))
    debt, collateral = (chain.format_amount(fields[side]) for side in ("debt", "collateral"))
    return f"revived: {bidder} takes over {debt} of debt with {collateral}"


def describe_event(chain: RemoteChain, asset: RemoteAsset, event: JsonObject) -> str:
    """A turn in the life of a BitAsset that no operation records."""
    name, kind = asset.display_symbol, as_text(event["event"])
    if kind == "global_settlement":
        backing = chain.backing_asset(asset)
        price = format_price(event["settlement_price"], asset, backing)
        fund = backing.format(as_int(event["settlement_fund"]))
        unit = f"{name} for 1 {backing.display_symbol}"
        return f"{name} is settled globally at {price} {unit}; fund {fund}"
    return {
        "revival": f"{name} lives again after its global settlement",
        "feed_expired": f"the oldest feed of {name} has expired",
    }.get(kind, f"{name}: {kind.replace('_', ' ')}")


FILL_ORDER = ENTRY_OF[FillOrder].id
_FILLED = (
    (LimitOrderId, "trade"),
    (CallOrderId, "position called"),
    (ForceSettlementId, "settlement"),
)

_WORDS: dict[int, Callable[[RemoteChain, JsonObject], str]] = {
    ENTRY_OF[cls].id: describe
    for cls, describe in (
        (Transfer, _transfer),
        (LimitOrderCreate, _limit_order_create),
        (LimitOrderCancel, _limit_order_cancel),
        (CallOrderUpdate, _call_order_update),
        (FillOrder, _fill_order),
        (AssetSettle, _asset_settle),
        (AssetPublishFeed, _publish_feed),
        (AssetGlobalSettle, _global_settle),
        (AssetSettleCancel, _settle_cancel),
        (BidCollateral, _bid_collateral),
        (ExecuteBid, _execute_bid),
    )
}
