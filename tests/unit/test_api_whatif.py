"""`pegboard.simulate` and `pegboard.shock` as clients see them, and the queue of long work."""

from __future__ import annotations

import pytest

from node.api import aside
from node.api.aside import Aside
from node.api.call import Later
from node.api.errors import NotPossible, TooSlow
from node.api.json_text import write_json
from node.api.methods import whatif
from node.api.whatif_views import written_within
from protocol.asset import NO_FEE
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCreate
from tests.support.api import ChainBackend, Client, Json
from tests.support.chain import TestChain


@pytest.fixture
def backend() -> ChainBackend:
    """Alice and carol owe 1,000 USD units each at 10 CORE; carol bids 400 of hers."""
    chain = TestChain("alice", "bob", "carol")
    backend = ChainBackend(chain)
    backend.produce(*chain.feed("USD", 1, 10))
    for name, collateral in (("alice", 18_000), ("carol", 40_000)):
        debt = chain.amount(1_000, "USD")
        backend.produce(
            CallOrderUpdate(NO_FEE, chain.account(name), chain.amount(collateral), debt)
        )
    sold, wanted = chain.amount(400, "USD"), chain.amount(6_400)
    backend.produce(LimitOrderCreate(NO_FEE, chain.account("carol"), sold, wanted))
    return backend


def ask(backend: ChainBackend, method: str, *arguments: Json) -> Json:
    before = backend.chain.state_hash()
    found = Client(backend).call(method, *arguments, api="pegboard")
    assert backend.chain.state_hash() == before
    return found


def transfer(backend: ChainBackend, amount: int) -> Json:
    """An unfinished operation of a client: no fee, no memo."""
    alice, bob = ("1.2." + str(backend.test_chain.account(name)) for name in ("alice", "bob"))
    return [0, {"from": alice, "to": bob, "amount": {"amount": amount, "asset_id": "1.3.0"}}]


def test_a_shock_tells_who_is_called_in_which_order(backend: ChainBackend) -> None:
    """R4.2: the market before and after, each call, what it leaves, and the worst holder."""
    (found,) = ask(backend, "shock", "USD", [{"feed_change": -2_000}])["shocks"]
    assert (found["called"], found["call_count"], found["stopped"]) == (1, 1, None)
    assert found["debt_covered"] == {"amount": 400, "asset_id": "1.3.1"}
    assert found["collateral_paid"] == {"amount": 6_400, "asset_id": "1.3.0"}
    assert found["global_settlement"] is None
    (call,) = found["calls"]
    assert (call["account_name"], call["is_closed"]) == ("alice", False)
    assert call["debt_after"]["amount"] == 600
    assert found["before"]["supply"]["amount"] == 2_000
    assert found["after"]["supply"]["amount"] == 1_600
    assert found["after"]["worst_redemption"]["for_one"]["amount"] == 1_250_000
    assert found["after"]["below_maintenance"] == 1
    assert ask(backend, "shock", "USD", [{"feed_change": -2_000}], 0)["shocks"][0]["calls"] == []


def test_each_shock_begins_where_the_chain_is(backend: ChainBackend) -> None:
    """Without the bid nobody is called; a far deeper fall is a black swan (R6.1)."""
    shocks = [{"feed_change": -1_500, "take_bids": 10_000}, {"feed_change": -7_000}, {}]
    alone, swan, nothing = ask(backend, "shock", "USD", shocks)["shocks"]
    assert (alone["called"], alone["after"]["highest_bid"]) == (0, None)
    assert swan["global_settlement"]["event"] == "global_settlement"
    assert swan["after"]["worst_redemption"]["from_fund"] is True
    assert nothing["before"] == nothing["after"]


def test_a_simulation_tells_the_difference(backend: ChainBackend) -> None:
    """Each object before and after, operations and events in their order, a refusal with its rule;
    a relative time counts from the head."""
    steps = [
        {"operations": [transfer(backend, 7)]},
        {"operations": [transfer(backend, 10**15)]},
        {"blocks": 2},
        {"time": "+1h"},
    ]
    found = ask(backend, "simulate", steps)
    assert found["counts"]["blocks"] == len(found["blocks"]) == 3
    assert [one["before"]["amount"] for one in found["balances"]] == ["9999982000", "10000000000"]
    assert int(found["balances"][1]["after"]["amount"]) == 10**10 + 7
    (refusal,) = found["refusals"]
    assert (refusal["step"], refusal["name"]) == (1, "insufficient_balance")
    assert refusal["rule"]
    assert [one["op"][0] for one in found["operations"]] == [0]


def test_lists_are_cut_and_say_how_much_there_is(backend: ChainBackend) -> None:
    """T-A2: an answer that comes late fits an outbox, whatever it was asked for."""
    steps = [{"operations": [transfer(backend, 7)]}] * 5
    found = ask(backend, "simulate", steps, 2)
    assert found["counts"]["operations"] == 5
    assert len(found["operations"]) == 2
    text = written_within(lambda items: ["x" * 1_000] * items, 1_000)
    assert len(text) == len(write_json(["x" * 1_000] * 500))


@pytest.mark.parametrize("step", [{}, {"blocks": 0}, {"blocks": 1, "time": "+1h"}])
def test_a_step_is_one_thing(backend: ChainBackend, step: Json) -> None:
    """What cannot be done is refused before anything is tried."""
    assert Client(backend).refuse("simulate", [step], api="pegboard")["code"] < 0


def test_limits_of_what_one_call_asks(backend: ChainBackend) -> None:
    """T-A2: steps, operations, shocks and items."""
    client = Client(backend)
    many = {"operations": [transfer(backend, 1)] * 501}
    for method, arguments in (
        ("simulate", [[{"blocks": 1}] * (whatif.STEPS_MAX + 1)]),
        ("simulate", [[], whatif.ITEMS_MAX + 1]),
        ("simulate", [[many, many]]),
        ("shock", ["USD", [{}] * (whatif.SHOCKS_MAX + 1)]),
        ("shock", ["USD", [{"feed_change": -10_000}]]),
    ):
        assert client.refuse(method, *arguments, api="pegboard")["data"]["limit"] is not None
    found = ask(backend, "simulate", [{"blocks": 4_000_000_000}])
    assert found["stopped"] == {"what": "blocks", "limit": 1_000, "rule": "T-A2"}


def test_connections_have_their_turns(
    backend: ChainBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-A2: who asks for much waits behind who asks for little; what waits is bounded."""
    monkeypatch.setattr(aside, "WAITING_OF_ONE_MAX", 3)
    monkeypatch.setattr(aside, "WAITING_MAX", 4)
    queue, woken = Aside(), []
    queue.wake = lambda: woken.append(True)
    greedy, modest, late = (Client(backend).session for _ in range(3))
    for _ in range(3):
        assert isinstance(queue.ask(greedy, lambda guard: b"1"), Later)
    with pytest.raises(NotPossible):
        queue.ask(greedy, lambda guard: b"1")
    queue.ask(modest, lambda guard: b"2")
    with pytest.raises(NotPossible):
        queue.ask(late, lambda guard: b"3")
    order = []
    while (job := queue.take()) is not None:
        order.append(job.session)
    assert order == [greedy, modest, greedy, greedy]
    assert len(woken) == 4


def test_nobody_waits_for_what_was_given_up(backend: ChainBackend) -> None:
    """A connection that is gone has its children ended, and its jobs are never begun."""
    queue, killed = Aside(), []
    queue.wake = lambda: None
    session = Client(backend).session
    running, waiting = (queue.ask(session, lambda guard: b"1") for _ in range(2))
    job = queue.take()
    assert job is not None
    job.abandon = lambda: killed.append(True)
    queue.give_up(session, TooSlow("too slow"))
    assert killed == [True]
    assert len(queue) == 0
    for later in (running, waiting):
        assert isinstance(later, Later)
        assert isinstance(later.outcomes[0], TooSlow)
    queue.done(job)
    queue.close(session)
    assert killed == [True]
