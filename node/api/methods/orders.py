"""API `orders`: the depth of a market, by groups of like prices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from node.api.arguments import PRICE, AssetArg, at_most, integer
from node.api.call import Answer, Call
from node.api.order_book import check_market, orders_of
from node.api.views import view_price, wide_integer
from node.state.objects.market import LimitOrder
from protocol.asset import Price
from protocol.constants import HUNDRED_PERCENT
from protocol.json_form import JsonValue
from protocol.schema import Mutable

TRACKED_GROUPS = (10, 100)
"""How far prices of one group may lie apart, over 10,000."""
ORDERS_MAX = 10_000
"""Orders that one answer looks at, from the best on."""

GroupLimit = Annotated[int, at_most(101)]
OptionalPrice = Annotated[Price | None, PRICE]
GroupWidth = Annotated[int, integer(1, HUNDRED_PERCENT)]


class Group(Mutable):
    """Orders of like price."""

    best: Price
    worst: Price
    for_sale: int


def get_tracked_groups(call: Call) -> Answer:
    """The widths of groups that clients choose from; any other works as well."""
    return list(TRACKED_GROUPS)


def get_grouped_limit_orders(
    call: Call,
    base: AssetArg,
    quote: AssetArg,
    group: GroupWidth,
    start: OptionalPrice = None,
    limit: GroupLimit = 101,
) -> Answer:
    """Orders that sell the base, the best prices first, those of like price added up.

    They begin with the first group that reaches down to `start`, if that is given.
    """
    if start is not None:
        check_market(start, base, quote)
    orders = islice(orders_of(call.backend, base.id, quote.id), ORDERS_MAX)
    found = (
        item for item in _groups(orders, group) if start is None or not start.is_less(item.worst)
    )
    return [_view_group(call, item) for item in islice(found, limit)]


def _groups(orders: Iterator[LimitOrder], width: int) -> Iterator[Group]:
    """Orders in groups; a group ends before the first price that lies too far from its best."""
    current: Group | None = None
    for order in orders:
        price = order.sell_price
        if current is None or not _belongs(price, current.best, width):
            if current is not None:
                yield current
            current = Group(price, price, 0)
        current.worst = price
        current.for_sale += order.for_sale
    if current is not None:
        yield current


def _belongs(price: Price, best: Price, width: int) -> bool:
    """Whether a price is at least `best / (1 + width / 10,000)`."""
    scaled = price.base.amount * best.quote.amount * (HUNDRED_PERCENT + width)
    return scaled >= best.base.amount * price.quote.amount * HUNDRED_PERCENT


def _view_group(call: Call, group: Group) -> JsonValue:
    return {
        "min_price": view_price(call.backend, group.worst),
        "max_price": view_price(call.backend, group.best),
        "total_for_sale": wide_integer(group.for_sale),
    }


METHODS = (get_tracked_groups, get_grouped_limit_orders)
