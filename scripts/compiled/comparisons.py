"""Finds where compiled code would take two equal records for different ones.

Of two objects of one class that it compiles mypyc takes `==` for `is`, unless the class itself has
`__eq__`: that of `msgspec.Struct` it does not see. `protocol.schema.are_equal` does what is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from mypy import build
from mypy.config_parser import parse_config_file
from mypy.inspections import find_all_by_location
from mypy.modulefinder import BuildSource
from mypy.nodes import ComparisonExpr, Expression, ListExpr, TupleExpr
from mypy.options import Options
from mypy.types import Instance, Type, get_proper_type

STRUCT = "msgspec.Struct"


def compared_records(root: Path, sources: Collection[str]) -> list[str]:
    """Places in sources, relative to a root, that compare records of a class of theirs."""
    options = Options()
    parse_config_file(options, lambda: None, str(root / "pyproject.toml"))
    changes = {"export_types": True, "preserve_asts": True, "incremental": False}
    options = options.apply_changes({**changes, "mypy_path": [str(root)]})
    modules = {source.removesuffix(".py").replace("/", "."): source for source in sources}
    files = [BuildSource(str(root / source), name) for name, source in modules.items()]
    found = build.build(files, options)
    wrong = [one for one in found.types if _compares_records(one, found.types, modules)]
    return sorted(
        f"{source}:{one.line}"
        for one in wrong
        for name, source in modules.items()
        if any(
            one is here for here in find_all_by_location(found.files[name], one.line, one.column)
        )
    )


def _compares_records(
    expression: Expression, types: Mapping[Expression, Type], compiled: Collection[str]
) -> bool:
    if not isinstance(expression, ComparisonExpr):
        return False
    for left, right in _compared(expression):
        one, other = (_record_of(types.get(side), compiled) for side in (left, right))
        if one is not None and one == other:
            return True
    return False


def _compared(expression: ComparisonExpr) -> Iterator[tuple[Expression, Expression]]:
    """What is compared by `==`: mypyc also does so with each member of a list that is written."""
    for operator, left, right in expression.pairwise():
        if operator in ("==", "!="):
            yield left, right
        elif operator in ("in", "not in") and isinstance(right, TupleExpr | ListExpr):
            yield from ((left, item) for item in right.items)


def _record_of(type_: Type | None, compiled: Collection[str]) -> str | None:
    """The class of a record that is compiled."""
    instance = get_proper_type(type_)
    if not isinstance(instance, Instance) or instance.type.module_name not in compiled:
        return None
    bases = {base.fullname for base in instance.type.mro}
    return instance.type.fullname if STRUCT in bases else None
