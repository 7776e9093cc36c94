"""House rules that no linter knows: sizes, order, banners, the top level; ruff has the others.

Each rule is a function from a parsed module to the lines that break it, and each is shown a
planted violation at the end.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path

import pytest

from protocol.ids import ID_TYPES

REPO = Path(__file__).resolve().parent.parent

TOP_LEVEL = {
    "README.md": "what it is and how to start it",
    "CHANGELOG.md": "what changed",
    "LICENSE": "MIT",
    "pyproject.toml": "packaging and the only tool configuration",
    "protocol": "what crosses the wire",
    "node": "who decides and who talks",
    "tests": "proof",
    "config": "chain presets and price series",
    "scripts": "commands of this repository",
}

FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 600
TEST_MODULE_LINES_MAX = 800

PRODUCT = ("protocol/", "node/")
PURE = ("protocol/", "node/state/", "node/market/", "node/evaluators/", "node/chain/")
DETERMINISTIC = (*PURE, "node/witness/", "node/whatif/", "node/p2p/", "node/api/", "node/core/")


@dataclass(frozen=True)
class Module:
    """A Python file: its path from the repository's root, its text and its syntax tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def all_modules() -> Iterator[Module]:
    """Every Python module of the repository, in the order of their paths."""
    paths = (
        p for top in ("protocol", "node", "tests", "scripts") for p in REPO.glob(f"{top}/**/*.py")
    )
    for path in sorted(paths):
        yield Module(str(path.relative_to(REPO)), path.read_text())


def statements_of(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements inside a node, however deep, without a look at their expressions."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from statements_of(inner)


def has_bounded_size(module: Module) -> Iterator[str]:
    """Modules of at most 600 lines (the aim is 400), tests 800, functions 70."""
    limit = TEST_MODULE_LINES_MAX if module.path.startswith("tests/") else MODULE_LINES_MAX
    lines = module.text.count("\n")
    if lines > limit:
        yield f"{module.path}: {lines} lines, limit {limit}"
    for node in statements_of(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines"


def has_no_banners(module: Module) -> Iterator[str]:
    """No banners in comments: a section is a module."""
    for number, line in enumerate(module.text.splitlines(), 1):
        if re.search(r"#\s*[-=*#]{4,}", line):
            yield f"{module.path}:{number}: {line.strip()}"


def is_set(node: ast.expr) -> bool:
    """Whether an expression is, by its look, a set."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("set", "frozenset")
    return isinstance(node, ast.Set | ast.SetComp)


def has_no_set_order(module: Module) -> Iterator[str]:
    """The order of a set, which differs from process to process, reaches no result."""
    if not module.path.startswith(DETERMINISTIC):
        return
    for node in ast.walk(module.tree):
        ordered: list[ast.expr] = []
        if isinstance(node, ast.For):
            ordered = [node.iter]
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
            ordered = [part.iter for part in node.generators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            ordered = node.args if node.func.id in ("list", "tuple", "iter", "enumerate") else []
        for expression in ordered:
            if is_set(expression):
                yield f"{module.path}:{expression.lineno}: the order of a set"


ID_HEAD = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]+)\.$")
ID_KINDS = {(str(space), str(type_)) for space, type_ in ID_TYPES.values()}


def has_no_handwritten_ids(module: Module) -> Iterator[str]:
    """Ids of objects are written by `protocol.ids`, which knows whose number has which type."""
    if not re.search(r"[0-9]\.[0-9]+\.", module.text):
        return
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        for head, filled in pairwise(node.values):
            if not (isinstance(head, ast.Constant) and isinstance(filled, ast.FormattedValue)):
                continue
            match = ID_HEAD.search(str(head.value))
            if match and match.groups() in ID_KINDS:
                yield f"{module.path}:{node.lineno}: {match[0]} before {ast.unparse(filled.value)}"


RULES: dict[str, Callable[[Module], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        has_bounded_size,
        has_no_banners,
        has_no_set_order,
        has_no_handwritten_ids,
    )
}


class Survey:
    """What one look at each of many modules finds: a whole tree is parsed once, and let go."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.broken: list[str] = []
        """Lines that break a house rule, with the rule."""
        self.bases: dict[str, list[str]] = {}
        """Name of every class of the product, with the names of its bases."""
        for module in modules:
            self.broken += [f"{rule}: {line}" for rule in RULES for line in RULES[rule](module)]
            self.bases |= class_bases(module)


@lru_cache(1)
def survey() -> Survey:
    """The survey of the whole repository."""
    return Survey(all_modules())


def test_every_module_is_tidy() -> None:
    """Each house rule holds in every module."""
    assert not survey().broken, "\n".join(survey().broken)


def class_bases(module: Module) -> dict[str, list[str]]:
    """Name of every class of the product in a module, with the names of its bases."""
    if not module.path.startswith(PRODUCT):
        return {}
    return {
        node.name: [ast.unparse(base) for base in node.bases]
        for node in statements_of(module.tree)
        if isinstance(node, ast.ClassDef)
    }


DECLARE = ("Record", "Mutable")
"""Bases that say how a class is declared, as a decorator would."""


def deep_classes(bases: dict[str, list[str]]) -> list[str]:
    """Classes that inherit from a class of ours that itself inherits from one of ours."""

    def is_error(name: str) -> bool:
        return name == "Exception" or any(is_error(base) for base in bases.get(name, ()))

    return [
        name
        for name, parents in bases.items()
        for parent in parents
        if any(base in bases and base not in DECLARE for base in bases.get(parent, ()))
        and not is_error(name)
    ]


def test_inheritance_is_one_level_deep() -> None:
    """Outside the errors, a class of ours has at most one ancestor of ours."""
    assert deep_classes(survey().bases) == []


def test_deep_inheritance_is_caught() -> None:
    """A planted grandchild is found; an error's grandchild is not."""
    tree = "class A: pass\nclass B(A): pass\nclass C(B): pass\n"
    assert deep_classes(Survey([Module("node/x.py", tree)]).bases) == ["C"]
    errors = "class A(Exception): pass\nclass B(A): pass\nclass C(B): pass\n"
    assert deep_classes(Survey([Module("node/x.py", errors)]).bases) == []


def test_top_level_is_the_map() -> None:
    """A newcomer sees the architecture in the folder tree, and nothing else.

    Only what git keeps is looked at: a reader may put folders of their own beside it.
    """
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=REPO,
        capture_output=True,
        check=True,
        text=True,
    )
    present = {name for name in listed.stdout.split() if not name.startswith(".")}
    assert present <= set(TOP_LEVEL), sorted(present - set(TOP_LEVEL))


def test_scripts_run_from_anywhere() -> None:
    """Every command can be executed, and every shell script parses and finds its own folder."""
    for path in sorted([*REPO.glob("scripts/*"), REPO / ".ci" / "run"]):
        if path.is_dir():
            continue
        text = path.read_text()
        first_line = text.partition("\n")[0]
        if path.name != "common":
            assert first_line in ("#!/usr/bin/env bash", "#!/usr/bin/env python3"), path
            assert os.access(path, os.X_OK), path
        if "python3" not in first_line:
            assert "${BASH_SOURCE[0]}" in text, path
            subprocess.run(["bash", "-n", str(path)], check=True)


HEAD = '"""Doc."""\n\nfrom __future__ import annotations\n'
PLANTED = [
    ("has_bounded_size", "node/x.py", HEAD + "x = 1\n" * 600),
    ("has_bounded_size", "tests/x.py", HEAD + "x = 1\n" * 800),
    ("has_bounded_size", "tests/x.py", HEAD + "def f():\n" + "    x = 1\n" * 70),
    ("has_no_banners", "node/x.py", "# --" + "-----\n"),
    ("has_no_set_order", "node/chain/x.py", "for x in {1, 2}: pass\n"),
    ("has_no_set_order", "node/chain/x.py", "y = [x for x in set(z)]\n"),
    ("has_no_set_order", "node/core/x.py", "y = list({x for x in z})\n"),
    ("has_no_handwritten_ids", "node/x.py", 'x = f"1.2.{account}"\n'),
    ("has_no_handwritten_ids", "tests/x.py", 'x = f"of 1.3.{asset} and 2.5.{balance}"\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_planted_violation_is_caught(rule: str, path: str, text: str) -> None:
    """Each house rule can fail, and the survey says so."""
    module = Module(path, text)
    assert [f"{rule}: {line}" for line in RULES[rule](module)] == Survey([module]).broken != []


PERMITTED = [
    ("has_bounded_size", "tests/x.py", HEAD + "x = 1\n" * 700),
    ("has_no_set_order", "node/chain/x.py", "for x in sorted(set(y)): pass\n"),
    ("has_no_set_order", "node/chain/x.py", "y = {x + 1 for x in set(z)}\n"),
    ("has_no_handwritten_ids", "tests/x.py", 'x = f"10.1.2.{n} or 1.{n} or 1.2.3, {n}"\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), PERMITTED)
def test_what_is_allowed_passes(rule: str, path: str, text: str) -> None:
    """The house rules refuse no more than they say."""
    assert list(RULES[rule](Module(path, text))) == []
