"""Lessons for the API: nothing of a learner is kept, each call plays all guesses again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal, cast

import msgspec

from node.api.teacher import Course
from node.presets import PRESETS
from pegboard.lessons.language import LANGUAGES, load_language
from pegboard.lessons.session import Judged, Options, Session
from pegboard.lessons.structure import LESSONS, check_lesson_name
from protocol.errors import ValidationError
from protocol.json_form import JsonValue

TRIGGERS = ("bid", "feed")


class LessonTeacher:
    """`node.api.teacher.Teacher`."""

    def listed(self) -> JsonValue:
        """Every lesson, with its titles by language."""
        return [
            {
                "name": name,
                "titles": {tag: load_language(tag).lessons[name].title for tag in LANGUAGES},
                "languages": {tag: load_language(tag).name for tag in LANGUAGES},
            }
            for name in LESSONS
        ]

    def play(self, course: Course, guesses: Sequence[str], since: int) -> JsonValue:
        """The lesson so far; guesses beyond its end count for nothing.

        Raises `NoSuchLesson`, `UnreadableGuess`, and `ValidationError` for other names of none.
        """
        check_lesson_name(course.lesson)
        language = load_language(course.language)
        if course.trigger not in TRIGGERS:
            limit = ", ".join(TRIGGERS)
            raise ValidationError("no such trigger", value=course.trigger, limit=limit)
        trigger = cast(Literal["bid", "feed"], course.trigger)
        preset = course.preset or _preset_of(course.core)
        session = Session(course.lesson, language, Options(preset, trigger, course.strict_release))
        for number, guess in enumerate(guesses[: len(session.steps)]):
            session.answer(guess, compares=number >= since)
        told = [judged_json(session, one) for one in session.judged[since:]]
        question = session.question
        return {
            "lesson": session.lesson,
            "language": language.tag,
            "preset": preset,
            "trigger": trigger,
            "strict_release": course.strict_release,
            "title": session.words.title,
            "intro": session.intro,
            "says": cast(JsonValue, msgspec.to_builtins(language.says)),
            "judged": cast(JsonValue, told),
            "question": None if question is None else cast(JsonValue, asdict(question)),
            "count": len(session.steps),
            "right": session.right,
            "score": session.score,
        }


def judged_json(session: Session, judged: Judged) -> dict[str, JsonValue]:
    """What became of a guess, as JSON has it."""
    found = cast("dict[str, JsonValue]", asdict(judged))
    found["number"] = f"{judged.number:f}"
    found["verdict"] = session.verdict(judged)
    found["rules"] = [{"id": rule, "says": says} for rule, says in judged.rules]
    return found


def _preset_of(core: str) -> str:
    """The preset with a chain's core token; the first where there is none."""
    found = (name for name, preset in PRESETS.items() if preset.core_symbol == core)
    return next(found, next(iter(PRESETS)))
