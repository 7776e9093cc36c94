"""Lessons: what a text says, sentence by sentence, guessed by a learner and played on a chain.

A lesson's structure stands in `config/lessons/NAME.toml`: what is played, and where each answer is
read from the chain. Its words stand beside it, one language a file. `Session` takes a learner
through it.
"""

from __future__ import annotations

from pegboard.lessons.guesses import UnreadableGuess
from pegboard.lessons.language import LANGUAGES, Language, load_language
from pegboard.lessons.session import Judged, Options, Question, Session
from pegboard.lessons.structure import LESSONS, Lesson, NoSuchLesson, load_lesson

__all__ = [
    "LANGUAGES",
    "LESSONS",
    "Judged",
    "Language",
    "Lesson",
    "NoSuchLesson",
    "Options",
    "Question",
    "Session",
    "UnreadableGuess",
    "load_language",
    "load_lesson",
]
