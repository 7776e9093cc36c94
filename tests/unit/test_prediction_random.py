"""What the second opinion foretells of random markets is what the chain then comes to.

Positions, bids, requests and feeds by chance, with settlement matching and without it: every
balance, position and order after every step (R4.2, R4.5, R5.5, SM3, SM4).
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from functools import cache
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import pegboard
from node.presets import build_genesis
from pegboard.development_chain import DevelopmentChain, find_preset
from pegboard.ledger import NotPossibleHere
from pegboard.local_ledger import LocalLedger
from protocol.constants import HUNDRED_PERCENT
from protocol.genesis_form import Genesis
from protocol.msgpack_form import Plain

PEOPLE = ("bob", "carol", "erin")
SYMBOL = "bitUSD"
MSQR = "1.5"


@cache
def prepared(*, settle_match: bool, pay_mcop: bool) -> tuple[Genesis, Plain]:
    """A genesis whose BitAssets are settled as a whole, and its chain with people and a feed."""
    genesis = build_genesis(find_preset("testnet"))
    section = genesis.pegboard
    assert section is not None
    assets = tuple(
        replace(
            asset,
            bitasset_options=asset.bitasset_options
            and replace(asset.bitasset_options, maximum_force_settlement_volume=HUNDRED_PERCENT),
        )
        for asset in section.assets or ()
    )
    section = replace(section, assets=assets, settle_match=settle_match, pay_mcop=pay_mcop)
    genesis = replace(genesis, pegboard=section)
    chain = DevelopmentChain(genesis, {})
    market = pegboard.Market(LocalLedger(chain))
    market.feed(SYMBOL, "0.1", msqr=MSQR)
    for name in PEOPLE:
        market.account(name, core=10_000)
    market.block()
    return genesis, chain.chain.dump()


def act(market: pegboard.Market, chance: Random) -> None:
    """One thing that somebody does, as far as it is possible."""
    account = market.find(chance.choice(PEOPLE))
    held = account.balance(SYMBOL)
    part = f"{held * chance.choice([1, 4, 10]) / 10:.4f} bitUSD"
    match chance.randrange(6):
        case 0 | 1:
            if account.position(SYMBOL).closed:
                amount = chance.choice(["0.0007", "10", "33.3333"])
                account.borrow(f"{amount} bitUSD", ratio=chance.choice(["1.8", "2", "2.6"]))
        case 2 if held >= 1:
            account.sell(part, at=chance.choice(["0.06", "0.064", "0.075", "0.09", "0.12"]))
        case 3 if held >= 1:
            account.settle(part)
        case 4:
            market.feed(SYMBOL, chance.choice(["0.1", "0.085", "0.075", "0.068"]), msqr=MSQR)
        case _:
            market.travel(chance.choice(["10m", "25h"]))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**9), st.booleans(), st.booleans())
def test_what_is_foretold_happens(seed: int, settle_match: bool, pay_mcop: bool) -> None:
    """SM3, SM4, R4.2, R4.5, R5.5, BS10: after each step the chain says what was foretold, until a
    BitAsset is settled as a whole, of which nothing is foretold."""
    chance = Random(seed)
    genesis, snapshot = prepared(settle_match=settle_match, pay_mcop=pay_mcop)
    market = pegboard.Market(LocalLedger(DevelopmentChain(genesis, {}, snapshot=snapshot)))
    market.feed(SYMBOL, "0.1", msqr=MSQR)
    market.block()
    prediction = market.predict(SYMBOL, PEOPLE)
    with suppress(NotPossibleHere):
        for _ in range(14):
            act(market, chance)
            if chance.random() < 0.6:
                market.block()
            compared = prediction.compare()
            assert compared.outcomes
            assert compared.wrong == []
        return
    assert market.is_settled(SYMBOL)


def test_a_call_takes_a_request_where_no_bid_will_do() -> None:
    """SM3, SM4: once the feed has fallen, bob pays 15 core for each of erin's 10 bitUSD, due or
    not; without matching the request waits."""
    for settle_match in (True, False):
        genesis, snapshot = prepared(settle_match=settle_match, pay_mcop=False)
        market = pegboard.Market(LocalLedger(DevelopmentChain(genesis, {}, snapshot=snapshot)))
        bob, erin = market.find("bob"), market.find("erin")
        prediction = market.predict(SYMBOL, PEOPLE)
        bob.borrow("30 bitUSD", ratio="1.8")
        bob.transfer(erin, "10 bitUSD")
        erin.settle("10 bitUSD")
        market.block()
        assert prediction.compare().wrong == []
        before = erin.balance("TEST")
        market.feed(SYMBOL, "0.095", msqr=MSQR)
        market.block()
        assert prediction.compare().wrong == []
        gained = erin.balance("TEST") - before
        assert gained == (Decimal("157.89473") if settle_match else 0)
