"""A learner's way through a lesson: a question, a guess, and what the chain then does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from node.presets import PRESETS
from pegboard.development_chain import find_preset
from pegboard.expectations import measure
from pegboard.fresh import market
from pegboard.lessons.guesses import is_near, plain_text, read_guess
from pegboard.lessons.language import Language, StepWords, Value, fill
from pegboard.lessons.stage import Stage
from pegboard.lessons.structure import LessonStep, load_lesson, plain_number, unit_of
from pegboard.player import run_steps
from pegboard.vocabulary import Market
from protocol.errors import PegboardError

BITASSET = "USD"
"""The BitAsset that lessons are about."""
SEED = 7


@dataclass(frozen=True, slots=True)
class Options:
    """The chain that a lesson is played on."""

    preset: str = next(iter(PRESETS))
    trigger: Literal["bid", "feed"] = "bid"
    strict_release: bool = False

    @property
    def variants(self) -> tuple[str, ...]:
        """The ends of the keys of words that are other on this chain."""
        strict, feed = ("strict",) * self.strict_release, ("feed",) * (self.trigger == "feed")
        return (*strict, *feed)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at a step, in the learner's language."""

    number: int
    """From 1."""
    count: int
    """Of all questions."""
    name: str
    title: str
    sentence: str
    """The text's."""
    story: str
    question: str
    unit: str
    hint: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a guess."""

    question: Question
    guess: str | None
    """As it was typed; None if the learner did not know."""
    is_right: bool
    number: Decimal
    """The answer, read from the chain."""
    answer: str
    calculation: str
    explain: str
    rules: tuple[tuple[str, str], ...]
    """Ids, and what each rule asks for."""


class OtherCourse(PegboardError):
    """On the network something else happened than on the lesson's own chain."""

    name = "other_course"


class Session:
    """Takes one learner through a lesson, on a chain of its own in this process."""

    def __init__(
        self,
        lesson: str,
        language: Language,
        options: Options | None = None,
        *,
        network: Market | None = None,
    ) -> None:
        """On a `network` whose rules are those of the options all is played too, and its numbers
        are the answers.

        Raises `NoSuchLesson`, `ValidationError` for a preset of none, and what `Stage` raises.
        """
        options = Options() if options is None else options
        preset = find_preset(options.preset)
        structure = load_lesson(lesson, preset.core_symbol)
        self.lesson, self.language, self.options = lesson, language, options
        self.words = language.lessons[lesson]
        self.steps = structure.steps_when(options.trigger, strict_release=options.strict_release)
        self.judged: list[Judged] = []
        self.market = market(
            seed=SEED,
            preset=options.preset,
            trigger=options.trigger,
            witnesses=structure.witnesses,
            maker=False,
            strict_release=options.strict_release,
        )
        self._core = preset.core_symbol
        facts = self.market.ledger.asset(BITASSET)
        self._stage = None if network is None else Stage(network, structure, facts)
        self._bitasset = facts.display if self._stage is None else self._stage.display
        producers, of_them = language.producers[preset.producer_term]
        self._names: dict[str, Value | str] = {
            "core": self._core,
            "bit": self._bitasset,
            "producers": producers,
            "producers_of": of_them,
            "producer_count": self._value(Decimal(structure.witnesses)),
            "count": self._value(Decimal(len(self.steps))),
        }
        for symbol in ("EUR", "GOLD"):
            self._names[symbol.lower()] = self.market.ledger.asset(symbol).display
        self._seen: dict[str, Value | str] = {}
        """What the words of the step may name."""
        run_steps(structure.setup, self.market)
        self._question = self._ask()

    @property
    def intro(self) -> str:
        """What comes before the first question."""
        words = self.words
        return self.fill(words.intro if self._stage is None else words.intro_network)

    @property
    def question(self) -> Question | None:
        """What is asked now; None at the end."""
        return self._question

    @property
    def right(self) -> int:
        """How many guesses were right."""
        return sum(one.is_right for one in self.judged)

    @property
    def score(self) -> str:
        """How many were right, of how many, in the learner's language."""
        right, asked = self._value(Decimal(self.right)), self._value(Decimal(len(self.judged)))
        return fill(self.language.says.score, {"right": right, "asked": asked})

    def fill(self, text: str) -> str:
        """A text with the words of this chain, and the count of questions."""
        return fill(text, self._names)

    def verdict(self, judged: Judged) -> str:
        """Right or not, in the learner's language."""
        says = self.language.says
        text = says.right if judged.is_right else says.wrong
        return fill(says.unknown if judged.guess is None else text, {"answer": judged.answer})

    def answer(self, guess: str, *, compares: bool = True) -> Judged:
        """Take a guess, play the step and judge; an empty guess is one of who does not know.

        Unless it `compares`, what the other rules would have come to is not worked out, which takes
        longer than all else, and told as nothing.
        Raises `UnreadableGuess`, and the step waits for another; `OtherCourse`.
        """
        assert self._question is not None, "the lesson is over"
        typed = plain_text(guess)
        readings = read_guess(typed, (self._core, self._bitasset, BITASSET)) if typed else None
        step, words = self._step()
        before = measure(self.market, step.answer.path)
        run_steps(step.play, self.market)
        number = step.answer.number(before, measure(self.market, step.answer.path))
        if self._stage is not None and (found := self._stage.answer(step)) != number:
            what = f"the network came to another number at {step.name}"
            raise OtherCourse(what, rule=step.rules[0], value=found, limit=number)
        self._seen |= {key: self._measured(path) for key, path in step.after.items()}
        self._seen["answer"] = self._value(number, step.answer.path)
        if step.otherwise is not None:
            other = self._otherwise(step) if compares else Decimal(0)
            self._seen["otherwise"] = self._value(other, step.answer.path)
        judged = Judged(
            self._question,
            typed or None,
            readings is not None and is_near(readings, number),
            number,
            fill("{answer}", self._seen),
            self._text(words, "calculation"),
            self._text(words, "explain"),
            tuple((rule, self.language.rule_says(rule)) for rule in step.rules),
        )
        self.judged.append(judged)
        self._question = self._ask()
        return judged

    def _step(self) -> tuple[LessonStep, StepWords]:
        step = self.steps[len(self.judged)]
        return step, self.words.steps[step.name]

    def _ask(self) -> Question | None:
        if len(self.judged) == len(self.steps):
            return None
        step, words = self._step()
        run_steps(step.before, self.market)
        if self._stage is not None:
            self._stage.prepare(step)
        self._seen = self._names | {key: self._measured(path) for key, path in step.values.items()}
        return Question(
            len(self.judged) + 1,
            len(self.steps),
            step.name,
            self._text(words, "title"),
            self._text(words, "sentence"),
            self._text(words, "story"),
            self._text(words, "question"),
            fill(self.language.units[unit_of(step.answer.path, self._core)], self._names),
            self._text(words, "hint"),
        )

    def _text(self, words: StepWords, key: str) -> str:
        return fill(words.text(key, self.options.variants), self._seen)

    def _measured(self, path: str) -> Value:
        return self._value(plain_number(measure(self.market, path)), path)

    def _value(self, number: Decimal, path: str | None = None) -> Value:
        unit = None if path is None else unit_of(path, self._core)
        symbol = {"core": self._core, "bitasset": self._bitasset, "price": self._bitasset}
        return Value(self.language, number, symbol.get(unit or "", ""))

    def _otherwise(self, step: LessonStep) -> Decimal:
        """The answer of a step on the chain with the other rule."""
        other = replace(self.options, strict_release=not self.options.strict_release)
        if step.otherwise == "trigger":
            trigger: Literal["bid", "feed"] = "bid" if self.options.trigger == "feed" else "feed"
            other = replace(self.options, trigger=trigger)
        twin = _Twin(self.lesson, self.language, other)
        return twin.answer_of(step.name)


class _Twin(Session):
    """The same lesson on another chain, which nobody watches."""

    def answer_of(self, name: str) -> Decimal:
        """Play on until a step's answer."""
        while True:
            judged = self.answer("", compares=False)
            if judged.question.name == name:
                return judged.number
