"""Plays runs of a plan; what comes of one depends on the plan and its numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from node.lab.errors import BadPlan
from node.lab.measures import Figures, Gauge, attach
from node.lab.plan import Plan, Run, watched_assets
from pegboard.player import play
from pegboard.scenario import Scenario, read_scenario
from pegboard.vocabulary import Market
from protocol.errors import PegboardError


class RunResult(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What became of a run; a line of the journal."""

    cell: int
    path: int
    refused: str
    """Name of the refusal that ended it, or ""."""
    unmet: int
    """Expectations that were not met."""
    blocks: int
    assets: dict[str, tuple[float | None, ...]]
    """By BitAsset, the figures of `MEASURES`; none of a run that was refused."""


def play_runs(plan: Plan, runs: Sequence[Run]) -> list[RunResult]:
    """Play some runs of a plan."""
    for name, text in plan.rules.items():
        add_rules(name, text)
    return [play_run(plan, run) for run in runs]


def play_run(plan: Plan, run: Run) -> RunResult:
    """Play one run. A scenario's step that the chain refuses ends it, and is told."""
    changes = {**plan.changes, **plan.cells[run.cell]}
    scenario = _scenario(plan.scenario, plan.file, tuple(changes.items()))
    gauges: list[Gauge] = []
    markets: list[Market] = []

    def meet(market: Market) -> None:
        market.files = plan.files
        markets.append(market)
        gauges.extend(attach(market, watched_assets(scenario)))

    refused, unmet = "", 0
    try:
        played = play(scenario, seed=plan.seed_of(run.path), meet=meet)
        unmet = len(played.failures)
    except PegboardError as error:
        refused = f"{error.name}: {error.what}"
    blocks = markets[0].ledger.head().num if markets else 0
    found: dict[str, tuple[float | None, ...]] = {}
    if not refused:
        for name, gauge in zip(watched_assets(scenario), gauges, strict=True):
            found[name] = _floats(gauge.figures())
    return RunResult(*run, refused, unmet, blocks, found)


def _floats(figures: Figures) -> tuple[float | None, ...]:
    """The nearest float of each: the division is rounded once."""
    return tuple(None if one is None else float(one) for one in figures)


@lru_cache(512)
def _scenario(text: str, path: str, changes: tuple[tuple[str, str], ...]) -> Scenario:
    return read_scenario(text, path=path, changes=dict(changes))


@lru_cache
def add_rules(name: str, text: str) -> None:
    """Run the text of a Python file that adds rules of agents, once a process.

    Raises `BadPlan`.
    """
    try:
        exec(compile(text, name, "exec"), {"__name__": "<rules>"})
    except (SyntaxError, ImportError, PegboardError) as error:
        raise BadPlan(f"--rules: {error}", value=name) from error
