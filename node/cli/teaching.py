"""A lesson in the terminal: questions, guesses and what the chain did."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, cast

import click

from node.cli.exits import FileUnreadable, UsageProblem
from node.cli.output import Output, heading, table
from node.cli.playing import market_at
from node.cli.program import command_name
from node.cli.remote_ledger import RemoteLedger
from node.cli.wide_text import wrap
from node.presets import PRESETS
from pegboard.lessons import (
    LESSONS,
    Judged,
    Options,
    Question,
    Session,
    UnreadableGuess,
    load_language,
)
from pegboard.lessons.guesses import plain_text
from pegboard.lessons.language import LANGUAGES, fill
from pegboard.lessons.session import SEED
from pegboard.lessons.told import judged_json
from pegboard.vocabulary import Market
from protocol.json_form import JsonValue

COLUMNS_MAX = 92
LINE_MAX = 1_000
"""Characters of a line that are looked at."""
INDENT = "    "
PROMPT = "  > "

Read = Callable[[], str | None]
"""The next line of the learner; None at the end."""


class OtherRules(UsageProblem):
    """The running chain has other rules than are asked for."""

    name = "other_rules"


def options_at(network: Market, asked: Asked) -> Options:
    """The rules and words of a running chain; raises `OtherRules` if others are asked for."""
    ledger = network.ledger
    assert isinstance(ledger, RemoteLedger), "it is behind a URL"
    info = ledger.chain.info()
    core, producers = network.core, ledger.chain.producer_term
    found = [one for one in PRESETS.values() if one.core_symbol == core]
    if not found or found[0].producer_term != producers:
        raise OtherRules("a chain of no preset", value=core, limit=", ".join(PRESETS))
    trigger, strict = ledger.margin_call_trigger(), info["strict_release"] is True
    if asked.preset not in (None, found[0].name):
        raise OtherRules("--preset: this chain is another", value=asked.preset, limit=found[0].name)
    if asked.trigger not in (None, trigger):
        what = "--trigger: the genesis of this chain says what calls positions"
        raise OtherRules(what, rule="R4.2", value=asked.trigger, limit=trigger)
    if asked.strict_release and not strict:
        what = "--strict-release: by its genesis this chain lets collateral go above the MCR"
        raise OtherRules(what, rule="R3.6", value="strict_release = true", limit="false")
    return Options(found[0].name, cast(Literal["bid", "feed"], trigger), strict)


def list_lessons(output: Output, tag: str) -> None:
    """Print which lessons there are."""
    words = {name: load_language(tag).lessons[name] for name in LESSONS}
    output.answer(
        [
            {"name": name, "title": lesson.title, "languages": list(LANGUAGES)}
            for name, lesson in words.items()
        ],
        table(
            ("lesson", "languages", ""),
            [(name, ", ".join(LANGUAGES), lesson.title) for name, lesson in words.items()],
        ),
    )


class Asked(NamedTuple):
    """What the command line says of the chain; None for what it leaves open."""

    preset: str | None
    trigger: Literal["bid", "feed"] | None
    strict_release: bool
    url: str | None

    def options(self) -> Options:
        """A chain of the lesson's own; what is left open is the usual."""
        usual = Options()
        return Options(
            self.preset or usual.preset, self.trigger or usual.trigger, self.strict_release
        )


def teach(
    output: Output, name: str, tag: str, asked: Asked, *, answers: Path | None, shows: bool
) -> None:
    """Take a learner through a lesson; raises `NoSuchLesson`, `FileUnreadable`, `OtherRules`."""
    network = None if asked.url is None else market_at(asked.url, SEED)
    options = asked.options() if network is None else options_at(network, asked)
    session = Session(name, load_language(tag), options, network=network)
    if shows:
        Lesson(output, session, lambda: "", is_shown=True).run()
        return
    with _lines_of(answers) as lines:
        if lines is sys.stdin and sys.stdin.isatty():
            Lesson(output, session, _ask, is_asked=True).run()
        else:
            Lesson(output, session, _reader(lines)).run()


class Lesson:
    """A session and its terminal."""

    def __init__(
        self,
        output: Output,
        session: Session,
        read: Read,
        *,
        is_asked: bool = False,
        is_shown: bool = False,
    ) -> None:
        """`is_asked`: a person types, and may try again what was no number; `is_shown`: nobody
        guesses."""
        self.output = output
        self.session = session
        self.read = read
        self.is_asked = is_asked
        self.is_shown = is_shown
        self.language = session.language
        self.columns = min(COLUMNS_MAX, shutil.get_terminal_size().columns)

    def run(self) -> None:
        """From the first question to the score."""
        session, says = self.session, self.language.says
        self.output.line(heading(session.words.title))
        self.output.line()
        self._text(session.intro)
        if not self.is_shown:
            self._text(says.guide)
            self._text(says.tolerance)
        while (question := session.question) is not None:
            self._tell(question)
            if (judged := self._guess(question)) is None:
                break
            self._judge(judged)
        self._end()

    def _tell(self, question: Question) -> None:
        says = self.language.says
        number, count = str(question.number), str(question.count)
        title = fill(says.step, {"number": number, "count": count, "title": question.title})
        self.output.line()
        self.output.line(heading(title))
        self._text(question.sentence, INDENT)
        self.output.line()
        self._text(question.story, "  ")
        self._text(f"{question.question} [{question.unit}]", "  ")

    def _guess(self, question: Question) -> Judged | None:
        """What became of the learner's guess; None when he leaves."""
        if self.is_shown:
            return self.session.answer("")
        while (line := self.read()) is not None:
            text = plain_text(line[:LINE_MAX])
            if not self.is_asked:
                self.output.line(f"{PROMPT}{_printable(line[:LINE_MAX]).strip()}".rstrip())
            if text.casefold() in self.language.quit:
                return None
            if text == "?":
                self._text(question.hint, INDENT)
                continue
            try:
                return self.session.answer(text)
            except UnreadableGuess:
                self._text(self.language.says.unreadable, "  ")
                if not self.is_asked:
                    return self.session.answer("")
        return None

    def _judge(self, judged: Judged) -> None:
        says = self.language.says
        colour = "green" if judged.is_right else None
        self.output.line(click.style(f"  {self.session.verdict(judged)}", fg=colour))
        self._text(judged.calculation, INDENT)
        self._text(judged.explain, "  ")
        for rule, sentence in judged.rules:
            self._text(fill(says.rule, {"rule": rule, "says": sentence}), "  ")
        if self.output.is_json:
            document: dict[str, JsonValue] = {"event": "step"}
            self.output.document(document | judged_json(self.session, judged))

    def _end(self) -> None:
        session, says = self.session, self.language.says
        self.output.line()
        if session.question is not None:
            self._text(session.fill(says.left))
        if not self.is_shown:
            self.output.line(heading(session.score))
        self._text(fill(says.more, {"command": f"{command_name()} rule R4.2"}))
        if self.output.is_json:
            self.output.document(
                {
                    "event": "done",
                    "lesson": session.lesson,
                    "language": self.language.tag,
                    "preset": session.options.preset,
                    "trigger": session.options.trigger,
                    "strict_release": session.options.strict_release,
                    "right": session.right,
                    "asked": len(session.judged),
                    "count": len(session.steps),
                    "score": session.score,
                }
            )

    def _text(self, text: str, indent: str = "") -> None:
        for line in wrap(text, self.columns, indent):
            self.output.line(line)


def _ask() -> str | None:
    try:
        return input(PROMPT)
    except (EOFError, KeyboardInterrupt):
        click.echo()
        return None


def _reader(lines: TextIO) -> Read:
    """Reads line by line; a longer one is cut."""
    read: Iterator[str] = iter(lines.readline, "")
    return lambda: next(read, None)


def _lines_of(path: Path | None) -> TextIO:
    """The learner's lines; what is no UTF-8 in them is read as something."""
    if path is None or str(path) == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        return sys.stdin
    try:
        return path.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileUnreadable(f"cannot be read: {error.strerror}", value=path) from error


def _printable(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(sign for sign in text if sign.isprintable())
