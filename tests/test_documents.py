"""The documents for people who work here name files and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from node.cli import cli
from node.cli.commands import PLACES

REPO = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    "README.md",
    *sorted(
        str(path.relative_to(REPO))
        for folder in (".github", "config", "node", "protocol")
        for path in REPO.glob(f"{folder}/**/*.md")
        if not path.is_relative_to(REPO / "node" / "pegboard" / "config")
    ),
]
NAMED = re.compile(r"`(\.?[\w.<>-]+(?:/[\w.<>-]+)+)/?`|\]\(([\w./-]+)\)")
COMMAND = re.compile(r"(?:^ +(?:\./|\.venv/bin/)?|`)pegboard ([a-z][a-z-]*)", re.MULTILINE)
PLACEHOLDER = re.compile(r"<[a-z]+>")
DECISION_HEADINGS = ["## Context", "## Decision", "## Consequences"]


def paths_in(document: str, text: str) -> set[str]:
    """Paths that a text names: in code from the repository's root, in links from the document."""
    found = set()
    for in_code, linked in NAMED.findall(text):
        if linked:
            found.add(str(Path(document).parent / linked))
        else:
            found.add(PLACEHOLDER.sub("*", in_code))
    return found


def exists(path: str) -> bool:
    """Whether the repository has it; rooms of `node/`, and modules, may go by their short names."""
    return (
        any(REPO.glob(path)) or any(REPO.glob(f"node/{path}")) or any(REPO.glob(f"node/{path}.py"))
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_files_exist(document: str) -> None:
    """A page that sends a reader to a file that has moved is worse than none."""
    text = (REPO / document).read_text()
    missing = [path for path in paths_in(document, text) if not exists(path)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_commands_exist(document: str) -> None:
    """So is one that shows a command that is not there."""
    text = (REPO / document).read_text()
    assert set(COMMAND.findall(text)) <= set(PLACES)


NAME = re.compile("[a-z][a-z-]*")
SCRIPT = re.compile(r"(?:\./|`)scripts/([a-z-]+)(?![a-z./_-])")
SHOWN = re.compile(
    r"(?:^ +(?:\./scripts/|\.venv/bin/pegboard |pegboard )|`pegboard )([a-z][^`\n]*)", re.MULTILINE
)


def unknown_options(text: str) -> list[str]:
    """Options in the commands that a text shows, and subcommands, that the programs lack."""
    found = []
    for shown in SHOWN.findall(text):
        words = re.split(r" {2,}|[;|]", shown)[0].split()
        command = cli.get_command(click.Context(cli), words.pop(0))
        while isinstance(command, click.Group) and words and NAME.fullmatch(words[0]):
            command = command.get_command(click.Context(command), words.pop(0))
            found += [] if command is not None else [shown]
        if command is None:
            continue
        known = {name for one in command.params for name in one.opts} | {"--help"}
        options = (word.partition("=")[0] for word in words if word.startswith("--"))
        found += [f"{shown}: {option}" for option in options if option not in known]
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_named_scripts_and_options_exist(document: str) -> None:
    """Scripts, subcommands and options, too."""
    text = (REPO / document).read_text()
    assert [name for name in SCRIPT.findall(text) if not (REPO / "scripts" / name).exists()] == []
    assert unknown_options(text) == []


def test_decisions_have_one_form() -> None:
    """Numbered without gaps; context, decision, consequences."""
    records = sorted((REPO / ".github" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        lines = path.read_text().splitlines()
        assert lines[0].startswith("# "), path
        assert [line for line in lines if line.startswith("##")] == DECISION_HEADINGS, path


def test_a_missing_file_is_found() -> None:
    """The checks can fail."""
    text = (
        "See `node/market/bells.py`, [it](CHIMES.md), `a / b`, `protocol/operations/<family>.py`."
    )
    found = paths_in(".github/X.md", text)
    assert found == {"node/market/bells.py", ".github/CHIMES.md", "protocol/operations/*.py"}
    assert [path for path in sorted(found) if exists(path)] == ["protocol/operations/*.py"]
    assert COMMAND.findall("    pegboard dance\n") == ["dance"]
    assert SCRIPT.findall("`scripts/dance --all`") == ["dance"]
    assert unknown_options("`pegboard show trades bitUSD --plot`, `pegboard up -n 5`") == []
    for wrong in ("`pegboard show dances`", "    pegboard export blocks --sideways  why\n"):
        assert len(unknown_options(wrong)) == 1, wrong
