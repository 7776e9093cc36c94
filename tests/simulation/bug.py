"""What a planted bug is, and the ways in which one is found."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tests.simulation.finality import Attack
from tests.simulation.machine import Machine
from tests.simulation.planting import Edit

Layer = Literal[
    "codec",
    "evaluator",
    "market",
    "second chapters",
    "state",
    "blocks and pool",
    "fork choice",
    "finality",
    "signing guard",
    "store",
    "sync",
    "peers",
    "API and pool",
    "clocks",
]


class Kept(NamedTuple):
    """A schedule of `regressions/`, which sound nodes come through."""

    name: str
    verdict: str


class Drawn(NamedTuple):
    """Networks of seeds from 1 on, with some options of the seed's own changed."""

    verdicts: tuple[str, ...]
    """In which ways the bug may show."""
    changes: tuple[tuple[str, int], ...] = ()
    nodes: int = 3
    most: int = 20
    """Seeds, within which it must."""


class Attacked(NamedTuple):
    """Attacks on finality, of seeds from the attack's own on."""

    attack: Attack
    verdict: str = "conflict"
    most: int = 64


class Crashed(NamedTuple):
    """Crash points of a store with the bug, by its name in `tests.crashpoints.mutants`."""

    name: str


class ByTest(NamedTuple):
    """A test of `scripts/test` that fails."""

    test: str


Finder = Kept | Drawn | Attacked | Crashed | ByTest


class Bug(NamedTuple):
    """One planted bug."""

    name: str
    layer: Layer
    what: str
    found_by: Finder
    edits: tuple[Edit, ...] = ()
    machine: type[Machine] = Machine
    """The machine whose shell has the bug; the edits are in production code."""


def bug(name: str, layer: Layer, what: str, found_by: Finder, *places: str) -> Bug:
    """A bug in production code: its places are a path, a function, the text there and the new."""
    edits = tuple(Edit(*places[at : at + 4]) for at in range(0, len(places), 4))
    return Bug(name, layer, what, found_by, edits)
