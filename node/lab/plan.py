"""What is to be played: a scenario, parameters that vary, a number of paths and a seed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from hashlib import sha256
from itertools import product
from math import prod
from typing import NamedTuple

import msgspec

from node.lab.errors import BadPlan
from node.version import VERSION
from pegboard.scenario import Scenario, ScenarioError, read_scenario
from pegboard.series import named_file
from pegboard.steps import FeedStep, FollowStep
from protocol.durations import SECONDS_OF_UNITS
from protocol.errors import PegboardError

FORM = 1
"""Version of the form of a plan and its results."""
RUNS_MAX = 1_000_000
VALUES_MAX = 1_000
"""Values of one parameter."""
STEPS = 5
"""Values of a range that says no number."""
SEED_BITS = 48

_RANGE = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,12})?)([%a-z]?)")


class Vary(NamedTuple):
    """A parameter and the values that it takes, as they are written."""

    name: str
    values: tuple[str, ...]


class Run(NamedTuple):
    """One run: the number of a cell, and that of a path, both from 0."""

    cell: int
    path: int


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan holds all that a worker on another machine needs, and is kept beside the results.

    The paths are common to all cells: what differs between two cells is the parameters alone, and
    they are compared path by path.
    """

    form: int = FORM
    pegboard: str = VERSION
    file: str
    """The scenario's name, for errors."""
    scenario: str
    """Its text."""
    files: dict[str, str]
    """The texts of the series that it names."""
    rules: dict[str, str]
    """The texts of the Python files that add rules of agents."""
    changes: dict[str, str]
    """Parameters that are set once for all cells."""
    vary: tuple[Vary, ...]
    paths: int
    seed: int

    @property
    def cell_count(self) -> int:
        """How many combinations of values there are."""
        return prod(len(one.values) for one in self.vary)

    @property
    def cells(self) -> list[dict[str, str]]:
        """The values of the varied parameters in each cell; the last one varies first."""
        names = [one.name for one in self.vary]
        return [
            dict(zip(names, values, strict=True))
            for values in product(*(one.values for one in self.vary))
        ]

    def runs(self) -> Iterator[Run]:
        """All runs: path by path, so that all cells come to an end together."""
        cells = range(self.cell_count)
        return (Run(cell, path) for path in range(self.paths) for cell in cells)

    def seed_of(self, path: int) -> int:
        """The seed of all runs on a path; with it, `pegboard play --seed` plays the same."""
        digest = sha256(f"pegboard lab {self.seed} {path}".encode()).digest()
        return int.from_bytes(digest, "big") >> (256 - SEED_BITS)


def read(plan: Plan, values: Mapping[str, str]) -> Scenario:
    """A plan's scenario with other values; raises `ScenarioError`, `NoSuchParameter`."""
    return read_scenario(plan.scenario, path=plan.file, changes={**plan.changes, **values})


def check_plan(plan: Plan) -> None:
    """Refuse a plan that has no runs, too many, or a cell that is no scenario.

    Raises `BadPlan`, `ScenarioError`, `NoSuchParameter`.
    """
    if not 1 <= plan.paths <= RUNS_MAX:
        raise BadPlan("--paths is out of range", value=plan.paths, limit=f"1..{RUNS_MAX}")
    if plan.seed < 0:
        raise BadPlan("--seed is out of range", value=plan.seed, limit="0 or more")
    names = [*plan.changes, *(one.name for one in plan.vary)]
    for name in names:
        if names.count(name) > 1:
            raise BadPlan("a parameter is given twice", value=name)
    if plan.cell_count * plan.paths > RUNS_MAX:
        what = f"too many runs: {plan.cell_count:,} cells with {plan.paths:,} paths each"
        raise BadPlan(what, value=plan.cell_count * plan.paths, limit=RUNS_MAX)
    read(plan, {})
    for values in plan.cells:
        try:
            watched_assets(read(plan, values))
        except ScenarioError as error:
            if not values:
                raise
            where = ", ".join(f"{name}={value}" for name, value in values.items())
            raise BadPlan(
                f"--vary: no scenario with {where}: {error.what}",
                value=error.value,
                limit=error.limit,
            ) from error


def read_vary(text: str) -> Vary:
    """Read "MCR=1.4..2.0", "MCR=1.4..2.0:7" or "trigger=bid,feed"; raises `BadPlan`."""
    name, mark, said = text.partition("=")
    if not (name and mark and said):
        raise BadPlan("--vary: not NAME=a..b, NAME=a..b:STEPS or NAME=a,b,c", value=text)
    values = _range(text, said) if ".." in said else tuple(said.split(","))
    if not all(values) or len(set(values)) < len(values):
        raise BadPlan("--vary: each value must be there once", value=text)
    if len(values) > VALUES_MAX:
        raise BadPlan("--vary: too many values", value=len(values), limit=VALUES_MAX)
    return Vary(name, values)


def _range(text: str, said: str) -> tuple[str, ...]:
    """Values in equal steps, both ends included, to a thousandth; durations to whole ones."""
    ends, mark, number = said.partition(":")
    first, _, last = ends.partition("..")
    left, right = _RANGE.fullmatch(first), _RANGE.fullmatch(last)
    if left is None or right is None:
        raise BadPlan("--vary: a range goes from a number to a number", value=text)
    if left[2] != right[2] or left[2] not in ("", "%", *SECONDS_OF_UNITS):
        limit = ", ".join(("%", *SECONDS_OF_UNITS))
        raise BadPlan("--vary: both ends need the same unit", value=text, limit=limit)
    if mark and not (number.isascii() and number.isdigit() and 2 <= int(number[:9]) <= VALUES_MAX):
        raise BadPlan("--vary: no such number of steps", value=text, limit=f"2..{VALUES_MAX}")
    low, high = Decimal(left[1]), Decimal(right[1])
    if low >= high:
        raise BadPlan("--vary: an empty range", value=text, limit=f"from below {high}")
    places = Decimal(1) if left[2] in SECONDS_OF_UNITS else Decimal("0.001")
    steps = int(number) if mark else STEPS
    with localcontext(prec=40, rounding=ROUND_HALF_EVEN):
        points = [low + (high - low) * step / (steps - 1) for step in range(steps)]
        return tuple(f"{_plain(point.quantize(places))}{left[2]}" for point in points)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def watched_assets(scenario: Scenario) -> Sequence[str]:
    """The BitAssets whose prices a scenario has: what is measured. Raises `BadPlan` for none."""
    stepped = (one.asset for one in scenario.steps if isinstance(one, FeedStep | FollowStep))
    found = list(dict.fromkeys((*scenario.prices, *stepped)))
    if not found:
        raise BadPlan("the scenario has no price of a BitAsset ([prices.ASSET])", value="prices")
    return found


def named_files(plan: Plan) -> Iterator[str]:
    """The series that the prices of any cell name; raises `ScenarioError`, `NoSuchParameter`."""
    scenario = read(plan, {})
    follows = (one.source for one in scenario.steps if isinstance(one, FollowStep))
    varied = (value for one in plan.vary if one.name.endswith(".source") for value in one.values)
    sources = (*(price.source for price in scenario.prices.values()), *follows, *varied)
    return (name for source in sources if (name := named_file(source)) is not None)


def same_plan(kept: Plan, asked: Plan) -> PegboardError | None:
    """What keeps results of one plan from being those of another; more paths do not."""
    for name in Plan.__struct_fields__:
        before, now = getattr(kept, name), getattr(asked, name)
        if before == now or (name == "paths" and before < now):
            continue
        words = {"paths": "fewer paths", "pegboard": "another pegboard"}
        what = words.get(name, f"another {name}")
        return BadPlan(what, value=_short(now), limit=_short(before))
    return None


def _short(value: object) -> object:
    return value if isinstance(value, int) or len(str(value)) < 80 else f"{str(value)[:77]}..."
