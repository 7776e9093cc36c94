"""Loans under random operations, in a market that calls, settles and dies beside them.

O1-O8, J1, J4: what the slow twin says of each loan, repayment and end is what happens, record by
record; all invariants are recounted after each block, the incremental check agrees, and a block
that is undone and made again leaves the same state.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.market.boundary import run_boundary
from node.market.credit import settle_due_credit
from node.state.context import Context
from node.state.objects.credit import CreditDeal, CreditOffer
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.errors import PegboardError
from protocol.ids import AccountId, AssetId, CreditDealId, CreditOfferId
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetGlobalSettle, AssetSettle
from protocol.operations.credit_offer import (
    CreditDealExpired,
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.transfer import Transfer
from tests.support.market import make_market
from tests.support.slow_credit import Balances, SlowCredit, SlowOffer, Told
from tests.support.state import apply, set_feed
from tests.support.world import GENESIS_TIME

CORE = AssetId(0)
RATE_ONE = 1_000_000
SMALL = st.integers(0, 150)
RATES = st.sampled_from((0, 1, 30_000, 333_333, 1_000_000, 2**32 - 1))
LASTING = st.sampled_from((20, 7, 4, 3, 1, 0))
PRICES = st.tuples(st.integers(1, 9), st.integers(1, 9))
PICK = st.integers(0, 30)
WHO = st.integers(0, 2)


class CreditMachine(RuleBasedStateMachine):
    """Three accounts lend and borrow USD and CORE against each other, and trade them."""

    @initialize()
    def start(self) -> None:
        self.market = make_market(3, core=3_000, whale_debt=3_000)
        state = self.state = self.market.state
        self.usd = self.market.usd
        for index, collateral in enumerate((7_000, 9_000, 12_000)):
            self.market.position(index, 400, collateral)
        state.log.finish()
        self.slow = SlowCredit()
        self.now = GENESIS_TIME
        self.open_block()
        for who in range(3):
            self.lend(who, who != 1, 100, 30_000 * who, 4 + who, 0, 20, (1, 6), {})
            self.borrow(who, (who + 1) % 3, 2, 0, who)

    def open_block(self) -> None:
        self.state.log.begin()
        self.ctx = self.market.context(self.now)

    def account(self, index: int) -> AccountId:
        return self.market.accounts[index]

    def balances(self) -> Balances:
        return {
            (account, asset): self.state.balance_of(account, asset)
            for account in (*self.market.accounts, self.market.whale)
            for asset in (CORE, self.usd)
        }

    def attempt(self, op: Operation) -> bool:
        """Whether an operation passes; with `apply`'s check that a refusal leaves no trace."""
        try:
            apply(self.ctx, op)
        except PegboardError:
            return False
        return True

    def agree(self, op: Operation, foretell: Callable[[Balances], bool]) -> None:
        """The operation passes if the twin says so, with the balances that the twin says."""
        foretold = self.balances()
        passes = foretell(foretold)
        assert self.attempt(op) is passes, op
        assert self.balances() == foretold

    @rule(who=WHO, usd=st.booleans(), amount=st.integers(0, 60), rate=RATES, least=SMALL,
          lasts=LASTING, ends=LASTING, price=PRICES, pick=PICK, limited=st.booleans())  # fmt: skip
    def offer(self, who: int, usd: bool, amount: int, rate: int, lasts: int, least: int,
              ends: int, price: tuple[int, int], pick: int, limited: bool) -> None:  # fmt: skip
        limits = {self.account(pick % 3): pick * 8} if limited else {}
        self.lend(who, usd, amount, rate, lasts, least // 10, ends, price, limits)

    def lend(self, who: int, usd: bool, amount: int, rate: int, lasts: int, least: int,
             ends: int, price: tuple[int, int], limits: dict[AccountId, int]) -> None:  # fmt: skip
        owner = self.account(who)
        asset, other = (self.usd, CORE) if usd else (CORE, self.usd)
        price = price if usd else (price[1], price[0])
        worth = Price(AssetAmount(price[0], asset), AssetAmount(price[1], other))
        op = CreditOfferCreate(
            NO_FEE, owner, asset, amount, rate, lasts, least, ends != 0, self.now + ends,
            ((other, worth),), tuple(limits.items()),
        )  # fmt: skip
        number = self.state.credit_offers.next_id

        def foretell(balances: Balances) -> bool:
            if not 0 < amount <= balances[owner, asset]:
                return False
            balances[owner, asset] -= amount
            prices = {int(other): Fraction(price[1], price[0])}
            self.slow.offers[number] = SlowOffer(
                owner, asset, amount, amount, Fraction(rate, RATE_ONE), lasts, least,
                ends != 0, self.now + ends, prices, {int(k): v for k, v in limits.items()},
            )  # fmt: skip
            return True

        self.agree(op, foretell)

    @precondition(lambda self: self.slow.offers)
    @rule(pick=PICK, who=WHO, part=st.integers(0, 9), more=st.integers(-1, 30),
          auto=st.integers(0, 2))  # fmt: skip
    def borrow(self, pick: int, who: int, part: int, more: int, auto: int) -> None:
        number = self.choose(self.slow.offers, pick)
        offer, borrower = self.slow.offers[number], self.account(who)
        amount = -(-offer.here * part // 8)
        ((asset, price),) = offer.prices.items()
        collateral = ceil(amount * price) + more
        op = CreditOfferAccept(
            NO_FEE, borrower, CreditOfferId(number), AssetAmount(amount, AssetId(offer.asset)),
            AssetAmount(collateral, AssetId(asset)), 2**32 - 1, 0,
            CreditOfferAcceptExtensions(auto),
        )  # fmt: skip
        self.agree(
            op,
            lambda balances: (
                collateral > 0
                and self.slow.borrow(
                    balances, self.now, borrower, number, amount, (asset, collateral), auto
                )
            ),
        )

    @precondition(lambda self: self.slow.deals)
    @rule(pick=PICK, part=st.integers(1, 8), less=st.integers(-1, 1))
    def repay(self, pick: int, part: int, less: int) -> None:
        number = self.choose(self.slow.deals, pick)
        deal = self.slow.deals[number]
        asset = AssetId(self.slow.offers[deal.offer].asset)
        amount = -(-deal.debt * part // 7)
        fee = max(ceil(amount * deal.rate) - less, 0)
        op = CreditDealRepay(
            NO_FEE, AccountId(deal.borrower), CreditDealId(number),
            AssetAmount(amount, asset), AssetAmount(fee, asset),
        )  # fmt: skip
        self.agree(op, lambda balances: self.slow.repay(balances, number, amount, fee))

    @precondition(lambda self: self.slow.deals)
    @rule(pick=PICK, auto=st.integers(0, 2))
    def change_deal(self, pick: int, auto: int) -> None:
        number = self.choose(self.slow.deals, pick)
        deal = self.slow.deals[number]
        op = CreditDealUpdate(NO_FEE, AccountId(deal.borrower), CreditDealId(number), auto)
        assert self.attempt(op) is (auto != deal.auto)
        deal.auto = auto

    @precondition(lambda self: self.slow.offers)
    @rule(pick=PICK, delta=st.integers(-100, 100), rate=RATES, lasts=LASTING, ends=LASTING)
    def change_offer(self, pick: int, delta: int, rate: int, lasts: int, ends: int) -> None:
        number = self.choose(self.slow.offers, pick)
        offer = self.slow.offers[number]
        owner, asset = AccountId(offer.owner), AssetId(offer.asset)
        op = CreditOfferUpdate(
            NO_FEE, owner, CreditOfferId(number), AssetAmount(delta, asset) if delta else None,
            rate, lasts, enabled=ends != 0, auto_disable_time=self.now + ends,
        )  # fmt: skip

        def foretell(balances: Balances) -> bool:
            if offer.total + delta <= 0 or offer.here + delta < 0 or balances[owner, asset] < delta:
                return False
            balances[owner, asset] -= delta
            offer.total += delta
            offer.here += delta
            offer.rate, offer.lasts = Fraction(rate, RATE_ONE), lasts
            offer.enabled, offer.ends = ends != 0, self.now + ends
            return True

        self.agree(op, foretell)

    @precondition(lambda self: self.slow.offers)
    @rule(pick=PICK)
    def delete_offer(self, pick: int) -> None:
        number = self.choose(self.slow.offers, pick)
        offer = self.slow.offers[number]
        op = CreditOfferDelete(NO_FEE, AccountId(offer.owner), CreditOfferId(number))

        def foretell(balances: Balances) -> bool:
            if offer.total != offer.here:
                return False
            balances[offer.owner, offer.asset] += offer.here
            del self.slow.offers[number]
            return True

        self.agree(op, foretell)

    @rule(who=WHO, usd=st.booleans(), gives=SMALL, wants=st.integers(1, 900))
    def trade(self, who: int, usd: bool, gives: int, wants: int) -> None:
        sold, wanted = (self.usd, CORE) if usd else (CORE, self.usd)
        amounts = AssetAmount(gives, sold), AssetAmount(wants, wanted)
        self.attempt(LimitOrderCreate(NO_FEE, self.account(who), *amounts))

    @rule(who=WHO, usd=st.booleans(), left=st.integers(0, 60))
    def spend(self, who: int, usd: bool, left: int) -> None:
        """Somebody keeps too little to repay all, or anything."""
        asset, account = self.usd if usd else CORE, self.account(who)
        amount = self.state.balance_of(account, asset) - left
        to = self.market.whale
        self.attempt(Transfer(NO_FEE, account, to, AssetAmount(amount, asset)))

    @rule(who=WHO, amount=SMALL)
    def settle(self, who: int, amount: int) -> None:
        self.attempt(AssetSettle(NO_FEE, self.account(who), AssetAmount(amount, self.usd)))

    @rule(backing=st.integers(6, 60))
    def feed(self, backing: int) -> None:
        """From far above all calls to below what the whale holds: some of them are swans."""
        if not self.market.data.is_globally_settled():
            set_feed(self.state, self.usd, 1, backing, now=self.now)
            self.ctx.mark_dirty(self.usd)

    @rule(really=st.integers(0, 3))
    def settle_globally(self, really: int) -> None:
        """Seldom; USD may be what is lent, and what is locked."""
        if really:
            return
        issuer = self.state.assets.get(self.usd).issuer
        price = Price(AssetAmount(1, self.usd), AssetAmount(8, CORE))
        self.attempt(AssetGlobalSettle(NO_FEE, issuer, self.usd, price))

    @rule(passes=st.sampled_from((1, 4, 7)))
    def end_a_block(self, passes: int) -> None:
        self.end_block(passes)

    def end_block(self, passes: int) -> None:
        """The same twice: the first time it is undone. The market comes before loans."""
        log, state = self.state.log, self.state
        self.now += passes
        before = state.state_hash()
        records, dirty = list(self.ctx.applied), set(self.ctx.dirty_assets)
        log.begin()
        self.cross(self.ctx)
        first = state.state_hash()
        log.undo()
        assert state.state_hash() == before
        self.ctx.applied, self.ctx.dirty_assets = records, dirty

        foretold, told = self.cross(self.ctx, self.slow)
        assert state.state_hash() == first
        assert told == foretold
        self.compare()
        head = state.dynamic_properties.edit(state.dynamic)
        head.time, head.head_block_number = self.now, head.head_block_number + 1
        revision = log.finish()
        check_block(state, revision)
        check_all(state)
        self.open_block()

    @rule(blocks=st.integers(1, 3))
    def end_blocks(self, blocks: int) -> None:
        for _ in range(blocks):
            self.end_block(3)

    def cross(self, ctx: Context, slow: SlowCredit | None = None) -> tuple[list[Told], list[Told]]:
        """The boundary; what the twin foretells once the market has run, and what is told."""
        ctx.now = self.now
        run_boundary(ctx)
        balances, before = self.balances(), len(ctx.applied)
        foretold = [] if slow is None else list(slow.end(balances, self.now))
        settle_due_credit(ctx)
        assert slow is None or self.balances() == balances
        return foretold, [told_of(one.op) for one in ctx.applied[before:]]

    def compare(self) -> None:
        """Every object is as the twin has it."""
        offers = {one.id: offer_text(one) for one in self.state.credit_offers.in_order()}
        assert offers == {
            number: (one.total, one.here, one.enabled) for number, one in self.slow.offers.items()
        }
        deals = {one.id: deal_text(one) for one in self.state.credit_deals.in_order()}
        assert deals == {
            number: (one.debt, one.collateral, one.due, one.auto)
            for number, one in self.slow.deals.items()
        }
        summaries = {
            (one.offer_id, one.borrower): one.total_debt_amount
            for one in self.state.credit_deal_summaries.in_order()
        }
        pairs = {(deal.offer, deal.borrower) for deal in self.slow.deals.values()}
        assert summaries == {pair: self.slow.owed(*pair) for pair in pairs}

    def choose(self, items: dict[int, Any], pick: int) -> int:
        return sorted(items)[pick % len(items)]


def offer_text(offer: CreditOffer) -> tuple[int, int, bool]:
    return offer.total_balance, offer.current_balance, offer.enabled


def deal_text(deal: CreditDeal) -> tuple[int, int, int, int]:
    return deal.debt_amount, deal.collateral_amount, deal.latest_repay_time, deal.auto_repay


def told_of(op: Operation) -> Told:
    """A record of the end of a block in the twin's words."""
    if isinstance(op, CreditDealRepay):
        return "repaid", op.deal_id, op.repay_amount.amount, op.credit_fee.amount
    assert isinstance(op, CreditDealExpired), op
    return "ended", op.deal_id, op.unpaid_amount.amount, op.collateral.amount


CreditMachine.TestCase.settings = settings(max_examples=10, stateful_step_count=40, deadline=None)
TestCreditMachine = CreditMachine.TestCase
