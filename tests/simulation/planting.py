"""Plants bugs into the running program: the code of a function, changed in its text.

Also a plugin of pytest, which plants what `PLANTED` names in the environment, so that a test can
be seen to fail: `PLANTED="half a quorum" pytest -p tests.simulation.planting tests/unit`.
"""

from __future__ import annotations

import ast
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import reduce
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

from hypothesis import Phase, settings

VARIABLE = "PLANTED"
FOR_LIFE = ExitStack()
"""Holds what is planted until the process ends."""

REPO = Path(__file__).resolve().parent.parent.parent


class Edit(NamedTuple):
    """A change of one function's text."""

    path: str
    """Of the module, from the repository's root."""
    function: str
    """Its qualified name: `quorum_of`, `ForkItem.rank`."""
    old: str
    """What stands in it exactly once."""
    new: str

    @property
    def module(self) -> str:
        """The name under which the module is imported."""
        return self.path.removesuffix(".py").replace("/", ".")


class NotPlanted(AssertionError):
    """The code has changed: a bug must be planted anew, elsewhere."""


@contextmanager
def planted(edits: Sequence[Edit]) -> Iterator[None]:
    """While it lasts, the functions have the changed code, whoever holds them.

    Raises `NotPlanted` if a function, or the text to replace, is no longer there.
    """
    with ExitStack() as stack:
        for edit in edits:
            stack.enter_context(_planted(edit))
        yield


@contextmanager
def _planted(edit: Edit) -> Iterator[None]:
    function = _function(importlib.import_module(edit.module), edit)
    sound, function.__code__ = function.__code__, _changed_code(edit)
    try:
        yield
    finally:
        function.__code__ = sound


def _function(module: ModuleType, edit: Edit) -> FunctionType:
    """The function object behind a name, under its decorators."""
    *owners, name = edit.function.split(".")
    owner = reduce(getattr, owners, module)
    found: object = vars(owner).get(name)
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        inner = [getattr(found, one, None) for one in ("fget", "__func__", "__wrapped__")]
        found = next((one for one in inner if one is not None), None)
        if found is None:
            raise NotPlanted(f"{edit.path} has no function {edit.function}")
    return found


def _changed_code(edit: Edit) -> CodeType:
    text = (REPO / edit.path).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    first, last = _lines_of(ast.parse(text), edit)
    body = "".join(lines[first:last])
    if body.count(edit.old) != 1:
        raise NotPlanted(f"{body.count(edit.old)} times in {edit.function}: {edit.old}")
    changed = "".join(lines[:first]) + body.replace(edit.old, edit.new) + "".join(lines[last:])
    found = _find_code(compile(changed, str(REPO / edit.path), "exec"), edit.function)
    assert found is not None, "its definition was found in the text"
    return found


def _lines_of(tree: ast.Module, edit: Edit) -> tuple[int, int]:
    """From which line on, and before which, a function is defined; counted from 0."""
    scope: list[ast.stmt] = tree.body
    node: ast.stmt | None = None
    for name in edit.function.split("."):
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        node = next((one for one in scope if isinstance(one, named) and one.name == name), None)
        if not isinstance(node, named):
            raise NotPlanted(f"{edit.path} has no function {edit.function}")
        scope = node.body
    assert node is not None
    return node.lineno - 1, node.end_lineno or node.lineno


def _find_code(code: CodeType, name: str) -> CodeType | None:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found = inner if inner.co_qualname == name else _find_code(inner, name)
            if found is not None:
                return found
    return None


def pytest_configure() -> None:
    """Plant what the environment names, for the process's whole life; no failure is shrunk."""
    from tests.simulation.bugs import BUGS  # which knows this module

    name = os.environ.get(VARIABLE)
    if name is not None:
        [bug] = [one for one in BUGS if one.name == name]
        FOR_LIFE.enter_context(planted(bug.edits))
        settings.register_profile(VARIABLE, phases=(Phase.explicit, Phase.generate))
        settings.load_profile(VARIABLE)
