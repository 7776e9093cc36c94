"""Agents: accounts that act before each block by a rule, and the rules that come with pegboard.

A rule is a function of its agent. It looks at the market, and borrows, sells, buys or settles; what
it draws it takes from `Agent.random`, so that one seed gives one course of events. `rule` adds one:

    @pegboard.rule
    def hoarder(agent: pegboard.Agent) -> None:
        agent.account.buy("10 bitUSD", at=agent.market.price("bitUSD"))

    m.hire("hoarder", "harry", core=1_000)

What the chain refuses an agent is counted and goes no further.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from pegboard.amounts import Number, exact, to_decimal
from protocol.errors import PegboardError

if TYPE_CHECKING:
    from pegboard.account import Account
    from pegboard.vocabulary import Market

MAKER_RATIO = 10
"""At which a market maker borrows what it bids with."""
MAKER_RATIO_MIN = 5
"""Below it, a market maker adds collateral."""


@dataclass(slots=True)
class Agent:
    """An account, its rule, and what it remembers."""

    market: Market
    account: Account
    rule: Rule
    options: Mapping[str, Number]
    random: Random
    """Seeded by the market's seed and the account's name."""
    memory: dict[str, object] = field(default_factory=dict)
    """For the rule, from block to block."""
    refusals: Counter[str] = field(default_factory=Counter)
    """How often the chain refused it something, by the name of the refusal."""

    def act(self) -> None:
        """Follow the rule once."""
        try:
            self.rule(self)
        except PegboardError as error:
            self.refusals[error.name] += 1

    def number(self, name: str, default: Number) -> Decimal:
        """An option as a decimal."""
        return _decimal(self.options.get(name, default))

    def text(self, name: str, default: str) -> str:
        """An option as text."""
        return str(self.options.get(name, default))


class NoSuchRule(PegboardError):
    """A rule of agents that nobody has added."""

    name = "no_such_rule"


Rule: TypeAlias = Callable[[Agent], None]
RULES: dict[str, Rule] = {}
"""The rules that a scenario can name."""


def rule(function: Rule) -> Rule:
    """Let scenarios and `Market.hire` know a rule by the name of its function."""
    RULES[function.__name__] = function
    return function


def find_rule(name: str) -> Rule:
    """A rule by its name; raises `NoSuchRule`."""
    if name not in RULES:
        raise NoSuchRule("no such rule of agents", value=name, limit=", ".join(RULES))
    return RULES[name]


@rule
def maker(agent: Agent) -> None:
    """Bids below and asks above the feed, as deep as what others owe, or `depth` whole BitAsset.

    `asset` is one BitAsset, else all that somebody owes; `spread` the distance to the feed, 1 %.
    """
    wanted = agent.text("asset", "")
    for name in [wanted] if wanted else agent.market.borrowed():
        _quote(agent, name)


def _quote(agent: Agent, name: str) -> None:
    """Quote anew where the price, the debts, or what is left of the quotes have changed."""
    market, account = agent.market, agent.account
    if market.is_settled(name):
        return
    facts, _ = market.reader.bitasset(name)
    if "depth" in agent.options:
        depth = agent.number("depth", 0)
    else:
        others = (one.debt for one in market.positions(name) if one.owner != account.name)
        depth = sum(others, Decimal(0))
    price, spread = market.price(name), agent.number("spread", "1%")
    mine = [one for one in account.orders() if facts.display in (one.sells, one.wants)]
    seen = (price, depth, [(one.id, one.for_sale) for one in mine])
    if agent.memory.get(name) == seen:
        return
    for order in mine:
        account.cancel(order)
    position = account.position(name)
    if position.ratio is not None and position.ratio < MAKER_RATIO_MIN:
        account.adjust(name, ratio=MAKER_RATIO)
    lack = depth - account.balance(name)
    if lack > 0:
        account.borrow(f"{lack:f} {name}", ratio=MAKER_RATIO)
    if depth > 0:
        bid = account.sell(f"{depth:f} {name}", at=_rounded(price * (1 - spread)))
        ask = account.buy(f"{depth:f} {name}", at=_rounded(price * (1 + spread)))
        made = [(one.id, one.for_sale) for one in (bid, ask) if not one.filled]
        agent.memory[name] = (price, depth, made)


@rule
def borrower(agent: Agent) -> None:
    """Owes `amount` of `asset` at a `target` ratio, 2; back to it whenever it is `band` below, 0.2.

    A position that was called or settled away is opened anew only with `again`.
    """
    name, target = agent.text("asset", "bitUSD"), agent.number("target", 2)
    position = agent.account.position(name)
    if position.closed:
        if "opened" not in agent.memory or agent.number("again", 0):
            agent.memory["opened"] = True
            agent.account.borrow(f"{agent.number('amount', 100):f} {name}", ratio=target)
    elif position.ratio is not None and position.ratio < target - agent.number("band", "0.2"):
        agent.account.adjust(name, ratio=target)


@rule
def seller(agent: Agent) -> None:
    """Sells all that it holds of `asset` at the feed, once it holds any, as borrowers do (R3.9)."""
    name = agent.text("asset", "bitUSD")
    held = agent.account.balance(name)
    if held > 0:
        agent.account.sell(f"{held:f} {name}", at=_rounded(agent.market.price(name)))


@rule
def panic_seller(agent: Agent) -> None:
    """Gives its core for `asset` at any price once the feed is `fall` below its highest, 20 %."""
    name, price = agent.text("asset", "bitUSD"), agent.market.price(agent.text("asset", "bitUSD"))
    highest = max(price, Decimal(str(agent.memory.get("highest", price))))
    agent.memory["highest"] = highest
    bids = agent.market.bids(name)
    if not bids or price > highest * (1 - agent.number("fall", "20%")):
        return
    keeps = agent.number("keeps", 10)
    budget = agent.account.balance(bids[0].wants) - keeps
    amount = min(bids[0].for_sale, _rounded(budget * bids[0].price, 4))
    if budget > 0 and amount > 0:
        agent.account.buy(f"{amount:f} {name}", at=_rounded(bids[0].price))


@rule
def arbitrageur(agent: Agent) -> None:
    """Takes the best offer that is `edge` better than the feed, 1 %, as far as its money goes."""
    name, edge = agent.text("asset", "bitUSD"), agent.number("edge", "1%")
    price, account = agent.market.price(name), agent.account
    bids, asks = agent.market.bids(name), agent.market.asks(name)
    if bids and bids[0].owner != account.name and bids[0].price > price * (1 + edge):
        money = account.balance(bids[0].wants) - agent.number("keeps", 10)
        amount = min(bids[0].for_sale, _rounded(money * bids[0].price, 4))
        if amount > 0:
            account.buy(f"{amount:f} {name}", at=bids[0].price)
    elif asks and asks[0].owner != account.name and asks[0].price < price * (1 - edge):
        amount = min(account.balance(name), _rounded(asks[0].for_sale * asks[0].price, 4))
        if amount > 0:
            account.sell(f"{amount:f} {name}", at=asks[0].price)


@rule
def settler(agent: Agent) -> None:
    """Settles a `share` of its `asset`, all, when the highest bid is `discount` below par, 1 %."""
    name = agent.text("asset", "bitUSD")
    bids, held = agent.market.bids(name), _part(agent, name, agent.number("share", 1))
    limit = agent.market.price(name) * (1 + agent.number("discount", "1%"))
    if held > 0 and bids and bids[0].price > limit:
        agent.account.settle(f"{held:f} {name}")


@rule
def payer(agent: Agent) -> None:
    """Sends up to a `share`, 10 %, of its `asset`, or core, to one of the other agents.

    Of core it `keeps` something for fees, 1.
    """
    others = [one.account for one in agent.market.agents if one is not agent]
    core = agent.market.core
    name = agent.text("asset", core)
    keeps = agent.number("keeps", 1) if name == core else Decimal(0)
    amount = _part(agent, name, agent.number("share", "10%") * _drawn(agent, 0, 1), keeps)
    if others and amount > 0:
        agent.account.transfer(agent.random.choice(others), f"{amount:f} {name}")


@rule
def speculator(agent: Agent) -> None:
    """Borrows up to `amount` of `asset` more, 10, at a ratio between `least` and `most`, 1.6 and 4;
    once in eight times it covers all."""
    name = agent.text("asset", "bitUSD")
    if agent.random.randrange(8) == 0 and not agent.account.position(name).closed:
        agent.account.cover(name)
        return
    debt = _rounded(_drawn(agent, 0, agent.number("amount", 10)), 4)
    ratio = _rounded(_drawn(agent, agent.number("least", "1.6"), agent.number("most", 4)), 3)
    agent.account.adjust(name, debt=f"{debt:f} {name}", ratio=ratio)


@rule
def trader(agent: Agent) -> None:
    """Sells or buys up to `amount` of `asset`, 5, at most `spread` off the feed, 15 %.

    Its orders last up to ten minutes; once in eight times it cancels one instead.
    """
    name, account = agent.text("asset", "bitUSD"), agent.account
    if agent.random.randrange(8) == 0 and (orders := account.orders()):
        account.cancel(agent.random.choice(orders))
        return
    amount = _rounded(_drawn(agent, 0, agent.number("amount", 5)), 4)
    spread = agent.number("spread", "15%")
    price = _rounded(agent.market.price(name) * (1 + _drawn(agent, -spread, spread)))
    offer = account.sell if agent.random.randrange(2) else account.buy
    offer(f"{amount:f} {name}", at=price, expires_in=f"{agent.random.randrange(10, 600)}s")


@rule
def reviver(agent: Agent) -> None:
    """Bids up to `collateral`, 100, for debt of `asset` once that is settled as a whole."""
    name = agent.text("asset", "bitUSD")
    if not agent.market.is_settled(name):
        return
    collateral = _rounded(_drawn(agent, 0, agent.number("collateral", 100)), 4)
    debt = _rounded(_drawn(agent, 0, agent.number("amount", 5)), 4)
    agent.account.bid_collateral(f"{collateral:f} {agent.market.core}", debt=f"{debt:f} {name}")


def _part(agent: Agent, name: str, share: Decimal, keeps: Decimal = Decimal(0)) -> Decimal:
    """A share of what an agent holds beyond what it keeps, in whole smallest units."""
    held = agent.account.balance(name)
    return (max(held - keeps, Decimal(0)) * share).quantize(held, ROUND_DOWN)


def _drawn(agent: Agent, low: Number, high: Number) -> Decimal:
    """A number that is drawn evenly between two, in thousandths of their distance."""
    first, last = _decimal(low), _decimal(high)
    return first + (last - first) * agent.random.randrange(1, 1_001) / 1_000


@lru_cache(1_024)
def _decimal(number: Number) -> Decimal:
    value = exact(number)
    return Decimal(value.numerator) / Decimal(value.denominator)


def _rounded(number: Decimal, places: int = 12) -> Decimal:
    """A number cut to so many places."""
    value = exact(number) * 10**places
    return to_decimal(int(value), places)
