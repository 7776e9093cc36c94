"""Plays scenarios: on a fresh market in this process, or on one that is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from pegboard.expectations import Outcome, look, read_expectation
from pegboard.fresh import MAKER, MAKER_CORE
from pegboard.fresh import market as fresh_market
from pegboard.prediction import NOTHING, Compared, PredictionFailed
from pegboard.scenario import Scenario
from pegboard.steps import AnyStep, ExpectStep
from pegboard.vocabulary import Market
from protocol.errors import PegboardError


class StepFailed(PegboardError):
    """A step was refused, or was not refused as it had to be; `name` is that of the refusal."""

    name = "step_failed"

    def __init__(self, number: int, step: AnyStep, error: PegboardError) -> None:
        super().__init__(
            f"step {number}, {step.verb}: {error.what}",
            rule=error.rule,
            value=error.value,
            limit=error.limit,
            unit=error.unit,
        )
        self.number = number
        if error.name != PegboardError.name:
            self.name = error.name


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step that was played."""

    number: int
    """From 1."""
    step: AnyStep
    head_num: int
    outcomes: tuple[Outcome, ...] = ()
    """Of a step that expects."""
    compared: Compared = NOTHING
    """With what was foretold, where a step before has asked for it."""

    @property
    def said(self) -> dict[str, object]:
        """The step as the scenario has it."""
        found: dict[str, object] = msgspec.to_builtins(self.step)
        return found


@dataclass(slots=True)
class Played:
    """What became of a scenario."""

    scenario: Scenario
    market: Market
    outcomes: list[Outcome] = field(default_factory=list)
    """Of all expectations, in the order they were looked at."""
    foretold: list[Outcome] = field(default_factory=list)
    """Of all numbers that were foretold after each step."""

    @property
    def failures(self) -> list[Outcome]:
        """The expectations that were not met."""
        return [one for one in self.outcomes if not one.is_met]

    def check(self) -> None:
        """Raise `PredictionFailed` for the first number that was foretold wrongly, or
        `ExpectationFailed` for the first expectation that was not met."""
        for one in self.foretold:
            if not one.is_met:
                raise PredictionFailed(one.text, rule=one.rule, value=one.found, limit=one.wanted)
        for one in self.failures:
            raise one.failure()


def play(
    scenario: Scenario,
    *,
    market: Market | None = None,
    seed: int | None = None,
    tell: Callable[[StepDone], None] = lambda done: None,
    meet: Callable[[Market], None] = lambda market: None,
) -> Played:
    """Play a scenario to its end; each step is told to `tell`, and the market, before anything is
    done on it, to `meet`.

    Without a market it is played on a fresh one, and the same seed gives the same chain, bit for
    bit. A market that is given keeps its own seed and chain, and hires a market maker if the
    scenario has one. Raises `StepFailed`, and the refusals of what stands before the steps.
    """
    if market is None:
        seed = scenario.seed if seed is None else seed
        market = fresh_market(seed=seed, **msgspec.structs.asdict(scenario.chain))
    elif scenario.chain.maker:
        market.hire("maker", MAKER, core=MAKER_CORE)
    market.folder = scenario.folder
    meet(market)
    _prepare(scenario, market)
    played = Played(scenario, market)
    for number, step in enumerate(scenario.steps, 1):
        run_step(number, step, market)
        outcomes: tuple[Outcome, ...] = ()
        if isinstance(step, ExpectStep):
            outcomes = tuple(look(market, read_expectation(line)) for line in step.that)
            played.outcomes += outcomes
        compared = market.compare_predictions()
        played.foretold += compared.outcomes
        tell(StepDone(number, step, market.ledger.head().num, outcomes, compared))
    played.outcomes += [look(market, expected) for expected in scenario.expect]
    return played


def _prepare(scenario: Scenario, market: Market) -> None:
    """Prices, accounts and agents, before the first step."""
    for symbol, price in scenario.prices.items():
        market.follow(symbol, price.source, shocks=price.shocks, mcr=price.mcr, msqr=price.msqr)
    for account, names in groupby(scenario.accounts, scenario.accounts.__getitem__):
        market.accounts(list(names), core=account.core, holds=account.holds)
    for agent in scenario.agents:
        people = list(agent.people())
        market.accounts([name for name, _ in people], core=agent.core, holds=agent.holds)
        for name, options in people:
            market.hire(agent.rule, name, core=agent.core, holds=agent.holds, **options)


def run_steps(steps: Sequence[AnyStep], market: Market) -> None:
    """Do what several steps say; raises `StepFailed`."""
    for number, step in enumerate(steps, 1):
        run_step(number, step, market)


def run_step(number: int, step: AnyStep, market: Market) -> None:
    """Do what a step says; raises `StepFailed`."""
    try:
        step.run(market)
    except PegboardError as error:
        if error.name != step.refused:
            raise StepFailed(number, step, error) from error
    else:
        if step.refused is not None:
            what = "not refused"
            raise StepFailed(number, step, PegboardError(what, limit=step.refused))
