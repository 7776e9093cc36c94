"""`pegboard export`: what happened and what stands, as files for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import click

from node.cli.client import JsonObject, as_text
from node.cli.export_columns import PARQUET_TYPES, Table, Unit, unit_of
from node.cli.export_files import STANDARD_OUTPUT, WRITERS, Target
from node.cli.export_pages import HEAD, History, Positions
from node.cli.export_tables import (
    BLOCKS,
    NAMES,
    calls_table,
    columns_of,
    feeds_table,
    positions_table,
    trade_record,
    trades_table,
)
from node.cli.options import output_options, with_options
from node.cli.output import Output
from node.cli.output import table as make_table
from node.cli.sessions import Session, chain_options
from protocol.json_form import JsonValue
from protocol.wording import count_of

Command = TypeVar("Command", bound=Callable[..., Any])

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
    default="1",
    show_default=True,
    metavar="PLACE",
    help="First block, by its number or a time in UTC such as 2026-01-31T12:00:00.",
)
TO = click.option(
    "--to",
    "last",
    default=HEAD,
    show_default=True,
    metavar="PLACE",
    help="Last block, likewise, `irreversible`, or the `head` as the command starts.",
)


class ExportSession(Session):
    """A command that writes what a node tells."""

    target: Target

    def bitasset(self, symbol: str) -> tuple[str, tuple[Unit, Unit]]:
        """The symbol of a BitAsset on the chain, and its market with what backs it."""
        found = self.chain.asset(symbol)
        return found.symbol, (unit_of(found), unit_of(self.chain.backing_asset(found)))

    def write(
        self, noun: str, table: Table, records: Iterable[JsonObject], facts: JsonObject
    ) -> None:
        """Write all rows, and tell what was written unless the rows themselves are printed."""
        about: JsonObject = {"chain_id": self.chain.chain_id.hex(), **facts}
        told = {name: str(value) for name, value in about.items()}
        count = self.target.write(table.columns, map(table.row, records), told)
        if self.target.is_output:
            return
        place, form = self.target.place, self.target.file_format
        document: JsonObject = {"file": place, "format": form, "rows": count, **about}
        self.output.answer(document, [f"{count_of(count, noun)} in {place}"])

    def write_history(
        self, noun: str, table: Table, records: Iterable[JsonObject], history: History
    ) -> None:
        """The same of what happened in blocks."""
        first, last, last_id = history.extent
        facts: JsonObject = {"first_block": first, "last_block": last, "last_block_id": last_id}
        self.write(noun, table, records, facts)


def export_options(command: Command) -> Command:
    """The options of all exports; the command's first argument becomes an `ExportSession`."""

    def invoke(session: Session, *args: Any, file_format: str, out: str, **kwargs: Any) -> Any:
        target = Target(out, file_format)
        return command(ExportSession(session.output, session.chain, target), *args, **kwargs)

    return chain_options(with_options(command, invoke, [FORMAT, OUT]))


def history_options(command: Command) -> Command:
    """Those and `--from` and `--to`, which become the keyword argument `history`."""

    def invoke(session: ExportSession, *args: Any, first: str, last: str, **kwargs: Any) -> Any:
        history = History(session.chain.client, first, last)
        return command(session, *args, history=history, **kwargs)

    return export_options(with_options(command, invoke, [FROM, TO]))


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
@history_options
def trades(session: ExportSession, symbol: str, other: str | None, history: History) -> None:
    """The trades of two assets; OTHER is the backing asset or the core token if left out.

    Prices are SYMBOL for one OTHER. Margin calls are trades; settlements are none (R5.5).
    """
    base, quote = session.chain.market(symbol, other)
    records = map(trade_record, history.records("list_trades", base.symbol, quote.symbol))
    session.write_history("trade", trades_table(unit_of(base), unit_of(quote)), records, history)


@export.command()
@click.argument("symbol")
@history_options
def feeds(session: ExportSession, symbol: str, history: History) -> None:
    """The medians of a BitAsset's feeds, each in force until the next (R1.16)."""
    name, market = session.bitasset(symbol)
    records = history.records("list_feeds", name)
    session.write_history("median", feeds_table(*market), records, history)


@export.command()
@click.argument("symbol")
@history_options
def calls(session: ExportSession, symbol: str, history: History) -> None:
    """The margin calls of a BitAsset, each with its reason (R4.2)."""
    name, market = session.bitasset(symbol)
    records = history.records("list_margin_calls", name)
    session.write_history("margin call", calls_table(*market), records, history)


@export.command()
@click.argument("symbol")
@export_options
def positions(session: ExportSession, symbol: str) -> None:
    """The positions of a BitAsset as one block left them, least collateralised first."""
    name, market = session.bitasset(symbol)
    found = Positions(session.chain.client, name)
    facts: JsonObject = {
        "block_num": found.head["head_block_number"],
        "block_id": found.head["head_block_id"],
    }
    session.write("position", positions_table(*market), found.records(), facts)


@export.command()
@history_options
def blocks(session: ExportSession, history: History) -> None:
    """The blocks of the chain, with their producers and counts."""

    @cache
    def name_of(witness: str) -> str:
        found = session.chain.object(witness)
        return session.chain.account_name(as_text(found["witness_account"]))

    records = (
        {**block, "witness_name": name_of(as_text(block["witness"]))} for block in history.blocks()
    )
    session.write_history("block", BLOCKS, records, history)


@export.command()
@click.argument("table", type=click.Choice(NAMES))
@output_options
def columns(output: Output, table: str) -> None:
    """The columns of a file: name, type in Parquet, and what they mean.

    In CSV a decimal has all its decimals, a time is like 2026-01-31T12:00:00Z, and what is not
    there is empty. Decimals are those of the asset; prices have 8.
    """
    rows = [(one.name, PARQUET_TYPES[one.kind], one.meaning) for one in columns_of(table)]
    names = ("name", "type", "meaning")
    document: list[JsonValue] = [dict(zip(names, row, strict=True)) for row in rows]
    output.answer(document, make_table(("column", *names[1:]), rows))
