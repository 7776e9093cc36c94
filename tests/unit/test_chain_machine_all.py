"""All that there is on one chain, under random operations: what `ChainMachine` does, and with it
pools, funds, hash time locks, tickets, custom and special authorities, and a buyback account.

Shares of a pool are lent, and back a BitAsset whose positions are called and settled; deals end in
the block of a black swan; proposals redeem. PEGBOARD_MACHINE_EXAMPLES=500 plays longer.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import NULL_AUTHORITY, Authority
from protocol.chain_parameters import (
    ChainParametersExtensions,
    CustomAuthorityOptions,
    HtlcOptions,
)
from protocol.ids import AccountId, AssetId, CustomAuthorityId, LiquidityPoolId
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountUpdate,
    AccountUpdateExtensions,
    BuybackAccountOptions,
    TopHoldersSpecialAuthority,
)
from protocol.operations.asset import NEW_ASSET, AssetCreate, AssetIssue
from protocol.operations.asset_options import AssetOptions
from protocol.operations.base import Operation, Void
from protocol.operations.bitasset import (
    AssetPublishFeed,
    AssetSettle,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    PriceFeed,
)
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.credit_offer import (
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
)
from protocol.operations.custom_authority import CustomAuthorityCreate, CustomAuthorityDelete
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem, hash_of_preimage
from protocol.operations.limit_order import LimitOrderCreate
from protocol.operations.liquidity_pool import LiquidityPoolUpdate
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.operations.restriction import Restriction, RestrictionFunction
from protocol.operations.samet_fund import (
    SametFundBorrow,
    SametFundCreate,
    SametFundRepay,
    SametFundUpdate,
)
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.schema import Tagged
from tests.support.pools import deposit, exchange, new_pool, share_asset, withdraw
from tests.support.world import key_of
from tests.unit.test_chain_machine import AMOUNTS, NAMES, PEOPLE, ChainMachine

EXAMPLES = int(os.environ.get("PEGBOARD_MACHINE_EXAMPLES", "6"))
POOLS = st.sampled_from((0, 1))
PICKS = st.integers(0, 10)
HELD = st.sampled_from(("TEST", "USD", "COIN", "SHARE", "PEG"))
PREIMAGE = b"preimage"
DAY = 86_400
HIGH, LOW = 40, 160
"""Backing for 10 PEG: at which positions are safe, and at which they cannot pay."""


class EverythingMachine(ChainMachine):
    """Pool 0 holds TEST and COIN, pool 1 USD and the shares of pool 0, which back PEG."""

    extensions = ChainParametersExtensions(HtlcOptions(1_000, 100), CustomAuthorityOptions())

    @initialize(trigger=st.sampled_from(("bid", "feed")), response=st.sampled_from((0, 1, 2, 3)))
    def start(self, trigger: str, response: int = 0) -> None:
        super().start(trigger)
        chain = self.chain
        chain.push(*(share_asset(chain, "alice", name) for name in ("COIN", "SHARE", "OTHER")))
        for name in NAMES:
            chain.push(
                AssetIssue(
                    NO_FEE, chain.account("alice"), chain.amount(500_000, "COIN"), self.id_of(name)
                )
            )
        chain.push(new_pool(chain, "alice", ("TEST", "COIN"), "SHARE", 30, 100))
        chain.push(new_pool(chain, "alice", ("USD", "SHARE"), "OTHER", 30, 0))
        for name in NAMES:
            chain.push(deposit(chain, name, 0, 200_000, 100_000))
        chain.push(deposit(chain, "alice", 1, 1_000, 20_000))
        self.make_block()
        self.open_peg(response)
        chain.push(SametFundCreate(NO_FEE, self.id_of("alice"), chain.asset("TEST"), 50_000, 5_000))
        self.open_buyback()
        self.make_block()

    def id_of(self, name: str) -> AccountId:
        return self.chain.account(name)

    def open_peg(self, response: int) -> None:
        """Alice's BitAsset; she is its only publisher, and all owe some of it."""
        chain, alice = self.chain, self.id_of("alice")
        rate = Price(AssetAmount(1, NEW_ASSET), chain.amount(1))
        extensions = BitassetOptionsExtensions(black_swan_response_method=response)
        chain.push(
            AssetCreate(
                NO_FEE,
                alice,
                "PEG",
                4,
                AssetOptions(10**15, 0, 0, 0, 0, rate),
                BitassetOptions(600, 1, 20, 0, 4_000, chain.asset("SHARE"), extensions=extensions),
            )
        )
        chain.push(AssetUpdateFeedProducers(NO_FEE, alice, chain.asset("PEG"), (alice,)))
        self.publish_peg(HIGH)
        for name, collateral in zip(NAMES, (18_000, 24_000, 60_000), strict=True):
            self.borrow_peg(name, 2_000, collateral)
        self.order_peg("carol", 700, 7, buys=False)

    def open_buyback(self) -> None:
        chain, alice = self.chain, self.id_of("alice")
        markets = tuple(sorted((chain.asset("TEST"), chain.asset("USD"))))
        options = BuybackAccountOptions(chain.asset("COIN"), alice, markets)
        chain.push(
            AccountCreate(
                NO_FEE,
                alice,
                alice,
                0,
                "coins-back",
                NULL_AUTHORITY,
                NULL_AUTHORITY,
                AccountOptions(key_of("alice")),
                AccountCreateExtensions(buyback_options=options),
            )
        )

    @rule(backing=st.sampled_from((HIGH, 60, 75, LOW)))
    def publish_peg(self, backing: int) -> None:
        peg, alice = self.chain.asset("PEG"), self.id_of("alice")
        price = Price(AssetAmount(10, peg), self.chain.amount(backing, "SHARE"))
        feed = PriceFeed(price, core_exchange_rate=Price(price.base, self.chain.amount(backing)))
        self.try_push(AssetPublishFeed(NO_FEE, alice, peg, feed))

    @rule(name=PEOPLE, debt=st.integers(-2_500, 2_500), collateral=st.integers(-20_000, 20_000))
    def borrow_peg(self, name: str, debt: int, collateral: int) -> None:
        amounts = self.chain.amount(collateral, "SHARE"), self.chain.amount(debt, "PEG")
        self.try_push(CallOrderUpdate(self.fee, self.id_of(name), *amounts))

    @rule(name=PEOPLE, debt=AMOUNTS, price=st.integers(3, 18), buys=st.booleans())
    def order_peg(self, name: str, debt: int, price: int, buys: bool) -> None:
        """PEG for shares, or the reverse: what calls of positions meet."""
        self.order_of(name, (debt, "PEG"), (debt * price, "SHARE"), buys=buys)

    @rule(name=PEOPLE, amount=AMOUNTS, symbol=st.sampled_from(("TEST", "USD")), buys=st.booleans())
    def order_coin(self, name: str, amount: int, symbol: str, buys: bool) -> None:
        """Whom the buyback account trades with."""
        self.order_of(name, (amount, "COIN"), (2 * amount, symbol), buys=buys)

    def order_of(
        self, name: str, sold: tuple[int, str], wanted: tuple[int, str], *, buys: bool
    ) -> None:
        gives, asks = self.chain.amount(*sold), self.chain.amount(*wanted)
        if buys:
            gives, asks = asks, gives
        end = self.chain.chain.head_time + 600
        self.try_push(LimitOrderCreate(self.fee, self.id_of(name), gives, asks, end, False))

    @rule(name=PEOPLE, amount=AMOUNTS, bids=st.booleans())
    def redeem_peg(self, name: str, amount: int, bids: bool) -> None:
        debt = self.chain.amount(amount, "PEG")
        self.try_push(AssetSettle(self.fee, self.id_of(name), debt))
        if bids:
            more = self.chain.amount(3 * amount, "SHARE")
            self.try_push(BidCollateral(self.fee, self.id_of(name), more, debt))

    @rule(name=PEOPLE, pool=POOLS, a=AMOUNTS, b=AMOUNTS)
    def deposit(self, name: str, pool: int, a: int, b: int) -> None:
        self.try_push(deposit(self.chain, name, pool, 10 * a, 10 * b))

    @rule(name=PEOPLE, pool=POOLS, part=st.integers(1, 4))
    def withdraw_shares(self, name: str, pool: int, part: int) -> None:
        share = self.chain.state.liquidity_pools.get(LiquidityPoolId(pool)).share_asset
        held = self.chain.state.balance_of(self.id_of(name), share)
        self.try_push(withdraw(self.chain, name, pool, max(held // part, 1)))

    @rule(name=PEOPLE, amount=AMOUNTS, pair=st.permutations(("TEST", "COIN")))
    def swap(self, name: str, amount: int, pair: list[str]) -> None:
        self.try_push(exchange(self.chain, name, 0, (amount, pair[0]), (1, pair[1])))

    @rule(name=PEOPLE, amount=AMOUNTS, pair=st.permutations(("USD", "SHARE")))
    def swap_shares(self, name: str, amount: int, pair: list[str]) -> None:
        self.try_push(exchange(self.chain, name, 1, (amount, pair[0]), (1, pair[1])))

    @rule(pool=POOLS, fee=st.sampled_from((0, 30, 10_000)))
    def change_pool(self, pool: int, fee: int) -> None:
        number = LiquidityPoolId(pool)
        self.try_push(LiquidityPoolUpdate(self.fee, self.id_of("alice"), number, fee, fee // 2))

    @rule(owner=PEOPLE, borrower=PEOPLE, amount=AMOUNTS, lasts=st.sampled_from((0, 4, 30)),
          auto=st.integers(0, 2), crash=st.booleans())  # fmt: skip
    def lend_shares(
        self, owner: str, borrower: str, amount: int, lasts: int, auto: int, crash: bool
    ) -> None:
        """Shares of pool 0 against PEG; with `crash` the price falls in a block that may end it."""
        chain = self.chain
        lent, locked = chain.amount(amount, "SHARE"), chain.amount(amount, "PEG")
        end, offer = chain.chain.head_time + 40, chain.state.credit_offers.next_id
        accepted = ((locked.asset_id, Price(lent, locked)),)
        terms = (lent.asset_id, amount, 20_000, lasts, 0, True, end, accepted, ())
        self.try_push(CreditOfferCreate(self.fee, self.id_of(owner), *terms))
        extensions, account = CreditOfferAcceptExtensions(auto), self.id_of(borrower)
        amounts = (lent, locked, 20_000, 0, extensions)
        self.try_push(CreditOfferAccept(self.fee, account, offer, *amounts))
        if crash:
            self.publish_peg(LOW)
            self.make_block()

    @rule(name=PEOPLE, amount=st.integers(1, 60_000), off=st.sampled_from((0, 0, 7, -1)),
          repays=st.booleans())  # fmt: skip
    def borrow_within(self, name: str, amount: int, off: int, repays: bool) -> None:
        """From the fund, through pool 0; without repaying, or for too little, nothing stands."""
        for fund in self.chain.state.samet_funds.in_order():
            account, lent = self.id_of(name), self.chain.amount(amount)
            operations: list[Operation] = [
                SametFundBorrow(self.fee, account, fund.id, lent),
                exchange(self.chain, name, 0, (amount, "TEST"), (1, "COIN")),
            ]
            if repays:
                paid = self.chain.amount(max(-(-amount * fund.fee_rate // 10**6) + off, 0))
                operations.append(SametFundRepay(self.fee, account, fund.id, lent, paid))
            self.try_push(*operations)

    @rule(delta=st.integers(-50_000, 50_000), rate=st.none() | st.integers(0, 10_000))
    def change_fund(self, delta: int, rate: int | None) -> None:
        for fund in self.chain.state.samet_funds.in_order():
            amount = self.chain.amount(delta) if delta else None
            change = SametFundUpdate(self.fee, fund.owner_account, fund.id, amount, rate)
            if amount is not None or rate is not None:
                self.try_push(change)

    @rule(name=PEOPLE, to=PEOPLE, amount=AMOUNTS, symbol=HELD, seconds=st.sampled_from((0, 9, 900)))
    def lock(self, name: str, to: str, amount: int, symbol: str, seconds: int) -> None:
        locked, lock = self.chain.amount(amount, symbol), hash_of_preimage(amount % 4, PREIMAGE)
        parties = self.id_of(name), self.id_of(to)
        self.try_push(HtlcCreate(self.fee, *parties, locked, lock, len(PREIMAGE), seconds))
        if amount % 2:
            self.redeem(to, amount, known=amount % 3 > 0, more=seconds % 7)

    @rule(name=PEOPLE, pick=PICKS, known=st.booleans(), more=st.integers(0, 30))
    def redeem(self, name: str, pick: int, known: bool, more: int) -> None:
        htlcs = list(self.chain.state.htlcs.in_order())
        if htlcs:
            htlc = htlcs[pick % len(htlcs)]
            self.try_push(HtlcExtend(self.fee, htlc.id, htlc.transfer.from_, more))
            shown = PREIMAGE if known else PREIMAGE[::-1]
            self.try_push(HtlcRedeem(self.fee, htlc.id, self.id_of(name), shown))

    @rule(name=PEOPLE, pick=PICKS, amount=AMOUNTS, review=st.booleans())
    def propose_to_redeem(self, name: str, pick: int, amount: int, review: bool) -> None:
        """A contract, units of PEG, or shares of a pool; `approve` lets it happen, or its end."""
        htlcs, account = list(self.chain.state.htlcs.in_order()), self.id_of(name)
        choices: list[Operation] = [
            AssetSettle(NO_FEE, account, self.chain.amount(amount, "PEG")),
            withdraw(self.chain, name, 0, amount),
            *(HtlcRedeem(NO_FEE, htlc.id, account, PREIMAGE) for htlc in htlcs),
        ]
        proposed = (ProposedOperation(choices[pick % len(choices)]),)
        end = self.chain.chain.head_time + 40
        self.try_push(ProposalCreate(self.fee, account, end, proposed, 20 if review else None))

    @rule(name=PEOPLE, kind=st.integers(1, 4), amount=AMOUNTS)
    def lock_ticket(self, name: str, kind: int, amount: int) -> None:
        self.try_push(TicketCreate(self.fee, self.id_of(name), kind, self.chain.amount(amount)))
        if amount % 2:
            self.change_ticket(amount, 4 - kind, amount // 2 or None)

    @rule(pick=PICKS, kind=st.integers(0, 4), part=st.none() | st.integers(1, 50))
    def change_ticket(self, pick: int, kind: int, part: int | None) -> None:
        tickets = list(self.chain.state.tickets.in_order())
        if tickets:
            ticket = tickets[pick % len(tickets)]
            amount = None if part is None else self.chain.amount(part)
            self.try_push(TicketUpdate(self.fee, ticket.id, ticket.account, kind, amount))

    @rule(owner=PEOPLE, actor=PEOPLE, most=st.integers(1, 60), lasts=st.sampled_from((30, 600)))
    def allow(self, owner: str, actor: str, most: int, lasts: int) -> None:
        """Somebody else may transfer small amounts; amounts are of the fourth field."""
        small = Restriction(0, RestrictionFunction.LE, Tagged(2, most))
        of_amount = Restriction(3, RestrictionFunction.ATTR, Tagged(39, (small,)))
        end, auth = self.chain.chain.head_time + lasts, Authority(1, ((self.id_of(actor), 1),))
        self.try_push(
            CustomAuthorityCreate(self.fee, self.id_of(owner), True, 0, end, 0, auth, (of_amount,))
        )

    @rule(owner=PEOPLE, actor=PEOPLE, to=PEOPLE, amount=AMOUNTS, symbol=HELD)
    def act_for(self, owner: str, actor: str, to: str, amount: int, symbol: str) -> None:
        transfer = self.chain.transfer(owner, to, amount, symbol)
        self.try_push(replace(transfer, fee=self.fee), signers=(actor,))

    @rule(pick=PICKS)
    def disallow(self, pick: int) -> None:
        found = list(self.chain.state.custom_authorities.in_order())
        if found:
            one = found[pick % len(found)]
            number = CustomAuthorityId(one.id)
            self.try_push(CustomAuthorityDelete(self.fee, one.account, number))

    @rule(name=PEOPLE, symbol=st.none() | HELD, count=st.integers(1, 4))
    def obey_holders(self, name: str, symbol: str | None, count: int) -> None:
        """Of the active authority: the owner's key goes on to sign all that follows."""
        chosen: Void | TopHoldersSpecialAuthority = Void()
        if symbol is not None:
            chosen = TopHoldersSpecialAuthority(AssetId(self.chain.asset(symbol)), count)
        options = AccountUpdateExtensions(active_special_authority=chosen)
        self.try_push(AccountUpdate(self.fee, self.id_of(name), extensions=options))

    @rule(name=PEOPLE, amount=AMOUNTS, symbol=HELD)
    def give_to_buyback(self, name: str, amount: int, symbol: str) -> None:
        gift = self.chain.transfer(name, "coins-back", amount, symbol)
        self.try_push(replace(gift, fee=self.fee))

    @rule(days=st.integers(1, 200))
    def much_later(self, days: int) -> None:
        """Tickets charge, and fall; feeds and much else is over."""
        self.make_block(self.slot_not_before(self.chain.chain.head_time + days * DAY))


EverythingMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestEverythingMachine = EverythingMachine.TestCase
