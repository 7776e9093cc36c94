"""`pegboard.play_lesson` and `list_lessons` as the page asks for them."""

from __future__ import annotations

import pytest

from node.api.api import Api
from pegboard.lessons import LANGUAGES, LESSONS
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain

LESSON = LESSONS[0]


@pytest.fixture
def backend() -> ChainBackend:
    """Any chain: a lesson has one of its own."""
    return ChainBackend(TestChain("alice"))


def ask(backend: ChainBackend, *arguments: Json) -> Json:
    before = backend.chain.state_hash()
    found = Client(backend).call("play_lesson", LESSON, *arguments, api="pegboard")
    assert backend.chain.state_hash() == before
    return found


def test_lessons_are_listed_with_their_titles(backend: ChainBackend) -> None:
    """In every language, and what each calls itself."""
    (lesson,) = Client(backend).call("list_lessons", api="pegboard")
    assert lesson["name"] == LESSON
    assert list(lesson["titles"]) == list(lesson["languages"]) == list(LANGUAGES)
    assert lesson["languages"]["zh"] == "简体中文"


def test_guesses_are_played_from_the_start_each_time(backend: ChainBackend) -> None:
    """The same guesses, the same answer; one more goes on from there."""
    start = ask(backend, "en", [])
    assert (start["judged"], start["right"], start["question"]["number"]) == ([], 0, 1)
    assert "answer" not in start["question"]
    first = ask(backend, "en", ["600"])
    assert ask(backend, "en", ["600"]) == first
    second = ask(backend, "en", ["600", "0,52"])
    assert second["judged"][0] == first["judged"][0]
    assert [one["is_right"] for one in second["judged"]] == [True, False]
    assert second["judged"][1]["verdict"] == "Not so: it is 0.5 bitUSD."
    assert second["judged"][1]["rules"][0]["id"] == "R1.16"
    assert second["question"]["name"] == "ratio"
    rest = ask(backend, "en", ["600", "0,52"], "", "", False, 1)
    assert rest == second | {"judged": second["judged"][1:]}


def test_the_end_is_the_score(backend: ChainBackend) -> None:
    """No further question, and guesses beyond it count for nothing."""
    found = ask(backend, "ru", [""] * 100, "openshares", "feed", True)
    assert (found["question"], len(found["judged"]), found["count"]) == (None, 19, 19)
    assert (found["preset"], found["trigger"], found["strict_release"]) == (
        "openshares",
        "feed",
        True,
    )
    assert found["score"] == "0 верных ответов, задано 19 вопросов."


WRONG: list[tuple[str, list[Json]]] = [
    ("no_such_lesson", ["xx", []]),
    ("unreadable_guess", ["en", ["six hundred"]]),
    ("validation_error", ["en", [], "bitcoin"]),
    ("validation_error", ["en", [], "", "ask"]),
    ("T-A2", ["en", [""] * 101]),
]


@pytest.mark.parametrize(("name", "arguments"), WRONG)
def test_what_is_not_known_is_refused(
    backend: ChainBackend, name: str, arguments: list[Json]
) -> None:
    """By its name; nothing is played then."""
    with pytest.raises(match=name):
        ask(backend, *arguments)


def test_a_node_without_a_teacher_says_so(backend: ChainBackend) -> None:
    """Lessons are handed in by who wires the node."""
    backend.api = Api(backend)
    error = Client(backend).refuse("list_lessons", api="pegboard")
    assert "nobody teaches here" in error["message"]
