"""`pegboard replay`: rebuild a node's state from its blocks, and measure it."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.exits import CliError, SetupRefused, exit_code_of
from node.cli.network_files import API_NODE, DEVELOPMENT_NODE, SETTINGS
from node.cli.options import output_options
from node.cli.output import Output, table
from node.clock import monotonic_s
from node.exit_codes import Exit
from node.storage.errors import StorageError
from protocol.errors import PegboardError
from protocol.json_form import format_time


class ReplayFailed(CliError):
    """The stored blocks do not make the chain that they claim to be."""

    name = "replay_failed"
    exit_code = Exit.DAMAGED


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Directory of a stopped node, or of a stopped network, whose API node is taken then.",
)
@click.option("--paranoid", is_flag=True, help="Recount every invariant after each block.")
@click.option("--history", is_flag=True, help="Make the history of operations and trades anew.")
@output_options
def replay(output: Output, data_dir: Path, paranoid: bool, history: bool) -> None:
    """Rebuild the state from the stored blocks alone; print head, state hash and speed.

    Nothing is written without `--history`. Signatures were checked when the blocks were stored and
    are trusted here.

    \b
    pegboard replay --data-dir my-network/init0
    """
    from node.app import replay_node  # loading the node takes longer than most commands

    settings = find_settings(data_dir)
    begin = monotonic_s()
    try:
        started = replay_node(settings, paranoid=paranoid, with_history=history)
    except PegboardError as error:
        if isinstance(error, StorageError) or exit_code_of(error) is not Exit.REFUSED:
            raise
        raise ReplayFailed(
            f"the blocks are no valid chain: {error}", rule=error.rule, value=data_dir
        ) from error
    seconds = monotonic_s() - begin
    chain, blocks = started.chain, started.replayed
    rate = round(blocks / seconds) if seconds > 0 else 0
    digest = chain.state_hash().hex()
    output.answer(
        {
            "head_block_number": chain.head_num,
            "head_block_id": chain.head_id.hex(),
            "state_hash": digest,
            "blocks": blocks,
            "milliseconds": round(seconds * 1000),
            "blocks_per_second": rate,
        },
        table(
            ("", ""),
            [
                ("head", f"{chain.head_num} at {format_time(chain.head_time)}"),
                ("id", chain.head_id.hex()),
                ("state hash", digest),
                ("replayed", f"{blocks} blocks in {seconds:.2f} s, {rate} a second"),
            ],
        )[1:],
    )


def find_settings(directory: Path) -> Path:
    """The settings file of a node's directory, or of a network's API or development node."""
    for inner in ("", API_NODE, DEVELOPMENT_NODE):
        path = directory / inner / SETTINGS
        if path.exists():
            return path
    raise SetupRefused("no node lies in this directory", value=directory, limit=SETTINGS)
