"""Records that the garbage collector does not look at hold nothing that could lead back to them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType, TracebackType
from typing import get_args, get_origin, get_type_hints

import msgspec

import node
import protocol
from node.chain.chain import Chain
from node.evaluators.evaluator import Evaluator
from node.state.context import Context
from node.state.database import State
from protocol.schema import Record

LEADS_BACK = (BaseException, TracebackType, State, Chain, Context)
"""An exception holds the frames that it went through, and so their variables."""
CALLS = (Callable, Generator, Iterator)
MADE_ONCE = {Evaluator}
"""Made of functions of modules when these are loaded; compiled code cannot say `gc=True`."""


def records_of(package: ModuleType) -> set[type[msgspec.Struct]]:
    """All that the modules of a package declare."""
    found: set[type[msgspec.Struct]] = set()
    for info in walk_packages(package.__path__, f"{package.__name__}."):
        if info.name.endswith("__main__"):
            continue
        module = import_module(info.name)
        found |= {
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, msgspec.Struct)
            and item.__module__ == info.name
        }
    return found


def may_lead_back(hint: object) -> bool:
    """Whether values of a type may hold whatever it was that made them."""
    origin = get_origin(hint)
    if origin is None:
        return isinstance(hint, type) and issubclass(hint, LEADS_BACK)
    return origin in CALLS or any(map(may_lead_back, get_args(hint)))


def unsafe_fields(cls: type[msgspec.Struct]) -> list[str]:
    """Fields by which an instance could be part of a cycle that is never found."""
    if cls.__struct_config__.gc:
        return []
    hints = get_type_hints(cls)
    return [
        f"{cls.__module__}.{cls.__name__}.{name}"
        for name in cls.__struct_fields__
        if may_lead_back(hints[name])
    ]


def test_what_is_not_collected_leads_nowhere() -> None:
    """T-R1: a record that holds an exception kept the call that had failed, for good."""
    found = [
        field
        for cls in (records_of(node) | records_of(protocol)) - MADE_ONCE
        for field in unsafe_fields(cls)
    ]
    assert sorted(found) == []


def test_what_leads_back_is_seen() -> None:
    """And what is collected may hold whatever it wants."""

    class Held(Record):
        number: int
        errors: tuple[ValueError | None, ...]
        ask: Callable[[], int]

    class Collected(Held, gc=True):
        pass

    assert [one.rsplit(".", 1)[1] for one in unsafe_fields(Held)] == ["errors", "ask"]
    assert unsafe_fields(Collected) == []
