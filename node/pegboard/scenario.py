"""Scenarios: a chain, accounts, prices, agents, steps and expectations, as a TOML file says them.

    pegboard = 1
    title = "A fall calls the weakest position"
    seed = 7
    expect = ["alice.position.bitUSD.closed = true", "bitUSD.price < 0.1"]

    [accounts.alice]
    core = 10_000

    [prices.bitUSD]
    source = "walk:start=0.12,step=30bp"
    shocks = [[10, "-30%"]]

    [[agents]]
    rule = 'borrower'
    name = "bob"
    core = 50_000
    options = { amount = 500, target = 1.9 }

    [[steps]]
    do = "borrow"
    account = "alice"
    amount = "100 bitUSD"
    ratio = 2

    [[steps]]
    do = "block"
    count = 20

What a table may say stands in `pegboard.steps` and below; an unknown key is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar, cast

import msgspec
import tomli_w

from node.presets import BLOCK_INTERVAL_S
from pegboard.amounts import Number, exact, quotient
from pegboard.expectations import Expectation, read_expectation
from pegboard.parameters import change_parameters
from pegboard.steps import AnyStep, ExpectStep, Plain
from protocol.constants import RATIO_DENOMINATOR
from protocol.errors import PegboardError
from protocol.operations.bitasset_options import ResponseName

FORMAT = 1
"""Version of the form of a scenario."""
STEPS_MAX = 100_000
SIZE_MAX = 16 << 20
"""Bytes of a file; a longer one is refused before it is read."""

T = TypeVar("T")
Where = tuple[str | int, ...]
"""Keys and numbers that lead to a value: ("steps", 3, "ratio")."""


class ScenarioError(PegboardError):
    """A scenario cannot be read; tells the file, the line and the key."""

    name = "scenario_error"

    def __init__(
        self,
        what: str,
        *,
        path: str,
        line: int,
        key: str = "",
        value: object = None,
        limit: object = None,
    ) -> None:
        place = f"{path}, line {line}" + (f", {key}" if key else "")
        super().__init__(f"{place}: {what}", value=value, limit=limit)
        self.path, self.line, self.key = path, line, key


class ChainForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """The chain that a scenario is played on in this process; see `pegboard.market`."""

    preset: str = "testnet"
    trigger: Literal["bid", "feed"] = "bid"
    block_interval_s: int = BLOCK_INTERVAL_S
    witnesses: int = 1
    maker: bool = True
    strict_release: bool = False
    settlement_delay: str | None = None
    settlement_offset: Plain | None = None
    settlement_volume: Plain | None = None
    black_swan: ResponseName | None = None
    settle_match: bool | None = None


class AccountForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """An account, and what it has from the start."""

    core: Plain | None = None
    holds: tuple[str, ...] = ()


class PriceForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """Where the price of a BitAsset comes from."""

    source: str
    """As of `pegboard up --feed`: a series, a walk, a fixed price."""
    shocks: tuple[tuple[int, Plain], ...] = ()
    """Jumps: from the so manyth block on, and by how much, such as [10, "-30%"]."""
    mcr: Plain | None = None
    msqr: Plain | None = None


class AgentForm(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """One or several accounts that act by a rule (`pegboard.agents`)."""

    rule: str
    name: str
    """With a `count`, the accounts are called "bob1", "bob2" and so on."""
    count: int | None = None
    spread: dict[str, tuple[Plain, Plain]] = {}
    """Options that go from the first of them to the last in equal steps, to a thousandth."""
    core: Plain | None = None
    holds: tuple[str, ...] = ()
    options: dict[str, Plain] = {}

    def people(self) -> Iterator[tuple[str, dict[str, Number]]]:
        """Names and options of all of them; raises `BadAmount`."""
        if self.count is None:
            yield self.name, dict(self.options)
            return
        for number in range(self.count):
            options: dict[str, Number] = dict(self.options)
            for key, (first, last) in self.spread.items():
                low, steps = exact(first), max(self.count - 1, 1)
                value = low + (exact(last) - low) * number / steps
                options[key] = quotient(round(value * RATIO_DENOMINATOR), RATIO_DENOMINATOR)
            yield f"{self.name}{number + 1}", options


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scenario."""

    path: str
    title: str
    seed: int
    chain: ChainForm
    accounts: Mapping[str, AccountForm]
    prices: Mapping[str, PriceForm]
    agents: Sequence[AgentForm]
    steps: Sequence[AnyStep]
    expect: Sequence[Expectation]
    """What is looked at in the end."""

    @property
    def folder(self) -> Path:
        """Where the files that the scenario names are looked for first."""
        return Path(self.path).parent


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario's file; raises `ScenarioError`."""
    return read_scenario(load_text(path), path=str(path))


def load_text(path: Path | str) -> str:
    """The text of a scenario's file; raises `ScenarioError`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"cannot be read: {error}", path=str(path), line=1) from error
    if len(data) > SIZE_MAX:
        raise ScenarioError("too long", path=str(path), line=1, value=len(data), limit=SIZE_MAX)
    if text and not text.endswith("\n"):
        what = "the last line has no end: the file is cut, or lacks a newline"
        raise ScenarioError(what, path=str(path), line=text.count("\n") + 1)
    return text


def read_scenario(
    text: str, *, path: str = "scenario", changes: Mapping[str, str] | None = None
) -> Scenario:
    """Read a scenario's text; `path` is for errors, and where its files are.

    `changes` are other values of its parameters, as `pegboard.parameters` names them. Raises
    `ScenarioError`, `NoSuchParameter`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"not TOML: {error}", path=path, line=_line_of(error, text)) from error
    change_parameters(data, changes or {})
    reader = _Reader(path, text, data)
    version = data.pop("pegboard", None)
    if version != FORMAT:
        what = "not a scenario" if version is None else "a scenario of another version"
        raise reader.error(what, ("pegboard",), value=version, limit=f"pegboard = {FORMAT}")
    scenario = Scenario(
        path=path,
        title=reader.take("title", str, ""),
        seed=reader.take("seed", int, 0),
        chain=reader.take("chain", ChainForm, ChainForm()),
        accounts=reader.take_table("accounts", AccountForm),
        prices=reader.take_table("prices", PriceForm),
        agents=reader.take_list("agents", AgentForm),
        steps=reader.take_list("steps", cast("type[AnyStep]", AnyStep)),
        expect=[
            reader.expectation(line, ("expect", number))
            for number, line in enumerate(reader.take_list("expect", str))
        ],
    )
    for key in data:
        raise reader.error("unknown key", (key,))
    for number, step in enumerate(scenario.steps):
        if isinstance(step, ExpectStep):
            for line in step.that:
                reader.expectation(line, ("steps", number, "that"))
    return scenario


class _Reader:
    """Takes a scenario's values one by one, and knows where they stand."""

    def __init__(self, path: str, text: str, data: dict[str, object]) -> None:
        self._path, self._text, self._data = path, text, data

    def error(
        self, what: str, where: Where, *, value: object = None, limit: object = None
    ) -> ScenarioError:
        """What is wrong at a place."""
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
        line = find_line(self._text, where)
        return ScenarioError(
            what, path=self._path, line=line, key=key.lstrip("."), value=value, limit=limit
        )

    def take(self, key: str, form: type[T], default: T) -> T:
        """The value of a key of the whole file."""
        value = self._data.pop(key, None)
        return default if value is None else self._convert(value, form, (key,))

    def take_table(self, key: str, form: type[T]) -> dict[str, T]:
        """A table of tables."""
        table = self.take(key, cast("type[dict[str, object]]", dict[str, object]), {})
        return {name: self._convert(one, form, (key, name)) for name, one in table.items()}

    def take_list(self, key: str, form: type[T]) -> list[T]:
        """A list, or an array of tables."""
        found = self.take(key, list[object], [])
        if len(found) > STEPS_MAX:
            raise self.error("too many", (key,), value=len(found), limit=STEPS_MAX)
        return [self._convert(one, form, (key, number)) for number, one in enumerate(found)]

    def expectation(self, text: str, where: Where) -> Expectation:
        """An expectation that can be looked at."""
        try:
            return read_expectation(text)
        except PegboardError as error:
            raise self.error(error.what, where, value=error.value, limit=error.limit) from error

    def _convert(self, value: object, form: type[T], where: Where) -> T:
        try:
            return msgspec.convert(value, form)
        except msgspec.ValidationError as error:
            what, _, inner = str(error).partition(" - at `$")
            named = re.search(r"(?:unknown|required) field `(\w+)`", what)
            path: list[str | int] = [
                int(number) if number else name
                for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", inner)
            ]
            if named is not None:
                path.append(named[1])
            raise self.error(what, (*where, *path), value=_shown(value, path)) from error


def _shown(value: object, path: Sequence[str | int]) -> object:
    """The value that a path leads to, if there is one and it is short."""
    for part in path:
        try:
            value = cast("dict[str | int, object]", value)[part]
        except (KeyError, IndexError, TypeError):
            return None
    return None if isinstance(value, dict | list) else value


_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*([\w.-]+|"[^"]*"|'[^']*')\s*=""")


def find_line(text: str, where: Where) -> int:
    """The line, from 1, of the value that keys and numbers lead to, or of what holds it."""
    table: Where = ()
    counts: dict[str, int] = {}
    best, line_of_best = -1, 1
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header is not None:
            name = header[2]
            parts = tuple(part.strip().strip("\"'") for part in name.split("."))
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*parts, counts[name])
            else:
                table = parts
            found = table
        elif key is not None:
            found = (*table, key[1].strip("\"'"))
        else:
            continue
        if found == where[: len(found)] and len(found) > best:
            best, line_of_best = len(found), number
    return line_of_best


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> int:
    match = re.search(r"at line (\d+)", str(error))
    return int(match[1]) if match else text.count("\n") + 1


def scenario_text(
    *, title: str, seed: int, chain: Mapping[str, object], steps: Sequence[Mapping[str, object]]
) -> str:
    """The file of a scenario whose steps are known; `read_scenario` reads it back."""
    return tomli_w.dumps(
        {
            "pegboard": FORMAT,
            "title": title,
            "seed": seed,
            "chain": dict(chain),
            "steps": [dict(step) for step in steps],
        }
    )
