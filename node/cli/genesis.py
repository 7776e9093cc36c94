"""`pegboard genesis`: make, check and read the file that a chain starts from."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.options import output_options
from node.cli.output import Output, table
from node.clock import wall_s
from node.presets import BLOCK_INTERVAL_S, PRESETS, WITNESSES, build_genesis, genesis_text
from protocol.constants import CORE_PRECISION
from protocol.genesis import Genesis, chain_id, genesis_to_json
from protocol.json_form import JsonValue, format_time, parse_time
from protocol.wording import format_decimal, plural

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
PRESET = click.option(
    "--preset",
    type=click.Choice([*PRESETS]),
    default=next(iter(PRESETS)),
    show_default=True,
    help="Chain to start: its symbol, prefixes and words.",
)
BLOCK_INTERVAL = click.option(
    "--block-interval",
    type=click.IntRange(1, 30),
    default=BLOCK_INTERVAL_S,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two blocks.",
)


@click.group()
def genesis() -> None:
    """Make, check and read genesis files, in the format of bitshares-core.

    \b
    pegboard genesis make --preset openshares --witnesses 5 > genesis.json
    pegboard genesis check genesis.json
    """


@genesis.command()
@PRESET
@click.option(
    "--witnesses",
    "-n",
    type=click.IntRange(1, len(WITNESSES)),
    default=len(WITNESSES),
    show_default=True,
    help="Number of block producers: the first of init0, init1, ...",
)
@BLOCK_INTERVAL
@click.option(
    "--time",
    "timestamp",
    metavar="TIME",
    help="Time of the start, as 2026-01-31T12:00:00 (UTC).  [default: now]",
)
@click.option(
    "--output",
    "-o",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; an existing one is kept.  [default: standard output]",
)
def make(
    preset: str, witnesses: int, block_interval: int, timestamp: str | None, path: Path | None
) -> None:
    """Make the genesis of a preset; its keys are public, for development only."""
    made = build_genesis(
        PRESETS[preset],
        initial_timestamp=wall_s() if timestamp is None else parse_time(timestamp),
        block_interval_s=block_interval,
        witness_count=witnesses,
    )
    text = genesis_text(made)
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageProblem("the file exists", value=path) from error
    except OSError as error:
        raise FileUnreadable(f"cannot write: {error}", value=path) from error


@genesis.command()
@FILE
@output_options
def check(output: Output, file: Path) -> None:
    """Read a genesis strictly, and say what is wrong with it."""
    found = read_genesis_file(file)
    chain = chain_id(found).hex()
    output.answer({"ok": True, "chain_id": chain}, [f"{file} is a genesis of chain {chain}"])


@genesis.command("chain-id")
@FILE
@output_options
def show_chain_id(output: Output, file: Path) -> None:
    """Print the id of the chain that starts from a genesis."""
    chain = chain_id(read_genesis_file(file)).hex()
    output.answer({"chain_id": chain}, [chain])


@genesis.command()
@FILE
@output_options
def show(output: Output, file: Path) -> None:
    """What a genesis says, in short; all of it with --json."""
    found = read_genesis_file(file)
    settings = found.settings()
    parameters = found.initial_parameters
    facts = [
        ("chain id", chain_id(found).hex()),
        ("core symbol", settings.core_symbol),
        ("address prefix", settings.address_prefix),
        ("display prefix", settings.display_prefix or "none"),
        ("starts at", format_time(found.initial_timestamp)),
        ("block interval", f"{parameters.block_interval} s"),
        ("maintenance interval", f"{parameters.maintenance_interval} s"),
        ("margin call trigger", settings.margin_call_trigger),
        ("strict release", str(settings.strict_release).lower()),
        ("settle match", str(settings.settle_match).lower()),
        ("pay MCOP", str(settings.pay_mcop).lower()),
        ("voting stake", settings.voting_stake),
        (plural(settings.producer_term), _producers(found)),
        ("accounts", str(len(found.initial_accounts))),
        ("assets", ", ".join(asset.symbol for asset in found.initial_assets) or "none"),
        ("largest supply", format_decimal(found.max_core_supply, CORE_PRECISION)),
    ]
    document: JsonValue = genesis_to_json(found)
    output.answer(document, table(("", ""), facts)[1:])


def read_genesis_file(path: Path) -> Genesis:
    """The genesis of a file; raises `ConfigError` or `DecodeError` with the file's name."""
    from node.services.opened import (
        read_genesis,  # loading the node takes longer than most commands
    )

    return read_genesis(path)


def _producers(found: Genesis) -> str:
    names = [item.owner_name for item in found.initial_witness_candidates]
    active = found.initial_active_witnesses
    return f"{', '.join(names)} ({active} active)"
