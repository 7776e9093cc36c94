"""`pegboard lab`: a scenario thousands of times."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.options import output_options
from node.cli.output import Output
from node.cli.play import rules_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=VALUES",
    help="A parameter and its values, a..b[:STEPS] or a,b,c: MCR=1.4..2.0:4. May be repeated.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a parameter in all runs, as of `pegboard play`.",
)
@click.option(
    "--paths", type=int, default=100, show_default=True, help="Paths of prices for each cell."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all paths.")
@click.option(
    "--out",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory of the results; the same plan goes on where it stopped.",
)
@rules_option
@click.option("--workers", type=int, metavar="N", help="Processes; as many as cores if not given.")
@click.option(
    "--scheduler", metavar="URL", help="Play on this Dask cluster, tcp://host:8786, instead."
)
@output_options
def lab(
    output: Output,
    file: Path,
    vary: tuple[str, ...],
    settings: tuple[str, ...],
    paths: int,
    seed: int,
    directory: Path,
    rules: tuple[Path, ...],
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Play the scenario in FILE for each combination of parameters, on many paths of prices.

    Measured are black swans, positions settled alone, bad debt, the share called and what a call
    costs, settlement pressure and the peg's error, with 95 % confidence intervals. DIR then holds
    runs and summary as CSV and Parquet, and report.html with plots. All combinations see the same
    paths, so that they compare path by path; results depend on the seed alone, never on who played
    them.

    Parameters are MCR and MSQR, what [chain] may say (trigger, settlement_delay, settlement_offset,
    settlement_volume, black_swan), sources of prices (bitUSD.source), options of agents by name or
    rule (bob.target, maker.depth), and what steps say (alice.ratio). Prices are drawn by the
    sources walk, geometric, jump and bootstrap (config/scenarios/README.md).

    After Ctrl-C, or a kill, the same command goes on. More --paths may be asked for later.

    \b
    pegboard lab config/scenarios/lira.toml --vary MCR=1.5,1.75,2 --vary MSQR=1.05..1.5:3 \\
        --paths 200 --out lira
    """
    from node.cli.laboratory import Asked, run_lab  # loading the chain takes its time

    asked = Asked(file, vary, settings, paths, seed, rules)
    run_lab(output, asked, directory, workers=workers, scheduler=scheduler)
