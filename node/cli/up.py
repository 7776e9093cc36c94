"""`pegboard up`: a network of witness processes from one command."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import trio

from node.cli.client import NodeClient
from node.cli.exits import UsageProblem
from node.cli.genesis import BLOCK_INTERVAL, PRESET
from node.cli.network_files import (
    API_NODE,
    Wanted,
    check_free,
    choose_feeds,
    open_network,
    plan_nodes,
    remove_network,
)
from node.cli.node_command import API, DATA_DIR, FEED, FRESH, default_data_dir, given_options
from node.cli.output import Output, count_of
from node.cli.remote_chain import RemoteChain
from node.cli.sessions import output_options
from node.cli.supervisor import Supervisor
from node.cli.welcome import welcome, welcome_document
from node.config import split_address
from node.presets import WITNESSES
from node.storage.file_lock import FileLock

WITNESSES_DEFAULT = 3
CALL_TIMEOUT_S = 10


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
@FEED
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
    feeds: tuple[str, ...],
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
    directory = (data_dir or default_data_dir(preset)).resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory)
    try:
        if fresh:
            remove_network(directory)
        wanted = Wanted(
            preset=preset if "preset" in given else None,
            witness_count=witnesses if "witnesses" in given else None,
            block_interval_s=block_interval if "block_interval" in given else None,
        )
        network, is_new = open_network(
            directory,
            wanted,
            now_s=int(time.time()),
            default_witness_count=WITNESSES_DEFAULT,
        )
        plans = plan_nodes(network, api, choose_feeds(network, feeds), history)
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
