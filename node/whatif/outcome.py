"""What a simulation found: what happened, block by block, and what is different in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import NamedTuple, TypeVar, cast

import msgspec

from node.state.context import AppliedOperation
from node.state.database import State
from node.state.events import ChainEvent
from node.state.objects.accounts import AccountBalance
from node.state.objects.base import StateObject
from node.state.objects.market import CallOrder, ForceSettlement, LimitOrder
from node.state.table import Table
from node.state.undo import CREATE, REMOVE, Revision
from node.state.undo import Record as UndoRecord
from protocol.asset import Price
from protocol.errors import PegboardError
from protocol.ids import AccountId, AssetId, CallOrderId, ForceSettlementId, LimitOrderId
from protocol.schema import Record

K = TypeVar("K", bound=int)
T = TypeVar("T", bound=StateObject)
_Pair = tuple[T, T | None, T | None]
"""An object that was touched, as it was before, and as it is; None where it is not there."""


class BalanceChange(Record):
    """What an account holds of an asset, in smallest units."""

    account: AccountId
    asset_id: AssetId
    before: int
    after: int


class Standing(NamedTuple):
    """Debt and collateral of a position, in smallest units."""

    debt: int
    collateral: int


NOTHING = Standing(0, 0)
"""Of a position that is not there."""


class PositionChange(Record):
    """A position; `NOTHING` where it is not there."""

    position: CallOrderId
    borrower: AccountId
    debt_asset: AssetId
    collateral_asset: AssetId
    before: Standing
    after: Standing


class Offer(Record):
    """What a limit order sells, in smallest units, and at which price, sold / received."""

    for_sale: int
    sell_price: Price


class OrderChange(Record):
    """A limit order; None where it is not there."""

    order: LimitOrderId
    seller: AccountId
    before: Offer | None
    after: Offer | None


class SettlementChange(Record):
    """What a request wants settled, in smallest units; 0 where it is not there."""

    settlement: ForceSettlementId
    owner: AccountId
    asset_id: AssetId
    before: int
    after: int


class Difference(Record):
    """What differs between the state before and after, each object once, by ascending id."""

    balances: Sequence[BalanceChange] = ()
    positions: Sequence[PositionChange] = ()
    orders: Sequence[OrderChange] = ()
    settlements: Sequence[SettlementChange] = ()


class SimulatedBlock(Record, gc=True):
    """A block of a simulation; the last one is not whole when a limit ended it."""

    num: int
    time: int
    operations: Sequence[AppliedOperation]
    """Real and virtual operations, in the order in which they happened."""
    events: Sequence[ChainEvent]


class Refusal(NamedTuple):
    """A transaction of the plan that the chain refused, by the number of its step from 0."""

    step: int
    error: PegboardError


class Stopped(NamedTuple):
    """Which limit ended a simulation before it was through."""

    what: str
    """`operations`, `blocks`, `effects`; a shell that runs it adds `time` and `memory`."""
    limit: int


class Outcome(Record, gc=True):
    """What a simulation found, up to its end or to where a limit stopped it."""

    difference: Difference = msgspec.field(default_factory=Difference)
    blocks: Sequence[SimulatedBlock] = ()
    refusals: Sequence[Refusal] = ()
    stopped: Stopped | None = None


def difference_of(state: State, records: list[UndoRecord]) -> Difference:
    """What records of the undo log, oldest first, have made of the objects that people look at."""
    changes = sorted(Revision(records).changes(), key=lambda change: change.item.id)

    def pairs(table: Table[K, T]) -> Iterator[_Pair[T]]:
        for kind, of, item, old in changes:
            if of is table:
                known = cast(T, item)
                before = None if kind == CREATE else table.detached(old)
                yield known, before, None if kind == REMOVE else known

    balances = starmap(_balance, pairs(state.balances))
    positions = starmap(_position, pairs(state.call_orders))
    orders = starmap(_order, pairs(state.limit_orders))
    settlements = starmap(_settlement, pairs(state.force_settlements))
    return Difference(
        [one for one in balances if one.before != one.after],
        [one for one in positions if one.before != one.after],
        [one for one in orders if one.before != one.after],
        [one for one in settlements if one.before != one.after],
    )


def _balance(
    known: AccountBalance, before: AccountBalance | None, after: AccountBalance | None
) -> BalanceChange:
    return BalanceChange(
        known.owner,
        known.asset_type,
        before.balance if before else 0,
        after.balance if after else 0,
    )


def _position(
    known: CallOrder, before: CallOrder | None, after: CallOrder | None
) -> PositionChange:
    return PositionChange(
        known.id,
        known.borrower,
        known.debt_asset,
        known.collateral_asset,
        Standing(before.debt, before.collateral) if before else NOTHING,
        Standing(after.debt, after.collateral) if after else NOTHING,
    )


def _order(known: LimitOrder, before: LimitOrder | None, after: LimitOrder | None) -> OrderChange:
    return OrderChange(
        known.id,
        known.seller,
        Offer(before.for_sale, before.sell_price) if before else None,
        Offer(after.for_sale, after.sell_price) if after else None,
    )


def _settlement(
    known: ForceSettlement, before: ForceSettlement | None, after: ForceSettlement | None
) -> SettlementChange:
    return SettlementChange(
        known.id,
        known.owner,
        known.balance.asset_id,
        before.balance.amount if before else 0,
        after.balance.amount if after else 0,
    )
