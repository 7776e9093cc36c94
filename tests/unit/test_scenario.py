"""Scenario files: read, played, written; and what is wrong with one is told by line and key."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import get_args

import pytest

import pegboard
from node.shipped import shipped_file
from pegboard.expectations import ExpectationFailed, MalformedExpectation, read_expectation
from pegboard.player import StepFailed
from pegboard.scenario import ScenarioError, load_scenario, read_scenario
from pegboard.steps import OWN, AnyStep, Step

FALL = shipped_file("config/scenarios/fall.toml")
SHIPPED = sorted(FALL.parent.glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_comes_out_as_it_expects(path: Path) -> None:
    """Every expectation is met; its journal, read back and played, makes the same chain."""
    played = pegboard.play(load_scenario(path))
    assert played.failures == []
    assert played.outcomes
    again = pegboard.play(read_scenario(played.market.scenario(), path=str(path)))
    assert again.market.state_hash() == played.market.state_hash()


def test_another_seed_walks_otherwise() -> None:
    """The seed of the file, or another one, decides the prices."""
    scenario = load_scenario(FALL)
    prices = {pegboard.play(scenario, seed=seed).market.price("bitUSD") for seed in (None, 7, 8)}
    assert len(prices) == 2


HEAD = 'pegboard = 1\n[prices.bitUSD]\nsource = "fixed:0.1"\n'
BORROW = '[[steps]]\ndo = "borrow"\naccount = "alice"\namount = "100 bitUSD"\nratio = 2\n'


def test_what_is_not_met_names_expectation_value_and_rule() -> None:
    """At the end and between steps; all are looked at, and the first is raised."""
    text = (
        'pegboard = 1\nexpect = ["alice.balance.bitUSD < 100", "bitUSD.positions = 0"]\n'
        "[chain]\nmaker = false\n[accounts.alice]\ncore = 9000\n"
        f'{BORROW}[[steps]]\ndo = "expect"\nthat = ["alice.position.bitUSD.ratio = 2.5"]\n'
    )
    played = pegboard.play(read_scenario(text))
    assert [(one.rule, one.found, one.wanted) for one in played.failures] == [
        ("R1.11", "2", "= 2.5"),
        ("I6", "100.0000", "< 100"),
        ("R4.1", "1", "= 0"),
    ]
    with pytest.raises(ExpectationFailed) as failed:
        played.check()
    assert str(failed.value) == (
        "expectation_failed: expected alice.position.bitUSD.ratio = 2.5, value 2, limit = 2.5"
        " (R1.11)"
    )


def test_a_step_is_refused_as_it_says_or_ends_the_play() -> None:
    """With the rule, the value and the limit of the chain's refusal, and the step's number."""
    text = f"{HEAD}[accounts.alice]\ncore = 9000\n{BORROW}"
    weak = text.replace("ratio = 2", "ratio = 1.7")
    with pytest.raises(StepFailed, match="step 1, borrow") as refused:
        pegboard.play(read_scenario(weak))
    assert refused.value.name == "below_required_ratio"
    assert refused.value.rule == "R3.4b"
    pegboard.play(read_scenario(f'{weak}refused = "below_required_ratio"\n')).check()
    with pytest.raises(StepFailed, match="not refused"):
        pegboard.play(read_scenario(f'{text}refused = "below_required_ratio"\n'))


def test_prices_come_from_files_beside_the_scenario_and_jump(tmp_path: Path) -> None:
    """A row a block; a shock stays; ratios are published with the price."""
    (tmp_path / "usd.csv").write_text("time,price\n2021-01-01,0.5\n2021-01-02,0.25\n")
    path = tmp_path / "it.toml"
    path.write_text(
        'pegboard = 1\n[prices.bitUSD]\nsource = "csv:usd.csv?every=1b"\nmcr = 1.5\n'
        'shocks = [[3, "-50%"], [4, "+20%"]]\n'
        + "".join(
            f'[[steps]]\ndo = "expect"\nthat = ["bitUSD.price = {price}"]\n'
            '[[steps]]\ndo = "block"\n'
            for price in ("0.5", "0.5", "0.25", "0.125", "0.15")
        )
    )
    played = pegboard.play(load_scenario(path))
    assert played.failures == []
    feed = played.market.ledger.feed(played.market.ledger.asset("USD").id)
    assert feed is not None
    assert feed.maintenance_ratio == 1_500


WRONG = [
    ("", 1, "pegboard", "not a scenario"),
    ("pegboard = 2\n", 1, "pegboard", "of another version"),
    ("pegboard = 1\ntitle = 3\n", 2, "title", "Expected `str`, got `int`"),
    ("pegboard = 1\nsteps = 3\n", 2, "steps", "Expected `array`"),
    ("pegboard = 1\n\nsed = 7\n", 3, "sed", "unknown key"),
    ('pegboard = 1\ntitle = "cut', 2, "", "the file is cut"),
    (f"{HEAD}{BORROW}[[steps]]\ndo = \n", 10, "", "not TOML"),
    (f"{HEAD}{BORROW}{BORROW}ratios = 2\n", 14, "steps[1].ratios", "unknown field"),
    (f"{HEAD}{BORROW}".replace('amount = "100 bitUSD"\n', ""), 4, "steps[0].amount", "missing"),
    (f"{HEAD}{BORROW}".replace('"100 bitUSD"', "100"), 7, "steps[0].amount", "Expected `str`"),
    (f"{HEAD}{BORROW}".replace('"borrow"', '"burrow"'), 5, "steps[0].do", "Invalid value"),
    (f"{HEAD}{BORROW}".replace('do = "borrow"\n', ""), 4, "steps[0].do", "missing"),
    ("pegboard = 1\n[accounts.a]\n[accounts.b]\ncoer = 1\n", 4, "accounts.b.coer", "unknown"),
    (f"{HEAD}shock = 3\n", 4, "prices.bitUSD.shock", "unknown field"),
    ('pegboard = 1\n[chain]\ntrigger = "ask"\n', 3, "chain.trigger", "Invalid enum value"),
    ('pegboard = 1\nexpect = ["alice is rich"]\n', 2, "expect[0]", "not a comparison"),
    (
        f'{HEAD}[[steps]]\ndo = "expect"\nthat = ["bitUSD.prize = 1"]\n',
        6,
        "steps[0].that",
        "no such quantity",
    ),
]


@pytest.mark.parametrize(("text", "line", "key", "what"), WRONG)
def test_what_is_wrong_is_told_by_line_and_key(
    tmp_path: Path, text: str, line: int, key: str, what: str
) -> None:
    """A file that is cut, of another version, or wrong in any place."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as refused:
        load_scenario(path)
    assert (refused.value.line, refused.value.key) == (line, key)
    assert f"wrong.toml, line {line}" in refused.value.what
    assert what in refused.value.what


def test_a_scenario_cut_anywhere_is_read_or_refused() -> None:
    """Every beginning of a file: a scenario, or a `ScenarioError` and nothing else."""
    text = FALL.read_text()
    lines = []
    for length in range(0, len(text), 7):
        try:
            read_scenario(text[:length])
        except ScenarioError as error:
            lines.append(error.line)
    assert len(lines) > len(text) // 14
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


def test_a_file_cut_within_a_number_is_refused(tmp_path: Path) -> None:
    """What is left of its last line could be read: 2 of 2.2; a line that has an end is whole."""
    path, text = tmp_path / "cut.toml", f"{HEAD}[accounts.alice]\ncore = 9000\n{BORROW}"
    path.write_text(text)
    load_scenario(path)
    path.write_text(text + "target = 2")
    with pytest.raises(ScenarioError, match="cut") as refused:
        load_scenario(path)
    assert refused.value.line == text.count("\n") + 1


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, or no text."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name in ("missing.toml", ".", "bytes.toml"):
        with pytest.raises(ScenarioError, match="cannot be read"):
            load_scenario(tmp_path / name)


@pytest.mark.parametrize(
    "text", ["", "a = 1", "bitUSD.price", "bitUSD.price ~ 1", "bitUSD.price = x", "x.orders < true"]
)
def test_what_is_no_expectation_is_refused(text: str) -> None:
    with pytest.raises(MalformedExpectation):
        read_expectation(text)


def test_names_may_hold_dots() -> None:
    """Accounts and assets may; the quantity's own words tell where they end."""
    read = read_expectation("a.b-c.position.X.YZ.call_price > 0")
    assert (read.quantity, read.who, read.what) == ("position.call_price", "a.b-c", "X.YZ")
    read = read_expectation("a.b.balance.X.YZ = 1")
    assert (read.quantity, read.who, read.what) == ("balance", "a.b", "X.YZ")


@pytest.mark.parametrize("step", get_args(AnyStep), ids=lambda step: step.__name__)
def test_each_step_says_all_that_its_word_takes(step: type[Step]) -> None:
    """A word that gets a parameter gets it in scenarios too, or its journal could not be read."""
    verb = step.__struct_config__.tag
    if verb == "expect":
        return
    fields = set(step.__struct_fields__) - set(OWN)
    owner = pegboard.Account if "account" in fields else pegboard.Market
    taken = set(signature(getattr(owner, str(verb))).parameters) - {"self"}
    assert fields - {"account"} == taken
