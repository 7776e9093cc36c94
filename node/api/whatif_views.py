"""Simulations and shocks as answers of the API, no longer than an answer may be that comes late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from node.api.backend import ApiBackend
from node.api.json_text import write_json
from node.api.rpc import plain_value
from node.api.views import Json, view_amount, view_operation, view_price, view_record, view_result
from node.market.pricing import price_of_call
from node.state.events import (
    ChainEvent,
    FeedExpiredEvent,
    GloballySettledEvent,
    IndividuallySettledEvent,
    MarginCallEvent,
    MarketRunAbandonedEvent,
    MedianFeedEvent,
    RevivedEvent,
)
from node.whatif.outcome import (
    BalanceChange,
    Difference,
    Offer,
    OrderChange,
    Outcome,
    PositionChange,
    Refusal,
    SettlementChange,
    Standing,
)
from node.whatif.shock import Aftermath, ShockOutcome
from protocol.asset import AssetAmount, Price
from protocol.ids import (
    AssetId,
    account_text,
    order_text,
    position_text,
)
from protocol.json_form import JsonValue, format_time

ANSWER_BYTES_MAX = 700_000
"""What is longer than anybody reads is cut."""

T = TypeVar("T")

EVENT_NAMES: dict[type, str] = {
    MarginCallEvent: "margin_call",
    GloballySettledEvent: "global_settlement",
    IndividuallySettledEvent: "individual_settlement",
    RevivedEvent: "revival",
    FeedExpiredEvent: "feed_expired",
    MarketRunAbandonedEvent: "margin_calls_abandoned",
    MedianFeedEvent: "feed",
}


def written_within(view: Callable[[int], JsonValue], limit: int) -> bytes:
    """The text of a view whose lists have so many items at most, or fewer if it is too long."""
    while len(text := write_json(view(limit))) > ANSWER_BYTES_MAX and limit:
        limit //= 2
    return text


class OutcomeViews:
    """Views that tell at most so many items of each list."""

    def __init__(self, backend: ApiBackend, limit: int) -> None:
        self.backend = backend
        self.limit = limit

    def outcome(self, outcome: Outcome) -> Json:
        """All that a simulation found; `counts` is how much there is of what lists may cut."""
        difference = outcome.difference
        operations = [(block, one) for block in outcome.blocks for one in block.operations]
        events = [(block, event) for block in outcome.blocks for event in block.events]
        counts: Json = {
            "blocks": len(outcome.blocks),
            "operations": len(operations),
            "events": len(events),
            "refusals": len(outcome.refusals),
        }
        counts |= {name: len(getattr(difference, name)) for name in Difference.__struct_fields__}
        return {
            "stopped": self.stopped(outcome),
            "counts": counts,
            "blocks": self.some(
                outcome.blocks,
                lambda block: {"block_num": block.num, "time": format_time(block.time)},
            ),
            "operations": self.some(
                operations,
                lambda pair: {
                    "block_num": pair[0].num,
                    "op": view_operation(self.backend, pair[1].op),
                    "result": view_result(self.backend, pair[1].result),
                    "trx_in_block": pair[1].trx_in_block,
                    "op_in_trx": pair[1].op_in_trx,
                    "virtual_op": pair[1].virtual_op,
                    "is_virtual": pair[1].is_virtual,
                },
            ),
            "events": self.some(
                events, lambda pair: {"block_num": pair[0].num} | self.event(pair[1])
            ),
            "refusals": self.some(outcome.refusals, self.refusal),
            "balances": self.some(difference.balances, self.balance),
            "positions": self.some(difference.positions, self.position),
            "orders": self.some(difference.orders, self.order),
            "settlements": self.some(difference.settlements, self.settlement),
        }

    def some(self, items: Sequence[T], view: Callable[[T], Json]) -> list[JsonValue]:
        """The first items of a list."""
        return [view(item) for item in items[: self.limit]]

    def stopped(self, outcome: Outcome) -> JsonValue:
        """Which limit ended it (T-A2), or null."""
        if outcome.stopped is None:
            return None
        return {"what": outcome.stopped.what, "limit": outcome.stopped.limit, "rule": "T-A2"}

    def refusal(self, refusal: Refusal) -> Json:
        """What the chain refused, by the number of its step from 0."""
        error = refusal.error
        return {
            "step": refusal.step,
            "name": error.name,
            "what": error.what,
            "rule": error.rule,
            "value": plain_value(error.value),
            "limit": plain_value(error.limit),
            "unit": error.unit,
        }

    def event(self, event: ChainEvent) -> Json:
        """What the chain did by itself, as the history tells it."""
        return {"event": EVENT_NAMES[type(event)]} | view_record(self.backend, event)

    def amount(self, amount: int, asset_id: AssetId) -> JsonValue:
        """An amount in smallest units."""
        return view_amount(self.backend, AssetAmount(amount, asset_id))

    def balance(self, change: BalanceChange) -> Json:
        return {
            "account": account_text(change.account),
            "account_name": self.backend.state.accounts.get(change.account).name,
            "before": self.amount(change.before, change.asset_id),
            "after": self.amount(change.after, change.asset_id),
        }

    def position(self, change: PositionChange) -> Json:
        def standing(found: Standing) -> JsonValue:
            return {
                "debt": self.amount(found.debt, change.debt_asset),
                "collateral": self.amount(found.collateral, change.collateral_asset),
            }

        return {
            "position": position_text(change.position),
            "borrower": account_text(change.borrower),
            "borrower_name": self.backend.state.accounts.get(change.borrower).name,
            "before": standing(change.before),
            "after": standing(change.after),
        }

    def order(self, change: OrderChange) -> Json:
        def offer(found: Offer | None) -> JsonValue:
            if found is None:
                return None
            return {
                "for_sale": self.amount(found.for_sale, found.sell_price.base.asset_id),
                "sell_price": view_price(self.backend, found.sell_price),
            }

        return {
            "order": order_text(change.order),
            "seller": account_text(change.seller),
            "before": offer(change.before),
            "after": offer(change.after),
        }

    def settlement(self, change: SettlementChange) -> Json:
        return {
            "settlement": str(self.backend.state.force_settlements.object_id(change.settlement)),
            "owner": account_text(change.owner),
            "before": self.amount(change.before, change.asset_id),
            "after": self.amount(change.after, change.asset_id),
        }

    def shock(self, asset_id: AssetId, backing: AssetId, found: ShockOutcome) -> Json:
        """One shock: the market before and after it, who is called, in which order."""
        swan = found.global_settlement
        return {
            "stopped": self.stopped(found.outcome),
            "before": self.market(asset_id, found.before),
            "after": self.market(asset_id, found.after),
            "called": found.called,
            "call_count": len(found.calls),
            "debt_covered": self.amount(found.debt_covered, asset_id),
            "collateral_paid": self.amount(found.collateral_paid, backing),
            "margin_call_fees": self.amount(found.fees, backing),
            "global_settlement": None if swan is None else self.event(swan),
            "settled_alone_count": len(found.settled_alone),
            "settled_alone": self.some(found.settled_alone, self.event),
            "calls": self.some(found.calls, self.call),
            "refusals": self.some(found.outcome.refusals, self.refusal),
        }

    def call(self, event: MarginCallEvent) -> Json:
        """A margin call, with what is left of the position, and the price that called it."""
        return view_record(self.backend, event) | {
            "account_name": self.backend.state.accounts.get(event.account).name,
            "call_price": view_price(
                self.backend,
                price_of_call(
                    event.debt_before, event.collateral_before, event.maintenance_collateral_ratio
                ),
            ),
            "debt_after": view_amount(self.backend, event.debt_after),
            "collateral_after": view_amount(self.backend, event.collateral_after),
            "is_closed": event.debt_after.amount == 0,
        }

    def market(self, asset_id: AssetId, market: Aftermath) -> Json:
        """How a market stands; prices are BitAsset per backing."""
        values, worst = market.values, market.worst

        def price(found: Price | None) -> JsonValue:
            return None if found is None or found.is_null() else view_price(self.backend, found)

        return {
            "settlement_price": price(values.settlement_price),
            "maintenance_collateral_ratio": values.maintenance_collateral_ratio,
            "maximum_short_squeeze_ratio": values.maximum_short_squeeze_ratio,
            "squeeze_protection_price": price(market.squeeze_protection_price),
            "highest_bid": price(market.highest_bid),
            "supply": self.amount(market.supply, asset_id),
            "position_count": market.positions,
            "below_maintenance": market.below_maintenance,
            "debt_below_maintenance": self.amount(market.debt_below, asset_id),
            "worst_redemption": None
            if worst is None
            else {
                "price": view_price(self.backend, worst.price),
                "from_fund": worst.from_fund,
                "for_one": view_amount(self.backend, worst.for_one),
            },
        }
