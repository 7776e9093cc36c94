"""A chain under random operations: a block always applies, and undo and forks are exact.

T-E1: from every state an empty block and a maintenance block apply. I1-I18: all invariants are
recounted after each block, and the incremental check agrees. I18: a second node that gets the
blocks on a detour over a fork has the same state. What a simulation says of a block before it is
made is what the block does.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from node.chain.apply_block import apply_block
from node.chain.chain import Chain
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.state.database import State
from node.whatif.plan import MakeBlockAt, Transact
from protocol.asset import NO_FEE, AssetAmount, Price
from protocol.block import BlockEnvelope
from protocol.chain_parameters import ChainParametersExtensions
from protocol.constants import MAX_BLOCK_BYTES, MAX_TRANSACTION_BYTES
from protocol.errors import PegboardError
from protocol.fee_schedule import FeeSchedule, SizedFee
from protocol.fees import ZERO_FEE_SCHEDULE, with_parameters
from protocol.ids import LimitOrderId, ProposalId, VestingBalanceId, WitnessId
from protocol.operations.account import AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.bitasset import (
    AssetGlobalSettle,
    AssetSettle,
    AssetUpdateBitasset,
    BidCollateral,
)
from protocol.operations.bitasset_options import BitassetOptions, BitassetOptionsExtensions
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.committee import CommitteeMemberUpdateGlobalParameters
from protocol.operations.credit_offer import (
    CreditDealRepay,
    CreditOfferAccept,
    CreditOfferAcceptExtensions,
    CreditOfferCreate,
)
from protocol.operations.limit_order import (
    CreateTakeProfitOrder,
    LimitOrderCancel,
    LimitOrderCreate,
    LimitOrderCreateExtensions,
)
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.vesting import (
    CddVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
)
from protocol.schema import Tagged
from tests.support.chain import TestChain, make_genesis, make_parameters, witness_names
from tests.support.cuts import CutTwin
from tests.support.foreseen import Foreseen
from tests.support.next_blocks import empty_block, try_next_blocks
from tests.support.recount import full_recount

NAMES = ("alice", "bob", "carol")
PEOPLE = st.sampled_from(NAMES)
SYMBOLS = st.sampled_from(("TEST", "USD"))
AMOUNTS = st.one_of(st.integers(1, 50), st.integers(1, 4_000))
DELTAS = st.integers(-3000, 8_000)
SLOTS = st.sampled_from((1, 1, 1, 2, 5))
REVIEW_S = 20
HUGE = 2**63 - 1
PARAMETERS: list[dict[str, object]] = [
    {"maximum_block_size": 5120, "maximum_transaction_size": 1024},
    {"maximum_block_size": MAX_BLOCK_BYTES, "maximum_transaction_size": MAX_TRANSACTION_BYTES},
    {"witness_pay_per_block": 0, "worker_budget_per_day": HUGE},
    {"witness_pay_per_block": HUGE, "maintenance_skip_slots": 255},
    {"maintenance_skip_slots": 0, "maximum_witness_count": 0, "maximum_committee_count": 0},
    {"network_percent_of_fee": 0, "lifetime_referrer_percent_of_fee": 10_000},
    {"network_percent_of_fee": 10_000, "lifetime_referrer_percent_of_fee": 0},
    {"cashback_vesting_period_seconds": 0, "cashback_vesting_threshold": -1},
    {"cashback_vesting_period_seconds": 2**32 - 1, "cashback_vesting_threshold": 0},
    {"current_fees": with_parameters(ZERO_FEE_SCHEDULE, 0, SizedFee(HUGE, 0))},
    {"current_fees": FeeSchedule((Tagged(0, SizedFee(HUGE, 0)),), scale=20_000)},
    {"current_fees": ZERO_FEE_SCHEDULE},
    {"block_interval": 1},
    {"block_interval": 30},
    {"maximum_block_size": MAX_BLOCK_BYTES + 1},
    {"witness_pay_per_block": -1},
]
OPTIONS = BitassetOptions(
    feed_lifetime_sec=600, force_settlement_delay_sec=20, maximum_force_settlement_volume=4000
)


class ChainMachine(RuleBasedStateMachine):
    """Operations by three people in one BitAsset market, blocks in between."""

    extensions = ChainParametersExtensions()
    """What the chain's parameters have beside the usual ones."""

    @initialize(trigger=st.sampled_from(("bid", "feed")))
    def start(self, trigger: str) -> None:
        parameters = make_parameters(
            maintenance_interval=300,
            committee_proposal_review_period=REVIEW_S,
            extensions=self.extensions,
        )
        genesis = make_genesis(
            *NAMES,
            core=10**6,
            trigger=trigger,
            options=OPTIONS,
            parameters=parameters,
            issuer="alice",
        )
        self.chain = TestChain(genesis=genesis)
        self.follower = self.chain.twin()
        self.follower.chain.paranoid = False
        self.fee = NO_FEE
        self.cuts: list[CutTwin] = []
        self.make_block()
        self.chain.push(*self.chain.feed("USD", 1, 2))
        for name, collateral in zip(NAMES, (8_000, 12_000, 30_000), strict=True):
            self.borrow(name, 2_000, 1, collateral, None)
        self.elect_committee()
        self.make_block()

    def elect_committee(self) -> None:
        account = self.chain.state.account_named("bob")
        votes = tuple(item.vote_id for item in self.chain.state.committee_members.in_order())
        options = replace(account.options, votes=votes, num_committee=len(votes))
        self.chain.push(AccountUpdate(NO_FEE, account.id, new_options=options))

    def make_block(self, slot: int = 1, *, detour: bool = False) -> None:
        """A block, which the follower hears of; on a detour it made another one meanwhile."""
        plan = [MakeBlockAt(self.chain.chain.slot_time(slot))]
        foreseen = [Foreseen.of(self.chain.chain, plan)]
        pushed = [
            Transact(entry.envelope.transaction.operations) for entry in self.chain.chain.pending
        ]
        if self.follower.chain.head_id == self.chain.chain.head_id:
            foreseen.append(Foreseen.of(self.follower.chain, [*pushed, *plan]))
            if detour:
                self.follower.block(slot=slot + 1)
        applied = self.chain.block(slot=slot)
        for one in foreseen if not len(self.chain.chain.pending) else ():
            one.compare(self.chain.state, applied)
        self.follower.receive(BlockEnvelope.from_bytes(applied.envelope.packed))

    def slot_not_before(self, time_s: int, node: TestChain | None = None) -> int:
        return (node or self.chain).chain.slot_at(time_s - 1) + 1

    def try_push(self, *operations: Operation, signers: tuple[str, ...] | None = None) -> None:
        """Push a transaction; a refusal leaves no trace."""
        before = self.chain.state.state_hash()
        transaction = self.chain.transaction(*operations, signers=signers)
        try:
            self.chain.chain.push_transaction(transaction)
        except PegboardError:
            assert self.chain.state.state_hash() == before

    @rule(sender=PEOPLE, receiver=PEOPLE, amount=AMOUNTS, symbol=SYMBOLS)
    def transfer(self, sender: str, receiver: str, amount: int, symbol: str) -> None:
        self.try_push(replace(self.chain.transfer(sender, receiver, amount, symbol), fee=self.fee))

    @rule(
        name=PEOPLE,
        debt=AMOUNTS,
        price=st.fractions(Fraction(3, 2), 6, max_denominator=7),
        buys=st.booleans(),
        kill=st.sampled_from((False, False, True)),
        spread=st.sampled_from((None, None, 5, 500)),
    )
    def order(
        self, name: str, debt: int, price: Fraction, buys: bool, kill: bool, spread: int | None
    ) -> None:
        sold, wanted = self.chain.amount(debt, "USD"), self.chain.amount(ceil(debt * price))
        if buys:
            sold, wanted = wanted, sold
        expiration = self.chain.chain.head_time + 20 + debt % 90
        account = self.chain.account(name)
        action = CreateTakeProfitOrder(self.fee.asset_id, spread or 1, 9_000, 60, repeat=debt > 25)
        extensions = LimitOrderCreateExtensions(None if spread is None else (action,))
        self.try_push(
            LimitOrderCreate(self.fee, account, sold, wanted, expiration, kill, extensions)
        )

    @rule(owner=PEOPLE, amount=AMOUNTS, symbol=SYMBOLS, lasts=st.integers(0, 30),
          borrower=PEOPLE, auto=st.integers(0, 2))  # fmt: skip
    def lend(
        self, owner: str, amount: int, symbol: str, lasts: int, borrower: str, auto: int
    ) -> None:
        """An offer of one asset against the other, and a loan of half of it."""
        other = "TEST" if symbol == "USD" else "USD"
        lent, locked = self.chain.amount(amount, symbol), self.chain.amount(amount, other)
        accepted = ((locked.asset_id, Price(lent, locked)),)
        end, offer = self.chain.chain.head_time + 40, self.chain.state.credit_offers.next_id
        terms = (lent.asset_id, amount, 20_000, lasts, 0, True, end, accepted, ())
        self.try_push(CreditOfferCreate(self.fee, self.chain.account(owner), *terms))
        half = replace(lent, amount=-(-amount // 2)), replace(locked, amount=amount)
        extensions, account = CreditOfferAcceptExtensions(auto), self.chain.account(borrower)
        self.try_push(CreditOfferAccept(self.fee, account, offer, *half, 20_000, 0, extensions))

    @rule(pick=st.integers(0, 10), part=st.integers(1, 3))
    def repay(self, pick: int, part: int) -> None:
        deals = list(self.chain.state.credit_deals.in_order())
        if deals:
            deal = deals[pick % len(deals)]
            debt = replace(deal.debt, amount=-(-deal.debt_amount * part // 3))
            fee = replace(debt, amount=-(-debt.amount // 50))
            self.try_push(CreditDealRepay(self.fee, deal.borrower, deal.id, debt, fee))

    @rule(pick=st.integers(0, 10))
    def cancel(self, pick: int) -> None:
        orders = list(self.chain.state.limit_orders.in_order())
        if orders:
            order = orders[pick % len(orders)]
            operation = LimitOrderCancel(self.fee, order.seller, LimitOrderId(order.id))
            self.try_push(operation)

    @rule(
        name=PEOPLE,
        debt=DELTAS,
        ratio=st.integers(1, 6),
        collateral=st.none() | DELTAS,
        target_ratio=st.none() | st.integers(1000, 3000),
    )
    def borrow(
        self, name: str, debt: int, ratio: int, collateral: int | None, target_ratio: int | None
    ) -> None:
        backing = debt * ratio if collateral is None else collateral
        operation = CallOrderUpdate(
            self.fee,
            self.chain.account(name),
            self.chain.amount(backing),
            self.chain.amount(debt, "USD"),
            CallOrderUpdateExtensions(target_ratio),
        )
        self.try_push(operation)

    @rule(debt=st.integers(9, 11), backing=st.integers(15, 60))
    def publish(self, debt: int, backing: int) -> None:
        for operation in self.chain.feed("USD", debt, backing):
            self.try_push(operation)

    @rule(name=PEOPLE, amount=AMOUNTS)
    def settle(self, name: str, amount: int) -> None:
        account = self.chain.account(name)
        self.try_push(AssetSettle(self.fee, account, self.chain.amount(amount, "USD")))

    @rule(name=PEOPLE, additional=AMOUNTS, debt=AMOUNTS)
    def bid(self, name: str, additional: int, debt: int) -> None:
        account = self.chain.account(name)
        amounts = self.chain.amount(additional), self.chain.amount(debt, "USD")
        self.try_push(BidCollateral(self.fee, account, *amounts))

    @rule(name=PEOPLE, amount=AMOUNTS, seconds=st.integers(0, 400))
    def vest(self, name: str, amount: int, seconds: int) -> None:
        account = self.chain.account(name)
        policy = CddVestingPolicy(0, seconds)
        self.try_push(
            VestingBalanceCreate(self.fee, account, account, self.chain.amount(amount), policy)
        )

    @rule(pick=st.integers(0, 10), amount=AMOUNTS)
    def withdraw(self, pick: int, amount: int) -> None:
        balances = list(self.chain.state.vesting_balances.in_order())
        if balances:
            found = balances[pick % len(balances)]
            held = AssetAmount(amount, found.balance.asset_id)
            number = VestingBalanceId(found.id)
            self.try_push(VestingBalanceWithdraw(self.fee, number, found.owner, held))

    @rule(name=PEOPLE, witness=st.integers(1, 3), wanted=st.integers(0, 1))
    def vote(self, name: str, witness: int, wanted: int) -> None:
        account = self.chain.state.account_named(name)
        vote = self.chain.state.witnesses.get(WitnessId(witness)).vote_id
        options = type(account.options)(account.options.memo_key, votes=(vote,), num_witness=wanted)
        self.try_push(AccountUpdate(self.fee, account.id, new_options=options))

    @rule(name=PEOPLE, proxy=PEOPLE)
    def follow(self, name: str, proxy: str) -> None:
        account = self.chain.state.account_named(name)
        memo_key, voting_account = account.options.memo_key, self.chain.account(proxy)
        options = type(account.options)(memo_key, voting_account)
        self.try_push(AccountUpdate(self.fee, account.id, new_options=options))

    @rule(name=PEOPLE, other=PEOPLE, amount=AMOUNTS, review=st.booleans())
    def propose(self, name: str, other: str, amount: int, review: bool) -> None:
        operation = self.chain.transfer(other, name, amount)
        expiration = self.chain.chain.head_time + 40
        self.try_push(
            ProposalCreate(
                self.fee,
                self.chain.account(name),
                expiration,
                (ProposedOperation(operation),),
                20 if review else None,
            )
        )

    @rule(pick=st.integers(0, 10))
    def approve(self, pick: int) -> None:
        proposals = list(self.chain.state.proposals.in_order())
        if proposals:
            proposal = proposals[pick % len(proposals)]
            required = proposal.required_active_approvals
            self.try_push(
                ProposalUpdate(self.fee, required[0], proposal.id, active_approvals_to_add=required)
            )

    @rule(changes=st.sampled_from(PARAMETERS))
    def change_parameters(self, changes: dict[str, object]) -> None:
        """By a proposal that the committee approves; in force from the maintenance after it."""
        state = self.chain.state
        operation = CommitteeMemberUpdateGlobalParameters(
            NO_FEE, replace(state.parameters, **changes)
        )
        expiration = self.chain.chain.head_time + REVIEW_S + 20
        bob, number = self.chain.account("bob"), ProposalId(state.proposals.next_id)
        proposed = (ProposedOperation(operation),)
        self.try_push(ProposalCreate(self.fee, bob, expiration, proposed, REVIEW_S))
        if state.proposals.find(number) is not None:
            members = tuple(map(self.chain.account, witness_names(3)))
            self.try_push(ProposalUpdate(self.fee, bob, number, active_approvals_to_add=members))

    @rule(debt=st.integers(9, 11), backing=st.integers(5, 60))
    def settle_globally(self, debt: int, backing: int) -> None:
        price = Price(self.chain.amount(debt, "USD"), self.chain.amount(backing))
        alice, asset = self.chain.account("alice"), self.chain.asset("USD")
        self.try_push(AssetGlobalSettle(self.fee, alice, asset, price))

    @rule(
        lifetime=st.sampled_from((300, 600, 2**32 - 1)),
        delay=st.sampled_from((0, 20, 2**32 - 1)),
        ratios=st.sampled_from(((None, None), (1001, 32_000), (32_000, 1001))),
    )
    def change_options(
        self, lifetime: int, delay: int, ratios: tuple[int | None, int | None]
    ) -> None:
        extensions = BitassetOptionsExtensions(
            maintenance_collateral_ratio=ratios[0], maximum_short_squeeze_ratio=ratios[1]
        )
        options = BitassetOptions(lifetime, 1, delay, 0, 4000, extensions=extensions)
        alice, asset = self.chain.account("alice"), self.chain.asset("USD")
        self.try_push(AssetUpdateBitasset(self.fee, alice, asset, options))

    @rule(amount=st.integers(0, 3), symbol=SYMBOLS)
    def choose_fee(self, amount: int, symbol: str) -> None:
        self.fee = self.chain.amount(amount, symbol)

    @rule(slot=SLOTS, detour=st.booleans())
    def block(self, slot: int, detour: bool) -> None:
        self.make_block(slot, detour=detour)

    @rule()
    def maintenance_block(self) -> None:
        self.make_block(self.slot_not_before(self.chain.state.dynamic.next_maintenance_time))

    @rule(seconds=st.integers(100, 1000))
    def late_block(self, seconds: int) -> None:
        self.make_block(self.slot_not_before(self.chain.chain.head_time + seconds))

    @rule(size=st.integers(1, 9), follower=st.booleans())
    def cut(self, size: int, follower: bool) -> None:
        self.cuts.append(CutTwin((self.follower if follower else self.chain).chain, size))

    @invariant()
    def cuts_are_what_their_blocks_left(self) -> None:
        """T-S1: also while pending transactions come and go, and blocks of a fork."""
        for cut in getattr(self, "cuts", ()):
            for _ in range(3):
                if not cut.is_over:
                    cut.advance()

    @invariant()
    def maintenance_looks_at_whoever_moved(self) -> None:
        """R8.11, R8.20: the state is that of a maintenance that walks all accounts, on each node,
        whatever was taken back before."""
        for node in (self.chain, self.follower) if hasattr(self, "chain") else ():
            with node.chain.head_state() as state:
                due = self.slot_not_before(state.dynamic.next_maintenance_time, node)
                envelope = empty_block(node, due)
                applied = apply_block(state, envelope, node.chain.chain_id)
                found = state.state_hash()
                state.log.revert(applied.revision)
                with full_recount(state):
                    applied = apply_block(state, envelope, node.chain.chain_id)
                assert state.state_hash() == found
                state.log.revert(applied.revision)

    @invariant()
    def every_block_applies(self) -> None:
        """T-E1: an empty block and a maintenance block, then undone without a trace (T-E2)."""
        if hasattr(self, "chain"):
            try_next_blocks(self.chain)

    @invariant()
    def the_pending_make_a_block(self) -> None:
        """T-E1, R9.4, C7: it can be made and read, holds the oldest, and leaves a state that has a
        hash and a snapshot; undone, all is as before (T-E2)."""
        if not hasattr(self, "chain"):
            return
        pending = [entry.envelope.id for entry in self.chain.chain.pending]
        envelope = BlockEnvelope.from_bytes(self.chain.build().packed)
        taken = [transaction.id for transaction, _ in envelope.transactions]
        assert taken == pending[: len(taken)]
        assert taken or not pending
        with self.chain.chain.head_state() as state:
            before = state.state_hash()
            applied = apply_block(state, envelope, self.chain.chain.chain_id, trusted=True)
            check_block(state, applied.revision)
            check_all(state)
            assert State.restore(state.dump()).state_hash() == state.state_hash()
            state.log.revert(applied.revision)
            assert state.state_hash() == before

    def teardown(self) -> None:
        """I18: a node that heard of all blocks, and one restored from a dump, agree."""
        if not hasattr(self, "chain"):
            return
        for cut in self.cuts:
            cut.finish()
        self.make_block()
        assert self.follower.chain.state_hash() == self.chain.chain.state_hash()
        restored = Chain.restore(self.chain.genesis, self.chain.chain.dump())
        assert restored.state_hash() == self.chain.chain.state_hash()


ChainMachine.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestChainMachine = ChainMachine.TestCase
