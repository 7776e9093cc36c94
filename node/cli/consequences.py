"""What a transaction caused in its block, and what it leaves waiting, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

from node.cli.client import JsonObject, as_int, as_list, as_object, as_objects, as_text
from node.cli.descriptions import (
    describe_event,
    describe_order,
    describe_record,
    describe_ticket,
)
from node.cli.program import command_name
from node.cli.remote_chain import EVENTS_MAX, NoSuchName, RemoteAsset, RemoteChain
from node.cli.standing import Market, Reason, settlement_queue
from node.cli.transactions import Broadcast
from node.market.credit import credit_fee
from node.state.objects.credit import CreditDeal
from protocol.asset import AssetAmount
from protocol.ids import AssetId, account_text, asset_text, htlc_text
from protocol.json_form import JsonValue, format_time, from_json, parse_time
from protocol.operations import Operation
from protocol.operations.bitasset import AssetPublishFeed, AssetSettle, BidCollateral
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import CreditOfferAccept
from protocol.operations.htlc import HtlcCreate, HtlcRedeem
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.ticket import TicketCreate
from protocol.schema import Record
from protocol.wording import count_of


class Sent(NamedTuple):
    """An operation that is in a block, and what it answered."""

    operation: Operation
    result: JsonValue


class Consequences(Record):
    """What the chain did by itself, line by line, and what waits."""

    caused: tuple[str, ...]
    waiting: tuple[Reason, ...]

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.caused:
            yield "in the same block, by the chain:"
            yield from (f"  {line}" for line in self.caused)
        if self.waiting:
            yield "now:"
            for reason in self.waiting:
                yield from reason.lines()

    def to_json(self) -> dict[str, JsonValue]:
        """For programs."""
        return {
            "caused": list(self.caused),
            "waiting": [reason.to_json() for reason in self.waiting],
        }


def consequences(chain: RemoteChain, done: Broadcast) -> Consequences:
    """What followed from a transaction that is in a block: nothing, for most operations."""
    if done.block_num is None:
        return Consequences((), ())
    assets = {asset for operation in done.operations for asset in _assets_of(operation)}
    caused = what_the_chain_did(chain, done.block_num, assets) if assets else []
    caused += _redemptions(chain, done)
    waiting: list[Reason] = []
    for operation, result in zip(done.operations, done.results, strict=True):
        look = WAITING.get(type(operation))
        if look is not None:
            waiting += look(chain, Sent(operation, result))
    return Consequences(tuple(caused), tuple(waiting))


def what_the_chain_did(chain: RemoteChain, block_num: int, assets: set[AssetId]) -> list[str]:
    """Fills and other turns of a block that are about some assets, and no others."""
    known = {asset_text(asset) for asset in assets}
    records = as_objects(chain.client.call("history", "get_block_operation_history", block_num))
    lines = [
        describe_record(chain, record)
        for record in records
        if record.get("is_virtual") and assets_in(as_list(record["op"])[1]) <= known
    ]
    return [*lines, *event_lines(chain, block_num, known)]


def _redemptions(chain: RemoteChain, done: Broadcast) -> list[str]:
    """What contracts paid whose preimages were shown."""
    shown = {htlc_text(op.htlc_id) for op in done.operations if isinstance(op, HtlcRedeem)}
    if not shown:
        return []
    answer = chain.client.call("history", "get_block_operation_history", done.block_num)
    return [
        describe_record(chain, record)
        for record in as_objects(answer)
        if record.get("is_virtual") and as_object(as_list(record["op"])[1]).get("htlc_id") in shown
    ]


def event_lines(chain: RemoteChain, block_num: int, assets: Iterable[str]) -> list[str]:
    """Global settlements, revivals and expired feeds of a block, of some assets."""
    return [describe_event(chain, *turn) for turn in events_of(chain, block_num, assets)]


def events_of(
    chain: RemoteChain, block_num: int, assets: Iterable[str]
) -> Iterator[tuple[RemoteAsset, JsonObject]]:
    """The same as the node tells them, each with its asset."""
    for asset in sorted(assets):
        found = chain.asset(asset)
        if found.bitasset_data_id is None:
            continue
        events = chain.client.call("pegboard", "get_asset_events", found.symbol, 0, EVENTS_MAX)
        yield from (
            (found, event) for event in as_objects(events) if event["block_num"] == block_num
        )


def assets_in(value: JsonValue) -> set[str]:
    """The assets that the amounts of an operation are of, apart from the CORE of free fees."""
    if isinstance(value, list):
        return set().union(*map(assets_in, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    if value.keys() >= {"amount", "asset_id"}:
        return {as_text(value["asset_id"])} if as_int(value["amount"]) else set()
    return set().union(*map(assets_in, value.values()))


def _assets_of(operation: Operation) -> set[AssetId]:
    if isinstance(operation, LimitOrderCreate):
        return {operation.amount_to_sell.asset_id, operation.min_to_receive.asset_id}
    if isinstance(operation, CallOrderUpdate):
        return {operation.delta_debt.asset_id, operation.delta_collateral.asset_id}
    if isinstance(operation, AssetPublishFeed):
        price = operation.feed.settlement_price
        return {price.base.asset_id, price.quote.asset_id}
    if isinstance(operation, AssetSettle):
        return {operation.amount.asset_id}
    if isinstance(operation, HtlcCreate):
        return {operation.amount.asset_id}
    if isinstance(operation, CreditOfferAccept):
        return {operation.borrow_amount.asset_id, operation.collateral.asset_id}
    if isinstance(operation, BidCollateral):
        return {operation.debt_covered.asset_id, operation.additional_collateral.asset_id}
    return set()


def _asset(chain: RemoteChain, amount: AssetAmount) -> RemoteAsset:
    return chain.asset(asset_text(amount.asset_id))


def _order(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """A limit order that rests, or what is left of it."""
    order_id = as_text(as_list(sent.result)[1])
    try:
        order = chain.object(order_id)
    except NoSuchName:
        return
    yield Reason(f"order {describe_order(chain, order)} rests in the book", "R2.3")


def _position(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """Who is called next, where the position that was changed is below the MCR."""
    op = cast(CallOrderUpdate, sent.operation)
    market = Market(chain, _asset(chain, op.delta_debt))
    name = chain.account_name(op.funding_account)
    if any(position["borrower_name"] == name for position in market.below_mcr()):
        reason = market.next_call()
        if reason is not None:
            yield reason


def _settlement(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """A request that waits; redemption from a fund waits for nothing."""
    op = cast(AssetSettle, sent.operation)
    market = Market(chain, _asset(chain, op.amount))
    made = as_object(as_list(sent.result)[1]).get("new_objects") or []
    for request, reason in settlement_queue(market):
        if request["id"] in as_list(made):
            yield reason


def _feed(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """The median that the feed made, how long it counts, and which positions wait below it."""
    op = cast(AssetPublishFeed, sent.operation)
    market = Market(chain, chain.asset(asset_text(op.asset_id)))
    feeds = as_list(chain.bitasset(market.asset)["feeds"])
    median = as_object(market.data["feed"])["settlement_price"]
    yield Reason(
        f"the median of {count_of(len(feeds), 'feed')} is {market.price(median)} {market.unit}",
        "R1.16",
    )
    yield _feed_end(chain, op, market)
    if market.below_mcr():
        reason = market.next_call()
        if reason is not None:
            yield Reason(f"{market.below_line()} below the MCR; {reason.text}", reason.rule)


def _feed_end(chain: RemoteChain, op: AssetPublishFeed, market: Market) -> Reason:
    """Until when a price counts that was published by hand, and what comes back then."""
    data, name = chain.bitasset(market.asset), chain.account_name(op.publisher)
    published = next(
        as_text(as_list(stamped)[0])
        for publisher, stamped in map(as_list, as_list(data["feeds"]))
        if publisher == account_text(op.publisher)
    )
    at = parse_time(published)
    sources = as_objects(chain.info().get("feeds") or [])
    for source in sources:
        if source["asset"] == market.asset.symbol and name in as_list(source["publishers"]):
            again = format_time(at + as_int(source["interval_s"]))
            return Reason(
                f"this price ends at {again}: {name}'s node then publishes {source['source']}"
                f" again; `{command_name()} up --feed {market.asset.symbol}=none` stops it",
                "R1.15",
            )
    lifetime = as_int(as_object(data["options"])["feed_lifetime_sec"])
    return Reason(
        f"this price counts until {format_time(at + lifetime)}, or until {name} publishes another",
        "R1.15",
    )


def _bid(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """A bid that waits for the maintenance at which all bids together may revive the asset."""
    op = cast(BidCollateral, sent.operation)
    if op.debt_covered.amount:
        when = chain.head()["next_maintenance_time"]
        yield Reason(
            f"the bid for {chain.format_amount(op.debt_covered)} with"
            f" {chain.format_amount(op.additional_collateral)} waits for the maintenance at {when}",
            "R6.6",
        )


def _htlc(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """A contract that waits for its preimage."""
    htlc_id = as_text(as_list(sent.result)[1])
    try:
        htlc = chain.object(htlc_id)
    except NoSuchName:
        return
    end = as_object(as_object(htlc["conditions"])["time_lock"])["expiration"]
    yield Reason(f"{htlc_id} waits for its preimage; the amount returns at {end}", "H5.1")


def _loan(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """What a deal waits for: its repayment, or else its end."""
    (made,) = as_list(as_object(as_list(sent.result)[1])["new_objects"])
    try:
        deal = from_json(CreditDeal, chain.object(as_text(made)), chain.prefix)
    except NoSuchName:
        return
    fee = AssetAmount(credit_fee(deal.debt_amount, deal.fee_rate), deal.debt_asset)
    yield Reason(
        f"{made} waits for {chain.format_amount(deal.debt)} and a fee of"
        f" {chain.format_amount(fee)} until {format_time(deal.latest_repay_time)};"
        f" then {chain.format_amount(deal.collateral)} are the lender's",
        "O8",
    )


def _ticket(chain: RemoteChain, sent: Sent) -> Iterator[Reason]:
    """A new ticket that works up to its type."""
    ticket = chain.object(as_text(as_list(sent.result)[1]))
    yield Reason(f"ticket {describe_ticket(chain, ticket)}", "K3.2")


WAITING: dict[type[Any], Callable[[RemoteChain, Sent], Iterator[Reason]]] = {
    LimitOrderCreate: _order,
    CallOrderUpdate: _position,
    AssetSettle: _settlement,
    AssetPublishFeed: _feed,
    BidCollateral: _bid,
    HtlcCreate: _htlc,
    CreditOfferAccept: _loan,
    TicketCreate: _ticket,
}
"""What is left to wait, by the operation that left it."""
