"""The words of a market on a node behind a URL: the same as in this process, with signatures."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
import trio

import pegboard
from node.cli.client import CallRefused, NodeClient
from node.cli.exits import NodeUnreachable
from node.cli.playing import market_at
from node.cli.remote_chain import RemoteChain
from node.cli.remote_ledger import DeskKeys, RemoteLedger
from node.presets import development_key
from pegboard import Market
from pegboard.client import connect, connect_trio
from pegboard.ledger import NotPossibleHere
from pegboard.lessons import Session, load_language
from pegboard.lessons.session import SEED
from protocol.crypto.keys import wif
from protocol.errors import KeyFormatError, PegboardError
from tests.support.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A node in this process that makes a block for every transaction."""
    return Desk(monkeypatch, capsys)


def walk(m: Market) -> list[object]:
    """What there is to see along a walk through all words."""
    seen: list[object] = []
    m.feed("bitUSD", "0.1", mcr=1.75, msqr=1.1)
    zoe = m.account("zoe", core=10_000)
    yan = m.account("yan", core=10_000, holds=["500 bitUSD"])
    seen += [zoe.borrow("100 bitUSD", ratio=1.9, target=2), m.price("bitUSD"), m.supply("bitUSD")]
    zoe.transfer(yan, "1 bitUSD")
    bid = yan.sell("300 bitUSD", at="0.08", name="bid")
    seen += [bid.price, bid.for_sale, [one.for_sale for one in m.bids("bitUSD")], m.asks("bitUSD")]
    seen += [yan.buy("5 bitUSD", give="10 TEST").for_sale, len(yan.orders())]
    seen.append(zoe.position("bitUSD").explain())
    foreseen = m.shock("bitUSD", fall="18%")
    seen += [foreseen, m.shock("bitUSD", rise="5%", take_bids=1)]
    owed = zoe.position("bitUSD").debt
    m.feed("bitUSD", fall="18%")
    m.block()
    assert zoe.position("bitUSD").explain().reasons[0].rule.startswith("R")
    assert foreseen.covered == owed - zoe.position("bitUSD").debt > 0
    seen += [zoe.position("bitUSD"), [one.debt for one in m.positions("bitUSD")]]
    yan.cancel("bid")
    seen.append(yan.settle("20 bitUSD").amount)
    seen.append([one.amount for one in m.settlements("bitUSD")])
    m.travel("2m")
    seen += [m.settlements("bitUSD"), yan.balance("bitUSD"), zoe.adjust("bitUSD", ratio=4)]
    seen += [m.is_settled("bitUSD"), len(m.state_hash())]
    return seen


def test_a_node_says_the_same_as_a_market_in_this_process(desk: Desk) -> None:
    """One walk through all words on both, to the smallest unit."""
    here, there = pegboard.market(maker=False), connect("http://desk:1")
    assert walk(there) == walk(here)
    assert [note["do"] for note in there.notes] == [note["do"] for note in here.notes]


def test_refusals_keep_their_names(desk: Desk) -> None:
    """The same names and rules as in this process; the keys that are missing are named."""
    m = connect("http://desk:1")
    m.feed("bitUSD", "0.1")
    zoe = m.account("zoe", core=1_000)
    for call, name in REFUSED:
        with pytest.raises(PegboardError) as refused:
            call(m, zoe)
        assert refused.value.name == name
    with pytest.raises(CallRefused) as chain:
        zoe.borrow("1 bitUSD", ratio=1.7)
    assert chain.value.rule == "R3.4b"
    for url in ("nowhere", "ftp://host"):
        with pytest.raises(NodeUnreachable):
            connect(url)
    with pytest.raises(KeyFormatError):
        connect("http://desk:1", keys=["5K"])


REFUSED: list[tuple[Callable[[Market, pegboard.Account], object], str]] = [
    (lambda m, a: a.borrow("1 bitXYZ", ratio=2), "no_such_name"),
    (lambda m, a: a.borrow("1 TEST", ratio=2), "not_market_issued"),
    (lambda m, a: a.transfer("nobody", "1 TEST"), "no_such_object"),
    (lambda m, a: a.sell("1 bitUSD", receive="1 TEST"), "insufficient_balance"),
    (lambda m, a: a.cancel("1.7.99"), "nonexist_order"),
]


def test_given_keys_sign(desk: Desk) -> None:
    """WIF of whom nobody has named, for one's own networks."""
    m = connect("http://desk:1", keys=[wif(development_key("alice", "active"))])
    m.feed("bitUSD", "0.1")
    assert m.find("alice").borrow("1 bitUSD", ratio=3).debt == 1


def test_a_network_s_time_is_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where blocks come by the clock nobody travels; a chain on demand takes no transaction."""
    chain = RemoteChain(NodeClient("http://desk:1"))
    m = Market(RemoteLedger(chain, DeskKeys()))
    info = chain.info()
    monkeypatch.setitem(info, "is_development", False)
    with pytest.raises(NotPossibleHere):
        m.travel("1d")
    monkeypatch.setitem(info, "block_mode", "manual")
    with pytest.raises(NotPossibleHere, match="on demand"):
        m.account("zoe", core=1)


def test_trio_has_the_same_words(desk: Desk) -> None:
    """Awaited, each in a thread; refusals come through."""

    async def main() -> None:
        m = connect_trio("http://desk:1")
        await m.feed("bitUSD", "0.1")
        zoe = await m.account("zoe", core=1_000)
        position = await zoe.borrow("10 bitUSD", ratio=2)
        assert position.debt == 10
        assert await zoe.balance("bitUSD") == Decimal(10)
        assert [one.owner for one in await m.positions("bitUSD")] == ["zoe"]
        with pytest.raises(PegboardError):
            await zoe.sell("11 bitUSD", receive="1 TEST")
        num = m.used.ledger.head().num
        abe, zoe_again = await m.accounts(["abe", "zoe"], core=2_000, holds=["1 bitUSD"])
        assert m.used.ledger.head().num == num + 2, "a block to make them, and one to give"
        assert await abe.balance("bitUSD") == 1
        assert await zoe_again.balance("bitUSD") == 10
        assert await (await m.find("abe")).balance("TEST") == 2_000
        assert await m.borrowed() == ["bitUSD"]

    trio.run(main)


def test_the_whole_lesson_is_played_on_a_node(desk: Desk) -> None:
    """Every answer is the network's, on a BitAsset of its own, and as in this process."""
    network = market_at("http://desk:1", SEED)
    session = Session("short-selling", load_language("en"), network=network)
    here = Session("short-selling", load_language("en"))
    assert "signed transactions" in session.intro
    while session.question is not None:
        network.block()
        assert session.answer("").number == here.answer("").number
    assert here.question is None
    assert network.ledger.asset("USD").display == "bitUSD1"
    assert [one.number for one in session.judged] == [one.number for one in here.judged]
    assert network.ledger.asset("bitEUR").display == "bitEUR"
