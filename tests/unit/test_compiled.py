"""`scripts/compile`: what of a module is changed for mypyc, and when what it made is let in.

A whole build takes a minute: `scripts/compile --check` makes one, plays the same chains both ways
and compares their states block by block.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from node.compiled import SWITCH, how_it_runs
from protocol.schema import schema_of

# Scripts are no package to the type checker.
finder: Any = import_module("scripts.compiled.finder")
quoting: Any = import_module("scripts.compiled.annotations")
modules: Any = import_module("scripts.compiled.modules")
check: Any = import_module("scripts.compiled.check")

REPO = Path(__file__).resolve().parents[2]
COMPILED: list[str] = modules.compiled(REPO)

SUFFIX = EXTENSION_SUFFIXES[0]
MODULE = "node.state.undo"
SOURCE = "node/state/undo.py"

DECLARED = """from __future__ import annotations
from typing import Annotated, Final
from protocol.ids import AccountId
from protocol.schema import Length, Record


class Thing(Record):
    LIMIT: Final = 5
    wide: Annotated[
        tuple[AccountId, ...],
        Length(1, 9),
    ]
    owner: AccountId | None = None; other: str = "ä"
    text: str = "x"


LAST = 15
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository of one module, and beside it what was compiled of it."""
    (tmp_path / SOURCE).parent.mkdir(parents=True)
    (tmp_path / SOURCE).write_text("x = 1\n")
    manifest = {
        "suffix": SUFFIX,
        "python": sys.version,
        "sources": [SOURCE],
        "digest": finder.digest_of(str(tmp_path), [SOURCE]),
        "modules": {MODULE: f"node/state/undo{SUFFIX}"},
    }
    (tmp_path / finder.MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def found(tree: Path, name: str = MODULE) -> tuple[str | None, bool]:
    """The file that is let in for a module, relative to the tree, and whether all is stale."""
    one = finder.CompiledFinder(str(tree))
    spec = one.find_spec(name, [str((tree / SOURCE).parent)])
    origin = None if spec is None or spec.origin is None else Path(spec.origin)
    return None if origin is None else origin.relative_to(tree).as_posix(), one.is_stale


def test_what_was_compiled_of_these_sources_is_let_in(tree: Path) -> None:
    assert found(tree) == (f"node/state/undo{SUFFIX}", False)
    assert found(tree, "node.state.table") == (None, False)


@pytest.mark.parametrize("change", ["x = 2\n", "x = 1\n\n", None])
def test_a_changed_source_is_never_shadowed(tree: Path, change: str | None) -> None:
    """Not by anything that was compiled, be the change as old and as long as it likes."""
    if change is None:
        (tree / SOURCE).unlink()
    else:
        (tree / SOURCE).write_text(change)
    assert found(tree) == (None, True)


@pytest.mark.parametrize(("fact", "other"), [("python", "3.11.0 (other)"), ("suffix", ".x.so")])
def test_what_another_python_compiled_is_not_let_in(tree: Path, fact: str, other: str) -> None:
    manifest = json.loads((tree / finder.MANIFEST).read_text())
    (tree / finder.MANIFEST).write_text(json.dumps({**manifest, fact: other}))
    assert found(tree) == (None, True)


@pytest.mark.parametrize("content", [None, "{"])
def test_without_a_whole_manifest_all_is_interpreted(tree: Path, content: str | None) -> None:
    if content is None:
        (tree / finder.MANIFEST).unlink()
    else:
        (tree / finder.MANIFEST).write_text(content)
    assert found(tree) == (None, False)


def test_other_packages_are_not_looked_at(tree: Path) -> None:
    one = finder.CompiledFinder(str(tree))
    assert one.find_spec("json", None) is None
    assert one.find_spec("nodes.x", [str(tree)]) is None
    assert one.modules is None


def test_the_switch_leaves_all_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = len(sys.meta_path)
    assert finder.SWITCH == SWITCH
    monkeypatch.setenv(SWITCH, "0")
    finder.install()
    assert len(sys.meta_path) == before
    monkeypatch.delenv(SWITCH)
    finder.install()
    assert len(sys.meta_path) == before + 1
    assert isinstance(sys.meta_path[0], finder.CompiledFinder)


def test_how_it_runs_says_when_other_sources_were_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.compiled.undo", Interpreted)
    monkeypatch.setitem(sys.modules, "pegboard_compiled", finder)
    stale = finder.CompiledFinder()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, stale])
    assert how_it_runs() == "interpreted"
    stale.is_stale = True
    assert how_it_runs().startswith("interpreted: the sources are not those")


class Interpreted:
    """A module whose functions have code of Python."""

    class UndoLog:
        def begin(self) -> None: ...


def test_quoted_annotations_declare_the_same_record() -> None:
    """Every line stays where it was, for tracebacks; unions begin with a name, for mypyc."""
    text = quoting.quoted(DECLARED)
    assert "owner: 'Union[AccountId, None]' = None; other: 'str' = \"ä\"" in text
    assert "LIMIT: Final = 5" in text
    assert text.splitlines().index("LAST = 15") == DECLARED.splitlines().index("LAST = 15")
    fields = []
    for source in (DECLARED.replace("    LIMIT: Final = 5\n", ""), text):
        module = type(sys)("declared")
        sys.modules["declared"] = module
        try:
            exec(source.replace("    LIMIT: Final = 5\n", ""), vars(module))
            declared = vars(module)["Thing"]
            declared.__annotations__ = {
                name: annotation.strip("'\"")
                for name, annotation in declared.__annotations__.items()
            }
            fields.append([(field.name, field.type) for field in schema_of(declared).fields])
        finally:
            del sys.modules["declared"]
    assert fields[0] == fields[1]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("class A(B):\n    pass\n", None),
        ("class A(B, frozen=True):\n    pass\n", "A"),
        ("@dataclass(frozen=True)\nclass A:\n    pass\n", None),
        ("@dataclass(frozen=True, slots=True)\nclass A:\n    pass\n", "A"),
    ],
)
def test_a_class_that_mypyc_would_change_is_named(source: str, name: str | None) -> None:
    assert quoting.uncompilable(source) == name


def test_no_compiled_module_holds_such_a_class() -> None:
    assert {m: quoting.uncompilable((REPO / m).read_text()) for m in COMPILED} == dict.fromkeys(
        COMPILED
    )


def test_the_digest_is_over_all_that_a_compiled_module_imports() -> None:
    """Types and constants of other modules go into compiled code."""
    known = set(modules.sources(REPO))
    for module in COMPILED:
        assert module in known
        for line in (REPO / module).read_text().splitlines():
            words = line.split()
            if line.startswith("from ") and words[1].startswith(("node.", "protocol")):
                path = words[1].replace(".", "/")
                assert f"{path}.py" in known or f"{path}/__init__.py" in known, line


def test_the_first_difference_of_two_traces_is_told_with_its_test() -> None:
    trace = ["# one", "1 aa bb", "# two", "1 cc dd", "2 ee ff"]
    assert check.first_difference(trace, list(trace)) is None
    other = [*trace[:4], "2 ee 00"]
    assert check.first_difference(trace, other) == "two: 2 ee ff interpreted, 2 ee 00 compiled"
    assert check.first_difference(trace, trace[:-1]) == "two: 2 ee ff interpreted, nothing compiled"
