"""Makes of a module one that mypyc compiles to the same thing.

Annotations of classes are put into quotes: mypyc keeps those, and no others, as they are.

Records and objects are read by `protocol.schema` from their annotations, of which mypyc makes
plain classes otherwise: `AccountId` would be an `int`.
"""

from __future__ import annotations

import ast

FUTURE = "from __future__ import annotations\n"
WITH_UNION = "from __future__ import annotations; from typing import Union\n"


def quoted(source: str) -> str:
    """The same module with its classes' annotations as strings; every line stays where it is."""
    lines = source.splitlines(keepends=True)
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    found = [
        item.annotation
        for node in classes
        for item in node.body
        if isinstance(item, ast.AnnAssign) and not _is_of_the_class(item.annotation)
    ]
    for annotation in sorted(found, key=_place, reverse=True):
        first, last = annotation.lineno - 1, (annotation.end_lineno or annotation.lineno) - 1
        # Columns are counted in bytes.
        before = lines[first].encode()[: annotation.col_offset].decode()
        after = lines[last].encode()[annotation.end_col_offset :].decode()
        text = repr(ast.unparse(_named(annotation)))
        lines[first : last + 1] = [f"{before}{text}" + "\\\n" * (last - first) + after]
    return "".join(lines).replace(FUTURE, WITH_UNION, 1)


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _is_of_the_class(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith(("Final", "ClassVar"))


def _named(annotation: ast.expr) -> ast.expr:
    """`X | Y` as `Union[X, Y]`: mypyc keeps what begins with a name."""
    if not isinstance(annotation, ast.BinOp):
        return annotation
    members: list[ast.expr] = []
    while isinstance(annotation, ast.BinOp):
        members.insert(0, annotation.right)
        annotation = annotation.left
    members.insert(0, annotation)
    return ast.Subscript(ast.Name("Union"), ast.Tuple(members))


def uncompilable(source: str) -> str | None:
    """The first class that mypyc would make another one of, without a word; or None."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if node.keywords or any("slots=True" in decorator for decorator in decorators):
                return node.name
    return None
