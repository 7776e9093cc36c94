"""Made-up blocks for the history: random operations, trades, feeds and margin calls, cheaply."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from node.history.block import HistoryTrace
from node.state.context import NO_RESULT, AppliedOperation
from node.state.events import (
    ChainEvent,
    FeedExpiredEvent,
    GloballySettledEvent,
    MarginCallEvent,
    MarketRunAbandonedEvent,
    MedianFeedEvent,
    RevivedEvent,
)
from node.state.objects.assets import NULL_FEED, FeedValues
from node.state.undo import Revision
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    LimitOrderId,
    LiquidityPoolId,
    ObjectId,
    object_id,
)
from protocol.operations.base import Operation
from protocol.operations.bitasset import BidCollateral
from protocol.operations.limit_order import FillOrder
from protocol.operations.liquidity_pool import (
    LiquidityPoolCreate,
    LiquidityPoolDeposit,
    LiquidityPoolExchange,
    LiquidityPoolUpdate,
    LiquidityPoolWithdraw,
)
from protocol.operations.results import (
    GenericExchangeOperationResult,
    GenericOperationResult,
    OperationResult,
    VoidResult,
)
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from tests.support.world import BLOCK_INTERVAL_S, GENESIS_TIME

ACCOUNTS = tuple(AccountId(number) for number in range(8))
MARKETS = ((AssetId(0), AssetId(1)), (AssetId(0), AssetId(2)), (AssetId(1), AssetId(2)))
BITASSETS = (AssetId(1), AssetId(2))
POOLS = tuple(LiquidityPoolId(number) for number in range(3))
POSITIONS = tuple(CallOrderId(number) for number in range(3))


@dataclass
class MadeHeader:
    timestamp: int


@dataclass
class MadeEnvelope:
    num: int
    id: BlockId
    header: MadeHeader
    transactions: list[object] = field(default_factory=list)


@dataclass
class MadeTrace:
    """A `HistoryTrace` of nothing but what the history reads."""

    envelope: MadeEnvelope
    operations: list[AppliedOperation] = field(default_factory=list)
    events: list[ChainEvent] = field(default_factory=list)
    revision: Revision | None = None

    def add(self, op: Operation, *, is_virtual: bool, result: OperationResult = NO_RESULT) -> None:
        place = len(self.operations)
        applied = AppliedOperation(op, place, 0, place, is_virtual=is_virtual, result=result)
        self.operations.append(applied)


def make_trace(random: Random, num: int, fork: int = 0) -> HistoryTrace:
    """A random block; blocks of one number differ by their fork."""
    block_id = BlockId(num.to_bytes(4, "big") + fork.to_bytes(16, "big"))
    header = MadeHeader(GENESIS_TIME + num * BLOCK_INTERVAL_S)
    trace = MadeTrace(MadeEnvelope(num, block_id, header))
    for _ in range(random.choice((0, 0, 1, 2, 5))):
        kinds = (_transfer, _transfer, _trade, _trade, _margin_call, _one_sided, _pool, _bid)
        random.choice(kinds)(random, trace)
    if random.random() < 0.3:
        trace.events.append(_asset_event(random))
    return trace  # type: ignore[return-value]


def _transfer(random: Random, trace: MadeTrace) -> None:
    sender, receiver = random.choices(ACCOUNTS, k=2)
    amount = AssetAmount(random.randrange(1, 10**6), AssetId(0))
    trace.add(Transfer(NO_FEE, sender, receiver, amount), is_virtual=False)


def _trade(random: Random, trace: MadeTrace) -> None:
    sold, wanted = random.sample(random.choice(MARKETS), 2)
    pays = AssetAmount(random.randrange(1, 10**6), sold)
    receives = AssetAmount(random.randrange(1, 10**6), wanted)
    price = Price(receives, pays)
    order = object_id(LimitOrderId, random.randrange(99))
    _fill(random, trace, order, pays, receives, price, is_maker=False)
    _fill(random, trace, order, receives, pays, price, is_maker=True)


def _pool(random: Random, trace: MadeTrace) -> None:
    """Something that was done with a pool, which need not fit what was done before."""
    pool, account = random.choice(POOLS), random.choice(ACCOUNTS)
    a, b, share = (AssetAmount(random.randrange(10**15), AssetId(number)) for number in range(3))
    fees = AssetAmount(random.randrange(10**6), b.asset_id), AssetAmount(3, b.asset_id)
    match random.randrange(6):
        case 0:
            op: Operation = LiquidityPoolDeposit(NO_FEE, account, pool, a, b)
            result: OperationResult = GenericExchangeOperationResult((a, b), (share,))
        case 1:
            op = LiquidityPoolWithdraw(NO_FEE, account, pool, share)
            result = GenericExchangeOperationResult((share,), (a, b), fees)
        case 2:
            op = LiquidityPoolExchange(NO_FEE, account, pool, a, b)
            result = GenericExchangeOperationResult((a,), (b,), (NO_FEE, *fees))
        case 3:
            op = LiquidityPoolExchange(NO_FEE, account, pool, b, a)
            result = GenericExchangeOperationResult((b,), (a,), (*fees, NO_FEE))
        case 4:
            op = LiquidityPoolUpdate(NO_FEE, account, pool, 5)
            result = VoidResult()
        case _:
            op = LiquidityPoolCreate(NO_FEE, account, a.asset_id, b.asset_id, share.asset_id, 5, 5)
            result = GenericOperationResult((object_id(LiquidityPoolId, pool),))
    trace.add(op, is_virtual=False, result=result)


def _bid(random: Random, trace: MadeTrace) -> None:
    """A collateral bid is made, or given up."""
    added = AssetAmount(random.randrange(1, 10**6), AssetId(0))
    debt = AssetAmount(random.choice((0, 5, 10**6)), random.choice(BITASSETS))
    trace.add(BidCollateral(NO_FEE, random.choice(ACCOUNTS), added, debt), is_virtual=False)


def _one_sided(random: Random, trace: MadeTrace) -> None:
    """A position that a global settlement closed."""
    debt = random.choice(BITASSETS)
    pays = AssetAmount(random.randrange(1, 10**6), AssetId(0))
    receives = AssetAmount(random.randrange(1, 10**6), debt)
    position = object_id(CallOrderId, random.choice(POSITIONS))
    _fill(random, trace, position, pays, receives, Price(receives, pays), is_maker=True)


def _margin_call(random: Random, trace: MadeTrace) -> None:
    debt = random.choice(BITASSETS)
    position, borrower = random.choice(POSITIONS), random.choice(ACCOUNTS)
    covered, paid = random.randrange(1, 10**6), random.randrange(10, 10**6)
    price = Price(AssetAmount(covered, debt), AssetAmount(paid, AssetId(0)))
    fee = random.randrange(5)
    pays, receives = AssetAmount(paid, AssetId(0)), AssetAmount(covered, debt)
    bid_receives = AssetAmount(paid - fee, AssetId(0))
    called, bid = object_id(CallOrderId, position), LimitOrderId(random.randrange(99))
    _fill(random, trace, called, pays, receives, price, is_maker=False)
    _fill(random, trace, object_id(LimitOrderId, bid), receives, bid_receives, price, is_maker=True)
    trace.events.append(
        MarginCallEvent(
            position,
            borrower,
            AssetAmount(covered + random.randrange(2), debt),
            AssetAmount(paid + random.randrange(100), AssetId(0)),
            _price(random, debt),
            1750,
            _price(random, debt),
            bid,
            random.choice(ACCOUNTS),
            price,
            receives,
            pays,
            AssetAmount(fee, AssetId(0)),
        )
    )


def _fill(
    random: Random,
    trace: MadeTrace,
    order: ObjectId,
    pays: AssetAmount,
    receives: AssetAmount,
    price: Price,
    *,
    is_maker: bool,
) -> None:
    fee = AssetAmount(0, receives.asset_id)
    account = random.choice(ACCOUNTS)
    op = FillOrder(fee, order, account, pays, receives, price, is_maker)
    trace.add(op, is_virtual=True)


def _asset_event(random: Random) -> ChainEvent:
    asset = random.choice(BITASSETS)
    kind = random.randrange(6)
    if kind == 0:
        return GloballySettledEvent(asset, _price(random, asset), random.randrange(10**9))
    if kind == 1:
        return RevivedEvent(asset, random.random() < 0.5)
    if kind == 2:
        return FeedExpiredEvent(asset)
    if kind == 3:
        return MarketRunAbandonedEvent(asset, "overflow")
    values = NULL_FEED if kind == 4 else _values(random, asset)
    return MedianFeedEvent(asset, values, GENESIS_TIME + random.randrange(99), random.randrange(9))


def _values(random: Random, asset: AssetId) -> FeedValues:
    return FeedValues(_price(random, asset), 1750, 1100, _price(random, asset), 1800)


def _price(random: Random, asset: AssetId) -> Price:
    base, quote = random.randrange(1, 10**6), random.randrange(1, 10**6)
    return Price(AssetAmount(base, asset), AssetAmount(quote, AssetId(0)))
