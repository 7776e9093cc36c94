"""The pytest plugin, as the author of a bot meets it: a test that fails, and one that passes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from node.cli import run
from pegboard import Market

pytest_plugins = ["pytester"]

REPO = Path(__file__).resolve().parents[2]


def readme_test() -> str:
    """The test that the README shows."""
    text = (REPO / "README.md").read_text()
    [block] = [part for part in text.split("\n\n") if part.startswith("    def test_")]
    return textwrap.dedent(block)


def test_the_readme_s_test_passes(pytester: pytest.Pytester) -> None:
    """As it stands there, in a folder of its own."""
    pytester.makepyfile(test_bot=readme_test())
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_failing_test_says_its_seed_and_leaves_a_scenario(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bot's author asserts the opposite, sees the seed, has the same again by it, and plays it
    from the file."""
    failing = readme_test().replace("assert ", "assert not ")
    assert failing != readme_test()
    pytester.makepyfile(test_bot=failing)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    [line] = [line for line in result.outlines if line.startswith("seed ")]
    seed = line.removeprefix("seed ").partition(":")[0]
    again = pytester.runpytest_inprocess("--pegboard-seed", seed)
    assert line in again.outlines
    [told] = [line for line in result.outlines if line.startswith("what it did: ")]
    assert run(told.removeprefix("what it did: pegboard ").split()) == 0
    assert "borrow account=alice" in capsys.readouterr().out


def test_a_run_without_a_cache_leaves_no_scenario(pytester: pytest.Pytester) -> None:
    """Nothing is written anywhere else."""
    pytester.makepyfile("def test_it(market): assert market.price('USD') == 0")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    assert not list(pytester.path.rglob("*.toml"))


def test_a_test_without_a_market_says_nothing(pytester: pytest.Pytester) -> None:
    """Nobody who does not ask for a fixture meets the plugin."""
    pytester.makepyfile("def test_other(): assert False")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    assert not [line for line in result.outlines if "pegboard" in line and "seed" in line]


def test_the_seed_follows_from_the_name(market: Market) -> None:
    """The fixture is also here; the seed is the same in every run."""
    assert market.seed == 293_968_036
    assert market.random.random() > 0
