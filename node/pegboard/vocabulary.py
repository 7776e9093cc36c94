"""The words of a market: accounts, positions, orders, prices and time, as people say them.

The same words work on a chain in this process and on a node behind a URL; the `Ledger` is what
differs. Each call is noted, so that what was done can be written down as a scenario.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from fractions import Fraction
from random import Random
from types import TracebackType
from typing import Self, cast

from node.market.pricing import collateral_at
from node.presets import ACCOUNTS, development_key
from node.state.errors import NoSuchObject, OrderNotFound
from pegboard.agents import Agent, Rule, find_rule
from pegboard.amounts import BadAmount, Number, exact, quotient, to_thousandths, to_units
from pegboard.ledger import AssetFacts, Ledger, OrderFacts
from pegboard.quotes import Quote, Quotes
from pegboard.reader import Reader
from pegboard.views import Order, Position, Settlement
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import key_authority
from protocol.constants import CORE_ASSET, RATIO_DENOMINATOR
from protocol.crypto.keys import public_key
from protocol.durations import parse_duration
from protocol.errors import PegboardError
from protocol.ids import AccountId, LimitOrderId, parse_id
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP

FAUCET = ACCOUNTS[0]
"""Creates and funds the accounts of a market."""
LENDER_RATIO = 10 * RATIO_DENOMINATOR
"""At which the faucet borrows what an account is to hold from the start."""

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
        self.reader = Reader(ledger)
        self._order_ids: dict[str, str] = {}

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
            account_id = self.ledger.find_account(name)
            account = Account(self, name, self._create(name) if account_id is None else account_id)
            if core is not None:
                token = self.ledger.asset_at(CORE_ASSET)
                self._grant(account, AssetAmount(to_units(core, token.precision), token.id))
            for text in holds:
                self._grant(account, self.reader.amount(text))
            return account

    def _create(self, name: str) -> AccountId:
        owner, active = (public_key(development_key(name, role)) for role in ("owner", "active"))
        faucet = self._faucet()
        self.ledger.send(
            AccountCreate(
                *(NO_FEE, faucet, faucet, 0, name),
                key_authority(owner),
                key_authority(active),
                AccountOptions(active),
            )
        )
        created = self.ledger.find_account(name)
        assert created is not None, "the chain has taken it"
        return created

    def _grant(self, account: Account, wanted: AssetAmount) -> None:
        facts = self.ledger.asset_at(wanted.asset_id)
        lack = wanted.amount - self.ledger.balance(account.id, facts.id)
        if lack <= 0:
            return
        faucet, given = self._faucet(), AssetAmount(lack, facts.id)
        if facts.backing is not None:
            collateral = collateral_at(given, LENDER_RATIO, self.reader.feed(facts).price)
            pledged = AssetAmount(collateral, facts.backing)
            self.ledger.send(CallOrderUpdate(NO_FEE, faucet, pledged, given))
        self.ledger.send(Transfer(NO_FEE, faucet, account.id, given, None))

    def _faucet(self) -> AccountId:
        found = self.ledger.find_account(FAUCET)
        if found is None:
            raise NoSuchObject("this chain has no faucet", rule="R0.1", value=FAUCET)
        return found

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

        Raises like `account`, and `BadAmount` for a rule of no known name.
        """
        function = find_rule(rule) if isinstance(rule, str) else rule
        asked = {"rule": function.__name__, "name": name, "core": core}
        with self.noted("hire", **asked, holds=list(holds) or None, options=options or None):
            with self._unnoted():
                account = self.account(name, core=core, holds=holds)
            agent = Agent(self, account, function, options, Random(f"{self.seed}/{name}"))
            self.agents.append(agent)
            return agent

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
        with self._unnoted():
            for agent in self.agents:
                agent.act()

    def _make_block(self) -> None:
        self._let_act()
        self._note_block()
        self.quotes.keep_alive(self.time)
        self.ledger.block()

    @property
    def time(self) -> int:
        """Time of the head block in seconds since 1970."""
        return self.ledger.head().time

    # What there is to see.

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


class Account:
    """Somebody in a market. Amounts are written "100 bitUSD"; ratios are plain numbers."""

    def __init__(self, market: Market, name: str, account_id: AccountId) -> None:
        self._market = market
        self._ledger = market.ledger
        self._reader = market.reader
        self.name = name
        self.id = account_id

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    def balance(self, asset: str) -> Decimal:
        """What the account holds in whole units, exactly."""
        facts = self._ledger.asset(asset)
        return self._reader.decimal(self._ledger.balance(self.id, facts.id), facts.id)

    def position(self, asset: str) -> Position:
        """The position in a BitAsset; `closed` where there is none."""
        facts, backing = self._reader.bitasset(asset)
        found = self._ledger.position(self.id, facts.id)
        return self._reader.position(facts, backing, self.name, found)

    def orders(self) -> list[Order]:
        """The orders that wait, oldest first."""
        return [self._reader.order(one) for one in self._ledger.orders(self.id)]

    def borrow(
        self,
        debt: str,
        *,
        ratio: Number | None = None,
        collateral: str | None = None,
        target: Number | None = None,
    ) -> Position:
        """Borrow against collateral that is given, or that makes a ratio at the present feed.

        Once called, no more is covered than reaches `target` (R3.7). Raises `BadAmount`,
        `TransactionRejected`.
        """
        with self._noted("borrow", amount=debt, ratio=ratio, collateral=collateral, target=target):
            owed = self._reader.amount(debt)
            if (ratio is None) == (collateral is None):
                raise BadAmount("give either a ratio or a collateral", value=debt)
            if collateral is not None:
                pledged = self._reader.amount(collateral).amount
            else:
                assert ratio is not None
                facts, _ = self._reader.backed(self._ledger.asset_at(owed.asset_id))
                feed = self._reader.feed(facts)
                pledged = collateral_at(owed, to_thousandths(ratio), feed.price)
            return self._update(owed, pledged, target)

    def adjust(
        self,
        asset: str,
        *,
        debt: str | None = None,
        collateral: str | None = None,
        ratio: Number | None = None,
        target: Number | None = None,
    ) -> Position:
        """Change a position by amounts, or bring it to a ratio at the present feed.

        The target stays unless a new one is given; 0 takes it away (R3.3).
        """
        with self._noted(
            "adjust", asset=asset, debt=debt, collateral=collateral, ratio=ratio, target=target
        ):
            if ratio is not None and collateral is not None:
                raise BadAmount("give either a ratio or a collateral", value=collateral)
            facts, _ = self._reader.bitasset(asset)
            found = self._ledger.position(self.id, facts.id)
            owed = AssetAmount(0, facts.id) if debt is None else self._reader.amount(debt)
            pledged = 0 if collateral is None else self._reader.amount(collateral).amount
            if ratio is not None:
                after = AssetAmount((found.debt if found else 0) + owed.amount, facts.id)
                price = self._reader.feed(facts).price
                held = found.collateral if found else 0
                pledged = collateral_at(after, to_thousandths(ratio), price) - held
            if target is None and found is not None and found.target_ratio is not None:
                target = quotient(found.target_ratio, RATIO_DENOMINATOR)
            return self._update(owed, pledged, target)

    def cover(self, what: str) -> Position:
        """Pay debt back: all of it, "bitUSD", which frees the collateral, or "50 bitUSD"."""
        with self._noted("cover", what=what):
            if what[:1].isdigit():
                paid = self._reader.amount(what)
                return self._update(AssetAmount(-paid.amount, paid.asset_id), 0, None, keeps=True)
            facts, _ = self._reader.bitasset(what)
            found = self._ledger.position(self.id, facts.id)
            if found is None:
                raise NoSuchObject(f"{self.name} has no position", rule="R3.1", value=facts.display)
            return self._update(AssetAmount(-found.debt, facts.id), -found.collateral, None)

    def _update(
        self, debt: AssetAmount, collateral: int, target: Number | None, *, keeps: bool = False
    ) -> Position:
        facts, backing = self._reader.backed(self._ledger.asset_at(debt.asset_id))
        wanted = None if target is None else to_thousandths(target) or None
        if keeps:
            found = self._ledger.position(self.id, facts.id)
            wanted = found.target_ratio if found else None
        self._ledger.send(
            CallOrderUpdate(
                NO_FEE,
                self.id,
                AssetAmount(collateral, backing.id),
                debt,
                CallOrderUpdateExtensions(wanted),
            )
        )
        return self.position(facts.symbol)

    def sell(
        self,
        amount: str,
        *,
        receive: str | None = None,
        at: Number | None = None,
        expires_in: str | None = None,
        fill_or_kill: bool = False,
        name: str | None = None,
    ) -> Order:
        """Offer an amount for at least another, or of a BitAsset at a price for one backing token.

        `name` is what `cancel` and a scenario may call the order by.
        """
        name = name or self._market.next_order_name()
        with self._noted(
            "sell",
            amount=amount,
            receive=receive,
            at=at,
            expires_in=expires_in,
            fill_or_kill=fill_or_kill or None,
            name=name,
        ):
            sold = self._reader.amount(amount)
            wanted = self._other_side(sold, receive, at, rounds_up=False)
            return self._place(sold, wanted, expires_in, fill_or_kill=fill_or_kill, name=name)

    def buy(
        self,
        amount: str,
        *,
        give: str | None = None,
        at: Number | None = None,
        expires_in: str | None = None,
        fill_or_kill: bool = False,
        name: str | None = None,
    ) -> Order:
        """Ask for an amount, giving at most another, or a BitAsset at a price; see `sell`."""
        name = name or self._market.next_order_name()
        with self._noted(
            "buy",
            amount=amount,
            give=give,
            at=at,
            expires_in=expires_in,
            fill_or_kill=fill_or_kill or None,
            name=name,
        ):
            wanted = self._reader.amount(amount)
            sold = self._other_side(wanted, give, at, rounds_up=True)
            return self._place(sold, wanted, expires_in, fill_or_kill=fill_or_kill, name=name)

    def _other_side(
        self, amount: AssetAmount, other: str | None, at: Number | None, *, rounds_up: bool
    ) -> AssetAmount:
        """What another amount is traded for; rounded so that two orders at one price meet."""
        if (other is None) == (at is None):
            raise BadAmount("give either the other amount or a price", value=other or at)
        if other is not None:
            return self._reader.amount(other)
        assert at is not None
        facts, backing = self._reader.backed(self._ledger.asset_at(amount.asset_id))
        price = exact(at)
        if price <= 0:
            raise BadAmount("a price must be positive", rule="R1.1", value=at)
        worth = Fraction(amount.amount, 10**facts.precision) / price * 10**backing.precision
        units = -(-worth.numerator // worth.denominator) if rounds_up else int(worth)
        return AssetAmount(units, backing.id)

    def _place(
        self,
        sold: AssetAmount,
        wanted: AssetAmount,
        expires_in: str | None,
        *,
        fill_or_kill: bool,
        name: str,
    ) -> Order:
        end = MAX_TIMESTAMP
        if expires_in is not None:
            end = self._market.time + parse_duration(expires_in)
        order = LimitOrderCreate(NO_FEE, self.id, sold, wanted, end, fill_or_kill)
        [order_id] = self._ledger.send(order).created
        self._market.name_order(order_id, name)
        for waiting in self._ledger.orders(self.id):
            if waiting.id == order_id:
                return self._reader.order(waiting)
        return self._reader.order(OrderFacts(order_id, self.id, 0, Price(sold, wanted)))

    def cancel(self, order: Order | str) -> None:
        """Take an order back, by its name or id; raises `OrderNotFound` once it is gone."""
        order_id = order.id if isinstance(order, Order) else self._market.find_order(order)
        with self._noted("cancel", order=self._market.order_name(order_id)):
            if not order_id.startswith("1."):
                raise OrderNotFound("no order of that name", rule="R2.11", value=order_id)
            self._ledger.send(LimitOrderCancel(NO_FEE, self.id, parse_id(LimitOrderId, order_id)))

    def settle(self, amount: str) -> Settlement:
        """Ask for collateral at the feed, after the BitAsset's delay (R5.2)."""
        with self._noted("settle", amount=amount):
            asked = self._reader.amount(amount)
            facts, _ = self._reader.backed(self._ledger.asset_at(asked.asset_id))
            created = self._ledger.send(AssetSettle(NO_FEE, self.id, asked)).created
            for request in self._ledger.requests(facts.id):
                if request.id in created:
                    return self._reader.settlement(facts, request)
            amount_left = self._reader.decimal(asked.amount, facts.id)
            return Settlement("", self.name, facts.display, amount_left, self._market.time)

    def transfer(self, receiver: Account | str, amount: str) -> None:
        """Send an amount to somebody; raises `NoSuchObject` for nobody."""
        name = receiver if isinstance(receiver, str) else receiver.name
        with self._noted("transfer", to=name, amount=amount):
            receiver_id = self._ledger.find_account(name)
            if receiver_id is None:
                raise NoSuchObject("no such account", rule="R0.1", value=name)
            sent = self._reader.amount(amount)
            self._ledger.send(Transfer(NO_FEE, self.id, receiver_id, sent, None))

    def _noted(self, verb: str, **asked: object) -> AbstractContextManager[None]:
        return self._market.noted(verb, account=self.name, **asked)
