"""House rules that no linter knows: sizes, docstrings, order, leftovers, the top level.

Each rule is a function from a parsed module to the lines that break it, and each is shown a
planted violation at the end.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
NOT_OURS = re.compile(r"\..*|__pycache__|.*\.egg-info|build|dist|data")
"""Tool caches and build results that .gitignore keeps out."""

LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 600
TEST_MODULE_LINES_MAX = 800

PRODUCT = ("protocol/", "node/")
PURE = ("protocol/", "node/state/", "node/market/", "node/evaluators/", "node/chain/")
DETERMINISTIC = (*PURE, "node/witness/", "node/p2p/", "node/api/", "node/core/")
REFLECTIVE = tuple(
    f"protocol/{name}.py"
    for name in ("schema", "binary", "binary_source", "json_form", "msgpack_form")
)
"""The codecs, which read declarations at import and so handle values of every type."""


@dataclass(frozen=True)
class Module:
    """A Python file: its path from the repository's root, its text and its syntax tree."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def all_modules() -> list[Module]:
    """Every Python module of the repository, in the order of their paths."""
    paths = (
        p for top in ("protocol", "node", "tests", "scripts") for p in REPO.glob(f"{top}/**/*.py")
    )
    return [Module(str(p.relative_to(REPO)), p.read_text()) for p in sorted(paths)]


def has_bounded_size(module: Module) -> Iterator[str]:
    """Modules of at most 600 lines (the aim is 400), tests 800, functions 70."""
    limit = TEST_MODULE_LINES_MAX if module.path.startswith("tests/") else MODULE_LINES_MAX
    lines = module.text.count("\n")
    if lines > limit:
        yield f"{module.path}: {lines} lines, limit {limit}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines"


def has_short_lines(module: Module) -> Iterator[str]:
    """Lines of at most 100 characters."""
    for number, line in enumerate(module.text.splitlines(), 1):
        if len(line) > LINE_LENGTH_MAX:
            yield f"{module.path}:{number}: {len(line)} characters"


def has_docstrings(module: Module) -> Iterator[str]:
    """Every module, and every public class and function of the product, says what it is."""
    if not module.path.startswith(PRODUCT) or not module.text:
        return
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in (module.tree, *module.tree.body):
        if not isinstance(node, documented) or ast.get_docstring(node):
            continue
        name = "the module" if isinstance(node, ast.Module) else node.name
        if not name.startswith("_"):
            yield f"{module.path}: {name} has no docstring"


def has_future_annotations(module: Module) -> Iterator[str]:
    """Annotations are never evaluated while a module is imported."""
    only_docstring = len(module.tree.body) == 1 and ast.get_docstring(module.tree) is not None
    if (
        module.text
        and not only_docstring
        and "\nfrom __future__ import annotations\n" not in "\n" + module.text
    ):
        yield f"{module.path}: no `from __future__ import annotations`"


def has_no_leftovers(module: Module) -> Iterator[str]:
    """No reminders, no banners: an open end is an issue, a section is a module."""
    pattern = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|#\s*[-=*#]{4,}")
    for number, line in enumerate(module.text.splitlines(), 1):
        if pattern.search(line):
            yield f"{module.path}:{number}: {line.strip()}"


def has_no_any(module: Module) -> Iterator[str]:
    """The rules of the chain are fully typed."""
    if not module.path.startswith(PURE) or module.path in REFLECTIVE:
        return
    for node in ast.walk(module.tree):
        named = isinstance(node, ast.Name) and node.id == "Any"
        dotted = isinstance(node, ast.Attribute) and node.attr == "Any"
        if isinstance(node, ast.expr) and (named or dotted):
            yield f"{module.path}:{node.lineno}: Any"


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
        has_short_lines,
        has_docstrings,
        has_future_annotations,
        has_no_leftovers,
        has_no_any,
        has_no_set_order,
        has_no_handwritten_ids,
    )
}


@pytest.mark.parametrize("rule", RULES)
def test_every_module_is_tidy(rule: str) -> None:
    """Each house rule holds in every module."""
    found = [line for module in all_modules() for line in RULES[rule](module)]
    assert not found, "\n".join(found)


def class_bases(modules: list[Module]) -> dict[str, list[str]]:
    """Name of every class of the product, with the names of its bases."""
    found = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and module.path.startswith(PRODUCT):
                found[node.name] = [ast.unparse(base).split(".")[-1] for base in node.bases]
    return found


def deep_classes(bases: dict[str, list[str]]) -> list[str]:
    """Classes that inherit from a class of ours that itself inherits from one of ours."""

    def is_error(name: str) -> bool:
        return name == "Exception" or any(is_error(base) for base in bases.get(name, ()))

    return [
        name
        for name, parents in bases.items()
        for parent in parents
        if any(base in bases for base in bases.get(parent, ())) and not is_error(name)
    ]


def test_inheritance_is_one_level_deep() -> None:
    """Outside the errors, a class of ours has at most one ancestor of ours."""
    assert deep_classes(class_bases(all_modules())) == []


def test_deep_inheritance_is_caught() -> None:
    """A planted grandchild is found; an error's grandchild is not."""
    tree = "class A: pass\nclass B(A): pass\nclass C(B): pass\n"
    assert deep_classes(class_bases([Module("node/x.py", tree)])) == ["C"]
    errors = "class A(Exception): pass\nclass B(A): pass\nclass C(B): pass\n"
    assert deep_classes(class_bases([Module("node/x.py", errors)])) == []


def test_top_level_is_the_map() -> None:
    """A newcomer sees the architecture in the folder tree, and nothing else."""
    present = {path.name for path in REPO.iterdir() if not NOT_OURS.fullmatch(path.name)}
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
    ("has_short_lines", "tests/x.py", "x = " + "1" * 97 + "\n"),
    ("has_docstrings", "node/x.py", "x = 1\n"),
    ("has_docstrings", "node/x.py", HEAD + "def f(): pass\n"),
    ("has_docstrings", "protocol/x.py", HEAD + "class A: pass\n"),
    ("has_docstrings", "node/x.py", HEAD + "async def f(): pass\n"),
    ("has_future_annotations", "tests/x.py", '"""Doc."""\nx = 1\n'),
    ("has_no_leftovers", "tests/x.py", "x = 1  # TO" + "DO later\n"),
    ("has_no_leftovers", "node/x.py", "# --" + "-----\n"),
    ("has_no_any", "node/market/x.py", "def f(x: Any) -> None: pass\n"),
    ("has_no_any", "protocol/x.py", "def f(x: dict[str, typing.Any]) -> None: pass\n"),
    ("has_no_set_order", "node/chain/x.py", "for x in {1, 2}: pass\n"),
    ("has_no_set_order", "node/chain/x.py", "y = [x for x in set(z)]\n"),
    ("has_no_set_order", "node/core/x.py", "y = list({x for x in z})\n"),
    ("has_no_handwritten_ids", "node/x.py", 'x = f"1.2.{account}"\n'),
    ("has_no_handwritten_ids", "tests/x.py", 'x = f"of 1.3.{asset} and 2.5.{balance}"\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_planted_violation_is_caught(rule: str, path: str, text: str) -> None:
    """Each house rule can fail."""
    assert list(RULES[rule](Module(path, text)))


PERMITTED = [
    ("has_bounded_size", "tests/x.py", HEAD + "x = 1\n" * 700),
    ("has_docstrings", "node/x.py", HEAD + "def _f(): pass\n"),
    ("has_docstrings", "tests/x.py", "def f(): pass\n"),
    ("has_docstrings", "node/x/__init__.py", ""),
    ("has_future_annotations", "node/x/__init__.py", '"""Doc."""\n'),
    ("has_no_any", "protocol/schema.py", "x: Any\n"),
    ("has_no_any", "node/services/x.py", "x: Any\n"),
    ("has_no_set_order", "node/chain/x.py", "for x in sorted(set(y)): pass\n"),
    ("has_no_set_order", "node/chain/x.py", "y = {x + 1 for x in set(z)}\n"),
    ("has_no_handwritten_ids", "tests/x.py", 'x = f"10.1.2.{n} or 1.{n} or 1.2.3, {n}"\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), PERMITTED)
def test_what_is_allowed_passes(rule: str, path: str, text: str) -> None:
    """The house rules refuse no more than they say."""
    assert list(RULES[rule](Module(path, text))) == []
