"""`pegboard lesson`: the rules of the market to be guessed and played."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, cast

import click

from node.cli.options import output_options
from node.cli.output import Output
from node.presets import PRESETS

LANGUAGES = ("en", "zh", "ru")


def usual_language() -> str:
    """The language of the user's environment, if lessons have it; else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        tag = os.environ.get(name, "")[:2].lower()
        if tag:
            return tag if tag in LANGUAGES else LANGUAGES[0]
    return LANGUAGES[0]


@click.command()
@click.argument("name", required=False, metavar="[LESSON]")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    help="Language; without it that of the environment, or English.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help=f"Whose words and symbols.  [default: {next(iter(PRESETS))}]",
)
@click.option(
    "--trigger",
    type=click.Choice(["bid", "feed"]),
    help="What calls positions: the highest bid, or the feed, as on BitShares since 2018."
    "  [default: bid]",
)
@click.option(
    "--strict-release",
    is_flag=True,
    help="The letter of the text: a ratio is lowered only as debt is paid back.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Take the guesses from a file, one a line; - is standard input.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Play on the running development network behind this API, with signed transactions.",
)
@click.option("--show", is_flag=True, help="Tell everything without asking.")
@output_options
def lesson(
    output: Output,
    name: str | None,
    lang: str | None,
    preset: str | None,
    trigger: str | None,
    strict_release: bool,
    answers: Path | None,
    url: str | None,
    show: bool,
) -> None:
    """Learn the rules of the market by guessing: each sentence is played on a chain of its own.

    At each question type a number: 1.5, 1,5, 150% and 3/2 are the same; ? gives a hint, Enter alone
    the answer, and q leaves. A guess is right within 1% of what the chain then does. Without LESSON
    all lessons are listed.

    With --url it is played on a network, by whose rules and words it goes: people and the BitAsset
    are the lesson's own, so that nobody else moves its numbers, and each step waits for blocks.

    \b
    pegboard lesson
    pegboard lesson short-selling --lang zh
    pegboard lesson short-selling --lang ru --preset openshares --strict-release
    pegboard lesson short-selling --answers guesses.txt --json
    pegboard lesson short-selling --url http://127.0.0.1:8090
    """
    from node.cli.teaching import Asked, list_lessons, teach  # loading the chain takes long

    tag = lang or usual_language()
    if name is None:
        list_lessons(output, tag)
        return
    kind = cast(Literal["bid", "feed"] | None, trigger)
    asked = Asked(preset, kind, strict_release, url)
    teach(output, name, tag, asked, answers=answers, shows=show)
