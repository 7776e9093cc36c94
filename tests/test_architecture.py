"""Who may import whom, and what the pure layers must never contain, checked on the syntax trees.

The tables are the architecture: a new package gets a row here before its first import. The last
tests plant one violation of each kind and expect it to be found.

`import-linter` is not shorter: what a row says here in a line (layers, foreign packages, banned
modules) is a contract or three of eight lines there, and it does not look at calls and literals.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Layer:
    """A row of the import table: what a package may use beside itself and the standard library."""

    may_import: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()
    bans: tuple[str, ...] = ()
    """Keys of the tables of banned modules, calls, attributes and of `CHECKS` that apply."""


PURE = ("io", "clock", "random", "concurrency", "logging")
STATE_MACHINE = (*PURE, "async", "float", "hash_order", "dynamic_class")
SHELL_BANS = ("clock", "unflushed")
"""Files and directories are made by `node.storage.durable` alone (T-S2)."""
SANS_IO = ("io", "clock", "concurrency", "async", "global_random")

STATE = ("protocol", "node.state")
MARKET = (*STATE, "node.market")
EVALUATORS = (*MARKET, "node.evaluators")
EXPLAIN = (*EVALUATORS, "node.rules")
CHAIN = (*EVALUATORS, "node.chain")
WITNESS = (*CHAIN, "node.witness")
API = (*WITNESS, "node.whatif", "node.history")
CORE = (*API, "node.p2p", "node.api")
CONFIG = (
    *CORE,
    *EXPLAIN,
    "node.explain",
    "node.core",
    "node.exit_codes",
    "node.presets",
    "node.storage",
)
SERVICES = (
    *CONFIG,
    "node.clock",
    "node.compiled",
    "node.config",
    "node.version",
    "node.history.database",
)
SHELL = ("trio", "h11", "wsproto", "click", "prometheus_client")
SHELL_TOOLS = (*SHELL, "msgspec", "msgpack", "platformdirs", "tomli_w")

LAYERS = {
    "protocol": Layer(
        (), ("cryptography", "coincurve", "msgpack", "msgspec"), (*PURE, "async", "float")
    ),
    "node.state": Layer(("protocol",), ("sortedcontainers", "msgspec"), STATE_MACHINE),
    "node.market": Layer(STATE, ("sortedcontainers", "msgspec"), STATE_MACHINE),
    "node.evaluators": Layer(MARKET, ("sortedcontainers", "msgspec"), STATE_MACHINE),
    "node.rules": Layer(("protocol",), (), ("clock", "random", "concurrency", "async", "float")),
    "node.explain": Layer(EXPLAIN, ("msgspec",), STATE_MACHINE),
    "node.chain": Layer(EVALUATORS, ("sortedcontainers", "msgspec"), STATE_MACHINE),
    "node.fork": Layer(CHAIN, ("msgspec",), STATE_MACHINE),
    "node.witness": Layer(CHAIN, ("sortedcontainers", "msgspec"), STATE_MACHINE),
    "node.whatif": Layer(CHAIN, ("msgspec",), STATE_MACHINE),
    "node.p2p": Layer(WITNESS, ("msgpack", "msgspec"), SANS_IO),
    "node.history": Layer(STATE, ("msgspec",), (*SANS_IO, "float")),
    "node.presets": Layer(
        ("protocol",), ("msgspec",), ("clock", "random", "concurrency", "async", "float")
    ),
    "node.api": Layer(
        (*API, "node.rules", "node.explain", "node.presets"), ("msgpack", "msgspec"), SANS_IO
    ),
    "node.exit_codes": Layer(),
    "node.core": Layer((*CORE, "node.exit_codes"), ("msgpack", "msgspec"), SANS_IO),
    "node.clock": Layer(),
    "node.storage": Layer(("protocol", "node.exit_codes"), ("msgpack", "msgspec"), ("clock",)),
    "node.history.database": Layer(
        (*STATE, "node.history", "node.exit_codes", "node.clock", "node.storage"),
        ("psycopg",),
        SHELL_BANS,
    ),
    "node.config": Layer(CONFIG, SHELL_TOOLS, SHELL_BANS),
    "node.compiled": Layer(("node.state",), (), ("clock",)),
    "node.version": Layer(),
    "node.shipped": Layer((), (), ("clock",)),
    "node.services": Layer(SERVICES, SHELL_TOOLS, SHELL_BANS),
    "pegboard": Layer(
        (
            *WITNESS,
            "node.rules",
            "node.explain",
            "node.whatif",
            "node.presets",
            "node.version",
            "node.shipped",
        ),
        ("msgspec", "tomli_w"),
        SHELL_BANS,
    ),
    "node.lab": Layer(
        (*CHAIN, "node.exit_codes", "node.version", "node.storage", "pegboard"),
        ("msgspec", "distributed", "plotly", "pyarrow"),
        SHELL_BANS,
    ),
    "pegboard.lessons.told": Layer(
        ("protocol", "node.api", "node.presets", "pegboard"), ("msgspec",), ("clock",)
    ),
    "node.app": Layer(
        (*SERVICES, "node.services", "pegboard.lessons.told"), SHELL_TOOLS, SHELL_BANS
    ),
    "node.cli": Layer(
        (
            *SERVICES,
            "node.services",
            "node.app",
            "node.shipped",
            "node.fork",
            "node.lab",
            "pegboard",
            "pegboard.lessons.told",
        ),
        SHELL_TOOLS,
        SHELL_BANS,
    ),
    "node.start": Layer(("node.cli", "node.exit_codes"), (), ("clock",)),
    "node.__main__": Layer(("node.start",)),
    "pegboard.client": Layer(("protocol", "node.cli", "pegboard"), ("trio",), SHELL_BANS),
    "pegboard.processes": Layer(
        ("protocol", "node.clock", "node.presets", "node.cli", "pegboard", "pegboard.client"),
        (),
        ("clock",),
    ),
    "node.pytest_plugin": Layer(("pegboard", "pegboard.processes"), ("pytest",), ("clock",)),
    "node": Layer(),
}
"""Each row uses only rows above it; `node` itself is the empty package file."""

BANNED_MODULES = {
    "io": "os io pathlib shutil tempfile glob socket ssl select selectors sqlite3 subprocess "
    "urllib http signal mmap",
    "clock": "time sched",
    "random": "random secrets uuid",
    "global_random": "secrets uuid",
    "concurrency": "trio asyncio threading multiprocessing concurrent queue",
    "logging": "logging warnings",
}

BANNED_CALLS = {
    "io": "open input print breakpoint",
    "float": "float",
    "hash_order": "hash",
}

BANNED_ATTRIBUTES = {
    "io": "stdout stderr stdin environ",
    "random": "urandom",
    "global_random": "urandom",
    "unflushed": "write_text write_bytes mkdir makedirs touch",
}

EXACT_MATHS = frozenset({"gcd", "lcm", "isqrt", "prod", "comb"})
"""What `math` offers without a float."""


def layer_name(module: str) -> str:
    """The longest row of the table that holds a dotted module name."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in LAYERS:
            return ".".join(parts[:length])
    raise LookupError(module)


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def import_violations(module: str, tree: ast.AST) -> Iterator[str]:
    """Imports of a layer beside or above, of a foreign package, or of a banned module."""
    name = layer_name(module)
    layer = LAYERS[name]
    banned = {m: ban for ban in layer.bans for m in BANNED_MODULES.get(ban, "").split()}
    for line, imported in imported_names(tree):
        top = imported.split(".")[0]
        if top in ("protocol", "node", "pegboard", "tests"):
            target = layer_name(imported) if top != "tests" else "tests"
            if target != name and target not in layer.may_import:
                yield f"{module}:{line}: {name} may not import {target}"
        elif top in sys.stdlib_module_names:
            if top in banned:
                yield f"{module}:{line}: {imported} is banned in {name} ({banned[top]})"
        elif top not in layer.third_party:
            yield f"{module}:{line}: {name} may not use the package {top}"


def banned_by_node(node: ast.AST, bans: tuple[str, ...]) -> str | None:
    """The rule that a single syntax node breaks, if any."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        table, name = BANNED_CALLS, node.func.id
    elif isinstance(node, ast.Attribute):
        table, name = BANNED_ATTRIBUTES, node.attr
    else:
        table, name = {}, ""
    for ban in bans:
        if name in table.get(ban, "").split() or (ban in CHECKS and CHECKS[ban](node)):
            return ban
    return None


def is_async(node: ast.AST) -> bool:
    """Anything that could suspend."""
    return isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await)


def is_wall_clock(node: ast.AST) -> bool:
    """A reading of the clock through `datetime`, as in `datetime.now()` or `date.today()`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today")
        and ast.unparse(node.value).split(".")[-1] in ("datetime", "date")
    )


def is_inexact(node: ast.AST) -> bool:
    """A float or complex literal, a true division, or a function of `math` that rounds."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float | complex)
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return isinstance(node.op, ast.Div)
    if isinstance(node, ast.ImportFrom) and node.module == "math":
        return any(alias.name not in EXACT_MATHS for alias in node.names)
    return isinstance(node, ast.Import) and any(alias.name == "math" for alias in node.names)


def is_global_random(node: ast.AST) -> bool:
    """Any use of `random` but the class of seeded generators, as in `random.Random`."""
    if isinstance(node, ast.ImportFrom) and node.module == "random":
        return any(alias.name != "Random" for alias in node.names)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id == "random" and node.attr != "Random"
    return isinstance(node, ast.Call) and ast.unparse(node).endswith("Random()")


def is_dynamic_class(node: ast.AST) -> bool:
    """A class that mypyc could not compile: two bases, a metaclass, nested, computed names."""
    if not isinstance(node, ast.ClassDef):
        return False
    dynamic = {"__getattr__", "__getattribute__", "__setattr__"}
    bases = [base for base in node.bases if not ast.unparse(base).startswith("Generic[")]
    return (
        len(bases) > 1
        or any(keyword.arg == "metaclass" for keyword in node.keywords)
        or any(isinstance(item, ast.ClassDef) for item in ast.walk(node) if item is not node)
        or any(isinstance(item, ast.FunctionDef) and item.name in dynamic for item in node.body)
    )


UNSAFE_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "code"})
UNSAFE_CALLS = frozenset({"eval", "exec", "compile", "__import__"})
MADE_OF_DECLARATIONS = {
    "protocol.binary_source": "the readers and writers of records",
    "node.history.kind": "the rows of records",
    "node.lab.runs": "a plan's own module of agents, which its author runs",
}
"""Modules that compile source, which no input reaches; see what `is_unsafe` says of them."""
UNSAFE_ATTRIBUTES = frozenset({"os.system", "os.popen", "ctypes.pythonapi", "importlib.reload"})


def is_unsafe(node: ast.AST) -> bool:
    """Data that could become code: a loader of objects, an evaluator, or a shell (T-X2)."""
    if isinstance(node, ast.Call):
        is_shell = any(
            word.arg == "shell"
            and not (isinstance(word.value, ast.Constant) and not word.value.value)
            for word in node.keywords
        )
        return is_shell or (isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS)
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in UNSAFE_ATTRIBUTES
    return isinstance(node, ast.Import | ast.ImportFrom) and any(
        name.split(".")[0] in UNSAFE_MODULES for _, name in imported_names(node)
    )


CHECKS: dict[str, Callable[[ast.AST], bool]] = {
    "async": is_async,
    "clock": is_wall_clock,
    "float": is_inexact,
    "global_random": is_global_random,
    "dynamic_class": is_dynamic_class,
    "unsafe": is_unsafe,
}


def content_violations(module: str, tree: ast.AST) -> Iterator[str]:
    """Syntax that the module's layer must never contain."""
    bans = (*LAYERS[layer_name(module)].bans, "unsafe")
    for node in ast.walk(tree):
        broken = banned_by_node(node, bans)
        if broken == "unsafe" and isinstance(node, ast.Call) and module in MADE_OF_DECLARATIONS:
            continue
        if broken is not None:
            assert isinstance(node, ast.expr | ast.stmt)
            yield f"{module}:{node.lineno}: {broken}: {ast.unparse(node).splitlines()[0]}"


def module_paths() -> dict[str, Path]:
    """Dotted name and path of every module of the product."""
    found = {}
    for path in sorted([*REPO.glob("protocol/**/*.py"), *REPO.glob("node/**/*.py")]):
        parts = path.relative_to(REPO).with_suffix("").parts
        if parts[:2] == ("node", "pegboard"):
            parts = parts[1:]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def violations(module: str, source: str) -> list[str]:
    """Everything that is wrong with a module of this name and text."""
    tree = ast.parse(source)
    return [*import_violations(module, tree), *content_violations(module, tree)]


def test_every_module_keeps_to_its_layer() -> None:
    """T-X2: imports and contents of `protocol` and `node` follow the tables above."""
    found = [
        line for name, path in module_paths().items() for line in violations(name, path.read_text())
    ]
    assert not found, "\n".join(found)


def test_each_row_uses_only_rows_above_it() -> None:
    """The table has no cycle, and `node.p2p`, `node.api` and `node.storage` are apart."""
    names = list(LAYERS)
    for name, layer in LAYERS.items():
        assert all(names.index(used) < names.index(name) for used in layer.may_import), name
    assert "node.p2p" not in LAYERS["node.api"].may_import
    assert "node.api" not in LAYERS["node.p2p"].may_import


def test_one_module_asks_both_clocks() -> None:
    """P9, T-K1: whoever wants the time says whether the wall's or the timers', by asking it."""
    free = {name for name, layer in LAYERS.items() if "clock" not in layer.bans}
    assert free == {"node.clock", "node", "node.__main__", "node.exit_codes", "node.version"}


def test_an_unknown_module_has_no_row() -> None:
    """A package that nobody entered in the table is an error, not a free pass."""
    with pytest.raises(LookupError):
        layer_name("extras.thing")
    assert layer_name("node.chain.apply_block") == "node.chain"
    assert layer_name("node.mystery") == "node"


PLANTED = [
    ("protocol.asset", "import node.chain.chain"),
    ("protocol.asset", "from sortedcontainers import SortedDict"),
    ("protocol.asset", "import time"),
    ("protocol.asset", "from random import Random"),
    ("protocol.asset", "def f():\n    import logging"),
    ("protocol.asset", "import trio"),
    ("protocol.asset", "text = open('x').read()"),
    ("node.state.undo", "from node.market import matching"),
    ("node.state.undo", "from node import chain"),
    ("node.market.pricing", "half = 0.5"),
    ("node.market.pricing", "def f(a, b):\n    return a / b"),
    ("node.market.pricing", "x = float(1)"),
    ("node.market.pricing", "from math import log"),
    ("node.market.pricing", "order = hash('x')"),
    ("node.evaluators.transfer", "from node.chain.events import Event"),
    ("node.evaluators.base", "class A(B, C): pass"),
    ("node.evaluators.base", "class A(metaclass=M): pass"),
    ("node.evaluators.base", "class A:\n    class B: pass"),
    ("node.evaluators.base", "class A:\n    def __getattr__(self, name): pass"),
    ("node.chain.pending", "async def f(): pass"),
    ("node.chain.pending", "import datetime\nt = datetime.datetime.now()"),
    ("node.witness.producer", "print('x')"),
    ("node.cli.network_files", "path.write_text('x')"),
    ("node.app", "data_dir.mkdir()"),
    ("node.p2p.peer", "from node.api import json_rpc"),
    ("node.history.memory", "from node.history.database import store"),
    ("node.history.memory", "import sqlite3"),
    ("node.api.api", "from node.history.database.store import HistoryStore"),
    ("node.p2p.peer", "from random import randrange"),
    ("node.p2p.peer", "import random\nx = random.random()"),
    ("node.p2p.peer", "import random\nx = random.Random()"),
    ("node.p2p.peer", "from time import monotonic"),
    ("node.core", "import trio"),
    ("node.core", "from node.storage import block_store"),
    ("node.storage.block_store", "from node.chain import chain"),
    ("node.services.p2p_server", "from node.cli import main"),
    ("node.services.p2p_server", "import requests"),
    ("node.services.p2p_server", "from time import monotonic"),
    ("node.storage.guard", "import time"),
    ("node.cli.up", "from datetime import datetime\nstarted = datetime.now()"),
    ("node.history.database.postgres", "import time"),
    ("node.services.p2p_server", "from tests.support import builders"),
    ("node.mystery", "from protocol import asset"),
    ("node.services.node_service", "import pegboard"),
    ("node.cli.up", "from node.pegboard import open_chain"),
    ("pegboard", "from node.cli import main"),
    ("pegboard", "import pytest"),
    ("node.pytest_plugin", "from node.chain import chain"),
    ("node.lab.summary", "from time import monotonic"),
    ("node.lab.journal", "path.write_bytes(b'x')"),
    ("node.lab.runs", "from node.cli import main"),
    ("pegboard", "from node.lab import plan"),
    ("pegboard", "import pyarrow"),
    ("node.lab.runs", "import pickle"),
    ("node.lab.runs", "from marshal import loads"),
    ("node.cli.up", "value = eval('1')"),
    ("node.cli.up", "exec(text)"),
    ("node.cli.up", "import os\nos.system('ls')"),
    ("node.cli.up", "import subprocess\nsubprocess.run('ls', shell=True)"),
    ("node.config", "import yaml"),
]


@pytest.mark.parametrize(("module", "source"), PLANTED)
def test_a_planted_violation_is_caught(module: str, source: str) -> None:
    """Each rule of the tables can fail."""
    assert violations(module, source)


PERMITTED = [
    ("protocol.asset", "from math import gcd\nfrom protocol.ids import AssetId"),
    ("protocol.crypto.keys", "import hashlib\nimport coincurve"),
    ("node.market.pricing", "from protocol.asset import Price\nx = 7 // 2"),
    ("node.p2p.peer", "from random import Random\nrng = Random(7)\nx = rng.random()"),
    ("node.core", "from node.p2p.manager import PeerManager\nfrom node.api import json_rpc"),
    ("node.storage.block_store", "import sqlite3, os"),
    ("node.history.database.postgres", "import psycopg\nfrom node.history import memory"),
    ("node.api.api", "from node.history.reader import HistoryReader"),
    ("node.services.garbage", "import trio\nasync def f(): await trio.sleep(0.5)"),
    ("node.clock", "import time"),
    ("node.cli.show", "import click\nfrom node.app import run"),
]


@pytest.mark.parametrize(("module", "source"), PERMITTED)
def test_what_the_table_allows_passes(module: str, source: str) -> None:
    """The rules refuse no more than they say."""
    assert violations(module, source) == []
