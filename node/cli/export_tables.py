"""The five files that `pegboard export` writes: which columns, and what they mean."""

from __future__ import annotations

from collections.abc import Callable

from node.cli.client import JsonObject, as_int, as_list, as_object
from node.cli.export_columns import (
    Column,
    Field,
    Table,
    Unit,
    amount,
    any_amount,
    boolean,
    constant,
    integer,
    price,
    text,
    time,
)

_PLACE = (
    integer("block_num", "number of the block"),
    time("block_time", "time of the block"),
)


def _assets(base: Unit, quote: Unit) -> tuple[Field, Field]:
    return (
        constant("base", "asset whose amount a price tells", base.symbol),
        constant("quote", "asset for one of which it tells it", quote.symbol),
    )


def trades_table(base: Unit, quote: Unit) -> Table:
    """Trades of a market: one row a match, margin calls included."""
    sides = [
        field
        for side in ("maker", "taker")
        for field in (
            text(side, f"account of the {side}", f"{side}.account_name"),
            text(f"{side}_id", f"id of the {side}'s account", f"{side}.account"),
            text(f"{side}_order", f"order or position of the {side}", f"{side}.order"),
            any_amount(f"{side}_fee", f"what the {side} paid", (base, quote), f"{side}.fee"),
        )
    ]
    return Table(
        (
            *_PLACE,
            integer("sequence", "number within the market; rises with each trade"),
            *_assets(base, quote),
            price("price", "price of the match, base per quote", base, quote),
            amount("base_amount", "what changed hands of the base", base, "base_amount"),
            amount("quote_amount", "what changed hands of the quote", quote, "quote_amount"),
            boolean("is_margin_call", "whether a side is a called position (R4.7)"),
            *sides,
        )
    )


def trade_record(record: JsonObject) -> JsonObject:
    """A trade as `list_trades` tells it, with its two amounts under the names of their columns."""
    base, quote = as_list(record["amounts"])
    return {**record, "base_amount": base, "quote_amount": quote}


def feeds_table(asset: Unit, backing: Unit) -> Table:
    """Medians of a BitAsset's feeds: one row a change."""
    return Table(
        (
            *_PLACE,
            integer("instance", "number among all medians of the chain"),
            *_assets(asset, backing),
            price("price", "median price (R1.16); empty without one", asset, backing, _FED),
            integer("mcr", "maintenance collateral ratio, over 1,000", _MCR),
            integer("msqr", "maximum short squeeze ratio, over 1,000", _MSQR),
            integer("feed_count", "feeds that were live"),
            time("publication_time", "time of the oldest feed in the median"),
        )
    )


_FED = "settlement_price"
_MCR = "maintenance_collateral_ratio"
_MSQR = "maximum_short_squeeze_ratio"


def calls_table(asset: Unit, backing: Unit) -> Table:
    """Margin calls of a BitAsset: one row a fill of a called position (R4.7)."""

    def fed(name: str, meaning: str, path: str = "") -> Field:
        return price(name, meaning, asset, backing, path)

    return Table(
        (
            *_PLACE,
            integer("instance", "number among all margin calls of the chain"),
            *_assets(asset, backing),
            text("account", "the borrower", "account_name"),
            text("account_id", "id of the borrower's account", "account"),
            text("position", "id of the position"),
            text("trigger", "what called it, bid or feed (R4.2)"),
            fed("settlement_price", "median feed that was in force"),
            integer("mcr", "maintenance collateral ratio, over 1,000", _MCR),
            fed("call_price", "where the position was called"),
            fed("margin_call_order_price", "worst bid that could be taken (R1.8)"),
            fed("bid_price", "the bid that was taken"),
            text("bid", "id of that order"),
            text("bidder_id", "id of its owner", "bidder"),
            amount("debt_before", "debt before", asset),
            amount("collateral_before", "collateral before", backing),
            amount("debt_covered", "debt that was covered", asset),
            amount("collateral_paid", "collateral that went, fee included", backing),
            amount("margin_call_fee", "fee in it", backing),
            amount("debt_after", "debt after", asset),
            amount("collateral_after", "collateral after", backing),
            integer("ratio_before", "collateral ratio before, over 1,000", f"{_RATIO}_before"),
            integer("ratio_after", "collateral ratio after; empty if closed", f"{_RATIO}_after"),
            boolean("is_closed", "whether it was closed"),
            text("explanation", "why and how, in sentences"),
        )
    )


_RATIO = "collateral_ratio"


def positions_table(asset: Unit, backing: Unit) -> Table:
    """Positions of a BitAsset at one block, least collateralised first."""
    return Table(
        (
            *_PLACE,
            *_assets(asset, backing),
            text("position", "id of the position", "id"),
            text("borrower", "the borrower", "borrower_name"),
            text("borrower_id", "id of the borrower's account", "borrower"),
            amount("debt", "debt", asset),
            amount("collateral", "collateral", backing),
            integer("ratio", "collateral ratio, over 1,000; empty without a feed", _RATIO),
            price("call_price", "where it is called; empty without a feed", asset, backing),
            boolean("is_called", "whether the highest bid calls it (R4.2)"),
            integer("target_ratio", "up to where a call covers", "target_collateral_ratio"),
        )
    )


BLOCKS = Table(
    (
        *_PLACE,
        text("block_id", "id of the block"),
        text("previous", "id of the block before"),
        text("witness_id", "id of its producer", "witness"),
        text("witness", "account of its producer", "witness_name"),
        integer("transactions", "transactions in it", "transaction_count"),
        integer("operations", "operations in them", "operation_count"),
    )
)
"""Blocks of the main chain: records of `block_record`, each with the name of its producer."""


def block_record(num: int, block_id: str, block: JsonObject) -> JsonObject:
    """A block as `get_blocks` tells it, with its number, id and counts."""
    transactions = as_list(block["transactions"])
    operations = (len(as_list(as_object(one)["operations"])) for one in transactions)
    return {
        **block,
        "block_num": num,
        "block_id": block_id,
        "block_time": block["timestamp"],
        "transaction_count": len(transactions),
        "operation_count": sum(operations),
    }


def as_of(record: JsonObject, head: JsonObject) -> JsonObject:
    """A position with the block that left it so."""
    return {
        **record,
        "block_num": as_int(head["head_block_number"]),
        "block_time": head["head_block_time"],
    }


_TABLES: dict[str, Callable[[Unit, Unit], Table]] = {
    "trades": trades_table,
    "feeds": feeds_table,
    "calls": calls_table,
    "positions": positions_table,
    "blocks": lambda *_: BLOCKS,
}
NAMES = tuple(_TABLES)
"""What can be exported."""


def columns_of(name: str) -> tuple[Column, ...]:
    """The columns of one of `NAMES`, whatever the market."""
    return _TABLES[name](Unit("", "SYMBOL", 0), Unit("", "OTHER", 0)).columns
