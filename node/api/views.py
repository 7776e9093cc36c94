"""Objects of the state in BitShares' JSON shapes.

The state keeps only what consensus needs; clients expect more keys. What BitShares derives is
derived here (Y5, Y9.2), and what belongs to features this node does not execute is the constant
that a chain without them shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from msgspec.structs import astuple

from node.api.backend import ApiBackend
from node.history.records import (
    AccountOperation,
    Bucket,
    DaySummary,
    FillRecord,
    Market,
    OperationRecord,
)
from node.market.pricing import initial_collateralization, maintenance_collateralization
from node.state.objects.accounts import (
    NO_HOLDERS,
    NO_TICKETS,
    Account,
    AccountBalance,
    AccountStatistics,
)
from node.state.objects.assets import AssetDynamicData, BitassetData
from node.state.objects.base import StateObject
from node.state.objects.governance import ChainProperties, DynamicGlobalProperties, Worker
from node.state.objects.market import CallOrder, CollateralBid, LimitOrder
from node.state.objects.tickets import STATUS_NAMES, Ticket
from node.state.objects.vesting import BALANCE_NAMES, VestingBalance
from protocol.asset import NULL_PRICE, AssetAmount, Price
from protocol.block import BlockEnvelope, BlockHeader
from protocol.ids import (
    AccountHistoryId,
    BucketId,
    FillId,
    MarketTickerId,
    OperationHistoryId,
    account_history_text,
    account_text,
    asset_text,
    bucket_text,
    fill_text,
    format_vote_id,
    market_ticker_text,
    operation_text,
    vote_id,
)
from protocol.json_form import JsonValue, encoder_of, format_time, to_json, to_json_as
from protocol.operations import OperationResult
from protocol.operations.account import (
    COMMITTEE_VOTE,
    WORKER_VOTE,
    SpecialAuthority,
    TopHoldersSpecialAuthority,
)
from protocol.operations.base import Operation, TaggedOperation, Void
from protocol.operations.ticket import TicketType
from protocol.schema import StructType, schema_of
from protocol.transaction import ProcessedTransaction, SignedTransaction

Json = dict[str, JsonValue]
"""An operation as [id, fields]."""
T = TypeVar("T", bound=StateObject)
View = Callable[[ApiBackend, StateObject], Json]

NEVER = format_time(0)
MAINTENANCE_FLAG = 1
"""Bit of `dynamic_flags`."""


def view_object(backend: ApiBackend, item: StateObject) -> Json:
    """Any object of the state."""
    special = VIEWS.get(type(item))
    return _fields(backend, item) if special is None else special(backend, item)


def view_account(backend: ApiBackend, account: Account) -> Json:
    """An account (1.2.n)."""
    fields, special = _fields(backend, account), account.special or NO_HOLDERS
    fields.pop("special", None)

    def view(authority: TopHoldersSpecialAuthority | None) -> JsonValue:
        return to_json_as(SpecialAuthority, authority or Void(), backend.address_prefix)

    return fields | {
        "owner_special_authority": view(special.owner),
        "active_special_authority": view(special.active),
        "num_committee_voted": account.options.number_of_votes(COMMITTEE_VOTE),
        "top_n_control_flags": special.top_n_control_flags,
    }


def view_statistics(backend: ApiBackend, item: AccountStatistics) -> Json:
    """The figures of an account (2.6.n); votes count as of the last maintenance (R8.11)."""
    account = backend.state.accounts.get(item.owner)
    total = backend.history.operation_count(item.owner)
    newest = backend.history.newest_entry(item.owner)
    fields = _fields(backend, item)
    for name in ("voting_stake", "voting_power", "tickets"):
        fields.pop(name, None)
    return (
        fields
        | _voting_powers(item)
        | cast(Json, to_json(item.tickets or NO_TICKETS, backend.address_prefix))
        | {
            "has_cashback_vb": account.cashback_vb is not None,
            "is_voting": account.options.is_voting(),
            "most_recent_op": account_history_text(AccountHistoryId(newest or 0)),
            "total_ops": total,
            "removed_ops": 0,
        }
    )


def _voting_powers(item: AccountStatistics) -> Json:
    """The stake of an account's opinion, by what it votes for; one unless it decays (K4.7)."""
    stake, power = item.voting_stake, item.voting_power
    powers = (stake,) * 4 if power is None else astuple(power)
    names = ("vp_active", "vp_committee", "vp_witness", "vp_worker")
    amounts = {"vp_all": stake, **dict(zip(names, powers, strict=True))}
    return {name: wide_integer(amount) for name, amount in amounts.items()}


def view_ticket(backend: ApiBackend, item: Ticket) -> Json:
    """Locked CORE (1.18.n); types and status by their names (K1.2)."""
    return _fields(backend, item) | {
        "target_type": TicketType(item.target_type).name.lower(),
        "current_type": TicketType(item.current_type).name.lower(),
        "status": STATUS_NAMES[item.status],
    }


def view_balance(backend: ApiBackend, item: AccountBalance) -> Json:
    """What an account holds of an asset (2.5.n)."""
    return _fields(backend, item) | {"maintenance_flag": False}


def view_asset_dynamic_data(backend: ApiBackend, item: AssetDynamicData) -> Json:
    """Supply, fees and fee pool (2.3.n)."""
    return _fields(backend, item) | {"confidential_supply": 0}


def view_bitasset(backend: ApiBackend, item: BitassetData) -> Json:
    """The data of a BitAsset (2.4.n), with the ratios as prices, collateral first."""
    feed = item.median_feed
    has_feed = item.has_feed()
    maintenance = maintenance_collateralization(feed) if has_feed else NULL_PRICE
    initial = initial_collateralization(feed) if has_feed else NULL_PRICE
    fields = _fields(backend, item)
    for mark in ("median_updated", "is_reprice_due", "were_requests_done"):
        del fields[mark]
    return fields | {
        "current_maintenance_collateralization": view_price(backend, maintenance),
        "current_initial_collateralization": view_price(backend, initial),
    }


def view_limit_order(backend: ApiBackend, order: LimitOrder) -> Json:
    """An order of the book (1.7.n)."""
    return _fields(backend, order) | {
        "filled_amount": str(order.filled_amount),
    }


def view_call_order(backend: ApiBackend, order: CallOrder) -> Json:
    """A position (1.8.n); clients take its two assets from `call_price`, of which the amounts
    have meant nothing since BitShares sorts positions by their ratio."""
    fields = _fields(backend, order)
    del fields["debt_asset"], fields["collateral_asset"]
    price = Price(AssetAmount(1, order.collateral_asset), AssetAmount(1, order.debt_asset))
    return fields | {"call_price": view_price(backend, price)}


def view_worker(backend: ApiBackend, worker: Worker) -> Json:
    """A worker (1.14.n); nobody votes against workers any more, but each has an id for it."""
    against = vote_id(WORKER_VOTE, (worker.vote_for >> 8) + 1)
    return _fields(backend, worker) | {
        "vote_against": format_vote_id(against),
        "total_votes_against": 0,
    }


def view_collateral_bid(backend: ApiBackend, bid: CollateralBid) -> Json:
    """An offer for the debt of a globally settled BitAsset (2.17.n)."""
    return {
        "id": str(backend.state.collateral_bids.object_id(bid.id)),
        "bidder": account_text(bid.bidder),
        "inv_swan_price": view_price(backend, Price(bid.additional_collateral, bid.debt_covered)),
    }


def view_vesting_balance(backend: ApiBackend, item: VestingBalance) -> Json:
    """A balance released over time (1.13.n)."""
    return _fields(backend, item) | {"balance_type": BALANCE_NAMES[item.balance_type]}


def view_dynamic_properties(backend: ApiBackend, item: DynamicGlobalProperties) -> Json:
    """The head of the chain (2.1.0)."""
    fields = _fields(backend, item)
    flag = fields.pop("maintenance_flag")
    return fields | {
        "dynamic_flags": MAINTENANCE_FLAG if flag else 0,
    }


def view_chain_properties(backend: ApiBackend, item: ChainProperties) -> Json:
    """What genesis fixed (2.11.0); our own options are told by `pegboard.get_node_info`."""
    fields = _fields(backend, item)
    return {key: fields[key] for key in ("id", "chain_id", "immutable_parameters")}


def view_header(backend: ApiBackend, envelope: BlockEnvelope) -> Json:
    """A block's header without its signature."""
    header = envelope.header
    return cast(
        Json,
        to_json(
            BlockHeader(
                header.previous,
                header.timestamp,
                header.witness,
                header.transaction_merkle_root,
                header.extensions,
            ),
            backend.address_prefix,
        ),
    )


def view_block(backend: ApiBackend, envelope: BlockEnvelope) -> Json:
    """A block with its transactions and what their operations answered."""
    return cast(Json, to_json(envelope.block, backend.address_prefix))


def view_transaction(
    backend: ApiBackend, transaction: SignedTransaction | ProcessedTransaction
) -> JsonValue:
    """A transaction, with the answers of its operations when it was applied."""
    return to_json(transaction, backend.address_prefix)


def view_operation(backend: ApiBackend, op: Operation) -> JsonValue:
    """An operation as [id, fields]."""
    return to_json_as(TaggedOperation, op, backend.address_prefix)


def view_result(backend: ApiBackend, result: OperationResult) -> JsonValue:
    """What an operation answered, as [kind, value]."""
    return to_json_as(OperationResult, result, backend.address_prefix)


def view_operation_record(backend: ApiBackend, record: OperationRecord) -> Json:
    """One entry of an account's history (1.11.n)."""
    return {
        "id": operation_text(OperationHistoryId(record.instance)),
        "op": view_operation(backend, record.op),
        "result": view_result(backend, record.result),
        "block_num": record.block_num,
        "block_time": format_time(record.block_time),
        "trx_in_block": record.trx_in_block,
        "op_in_trx": record.op_in_trx,
        "virtual_op": record.virtual_op,
        "is_virtual": record.is_virtual,
    }


def view_account_operation(backend: ApiBackend, entry: AccountOperation) -> Json:
    """That an operation is in an account's history (2.9.n); `next` is the one before it there."""
    first = entry.number == 1
    before = None if first else backend.history.entry_id(entry.account, entry.number - 1)
    return {
        "id": account_history_text(entry.instance),
        "account": account_text(entry.account),
        "operation_id": operation_text(entry.operation),
        "sequence": entry.number,
        "next": account_history_text(AccountHistoryId(before or 0)),
    }


def view_day(day: DaySummary, market: Market) -> Json:
    """A market in the last 24 hours (5.2.n); the prices as two amounts each."""
    before = day.day_ago or NULL_PRICE
    return {
        "id": market_ticker_text(MarketTickerId(day.instance)),
        "base": asset_text(market[0]),
        "quote": asset_text(market[1]),
        "last_day_base": wide_integer(before.base.amount),
        "last_day_quote": wide_integer(before.quote.amount),
        "latest_base": wide_integer(day.latest.base.amount),
        "latest_quote": wide_integer(day.latest.quote.amount),
        "base_volume": str(day.base_volume),
        "quote_volume": str(day.quote_volume),
    }


def view_fill(backend: ApiBackend, fill: FillRecord) -> Json:
    """One side of a trade; its sequence counts downwards, so that the newest sorts first."""
    return {
        "id": fill_text(FillId(fill.instance)),
        "key": {
            "base": asset_text(fill.market[0]),
            "quote": asset_text(fill.market[1]),
            "sequence": -fill.sequence,
        },
        "time": format_time(fill.time),
        "op": to_json(fill.op, backend.address_prefix),
    }


def view_bucket(bucket: Bucket) -> Json:
    """The trades of one span of time; the prices as two amounts each."""
    prices = (
        ("open", bucket.opening),
        ("close", bucket.close),
        ("high", bucket.high),
        ("low", bucket.low),
    )
    answer: Json = {}
    for name, price in prices:
        answer[f"{name}_base"] = wide_integer(price.base.amount)
        answer[f"{name}_quote"] = wide_integer(price.quote.amount)
    key: Json = {
        "base": asset_text(bucket.market[0]),
        "quote": asset_text(bucket.market[1]),
        "seconds": bucket.seconds,
        "open": format_time(bucket.open_time),
    }
    return answer | {
        "id": bucket_text(BucketId(bucket.instance)),
        "key": key,
        "base_volume": wide_integer(bucket.base_volume),
        "quote_volume": wide_integer(bucket.quote_volume),
    }


def view_record(backend: ApiBackend, record: object) -> Json:
    """A record of the history with all its fields; those of a record in it stand beside them.

    A null price is null.
    """
    answer: Json = {}
    cls: type = type(record)
    for field in schema_of(cls).fields:
        value = getattr(record, field.name)
        if isinstance(value, Price) and value.is_null():
            answer[field.json_name] = None
        elif isinstance(field.type, StructType) and not isinstance(value, AssetAmount | Price):
            answer |= view_record(backend, value)
        else:
            answer[field.json_name] = encoder_of(field.type)(value, backend.address_prefix)
    return answer


def view_amount(backend: ApiBackend, amount: AssetAmount) -> JsonValue:
    """An amount of an asset in smallest units."""
    return to_json(amount, backend.address_prefix)


def view_price(backend: ApiBackend, price: Price) -> JsonValue:
    """A price as two amounts."""
    return to_json(price, backend.address_prefix)


def wide_integer(value: int) -> JsonValue:
    """An integer as BitShares writes an int64: a string where JavaScript could mangle it."""
    return value if -(1 << 31) <= value < 1 << 31 else str(value)


def _fields(backend: ApiBackend, item: StateObject) -> Json:
    return cast(Json, to_json(item, backend.address_prefix))


def _typed(view: Callable[[ApiBackend, T], Json]) -> View:
    return cast(View, view)


VIEWS: dict[type, View] = {
    Account: _typed(view_account),
    AccountStatistics: _typed(view_statistics),
    AccountBalance: _typed(view_balance),
    AssetDynamicData: _typed(view_asset_dynamic_data),
    BitassetData: _typed(view_bitasset),
    LimitOrder: _typed(view_limit_order),
    CallOrder: _typed(view_call_order),
    CollateralBid: _typed(view_collateral_bid),
    VestingBalance: _typed(view_vesting_balance),
    Ticket: _typed(view_ticket),
    Worker: _typed(view_worker),
    DynamicGlobalProperties: _typed(view_dynamic_properties),
    ChainProperties: _typed(view_chain_properties),
}
"""The types whose JSON differs from their declared fields."""
