"""`pegboard up`: a network of witness processes from one command."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import trio

from node.cli.client import NodeClient
from node.cli.exits import SetupRefused, UsageProblem
from node.cli.feeds import next_feeds
from node.cli.genesis import BLOCK_INTERVAL, PRESET, read_genesis_file
from node.cli.network_files import (
    API_NODE,
    Wanted,
    check_free,
    open_network,
    plan_nodes,
    remove_network,
)
from node.cli.node_command import (
    ALLOW_JUMP,
    ALLOW_ORIGIN,
    API,
    DATA_DIR,
    FEED,
    FRESH,
    TRIGGER,
    default_data_dir,
    given_options,
)
from node.cli.options import output_options
from node.cli.output import Output
from node.cli.remote_chain import RemoteChain
from node.cli.supervisor import Supervisor
from node.cli.welcome import welcome, welcome_document
from node.clock import wall_s
from node.config import split_address
from node.presets import WITNESSES
from node.storage.durable import make_directory
from node.storage.file_lock import FileLock
from protocol.wording import count_of

WITNESSES_DEFAULT = 4
"""The fewest of which any one may die and irreversibility goes on (F2)."""
CALL_TIMEOUT_S = 10
GENESIS = click.option(
    "--genesis",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Start from this file instead of a preset; witnesses whose block keys are known produce.",
)


@click.command()
@click.option(
    "-n",
    "--witnesses",
    type=click.IntRange(1, len(WITNESSES)),
    default=WITNESSES_DEFAULT,
    show_default=True,
    help="Number of witness processes.",
)
@BLOCK_INTERVAL
@PRESET
@DATA_DIR
@FRESH
@API
@ALLOW_ORIGIN
@FEED
@ALLOW_JUMP
@GENESIS
@TRIGGER
@click.option(
    "--history",
    default="",
    metavar="URL",
    help="PostgreSQL database of the API's history; else a file.",
)
@output_options
@click.pass_context
def up(
    context: click.Context,
    output: Output,
    witnesses: int,
    block_interval: int,
    preset: str,
    data_dir: Path | None,
    fresh: bool,
    api: str,
    origins: tuple[str, ...],
    feeds: tuple[str, ...],
    allow_jump: bool,
    genesis: Path | None,
    trigger: str | None,
    history: str,
) -> None:
    """Start a whole network: witness processes over TCP, prices, an API, funded accounts.

    Every witness is a process with a data directory, keys and clock of its own; one more process
    serves the API. The same data directory continues its chain. Ctrl-C stops everything.

    \b
    pegboard up
    pegboard up -n 5 --block-interval 1 --preset openshares --fresh
    pegboard up --feed "USD=csv:config/prices/try_usd.csv?every=3s&from=2021-11-15"
    """
    given = given_options(context)
    host, port = split_address(api)
    if port == 0:
        raise UsageProblem("--api needs a port", value=api)
    check_free(api)
    if genesis is not None and given & {"preset", "witnesses", "block_interval"}:
        raise UsageProblem("--genesis says what --preset, -n and --block-interval would say")
    kind = "own" if genesis is not None else preset
    directory = (data_dir or default_data_dir(kind)).resolve()
    make_directory(directory.parent)
    lock = FileLock(directory)
    try:
        if fresh:
            remove_network(directory)
        wanted = Wanted(
            preset=preset if "preset" in given else None,
            genesis=None if genesis is None else read_genesis_file(genesis),
            trigger=trigger,
            witness_count=witnesses if "witnesses" in given else None,
            block_interval_s=block_interval if "block_interval" in given else None,
        )
        now_s = wall_s()
        network, is_new = open_network(
            directory, wanted, now_s=now_s, default_witness_count=WITNESSES_DEFAULT
        )
        if not network.witnesses:
            raise SetupRefused("nobody could produce: no block key of this genesis is known")
        chosen = next_feeds(network, feeds, now_s=now_s, may_jump=allow_jump)
        plans = plan_nodes(network, api, chosen, history, origins)
        client = NodeClient(f"http://{host}:{port}", timeout_s=CALL_TIMEOUT_S)
        supervisor = Supervisor(output, plans, RemoteChain(client), API_NODE)
        producers = count_of(len(network.witnesses), network.genesis.settings().producer_term)
        verb = "Starting" if is_new else "Continuing"
        output.line(f"{verb} {producers} and an API in {directory} ...")

        def greet() -> None:
            output.answer(welcome_document(network, api), welcome(network, api))

        code = trio.run(supervisor.run, greet)
    finally:
        lock.release()
    sys.exit(code)
