"""The structure of a lesson: what is played at each step, and where its answer is found."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from node.shipped import shipped_file
from pegboard.expectations import QUANTITIES, Found, split_path
from pegboard.steps import AnyStep
from protocol.errors import PegboardError

FORMAT = 1
"""Version of the form of a lesson."""
LESSONS = ("short-selling",)
"""Every lesson that there is."""
FOLDER = "config/lessons"
KEPT_MAX = 16
"""Structures that are kept as they were read."""

Unit = Literal["core", "bitasset", "price", "ratio"]
"""What a number counts: core tokens, BitAsset, BitAsset for one core token, or nothing."""
Condition = Literal["always", "bid", "feed", "strict", "free"]
"""Chains that have a step: those of a trigger (R4.2), or of a rule for lowering ratios (R3.6)."""

_UNITS: dict[str, Unit] = {
    "position.debt": "bitasset",
    "position.collateral": "core",
    "position.ratio": "ratio",
    "position.call_price": "price",
    "price": "price",
    "supply": "bitasset",
    "highest_bid": "price",
    "lowest_ask": "price",
    "mcr": "ratio",
    "msqr": "ratio",
    "sqp": "price",
}


class NoSuchLesson(PegboardError):
    """No lesson has this name, or none is told in this language."""

    name = "no_such_lesson"


class AnswerForm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the answer is found: what a quantity is after the step, or by how much it changed."""

    now: str | None = msgspec.field(default=None, name="is")
    gained: str | None = None
    lost: str | None = None

    @property
    def path(self) -> str:
        """The quantity."""
        [path] = [one for one in (self.now, self.gained, self.lost) if one is not None]
        return path

    def number(self, before: Found, after: Found) -> Decimal:
        """The answer, of what the quantity was and is."""
        if self.now is not None:
            return plain_number(after)
        gained = plain_number(after) - plain_number(before)
        return gained if self.gained is not None else -gained


class LessonStep(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A sentence of the text: what is played before and after the guess, and what is asked."""

    name: str
    rules: tuple[str, ...]
    """Whose sentences are told afterwards."""
    answer: AnswerForm
    when: Condition = "always"
    before: tuple[AnyStep, ...] = ()
    play: tuple[AnyStep, ...] = ()
    values: dict[str, str] = {}
    """Quantities that the words name, as they are before the guess..."""
    after: dict[str, str] = {}
    """...and as they are with the answer."""
    otherwise: Literal["trigger", "release"] | None = None
    """Also told: what the answer is on the chain with the other one of these rules."""


class Lesson(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A lesson as its file has it."""

    pegboard: Literal[1]
    witnesses: int
    setup: tuple[AnyStep, ...]
    steps: tuple[LessonStep, ...]

    def steps_when(self, trigger: str, *, strict_release: bool) -> list[LessonStep]:
        """The steps that a chain with these rules has."""
        held = ("always", trigger, "strict" if strict_release else "free")
        return [step for step in self.steps if step.when in held]


def plain_number(found: Found) -> Decimal:
    """A quantity that is a number."""
    assert isinstance(found, Decimal), "lessons ask for numbers that there are"
    return found


def check_lesson_name(name: str) -> None:
    """Raise `NoSuchLesson` for a name of none."""
    if name not in LESSONS:
        raise NoSuchLesson("no such lesson", value=name, limit=", ".join(LESSONS))


@lru_cache(KEPT_MAX)
def load_lesson(name: str, core: str) -> Lesson:
    """The lesson of a name on a chain with this core token; raises `NoSuchLesson`."""
    check_lesson_name(name)
    text = shipped_file(f"{FOLDER}/{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text.replace("{core}", core)), Lesson)


def unit_of(path: str, core: str) -> Unit:
    """What a quantity counts."""
    quantity, _, asset = split_path(path)
    assert quantity in QUANTITIES, path
    if quantity == "balance":
        return "core" if asset == core else "bitasset"
    return _UNITS[quantity]
