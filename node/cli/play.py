"""`pegboard play`: scenarios of markets."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.options import output_options
from node.cli.output import Output

rules_option = click.option(
    "--rules",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="PY",
    help="Python file that adds rules of agents with @pegboard.rule; it is run.",
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seed", type=int, metavar="N", help="Another seed than the file's.")
@rules_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter, as `pegboard lab` names them: MCR=1.6.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Play on the running development network behind this API, with signed transactions.",
)
@output_options
def play(
    output: Output,
    file: Path,
    seed: int | None,
    rules: tuple[Path, ...],
    settings: tuple[str, ...],
    url: str | None,
) -> None:
    """Play the scenario in FILE on a market in this process, and say what came of it.

    The same file and seed give the same chain, bit for bit. An expectation that is not met ends the
    command with exit code 1; it is told with what was found and with its rule.

    With --url it is played on a network, whose BitAssets and blocks it shares with others: people
    are new each time, prices are published as all its witnesses, who should publish none of their
    own meanwhile (up --feed none), and steps wait for blocks.

    \b
    pegboard play config/scenarios/fall.toml
    pegboard play my.toml --seed 8 --rules my_rules.py --set MCR=1.6
    pegboard play my.toml --url http://127.0.0.1:8090
    """
    from node.cli.playing import play_file  # loading the chain takes longer than most commands

    play_file(output, file, seed=seed, rules=rules, settings=settings, url=url)
