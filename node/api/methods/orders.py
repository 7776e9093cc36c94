"""API `orders`: the depth of a market, by groups of like prices."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from node.api.arguments import AssetArg, at_most, integer
from node.api.call import Answer, Call
from node.api.order_book import orders_of
from node.api.views import view_price, wide_integer
from protocol.asset import Price
from protocol.constants import HUNDRED_PERCENT
from protocol.json_form import JsonValue

TRACKED_GROUPS = (10, 100)
"""How far prices of one group may lie apart, over 10,000."""
ORDERS_MAX = 10_000
"""Orders that one answer looks at, from the best on."""

GroupLimit = Annotated[int, at_most(101)]
Group = Annotated[int, integer(1, HUNDRED_PERCENT)]


def get_tracked_groups(call: Call) -> Answer:
    """The widths of groups that clients choose from; any other works as well."""
    return list(TRACKED_GROUPS)


def get_grouped_limit_orders(
    call: Call, base: AssetArg, quote: AssetArg, group: Group, limit: GroupLimit = 101
) -> Answer:
    """Orders that sell the base, the best prices first, those of like price added up."""
    answer: list[JsonValue] = []
    best: Price | None = None
    worst: Price | None = None
    total = 0
    for order in islice(orders_of(call.backend, base.id, quote.id), ORDERS_MAX):
        if best is None or worst is None or not _belongs(order.sell_price, best, group):
            if best is not None and worst is not None:
                answer.append(_view_group(call, worst, best, total))
            if len(answer) >= limit:
                return answer
            best, total = order.sell_price, 0
        worst = order.sell_price
        total += order.for_sale
    if best is not None and worst is not None and len(answer) < limit:
        answer.append(_view_group(call, worst, best, total))
    return answer


def _belongs(price: Price, best: Price, group: int) -> bool:
    """Whether a price is at least `best / (1 + group / 10,000)`."""
    scaled = price.base.amount * best.quote.amount * (HUNDRED_PERCENT + group)
    return scaled >= best.base.amount * price.quote.amount * HUNDRED_PERCENT


def _view_group(call: Call, lowest: Price, highest: Price, total: int) -> JsonValue:
    return {
        "min_price": view_price(call.backend, lowest),
        "max_price": view_price(call.backend, highest),
        "total_for_sale": wide_integer(total),
    }


METHODS = (get_tracked_groups, get_grouped_limit_orders)
