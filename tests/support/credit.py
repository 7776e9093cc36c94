"""Loans in a small state: alice lends LOAN, bob and carol borrow it against GOLD or CORE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from node.chain.invariants import check_all
from node.market.credit import settle_due_credit
from node.state.context import AppliedOperation, Context
from node.state.database import State
from node.state.objects.credit import CreditDeal, CreditOffer
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.ids import AssetId, CreditDealId, CreditOfferId
from protocol.operations.base import Operation
from protocol.operations.credit_offer import (
    CreditDealRepay,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
)
from protocol.operations.results import ExtendableOperationResult
from tests.support.state import add_asset, apply, created, issue, make_context, make_state
from tests.support.world import ALICE, BOB, CAROL, GENESIS_TIME

EACH = 10_000
"""What everybody has of CORE, LOAN and GOLD."""
TERM = 1_000
RATE = 30_000
"""3 %."""


@dataclass
class Loans:
    """The state and its assets."""

    ctx: Context
    loan: AssetId
    gold: AssetId

    @property
    def state(self) -> State:
        return self.ctx.state

    def lent(self, amount: int) -> AssetAmount:
        """An amount of LOAN."""
        return AssetAmount(amount, self.loan)

    def locked(self, amount: int) -> AssetAmount:
        """An amount of GOLD."""
        return AssetAmount(amount, self.gold)

    def create(self, **changes: Any) -> CreditOfferCreate:
        """Alice offers 1,000 LOAN at 3 %, for 1,000 s, against one GOLD for two."""
        op = CreditOfferCreate(
            fee=NO_FEE,
            owner_account=ALICE,
            asset_type=self.loan,
            balance=1_000,
            fee_rate=RATE,
            max_duration_seconds=TERM,
            min_deal_amount=0,
            enabled=True,
            auto_disable_time=GENESIS_TIME + 10_000,
            acceptable_collateral=((self.gold, Price(self.lent(2), self.locked(1))),),
            acceptable_borrowers=(),
        )
        return replace(op, **changes)

    def accept(self, offer: CreditOfferId, amount: int = 100, **changes: Any) -> CreditOfferAccept:
        """Bob borrows against all the GOLD that is needed, at the offer's terms."""
        op = CreditOfferAccept(
            fee=NO_FEE,
            borrower=BOB,
            offer_id=offer,
            borrow_amount=self.lent(amount),
            collateral=self.locked(-(-amount // 2)),
            max_fee_rate=RATE,
            min_duration_seconds=TERM,
        )
        return replace(op, **changes)

    def repay(self, deal: CreditDealId, amount: int, fee: int, **changes: Any) -> CreditDealRepay:
        """Bob repays."""
        op = CreditDealRepay(NO_FEE, BOB, deal, self.lent(amount), self.lent(fee))
        return replace(op, **changes)

    def offer(self, **changes: Any) -> CreditOfferId:
        """Make an offer."""
        return CreditOfferId(created(apply(self.ctx, self.create(**changes))))

    def deal(self, offer: CreditOfferId, amount: int = 100, **changes: Any) -> CreditDealId:
        """Borrow by an offer."""
        result = apply(self.ctx, self.accept(offer, amount, **changes))
        assert isinstance(result, ExtendableOperationResult)
        assert result.new_objects is not None
        return CreditDealId(result.new_objects[0].instance)

    def end_block(self, now: int) -> list[AppliedOperation]:
        """Let offers and deals end by a time; what the chain did by itself."""
        log, ctx = self.state.log, self.ctx
        ctx.now = now
        before = len(ctx.applied)
        log.begin()
        settle_due_credit(ctx)
        log.finish()
        dynamic = self.state.dynamic
        log.begin()
        dynamic = self.state.dynamic_properties.edit(dynamic)
        dynamic.time, dynamic.head_block_number = now, 1
        log.finish()
        check_all(self.state)
        return ctx.applied[before:]

    def balances(self, asset: AssetId) -> tuple[int, int, int]:
        """What alice, bob and carol hold of an asset."""
        alice, bob, carol = (self.state.balance_of(name, asset) for name in (ALICE, BOB, CAROL))
        return alice, bob, carol

    def get_offer(self, offer: CreditOfferId) -> CreditOffer:
        return self.state.credit_offers.get(offer)

    def get_deal(self, deal: CreditDealId) -> CreditDeal:
        return self.state.credit_deals.get(deal)

    def summary(self, offer: CreditOfferId, borrower: Any = BOB) -> int | None:
        """What a borrower owes by an offer; None where there is no summary."""
        found = self.state.credit_summaries_of_offer.find(offer, borrower)
        return None if found is None else found.total_debt_amount


def auto(auto_repay: int) -> CreditOfferAcceptExtensions:
    """The extension of an acceptance."""
    return CreditOfferAcceptExtensions(auto_repay)


def operations(applied: list[AppliedOperation]) -> list[Operation]:
    """The operations of records."""
    return [one.op for one in applied]


def make_loans() -> Loans:
    """Everybody has `EACH` of all three assets, alice has issued both of hers."""
    state = make_state("alice", "bob", "carol", core=EACH)
    state.log.begin()
    loan, gold = (add_asset(state, symbol, issuer=ALICE) for symbol in ("LOAN", "GOLD"))
    for account in (ALICE, BOB, CAROL):
        for asset in (loan, gold):
            issue(state, account, AssetAmount(EACH, asset))
    state.log.finish()
    return Loans(make_context(state), loan, gold)
