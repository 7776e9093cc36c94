"""`pegboard demo`: stories played on a running development network, and checked."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.demo_story import Step, Story
from node.cli.exits import CliError, FileUnreadable
from node.cli.output import Output, heading
from node.cli.sessions import Session, chain_options
from node.exit_codes import Exit
from node.shipped import shipped_file
from node.witness.feed_source import CsvSeries
from node.witness.feed_text import parse_series
from protocol.ids import asset_text

SERIES = "try_usd.csv"


class PredictionFailed(CliError):
    """The chain says something else than the demo's own arithmetic."""

    name = "prediction_failed"
    exit_code = Exit.REFUSED


@click.group()
def demo() -> None:
    """Play stories on a running development network."""


@demo.command()
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help=f"Recorded series (time,price).  [default: config/prices/{SERIES}]",
)
@chain_options
def margin_call(session: Session, prices: Path | None) -> None:
    """Three borrowers, resting bids, a fall of prices, margin calls, a settlement, a cover.

    Creates a BitAsset of its own, so that it can be played again and again. Every step predicts
    all balances with arithmetic of its own and compares them with the chain's; a difference ends
    the command with exit code 1. The prices are real: see config/prices/README.md.

    \b
    pegboard up            (in another terminal)
    pegboard demo margin-call
    """
    series = read_series(prices or shipped_file(f"config/prices/{SERIES}"))
    output = session.output
    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        show_step(output, len(steps), step)

    Story(session.chain, series, tell).play()
    wrong = [check for step in steps for check in step.checks if not check.is_right]
    total = sum(len(step.checks) for step in steps)
    if wrong:
        raise PredictionFailed(
            f"{len(wrong)} of {total} predictions are wrong; first: {wrong[0].what}",
            value=wrong[0].found,
            limit=wrong[0].predicted,
            unit="" if wrong[0].asset is None else asset_text(wrong[0].asset.id),
        )
    output.answer(
        {"event": "done", "steps": len(steps), "checks": total},
        [f"All {total} predicted numbers are right."],
    )


def show_step(output: Output, number: int, step: Step) -> None:
    """Print a step: what happened, by which rules, and what was predicted wrongly."""
    wrong = [check for check in step.checks if not check.is_right]
    verdict = f"{len(step.checks)} numbers as predicted" if not wrong else "NOT AS PREDICTED"
    output.answer(
        {
            "event": "step",
            "number": number,
            "title": step.title,
            "rules": step.rules,
            "details": list(step.details),
            "checks": [check.to_json() for check in step.checks],
            "ok": not wrong,
        },
        [
            f"{heading(f'{number}. {step.title}')}  ({step.rules})",
            *(f"   {line}" for line in step.details),
            *(f"   {item.what}: predicted {item.predicted}, found {item.found}" for item in wrong),
            f"   {verdict}",
        ],
    )


def read_series(path: Path) -> CsvSeries:
    """A recorded series; raises `FileUnreadable` or `MalformedSeries`."""
    try:
        return parse_series(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"cannot read prices: {error}", value=path) from error
