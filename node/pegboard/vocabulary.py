"""The words of a market: accounts, positions, orders, prices and time, as people say them.

The same words work on a chain in this process and on a node behind a URL; the `Ledger` is what
differs. Each call is noted, so that what was done can be written down as a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, cast

from node.shipped import find_file
from pegboard.account import Account
from pegboard.agents import Agent, Rule, find_rule
from pegboard.amounts import BadAmount, Number, exact, quotient, to_thousandths
from pegboard.faucet import FAUCET, Faucet
from pegboard.ledger import AssetFacts, Ledger
from pegboard.prediction import Compared, Prediction
from pegboard.quotes import Quote, Quotes
from pegboard.reader import Reader
from pegboard.scenario import scenario_text
from pegboard.series import Series, Shock, read_source
from pegboard.views import Order, Position, Settlement, Shocked
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET, HUNDRED_PERCENT, MAX_SUPPLY
from protocol.durations import parse_duration
from protocol.errors import PegboardError
from protocol.ids import AccountId
from protocol.operations.asset import NEW_ASSET, AssetCreate
from protocol.operations.asset_options import ENABLE_BITS_MASK, WITNESS_FED_ASSET, AssetOptions
from protocol.operations.bitasset import AssetUpdateFeedProducers
from protocol.operations.bitasset_options import BitassetOptions

Note = dict[str, object]
"""A call as a step of a scenario has it: what to do, with what, and how it was refused."""


class Market:
    """A market and its time. With one seed, the same calls give the same chain, bit for bit."""

    def __init__(
        self, ledger: Ledger, *, seed: int = 0, options: Mapping[str, object] | None = None
    ) -> None:
        """`seed` is that of `random`, and of the agents and walks of a scenario; `options` are what
        its chain was made with, as a scenario has it."""
        self.ledger = ledger
        self.seed = seed
        self.options = dict(options or {})
        self.random = Random(seed)
        """For what a test or an agent draws."""
        self.notes: list[Note] = []
        """All calls so far that were to change something, oldest first."""
        self.agents: list[Agent] = []
        """Who acts before each block, in this order."""
        self.quotes = Quotes(ledger)
        self.reader: Reader = Reader(ledger)
        self._faucet = Faucet(ledger, self.reader)
        self.folder = Path()
        """Where files of prices are looked for first."""
        self.files: Mapping[str, str] = {}
        """Texts of files that need not be looked for."""
        self._made = 0
        self._followed: dict[AssetFacts, Series] = {}
        self._order_ids: dict[str, str] = {}
        self._predictions: list[Prediction] = []

    def __enter__(self) -> Self:
        """The market itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell whoever sees an error how to have it again."""
        if error is not None:
            error.add_note(f"pegboard: seed {self.seed}, after {len(self.notes)} calls")

    # People.

    def account(
        self, name: str, *, core: Number | None = None, holds: Sequence[str] = ()
    ) -> Account:
        """An account by its name, made if there is none; its keys are development keys.

        The faucet gives what it lacks of `core` whole tokens, and of each amount that it `holds`,
        such as "500 bitUSD", which the faucet borrows. Raises `BadAmount`, `TransactionRejected`.
        """
        with self.noted("account", name=name, core=core, holds=list(holds) or None):
            [found] = self._faucet.endow([name], core, holds)
            return Account(self, name, found)

    def accounts(
        self, names: Sequence[str], *, core: Number | None = None, holds: Sequence[str] = ()
    ) -> list[Account]:
        """Several accounts, each as by `account`, in as few transactions as their size allows.

        On a network a dozen take no longer than one. What is refused takes back its own transaction
        and leaves out those that would follow.
        """
        with self.noted("accounts", names=list(names), core=core, holds=list(holds) or None):
            found = self._faucet.endow(names, core, holds)
            return [Account(self, *one) for one in zip(names, found, strict=True)]

    def find(self, name: str) -> Account:
        """An account that there is; raises `NoSuchObject`."""
        return Account(self, name, self._faucet.account(name))

    def hire(
        self,
        rule: str | Rule,
        name: str,
        *,
        core: Number | None = None,
        holds: Sequence[str] = (),
        **options: Number,
    ) -> Agent:
        """An account that acts by a rule before each block from now on; see `pegboard.agents`.

        Raises like `account`, and `NoSuchRule` for a name of none.
        """
        function = find_rule(rule) if isinstance(rule, str) else rule
        asked = {"rule": function.__name__, "name": name, "core": core}
        with self.noted("hire", **asked, holds=list(holds) or None, options=options or None):
            with self._unnoted():
                account = self.account(name, core=core, holds=holds)
            agent = Agent(self, account, function, options, Random(f"{self.seed}/{name}"))
            self.agents.append(agent)
            return agent

    # BitAssets, and what is foretold of them.

    def bitasset(
        self,
        symbol: str,
        *,
        precision: int = 4,
        settlement_delay: str | None = None,
        producers: Sequence[str] = (),
    ) -> str:
        """Make a BitAsset that the core token backs and all producers price; what people read.

        Those accounts price it whose names are given as `producers` (R1.13). All of it may be
        settled at once, at the feed, after a delay, or as soon as the chain lets it (R1.12). On a
        network its symbol ends with a number, but is found here without. Raises `DecodeError`,
        `NoSuchObject`, `TransactionRejected`.
        """
        asked = {"symbol": symbol, "precision": precision, "settlement_delay": settlement_delay}
        with self.noted("bitasset", **asked, producers=list(producers) or None):
            pricing = tuple(sorted(self.find(name).id for name in producers))
            shortest_s = self.ledger.block_interval_s() + 1
            wanted_s = None if settlement_delay is None else parse_duration(settlement_delay)
            issuer, own = self.find(FAUCET).id, self.ledger.own_symbol(symbol)
            delay_s = shortest_s if wanted_s is None else wanted_s
            self.ledger.send(
                _create_bitasset(issuer, own, precision, delay_s, is_witness_fed=not pricing)
            )
            facts = self.ledger.asset(symbol)
            if pricing:
                self.ledger.send(AssetUpdateFeedProducers(NO_FEE, issuer, facts.id, pricing))
            return facts.display

    def predict(self, asset: str, accounts: Sequence[str]) -> Prediction:
        """Foretell from now on what accounts come to in a BitAsset that nobody owes yet.

        By the rules alone, without the chain's code: see `pegboard.prediction`. A scenario compares
        after each step. Raises `NotPossibleHere`, `NoSuchObject`, `InsufficientFeeds`.
        """
        with self.noted("predict", asset=asset, accounts=list(accounts)):
            prediction = Prediction(self, asset, accounts)
            self._predictions.append(prediction)
            return prediction

    def compare_predictions(self) -> Compared:
        """All that is foretold beside what the chain says."""
        found = [prediction.compare() for prediction in self._predictions]
        outcomes = tuple(outcome for one in found for outcome in one.outcomes)
        return Compared(outcomes, tuple(line for one in found for line in one.lines))

    # Prices and time.

    def feed(
        self,
        asset: str,
        price: Number | None = None,
        *,
        fall: Number | None = None,
        rise: Number | None = None,
        mcr: Number | None = None,
        msqr: Number | None = None,
    ) -> Decimal:
        """Publish a price as every producer, so that it is the median; the new price.

        In BitAsset for one backing token, or as a `fall` or `rise` from the present one: 0.3 or
        "30%". Margin calls follow at the next block's boundary (R1.22). It is published again
        before it grows old. Ratios stay as they are unless given. Raises `BadAmount`,
        `InsufficientFeeds`, `TransactionRejected`.
        """
        with self.noted("feed", asset=asset, price=price, fall=fall, rise=rise, mcr=mcr, msqr=msqr):
            given = [one for one in (price, fall, rise) if one is not None]
            if len(given) > 1:
                raise BadAmount(
                    "give one of price, fall and rise", value=", ".join(map(str, given))
                )
            facts, _ = self.reader.bitasset(asset)
            before = self._quote(facts, price)
            wanted = before.price * (1 - exact(fall or 0) + exact(rise or 0))
            self.quotes.publish(
                facts,
                Quote(
                    wanted,
                    self.time,
                    before.maintenance_ratio if mcr is None else to_thousandths(mcr),
                    before.squeeze_ratio if msqr is None else to_thousandths(msqr),
                ),
            )
            return quotient(wanted)

    def publish(self, asset: str, prices: Sequence[Number]) -> Decimal:
        """Publish a price of each producer's own, in their order; the median that comes of it.

        Otherwise as `feed`; what is published again before it grows old is the median.
        """
        with self.noted("publish", asset=asset, prices=list(prices)):
            facts, _ = self.reader.bitasset(asset)
            each = [exact(one) for one in prices]
            self.quotes.publish(facts, self._quote(facts, next(iter(prices), None)), each)
            median = self.reader.unit_price(self.reader.feed(facts).price)
            self.quotes.said[facts.id] = replace(self.quotes.said[facts.id], price=median)
            return quotient(median)

    def _quote(self, facts: AssetFacts, price: Number | None) -> Quote:
        """What holds now; with another price, if one is given."""
        said, feed = self.quotes.said.get(facts.id), self.ledger.feed(facts.id)
        wanted = None if price is None else exact(price)
        if said is not None:
            return Quote(
                wanted or said.price, said.time, said.maintenance_ratio, said.squeeze_ratio
            )
        if feed is None and wanted is not None:
            return Quote(wanted, self.time)
        feed = feed or self.reader.feed(facts)
        known = wanted or self.reader.unit_price(feed.price)
        return Quote(known, self.time, feed.maintenance_ratio, feed.squeeze_ratio)

    def follow(
        self,
        asset: str,
        source: str,
        *,
        shocks: Sequence[tuple[int, Number]] = (),
        mcr: Number | None = None,
        msqr: Number | None = None,
    ) -> Decimal:
        """Let a price follow a source before each block from now on; its first price.

        The source is written as for `pegboard up --feed`: "walk:start=0.1,step=30bp", whose seed
        follows from that of the market, "csv:FILE?every=1b", "fixed:0.1"; or it is drawn, see
        `pegboard.paths`: "geometric:", "jump:", "bootstrap:". A shock is the number of
        a block, counted from now, and a jump, "-30%", that lasts. Raises `FeedSourceError`,
        `BadAmount`, `NotMarketIssued`.
        """
        asked = {"asset": asset, "source": source, "mcr": mcr, "msqr": msqr}
        with self.noted("follow", **asked, shocks=[list(one) for one in shocks] or None):
            facts, _ = self.reader.bitasset(asset)
            now_s = self.time
            read = read_source(
                source,
                symbol=facts.symbol,
                seed=self.seed,
                start_s=now_s,
                block_interval_s=self.ledger.block_interval_s(),
                read_text=self._read_text,
            )
            series = Series(read, [Shock(*one) for one in shocks], self._made)
            self._followed[facts] = series
            ratios = (
                read.maintenance_collateral_ratio if mcr is None else to_thousandths(mcr),
                read.maximum_short_squeeze_ratio if msqr is None else to_thousandths(msqr),
            )
            series.last = series.price(now_s, self._made)
            self.quotes.publish(facts, Quote(series.last, now_s, *ratios))
            return quotient(series.last)

    def _read_text(self, name: str) -> str:
        if name in self.files:
            return self.files[name]
        beside = self.folder / name
        path = beside if beside.exists() else find_file(name)
        return path.read_text(encoding="utf-8")

    def _follow_prices(self) -> None:
        now_s = self.time
        for facts, series in self._followed.items():
            price = series.price(now_s, self._made)
            if price != series.last:
                series.last = price
                said = self.quotes.said[facts.id]
                self.quotes.publish(facts, replace(said, price=price, time=now_s))

    def block(self, count: int = 1) -> int:
        """Make so many blocks; the head's number. Agents act before each, and prices stay alive."""
        for _ in range(count):
            self._make_block()
        return self.ledger.head().num

    def travel(self, duration: str) -> int:
        """Let time go by, "30s", "12h" or "7d"; the head's number.

        One block comes at its end, in which happens what is due by then; the slots before it stay
        empty. Prices are kept alive by a block as often as one would grow old. Raises
        `DecodeError`, or `NotPossibleHere` on a network that has its own clock.
        """
        end_s = self.time + parse_duration(duration)
        self._let_act()
        with self.noted("travel", duration=duration):
            while self.quotes.said and end_s - self.time > self.quotes.patience_s():
                self.quotes.keep_alive(self.time)
                self.ledger.block(earliest_s=self.time + self.quotes.patience_s())
            self.quotes.keep_alive(self.time)
            self.ledger.block(earliest_s=end_s)
        return self.ledger.head().num

    def _let_act(self) -> None:
        self._follow_prices()
        with self._unnoted():
            for agent in self.agents:
                agent.act()

    def _make_block(self) -> None:
        self._let_act()
        self._note_block()
        self._made += 1
        self.quotes.keep_alive(self.time)
        self.ledger.block()

    @property
    def time(self) -> int:
        """Time of the head block in seconds since 1970."""
        return self.ledger.head().time

    # What there is to see.

    @property
    def core(self) -> str:
        """The symbol of the core token."""
        return self.ledger.asset_at(CORE_ASSET).symbol

    def price(self, asset: str) -> Decimal:
        """The feed of a BitAsset for one backing token; raises `InsufficientFeeds`."""
        facts, _ = self.reader.bitasset(asset)
        return quotient(self.reader.unit_price(self.reader.feed(facts).price))

    def borrowed(self) -> list[str]:
        """The BitAssets in which somebody has a position, as people read them."""
        return [self.ledger.asset_at(one).display for one in self.ledger.borrowed()]

    def positions(self, asset: str) -> list[Position]:
        """All positions in a BitAsset, the least collateralised first (R4.1)."""
        facts, backing = self.reader.bitasset(asset)
        return [
            self.reader.position(facts, backing, self.ledger.account_name(one.owner), one)
            for one in self.ledger.positions(facts.id)
        ]

    def bids(self, asset: str) -> list[Order]:
        """Offers of a BitAsset for its backing, the highest price first: what calls trade with."""
        facts, backing = self.reader.bitasset(asset)
        return [self.reader.order(one) for one in self.ledger.book(facts.id, backing.id)]

    def asks(self, asset: str) -> list[Order]:
        """Offers of the backing for a BitAsset, the lowest price first."""
        facts, backing = self.reader.bitasset(asset)
        return [self.reader.order(one) for one in self.ledger.book(backing.id, facts.id)]

    def settlements(self, asset: str) -> list[Settlement]:
        """Settlement requests that wait, the earliest first (R5.4)."""
        facts, _ = self.reader.bitasset(asset)
        return [self.reader.settlement(facts, one) for one in self.ledger.requests(facts.id)]

    def shock(
        self,
        asset: str,
        *,
        fall: Number | None = None,
        rise: Number | None = None,
        take_bids: Number = 0,
    ) -> Shocked:
        """What the next block would do if each feed moved, and the best bids lost a share of all.

        Shares are 0.3 or "30%", to a hundredth of a percent. The market stays as it is. Raises
        `BadAmount`, `InsufficientFeeds`, `ValidationError`.
        """
        facts, backing = self.reader.bitasset(asset)
        shares = [exact(one) * HUNDRED_PERCENT for one in (fall or 0, rise or 0, take_bids)]
        if any(one.denominator != 1 for one in shares) or (fall is not None and rise is not None):
            raise BadAmount("give a fall or a rise, to a hundredth of a percent", value=asset)
        down, up, taken = (one.numerator for one in shares)
        found = self.ledger.shock(facts.id, up - down, taken)
        return Shocked(
            found.called,
            self.reader.decimal(found.debt_covered, facts.id),
            self.reader.decimal(found.collateral_paid, backing.id),
            self.reader.decimal(found.fees, backing.id),
            found.is_swan,
            found.settled_alone,
        )

    def supply(self, asset: str) -> Decimal:
        """How much of an asset there is."""
        facts = self.ledger.asset(asset)
        return self.reader.decimal(self.ledger.supply(facts.id), facts.id)

    def is_settled(self, asset: str) -> bool:
        """Whether a black swan has settled a BitAsset as a whole (R6.2)."""
        return self.ledger.settlement_fund(self.reader.bitasset(asset)[0].id) is not None

    def state_hash(self) -> str:
        """The hash of the whole state at the head, without what is pending, in hexadecimal."""
        return self.ledger.state_hash()

    def scenario(self, *, title: str = "") -> str:
        """All that was done so far as the text of a scenario that does the same from the start.

        Rules of agents that were added stand in it by their names.
        """
        return scenario_text(title=title, seed=self.seed, chain=self.options, steps=self.notes)

    # For accounts, agents and scenarios.

    @contextmanager
    def noted(self, verb: str, **asked: object) -> Iterator[None]:
        """Remember what is done inside as the step of a scenario that does the same."""
        note: Note = {"do": verb} | {
            key: f"{value:f}" if isinstance(value, Decimal) else value
            for key, value in asked.items()
            if value is not None
        }
        self.notes.append(note)
        try:
            yield
        except PegboardError as error:
            note["refused"] = error.name
            raise

    @contextmanager
    def _unnoted(self) -> Iterator[None]:
        """Remember nothing of what is done inside: it follows from what was noted."""
        kept, self.notes = self.notes, []
        try:
            yield
        finally:
            self.notes = kept

    def _note_block(self) -> None:
        """Remember a block; several in a row are one step."""
        last = self.notes[-1] if self.notes else {}
        if last.get("do") == "block":
            last["count"] = cast(int, last.get("count", 1)) + 1
        else:
            self.notes.append({"do": "block"})

    def find_order(self, name: str) -> str:
        """The id of an order by the name that was given to it, or an id as it is."""
        return self._order_ids.get(name, name)

    def order_name(self, order_id: str) -> str:
        """The name that was given to an order, or its id."""
        names = (name for name, known in self._order_ids.items() if known == order_id)
        return next(names, order_id)

    def name_order(self, order_id: str, name: str) -> None:
        """Let an order be found by a name."""
        self._order_ids[name] = order_id

    def next_order_name(self) -> str:
        """A name for an order that got none."""
        return f"order {len(self._order_ids) + 1}"


def _create_bitasset(
    issuer: AccountId,
    symbol: str,
    precision: int,
    settlement_delay_s: int,
    *,
    is_witness_fed: bool,
) -> AssetCreate:
    options = AssetOptions(
        max_supply=MAX_SUPPLY,
        market_fee_percent=0,
        max_market_fee=MAX_SUPPLY,
        issuer_permissions=ENABLE_BITS_MASK,
        flags=WITNESS_FED_ASSET if is_witness_fed else 0,
        core_exchange_rate=Price(AssetAmount(1, CORE_ASSET), AssetAmount(1, NEW_ASSET)),
        description="",
    )
    settling = BitassetOptions(
        force_settlement_delay_sec=settlement_delay_s,
        maximum_force_settlement_volume=HUNDRED_PERCENT,
    )
    return AssetCreate(NO_FEE, issuer, symbol, precision, options, settling)
