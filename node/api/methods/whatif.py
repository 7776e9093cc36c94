"""API `pegboard`: what would happen, tried on the chain as it is now, which stays as it is.

It is worked out aside, so that the node goes on meanwhile. Limits end what is too much work
(T-A2); `stopped` says so, beside what was found until then. Lists tell `limit` items at most.
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import AssetArg, at_most, draft_of, list_of
from node.api.call import Answer, Call
from node.api.errors import InvalidParams
from node.api.moments import parse_moment
from node.api.views import Json
from node.api.whatif_views import OutcomeViews, written_within
from node.whatif.plan import LIMITS, MakeBlockAt, MakeBlocks, Step, Transact, check_plan
from node.whatif.shock import NewBid, Shock, backing_of, try_shock
from node.whatif.simulate import Guard
from node.whatif.simulate import simulate as try_plan
from protocol.asset import AssetAmount, Price
from protocol.ids import AccountId, asset_text
from protocol.operations.base import TaggedOperation
from protocol.schema import MAX_TIMESTAMP, Int64, Record, UInt16, UInt32

STEPS_MAX = 200
SHOCKS_MAX = 50
ITEMS_MAX = 1_000


class SimulationStep(Record):
    """One of these: operations, which are one transaction, so many blocks, or a block at a time."""

    operations: tuple[TaggedOperation, ...] | None = None
    """Unsigned. One whose fee is 0, or not there, pays the required fee."""
    fee_free: bool = False
    """The operations pay none."""
    blocks: UInt32 | None = None
    """At the next slots; the first takes the operations before it."""
    time: str | None = None
    """UTC, or from the head on: +90s, +15m, +1h, +2d. Slots before it stay empty."""


class ShockBid(Record):
    """A bid that comes: BitAsset for backing."""

    sells: AssetAmount
    wants: AssetAmount
    account: AccountId | None = None
    """Absent: whoever holds most of the BitAsset."""


class MarketShock(Record):
    """What happens to the market of a BitAsset before the next boundary."""

    feed_change: Int64 = 0
    """How much each published price moves, in hundredths of a percent: -3000 is a fall by 30 %."""
    feed: Price | None = None
    """The price that all publish instead, BitAsset per backing."""
    take_bids: UInt16 = 0
    """The share of the volume of all bids, over 10,000, that the best of them lose."""
    add_bids: tuple[ShockBid, ...] = ()


Items = Annotated[int, at_most(ITEMS_MAX)]
Steps = Annotated[list[SimulationStep], list_of(draft_of("step", SimulationStep), STEPS_MAX)]
Shocks = Annotated[list[MarketShock], list_of(draft_of("shock", MarketShock), SHOCKS_MAX)]


def simulate(call: Call, steps: Steps, limit: Items = 100) -> Answer:
    """What operations, blocks and time would do on top of what is pending: the difference of
    balances, positions, orders and settlement requests, each with `before` and `after`, all
    operations and events in their order, and the refusals with step and rule.

    Without a step for blocks, one block is made. `counts` tells how much there is of each list.
    """
    plan = [_step(call, number, step) for number, step in enumerate(steps)]
    check_plan(plan, LIMITS)
    head = _head(call)

    def work(guard: Guard) -> bytes:
        found = try_plan(call.backend.chain, plan, guard=guard)
        return written_within(
            lambda items: head | OutcomeViews(call.backend, items).outcome(found), limit
        )

    return call.services.ask_aside(call.session, work)


def shock(call: Call, asset: AssetArg, shocks: Shocks, limit: Items = 100) -> Answer:
    """What each of some shocks would do to a BitAsset in the next block, each on the chain as it
    is: who is called, in which order, at which price, volume and fees, whether it is settled
    globally, and the least that a holder could redeem for.

    `before` and `after` are the market before and after; prices are BitAsset per backing.
    """
    chosen = [_shock(one) for one in shocks]
    for one in chosen:
        one.check()
    backing = backing_of(call.state, asset.id)
    head = _head(call) | {"asset_id": asset_text(asset.id), "backing_asset_id": asset_text(backing)}

    def work(guard: Guard) -> bytes:
        chain = call.backend.chain
        found = [try_shock(chain, asset.id, one, guard=guard) for one in chosen]

        def view(items: int) -> Json:
            views = OutcomeViews(call.backend, items)
            return head | {"shocks": [views.shock(asset.id, backing, one) for one in found]}

        return written_within(view, limit)

    return call.services.ask_aside(call.session, work)


def _head(call: Call) -> Json:
    head = call.state.dynamic
    return {"head_block_number": head.head_block_number, "head_block_id": head.head_block_id.hex()}


def _step(call: Call, number: int, step: SimulationStep) -> Step:
    kinds = [step.operations is not None, step.blocks is not None, step.time is not None]
    if sum(kinds) == 1:
        if step.operations is not None:
            return Transact(step.operations, step.fee_free)
        if step.blocks:
            return MakeBlocks(step.blocks)
        if step.time is not None:
            time_s = parse_moment(step.time).after(call.state.dynamic.time)
            if time_s <= MAX_TIMESTAMP:
                return MakeBlockAt(time_s)
    raise InvalidParams(
        f"step {number} is none: one of operations, blocks above 0, a time before 2106",
        value=sum(kinds),
        limit=1,
    )


def _shock(form: MarketShock) -> Shock:
    bids = tuple(NewBid(bid.sells, bid.wants, bid.account) for bid in form.add_bids)
    return Shock(form.feed_change, form.feed, form.take_bids, bids)


METHODS = (simulate, shock)
