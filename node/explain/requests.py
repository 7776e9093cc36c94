"""Explains settlement requests: by whom one is paid, how much and when (R5.2-R5.5, SM1, SM3, SM4).

What margin calls of the next block and a settlement in it would do is played on a copy.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from copy import copy
from itertools import islice

from node.explain.cut import REQUESTS_MAX, Cut, RequestFill, Run, cut_of
from node.explain.records import OrderExplanation, Payout, Statement
from node.explain.settlement import played
from node.explain.thresholds import FILLS_A_STEP, FILLS_MAX
from node.explain.wording import Wording, statement
from node.market.margin_calls import Ending, is_at_maintenance
from node.market.pricing import call_price, forced_settlement_price, is_above
from node.state.database import State
from node.state.objects.assets import BitassetData
from node.state.objects.market import ForceSettlement
from protocol.asset import AssetAmount, Price
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import AccountId, AssetId, ForceSettlementId, object_id
from protocol.json_form import format_time
from protocol.schema import Record
from protocol.wording import count_of

AHEAD_MAX = 5_000
"""Requests before one that are added up."""
PAYERS_TOLD = 3

Steps = Generator[None, None, OrderExplanation]
"""Work that gives way to others at every yield; it is about the moment at which it began."""


class Outlook(Record):
    """What becomes of a request if nothing else happens."""

    by_calls: Payout
    """What margin calls pay it at the end of the next block."""
    when_due: Payout | None
    """What it is paid then, were it due; None where it is cancelled."""
    price: Price | None
    """Of that settlement; None where there is none."""
    run: Run
    """The margin calls."""


def explain_settlement(state: State, words: Wording, request: ForceSettlement) -> Steps:
    """A settlement request: when it is due, what is before it, who pays it how much."""
    asset_id, request = request.balance.asset_id, copy(request)
    bitasset = state.bitasset_of(asset_id)
    assert bitasset is not None, request
    place = state.settlements.place_of(asset_id, request)
    items = islice(state.settlements.items(asset_id), min(place, AHEAD_MAX))
    before = AssetAmount(sum(one.balance.amount for one in items), asset_id)
    is_matched, maintenance = state.chain.settle_match, state.dynamic.next_maintenance_time
    supply = state.figures_of(asset_id).current_supply
    left = max(bitasset.max_settlement_volume(supply) - bitasset.force_settled_volume, 0)
    outlook = None
    if bitasset.has_margin_calls() and place < REQUESTS_MAX and state.positions.count(asset_id):
        outlook = yield from _outlook(state, copy(bitasset), place, supply)
    told = _Telling(words, request, copy(bitasset), outlook)
    statements = [told.request()]
    if bitasset.is_globally_settled():
        text = "The asset is globally settled: the request is cancelled"
        statements.append(statement("R5.8", text))
    else:
        statements += told.calls() if is_matched else ()
        text = (
            f"Older requests ask for {words.amount(before)};"
            f" {words.amount(AssetAmount(left, asset_id))} may be settled before the maintenance"
            f" at {format_time(maintenance)}"
        )
        statements += told.settlement(statement("R5.4", text))
    return OrderExplanation(
        id=object_id(ForceSettlementId, request.id),
        owner=request.owner,
        amount=request.balance,
        before=place,
        amount_before=before,
        statements=tuple(statements),
        by_calls=None if outlook is None or not is_matched else outlook.by_calls,
        when_due=None if outlook is None else outlook.when_due,
    )


def _outlook(
    state: State, bitasset: BitassetData, place: int, supply: int
) -> Generator[None, None, Outlook]:
    """Plays all margin calls, then a settlement in which the requests up to a place are due."""
    asset_id = bitasset.asset_id
    worst = state.positions.first(asset_id)
    assert worst is not None, asset_id
    cut = cut_of(state, bitasset, worst)
    waiting = list(
        enumerate(
            request.balance.amount
            for request in islice(state.settlements.items(asset_id), place + 1)
        )
    )
    run = Run(cut, cut.price)
    turns = 0
    while turns < FILLS_MAX and run.advance():
        turns += 1
        if turns % FILLS_A_STEP == 0:
            yield
    if cut.requests:
        waiting = [one for one in run.waiting if one[0] <= place]
    fills = [fill for fill in run.request_fills if fill.place == place]
    by_calls = _payout(fills, asset_id, bitasset.options.short_backing_asset)
    price = _price(cut, run, bitasset)
    if price is None or run.worst() is None or place not in dict(waiting):
        return Outlook(by_calls, None, price, run)
    volume = bitasset.max_settlement_volume(supply - run.destroyed)
    due = played(
        run.ranks,
        [amount for _, amount in waiting],
        max(volume - bitasset.force_settled_volume, 0),
        price,
    )
    paid = []
    for turns, fill in enumerate(due):
        if waiting[fill.place][0] == place:
            borrower = fill.position.borrower
            paid.append(RequestFill(place, borrower, fill.settled, fill.pays))
        if turns % FILLS_A_STEP == 0:
            yield
    when_due = _payout(paid, asset_id, bitasset.options.short_backing_asset)
    return Outlook(by_calls, when_due, price, run)


def _price(cut: Cut, run: Run, bitasset: BitassetData) -> Price | None:
    """What due requests are paid, debt per backing; None where none are (R5.4)."""
    offset = bitasset.options.force_settlement_offset_percent
    if offset == HUNDRED_PERCENT or run.ending is Ending.BLACK_SWAN:
        return None
    return forced_settlement_price(cut.current_price(run.price, run.pool, run.worst()), offset)


def _payout(fills: Iterable[RequestFill], asset_id: AssetId, backing: AssetId) -> Payout:
    fills = list(fills)
    return Payout(
        gives=AssetAmount(sum(fill.gives for fill in fills), asset_id),
        gets=AssetAmount(sum(fill.gets for fill in fills), backing),
        payers=tuple(dict.fromkeys(fill.payer for fill in fills)),
    )


class _Telling:
    """The sentences about a request, each beside its rule."""

    def __init__(
        self,
        words: Wording,
        request: ForceSettlement,
        bitasset: BitassetData,
        outlook: Outlook | None,
    ) -> None:
        self.words = words
        self.asked = request
        self.bitasset = bitasset
        self.outlook = outlook

    def request(self) -> Statement:
        """Whose it is, and from when on it is due."""
        words, asked = self.words, self.asked
        due, amount = format_time(asked.settlement_date), words.amount(asked.balance)
        return statement("R5.2", f"{words.account(asked.owner)} settles {amount}, due at {due}")

    def calls(self) -> Iterator[Statement]:
        """What margin calls pay it, where they may take requests (SM1)."""
        if self.outlook is None:
            return
        paid = self.outlook.by_calls
        if paid.gives.amount:
            yield statement(
                "SM3",
                "At the end of the next block margin calls take it, due or not:"
                f" {self._payout(paid)}",
            )
            return
        worst = self.outlook.run.worst()
        if worst is None:
            return
        terms = self.outlook.run.terms
        calls_at = call_price(worst, terms.maintenance_ratio)
        at = f"{self.words.price(calls_at)} {self.words.unit(calls_at)}"
        if not is_at_maintenance(terms, worst):
            why = (
                f"the feed, {self.words.price(terms.settlement_price)}, is above the call price"
                f" {at} of {self.words.account(worst.borrower)}, the least collateralised; once it"
                " is not, and no bid will do, they take the oldest request"
            )
        else:
            why = f"a bid at or above the call price {at} is in the way, or older requests are"
        yield statement("SM3", f"No margin call takes it in the next block: {why}")
        yield statement("SM1", "As long as it waits nothing is settled as a black swan")

    def settlement(self, volume: Statement) -> Iterator[Statement]:
        """What is paid once it is due; `volume` says how much may be."""
        bitasset, words, outlook = self.bitasset, self.words, self.outlook
        is_off = bitasset.options.force_settlement_offset_percent == HUNDRED_PERCENT
        if not bitasset.has_feed() or is_off:
            yield statement("R5.4", "It is cancelled once it is due: nothing says at which price")
            return
        if outlook is not None and outlook.run.ending is Ending.BLACK_SWAN:
            text = "The asset is settled globally at the end of the next block, and it is cancelled"
            yield statement("R5.8", text)
            return
        yield volume
        if outlook is None or outlook.price is None or outlook.run.worst() is None:
            yield statement("R5.4", "It is cancelled once it is due: no position is left to pay it")
            return
        price = outlook.price
        text = (
            f"At the present feed it is paid at {words.price(price)} {words.unit(price)}, by the"
            " least collateralised positions"
        )
        if outlook.when_due is not None:
            text += f": were it due in the next block, {self._payout(outlook.when_due)}"
        yield statement("R5.5", text)
        median = bitasset.median_feed.settlement_price
        if is_above(price, forced_settlement_price(median, self._offset)):
            text = (
                f"The feed that pays it is above the median, {words.price(median)}"
                f" {words.unit(median)}, and follows the worst position or the pool"
            )
            yield statement("BS3", text)

    @property
    def _offset(self) -> int:
        return self.bitasset.options.force_settlement_offset_percent

    def _payout(self, paid: Payout) -> str:
        words = self.words
        if not paid.gives.amount:
            return "nothing of it within that volume"
        return f"{words.amount(paid.gets)} for {words.amount(paid.gives)}{self._by(paid.payers)}"

    def _by(self, payers: tuple[AccountId, ...]) -> str:
        names = ", ".join(self.words.account(one) for one in payers[:PAYERS_TOLD])
        more = len(payers) - PAYERS_TOLD
        return f", by {names}" + (f" and {count_of(more, 'other')}" if more > 0 else "")
