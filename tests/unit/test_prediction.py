"""What is foretold, against a chain in this process; its arithmetic on numbers worked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

import pytest
from msgspec.structs import replace

import pegboard
from node.cli.demo import STORY
from node.market import margin_calls
from node.presets import build_genesis
from node.shipped import shipped_file
from pegboard.development_chain import DevelopmentChain, find_preset
from pegboard.ledger import NotPossibleHere
from pegboard.local_ledger import LocalLedger
from pegboard.opinion import Model, Offer
from pegboard.scenario import load_scenario
from pegboard.steps import FeedStep
from protocol.genesis_form import InitialAssetSettings
from protocol.operations.asset_options import CHARGE_MARKET_FEE, WITNESS_FED_ASSET
from protocol.operations.bitasset_options import BitassetOptionsExtensions
from tests.support.desk import Desk

Change: TypeAlias = Callable[[InitialAssetSettings], InitialAssetSettings]
PEOPLE = ("bob", "carol", "erin")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(monkeypatch, capsys)


@pytest.fixture
def model() -> Model:
    """One unit of the BitAsset for ten of core; nobody owes anything."""
    purses = dict.fromkeys(PEOPLE, 1_000_000), dict.fromkeys(PEOPLE, 0)
    return Model(1_750, 1_100, *purses, feed=Fraction(1, 10))


def bid(owner: str, gives: int, wants: int) -> Offer:
    return Offer("1.7.0", owner, True, gives, Fraction(gives, wants), 5)


def test_the_demo_comes_out_as_foretold(desk: Desk) -> None:
    """R4.2, R4.5, R5.5: every balance, position and order after every step, twice on one chain."""
    for _ in range(2):
        ended = desk.run("demo", "margin-call", "--json")
        assert ended.code == 0, ended.err
        events = [json.loads(line) for line in ended.out.splitlines()]
        steps = [event for event in events if event["event"] == "step"]
        assert all(step["wrong"] == [] for step in steps)
        told = [line.split()[:2] for step in steps for line in step["events"]]
        assert [one for one in told if one[0] in ("called:", "settled:")] == [
            ["called:", "bob"],
            ["called:", "carol"],
            ["settled:", "carol,"],
        ]
        assert events[-1]["foretold"] == sum(step["foretold"] for step in steps) > 300


@pytest.mark.usefixtures("interpreted")
def test_a_broken_rule_is_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that never calls anybody does not come out as foretold: exit code 1."""
    monkeypatch.setattr(margin_calls, "is_within_reach", lambda *arguments: False)
    ended = desk.run("demo", "margin-call")
    assert ended.code == 1
    assert "prediction_failed" in ended.err
    assert "NOT AS FORETOLD" in ended.out


def test_the_demo_s_prices_are_the_recorded_ones() -> None:
    """The days that its steps tell of have these prices in the series."""
    rows = shipped_file("config/prices/try_usd.csv").read_text().splitlines()
    recorded = dict(row.split(",") for row in rows)
    steps = load_scenario(shipped_file(STORY)).steps
    said = {(step.say or "")[:10]: str(step.price) for step in steps if isinstance(step, FeedStep)}
    assert len(said) == 4
    assert said == {day: recorded[day] for day in said}


def test_only_what_the_second_opinion_knows_is_foretold() -> None:
    """A chain that the feed triggers, a market with debts, and a stranger's trade: refused."""
    with pytest.raises(NotPossibleHere, match="highest bid"):
        pegboard.market(trigger="feed").predict("bitUSD", [])
    m = pegboard.market(maker=False)
    m.predict("bitUSD", ["nathan"])
    alice = m.account("alice", core=1_000)
    with pytest.raises(NotPossibleHere, match="not foretold"):
        alice.borrow("1 bitUSD", ratio=2)
    with pytest.raises(NotPossibleHere, match="owes it already"):
        m.predict("bitUSD", ["nathan"])


def _bitasset(**options: object) -> Change:
    def change(asset: InitialAssetSettings) -> InitialAssetSettings:
        before = asset.bitasset_options
        return replace(asset, bitasset_options=before and replace(before, **options))

    return change


def _extra(**options: int) -> Change:
    return _bitasset(extensions=BitassetOptionsExtensions(**options))


def _fee(asset: InitialAssetSettings) -> InitialAssetSettings:
    return replace(asset, flags=WITNESS_FED_ASSET | CHARGE_MARKET_FEE, market_fee_percent=10)


@pytest.mark.parametrize(
    ("change", "rule", "what"),
    [
        (_fee, "R2.14", "the market fee of bitUSD"),
        (_bitasset(force_settlement_offset_percent=100), "R5.4", "a settlement offset"),
        (_extra(force_settle_fee_percent=10), "BSIP87", "a settlement fee"),
        (_extra(margin_call_fee_ratio=10), "R1.8", "a margin call fee"),
        (_extra(maintenance_collateral_ratio=1_600), "R1.16", "the issuer's own MCR"),
        (_extra(maximum_short_squeeze_ratio=1_200), "R1.16", "the issuer's own MSQR"),
        (_extra(black_swan_response_method=1), "R6.9", "a black swan response"),
    ],
)
def test_what_an_issuer_asks_and_is_not_known_is_refused(
    change: Change, rule: str, what: str
) -> None:
    """By name, before anything is foretold wrongly."""
    genesis = build_genesis(find_preset("testnet"))
    section = genesis.pegboard
    assert section is not None
    assert section.assets is not None
    changed = replace(section, assets=tuple(change(asset) for asset in section.assets))
    chain = DevelopmentChain(replace(genesis, pegboard=changed), {})
    m = pegboard.Market(LocalLedger(chain))
    m.feed("bitUSD", "0.1")
    with pytest.raises(NotPossibleHere, match=f"{what} is not foretold") as refused:
        m.predict("bitUSD", [])
    assert refused.value.rule == rule


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda alice: alice.borrow("1 bitUSD", ratio=2, target=2), "a target ratio"),
        (lambda alice: alice.sell("1 bitUSD", at=1, expires_in="1h"), "an order that expires"),
        (lambda alice: alice.settle("1 bitUSD"), "a settlement of a limited volume"),
    ],
)
def test_what_is_done_and_not_known_is_refused(
    act: Callable[[pegboard.Account], object], what: str
) -> None:
    """R3.7, R2.10, R5.4: by name, at the step that does it."""
    m = pegboard.market(maker=False)
    alice = m.account("alice", core=1_000)
    m.predict("bitUSD", ["alice"])
    alice.borrow("10 bitUSD", ratio=2)
    with pytest.raises(NotPossibleHere, match=f"{what} is not foretold"):
        act(alice)


def test_nothing_is_foretold_after_a_global_settlement() -> None:
    """R6.2: neither by an opinion that followed it, nor by one that is asked for then."""
    m = pegboard.market(maker=False)
    alice = m.account("alice", core=1_000)
    m.predict("bitUSD", ["alice"])
    alice.borrow("10 bitUSD", ratio=2)
    m.feed("bitUSD", fall=0.6)
    m.block()
    assert m.is_settled("bitUSD")
    for ask in (m.compare_predictions, lambda: m.predict("bitUSD", ["alice"])):
        with pytest.raises(NotPossibleHere, match="global settlement"):
            ask()


def test_a_call_needs_a_bid_between_sqp_and_call_price(model: Model) -> None:
    """R4.2: strictly above the SQP, strictly below the call price."""
    model.borrow("bob", 20_000, 1_000)
    assert model.call_price("bob") == Fraction(7, 80)
    assert model.squeeze_protection_price == Fraction(1, 11)
    model.peg["erin"] = 10_000
    for wants in (11_000, 11_429):
        model.feed = Fraction(1, 10)
        model.offers = [bid("erin", 1_000, wants)]
        assert model.run_margin_calls() == []
    model.feed = Fraction(9, 100)
    (call,) = model.run_margin_calls()
    assert (call.name, call.pays, call.covers, call.debt_left) == ("bob", 11_429, 1_000, 0)
    assert model.core["bob"] == 1_000_000 - 11_429


def test_a_smaller_bid_calls_a_part(model: Model) -> None:
    """R4.5: the position pays rounded down, and the bid's dust comes back."""
    model.borrow("bob", 20_000, 1_000)
    model.feed = Fraction(9, 100)
    model.peg["erin"] = 100
    model.place(bid("erin", 100, 1_143))
    (call,) = model.run_margin_calls()
    assert (call.pays, call.covers, call.debt_left) == (1_143, 100, 900)
    assert model.offers == []
    assert model.loans["bob"].collateral == 20_000 - 1_143


def test_orders_match_at_the_makers_price(model: Model) -> None:
    """R2.5: the better price is the taker's gain; what cannot buy anything comes back."""
    model.peg["bob"] = 100
    model.place(bid("bob", 100, 1_000))
    model.place(Offer("1.7.1", "erin", False, 1_205, Fraction(100, 1_205), 5))
    assert model.peg["erin"] == 100
    assert model.core["bob"] == 1_001_000
    (left,) = model.offers
    assert (left.for_sale, left.deferred_fee) == (205, 0)
    model.cancel("1.7.1")
    assert model.core["erin"] == 999_000


def test_a_cancelled_order_gets_its_fee_back_if_it_never_traded(model: Model) -> None:
    """R2.11: the creation fee is kept in the order until the first fill."""
    model.peg["bob"] = 100
    model.pay_fee("bob", 5)
    model.place(bid("bob", 100, 1_000))
    model.cancel("1.7.0")
    assert (model.peg["bob"], model.core["bob"]) == (100, 1_000_000)


def test_settlement_pays_the_feed_from_the_least_collateralised(model: Model) -> None:
    """R5.5: rounded down for the settler, who gets back what buys nothing."""
    model.borrow("bob", 30_000, 1_000)
    model.borrow("carol", 20_000, 1_000)
    model.feed = Fraction(3, 10)
    model.peg["erin"] = 101
    model.ask_settlement("erin", 101)
    model.run_settlements()
    assert model.core["erin"] == 1_000_336
    assert model.peg["erin"] == 0
    assert model.loans["carol"].debt == 1_000 - 101
    assert model.loans["carol"].collateral == 20_000 - 336
