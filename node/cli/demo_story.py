"""The story of `pegboard demo margin-call`: three borrowers, a fall, and what the rules say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from node.cli import drafts, drafts_ownership
from node.cli.client import as_int, as_object, as_objects
from node.cli.demo_checks import Check, check_all
from node.cli.demo_model import Loan, Model, Offer
from node.cli.exits import CliError, NodeUnreachable
from node.cli.keyring import DevelopmentKeys
from node.cli.remote_chain import RemoteAsset, RemoteChain
from node.cli.transactions import Broadcast, broadcast
from node.clock import monotonic_s, sleep_s
from node.presets import development_key
from node.witness.feed_source import (
    CsvSeries,
    FeedSource,
    FixedPrice,
    PeggedAsset,
    PriceRatio,
    publish_feed,
)
from protocol.asset import NO_FEE
from protocol.constants import HUNDRED_PERCENT
from protocol.crypto.keys import wif
from protocol.ids import asset_text
from protocol.json_form import parse_time
from protocol.operations import Operation, fee_payer
from protocol.operations.bitasset_options import BitassetOptions
from protocol.wording import format_decimal

ISSUER = "alice"
BORROWERS = {"bob": 1_900, "carol": 2_500, "dave": 4_000}
"""Who borrows, and at which collateral ratio, in thousandths."""
MARKET_MAKER = "erin"
PRODUCERS = ("init0", "init1", "init2")
PRECISION = 4
MCR = 1_750
MSQR = 1_100
LOAN_IN_CORE = 10_000
"""Each borrows what so many core tokens are worth at the first price."""
LADDER = ((970, 300), (800, 1_100), (620, 350))
"""Bids of the market maker: thousandths of the first price, and whole units of the BitAsset."""
SETTLED_UNITS = 200
POLL_S = 0.3
SETTLEMENT_TIMEOUT_S = 120
STANDSTILL_INTERVALS = 3
"""A chain without a block for so many intervals makes none by itself."""

DAYS = ("2021-11-15", "2021-11-18", "2021-11-23", "2021-12-17")
"""Days of the recorded series whose prices are published: the start, and three falls."""


class WrongTrigger(CliError):
    """The story is about margin calls that the highest bid decides."""

    name = "wrong_trigger"


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did, in words, and whether the chain agrees."""

    title: str
    rules: str
    details: tuple[str, ...]
    checks: tuple[Check, ...]


class Story:
    """Plays the story step by step; each step is told to `tell`."""

    def __init__(self, chain: RemoteChain, series: CsvSeries, tell: Callable[[Step], None]) -> None:
        self.chain = chain
        self.keys = DevelopmentKeys()
        self.series = series
        self._tell = tell
        self._details: list[str] = []
        names = (*BORROWERS, MARKET_MAKER)
        self.people = {name: chain.account(name) for name in (ISSUER, *names, *PRODUCERS)}
        core = {name: self._core_balance(name) for name in names}
        self.model = Model(MCR, MSQR, core, dict.fromkeys(names, 0))
        self.first_price = self._price_of(DAYS[0])
        properties = as_object(chain.client.call("database", "get_global_properties"))
        self.block_interval_s = as_int(as_object(properties["parameters"])["block_interval"])
        self.peg = self._create_peg()
        unit_price = Fraction(10**PRECISION, 10**chain.core.precision)
        self.first_unit_price = Fraction(*self.first_price) * unit_price

    def play(self) -> None:
        """All steps; raises `CallRefused` when the chain refuses one."""
        trigger = self.chain.info()["margin_call_trigger"]
        if trigger != "bid":
            raise WrongTrigger(
                "this chain's feed triggers margin calls", rule="R4.2", value=trigger
            )
        self._publish(DAYS[0], "The price before the fall")
        for name, ratio in BORROWERS.items():
            self._borrow(name, ratio)
        self._trade_borrowed()
        ladder = self._place_ladder()
        self._publish(DAYS[1], "The price falls; the highest bid is too good for a call")
        self._take_highest_bid(ladder[0])
        self._publish(DAYS[2], "The price falls on, and a position is called")
        self._cancel(ladder[1])
        self._publish(DAYS[3], "The bottom: the next position is called, as far as the bid goes")
        self._settle()
        self._cover("dave")

    def _create_peg(self) -> RemoteAsset:
        """A BitAsset of the story's own: its symbol holds the head block's number."""
        symbol = f"DEMO{self.chain.head()['head_block_number']}"
        issuer = self.people[ISSUER]
        options = BitassetOptions(
            minimum_feeds=len(PRODUCERS),
            force_settlement_delay_sec=2 * self.block_interval_s,
            maximum_force_settlement_volume=HUNDRED_PERCENT,
        )
        self._send(
            drafts_ownership.create_asset(
                issuer, symbol, PRECISION, description="A demo's BitAsset", bitasset=options
            )
        )
        peg = self.chain.asset(symbol)
        producers = [self.people[name] for name in PRODUCERS]
        self._send(drafts_ownership.name_producers(issuer, peg, producers))
        self._details += [
            f"{peg.display_symbol}, backed by {self.chain.core.symbol}, "
            f"MCR {format_decimal(MCR, 3)}, MSQR {format_decimal(MSQR, 3)}",
            f"{', '.join(PRODUCERS)} publish its feed; all three make a median",
        ]
        self.peg = peg
        self._finish(f"{ISSUER} creates a BitAsset", "R1.14, R1.16")
        return peg

    def _publish(self, day: str, title: str) -> None:
        """Three producers say a little less, the price, a little more: the median is the price."""
        price = self._price_of(day)
        core = self.chain.core
        pegged = PeggedAsset(self.peg.id, PRECISION, core.id, core.precision)
        operations = []
        for name, part in zip(PRODUCERS, (999, 1000, 1001), strict=True):
            said = PriceRatio(price.base * part, price.quote * 1000)
            source = FeedSource(FixedPrice(said), MCR, MSQR)
            publisher = self.people[name].id
            operations.append(publish_feed(source, publisher, pegged, 0, fee=NO_FEE))
        self._send(*operations)
        unit = Fraction(10**PRECISION, 10**core.precision)
        self.model.feed = Fraction(*price) * unit
        self._details.append(f"{day}: median {self._price_text(self.model.feed)}")
        self._add_situation()
        self._end_block()
        self._finish(title, "R1.16, R4.2, R4.5" if self.model.loans else "R1.16")

    def _borrow(self, name: str, ratio: int) -> None:
        debt = int(LOAN_IN_CORE * 10**self.chain.core.precision * self.first_unit_price)
        collateral = LOAN_IN_CORE * 10**self.chain.core.precision * ratio // 1000
        account = self.people[name]
        core = self.chain.core
        self._send(drafts.update_position(account, core.of(collateral), self.peg.of(debt), None))
        self.model.borrow(name, collateral, debt)
        self._end_block()
        self._details.append(
            f"borrows {self.peg.format(debt)} against {core.format(collateral)}; "
            f"call price {self._price_text(self.model.call_price(name))}"
        )
        self._finish(f"{name} borrows at {format_decimal(ratio, 3)}", "R3.2, R3.3, R3.4")

    def _trade_borrowed(self) -> None:
        """Two borrowers sell what they borrowed; the market maker buys it from the book."""
        for name in ("bob", "carol"):
            debt = self.model.loans[name].debt
            core_amount = int(debt / self.first_unit_price)
            self._place(name, is_bid=True, gives=debt, wants=core_amount)
            self._place(MARKET_MAKER, is_bid=False, gives=core_amount, wants=debt)
            price = self._price_text(Fraction(debt, core_amount))
            self._details.append(
                f"{name} sells {self.peg.format(debt)} to {MARKET_MAKER} at {price}"
            )
        self._finish("Borrowed units are money like any other: they are sold", "R2.4, R2.5, R3.9")

    def _place_ladder(self) -> list[str]:
        orders = []
        for part, units in LADDER:
            gives = units * 10**PRECISION
            wants = int(gives / (self.first_unit_price * part / 1000))
            orders.append(self._place(MARKET_MAKER, is_bid=True, gives=gives, wants=wants))
            price = self._price_text(Fraction(gives, wants))
            self._details.append(f"bid {orders[-1]}: {self.peg.format(gives)} at {price}")
        self._add_situation()
        self._finish(f"{MARKET_MAKER} rests three bids", "R2.3, R4.2")
        return orders

    def _take_highest_bid(self, order: str) -> None:
        bid = self._offer(order)
        wants = bid.for_sale
        gives = ceil(wants / bid.price)
        self._place("dave", is_bid=False, gives=gives, wants=int(gives * bid.price))
        self._details.append(f"dave buys {self.peg.format(wants)} from bid {order}")
        self._add_situation()
        self._finish("dave takes the highest bid; the next lies below the SQP", "R2.5, R4.2")

    def _cancel(self, order: str) -> None:
        left = self._offer(order).for_sale
        self._send(drafts.cancel(self.people[MARKET_MAKER], order))
        self.model.cancel(order)
        self._end_block()
        self._details.append(f"{self.peg.format(left)} return to {MARKET_MAKER}")
        self._add_situation()
        self._finish(f"{MARKET_MAKER} cancels what is left of bid {order}", "R2.11")

    def _settle(self) -> None:
        amount = SETTLED_UNITS * 10**PRECISION
        self._send(drafts.settle(self.people[MARKET_MAKER], self.peg.of(amount)))
        self.model.ask_settlement(MARKET_MAKER, amount)
        payer = self.model.least_collateralised()
        before = self.model.core[MARKET_MAKER]
        self._details.append(f"{self.peg.format(amount)} are set aside until they are due")
        self._wait_for_settlement()
        self.model.run_settlements()
        got = self.chain.core.format(self.model.core[MARKET_MAKER] - before)
        self._details.append(f"{payer}, the least collateralised, pays {got} at the feed")
        self._finish(f"{MARKET_MAKER} settles at the feed", "R5.2, R5.4, R5.5")

    def _wait_for_settlement(self) -> None:
        """Until the request is gone; a development chain that stands still is moved on."""
        client, peg = self.chain.client, asset_text(self.peg.id)
        key = wif(development_key(PRODUCERS[0], "signing"))
        is_development = self.chain.info()["is_development"]
        standstill_s = STANDSTILL_INTERVALS * self.block_interval_s
        head, since = None, monotonic_s()
        deadline = since + SETTLEMENT_TIMEOUT_S
        while monotonic_s() < deadline:
            if not client.call("database", "get_settle_orders", peg, 10):
                return
            found = self.chain.head()["head_block_number"]
            if found != head:
                head, since = found, monotonic_s()
            elif is_development and monotonic_s() - since > standstill_s:
                client.call("debug", "debug_generate_blocks", key, 1)
            sleep_s(POLL_S)
        raise NodeUnreachable("the settlement is not executed", limit=f"{SETTLEMENT_TIMEOUT_S} s")

    def _cover(self, name: str) -> None:
        loan: Loan = self.model.loans[name]
        core = self.chain.core
        self._send(
            drafts.update_position(
                self.people[name], core.of(-loan.collateral), self.peg.of(-loan.debt), None
            )
        )
        self._details.append(
            f"pays back {self.peg.format(loan.debt)}; {core.format(loan.collateral)} are free"
        )
        self.model.cover(name)
        self._finish(f"{name} covers the whole debt", "R3.3")

    def _place(self, name: str, *, is_bid: bool, gives: int, wants: int) -> str:
        """Place an order, on the chain and in the model; its id."""
        sold, bought = (self.peg, self.chain.core) if is_bid else (self.chain.core, self.peg)
        done = self._send(drafts.sell(self.people[name], sold.of(gives), bought.of(wants)))
        price = Fraction(gives, wants) if is_bid else Fraction(wants, gives)
        order = done.created_id()
        fee = done.operations[0].fee.amount
        self.model.place(Offer(order, name, is_bid, gives, price, fee))
        self._end_block()
        return order

    def _send(self, *operations: Operation) -> Broadcast:
        done = broadcast(self.chain, self.keys, operations)
        for operation in done.operations:
            self.model.pay_fee(self.chain.account_name(fee_payer(operation)), operation.fee.amount)
        return done

    def _end_block(self) -> None:
        """Let the model do what the chain does at the end of a block, and tell what is called."""
        for call in self.model.run_margin_calls():
            left = f"{self.peg.format(call.debt_left)} of debt stay" if call.debt_left else "closed"
            self._details.append(
                f"called: {call.name} pays {self.chain.core.format(call.pays)} "
                f"for {self.peg.format(call.covers)}; {left}"
            )

    def _add_situation(self) -> None:
        """The three numbers that decide: SQP, highest bid, call price (R4.2)."""
        name, bid = self.model.least_collateralised(), self.model.highest_bid()
        if name is None:
            return
        collateral_ratio = self.model.loans[name].ratio * self.model.feed * 1000
        self._details.append(
            f"SQP {self._price_text(self.model.squeeze_protection_price)} | "
            f"highest bid {'none' if bid is None else self._price_text(bid.price)} | "
            f"call price {self._price_text(self.model.call_price(name))} of {name}, "
            f"CR {format_decimal(int(collateral_ratio), 3)}"
        )

    def _finish(self, title: str, rules: str) -> None:
        checks = tuple(check_all(self.chain, self.model, self.peg))
        details, self._details = tuple(self._details), []
        self._tell(Step(title, rules, details, checks))

    def _offer(self, order: str) -> Offer:
        return next(offer for offer in self.model.offers if offer.id == order)

    def _price_of(self, day: str) -> PriceRatio:
        return self.series.price_at(parse_time(f"{day}T00:00:00"))

    def _price_text(self, unit_price: Fraction) -> str:
        """A price of smallest units as whole BitAsset for one core token, 6 decimals."""
        whole = unit_price * 10**self.chain.core.precision / 10**PRECISION
        return format_decimal(int(whole * 10**6), 6)

    def _core_balance(self, name: str) -> int:
        core = asset_text(self.chain.core.id)
        found = as_objects(self.chain.client.call("database", "get_account_balances", name, [core]))
        return as_int(found[0]["amount"])
