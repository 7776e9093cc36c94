"""The answers: what each field means stands here, JSON and its schema follow.

Amounts are in smallest units, prices debt per backing unless their fields say otherwise. A field
that may be None is left out of JSON when it is.
"""

from __future__ import annotations

from protocol.asset import AssetAmount, Price
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    ForceSettlementId,
    LimitOrderId,
    ObjectId,
    OperationHistoryId,
)
from protocol.operations.base import TaggedOperation
from protocol.schema import Int64, PublicKey, Record, Timestamp, UInt16, UInt32

CALLED = "called"
SETTLED = "settled_globally"
SETTLED_ALONE = "settled_individually"
NOT_CALLED = "not_called"
NO_FEED = "no_feed"
ASSET_SETTLED = "asset_settled_globally"
PREDICTION_MARKET = "prediction_market"
NO_POSITION = "none"


class Statement(Record):
    """A sentence with the numbers at hand, and the rule that makes it true."""

    text: str
    """Amounts, prices and names as people write them."""
    rule: str
    """The id of the rule; `pegboard rule ID` prints it."""
    rule_says: str
    """The rule's own first sentence."""


class PriceLine(Record):
    """The prices that decide about a position, to be drawn on one line; debt per backing."""

    settlement_price: Price
    """SP, the median feed."""
    squeeze_protection_price: Price
    """SQP: no call pays more, fee included (R1.7)."""
    margin_call_order_price: Price
    """MCOP: the worst bid that a call takes; SQP where there is no margin call fee (R1.8)."""
    call_price: Price
    """Of the position (R1.10)."""
    highest_bid: Price | None
    """The best resting order that sells the BitAsset for its backing."""


class Outcome(Record, gc=True):
    """What a position gives up, and what is left of it."""

    debt_covered: AssetAmount
    collateral_paid: AssetAmount
    """The fee included."""
    fee: AssetAmount
    """Margin call fee, or the premium of a black swan."""
    debt_left: AssetAmount
    collateral_left: AssetAmount
    """Stays in the position, or returns to its owner where no debt is left."""


class FeedThreshold(Record):
    """The highest median feed at which a position is taken, all else as it is."""

    price: Price
    """At this settlement price it is, at none above it."""
    happens: str
    """"called" (R4.2, SM3), "settled_globally" (R6.1) or "settled_individually" (BS5)."""
    is_exact: bool
    """False where the search was cut short, where a position that is called before has a target
    ratio, which is measured at the feed, or where calls may take settlement requests, which are
    paid by it: a somewhat higher feed may then take this one too."""
    calls_before: UInt32
    """Fills of margin calls that come before this position's first one."""
    outcome: Outcome
    """What the position then pays in that block, by the bids that rest now."""


class BidThreshold(Record):
    """Which highest bid calls a position at the present feed (R4.2)."""

    above: Price
    """MCOP. A bid must be above it, under the trigger "feed" it may also be at it."""
    below: Price | None
    """The call price, under the trigger "bid": a bid must be below it."""
    is_possible: bool
    """Whether any bid can do it."""
    bids_in_the_way: UInt32
    """Bids at or above the call price, which have to go first; 0 under the trigger "feed"."""
    amount_in_the_way: AssetAmount
    """What those bids sell."""
    amount_waiting: AssetAmount
    """What bids sell that already could call it."""
    debt_ahead: AssetAmount
    """What a bid has to buy of positions that are called before."""
    is_swan_without_bids: bool
    """Whether there is a black swan if the bids go: the least collateralised position cannot pay at
    the SQP (R6.1, BS4). A bid at which it cannot pay either does not help."""


class SettlementOutcome(Record):
    """What forced settlements take from a position at the present feed (R5.4, R5.5)."""

    price: Price
    """What a settlement pays: SP / (1 - offset), or debt / collateral where there is no more."""
    whole: Outcome
    """When all of its debt is settled."""
    debt_ahead: AssetAmount
    """What has to be settled of positions before it."""
    requests: UInt32
    """Requests that wait."""
    requested: AssetAmount
    """What they ask for."""
    volume_left: AssetAmount
    """What may still be settled before the next maintenance."""
    by_requests: Outcome
    """What those requests take from it, were they all due now, within that volume."""


class PastCall(Record):
    """A margin call that happened: one fill of a position (R4.7)."""

    position: CallOrderId
    block_num: UInt32
    block_time: Timestamp
    operation: OperationHistoryId
    """The position's side of the fill."""
    trigger: str
    """"bid" or "feed"."""
    settlement_price: Price
    margin_call_order_price: Price
    """MCOP at that time."""
    call_price: Price
    """That the position had."""
    bid: LimitOrderId | None
    """None where a settlement request took the place of a bid."""
    request: ForceSettlementId | None
    bid_price: Price
    """What the bid or request got, debt per backing."""
    outcome: Outcome
    statement: Statement


class PositionExplanation(Record):
    """A position: called or not, why, and what would change that."""

    account: AccountId
    account_name: str
    asset_id: AssetId
    backing_asset_id: AssetId
    trigger: str
    """"bid" or "feed": the chain's margin call trigger (R4.2)."""
    status: str
    """"called", "settled_globally" or "settled_individually": by the end of the next block, if
    nothing else happens.
    "not_called"; "no_feed"; "asset_settled_globally"; "prediction_market"; "none": no position."""
    statements: tuple[Statement, ...]
    """The whole answer in sentences, the most important one first."""
    position: CallOrderId | None
    """None where the account has no position in the asset; then nothing that follows is there."""
    debt: AssetAmount | None
    collateral: AssetAmount | None
    target_collateral_ratio: UInt16 | None
    """Over 1,000."""
    rank: UInt32
    """Its place among all positions, the least collateralised being 1; 0 without a position."""
    position_count: UInt32
    collateral_ratio: Int64 | None
    """At the settlement price, over 1,000, rounded down; None without a feed."""
    prices: PriceLine | None
    """None without a feed."""
    next_feed: FeedThreshold | None
    """None where it is called already, or no feed was found that calls it as the bids are."""
    next_bid: BidThreshold | None
    if_called: Outcome | None
    """What it pays and keeps if it is called now: what the end of the next block does where
    `status` says so, else by the bids that could call it, else at the worst price. None where it
    could not pay that."""
    if_called_by: str
    """"next_block", "bids", "worst_price", or "" where `if_called` is None."""
    settlement: SettlementOutcome | None
    """None without a feed, or where settlements are switched off."""
    past: tuple[PastCall, ...]
    """The newest margin calls of the account's positions in the asset, the newest first."""


class Remedy(Record):
    """One change with which a refused transaction would pass, as far as its refused operation."""

    text: str
    field: str
    """What to change: a field of the operation, by its path; "expiration", "ref_block_num" or
    "signatures" of the transaction. Or what has to be there: "balance", "feeds". "time" is to wait,
    "proposal" to propose it; "" where others act first, or another operation does it."""
    amount: AssetAmount | None = None
    """The field's least or greatest amount; of a balance what is missing."""
    operation: TaggedOperation | None = None
    """To be sent in place of the refused one."""
    before: tuple[TaggedOperation, ...] = ()
    """What others do first."""
    accounts: tuple[AccountId, ...] = ()
    """Who has to act: to sign, to pay in, to publish, or to do what comes before."""
    keys: tuple[PublicKey, ...] = ()
    """All keys that have to sign, and no others; the fewest that were found."""
    time: Timestamp | None = None
    """An expiration, or when to try again."""


class Refusal(Record):
    """Why a transaction is refused, and what would make it pass."""

    name: str
    what: str
    rule: str
    """"" where it breaks the form and no rule."""
    rule_says: str
    value: str | None
    """What was found, in the unit of the rule."""
    limit: str | None
    """What is allowed."""
    unit: str
    """What value and limit count: smallest units of the asset of this id, or a word."""
    operation: UInt32 | None
    """Which operation is refused, from 0, where that can be told."""
    remedies: tuple[Remedy, ...]


class TransactionExplanation(Record):
    """Whether a transaction would be taken now."""

    passes: bool
    refusal: Refusal | None


class Payout(Record):
    """What a settlement request gives and gets, its fees not taken off."""

    gives: AssetAmount
    gets: AssetAmount
    payers: tuple[AccountId, ...]
    """Whose positions pay it, the first one first."""


class OrderExplanation(Record):
    """What rests and waits: an order, a settlement request, a collateral bid. Or what became of
    an order or a request that is gone, step by step; then nothing is before it."""

    id: ObjectId
    owner: AccountId
    amount: AssetAmount
    """What it sells, settles, or takes over of debt."""
    before: UInt32
    """How many of its kind come before it."""
    amount_before: AssetAmount
    """What those sell, settle or take over."""
    statements: tuple[Statement, ...]
    by_calls: Payout | None = None
    """Of a request, where calls may take one: what margin calls pay it at the end of the next
    block, if nothing else happens (SM3)."""
    when_due: Payout | None = None
    """Of a request: what it would then be paid, were it due by then (R5.5). None where it would be
    cancelled."""


class Effect(Record):
    """One thing that happened: an operation, of somebody or the chain, or a turn of a BitAsset."""

    is_virtual: bool
    """Whether the chain did it by itself."""
    text: str
    rule: str
    rule_says: str
    operation: OperationHistoryId | None = None
    """None of a turn, which no operation records."""
    trx_in_block: UInt16 | None = None
    """Of an operation of a transaction: which one."""
    explanation: str | None = None
    """Of a margin call: why and how, in a paragraph (R4.7)."""


class BlockExplanation(Record):
    """A block, or one of its transactions: what it did, in order, each beside its rule."""

    block_num: UInt32 | None
    """None of a transaction that waits for a block."""
    timestamp: Timestamp | None
    effects: tuple[Effect, ...]
