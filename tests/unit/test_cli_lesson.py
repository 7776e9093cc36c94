"""`pegboard lesson`: in the terminal, from a file, as JSON, in three languages."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli import run
from node.cli.wide_text import COLUMNS_MIN, width_of, wrap
from node.exit_codes import Exit
from tests.support.desk import Desk

NAME = "short-selling"
GUESSES = (
    "600\n0.5\n200%\n350\n0,333\n0.4375\n0\n？\n60\n250\n0\n90\n100\n200\n100\n325\n3.5\n600\n"
)


def transcript(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, *arguments: str
) -> str:
    """What a lesson prints when a file has the guesses."""
    path = tmp_path / "guesses.txt"
    path.write_text(text)
    assert run(["lesson", NAME, "--answers", str(path), *arguments]) == 0
    return capsys.readouterr().out


def test_a_transcript_in_chinese(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Guesses from a file, one a line; a hint on the way; the last question is not reached."""
    out = transcript(capsys, tmp_path, GUESSES, "--lang", "zh", "--preset", "bitshares")
    assert "之后一共有多少 bitUSD？" in out
    assert "  > 600\n  答对了：600 bitUSD。\n    500 + 100 = 600\n" in out
    assert "  > ？\n    买价在 SQP 与她的强平触发价之间吗？" in out
    assert "规则 R4.2：" in out
    assert "BTS" in out
    assert "TEST" not in out
    assert "您提前离开了；本课共有 18 道题。\n共答 17 道题，答对 17 道题。" in out


def test_a_wrong_guess_is_explained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the calculation; what is no number counts as no guess, and q ends it."""
    out = transcript(capsys, tmp_path, "1,000\nsix\nq\n600\n", "--lang", "en")
    assert "  Not so: it is 600 bitUSD.\n    500 + 100 = 600\n" in out
    assert "That is no number of this kind." in out
    assert "0 right answers, 2 questions asked." in out


def test_json_tells_the_whole_lesson(capsys: pytest.CaptureFixture[str]) -> None:
    """One document a step, the score at the end; everything is told where nobody guesses."""
    assert run(["lesson", NAME, "--show", "--json", "--lang", "ru", "--strict-release"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["step"] * 18 + ["done"]
    assert events[0]["number"] == "600.0000"
    assert events[0]["rules"][0]["id"] == "R3.2"
    done = events[-1]
    assert (done["strict_release"], done["asked"], done["right"]) == (True, 18, 0)
    assert done["score"] == "0 верных ответов, задано 18 вопросов."


def test_lessons_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name; a name of none is refused."""
    assert run(["lesson", "--lang", "zh"]) == 0
    assert re.search(rf"{NAME} +en, zh, ru +卖空", capsys.readouterr().out)
    assert run(["lesson", "long-buying"]) == Exit.REFUSED
    assert "no such lesson, value long-buying" in capsys.readouterr().err
    assert run(["lesson", NAME, "--answers", "/nowhere"]) == Exit.DAMAGED
    assert run(["lesson", NAME, "--lang", "xx"]) == Exit.USAGE


def test_the_environment_chooses_the_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LANG, unless --lang; English where lessons do not have it."""
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    for value, title in (("ru_RU.UTF-8", "Короткая"), ("zh_CN.UTF-8", "卖空"), ("C", "Short")):
        monkeypatch.setenv("LANG", value)
        run(["lesson"])
        assert title in capsys.readouterr().out


def test_no_line_breaks_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are no text, signs that steer terminals, endless lines, an early end."""
    lines = b"\xff\xfe\n\x1b[2J\x00\n" + b"9" * 100_000 + b"\n%\n1/0\n\xe2\x80\xae5"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert run(["lesson", NAME, "--answers", "-", "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "0 right answers, 6 questions asked." in out


def test_a_person_may_try_again() -> None:
    """At a terminal: no number, then a hint, then a right guess, then Ctrl-D."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "node", "lesson", NAME, "--lang", "en"]
    with subprocess.Popen(
        command, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        os.write(leader, b"six\n?\n600\n\x04")
        out, _ = process.communicate(timeout=60)
    os.close(leader)
    os.close(follower)
    assert process.returncode == 0
    assert "Nobody has to hand Alice" in out.decode()
    assert "1 right answer, 1 question asked." in out.decode()


@pytest.mark.parametrize("columns", [24, 40, 80])
def test_wide_signs_keep_within_the_columns(columns: int) -> None:
    """Two columns each; a line begins with no closing sign, and ends with no opening one."""
    text = (
        "戴夫的抵押品是 500 TEST，欠 50 bitUSD（抵押率 5）；1 个 TEST 值 0.5 bitUSD，MCR 为 1.75。"
        * 3
    )
    lines = wrap(text, columns, "  ")
    assert all(width_of(line) <= columns for line in lines)
    assert not any(line.strip()[0] in "，。；）" or line[-1] == "（" for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert columns >= COLUMNS_MIN


def test_words_are_kept_whole() -> None:
    """Latin text wraps at spaces."""
    assert wrap("one two three four five six seven", 24) == ["one two three four five", "six seven"]
    assert wrap("", 24) == [""]


def test_a_lesson_on_a_network_goes_by_its_rules(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """R3.6, R4.2: other rules than the chain's are refused by name; its own need not be said."""
    Desk(monkeypatch, capsys)
    lesson = ["lesson", NAME, "--url", "http://desk:1", "--lang", "en"]
    for asked, rule in (
        (["--strict-release"], "R3.6"),
        (["--trigger", "feed"], "R4.2"),
        (["--preset", "graphene"], "--preset"),
    ):
        assert run([*lesson, *asked, "--show"]) == Exit.USAGE
        assert rule in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("600\nq\n"))
    assert run([*lesson, "--preset", "testnet", "--trigger", "bid"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"Right: 600 bitUSD\d+\.", out)
