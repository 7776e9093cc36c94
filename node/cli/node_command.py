"""`pegboard node` and `pegboard replay`: one node in this process."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType

import click

from node.cli.exits import UsageProblem
from node.cli.feeds import next_feeds
from node.cli.fork_file import ForkFile
from node.cli.genesis import BLOCK_INTERVAL, PRESET, read_genesis_file
from node.cli.network_files import (
    Wanted,
    check_free,
    open_network,
    plan_development_node,
    remove_network,
)
from node.cli.options import output_options
from node.cli.output import Output
from node.cli.welcome import welcome, welcome_document
from node.clock import wall_s
from node.config import RSS_MIB_MAX, RSS_MIB_MIN, ProductionMode
from node.presets import BLOCK_INTERVAL_S
from node.storage.durable import make_directory
from node.storage.file_lock import FileLock

API = click.option(
    "--api",
    default="127.0.0.1:8090",
    show_default=True,
    metavar="HOST:PORT",
    help="Loopback address of the API, for HTTP and WebSocket.",
)
ALLOW_ORIGIN = click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let web pages from there call the API, such as https://wallet.example for a wallet in "
    "the browser.",
)
NEEDS_CONFIG = "--node-key, --seed and --follow need --config: a development node has no peers"
INSTANT_INTERVAL_S = 1
"""Between blocks of a new instant chain: more of them fit into the time that the clock allows."""
FRESH = click.option(
    "--fresh", is_flag=True, help="Delete the network in the data directory and start a new one."
)
FEED = click.option(
    "--feed",
    "feeds",
    multiple=True,
    metavar="[SYMBOL=]SOURCE",
    help="Price that the witnesses publish, such as USD=fixed:0.12, "
    "USD=walk:seed=7,start=0.12,step=30bp or USD=csv:FILE?every=3s; USD=none, or none for all, "
    "leaves it to you.  [default: fixed prices, or those of before]",
)
ALLOW_JUMP = click.option(
    "--allow-jump",
    is_flag=True,
    help="Let --feed move a price of a running chain at once, whatever that calls or settles.",
)
TRIGGER = click.option(
    "--trigger",
    type=click.Choice(["bid", "feed"]),
    help="What calls positions: the highest bid, or the feed as BitShares since 2018 (R4.2)."
    "  [default: bid, or as the genesis says]",
)
DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the network lives.  [default: by its kind in the user's data directory]",
)


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings of the node (TOML).",
)
@click.option(
    "--node-key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --config: the node's own key, made if missing, in place of p2p.key_file.",
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    metavar="[KEY@]HOST:PORT",
    help="With --config: one more address to dial; with a key only the node whose key it is.",
)
@click.option(
    "--follow",
    "trusted_node",
    metavar="HOST:PORT",
    help="With --config: take the irreversible blocks of the node whose API is there, as the only "
    "source; reads of this one are never taken back.",
)
@click.option("--dev", is_flag=True, help="Run a chain in this one process, with all its keys.")
@click.option(
    "--mode",
    type=click.Choice(["interval", "instant", "manual"]),
    default="interval",
    show_default=True,
    help="With --dev: blocks by the clock, for each transaction, or on demand (pegboard blocks).",
)
@click.option(
    "--genesis",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --dev: start from this file instead of a preset.",
)
@click.option(
    "--fork",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="With --dev: go on from the state of a bitshares-core chain, as its snapshot plugin "
    "writes it (may be compressed by gzip).",
)
@click.option(
    "--impersonate",
    is_flag=True,
    help="With --fork: operations of all accounts pass without their signatures.",
)
@PRESET
@BLOCK_INTERVAL
@DATA_DIR
@API
@ALLOW_ORIGIN
@FEED
@ALLOW_JUMP
@TRIGGER
@FRESH
@click.option(
    "--max-rss",
    "max_rss_mib",
    type=click.IntRange(RSS_MIB_MIN, RSS_MIB_MAX),
    metavar="MIB",
    help="Memory that it may take, in MiB: near it caches and then clients are dropped.",
)
@click.option("--with-parent", "has_parent", is_flag=True, hidden=True)
@output_options
@click.pass_context
def node(
    context: click.Context,
    output: Output,
    config: Path | None,
    node_key: Path | None,
    seeds: tuple[str, ...],
    trusted_node: str | None,
    dev: bool,
    mode: ProductionMode,
    genesis: Path | None,
    fork: Path | None,
    impersonate: bool,
    preset: str,
    block_interval: int,
    data_dir: Path | None,
    api: str,
    origins: tuple[str, ...],
    feeds: tuple[str, ...],
    allow_jump: bool,
    trigger: str | None,
    fresh: bool,
    max_rss_mib: int | None,
    has_parent: bool,
) -> None:
    """Run a node: one of a network with --config, or a whole chain of its own with --dev.

    Logs go to standard error. Interrupt it (Ctrl-C) or send SIGTERM to stop it.

    \b
    pegboard node --config witness/node.toml
    pegboard node --config reads/node.toml --follow 127.0.0.1:8090
    pegboard node --dev --mode instant
    pegboard node --dev --fork snapshot.jsonl.gz --impersonate
    """
    from node.app import run_node  # loading the node takes longer than most commands

    if dev == (config is not None):
        raise UsageProblem("give either --config FILE or --dev")
    _check_given(given_options(context), dev=dev)
    stop_on_signals()
    if config is not None:
        run = partial(run_node, config, node_key, seeds, max_rss_mib, has_parent=has_parent)
        sys.exit(run(trusted_node=trusted_node))
    given = _begin_with(context)
    check_free(api)
    wanted = Wanted(
        preset=preset if "preset" in given else None,
        genesis=None if genesis is None else read_genesis_file(genesis),
        block_interval_s=block_interval if "block_interval" in given else None,
        trigger=trigger,
        fork=None if fork is None else ForkFile(fork, impersonate),
    )
    kind = "own" if genesis is not None else "fork" if fork is not None else preset
    directory = data_dir or default_data_dir(f"dev-{kind}")
    make_directory(directory.parent)
    lock = FileLock(directory)
    try:
        if fresh:
            remove_network(directory)
        now_s = wall_s()
        interval_s = INSTANT_INTERVAL_S if mode == "instant" else BLOCK_INTERVAL_S
        options = {"now_s": now_s, "default_block_interval_s": interval_s}
        network, _ = open_network(directory, wanted, **options)
        chosen = next_feeds(network, feeds, now_s=now_s, may_jump=allow_jump)
        plan = plan_development_node(network, mode, api, chosen, origins)
        output.answer(welcome_document(network, api), welcome(network, api))
        code = run_node(plan.settings, max_rss_mib=max_rss_mib)
    finally:
        lock.release()
    sys.exit(code)


def _check_given(given: set[str], *, dev: bool) -> None:
    """Raise `UsageProblem` for options of a development node with `--config`, or the reverse."""
    if dev and given & {"node_key", "seeds", "trusted_node"}:
        raise UsageProblem(NEEDS_CONFIG)
    if not dev and "origins" in given:
        raise UsageProblem("--allow-origin is for --dev; with --config, set origins in [api]")


def _begin_with(context: click.Context) -> set[str]:
    """The options that were given: one beginning, and for a forked chain no other rules."""
    given = given_options(context)
    begins = [f"--{name}" for name in ("genesis", "preset", "fork") if name in given]
    if len(begins) > 1:
        raise UsageProblem(f"give either {' or '.join(begins)}")
    if "fork" not in given and "impersonate" in given:
        raise UsageProblem("--impersonate needs --fork; elsewhere use pegboard impersonate ACCOUNT")
    if "fork" in given and given & {"block_interval", "trigger"}:
        raise UsageProblem("a forked chain keeps its block interval, and calls by the feed")
    return given


def default_data_dir(kind: str) -> Path:
    """Where a network of a kind lives unless `--data-dir` says otherwise."""
    from platformdirs import user_data_path  # for who names no directory

    return user_data_path("pegboard") / "networks" / kind


def stop_on_signals() -> None:
    """Let SIGTERM end the node as Ctrl-C does.

    A shell starts its background jobs with SIGINT ignored, which would make both do nothing.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


def given_options(context: click.Context) -> set[str]:
    """Names of the parameters that the user gave, rather than left to their defaults."""
    default = click.core.ParameterSource.DEFAULT
    return {name for name in context.params if context.get_parameter_source(name) != default}
