"""Pages that are made of the program itself: its commands, exit codes, exports and API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from node.api.methods.tables import APIS, api_document
from node.cli import cli
from node.cli.export_columns import PARQUET_TYPES
from node.cli.export_tables import NAMES, columns_of
from node.cli.program import PROGRAM
from node.exit_codes import Exit
from node.version import VERSION
from tests.support.api import ChainBackend, Client
from tests.support.busy import a_busy_backend, arguments_of

Json = Any
HELP_WIDTH = 96
CHANGING = ("network_broadcast", "debug", "pegboard_dev", "network_node")
"""APIs whose calls change the chain: each example has one of its own."""
EXAMPLE_CHARACTERS_MAX = 1_200
"""Of an answer; what is longer is cut, and says so."""


def every_command() -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Each command with its words, groups before what is in them."""

    def walk(
        command: click.Command, words: tuple[str, ...], parent: click.Context | None
    ) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
        context = click.Context(
            command,
            parent=parent,
            info_name=words[-1] if words else PROGRAM,
            terminal_width=HELP_WIDTH,
            max_content_width=HELP_WIDTH,
            help_option_names=["-h", "--help"],
        )
        yield words, command, context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None and not inner.hidden:
                    yield from walk(inner, (*words, name), context)

    return walk(cli, (), None)


def command_pages() -> dict[str, str]:
    """A page for each command of the first level, and one for the program."""
    pages: dict[str, list[str]] = {}
    for words, command, context in every_command():
        name = "commands/index" if not words else f"commands/{words[0]}"
        lines = pages.setdefault(name, [])
        heading = "#" if len(words) < 2 else "##"
        title = "Commands" if not words else " ".join((PROGRAM, *words))
        lines += [f"{heading} {title}", "", *_fenced(command.get_help(context)), ""]
    others = {"commands/exit-codes": exit_codes_page(), "commands/exports": exports_page()}
    listed = [name for name in (*pages, *others) if name != "commands/index"]
    pages["commands/index"] += toctree(listed, "commands")
    return {name: "\n".join(lines) for name, lines in pages.items()} | others


def exit_codes_page() -> str:
    """What each exit code says."""
    rows = (f"| {code.value} | {code.meaning} |" for code in Exit)
    return "\n".join(["# Exit codes", "", "| code | meaning |", "|--:|---|", *rows])


def exports_page() -> str:
    """The columns of each export."""
    lines = ["# Columns of exports", ""]
    for name in NAMES:
        rows = (
            f"| `{one.name}` | {PARQUET_TYPES[one.kind]} | {one.meaning} |"
            for one in columns_of(name)
        )
        lines += [f"## {name}", "", "| column | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


Example = Callable[[str, str], list[str]]
"""From an API and a method to the lines that show a call of it."""


def api_pages(example: Example) -> dict[str, str]:
    """A page for each API: every method with its parameters, and a call with its answer."""
    document: Json = json.loads(_finished(api_document(VERSION)))
    described = {method["name"]: method for method in document["methods"]}
    pages = {}
    for api, table in APIS.items():
        lines = [f"# API {api}", ""]
        for name in table:
            full = name if api == "database" else f"{api}.{name}"
            lines += [*_method(api, name, described[full]), *example(api, name), ""]
        pages[f"api/{api}"] = "\n".join(lines)
    intro = f"{document['info']['description']} `rpc.discover` answers with the same as OpenRPC."
    pages["api/index"] = "\n".join(
        ["# The API", "", intro, "", *toctree([*pages, "api/conformance"], "api")]
    )
    return pages


def _finished(steps: Any) -> Json:
    """What work in steps returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _method(api: str, name: str, method: Json) -> list[str]:
    lines = [f"## {api}.{name}", "", _escaped(method["description"]), ""]
    parameters = method["params"]
    if parameters:
        lines += ["| parameter | kind | default |", "|---|---|---|"]
        for one in parameters:
            default = one["schema"].get("default")
            shown = "required" if one["required"] else f"`{json.dumps(default)}`"
            lines.append(f"| `{one['name']}` | {_escaped(one['description'])} | {shown} |")
        lines.append("")
    return lines


def played_examples() -> Example:
    """Calls on a chain on which much has happened, each with what it was answered."""
    shared = a_busy_backend()

    def example(api: str, name: str) -> list[str]:
        return _played(a_busy_backend() if api in CHANGING else shared, api, name)

    return example


def _played(backend: ChainBackend, api: str, name: str) -> list[str]:
    arguments = arguments_of(backend, api, name)
    answer = Client(backend).answer(name, *arguments, api=api)
    request = {"id": 0, "method": "call", "params": [api, name, arguments]}
    told = answer.get("result", {"error": answer.get("error")})
    text = json.dumps(told, indent=2)
    if len(text) > EXAMPLE_CHARACTERS_MAX:
        text = text[:EXAMPLE_CHARACTERS_MAX].rpartition("\n")[0] + "\n..."
    return [*_fenced(json.dumps(request)), "", *_fenced(text)]


def _fenced(text: str) -> list[str]:
    return ["````text", text.rstrip(), "````"]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def toctree(
    names: list[str], folder: str = "", *, caption: str = "", hidden: bool = False
) -> list[str]:
    """The lines of a menu of pages, on a page of the folder that they are in."""
    options = [":maxdepth: 1", *([":hidden:"] if hidden else [])]
    options += [f":caption: {caption}"] if caption else []
    short = [name.removeprefix(f"{folder}/") for name in names]
    return ["", "```{toctree}", *options, "", *short, "```"]
