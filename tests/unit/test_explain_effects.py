"""By which rule each operation of a block had its effect."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.explain.deeds import describe
from node.explain.effects import (
    ANY_OPERATION,
    RULES,
    VIRTUAL_RULES,
    Turns,
    rule_of,
    rule_of_turn,
)
from node.rules import rules
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.constants import CORE_ASSET, NULL_ACCOUNT
from protocol.ids import (
    AccountId,
    AssetId,
    CallOrderId,
    CreditDealId,
    ForceSettlementId,
    HtlcId,
    LimitOrderId,
    LiquidityPoolId,
    ObjectId,
    object_id,
)
from protocol.operations import OPERATIONS, OperationEntry, fee_payer
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetGlobalSettle, AssetSettleCancel, ExecuteBid
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.credit_offer import CreditDealExpired, CreditDealRepay
from protocol.operations.htlc import HtlcExtend, HtlcRedeemed, HtlcRefund
from protocol.operations.limit_order import FillOrder, LimitOrderCancel
from protocol.operations.liquidity_pool import LiquidityPoolExchange
from protocol.operations.ticket import TicketCreate, TicketUpdate
from tests.support.declared import instances
from tests.support.market import CORE, Market, emitted, make_market, place
from tests.support.world import GENESIS_TIME

USD, EUR = AssetId(1), AssetId(2)
NOTHING_TURNED = Turns(frozenset(), frozenset())
POSITION, REQUEST, ORDER = (
    object_id(CallOrderId, CallOrderId(7)),
    object_id(ForceSettlementId, ForceSettlementId(7)),
    object_id(LimitOrderId, LimitOrderId(7)),
)


def fill(order: ObjectId, *, is_maker: bool) -> FillOrder:
    """A fill in which USD is received for CORE."""
    pays, receives = AssetAmount(1, CORE_ASSET), AssetAmount(1, USD)
    return FillOrder(
        NO_FEE, order, AccountId(6), pays, receives, Price(pays, receives), is_maker=is_maker
    )


def global_settle(asset: AssetId) -> AssetGlobalSettle:
    price = Price(AssetAmount(1, asset), AssetAmount(9, CORE_ASSET))
    return AssetGlobalSettle(NO_FEE, AccountId(6), asset, price)


@pytest.mark.parametrize(
    ("order", "is_maker", "beside", "settled", "rule"),
    [
        (POSITION, False, (), (), "R4.4"),
        (POSITION, False, (), (USD,), "R4.4"),
        (POSITION, True, (), (), "R5.5"),
        (POSITION, True, (), (EUR,), "R5.5"),
        (POSITION, True, (), (USD,), "R6.2"),
        (POSITION, True, (global_settle(USD),), (USD,), "R6.3"),
        (POSITION, True, (global_settle(USD),), (), "R6.3"),
        (POSITION, True, (global_settle(EUR),), (USD,), "R6.2"),
        (REQUEST, False, (), (), "R5.4"),
        (ORDER, True, (), (), "R2.7"),
    ],
)
def test_fills_have_the_rule_of_their_kind(
    order: ObjectId,
    beside: tuple[Operation, ...],
    settled: tuple[AssetId, ...],
    rule: str,
    *,
    is_maker: bool,
) -> None:
    """R4.4, R5.4, R5.5, R6.2, R6.3, R2.7: by whose fill it is, and what stands beside it."""
    turns = Turns(frozenset(settled), frozenset())
    op = fill(order, is_maker=is_maker)
    assert rule_of(op, is_virtual=True, beside=(*beside, op), turns=turns) == rule


def test_a_position_that_is_settled_alone_pays_no_request() -> None:
    """BS5, R5.5: in a block that settles one alone, a due request may be paid by another; the fill
    of a request follows that of the position which pays it."""
    alone = Turns(frozenset(), frozenset(), frozenset({USD}))
    op, request = fill(POSITION, is_maker=True), fill(REQUEST, is_maker=False)
    for beside, rule in (((op,), "BS5"), ((request, op), "BS5"), ((op, request), "R5.5")):
        assert rule_of(op, is_virtual=True, beside=beside, turns=alone) == rule


@pytest.mark.parametrize(
    ("order", "is_maker", "rule"),
    [(POSITION, False, "SM3"), (POSITION, True, "SM3"), (REQUEST, True, "SM5")],
)
def test_fills_of_calls_that_take_requests(order: ObjectId, rule: str, *, is_maker: bool) -> None:
    """SM3, SM5: whichever of the two was there first (SM6)."""
    op = fill(order, is_maker=is_maker)
    found = rule_of(op, is_virtual=True, beside=(op,), turns=NOTHING_TURNED, is_matched=True)
    assert found == rule


@pytest.mark.parametrize(("is_maker", "rule"), [(True, "BS7"), (False, "BS8")])
def test_fills_of_the_order_of_a_pool(*, is_maker: bool, rule: str) -> None:
    """BS7, BS8: nobody's order was bought from, or met a bid."""
    op = replace(fill(ORDER, is_maker=is_maker), account_id=NULL_ACCOUNT)
    assert rule_of(op, is_virtual=True, beside=(op,), turns=NOTHING_TURNED) == rule


@pytest.mark.parametrize(
    ("event", "by_bids", "ops", "rule"),
    [
        ("individual_settlement", False, (), "BS5"),
        ("global_settlement", False, (), "R6.2"),
        ("global_settlement", False, (global_settle(USD),), "R6.3"),
        ("revival", True, (), "R6.6"),
        ("revival", False, (), "R6.7"),
        ("feed_expired", False, (), "R1.17"),
        ("margin_calls_abandoned", False, (), "R4.13"),
    ],
)
def test_turns_have_the_rule_of_their_kind(
    event: str, ops: tuple[Operation, ...], rule: str, *, by_bids: bool
) -> None:
    """R1.17, R4.13, R6.2, R6.3, R6.6, R6.7: by the event and who brought it about."""
    assert rule_of_turn(USD, event, ops, by_bids=by_bids) == rule


@pytest.mark.parametrize(("revived", "rule"), [((USD,), "R6.6"), ((EUR,), "R6.7"), ((), "R6.7")])
def test_who_takes_a_revived_debt_over(revived: tuple[AssetId, ...], rule: str) -> None:
    """R6.6, R6.7: a bidder, or the issuer by the feed."""
    op = ExecuteBid(NO_FEE, AccountId(6), AssetAmount(1, USD), AssetAmount(9, CORE_ASSET))
    turns = Turns(frozenset(), frozenset(revived))
    assert rule_of(op, is_virtual=True, beside=(op,), turns=turns) == rule


def cancelled(market: Market, now: int) -> list[str]:
    """The rules of the orders that the boundary at a time has cancelled."""
    ops = emitted(market.settle_boundary(now))
    return [
        rule_of(op, is_virtual=True, beside=ops, turns=NOTHING_TURNED)
        for op in ops
        if isinstance(op, LimitOrderCancel)
    ]


def test_an_order_that_expires_and_the_rest_of_one_that_traded() -> None:
    """R2.8, R2.10: a call of 100 USD leaves 9 of a bid, worth less than 1 CORE; beside it an order
    expires. Whoever cancels by himself does so by R2.11."""
    market = make_market()
    market.feed(10, 1)
    market.position(0, 100, 15)
    ctx, end = market.context(), GENESIS_TIME + 9
    place(ctx, market.whale, (109, market.usd), (11, CORE))
    place(ctx, market.whale, (10, market.usd), (90, CORE), expiration=end)
    assert cancelled(market, end) == ["R2.10", "R2.8"]
    op = LimitOrderCancel(NO_FEE, market.whale, LimitOrderId(0))
    assert rule_of(op, is_virtual=False, beside=(op,), turns=NOTHING_TURNED) == "R2.11"


def test_each_rule_has_a_page() -> None:
    """R8.18: whatever is told can be read."""
    assert {ANY_OPERATION, *RULES.values(), *VIRTUAL_RULES.values()} <= set(rules())


class Numbers:
    """Names that are what they name, so that a sentence shows which fields it tells."""

    def account(self, account: AccountId) -> str:
        return f"account {account}"

    def symbol(self, asset_id: AssetId) -> str:
        return f"asset {asset_id}"

    def amount(self, amount: AssetAmount) -> str:
        return f"{amount.amount} of asset {amount.asset_id}"

    def price(self, price: Price) -> str:
        return f"{price.base.amount}/{price.quote.amount}"


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([*OPERATIONS.values()]), st.data())
def test_every_operation_has_its_sentence(entry: OperationEntry, data: st.DataObject) -> None:
    """R8.18: whatever its fields hold; whoever pays for it is named, or it happened by itself."""
    op = data.draw(instances(entry.cls))
    if isinstance(op, TicketCreate | TicketUpdate):
        op = replace(op, target_type=min(op.target_type, 4))
    text = describe(op, Numbers())
    assert text == text.strip() != ""
    assert "{" not in text.replace(str(op), "")
    is_virtual = isinstance(op, FillOrder | AssetSettleCancel | HtlcRedeemed | HtlcRefund)
    if not is_virtual and not isinstance(op, ExecuteBid | CreditDealExpired):
        assert f"account {fee_payer(op)}" in text


def test_a_sentence_tells_amounts_accounts_and_ids() -> None:
    """H3.2, O8, L8: each field in its own form."""
    amount, other = AssetAmount(5, USD), AssetAmount(7, EUR)
    pool = LiquidityPoolExchange(NO_FEE, AccountId(3), LiquidityPoolId(8), amount, other)
    said = "account 3 sells 5 of asset 1 to 1.19.8 for 7 of asset 2 or more"
    assert describe(pool, Numbers()) == said
    repaid = CreditDealRepay(NO_FEE, AccountId(3), CreditDealId(2), amount, other)
    said = "account 3 repays 5 of asset 1 of 1.22.2 with a fee of 7 of asset 2"
    assert describe(repaid, Numbers()) == said
    nothing, ratio = AssetAmount(0, USD), CallOrderUpdateExtensions(1_750)
    update = CallOrderUpdate(NO_FEE, AccountId(3), AssetAmount(0, CORE_ASSET), nothing)
    assert describe(update, Numbers()) == "account 3 leaves its position as it is"
    said = "account 3 sets a target ratio of 1.750"
    assert describe(replace(update, extensions=ratio), Numbers()) == said
    extend = HtlcExtend(NO_FEE, HtlcId(6), AccountId(3), 60)
    assert describe(extend, Numbers()) == "account 3 gives 1.16.6 60 s more"
