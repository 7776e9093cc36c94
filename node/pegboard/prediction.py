"""Foretells what becomes of people in one market, and compares it with what the chain says.

The second opinion (`pegboard.opinion`) hears each transaction that the market sends, and works out
by the rules alone, without the chain's code, what everybody must have then. It knows one BitAsset
that the core token backs, called by the highest bid, or by settlement requests where the chain
matches those. What it does not know it refuses by name: fees and ratios of an issuer, black swan
responses, settlement offsets, limited volumes, target ratios, orders that expire, and global
settlement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pegboard.expectations import Outcome
from pegboard.ledger import AssetFacts, HeadFacts, NotPossibleHere, OrderFacts, PositionFacts, Sent
from pegboard.opinion import Model, Offer
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET, HUNDRED_PERCENT, RATIO_DENOMINATOR
from protocol.errors import PegboardError
from protocol.ids import AccountId, order_text
from protocol.json_form import format_time
from protocol.operations import Operation, fee_payer
from protocol.operations.asset_options import CHARGE_MARKET_FEE
from protocol.operations.bitasset import AssetPublishFeed, AssetSettle
from protocol.operations.bitasset_options import PriceFeed
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import MAX_TIMESTAMP
from protocol.wording import format_decimal

if TYPE_CHECKING:
    from pegboard.vocabulary import Market

PRICE_DECIMALS = 6
RATIO_DECIMALS = 3


class PredictionFailed(PegboardError):
    """The chain says something else than the second opinion."""

    name = "prediction_failed"


@dataclass(frozen=True, slots=True)
class Compared:
    """What was foretold and found after a step, and what happened on the way, in words."""

    outcomes: tuple[Outcome, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def wrong(self) -> list[Outcome]:
        """The numbers that are not as foretold."""
        return [one for one in self.outcomes if not one.is_met]


NOTHING = Compared()
"""Where nothing is foretold."""


@dataclass(slots=True)
class _Seen:
    """What the chain says of the people foretold, all at one head block."""

    core: dict[str, int]
    peg: dict[str, int]
    positions: dict[str, PositionFacts]
    orders: dict[str, OrderFacts]
    supply: int


class Prediction:
    """Follows what a market sends from now on; `compare` says whether the chain agrees."""

    def __init__(self, market: Market, asset: str, names: Sequence[str]) -> None:
        """Raises `NotPossibleHere` for a market that the second opinion does not know."""
        self._ledger = market.ledger
        trigger = self._ledger.margin_call_trigger()
        if trigger != "bid":
            what = "only calls by the highest bid are foretold"
            raise NotPossibleHere(what, rule="R4.2", value=trigger, limit="bid")
        self._peg, backing = market.reader.bitasset(asset)
        self._core = self._ledger.asset_at(CORE_ASSET)
        if backing.id != CORE_ASSET:
            raise NotPossibleHere("not backed by the core asset", value=self._peg.symbol)
        self._check_options()
        self._check_alive()
        if self._ledger.positions(self._peg.id) or self._ledger.requests(self._peg.id):
            raise NotPossibleHere("somebody owes it already", value=self._peg.symbol)
        self._ids = {name: market.find(name).id for name in names}
        self._names = {account: name for name, account in self._ids.items()}
        self._feeds: dict[AccountId, PriceFeed] = {}
        self._events: list[str] = []
        self._told = ""
        self._boundary = self._ledger.head().num
        feed, seen = market.reader.feed(self._peg), self._read()
        self.model = Model(
            feed.maintenance_ratio,
            feed.squeeze_ratio,
            seen.core,
            seen.peg,
            settle_match=self._ledger.settle_match(),
        )
        self.model.feed = _ratio(feed.price.base, feed.price.quote)
        self._ledger.heard.append(self._hear)

    def _check_options(self) -> None:
        """Raise `NotPossibleHere` for what an issuer asks and the second opinion does not know."""
        for asset in (self._peg, self._core):
            fees = self._ledger.asset_options(asset.id)
            if fees.flags & CHARGE_MARKET_FEE:
                percent = fees.market_fee_percent, fees.extensions.taker_fee_percent
                _check_absent(f"the market fee of {asset.display}", "R2.14", *percent)
        options = self._ledger.bitasset_options(self._peg.id)
        more = options.extensions
        _check_absent("a settlement offset", "R5.4", options.force_settlement_offset_percent)
        _check_absent("a settlement fee", "BSIP87", more.force_settle_fee_percent)
        _check_absent("a margin call fee", "R1.8", more.margin_call_fee_ratio)
        _check_absent("the issuer's own MCR", "R1.16", more.maintenance_collateral_ratio)
        _check_absent("the issuer's own MSQR", "R1.16", more.maximum_short_squeeze_ratio)
        _check_absent("a black swan response", "R6.9", more.black_swan_response_method)

    def _check_alive(self) -> None:
        if self._ledger.settlement_fund(self._peg.id) is not None:
            what = "what follows a global settlement is not foretold"
            raise NotPossibleHere(what, rule="R6.2", value=self._peg.display)

    def compare(self) -> Compared:
        """What was foretold beside what the chain says, both at one head block."""
        while True:
            head = self._ledger.head()
            self._pass_boundary(head)
            seen = self._read()
            if self._ledger.head() == head:
                break
        events, self._events = self._events, []
        situation = self._situation()
        if situation and situation != self._told:
            events.append(situation)
        self._told = situation
        return Compared(tuple(self._outcomes(seen)), tuple(events))

    def _hear(self, sent: Sent) -> None:
        """Work out what a transaction does; what was due in the blocks before it comes first."""
        if not sent.is_in_block:
            self._pass_boundary(self._ledger.head())
        created = iter(sent.created)
        for operation in sent.operations:
            payer = self._names.get(fee_payer(operation), "")
            self.model.pay_fee(payer, operation.fee.amount)
            self._apply(operation, created)
        if sent.is_in_block:
            self._boundary = 0
            self._pass_boundary(self._ledger.head())

    def _apply(self, operation: Operation, created: Iterator[str]) -> None:
        ours = self._peg.id
        match operation:
            case CallOrderUpdate(delta_debt=debt, delta_collateral=collateral):
                if debt.asset_id == ours:
                    target = operation.extensions.target_collateral_ratio
                    _check_absent("a target ratio", "R3.7", target)
                    name = self._name(operation.funding_account)
                    self.model.borrow(name, collateral.amount, debt.amount)
            case LimitOrderCreate():
                self._place(operation, next(created))
            case LimitOrderCancel(order=order):
                if order_text(order) in {offer.id for offer in self.model.offers}:
                    self.model.cancel(order_text(order))
            case AssetSettle():
                self._ask_settlement(operation, next(created, ""))
            case Transfer(amount=amount):
                if amount.asset_id in (ours, CORE_ASSET):
                    sender, receiver = (
                        self._names.get(one, "") for one in (operation.from_, operation.to)
                    )
                    is_peg = amount.asset_id == ours
                    self.model.send(sender, receiver, is_peg=is_peg, amount=amount.amount)
            case AssetPublishFeed(publisher=publisher, feed=feed):
                if operation.asset_id == ours:
                    self._feeds[publisher] = feed
                    self._take_median()
            case _:
                pass

    def _ask_settlement(self, asked: AssetSettle, request_id: str) -> None:
        """Have the request wait, also one that the block itself has used up already (R5.2)."""
        if asked.amount.asset_id != self._peg.id:
            return
        options = self._ledger.bitasset_options(self._peg.id)
        volume = options.maximum_force_settlement_volume
        if volume < HUNDRED_PERCENT:
            what = "a settlement of a limited volume is not foretold"
            raise NotPossibleHere(what, rule="R5.4", value=volume, limit=HUNDRED_PERCENT)
        parent_s = self._ledger.head().time - self._ledger.block_interval_s()
        due = parent_s + options.force_settlement_delay_sec
        waiting = self._ledger.requests(self._peg.id)
        due = next((one.due for one in waiting if one.id == request_id), due)
        self.model.ask_settlement(self._name(asked.account), asked.amount.amount, due)

    def _place(self, order: LimitOrderCreate, order_id: str) -> None:
        sold, wanted = order.amount_to_sell, order.min_to_receive
        if {sold.asset_id, wanted.asset_id} != {self._peg.id, CORE_ASSET}:
            return
        if order.expiration != MAX_TIMESTAMP:
            end = format_time(order.expiration)
            raise NotPossibleHere("an order that expires is not foretold", rule="R2.10", value=end)
        is_bid = sold.asset_id == self._peg.id
        price = _ratio(sold, wanted) if is_bid else _ratio(wanted, sold)
        name, fee = self._name(order.seller), order.fee.amount
        self.model.place(Offer(order_id, name, is_bid, sold.amount, price, fee))

    def _take_median(self) -> None:
        """The upper median of what was said, each field for itself (R1.16)."""
        said, middle = self._feeds.values(), len(self._feeds) // 2
        prices = [_ratio(one.settlement_price.base, one.settlement_price.quote) for one in said]
        self.model.feed = sorted(prices)[middle]
        self.model.mcr = sorted(one.maintenance_collateral_ratio for one in said)[middle]
        self.model.msqr = sorted(one.maximum_short_squeeze_ratio for one in said)[middle]

    def _name(self, account: AccountId) -> str:
        """Who trades, of those foretold; raises `NotPossibleHere` for anybody else."""
        if account not in self._names:
            who = self._ledger.account_name(account)
            limit = ", ".join(self._ids)
            raise NotPossibleHere("somebody trades who is not foretold", value=who, limit=limit)
        return self._names[account]

    def _pass_boundary(self, head: HeadFacts) -> None:
        """Do what the chain does at the end of a block, once for those since the last time."""
        if head.num <= self._boundary:
            return
        self._boundary = head.num
        self._check_alive()
        for call in self.model.run_margin_calls():
            left = f"{self._text(call.debt_left, self._peg)} of debt stay"
            self._events.append(
                f"called: {call.name} pays {self._text(call.pays, self._core)} for "
                f"{self._text(call.covers, self._peg)}; {left if call.debt_left else 'closed'}"
            )
        before = {name: loan.collateral for name, loan in self.model.loans.items()}
        for name in dict.fromkeys(self.model.run_settlements(head.time)):
            loan = self.model.loans.get(name)
            paid = self._text(before[name] - (loan.collateral if loan else 0), self._core)
            self._events.append(f"settled: {name}, the least collateralised, pays {paid}")

    def _situation(self) -> str:
        """The three numbers that decide: SQP, highest bid, call price (R4.2)."""
        name, bid = self.model.least_collateralised(), self.model.highest_bid()
        if name is None:
            return ""
        ratio = self.model.loans[name].ratio * self.model.feed * RATIO_DENOMINATOR
        return (
            f"SQP {self._price(self.model.squeeze_protection_price)} | "
            f"highest bid {'none' if bid is None else self._price(bid.price)} | "
            f"call price {self._price(self.model.call_price(name))} of {name}, "
            f"CR {format_decimal(int(ratio), RATIO_DECIMALS)}"
        )

    def _read(self) -> _Seen:
        ledger, peg = self._ledger, self._peg.id
        core, pegs = (
            {name: ledger.balance(account, asset) for name, account in self._ids.items()}
            for asset in (CORE_ASSET, peg)
        )
        positions = {ledger.account_name(one.owner): one for one in ledger.positions(peg)}
        sides = (*ledger.book(peg, CORE_ASSET), *ledger.book(CORE_ASSET, peg))
        return _Seen(core, pegs, positions, {one.id: one for one in sides}, ledger.supply(peg))

    def _outcomes(self, seen: _Seen) -> Iterator[Outcome]:
        model, core, peg = self.model, self._core, self._peg
        for name in self._ids:
            yield self._amount(f"{name}.balance.{core.display}", model.core, seen.core, name, core)
            yield self._amount(f"{name}.balance.{peg.display}", model.peg, seen.peg, name, peg)
        yield _count(f"{peg.display}.positions", "R4.1", len(model.loans), len(seen.positions))
        for name, loan in model.loans.items():
            found, path = seen.positions.get(name), f"{name}.position.{peg.display}"
            held, owed = (found.collateral, found.debt) if found else (0, 0)
            yield self._outcome(f"{path}.collateral", "R3.3", loan.collateral, held, core)
            yield self._outcome(f"{path}.debt", "R3.3", loan.debt, owed, peg)
        debts = sum(loan.debt for loan in model.loans.values())
        yield self._outcome(f"{peg.display}.supply", "I3", debts, seen.supply, peg)
        yield _count("orders", "R2.3", len(model.offers), len(seen.orders))
        for offer in model.offers:
            order = seen.orders.get(offer.id)
            left, sold = (order.for_sale if order else 0), (peg if offer.is_bid else core)
            yield self._outcome(f"{offer.owner}.order", "R2.3", offer.for_sale, left, sold)

    def _amount(
        self,
        text: str,
        foretold: Mapping[str, int],
        found: Mapping[str, int],
        name: str,
        asset: AssetFacts,
    ) -> Outcome:
        return self._outcome(text, "I6", foretold[name], found[name], asset)

    def _outcome(
        self, text: str, rule: str, foretold: int, found: int, asset: AssetFacts
    ) -> Outcome:
        texts = (format_decimal(found, asset.precision), format_decimal(foretold, asset.precision))
        return Outcome(text, rule, *texts, foretold == found)

    def _text(self, amount: int, asset: AssetFacts) -> str:
        return f"{format_decimal(amount, asset.precision)} {asset.display}"

    def _price(self, units: Fraction) -> str:
        """A price of smallest units as whole BitAsset for one core token."""
        whole = units * 10**self._core.precision / 10**self._peg.precision
        return format_decimal(int(whole * 10**PRICE_DECIMALS), PRICE_DECIMALS)


def _ratio(base: AssetAmount, quote: AssetAmount) -> Fraction:
    return Fraction(base.amount, quote.amount)


def _check_absent(what: str, rule: str, *numbers: int | None) -> None:
    """Raise `NotPossibleHere` for something that is there."""
    if any(numbers):
        value = max(filter(None, numbers))
        raise NotPossibleHere(f"{what} is not foretold", rule=rule, value=value)


def _count(text: str, rule: str, foretold: int, found: int) -> Outcome:
    return Outcome(text, rule, str(found), str(foretold), foretold == found)
