"""`pegboard export`: what happened and what stands, as files for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from node.cli.client import JsonObject, as_text
from node.cli.export_columns import Table, Unit, unit_of
from node.cli.export_files import STANDARD_OUTPUT, WRITERS, check_target, target
from node.cli.export_pages import ChainMoved, History, Positions
from node.cli.export_tables import (
    NAMES,
    blocks_table,
    calls_table,
    feeds_table,
    positions_table,
    table_of,
    trade_record,
    trades_table,
)
from node.cli.output import Output
from node.cli.output import table as make_table
from node.cli.sessions import Session, chain_options, output_options
from protocol.json_form import JsonValue
from protocol.wording import count_of

Command = TypeVar("Command", bound=Callable[..., Any])

ATTEMPTS = 5
"""How often positions are read because a block came in between two pages."""
TYPES = {
    "integer": "int64",
    "decimal": "decimal128",
    "text": "string",
    "boolean": "bool",
    "time": "timestamp, UTC",
}

FORMAT = click.option(
    "--format",
    "file_format",
    type=click.Choice([*WRITERS]),
    default="csv",
    show_default=True,
    help="Form of the file; Parquet needs pip install 'pegboard[parquet]'.",
)
OUT = click.option(
    "--out",
    default=STANDARD_OUTPUT,
    show_default=True,
    metavar="FILE",
    help="File that is written, whole or not at all; - is standard output.",
)
FROM = click.option(
    "--from",
    "first",
    metavar="PLACE",
    help="First block, by its number or a time in UTC such as 2026-01-31T12:00:00.  [default: 1]",
)
TO = click.option(
    "--to",
    "last",
    metavar="PLACE",
    help="Last block, likewise, or `irreversible`.  [default: the head as the command starts]",
)


def _history_options(command: Command) -> Command:
    for option in (OUT, FORMAT, TO, FROM):
        command = option(command)
    return command


@click.group()
def export() -> None:
    """Write trades, feeds, margin calls, positions or blocks as CSV or Parquet.

    Oldest first, each once, up to one block, however many come in meanwhile. Amounts stand in
    smallest units and, as NAME_decimal, in whole ones with all decimals; prices rounded down to 8
    decimals and exactly, as two amounts. Times are UTC. `pegboard export columns trades` tells all
    names, types and meanings.

    \b
    pegboard export trades bitUSD --out trades.csv
    pegboard export calls bitUSD --format parquet --out calls.parquet
    pegboard export blocks --from 2026-01-31 --to irreversible
    """


@export.command()
@click.argument("symbol")
@click.argument("other", required=False)
@_history_options
@chain_options
def trades(
    session: Session,
    symbol: str,
    other: str | None,
    first: str | None,
    last: str | None,
    file_format: str,
    out: str,
) -> None:
    """The trades of two assets; OTHER is the backing asset or the core token if left out.

    Prices are SYMBOL for one OTHER. Margin calls are trades; settlements are none (R5.5).
    """
    check_target(out, file_format)
    base, quote = session.chain.market(symbol, other)
    history = History(session.chain.client, first, last)
    records = map(trade_record, history.records("list_trades", base.symbol, quote.symbol))
    table = trades_table(unit_of(base), unit_of(quote))
    _write_history(session, "trade", table, records, history, file_format, out)


@export.command()
@click.argument("symbol")
@_history_options
@chain_options
def feeds(
    session: Session,
    symbol: str,
    first: str | None,
    last: str | None,
    file_format: str,
    out: str,
) -> None:
    """The medians of a BitAsset's feeds, each in force until the next (R1.16)."""
    check_target(out, file_format)
    name, market = _bitasset(session, symbol)
    history = History(session.chain.client, first, last)
    records = history.records("list_feeds", name)
    _write_history(session, "median", feeds_table(*market), records, history, file_format, out)


@export.command()
@click.argument("symbol")
@_history_options
@chain_options
def calls(
    session: Session,
    symbol: str,
    first: str | None,
    last: str | None,
    file_format: str,
    out: str,
) -> None:
    """The margin calls of a BitAsset, each with its reason (R4.2)."""
    check_target(out, file_format)
    name, market = _bitasset(session, symbol)
    history = History(session.chain.client, first, last)
    records = history.records("list_margin_calls", name)
    _write_history(session, "margin call", calls_table(*market), records, history, file_format, out)


@export.command()
@click.argument("symbol")
@FORMAT
@OUT
@chain_options
def positions(session: Session, symbol: str, file_format: str, out: str) -> None:
    """The positions of a BitAsset as one block left them, least collateralised first."""
    check_target(out, file_format)
    name, market = _bitasset(session, symbol)
    table = positions_table(*market)
    for attempt in reversed(range(ATTEMPTS)):
        found = Positions(session.chain.client, name)
        facts: JsonObject = {
            "block_num": found.head["head_block_number"],
            "block_id": found.head["head_block_id"],
        }
        try:
            _write(session, "position", table, found.records(), facts, file_format, out)
            return
        except ChainMoved:
            if not attempt:
                raise


@export.command()
@_history_options
@chain_options
def blocks(
    session: Session, first: str | None, last: str | None, file_format: str, out: str
) -> None:
    """The blocks of the chain, with their producers and counts."""
    check_target(out, file_format)
    names: dict[str, str] = {}

    def name_of(witness: str) -> str:
        if witness not in names:
            found = session.chain.object(witness)
            names[witness] = session.chain.account_name(as_text(found["witness_account"]))
        return names[witness]

    history = History(session.chain.client, first, last)
    table = blocks_table(name_of)
    _write_history(session, "block", table, history.blocks(), history, file_format, out)


@export.command()
@click.argument("table", type=click.Choice(NAMES))
@output_options
def columns(output: Output, table: str) -> None:
    """The columns of a file: name, type in Parquet, and what they mean.

    In CSV a decimal has all its decimals, a time is like 2026-01-31T12:00:00Z, and what is not
    there is empty. Decimals are those of the asset; prices have 8.
    """
    named = table_of(table, Unit("", "SYMBOL", 5), Unit("", "OTHER", 5)).columns
    document: list[JsonValue] = [
        {"name": one.name, "type": TYPES[one.kind], "meaning": one.meaning} for one in named
    ]
    rows = [(one.name, TYPES[one.kind], one.meaning) for one in named]
    output.answer(document, make_table(("column", "type", "meaning"), rows))


def _bitasset(session: Session, symbol: str) -> tuple[str, tuple[Unit, Unit]]:
    """The symbol of a BitAsset on the chain, and its market with what backs it."""
    found = session.chain.asset(symbol)
    session.chain.bitasset(found)
    return found.symbol, (unit_of(found), unit_of(session.chain.backing_asset(found)))


def _write_history(
    session: Session,
    noun: str,
    table: Table,
    records: Iterable[JsonObject],
    history: History,
    file_format: str,
    out: str,
) -> None:
    first, last, last_id = history.extent
    facts: JsonObject = {"first_block": first, "last_block": last, "last_block_id": last_id}
    _write(session, noun, table, records, facts, file_format, out)


def _write(
    session: Session,
    noun: str,
    table: Table,
    records: Iterable[JsonObject],
    facts: JsonObject,
    file_format: str,
    out: str,
) -> None:
    """Write all rows, and tell what was written unless the rows themselves are printed."""
    about: JsonObject = {"chain_id": session.chain.chain_id.hex(), **facts}
    with target(out) as file:
        count = WRITERS[file_format](
            file,
            table.columns,
            map(table.row, records),
            {name: str(value) for name, value in about.items()},
        )
    if out == STANDARD_OUTPUT:
        return
    document: JsonObject = {"file": out, "format": file_format, "rows": count, **about}
    session.output.answer(document, [f"{count_of(count, noun)} in {out}"])
