"""The words of lessons in one language, and how it writes numbers and counts things."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import NamedTuple

import msgspec

from node.rules import sentence_of
from node.shipped import shipped_file
from pegboard.lessons.structure import FOLDER, NoSuchLesson, Unit

LANGUAGES = ("en", "zh", "ru")
"""Languages in which all lessons are told; the first is the default."""
PLACES = Decimal("0.00001")
"""To which numbers are shown, as a core token is counted."""
VARIANTS = ("strict", "feed")
"""Ends of the keys of words that other rules need."""


class Says(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is said around the questions."""

    step: str
    right: str
    wrong: str
    unknown: str
    unreadable: str
    more: str
    guide: str
    tolerance: str
    score: str
    left: str
    rule: str
    answer: str
    calculation: str
    hint: str
    check: str
    skip: str
    again: str
    dashboard: str
    about: str
    strict: str
    feed: str
    language: str
    failed: str


class StepWords(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The words of a step; with `_strict` or `_feed` those of chains with other rules."""

    title: str
    sentence: str
    """What the text says."""
    story: str
    """What happens before the question."""
    question: str
    hint: str
    calculation: str
    explain: str
    sentence_strict: str | None = None
    story_strict: str | None = None
    question_strict: str | None = None
    hint_strict: str | None = None
    calculation_strict: str | None = None
    explain_strict: str | None = None
    hint_feed: str | None = None
    story_feed: str | None = None
    question_feed: str | None = None
    calculation_feed: str | None = None
    explain_feed: str | None = None

    def text(self, key: str, variants: tuple[str, ...]) -> str:
        """The words of a key on a chain of these variants."""
        found = [getattr(self, f"{key}_{one}", None) for one in variants]
        return next((one for one in found if one is not None), None) or str(getattr(self, key))


class LessonWords(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The words of a lesson."""

    title: str
    intro: str
    intro_network: str
    """The same for a lesson that is played on a running network."""
    steps: dict[str, StepWords]
    """By the names of its steps."""


class Language(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A file of words."""

    tag: str
    name: str
    """What the language calls itself."""
    decimal: str
    thousands: str
    quit: tuple[str, ...]
    """Each ends the lesson."""
    producers: dict[str, tuple[str, str]]
    """By the chain's word for who makes blocks: the plural, as subject and as "of them"."""
    nouns: dict[str, tuple[str, ...]]
    """Forms of a noun behind a number: `form_of` tells which."""
    units: dict[Unit, str]
    """What a question asks for."""
    rules: dict[str, str] = {}
    """The first sentences of rules; a rule that is not here is told as its page does."""
    says: Says
    lessons: dict[str, LessonWords]

    def number(self, value: Decimal) -> str:
        """A number as this language writes it, without zeros at its end."""
        plain = f"{value.quantize(PLACES, ROUND_HALF_UP).normalize():,f}"
        marks = {",": self.thousands, ".": self.decimal}
        return "".join(marks.get(sign, sign) for sign in plain)

    def count(self, number: int, noun: str) -> str:
        """A number and its noun: "2 questions"."""
        form = self.nouns[noun][form_of(self.tag, number)]
        return f"{self.number(Decimal(number))}{form}"

    def rule_says(self, rule: str) -> str:
        """What a rule asks for."""
        return self.rules.get(rule) or sentence_of(rule) or ""


class Value(NamedTuple):
    """A number in a text, `{debt}`: with its unit, alone as `{debt:n}`, `{ratio:p}` in percent, or
    before a noun, `{count:question}`."""

    language: Language
    number: Decimal
    symbol: str = ""

    def __format__(self, spec: str) -> str:
        """As this language writes it."""
        if spec in self.language.nouns:
            return self.language.count(int(self.number), spec)
        if spec == "p":
            return f"{self.language.number(self.number * 100)}%"
        text = self.language.number(self.number)
        return text if spec == "n" or not self.symbol else f"{text} {self.symbol}"


def fill(text: str, values: Mapping[str, Value | str]) -> str:
    """A text with its numbers and names."""
    return text.strip().format_map(values)


def form_of(tag: str, number: int) -> int:
    """Which of a noun's forms stands behind a number.

    English and Russian have one for 1; Russian has a second for 2 to 4, and goes by the last digits
    except in 11 to 14.
    """
    match tag:
        case "ru":
            if number % 100 in range(11, 15):
                return 2
            return {1: 0, 2: 1, 3: 1, 4: 1}.get(number % 10, 2)
        case "en":
            return int(number != 1)
        case _:
            return 0


@cache
def load_language(tag: str) -> Language:
    """The words of a language; raises `NoSuchLesson`."""
    if tag not in LANGUAGES:
        raise NoSuchLesson("no such language", value=tag, limit=", ".join(LANGUAGES))
    text = shipped_file(f"{FOLDER}/{tag}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Language)
