"""`pegboard.market`: the words of a market on a chain in the own process."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pegboard
from node.market.margin_calls import is_within_reach
from pegboard import Market, PegboardError
from pegboard.amounts import BadAmount, exact, to_units
from pegboard.ledger import NotPossibleHere
from protocol.errors import ValidationError
from protocol.ids import AssetId

PRICE = Decimal("0.1357")
"""Of bitUSD, where a market begins."""


@pytest.fixture
def quiet() -> Market:
    """A market whose books are empty."""
    return pegboard.market(maker=False)


@pytest.mark.usefixtures("interpreted")
def test_a_fall_calls_a_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first example of the manual; and a chain that calls nobody does not pass it."""

    def play() -> bool:
        with pegboard.market(seed=7) as m:
            alice = m.account("alice", core=10_000)
            alice.borrow("100 bitUSD", ratio=1.9)
            m.feed("USD", fall=0.3)
            m.block()
            return alice.position("bitUSD").closed

    assert play()
    monkeypatch.setattr(is_within_reach, "__code__", (lambda *arguments: False).__code__)
    assert not play()


def test_nobody_is_within_reach_where_nobody_bids(quiet: Market) -> None:
    """R4.2: without a highest bid there is no margin call, by either trigger."""
    for market in (quiet, pegboard.market(maker=False, trigger="feed")):
        alice = market.account("alice", core=10_000)
        alice.borrow("100 bitUSD", ratio=1.9)
        market.feed("bitUSD", fall="15%")
        market.block()
        position = alice.position("bitUSD")
        assert (position.closed, position.ratio) == (False, Decimal("1.615"))


def test_many_accounts_are_made_in_few_transactions(quiet: Market) -> None:
    """R9.3: as many as a transaction takes; each has what `account` would give it, and no more."""
    sent: list[int] = []
    quiet.ledger.heard.append(lambda done: sent.append(len(done.operations)))
    ann = quiet.account("ann", core=70, holds=["30 bitUSD"])
    sent.clear()
    names = ["ann", *(f"person{number}" for number in range(30)), "person3"]
    found = quiet.accounts(names, core=50, holds=["20 bitUSD", "10 bitUSD"])
    assert [one.name for one in found] == names
    assert (found[4].id, found[0].id) == (found[-1].id, ann.id)
    assert [one.balance("TEST") for one in found] == [70, *[50] * 31]
    assert [one.balance("bitUSD") for one in found] == [30, *[20] * 31]
    assert sum(sent) == 30 + 30 * 3
    assert len(sent) < 10
    sent.clear()
    assert len(quiet.accounts(["person1", "person2"], core=50)) == 2
    assert quiet.accounts([]) == []
    assert sent == []


def test_a_refusal_among_many_accounts_keeps_what_was_made_before(quiet: Market) -> None:
    """Its own transaction and what would follow is left out; the notes do the same again."""
    names = [f"person{number}" for number in range(40)]
    with pytest.raises(BadAmount):
        quiet.accounts(names, core="0.000001")
    assert quiet.ledger.find_account("person0") is None
    with pytest.raises(PegboardError, match="not an account name"):
        quiet.accounts([*names[:30], "No Name", *names[30:]], core=5)
    made = [name for name in names if quiet.ledger.find_account(name) is not None]
    assert made == names[: len(made)]
    assert 0 < len(made) < 30
    with pytest.raises(PegboardError) as poor:
        quiet.accounts(["person1", "zoe"], core=10**10)
    assert poor.value.name == "insufficient_balance"
    assert quiet.find("zoe").balance("TEST") == quiet.find("person1").balance("TEST") == 0
    quiet.block()
    again = pegboard.play(pegboard.read_scenario(quiet.scenario()))
    assert again.market.state_hash() == quiet.state_hash()


def test_a_position_tells_its_ratio_and_call_price(quiet: Market) -> None:
    """R1.10: debt / collateral * MCR, in whole units; R3.3: a borrower gets the debt."""
    alice = quiet.account("alice", core=10_000)
    position = alice.borrow("100 bitUSD", collateral="2000 TEST", target=2)
    assert position.debt == 100
    assert position.collateral == 2_000
    assert position.ratio == Decimal("2.714")
    assert position.call_price == Decimal("0.0875")
    assert position.target == 2
    assert alice.balance("bitUSD") == 100
    assert alice.adjust("bitUSD", collateral="-500 TEST").collateral == 1_500
    assert alice.adjust("USD", ratio=3).ratio == 3
    assert alice.cover("40 bitUSD").debt == 60
    assert alice.position("bitUSD").target == 2
    assert alice.cover("bitUSD").closed
    assert [one.owner for one in quiet.positions("bitUSD")] == []


def test_orders_keep_their_price(quiet: Market) -> None:
    """R2.5: an order at a price is that price to the smallest unit, and two at one price meet."""
    alice = quiet.account("alice", core=10_000, holds=["300 bitUSD"])
    bob = quiet.account("bob", core=10_000)
    bid = alice.sell("100 bitUSD", at="0.13")
    assert not bid.filled
    assert abs(bid.price - Decimal("0.13")) < Decimal("1e-8")
    assert (bid.sells, bid.wants) == ("bitUSD", "TEST")
    taken = bob.buy("60 bitUSD", at="0.13", name="taker")
    assert taken.filled
    assert bob.balance("bitUSD") == 60
    assert [one.for_sale for one in quiet.bids("USD")] == [Decimal("40.0000")]
    alice.cancel(bid)
    assert alice.orders() == quiet.bids("USD") == []
    ask = bob.sell("700 TEST", receive="100 bitUSD", name="mine")
    assert (ask.price, quiet.asks("USD")) == (Decimal(1) / 7, [ask])
    bob.cancel("mine")
    assert quiet.asks("USD") == []


def test_a_settlement_waits_for_its_delay(quiet: Market) -> None:
    """R5.2, R5.5: at the feed, from the least collateralised, once it is due."""
    alice = quiet.account("alice", core=10_000)
    alice.borrow("100 bitUSD", ratio=2)
    bob = quiet.account("bob", core=10)
    alice.transfer(bob, "20 bitUSD")
    request = bob.settle("20 bitUSD")
    before = bob.balance("TEST")
    assert quiet.settlements("bitUSD") == [request]
    quiet.travel("30s")
    assert bob.balance("TEST") == before
    quiet.travel("40s")
    assert quiet.settlements("bitUSD") == []
    assert abs(bob.balance("TEST") - before - 20 / PRICE) < Decimal("0.00001")
    assert alice.position("bitUSD").debt == 80
    assert quiet.supply("bitUSD") == 80


def test_a_price_lives_as_long_as_the_market(quiet: Market) -> None:
    """R1.15: feeds run out after a day; here they are published again in time."""
    assert quiet.price("bitUSD") == PRICE
    quiet.feed("bitUSD", 0.1, mcr=1.5)
    quiet.travel("10d")
    assert quiet.price("USD") == Decimal("0.1")
    assert quiet.feed("USD", rise="25%") == Decimal("0.125")
    with pytest.raises(BadAmount, match="give one of"):
        quiet.feed("USD", 1, fall=0.5)
    with pytest.raises(BadAmount, match="must be positive"):
        quiet.feed("USD", fall=1)


def test_a_swan_settles_a_bitasset(quiet: Market) -> None:
    """R6.1: below the worth of its debt a position ends the BitAsset."""
    alice = quiet.account("alice", core=10_000)
    alice.borrow("100 bitUSD", ratio=1.8)
    assert not quiet.is_settled("bitUSD")
    quiet.feed("bitUSD", fall=0.6)
    quiet.block()
    assert quiet.is_settled("bitUSD")
    paid = alice.settle("100 bitUSD")
    assert paid.id == ""
    assert alice.balance("bitUSD") == 0


def test_markets_are_apart() -> None:
    """Each is a chain of its own from the same start, and ends with whoever made it."""
    first, second = pegboard.market(), pegboard.market()
    before = second.state_hash()
    assert first.state_hash() == before
    first.account("alice", core=5)
    first.block()
    assert (second.state_hash(), second.ledger.find_account("alice")) == (before, None)
    assert pegboard.market().state_hash() == before


def test_refusals_are_typed(quiet: Market) -> None:
    """The chain's by rule and value, those of people's numbers by what was written."""
    alice = quiet.account("alice", core=10_000)
    for call, name in REFUSED:
        quiet.notes.clear()
        with pytest.raises(PegboardError) as refused:
            call(quiet, alice)
        assert refused.value.name == name
        assert [note["refused"] for note in quiet.notes] == [name] * len(quiet.notes)
    with pytest.raises(ValidationError, match="no such preset"):
        pegboard.market(preset="mainnet")


REFUSED: list[tuple[Callable[[Market, pegboard.Account], object], str]] = [
    (lambda m, a: a.borrow("100 bitUSD", ratio=1.6), "below_required_ratio"),
    (lambda m, a: a.borrow("100 bitUSD"), "bad_amount"),
    (lambda m, a: a.borrow("100.00001 bitUSD", ratio=2), "bad_amount"),
    (lambda m, a: a.borrow("many bitUSD", ratio=2), "bad_amount"),
    (lambda m, a: a.borrow("100 TEST", ratio=2), "not_market_issued"),
    (lambda m, a: a.borrow("100 bitXYZ", ratio=2), "no_such_object"),
    (lambda m, a: a.sell("1 bitUSD", receive="1 TEST"), "insufficient_balance"),
    (lambda m, a: a.sell("1 TEST", at=2), "not_market_issued"),
    (lambda m, a: a.cancel("never placed"), "nonexist_order"),
    (lambda m, a: a.cancel("1.7.99"), "nonexist_order"),
    (lambda m, a: a.transfer("nobody", "1 TEST"), "no_such_object"),
    (lambda m, a: a.cover("bitUSD"), "no_such_object"),
    (lambda m, a: a.position("TEST"), "not_market_issued"),
    (lambda m, a: m.feed("TEST", 1), "not_market_issued"),
    (lambda m, a: m.hire("no such rule", "x"), "no_such_rule"),
]


@pytest.mark.parametrize(
    ("number", "units"),
    [(0.3, 30), ("30%", 30), ("1,000.5", 100_050), (Decimal("0.10"), 10), (7, 700), (1e3, 100_000)],
)
def test_numbers_are_read_exactly(number: pegboard.Number, units: int) -> None:
    """A float is the decimal that it prints as; nothing is rounded."""
    assert to_units(number, 2) == units


@pytest.mark.parametrize("number", ["", "x", "1..2", "1e3", "--1", float("nan"), float("inf"), "½"])
def test_what_is_no_number_is_refused(number: pegboard.Number) -> None:
    with pytest.raises(BadAmount, match="not a number"):
        exact(number)


CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("borrow"), st.integers(1, 300), st.sampled_from(["1.8", "2.5"])),
        st.tuples(st.just("feed"), st.integers(70, 130), st.just("")),
        st.tuples(st.just("block"), st.integers(1, 3), st.just("")),
        st.tuples(st.just("sell"), st.integers(1, 300), st.sampled_from(["0.1", "0.14"])),
    ),
    max_size=8,
)


def play(calls: list[tuple[str, int, str]], seed: int) -> tuple[str, str]:
    """The state after some calls, refused or not, and an agent that draws; and the scenario."""
    with pegboard.market(seed=seed) as market:
        alice = market.account("alice", core=20_000)
        market.hire("drawing", "drew", core=5_000, holds=["50 bitUSD"])
        for verb, number, more in calls:
            try:
                if verb == "borrow":
                    alice.borrow(f"{number} bitUSD", ratio=more)
                elif verb == "feed":
                    market.feed("bitUSD", price=PRICE * number / 100)
                elif verb == "block":
                    market.block(number)
                else:
                    alice.sell(f"{number} bitUSD", at=more)
            except PegboardError:
                continue
        market.block()
        return market.state_hash(), market.scenario()


@pegboard.rule
def drawing(agent: pegboard.Agent) -> None:
    """Sells as much as it draws."""
    agent.account.sell(f"{agent.random.randrange(1, 9)} bitUSD", at="0.15")


@settings(max_examples=10)
@given(CALLS, st.integers(0, 1 << 32))
def test_one_seed_has_one_course_of_events(calls: list[tuple[str, int, str]], seed: int) -> None:
    """The same calls with the same seed, or the scenario that they leave: one state hash."""
    state_hash, scenario = play(calls, seed)
    assert play(calls, seed) == (state_hash, scenario)
    played = pegboard.play(pegboard.read_scenario(scenario))
    assert played.market.state_hash() == state_hash
    assert played.market.scenario() == scenario


def test_another_seed_draws_otherwise() -> None:
    """What agents draw depends on the seed."""
    assert len({play([("block", 3, "")], seed)[0] for seed in range(3)}) == 3


def test_agents_do_what_their_rules_say(quiet: Market) -> None:
    """A borrower keeps its ratio, sells, and lets an arbitrageur and a settler earn."""
    bob = quiet.hire("borrower", "bob", core=50_000, amount=500, target=2)
    quiet.block()
    assert bob.account.position("bitUSD").ratio == 2
    quiet.feed("bitUSD", fall="15%")
    quiet.block()
    assert bob.account.position("bitUSD").ratio == 2
    quiet.agents.remove(bob)
    quiet.hire("seller", "sam", core=10, holds=["100 bitUSD"])
    quiet.block()
    [bid] = quiet.bids("bitUSD")
    assert bid.owner == "sam"
    quiet.feed("bitUSD", fall="15%")
    arbitrageur = quiet.hire("arbitrageur", "anna", core=5_000)
    quiet.block()
    assert arbitrageur.account.balance("bitUSD") > 0
    assert quiet.bids("bitUSD") == []
    settler = quiet.hire("settler", "sven", core=10, holds=["5 bitUSD"])
    quiet.account("erin", core=10, holds=["5 bitUSD"]).sell("5 bitUSD", at="0.2")
    quiet.agents.remove(arbitrageur)
    quiet.block()
    assert [one.owner for one in quiet.settlements("bitUSD")] == ["sven"]
    assert settler.refusals == {}


def test_a_panic_seller_waits_for_a_fall(quiet: Market) -> None:
    """It takes bids whatever they ask, once the price is a fifth below its highest."""
    quiet.account("erin", core=10, holds=["5 bitUSD"]).sell("5 bitUSD", at="0.05")
    paul = quiet.hire("panic_seller", "paul", core=1_000)
    quiet.block()
    assert paul.account.balance("bitUSD") == 0
    quiet.feed("bitUSD", fall=0.25)
    quiet.block()
    assert paul.account.balance("bitUSD") > Decimal("4.9")


def test_an_agent_s_refusals_are_counted(quiet: Market) -> None:
    """What the chain refuses an agent stops nobody."""
    poor = quiet.hire("borrower", "poor", core=1)
    quiet.block(2)
    assert poor.refusals == {"insufficient_balance": 1}


def test_a_bitasset_of_another_backing_has_no_price_here(quiet: Market) -> None:
    """R1.21: its core exchange rate is nobody's to guess."""
    facts = quiet.ledger.asset("USD")._replace(backing=facts_of(quiet, "EUR"))
    with pytest.raises(NotPossibleHere):
        quiet.quotes.publish(facts, quiet.quotes.said[facts.id])


def facts_of(market: Market, name: str) -> AssetId:
    return market.ledger.asset(name).id


def test_producers_publish_each_a_price_of_its_own() -> None:
    """R1.16: the upper median of what all publish is the feed, and what is kept alive."""
    with pegboard.market(maker=False, witnesses=3) as market:
        assert market.publish("bitUSD", ["0.5", 0.48, "0.58"]) == Decimal("0.5")
        market.travel("2d")
        assert market.price("USD") == Decimal("0.5")
        with pytest.raises(BadAmount, match="one price for each producer") as refused:
            market.publish("USD", [1, 2])
        assert (refused.value.value, refused.value.limit) == (2, 3)
        with pytest.raises(BadAmount, match="positive"):
            market.publish("USD", [1, 0, 2])


def test_strict_release_keeps_collateral_until_debt_is_paid(quiet: Market) -> None:
    """R3.6: the letter of the description, and the rule of today."""
    strict = pegboard.market(maker=False, strict_release=True)
    for market in (quiet, strict):
        market.account("alice", core=10_000).borrow("100 USD", ratio=4)
    quiet.find("alice").adjust("USD", collateral="-100 TEST")
    with pytest.raises(PegboardError, match="only as debt is paid back"):
        strict.find("alice").adjust("USD", collateral="-100 TEST")
    strict.find("alice").adjust("USD", debt="-1 USD", collateral="-100 TEST")
