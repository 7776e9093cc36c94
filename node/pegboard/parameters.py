"""The parameters of a scenario: what may be varied without writing the file anew.

    MCR, MSQR                of all prices (`bitUSD.mcr` is that of one)
    trigger, preset, …       what `[chain]` may say, whether the file says it or not
    bitUSD.source            where a price comes from
    alice.core               what an account has from the start
    bob.target, maker.depth  an option of the agents of a name or a rule, or `bob.count`, `bob.core`
    alice.ratio              what the steps of an account say

All but the first two lines must stand in the file, so that a misspelt name is no parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, cast

from protocol.errors import PegboardError

Table: TypeAlias = dict[str, object]
Place: TypeAlias = tuple[Table, str]
"""A table of the scenario, and a key in it."""

CHAIN_KEYS = (
    "preset",
    "trigger",
    "block_interval_s",
    "witnesses",
    "maker",
    "strict_release",
    "settlement_delay",
    "settlement_offset",
    "settlement_volume",
    "black_swan",
    "settle_match",
)
WORDS: dict[str, bool] = {"true": True, "false": False}


class NoSuchParameter(PegboardError):
    """A scenario has nothing of that name to be varied."""

    name = "no_such_parameter"


def change_parameters(data: Table, changes: Mapping[str, str]) -> None:
    """Give parameters of a scenario, as TOML has it, other values; raises `NoSuchParameter`."""
    if not changes:
        return
    places = find_parameters(data)
    for name, text in changes.items():
        if name not in places:
            raise NoSuchParameter(
                "the scenario has no such parameter", value=name, limit=", ".join(places)
            )
        for table, key in places[name]:
            table[key] = _value(text)


def find_parameters(data: Table) -> dict[str, list[Place]]:
    """All parameters of a scenario, by name, and where they stand."""
    found: dict[str, list[Place]] = {}
    prices = _tables(data.get("prices"))
    for name, key in (("MCR", "mcr"), ("MSQR", "msqr")):
        found[name] = [(table, key) for _, table in prices]
    if not prices:
        found.clear()
    chain = data.setdefault("chain", {})
    if isinstance(chain, dict):
        found |= {key: [(chain, key)] for key in CHAIN_KEYS}
    for name, place in (*_of_prices(prices), *_of_people(data), *_of_steps(data)):
        found.setdefault(name, []).append(place)
    return found


def _of_prices(prices: Iterable[tuple[str, Table]]) -> Iterator[tuple[str, Place]]:
    for symbol, table in prices:
        for key in ("source", "mcr", "msqr"):
            yield f"{symbol}.{key}", (table, key)


def _of_people(data: Table) -> Iterator[tuple[str, Place]]:
    for name, account in _tables(data.get("accounts")):
        if "core" in account:
            yield f"{name}.core", (account, "core")
    for agent in _list(data.get("agents")):
        for called in dict.fromkeys((agent.get("name"), agent.get("rule"))):
            own: list[Place] = [(agent, key) for key in ("core", "count") if key in agent]
            options = agent.get("options")
            if isinstance(options, dict):
                own += [(options, key) for key in options]
            yield from ((f"{called}.{key}", (table, key)) for table, key in own)


def _of_steps(data: Table) -> Iterator[tuple[str, Place]]:
    for step in _list(data.get("steps")):
        name = step.get("account", step.get("name"))
        if name is not None:
            said = (key for key in step if key not in ("do", "account", "name", "refused"))
            yield from ((f"{name}.{key}", (step, key)) for key in said)


def _tables(value: object) -> list[tuple[str, Table]]:
    """The tables in a table; what is something else is refused by whoever reads the scenario."""
    found = value if isinstance(value, dict) else {}
    return [(name, table) for name, table in found.items() if isinstance(table, dict)]


def _list(value: object) -> list[Table]:
    found = value if isinstance(value, list) else []
    return [cast(Table, table) for table in found if isinstance(table, dict)]


def _value(text: str) -> object:
    """What TOML would have of a value as it is written on a command line."""
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return WORDS.get(text, text)
