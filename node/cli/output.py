"""What commands print: lines for people, or one JSON document with `--json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence

import click

from node.cli.exits import Refused
from node.cli.program import command_name
from node.rules import sentence_of
from protocol.errors import PegboardError
from protocol.json_form import JsonValue


class Output:
    """Where a command's answer goes; `is_json` says in which form."""

    def __init__(
        self, *, is_json: bool, finish: Callable[[JsonValue], JsonValue] | None = None
    ) -> None:
        """`finish` is what becomes of each JSON document before it is printed."""
        self.is_json = is_json
        self._finish = finish

    def answer(self, document: JsonValue, lines: Iterable[str]) -> None:
        """Print the answer of a command once it is complete."""
        if self.is_json:
            self.document(document)
        else:
            for line in lines:
                self.line(line)

    def document(self, document: JsonValue) -> None:
        """Print one JSON document on a line of its own."""
        if self._finish is not None:
            document = self._finish(document)
        self._write(json.dumps(document, ensure_ascii=False))

    def raw(self, text: str) -> None:
        """Print what has a form of its own, whatever form other answers have."""
        self._write(text)

    def line(self, text: str = "") -> None:
        """Print a line for people; nothing with `--json`."""
        if not self.is_json:
            self._write(text)

    def hint(self, text: str) -> None:
        """Say something on standard error that helps people on; nothing with `--json`."""
        if not self.is_json:
            click.echo(text, err=True)

    def _write(self, text: str) -> None:
        click.echo(text, color=None if allows_color() else False)
        sys.stdout.flush()


def allows_color() -> bool:
    """Whether the user has not asked for plain text (NO_COLOR)."""
    return not os.environ.get("NO_COLOR")


def show_error(error: PegboardError, *, is_json: bool, exit_code: int) -> None:
    """Print a refusal on standard error: name, rule, value and limit, and what the rule says."""
    told = error.told if isinstance(error, Refused) else error
    sentence = sentence_of(error.rule)
    if is_json:
        fields: dict[str, JsonValue] = {
            "name": error.name,
            "message": told.what,
            "rule": error.rule,
            "rule_says": sentence,
            "value": _text(error.value),
            "value_text": _text(told.value),
            "limit": _text(error.limit),
            "limit_text": _text(told.limit),
            "unit": error.unit,
            "exit_code": exit_code,
        }
        click.echo(json.dumps({"error": fields}, ensure_ascii=False), err=True)
        return
    label = click.style("refused", fg="red", bold=True)
    click.echo(f"{label}: {told}", err=True, color=None if allows_color() else False)
    if sentence is not None:
        click.echo(f"{sentence}\nMore about it: {command_name()} rule {error.rule}", err=True)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def heading(text: str) -> str:
    """A line that stands out where colours are allowed."""
    return click.style(text, bold=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows under headings, aligned; a column whose heading begins with ">" is flush right."""
    body = [list(row) for row in rows]
    titles = [column.removeprefix(">") for column in columns]
    right = [column.startswith(">") for column in columns]
    widths = [
        max(len(title), *(len(row[index]) for row in body)) if body else len(title)
        for index, title in enumerate(titles)
    ]

    def join(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(cells, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [heading(join(titles)), *(join(row) for row in body)]
