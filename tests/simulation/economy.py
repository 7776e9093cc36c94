"""What people own, where prices come from and who acts on a network, as a scenario's file says it.

Accounts, agents and their tokens stand in the genesis, so that every fork knows them; what they
hold of BitAssets the faucet lends them once there is a price. Each witness publishes the prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from node.presets import PEGS, PRESETS, initial_account
from node.shipped import find_file, shipped_file
from node.witness.feed_source import FeedSource, PriceRatio
from pegboard.agents import find_rule
from pegboard.amounts import Number, to_thousandths, to_units
from pegboard.fresh import Changes, read_settling
from pegboard.scenario import PriceForm, Scenario, load_scenario
from pegboard.series import Series, Shock, read_source
from pegboard.steps import Plain, Step
from protocol.constants import CORE_PRECISION
from protocol.errors import PegboardError
from protocol.genesis_form import Genesis, InitialAccountBalance
from tests.simulation.options import Options, draw_options

SHIPPED = ("everyday", "slump", "fall", "lira")
"""The scenarios of the option `series`; the first one is that of a calm day."""
PRESET = PRESETS["testnet"]
CALM_INTERVAL_S = 20
"""So often a witness publishes the prices of a calm day..."""
INTERVAL_S = 4
"""...and those of any other."""


class NotForNetworks(PegboardError):
    """A scenario that cannot be played on simulated networks."""

    name = "not_for_networks"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts by a rule."""

    rule: str
    name: str
    holds: Sequence[str]
    options: dict[str, Number]


class Course:
    """A price of a scenario as a function of the time, its shocks included."""

    def __init__(self, source: FeedSource, price: PriceForm, start_s: int, interval_s: int) -> None:
        self._series = Series(source, [Shock(*one) for one in price.shocks], 0)
        self._start_s, self._interval_s = start_s, interval_s

    def price_at(self, time_s: int) -> PriceRatio:
        """See `PriceSource`; a block of the scenario is a slot."""
        found = self._series.price(time_s, (time_s - self._start_s) // self._interval_s)
        return PriceRatio(found.numerator, found.denominator)


class Economy:
    """A scenario on a network of many nodes."""

    def __init__(self, scenario: Scenario, feed_interval_s: int = INTERVAL_S) -> None:
        self.scenario = scenario
        self.feed_interval_s = feed_interval_s
        self.people = [
            Person(agent.rule, name, agent.holds, options)
            for agent in scenario.agents
            for name, options in agent.people()
        ]
        self.steps: list[Step] = [step for step in scenario.steps if hasattr(step, "account")]
        """What single accounts do, in order, besides."""

    def settle(self, genesis: Genesis) -> Genesis:
        """The genesis with the scenario's rules, people and tokens."""
        form = self.scenario.chain
        settling = read_settling(
            form.settlement_delay, form.settlement_offset, form.settlement_volume, form.black_swan
        )
        changes = Changes(form.trigger, form.strict_release, settling, form.settle_match)
        genesis = changes.change(genesis)
        section = genesis.pegboard
        assert section is not None
        known = {account.name for account in genesis.initial_accounts}
        owned = dict(self._owned())
        balances = [one for one in section.account_balances or () if one.account_name not in owned]
        balances += [
            InitialAccountBalance(name, PRESET.core_symbol, to_units(core, CORE_PRECISION))
            for name, core in owned.items()
            if core
        ]
        new = tuple(initial_account(name) for name in owned if name not in known)
        return replace(
            genesis,
            initial_accounts=(*genesis.initial_accounts, *new),
            pegboard=replace(section, account_balances=tuple(balances)),
        )

    def _owned(self) -> Iterator[tuple[str, Plain]]:
        """Everybody, and how many whole tokens they have."""
        for name, account in self.scenario.accounts.items():
            yield name, account.core or 0
        for agent in self.scenario.agents:
            for name, _ in agent.people():
                yield name, agent.core or 0

    def feeds(self, options: Options, start_s: int) -> list[tuple[str, FeedSource]]:
        """The sources of all prices, made anew, by the symbol on the chain."""
        return [
            (symbol.removeprefix(PRESET.display_prefix), self._source(symbol, options, start_s))
            for symbol in self.scenario.prices
        ]

    def _source(self, name: str, options: Options, start_s: int) -> FeedSource:
        price, interval_s = self.scenario.prices[name], options.block_interval_s
        read = read_source(
            price.source,
            symbol=name,
            seed=options.seed,
            start_s=start_s,
            block_interval_s=interval_s,
            read_text=self._read_text,
        )
        mcr, msqr = (
            None if one is None else to_thousandths(one) for one in (price.mcr, price.msqr)
        )
        return FeedSource(
            Course(read, price, start_s, interval_s),
            mcr or read.maintenance_collateral_ratio,
            msqr or read.maximum_short_squeeze_ratio,
        )

    def _read_text(self, name: str) -> str:
        return _read(self.scenario.folder, name)


def _ratio(given: Plain | None, otherwise: int) -> int:
    return otherwise if given is None else to_thousandths(given)


def economy_of(series: int, scenario: str) -> Economy:
    """The economy of a scenario's file; without one that of the option `series`."""
    if scenario:
        return Economy(_load(find_file(scenario)))
    path = shipped_file(f"config/scenarios/{SHIPPED[series]}.toml")
    return Economy(_load(path), INTERVAL_S if series else CALM_INTERVAL_S)


def check_scenario(path: str) -> None:
    """Raise `NotForNetworks` for a scenario that no network can live through, `ScenarioError`,
    `NoSuchRule`, `FeedSourceError`."""
    economy = economy_of(0, path)
    known = {f"{PRESET.display_prefix}{symbol}" for symbol in PEGS}
    for symbol in economy.scenario.prices:
        if symbol not in {*PEGS, *known}:
            what = "a network has other BitAssets"
            raise NotForNetworks(what, value=symbol, limit=", ".join(sorted(known)))
    if not economy.scenario.prices or not (economy.people or economy.steps):
        raise NotForNetworks("prices, and agents or accounts that act, are needed", value=path)
    if economy.scenario.chain.preset != PRESET.name:
        raise NotForNetworks("another preset", value=economy.scenario.chain.preset)
    for person in economy.people:
        find_rule(person.rule)
    economy.feeds(draw_options(1), 0)


@lru_cache(16)
def _load(path: Path) -> Scenario:
    return load_scenario(path)


@lru_cache(16)
def _read(folder: Path, name: str) -> str:
    beside = folder / name
    path = beside if beside.exists() else find_file(name)
    return path.read_text(encoding="utf-8")
