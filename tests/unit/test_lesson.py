"""Lessons: every answer is what a chain does, every calculation comes to it, in every language."""

from __future__ import annotations

import ast
import operator
import re
import string
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.evaluators import call_order
from node.market import pricing
from node.market.margin_calls import is_within_reach
from node.presets import PRESETS
from node.rules import rules
from node.shipped import shipped_file
from pegboard.fresh import market
from pegboard.lessons import (
    LANGUAGES,
    LESSONS,
    Judged,
    Language,
    NoSuchLesson,
    Options,
    Session,
    UnreadableGuess,
    load_language,
    load_lesson,
)
from pegboard.lessons.guesses import is_near, read_guess
from pegboard.lessons.language import Value, form_of
from pegboard.lessons.structure import FOLDER
from pegboard.player import StepFailed

TRIGGERS: tuple[Literal["bid", "feed"], ...] = ("bid", "feed")
RULES = list(product(TRIGGERS, (False, True)))
CHAINS = [
    (Options(preset, *rules), LANGUAGES[(place + number) % len(LANGUAGES)])
    for place, preset in enumerate(PRESETS)
    for number, rules in enumerate(RULES)
]
"""All kinds of chains. Each language meets each preset, and each pair of rules."""
LESSON = LESSONS[0]
ANSWERS = {
    "issue": "600",
    "sqp": "1/3",
    "call_price": "0.4375",
    "above": "0",
    "call": "60",
    "cost": "250",
    "protect": "0",
    "close": "90",
    "settle": "100",
    "cover": "600",
    "profit": "125",
}
"""Worked out by hand from the text, for the chain that it is about."""


@cache
def played(options: Options, tag: str = "en") -> dict[str, Judged]:
    """What `play` comes to, once."""
    return play(options, tag)


def play(options: Options, tag: str = "en") -> dict[str, Judged]:
    """A whole lesson without a guess."""
    session = Session(LESSON, load_language(tag), options)
    while session.question is not None:
        session.answer("")
    return {one.question.name: one for one in session.judged}


def numbers_of(text: str, language: Language) -> list[Fraction]:
    """The terms of a calculation between its signs of relation, each worked out."""
    plain = text.replace(language.thousands, "").replace(language.decimal, ".")
    plain = plain.replace("−", "-").replace("×", "*")
    return [_worth(ast.parse(term.strip(), mode="eval").body) for term in re.split("[=<>]", plain)]


def _worth(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    assert isinstance(node, ast.BinOp)
    apply: Callable[[Any, Any], Fraction] = {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
    }[type(node.op)]
    return apply(_worth(node.left), _worth(node.right))


def is_true(text: str, language: Language) -> bool:
    """Whether a calculation holds, equalities up to what is shown of a number."""
    relations = {"=": _same, "<": operator.lt, ">": operator.gt}
    found = numbers_of(text, language)
    signs = re.findall("[=<>]", text)
    return all(
        relations[sign](left, right)
        for sign, (left, right) in zip(signs, pairwise(found), strict=True)
    )


def _same(left: Fraction, right: Fraction) -> bool:
    return abs(left - right) <= abs(right) / 10_000


def test_every_language_meets_every_preset_and_every_rule() -> None:
    """So that a sentence of one that is wrong for some chain is played there."""
    assert {(chain.preset, tag) for chain, tag in CHAINS} == set(product(PRESETS, LANGUAGES))
    met = {((chain.trigger, chain.strict_release), tag) for chain, tag in CHAINS}
    assert met == set(product(RULES, LANGUAGES))


@pytest.mark.parametrize(("options", "tag"), CHAINS, ids=str)
def test_each_calculation_comes_to_what_the_chain_did(options: Options, tag: str) -> None:
    """On every preset, by either trigger, and by the letter of the text (R3.6, R4.2)."""
    language = load_language(tag)
    for judged in played(options, tag).values():
        assert is_true(judged.calculation, language), judged
        if judged.number and "=" in judged.calculation:
            shown = numbers_of(judged.calculation, language)
            assert any(_same(one, Fraction(judged.number)) for one in shown), judged
        assert "{" not in str(judged)


def test_answers_are_those_of_the_text() -> None:
    """Worked out by hand: borrowing, calls, SQP, settlement and covering (R3, R4, R5)."""
    found = played(Options())
    for name, answer in ANSWERS.items():
        assert is_near(read_guess(answer), found[name].number), name
    assert found["least"].number == Decimal("350.00001")
    assert found["release"].number == Decimal("324.99999")


def test_the_other_rules_answer_otherwise() -> None:
    """R4.2: the feed has not fallen, so by the feed nobody is called. R3.6: nothing is released
    without a payment. Each is told of the other."""
    feed, strict = played(Options(trigger="feed")), played(Options(strict_release=True))
    assert [feed[name].number for name in ("call", "call_by_feed")] == [0, 60]
    assert "it would have been 60 bitUSD" in feed["call"].explain
    assert "it would have been 0 bitUSD" in played(Options())["call"].explain
    assert [strict[name].number for name in ("release", "repay")] == [0, 2]
    assert "By the rule of today it would have been 324.99999 TEST" in strict["release"].explain
    assert "it would have been 0 TEST" in played(Options())["release"].explain


BROKEN = [
    (pricing.squeeze_protection_price, lambda feed: feed.settlement_price),
    (is_within_reach, lambda *arguments: False),
    (call_order.check_ratio, lambda data, new: None),
]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=lambda one: one.__name__)
def test_a_broken_rule_breaks_the_lesson(
    rule: Callable[..., Any], broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are read from the chain: where it errs, they are not those of the text."""
    monkeypatch.setattr(rule, "__code__", broken.__code__)
    try:
        found = play(Options())
    except StepFailed:
        return
    english = load_language("en")
    wrong = [name for name, one in ANSWERS.items() if not _is_right(one, found[name])]
    untrue = [one for one in found.values() if not is_true(one.calculation, english)]
    assert wrong or untrue


def _is_right(guess: str, judged: Judged) -> bool:
    return is_near(read_guess(guess), judged.number)


def keys_of(table: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a file of words, by its place."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield from keys_of(value, f"{at}.{key}")
    elif isinstance(table, str):
        yield at, table


def test_every_language_says_everything() -> None:
    """The same keys and the same numbers in each; rules, where the pages do not say them."""
    texts = {
        tag: dict(keys_of(tomllib.loads(shipped_file(f"{FOLDER}/{tag}.toml").read_text())))
        for tag in LANGUAGES
    }
    told = {key: names_in(text) for key, text in texts["en"].items() if ".rules." not in key}
    for tag in LANGUAGES:
        own = {key: names_in(text) for key, text in texts[tag].items() if ".rules." not in key}
        assert own.keys() == told.keys(), tag
        assert {key for key in own if own[key] != told[key]} == set(), tag
    cited = {
        rule for name in LESSONS for step in load_lesson(name, "TEST").steps for rule in step.rules
    }
    assert cited <= rules().keys()
    for tag in ("zh", "ru"):
        assert load_language(tag).rules.keys() == cited
    assert load_language("en").rules == {}


WORDS = {"core", "bit", "producers", "producers_of", "eur", "gold", "producer_count"}


def names_in(text: str) -> set[str]:
    """The numbers that a text names; names of the chain fall as a language needs them."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name} - WORDS


def test_words_of_the_chain() -> None:
    """R2.19: bitUSD, openUSD, gpUSD; witnesses and delegates; TEST, BTS, OPS, GPH."""
    for preset, symbol, core, producers in (
        ("testnet", "bitUSD", "TEST", "witnesses"),
        ("bitshares", "bitUSD", "BTS", "witnesses"),
        ("openshares", "openUSD", "OPS", "delegates"),
        ("graphene", "gpUSD", "GPH", "witnesses"),
    ):
        session = Session(LESSON, load_language("en"), Options(preset))
        assert session.question is not None
        assert f"{symbol}, " in session.question.sentence
        assert core in session.question.story
        session.answer("")
        assert session.question is not None
        assert producers in session.question.sentence
    delegates = Session(LESSON, load_language("ru"), Options("openshares"))
    assert "публикуют делегаты" in delegates.intro


READ = [
    ("1.5", ["1.5"]),
    ("1,5", ["1.5"]),
    ("150%", ["1.5"]),
    ("150 %", ["1.5"]),
    ("3/2", ["1.5"]),
    ("１５０％", ["1.5"]),
    ("1。5", ["1.5"]),
    (" 0,33 ", ["0.33"]),
    (".5", ["0.5"]),
    ("1 234,5 TEST", ["1234.5"]),
    ("1,234.5", ["1234.5"]),
    ("1,234", ["1234", "1.234"]),
    ("1.234", ["1234", "1.234"]),
    ("1.234.567", ["1234567"]),
    ("600 bitusd", ["600"]),
    ("1'000", ["1000"]),
]


@pytest.mark.parametrize(("text", "numbers"), READ)
def test_guesses_are_read_as_people_write_them(text: str, numbers: list[str]) -> None:
    """What may mean two numbers means both."""
    assert read_guess(text, ("TEST", "bitUSD")) == {Fraction(one) for one in numbers}


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1 2 3 4", "1..5", "5/0", "600 bananas", "1e9", "NaN", "9" * 200, "%"]
)
def test_what_is_no_guess_is_refused(text: str) -> None:
    """With its own name; the step waits for another."""
    with pytest.raises(UnreadableGuess):
        read_guess(text, ("TEST",))


@settings(max_examples=50, deadline=None)
@given(
    st.text(
        alphabet=st.characters(codec="utf-8") | st.sampled_from("0123456789.,%/ '"), max_size=20
    )
)
def test_no_text_breaks_the_reader(text: str) -> None:
    """Numbers or a typed refusal, whatever is typed."""
    with suppress(UnreadableGuess):
        assert read_guess(text, ("TEST",))


def test_a_guess_is_judged_within_one_percent() -> None:
    """Inclusive: 0.33 for a third; nothing is only nothing."""
    third = Decimal(1) / 3
    assert is_near(read_guess("0.33"), Decimal("0.3333333333"))
    assert not is_near(read_guess("0.32"), third)
    assert is_near(read_guess("101"), Decimal(100))
    assert not is_near(read_guess("101.1"), Decimal(100))
    assert not is_near(read_guess("0.001"), Decimal(0))
    assert is_near(read_guess("0"), Decimal(0))


def test_an_unreadable_guess_waits() -> None:
    """The chain does not move until there is a number."""
    session = Session(LESSON, load_language("en"), Options())
    before = session.market.state_hash()
    with pytest.raises(UnreadableGuess):
        session.answer("six hundred")
    assert session.market.state_hash() == before
    assert session.answer("600 bitUSD").is_right
    assert not session.answer("0.52").is_right
    assert session.answer("").guess is None
    assert (session.right, session.score) == (1, "1 right answer, 3 questions asked.")


RUSSIAN = [
    (1, "1 вопрос"),
    (2, "2 вопроса"),
    (4, "4 вопроса"),
    (5, "5 вопросов"),
    (0, "0 вопросов"),
    (11, "11 вопросов"),
    (14, "14 вопросов"),
    (21, "21 вопрос"),
    (22, "22 вопроса"),
    (111, "111 вопросов"),
]


@pytest.mark.parametrize(("number", "text"), RUSSIAN)
def test_russian_counts(number: int, text: str) -> None:
    """Three forms, by the last digits."""
    assert load_language("ru").count(number, "question") == text


def test_numbers_are_written_as_the_language_does() -> None:
    """Decimal comma, thousands, percent; English and Chinese have fewer forms of nouns."""
    number = Decimal("12345.678900")
    assert load_language("en").number(number) == "12,345.6789"
    assert load_language("ru").number(number) == "12\N{NO-BREAK SPACE}345,6789"
    assert f"{Value(load_language('ru'), Decimal('1.5'), 'TEST')}" == "1,5 TEST"
    assert f"{Value(load_language('zh'), Decimal('1.5')):p}" == "150%"
    assert [form_of("en", one) for one in (1, 2)] == [0, 1]
    assert form_of("zh", 2) == 0


def test_names_of_none_are_refused() -> None:
    """A lesson, a language and a preset that are not there."""
    with pytest.raises(NoSuchLesson, match="no such lesson"):
        Session("long-buying", load_language("en"))
    with pytest.raises(NoSuchLesson, match="no such language"):
        load_language("xx")


def test_the_market_has_strict_release_from_its_genesis() -> None:
    """R3.6: so that the lesson's rule is the chain's own."""
    strict = market(strict_release=True).ledger
    assert strict.state.chain.strict_release  # type: ignore[attr-defined]
