"""What an explained position is told in sentences, each beside its rule."""

from __future__ import annotations

from collections.abc import Iterator

from node.explain.cut import Cut, Run
from node.explain.records import (
    ASSET_SETTLED,
    CALLED,
    NO_POSITION,
    PREDICTION_MARKET,
    SETTLED,
    SETTLED_ALONE,
    Outcome,
    PositionExplanation,
    Statement,
)
from node.explain.wording import Wording, change_text, statement
from node.market.margin_calls import Ending, is_acceptable, is_at_maintenance, is_within_reach
from node.market.pricing import call_price
from node.state.objects.governance import TRIGGER_FEED
from protocol.asset import AssetAmount, Price
from protocol.operations.bitasset_options import BlackSwanResponse
from protocol.wording import count_of, format_decimal

TAKEN = (CALLED, SETTLED, SETTLED_ALONE)
"""What happens to a position in the next block."""
IF_CALLED = {
    "next_block": "In that call it pays",
    "bids": "Called now by the bids that could, it would pay",
    "worst_price": "Called now at the worst price, it would pay",
}


def bare_statements(answer: PositionExplanation, words: Wording) -> Iterator[Statement]:
    """Why there is nothing to be called."""
    name, symbol = answer.account_name, words.symbol(answer.asset_id)
    if answer.status == ASSET_SETTLED:
        yield statement("R6.4", f"{symbol} is globally settled: it has no positions")
    elif answer.status == NO_POSITION:
        yield statement("R4.3", f"{name} has no position in {symbol}, so that nothing is called")
    elif answer.status == PREDICTION_MARKET:
        yield statement("R7.2", f"{symbol} is a prediction market: no position of it is called")
    else:
        yield statement("R4.1", f"{symbol} has no live price: no position of it is called")
    if answer.debt is not None and answer.collateral is not None:
        held = words.amount(answer.collateral)
        yield statement("R3.8", f"{name} owes {words.amount(answer.debt)} against {held}")


def position_statements(
    answer: PositionExplanation, cut: Cut, now: Run, words: Wording
) -> Iterator[Statement]:
    """The whole answer: what is, why, what would change it, and what it costs."""
    tell = _Telling(answer, cut, now, words)
    yield tell.standing()
    yield tell.status()
    yield from tell.order()
    yield from tell.next_feed()
    yield from tell.next_bid()
    yield from tell.if_called()
    yield from tell.settlement()


class _Telling:
    def __init__(self, answer: PositionExplanation, cut: Cut, now: Run, words: Wording) -> None:
        self.answer, self.cut, self.now, self.words = answer, cut, now, words
        self.terms = cut.terms
        self.calls_at = call_price(cut.subject, self.terms.maintenance_ratio)
        self.is_by_feed = cut.trigger == TRIGGER_FEED

    def price(self, price: Price) -> str:
        return self.words.price(price)

    @property
    def unit(self) -> str:
        return self.words.unit(self.terms.settlement_price)

    def standing(self) -> Statement:
        answer, words = self.answer, self.words
        assert answer.debt is not None
        assert answer.collateral is not None
        assert answer.collateral_ratio is not None
        return statement(
            "R1.9",
            f"{answer.account_name} owes {words.amount(answer.debt)} against"
            f" {words.amount(answer.collateral)}: a collateral ratio of"
            f" {format_decimal(answer.collateral_ratio, 3)}, where the MCR is"
            f" {format_decimal(self.terms.maintenance_ratio, 3)}",
        )

    def status(self) -> Statement:
        answer, now = self.answer, self.now
        if answer.status == CALLED:
            return statement("R4.2", f"Called at the end of the next block: {self._met(now)}")
        if answer.status == SETTLED_ALONE:
            return statement(
                "BS4",
                "Settled alone at the end of the next block: it owes more than its collateral"
                " fetches at the SQP,"
                f" {self.price(self.terms.median_protection_price)} {self.unit}, and at the highest"
                " bid; its debt goes on as that of a pool",
            )
        if answer.status == SETTLED:
            return statement(
                "R6.1",
                f"{self.words.symbol(answer.asset_id)} is settled as a whole at the end of the next"
                " block: the least collateralised position owes more than its collateral fetches"
                f" at the SQP, {self.price(self.terms.squeeze_protection_price)} {self.unit}, and"
                " at the highest bid",
            )
        return self._not_called()

    def _met(self, now: Run) -> str:
        least = self.price(self.terms.order_price)
        if now.first_bid is None:
            return (
                f"the feed, {self.price(self.terms.settlement_price)}, is at or below its call"
                f" price {self.price(self.calls_at)} {self.unit}, no bid will do, and a settlement"
                " request waits"
            )
        bid = self.price(now.first_bid)
        if self.is_by_feed:
            return (
                f"the feed, {self.price(self.terms.settlement_price)}, is at or below its call"
                f" price {self.price(self.calls_at)}, and a bid, {bid}, at or above {least}"
                f" {self.unit}, the worst that a call takes"
            )
        return (
            f"a bid, {bid}, is above {least}, the worst that a call takes, and below its call"
            f" price {self.price(self.calls_at)} {self.unit}"
        )

    def _not_called(self) -> Statement:
        cut, terms = self.cut, self.terms
        calls_at, least = self.price(self.calls_at), self.price(terms.order_price)
        if self.is_by_feed and not is_at_maintenance(terms, cut.subject):
            feed = self.price(terms.settlement_price)
            why = f"the feed, {feed}, is above its call price {calls_at} {self.unit}"
        elif not cut.bids:
            why = "there is no bid that it could be called by"
        else:
            bid = cut.bids[0].price
            if not is_within_reach(cut.trigger, terms, cut.subject, bid):
                why = f"the highest bid, {self.price(bid)}, is not below its call price {calls_at}"
            elif not is_acceptable(cut.trigger, terms, bid):
                relation = "below" if self.is_by_feed else "not above"
                why = (
                    f"the highest bid, {self.price(bid)}, is {relation} {least} {self.unit}, the"
                    " worst that a call takes"
                )
            elif self.now.ending is Ending.CANNOT_PAY:
                text = "Not called: rounding keeps a position from paying the highest bid"
                return statement("R4.9", text)
            else:
                return statement(
                    "R4.3", "Not called: positions before it use up the bids that could call it"
                )
        return statement("R4.2", f"Not called: {why}")

    def order(self) -> Iterator[Statement]:
        answer = self.answer
        before = answer.rank - 1
        if before == 0:
            text = (
                f"It is the least collateralised of {count_of(answer.position_count, 'position')}"
            )
        else:
            text = (
                f"{before:,} of {count_of(answer.position_count, 'position')}"
                f" {'stands' if before == 1 else 'stand'} before it; the"
                " least collateralised is called first"
            )
        yield statement("R4.3", text)
        if answer.target_collateral_ratio is not None:
            target = format_decimal(answer.target_collateral_ratio, 3)
            text = f"Its target ratio is {target}: a call covers only what lifts it above that"
            yield statement("R3.7", text)

    def next_feed(self) -> Iterator[Statement]:
        found, present = self.answer.next_feed, self.terms.settlement_price
        if self.answer.status in TAKEN:
            return
        if found is None:
            ahead = self.cut.positions[: self.cut.rank]
            is_sure = (
                self.cut.is_whole
                and not self.cut.requests
                and not any(one.target_collateral_ratio for one in ahead)
            )
            calls = "calls it" if is_sure else "was found that calls it"
            text = f"No feed {calls} as the bids are"
            if self.cut.bids and self.cut.rank == 0 and not self.is_by_feed:
                text += ": a bid that is not below its call price calls nobody"
            yield statement("R4.2", text)
            return
        change = change_text(present, found.price)
        rule, event = {
            CALLED: ("R4.2", "calls it"),
            SETTLED_ALONE: ("BS4", "settles it alone"),
        }.get(found.happens, ("R6.1", "settles the whole asset"))
        text = (
            f"A median feed of {self.price(found.price)} {self.unit} or less {event}"
            f" ({change} % from now, all else as it is): it pays {self._outcome(found.outcome)}"
        )
        if not found.is_exact:
            text += "; a somewhat higher feed may do it too"
        yield statement(rule, text)

    def next_bid(self) -> Iterator[Statement]:
        bid = self.answer.next_bid
        if bid is None or self.answer.status in TAKEN:
            return
        least = self.price(bid.above)
        if not bid.is_possible:
            calls_at = f"its call price {self.price(self.calls_at)}"
            text = (
                f"No bid calls it as long as the feed is above {calls_at}"
                if self.is_by_feed
                else f"No bid calls it at this feed: {calls_at} is not above {least} {self.unit},"
                " the worst that a call takes"
            )
            yield statement("R4.2", text)
            return
        if bid.below is None:
            text = f"A highest bid of at least {least} {self.unit} calls it"
        else:
            text = (
                f"A highest bid above {least} and below {self.price(bid.below)} {self.unit} calls"
                " it"
            )
        if bid.bids_in_the_way:
            text += (
                f"; {count_of(bid.bids_in_the_way, 'bid')} of"
                f" {self.words.amount(bid.amount_in_the_way)} at or above its call price"
                f" {'has' if bid.bids_in_the_way == 1 else 'have'} to go first"
            )
        if bid.amount_waiting.amount:
            text += f"; {self.words.amount(bid.amount_waiting)} are bid there now"
        yield statement("R4.2", text)
        if bid.is_swan_without_bids:
            symbol = self.words.symbol(self.answer.asset_id)
            is_alone = self.terms.response is not BlackSwanResponse.GLOBAL_SETTLEMENT
            text = "it is settled alone" if is_alone else f"all {symbol} is settled"
            text = f"If the bids go, {text}: a position cannot pay at the SQP"
            yield statement("BS4" if is_alone else "R6.1", text)
        if bid.debt_ahead.amount:
            owed = self.words.amount(bid.debt_ahead)
            yield statement("R4.3", f"Positions before it owe {owed}, which is bought first")

    def if_called(self) -> Iterator[Statement]:
        answer = self.answer
        if answer.status in (SETTLED, SETTLED_ALONE) and answer.if_called is not None:
            text = f"It pays {self._outcome(answer.if_called)}"
            yield statement("R6.2" if answer.status == SETTLED else "BS5", text)
        elif answer.if_called is not None:
            begin = IF_CALLED[answer.if_called_by]
            yield statement("R4.5", f"{begin} {self._outcome(answer.if_called)}")

    def settlement(self) -> Iterator[Statement]:
        found, words = self.answer.settlement, self.words
        if found is None:
            yield statement("R5.4", "Settlements take nothing from it: their offset is 100 %")
            return
        text = (
            f"A settlement now pays {self.price(found.price)} {self.unit}: of all its debt,"
            f" {self._outcome(found.whole)}"
        )
        yield statement("R5.5", text)
        pool, terms = self.cut.pool, self.terms
        if pool.debt and terms.response is BlackSwanResponse.INDIVIDUAL_SETTLEMENT_TO_FUND:
            debt = words.amount(AssetAmount(pool.debt, found.whole.debt_covered.asset_id))
            fund = words.amount(AssetAmount(pool.fund, found.whole.collateral_paid.asset_id))
            text = f"New settlements first redeem {debt} from a pool of {fund}"
            yield statement("BS9", text)
        if found.debt_ahead.amount:
            ahead = words.amount(found.debt_ahead)
            text = f"Before a settlement reaches it, {ahead} of others are settled"
            yield statement("R5.4", text)
        matched = sum(fill.gives for fill in self.now.request_fills)
        if matched:
            taken = words.amount(AssetAmount(matched, found.requested.asset_id))
            text = f"Margin calls take {taken} of the requests that wait at the end of this block"
            yield statement("SM3", text)
        elif found.requests:
            text = (
                f"{count_of(found.requests, 'request')} of {words.amount(found.requested)}"
                f" {'waits' if found.requests == 1 else 'wait'}, of which"
                f" {words.amount(found.volume_left)} may be settled before the next maintenance;"
                f" from this position they would take {self._outcome(found.by_requests)}"
            )
            yield statement("R5.4", text)

    def _outcome(self, outcome: Outcome) -> str:
        words = self.words
        fee = f", a fee of {words.amount(outcome.fee)} included," if outcome.fee.amount else ""
        paid, covered = words.amount(outcome.collateral_paid), words.amount(outcome.debt_covered)
        left = words.amount(outcome.collateral_left)
        if outcome.debt_left.amount == 0:
            end = f"{left} return to its owner"
        else:
            end = f"{words.amount(outcome.debt_left)} against {left} stay"
        return f"{paid}{fee} for {covered}, and {end}"
