"""Markets by chance, for what explanations foretell of them."""

from __future__ import annotations

from random import Random

from node.state.objects.market import CallOrder
from tests.support.market import Market, make_market

WHALE_DEBT = 10**6


def random_market(
    seed: int, trigger: int, response: int = 0, *, match: bool = False
) -> tuple[Market, list[CallOrder]]:
    """Positions, bids and options by chance; the feed is 1 USD per 10 CORE, and nothing has run."""
    chance = Random(seed)
    count = chance.randint(1, 4)
    market = make_market(count, core=10**8, trigger=trigger, whale_debt=WHALE_DEBT)
    market.state.chain.settle_match = match
    market.set_options(black_swan_response_method=response)
    mcr, mssr = chance.choice([(1750, 1500), (1750, 1100), (1400, 1400), (1200, 1500)])
    has_targets = mcr >= mssr and chance.random() < 0.5
    market.feed(1, 10, mcr=mcr, mssr=mssr)
    market.set_options(
        force_settlement_offset_percent=chance.choice([0, 100, 500]),
        maximum_force_settlement_volume=chance.choice([1, 5, 10_000]),
    )
    if chance.random() < 0.5:
        market.set_options(margin_call_fee_ratio=chance.choice([20, 150, 900]))
    positions = []
    for who in range(count):
        debt = chance.choice([7, 100, 333, 1_000])
        target = chance.choice([None, 1_800, 2_500]) if has_targets else None
        ratio = chance.randint(90, 350)
        positions.append(market.position(who, debt, debt * ratio // 10, tcr=target))
    for _ in range(chance.randint(0, 4)):
        usd = chance.choice([3, 50, 400, 1_000])
        market.bid(usd, usd * chance.randint(40, 230) // 10 or 1)
    for _ in range(chance.randint(0, 3)):
        market.request(market.whale, chance.choice([5, 90, 700]))
    return market, positions
