"""`pegboard play`: scenarios of markets."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.output import Output
from node.cli.sessions import output_options


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seed", type=int, metavar="N", help="Another seed than the file's.")
@click.option(
    "--rules",
    "rules",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="PY",
    help="Python file that adds rules of agents with @pegboard.rule; it is run.",
)
@output_options
def play(output: Output, file: Path, seed: int | None, rules: tuple[Path, ...]) -> None:
    """Play the scenario in FILE on a market in this process, and say what came of it.

    The same file and seed give the same chain, bit for bit. An expectation that is not met ends the
    command with exit code 1; it is told with what was found and with its rule.

    \b
    pegboard play config/scenarios/fall.toml
    pegboard play my.toml --seed 8 --rules my_rules.py
    """
    from node.cli.playing import play_file  # loading the chain takes longer than most commands

    play_file(output, file, seed=seed, rules=rules)
