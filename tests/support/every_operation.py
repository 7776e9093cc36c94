"""A chain on which every operation that this node executes applies, and examples of each."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.authority import NULL_AUTHORITY, Authority, key_authority
from protocol.chain_parameters import (
    ChainParametersExtensions,
    CustomAuthorityOptions,
    HtlcOptions,
)
from protocol.constants import CORE_ASSET
from protocol.crypto.hashes import address_of
from protocol.genesis import InitialBalance, InitialVestingBalance
from protocol.ids import (
    BalanceId,
    CommitteeMemberId,
    CreditDealId,
    CreditOfferId,
    CustomAuthorityId,
    HtlcId,
    LimitOrderId,
    LiquidityPoolId,
    ProposalId,
    SametFundId,
    TicketId,
    VestingBalanceId,
    WithdrawPermissionId,
    WitnessId,
)
from protocol.operations.account import (
    AccountCreate,
    AccountCreateExtensions,
    AccountOptions,
    AccountUpdate,
    AccountUpdateExtensions,
    AccountUpgrade,
    AccountWhitelist,
    BuybackAccountOptions,
    TopHoldersSpecialAuthority,
)
from protocol.operations.asset import (
    NEW_ASSET,
    AssetClaimFees,
    AssetClaimPool,
    AssetCreate,
    AssetFundFeePool,
    AssetIssue,
    AssetReserve,
    AssetUpdate,
    AssetUpdateExtensions,
    AssetUpdateIssuer,
)
from protocol.operations.asset_options import (
    CHARGE_MARKET_FEE,
    OVERRIDE_AUTHORITY,
    AssetOptions,
    AssetOptionsExtensions,
)
from protocol.operations.balance import BalanceClaim
from protocol.operations.base import Operation, Void
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetPublishFeed,
    AssetPublishFeedExtensions,
    AssetSettle,
    AssetUpdateBitasset,
    AssetUpdateFeedProducers,
    BidCollateral,
)
from protocol.operations.bitasset_options import (
    BitassetOptions,
    BitassetOptionsExtensions,
    PriceFeed,
)
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.committee import CommitteeMemberCreate, CommitteeMemberUpdate
from protocol.operations.credit_offer import (
    CreditDealRepay,
    CreditDealUpdate,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
    CreditOfferDelete,
    CreditOfferUpdate,
)
from protocol.operations.custom import AccountNamePredicate, Assert, Custom
from protocol.operations.custom_authority import (
    CustomAuthorityCreate,
    CustomAuthorityDelete,
    CustomAuthorityUpdate,
)
from protocol.operations.htlc import HtlcCreate, HtlcExtend, HtlcRedeem, hash_of_preimage
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate, LimitOrderUpdate
from protocol.operations.liquidity_pool import LiquidityPoolDelete, LiquidityPoolUpdate
from protocol.operations.proposal import (
    ProposalCreate,
    ProposalDelete,
    ProposalUpdate,
    ProposedOperation,
)
from protocol.operations.restriction import Restriction, RestrictionFunction
from protocol.operations.samet_fund import SametFundCreate, SametFundDelete, SametFundUpdate
from protocol.operations.ticket import TicketCreate, TicketUpdate
from protocol.operations.transfer import OverrideTransfer
from protocol.operations.vesting import (
    CddVestingPolicy,
    InstantVestingPolicy,
    LinearVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
)
from protocol.operations.withdraw_permission import (
    WithdrawPermissionClaim,
    WithdrawPermissionCreate,
    WithdrawPermissionDelete,
    WithdrawPermissionUpdate,
)
from protocol.operations.witness import WitnessCreate, WitnessUpdate
from protocol.operations.worker import (
    BurnWorkerInitializer,
    RefundWorkerInitializer,
    VestingBalanceWorkerInitializer,
    WorkerCreate,
)
from protocol.schema import Tagged
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.pools import deposit, exchange, new_pool, share_asset, withdraw
from tests.support.world import key_of

CORE_EACH = 2 * 10**14
UNITS = 4 * 10**14
"""What alice holds of her own asset."""


class BusyChain(TestChain):
    """Alice has issued COIN and the BitAssets LIVE and DEAD, which is globally settled.

    Each kind of object that an operation can name exists.
    """

    def __init__(self) -> None:
        owner = address_of(key_of("old"))
        genesis = make_genesis(
            "alice",
            "bob",
            "carol",
            core=CORE_EACH,
            parameters=make_parameters(
                maintenance_interval=300,
                max_predicate_opcode=3,
                extensions=ChainParametersExtensions(
                    HtlcOptions(10**6, 100), CustomAuthorityOptions()
                ),
            ),
        )
        super().__init__(
            genesis=replace(
                genesis,
                initial_balances=(InitialBalance(owner, "TEST", 10**9),),
                initial_vesting_balances=(
                    InitialVestingBalance(
                        owner, "TEST", 10**9, genesis.initial_timestamp, 1000, 10**9
                    ),
                ),
            )
        )
        self.alice, self.bob, self.carol = map(self.account, ("alice", "bob", "carol"))
        self.block()
        self._create_assets()
        self._create_positions()
        self._create_the_rest()
        self._create_pools()
        self.block_at(self.chain.head_time + 90_000)
        self.block(self.publish("LIVE", 1, 2))

    def rate(self, asset: str) -> Price:
        """One CORE for one unit of an asset."""
        return Price(AssetAmount(1, self.asset(asset)), self.amount(1))

    def options(self, flags: int = 0, permissions: int = 0x1FF) -> AssetOptions:
        rate = Price(AssetAmount(1, NEW_ASSET), self.amount(1))
        return AssetOptions(
            10**15,
            100,
            10**15,
            permissions & ~0x180,
            flags,
            rate,
            extensions=AssetOptionsExtensions(1000, None, 50),
        )

    def uia_options(self) -> AssetOptions:
        flags = CHARGE_MARKET_FEE | OVERRIDE_AUTHORITY
        return self.options(flags, 0x4F)

    def publish(self, symbol: str, debt: int, backing: int) -> AssetPublishFeed:
        asset = self.asset(symbol)
        price = Price(AssetAmount(debt, asset), self.amount(backing))
        feed = PriceFeed(settlement_price=price, core_exchange_rate=price)
        extensions = AssetPublishFeedExtensions(1800)
        return AssetPublishFeed(NO_FEE, self.alice, asset, feed, extensions)

    def sell(self, name: str, sold: AssetAmount, wanted: AssetAmount) -> LimitOrderCreate:
        account, expiration = self.account(name), self.chain.head_time + 10**8
        return LimitOrderCreate(NO_FEE, account, sold, wanted, expiration, False)

    def propose(self, *operations: Operation, review: int | None = None) -> ProposalCreate:
        expiration = self.chain.head_time + 2_000_000
        proposed = tuple(map(ProposedOperation, operations))
        return ProposalCreate(NO_FEE, self.alice, expiration, proposed, review)

    def borrow(self, symbol: str, debt: int, collateral: int) -> CallOrderUpdate:
        amounts = self.amount(collateral), self.amount(debt, symbol)
        return CallOrderUpdate(NO_FEE, self.bob, *amounts, CallOrderUpdateExtensions(2000))

    def _create_assets(self) -> None:
        self.block(
            AssetCreate(NO_FEE, self.alice, "COIN", 4, self.uia_options()),
            AssetCreate(NO_FEE, self.alice, "BLANK", 4, self.uia_options()),
            *(
                AssetCreate(NO_FEE, self.alice, symbol, 5, self.options(), BitassetOptions(10**9))
                for symbol in ("LIVE", "DEAD")
            ),
        )
        self.block(
            AssetIssue(NO_FEE, self.alice, self.amount(UNITS, "COIN"), self.alice),
            AssetIssue(NO_FEE, self.alice, self.amount(10**12, "COIN"), self.bob),
            AssetFundFeePool(NO_FEE, self.alice, self.asset("COIN"), 10**9),
            *(
                AssetUpdateFeedProducers(NO_FEE, self.alice, self.asset(symbol), (self.alice,))
                for symbol in ("LIVE", "DEAD")
            ),
        )

    def _create_positions(self) -> None:
        self.block(self.publish("LIVE", 1, 2), self.publish("DEAD", 1, 2))
        self.block(self.borrow("LIVE", 10**12, 10**13), self.borrow("DEAD", 10**12, 10**13))
        dead = self.asset("DEAD")
        price = Price(AssetAmount(1, dead), self.amount(2))
        self.block(
            AssetGlobalSettle(NO_FEE, self.alice, dead, price),
            self.sell("alice", self.amount(1000, "COIN"), self.amount(3000)),
            self.sell("bob", self.amount(3000), self.amount(1000, "COIN")),
            self.sell("alice", self.amount(10**9, "COIN"), self.amount(10**10)),
        )

    def _create_the_rest(self) -> None:
        now = self.chain.head_time
        coin = self.amount(1_000, "COIN")
        policies = (
            InstantVestingPolicy(),
            CddVestingPolicy(0, 100),
            LinearVestingPolicy(now, 0, 9),
        )
        self.block(
            self.register("dave"),
            WithdrawPermissionCreate(
                NO_FEE, self.alice, self.bob, self.amount(10**9), 1000, 10**6, now + 10
            ),
            *(
                VestingBalanceCreate(NO_FEE, self.alice, self.alice, self.amount(10**6), policy)
                for policy in policies
            ),
            self.lock(2, 900_000),
            TicketCreate(NO_FEE, self.alice, 4, self.amount(10**6)),
            self.custom_authority(14),
            self.lend(10**6),
            self.borrow_by_offer(0, coin),
            self.lend(10**3),
            self.propose(self.transfer("bob", "alice", 5)),
            self.propose(self.transfer("bob", "alice", 5), self.transfer("carol", "alice", 5)),
        )

    def _create_pools(self) -> None:
        """1.19.0 of CORE and COIN is filled, 1.19.1 is empty, and SPARE may become a share."""
        self.block(*(share_asset(self, "alice", symbol) for symbol in ("FULL", "NONE", "SPARE")))
        for share in ("FULL", "NONE"):
            self.block(new_pool(self, "alice", ("TEST", "COIN"), share, 30))
        self.block(
            deposit(self, "alice", 0, 10**9, 10**8),
            SametFundCreate(NO_FEE, self.alice, CORE_ASSET, 10**9, 100),
        )

    def register(self, name: str) -> AccountCreate:
        authority = key_authority(key_of(name))
        return AccountCreate(
            NO_FEE,
            self.alice,
            self.bob,
            5000,
            name,
            authority,
            authority,
            AccountOptions(key_of(name)),
        )

    def worker(self, kind: int) -> WorkerCreate:
        begin = self.chain.head_time + 100
        initializers = (
            RefundWorkerInitializer(),
            VestingBalanceWorkerInitializer(7),
            BurnWorkerInitializer(),
        )
        return WorkerCreate(
            NO_FEE, self.alice, begin, begin + 10**6, 10**9, "work", "", initializers[kind]
        )

    def examples(self) -> Iterator[Operation]:
        """At least one operation of each kind; each applies alone to the state as it is."""
        yield self.transfer("alice", "bob", 100)
        yield from self._account_examples()
        yield from self._asset_examples()
        yield from self._bitasset_examples()
        yield from self._order_examples()
        yield from self._governance_examples()
        yield from self._permission_examples()
        yield from self._lock_examples()
        yield from self._ticket_examples()
        yield from self._custom_authority_examples()
        yield from self._pool_examples()
        yield from self._credit_examples()
        yield from self._fund_examples()

    def _account_examples(self) -> Iterator[Operation]:
        state, alice, bob = self.state, self.alice, self.bob
        vote = state.witnesses.get(WitnessId(1)).vote_id
        options = AccountOptions(key_of("alice"), votes=(vote,), num_witness=1)
        yield self.register("erin")
        holders = TopHoldersSpecialAuthority(self.asset("COIN"), 3)
        options_of_new = AccountCreateExtensions(None, Void(), holders)
        yield replace(self.register("frank"), extensions=options_of_new)
        bought = BuybackAccountOptions(self.asset("BLANK"), alice, (self.asset("TEST"),))
        options_of_new = AccountCreateExtensions(buyback_options=bought)
        nobody = replace(self.register("grace"), owner=NULL_AUTHORITY, active=NULL_AUTHORITY)
        yield replace(nobody, extensions=options_of_new)
        special = AccountUpdateExtensions(None, holders, holders)
        yield AccountUpdate(NO_FEE, alice, extensions=special)
        yield AccountUpdate(NO_FEE, alice, active=key_authority(key_of("new")), new_options=options)
        yield AccountWhitelist(NO_FEE, alice, bob, 1)
        yield AccountUpgrade(NO_FEE, self.account("dave"), True)
        yield Custom(self.amount(1), alice, (bob,), 7, b"data")
        yield Assert(NO_FEE, alice, (AccountNamePredicate(bob, "bob"),))
        coin = self.amount(10, "COIN")
        yield OverrideTransfer(NO_FEE, alice, bob, self.carol, coin)
        for policy in (
            InstantVestingPolicy(),
            CddVestingPolicy(5, 100),
            LinearVestingPolicy(self.chain.head_time, 10, 100),
        ):
            yield VestingBalanceCreate(NO_FEE, alice, bob, self.amount(10**6), policy)
        for number in range(3):
            held = self.amount(100)
            yield VestingBalanceWithdraw(NO_FEE, VestingBalanceId(number), alice, held)
        for number, amount in ((0, 10**9), (1, 10**6)):
            claimed = self.amount(amount)
            yield BalanceClaim(NO_FEE, bob, BalanceId(number), key_of("old"), claimed)

    def _asset_examples(self) -> Iterator[Operation]:
        alice, coin, blank = self.alice, self.asset("COIN"), self.asset("BLANK")
        yield AssetCreate(NO_FEE, alice, "MORE", 4, self.uia_options())
        yield AssetCreate(NO_FEE, alice, "MOREUSD", 4, self.options(), BitassetOptions())
        yield AssetCreate(NO_FEE, alice, "GUESS", 5, self.options(0, 0x3F), BitassetOptions(), True)
        options = replace(self.uia_options(), core_exchange_rate=self.rate("COIN"))
        yield AssetUpdate(NO_FEE, alice, coin, None, options)
        options = replace(options, core_exchange_rate=self.rate("BLANK"))
        extensions = AssetUpdateExtensions(new_precision=6)
        yield AssetUpdate(NO_FEE, alice, blank, None, options, extensions)
        yield AssetUpdateIssuer(NO_FEE, alice, coin, self.bob)
        yield AssetIssue(NO_FEE, alice, self.amount(100, "COIN"), self.bob)
        yield AssetReserve(NO_FEE, alice, self.amount(100, "COIN"))
        yield AssetFundFeePool(NO_FEE, alice, coin, 100)
        yield AssetClaimPool(NO_FEE, alice, coin, self.amount(100))
        yield AssetClaimFees(NO_FEE, alice, self.amount(1, "COIN"))

    def _bitasset_examples(self) -> Iterator[Operation]:
        alice, live = self.alice, self.asset("LIVE")
        options = BitassetOptions(
            10**9, extensions=BitassetOptionsExtensions(None, None, None, 1010, 10, None)
        )
        yield AssetUpdateBitasset(NO_FEE, alice, live, options)
        yield AssetUpdateFeedProducers(NO_FEE, alice, live, (alice, self.bob))
        yield self.publish("LIVE", 100, 210)
        yield AssetSettle(NO_FEE, self.bob, self.amount(100, "LIVE"))
        yield AssetSettle(NO_FEE, self.bob, self.amount(100, "DEAD"))
        price = Price(AssetAmount(1, live), self.amount(2))
        yield AssetGlobalSettle(NO_FEE, alice, live, price)
        bid = self.amount(10**6), self.amount(10**3, "DEAD")
        yield BidCollateral(NO_FEE, alice, *bid)
        yield self.borrow("LIVE", 100, 1000)

    def _order_examples(self) -> Iterator[Operation]:
        alice = self.alice
        yield self.sell("alice", self.amount(100, "COIN"), self.amount(1000))
        (order,) = (item for item in self.state.limit_orders.in_order() if item.seller == alice)
        order_id = LimitOrderId(order.id)
        yield LimitOrderCancel(NO_FEE, alice, order_id)
        price = Price(self.amount(10, "COIN"), self.amount(100))
        delta, expiration = self.amount(10, "COIN"), self.chain.head_time + 10**6
        yield LimitOrderUpdate(NO_FEE, alice, order_id, price, delta, expiration)

    def _governance_examples(self) -> Iterator[Operation]:
        alice, bob = self.alice, self.bob
        yield WitnessCreate(NO_FEE, alice, "", key_of("alice block"))
        yield WitnessUpdate(NO_FEE, WitnessId(1), self.account("init0"), "url")
        yield CommitteeMemberCreate(NO_FEE, alice, "")
        yield CommitteeMemberUpdate(NO_FEE, CommitteeMemberId(0), self.account("init0"), "url")
        for kind in range(3):
            yield self.worker(kind)
        transfer = self.transfer("bob", "alice", 7)
        yield self.propose(transfer)
        yield self.propose(transfer, review=100)
        for number in range(2):
            yield ProposalUpdate(NO_FEE, alice, ProposalId(number), active_approvals_to_add=(bob,))
        yield ProposalDelete(NO_FEE, bob, False, ProposalId(0))

    def _permission_examples(self) -> Iterator[Operation]:
        alice, bob, start = self.alice, self.bob, self.chain.head_time + 10
        limit, number = self.amount(10**9), WithdrawPermissionId(0)
        yield WithdrawPermissionCreate(NO_FEE, alice, bob, limit, 1000, 1000, start)
        yield WithdrawPermissionUpdate(NO_FEE, alice, bob, number, limit, 1000, start, 1000)
        yield WithdrawPermissionClaim(NO_FEE, number, alice, bob, self.amount(1000))
        yield WithdrawPermissionDelete(NO_FEE, alice, bob, number)

    def lock(self, tag: int, seconds: int) -> HtlcCreate:
        held, lock = self.amount(1000), hash_of_preimage(tag, b"secret")
        return HtlcCreate(NO_FEE, self.alice, self.bob, held, lock, 6, seconds)

    def _lock_examples(self) -> Iterator[Operation]:
        for tag in range(4):
            yield self.lock(tag, 10)
        yield HtlcRedeem(NO_FEE, HtlcId(0), self.carol, b"secret")
        yield HtlcExtend(NO_FEE, HtlcId(0), self.alice, 100)

    def custom_authority(self, operation_type: int) -> CustomAuthorityCreate:
        auth, end = key_authority(key_of("new")), self.chain.head_time + 2_000_000
        alice, few = self.alice, Restriction(1, RestrictionFunction.EQ, Tagged(7, self.alice))
        return CustomAuthorityCreate(NO_FEE, alice, True, 0, end, operation_type, auth, (few,))

    def _custom_authority_examples(self) -> Iterator[Operation]:
        alice, number = self.alice, CustomAuthorityId(0)
        yield self.custom_authority(15)
        end, auth = self.chain.head_time + 1_000_000, Authority(1, ((self.bob, 1),))
        few = Restriction(1, RestrictionFunction.IN, Tagged(26, (alice, self.bob)))
        yield CustomAuthorityUpdate(NO_FEE, alice, number, False, 5, end, auth, (0,), (few,))
        yield CustomAuthorityDelete(NO_FEE, alice, number)

    def _ticket_examples(self) -> Iterator[Operation]:
        for target in range(1, 5):
            yield TicketCreate(NO_FEE, self.alice, target, self.amount(1000))
        for part in (None, self.amount(1000)):
            for target in range(4):
                yield TicketUpdate(NO_FEE, TicketId(0), self.alice, target, part)

    def _pool_examples(self) -> Iterator[Operation]:
        alice, full, empty = self.alice, LiquidityPoolId(0), LiquidityPoolId(1)
        yield new_pool(self, "alice", ("TEST", "LIVE"), "SPARE", 30, 20)
        yield LiquidityPoolDelete(NO_FEE, alice, empty)
        yield LiquidityPoolUpdate(NO_FEE, alice, full, 20, 0)
        yield deposit(self, "alice", 0, 10**6, 10**5)
        yield withdraw(self, "alice", 0, 10**5)
        yield exchange(self, "bob", 0, (10**5, "TEST"), (10, "COIN"))
        yield exchange(self, "bob", 0, (10**4, "COIN"), (10, "TEST"))

    def lend(self, amount: int) -> CreditOfferCreate:
        """Alice lends CORE against as much COIN, for long."""
        price = Price(self.amount(1), self.amount(1, "COIN"))
        end, accepted = self.chain.head_time + 10**6, ((self.asset("COIN"), price),)
        terms = (amount, 10_000, 10**6, 1, True, end, accepted, ((self.bob, 10**6),))
        return CreditOfferCreate(NO_FEE, self.alice, self.amount(0).asset_id, *terms)

    def borrow_by_offer(self, offer: int, coin: AssetAmount) -> CreditOfferAccept:
        extensions = CreditOfferAcceptExtensions(2)
        terms = (self.amount(coin.amount), coin, 10_000, 0, extensions)
        return CreditOfferAccept(NO_FEE, self.bob, CreditOfferId(offer), *terms)

    def _credit_examples(self) -> Iterator[Operation]:
        alice, bob, deal = self.alice, self.bob, CreditDealId(0)
        yield self.lend(10**6)
        yield CreditOfferDelete(NO_FEE, alice, CreditOfferId(1))
        yield CreditOfferUpdate(
            NO_FEE,
            alice,
            CreditOfferId(0),
            self.amount(100),
            1,
            10**6,
            1,
            True,
            self.chain.head_time + 10**6,
            self.lend(1).acceptable_collateral,
            ((bob, 10**6),),
        )
        yield self.borrow_by_offer(0, self.amount(100, "COIN"))
        yield CreditDealRepay(NO_FEE, bob, deal, self.amount(100), self.amount(1))
        yield CreditDealUpdate(NO_FEE, bob, deal, 1)

    def _fund_examples(self) -> Iterator[Operation]:
        alice, fund = self.alice, SametFundId(0)
        yield SametFundCreate(NO_FEE, alice, self.asset("COIN"), 10**6, 5)
        yield SametFundDelete(NO_FEE, alice, fund)
        yield SametFundUpdate(NO_FEE, alice, fund, self.amount(10**6), 7)
