"""A chain under random operations: a block always applies, and undo and forks are exact.

T-E1: from every state an empty block and a maintenance block apply. I1-I18: all invariants are
recounted after each block, and the incremental check agrees. I18: a second node that gets the
blocks on a detour over a fork has the same state.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import ceil

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from node.chain.apply_block import apply_block
from node.chain.block_builder import build_block
from node.chain.chain import Chain
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.chain.witness_schedule import scheduled_witness, slot_time
from protocol.asset import NO_FEE, AssetAmount
from protocol.block import BlockEnvelope
from protocol.crypto.signatures import sign_digest
from protocol.errors import PegboardError
from protocol.ids import LimitOrderId, VestingBalanceId, WitnessId
from protocol.operations.account import AccountUpdate
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle, BidCollateral
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.call_order import CallOrderUpdate, CallOrderUpdateExtensions
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.vesting import (
    CddVestingPolicy,
    VestingBalanceCreate,
    VestingBalanceWithdraw,
)
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.cuts import CutTwin
from tests.support.recount import full_recount

NAMES = ("alice", "bob", "carol")
PEOPLE = st.sampled_from(NAMES)
SYMBOLS = st.sampled_from(("TEST", "USD"))
AMOUNTS = st.one_of(st.integers(1, 50), st.integers(1, 4_000))
DELTAS = st.integers(-3000, 8_000)
SLOTS = st.sampled_from((1, 1, 1, 2, 5))
OPTIONS = BitassetOptions(
    feed_lifetime_sec=600, force_settlement_delay_sec=20, maximum_force_settlement_volume=4000
)


class ChainMachine(RuleBasedStateMachine):
    """Operations by three people in one BitAsset market, blocks in between."""

    @initialize(trigger=st.sampled_from(("bid", "feed")))
    def start(self, trigger: str) -> None:
        parameters = make_parameters(maintenance_interval=300)
        genesis = make_genesis(
            *NAMES, core=10**6, trigger=trigger, options=OPTIONS, parameters=parameters
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
        self.make_block()

    def make_block(self, slot: int = 1, *, detour: bool = False) -> None:
        """A block, which the follower hears of; on a detour it made another one meanwhile."""
        if detour and self.follower.chain.head_id == self.chain.chain.head_id:
            self.follower.block(slot=slot + 1)
        applied = self.chain.block(slot=slot)
        self.follower.receive(BlockEnvelope.from_bytes(applied.envelope.packed))

    def slot_not_before(self, time_s: int, node: TestChain | None = None) -> int:
        return (node or self.chain).chain.slot_at(time_s - 1) + 1

    def try_push(self, operation: Operation) -> None:
        """Push; a refusal leaves no trace."""
        before = self.chain.state.state_hash()
        try:
            self.chain.push(operation)
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
    )
    def order(self, name: str, debt: int, price: Fraction, buys: bool, kill: bool) -> None:
        sold, wanted = self.chain.amount(debt, "USD"), self.chain.amount(ceil(debt * price))
        if buys:
            sold, wanted = wanted, sold
        expiration = self.chain.chain.head_time + 20 + debt % 90
        account = self.chain.account(name)
        self.try_push(LimitOrderCreate(self.fee, account, sold, wanted, expiration, kill))

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
                envelope = self.empty_block(due, node)
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
        if not hasattr(self, "chain"):
            return
        with self.chain.chain.head_state() as state:
            before = state.state_hash()
            maintenance = self.slot_not_before(state.dynamic.next_maintenance_time)
            for slot in (1, maintenance):
                envelope = self.empty_block(slot, self.chain)
                applied = apply_block(state, envelope, self.chain.chain.chain_id)
                check_all(state)
                check_block(state, applied.revision)
                state.log.revert(applied.revision)
                assert state.state_hash() == before

    def empty_block(self, slot: int, node: TestChain) -> BlockEnvelope:
        state = node.state
        witness = scheduled_witness(state, slot)
        secret = node.witness_secret(witness)
        return build_block(
            state.dynamic.head_block_id,
            slot_time(state, slot),
            witness,
            (),
            state.parameters.maximum_block_size,
            partial(sign_digest, secret),
        )

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
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestChainMachine = ChainMachine.TestCase
