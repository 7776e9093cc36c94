"""`scripts/compile`: what of a module is changed for mypyc, and when what it made is let in.

A whole build takes a minute: `scripts/compile --check` makes one, plays the same chains both ways
and compares their states block by block.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, PathFinder
from pathlib import Path
from time import sleep
from types import FrameType
from typing import Any, cast

import pytest

from node.chain.chain import Chain
from node.compiled import SWITCH, how_it_runs
from node.state.objects.base import StateObject
from node.state.objects.market import LimitOrder
from node.state.table import Table
from node.state.undo import UndoLog
from protocol.asset import NO_FEE, AssetAmount
from protocol.block import BlockEnvelope
from protocol.constants import CORE_ASSET
from protocol.fees import with_required_fee
from protocol.ids import LimitOrderId, order_text
from protocol.operations.transfer import Transfer
from protocol.schema import schema_of
from tests.support.chain import make_parameters
from tests.support.world import ALICE, BOB

# Scripts are no package to the type checker.
finder: Any = import_module("scripts.compiled.finder")
stamps: Any = import_module("scripts.compiled.build").stamps
quoting: Any = import_module("scripts.compiled.annotations")
modules: Any = import_module("scripts.compiled.modules")
check: Any = import_module("scripts.compiled.check")
comparisons: Any = import_module("scripts.compiled.comparisons")
workload: Any = import_module("scripts.benchmarks.workload")

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
    """The extension that is let in for a module, relative to the tree, and whether all is stale."""
    compiled = finder.Compiled(str(tree))
    try:
        spec = compiled.open(str((tree / SOURCE).parent)).find_spec(name)
    except ImportError:
        spec = None
    origin = None if spec is None or spec.origin is None else Path(spec.origin)
    return None if origin is None else origin.relative_to(tree).as_posix(), compiled.is_stale


def test_what_was_compiled_of_these_sources_is_let_in(tree: Path) -> None:
    (tree / "node/state/table.py").write_text("x = 1\n")
    assert found(tree) == (f"node/state/undo{SUFFIX}", False)
    assert found(tree, "node.state.table") == ("node/state/table.py", False)
    assert found(tree, "node.state.nothing") == (None, False)


def test_whoever_looks_for_modules_finds_the_same(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook of pytest that rewrites assertions asks Python's own finder for sources; half of the
    library compiled would take interpreted classes for its own."""
    compiled = finder.Compiled(str(tree))
    monkeypatch.setattr(sys, "path_hooks", [compiled.open, *sys.path_hooks])
    spec = PathFinder.find_spec(MODULE, [str((tree / SOURCE).parent)])
    assert spec is not None
    assert isinstance(spec.loader, ExtensionFileLoader)


@pytest.mark.parametrize(
    ("change", "is_stale"), [("x = 2\n", True), ("x = 1\n\n", True), (None, False)]
)
def test_a_changed_source_is_never_shadowed(tree: Path, change: str | None, is_stale: bool) -> None:
    """Not by anything that was compiled, be the change as old and as long as it likes; a folder
    without the sources is somebody else's."""
    if change is None:
        (tree / SOURCE).unlink()
    else:
        (tree / SOURCE).write_text(change)
    assert found(tree) == (None, is_stale)


def test_sources_are_read_only_if_somebody_may_have_written_to_them(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start reads none of two hundred files; whoever hides a write by the old time is seen."""
    manifest = json.loads((tree / finder.MANIFEST).read_text())
    digest = manifest["digest"]
    assert stamps(tree, [SOURCE], digest) == {}, "somebody may be writing"
    monkeypatch.setattr(finder, "SETTLED_S", -60.0)
    assert stamps(tree, [SOURCE], "of others") == {}
    kept = stamps(tree, [SOURCE], digest)
    (tree / finder.MANIFEST).write_text(json.dumps({**manifest, "stamps": kept}))
    read: list[str] = []
    whole = finder.digest_of

    def digest_of(root: str, sources: Iterable[str]) -> object:
        read.append(root)
        return whole(root, sources)

    monkeypatch.setattr(finder, "digest_of", digest_of)
    assert found(tree) == (f"node/state/undo{SUFFIX}", False)
    assert read == []
    before = (tree / SOURCE).stat()
    sleep(0.02)
    (tree / SOURCE).write_text("x = 2\n")
    os.utime(tree / SOURCE, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(tree) == (None, True)
    (tree / SOURCE).write_text("x = 1\n")
    assert found(tree) == (f"node/state/undo{SUFFIX}", False)
    assert read == [str(tree)] * 2


@pytest.mark.parametrize(("fact", "other"), [("python", "3.11.0 (other)"), ("suffix", ".x.so")])
def test_what_another_python_compiled_is_not_let_in(tree: Path, fact: str, other: str) -> None:
    manifest = json.loads((tree / finder.MANIFEST).read_text())
    (tree / finder.MANIFEST).write_text(json.dumps({**manifest, fact: other}))
    assert found(tree) == (None, True)


@pytest.mark.parametrize("content", [None, "{"])
def test_without_a_whole_manifest_all_is_interpreted(
    tree: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is None:
        (tree / finder.MANIFEST).unlink()
    else:
        (tree / finder.MANIFEST).write_text(content)
    assert not is_installed(tree, monkeypatch)


def test_other_folders_are_not_looked_at(tree: Path) -> None:
    compiled = finder.Compiled(str(tree))
    (tree / "node/other").mkdir()
    with pytest.raises(ImportError):
        compiled.open(str(tree / "node/other"))
    assert not compiled.is_right


def test_the_switch_leaves_all_interpreted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finder.SWITCH == SWITCH
    monkeypatch.setenv(SWITCH, "0")
    assert not is_installed(tree, monkeypatch)
    monkeypatch.delenv(SWITCH)
    assert is_installed(tree, monkeypatch)


def is_installed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether what is compiled is looked at first, once it is let in."""
    monkeypatch.setattr(sys, "path_hooks", before := list(sys.path_hooks))
    placed: list[Any] = []
    monkeypatch.setattr(finder, "in_place", placed)
    monkeypatch.setattr(finder.Compiled.__init__, "__defaults__", (str(tree),))
    count = len(before)
    finder.install()
    assert len(sys.path_hooks) == count + len(placed)
    return sys.path_hooks[0] == (placed[0].open if placed else None)


def test_how_it_runs_says_when_other_sources_were_compiled(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.compiled.undo", Interpreted)
    monkeypatch.setitem(sys.modules, "pegboard_compiled", finder)
    compiled = finder.Compiled(str(tree))
    monkeypatch.setattr(finder, "in_place", [compiled])
    assert how_it_runs() == "interpreted"
    compiled.is_right[str(tree)] = False
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


def test_no_compiled_module_compares_records_by_identity() -> None:
    """One that is left out for that is found beside them."""
    left_out = "node/chain/invariants.py"
    found = comparisons.compared_records(REPO, [*COMPILED, left_out])
    assert found
    assert {place.partition(":")[0] for place in found} == {left_out}


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


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("kind", ["transfers", "orders that rest", "orders that match"])
def test_what_everyday_transactions_run_through_is_compiled(kind: str) -> None:
    """Or it is said why not. Of a module counts what is called for each transaction."""
    if kind == "transfers":
        recording = workload.record_transfers(200, 40)
    else:
        recording = workload.record_orders(40, 40)[kind == "orders that match"]
    push_blocks(recording.start(), recording.measured)
    calls = calls_by_file(partial(push_blocks, recording.start(), recording.measured))
    busy = {
        module
        for module in modules.sources(REPO)
        if calls[str(REPO / module)] >= len(recording.transactions())
    }
    assert "node/state/table.py" in busy
    assert busy - set(COMPILED) - set(modules.LEFT_OUT) == set()


def push_blocks(chain: Chain, blocks: Iterable[bytes]) -> None:
    for data in blocks:
        chain.push_block(BlockEnvelope.from_bytes(data))


def calls_by_file(run: Callable[[], None]) -> Counter[str]:
    """How often functions of each source are called."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[frame.f_code.co_filename] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
    return calls


def test_fields_are_found_wherever_types_put_them() -> None:
    """Compiled code remembers where fields of some types lie; one that changes must not mislead."""
    table = Table(LimitOrder, LimitOrderId, UndoLog())

    def id_of(item: object) -> str:
        return str(table.id_of(cast(StateObject, item)))

    class Slotted:
        __slots__ = ("a", "id")

    class Changed:
        __slots__ = ("id",)

    class Dynamic:
        pass

    items: list[Any] = [Slotted(), Changed(), Dynamic()]
    for number, item in enumerate(items, 1):
        item.id = number
        vars_of: Any = type(item)
        for change in range(3):
            assert id_of(item) == order_text(LimitOrderId(number))
            vars_of.other = change
            assert id_of(item) == order_text(LimitOrderId(number))
    items[2].__class__.id = property(lambda _: 9)
    assert [id_of(item) for item in items] == [order_text(LimitOrderId(n)) for n in (1, 2, 9)]


def test_a_fee_of_nothing_is_none_whichever_object_says_so() -> None:
    """Records are compared by what they say, also where mypyc would ask whether they are one."""
    nothing = AssetAmount(0, CORE_ASSET)
    assert nothing is not NO_FEE
    schedule = make_parameters().current_fees
    free, paid = (
        Transfer(fee, ALICE, BOB, AssetAmount(1, CORE_ASSET))
        for fee in (nothing, AssetAmount(5, CORE_ASSET))
    )
    assert with_required_fee(free, schedule) is not free
    assert with_required_fee(paid, schedule) is paid


def test_the_first_difference_of_two_traces_is_told_with_its_test() -> None:
    trace = ["# one", "1 aa bb", "# two", "1 cc dd", "2 ee ff"]
    assert check.first_difference(trace, list(trace)) is None
    other = [*trace[:4], "2 ee 00"]
    assert check.first_difference(trace, other) == "two: 2 ee ff interpreted, 2 ee 00 compiled"
    assert check.first_difference(trace, trace[:-1]) == "two: 2 ee ff interpreted, nothing compiled"
