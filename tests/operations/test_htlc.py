"""Hash time locks: made, redeemed by whoever shows the preimage, given more time, given back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from node.chain.expirations import settle_expired_proposals
from node.chain.invariants import check_all
from node.chain.invariants_incremental import check_block
from node.history.impacted import account_not_notified, accounts_of_operation
from node.market.boundary import run_boundary
from node.state.context import Context
from node.state.errors import (
    InsufficientBalance,
    InvariantViolated,
    NoSuchObject,
    NotAuthorized,
)
from node.state.lock_errors import (
    ExtensionTooLong,
    HtlcNotEnabled,
    NotTheCreator,
    PreimageSizeMismatch,
    PreimageTooLong,
    PreimageWrong,
    TimeoutTooLong,
    TransferRestricted,
)
from node.state.objects.htlc import Htlc
from protocol.asset import NO_FEE, AssetAmount
from protocol.chain_parameters import ChainParameters, ChainParametersExtensions, HtlcOptions
from protocol.constants import CORE_ASSET, CORE_UNIT
from protocol.errors import PegboardError, ValidationError
from protocol.fees import DEFAULT_FEE_SCHEDULE, ZERO_FEE_SCHEDULE, required_fee
from protocol.ids import AccountId, AssetId, HtlcId, ObjectId, ProposalId
from protocol.json_form import to_json
from protocol.operations.account import BLACK_LISTED, NO_LISTING, AccountWhitelist
from protocol.operations.asset_options import TRANSFER_RESTRICTED, WHITE_LIST
from protocol.operations.authorities import required_authorities
from protocol.operations.base import Operation
from protocol.operations.htlc import (
    HtlcCreate,
    HtlcCreateExtensions,
    HtlcExtend,
    HtlcRedeem,
    HtlcRedeemed,
    HtlcRefund,
    hash_of_preimage,
)
from protocol.operations.memo import Memo
from protocol.operations.proposal import ProposalCreate, ProposalUpdate, ProposedOperation
from protocol.operations.results import VoidResult
from protocol.schema import MAX_TIMESTAMP, Tagged
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.state import (
    add_asset,
    apply,
    core,
    core_options,
    expect,
    issue,
    make_context,
    make_state,
)
from tests.support.world import ALICE, BOB, CAROL, DAVE, GENESIS_TIME, key_of

SECRET = b"a secret of 21 bytes."
LOCK = hash_of_preimage(2, SECRET)
FIRST = HtlcId(0)
MAX_S, MAX_SIZE = 86_400, 100
OPTIONS = ChainParametersExtensions(HtlcOptions(MAX_S, MAX_SIZE))
NOBODY = AccountId(99)


def parameters(options: ChainParametersExtensions = OPTIONS) -> ChainParameters:
    return replace(ChainParameters(ZERO_FEE_SCHEDULE), extensions=options)


@pytest.fixture
def ctx() -> Context:
    """Everybody has 1000 CORE; locks last up to a day, preimages have up to 100 bytes."""
    state = make_state("alice", "bob", "carol", "dave", core=1000, parameters=parameters())
    return make_context(state)


def create(**changes: object) -> HtlcCreate:
    op = HtlcCreate(NO_FEE, ALICE, BOB, core(300), LOCK, len(SECRET), 60)
    return replace(op, **changes)


def redeem(**changes: object) -> HtlcRedeem:
    return replace(HtlcRedeem(NO_FEE, FIRST, CAROL, SECRET), **changes)


def extend(**changes: object) -> HtlcExtend:
    return replace(HtlcExtend(NO_FEE, FIRST, ALICE, 60), **changes)


def balance(ctx: Context, account: AccountId) -> int:
    return ctx.state.balance_of(account, CORE_ASSET)


def contract(ctx: Context) -> Htlc:
    return ctx.state.htlcs.get(FIRST)


def boundary(ctx: Context, now: int) -> list[Operation]:
    """The virtual operations of a boundary at a time."""
    ctx.now = now
    before = len(ctx.applied)
    run_boundary(ctx)
    return [applied.op for applied in ctx.applied[before:]]


def test_without_options_nothing_is_locked_or_extended(ctx: Context) -> None:
    """H1.1: contracts that are there are redeemed all the same."""
    apply(ctx, create())
    properties = ctx.state.global_properties.rows[0]
    properties.parameters = parameters(ChainParametersExtensions())
    assert expect(ctx, HtlcNotEnabled, create()).rule == "H1.1"
    expect(ctx, HtlcNotEnabled, extend())
    apply(ctx, redeem())
    assert balance(ctx, BOB) == 1300


@pytest.mark.parametrize(
    ("tag", "digest"),
    [
        (0, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (3, "bb1be98c142444d7a56aa3981c3942a978e4dc33"),
    ],
)
def test_four_kinds_of_hashes(ctx: Context, tag: int, digest: str) -> None:
    """H1.2: the hashes of "abc", as their inventors give them."""
    lock = Tagged(tag, bytes.fromhex(digest))
    apply(ctx, create(preimage_hash=lock, preimage_size=3))
    error = expect(ctx, PreimageWrong, redeem(preimage=b"abd"))
    assert error.limit == digest
    apply(ctx, redeem(preimage=b"abc"))


def test_an_object_as_bitshares_has_it(ctx: Context) -> None:
    """H1.3, H2.3: nested, with a memo only if one was given; found by end and by both sides."""
    assert apply(ctx, create()) == ObjectId(1, 16, 0)
    assert to_json(contract(ctx), "TEST") == {
        "id": "1.16.0",
        "transfer": {"from": "1.2.6", "to": "1.2.7", "amount": 300, "asset_id": "1.3.0"},
        "conditions": {
            "hash_lock": {"preimage_hash": [2, LOCK.value.hex()], "preimage_size": 21},  # type: ignore[attr-defined]
            "time_lock": {"expiration": "2020-09-13T12:27:40"},
        },
    }
    memo = Memo(key_of("alice"), key_of("bob"), 1, b"for you")
    apply(ctx, create(extensions=HtlcCreateExtensions(memo), claim_period_seconds=59))
    assert "memo" in to_json(ctx.state.htlcs.get(HtlcId(1)), "TEST")  # type: ignore[operator]
    assert [item.id for item in ctx.state.htlc_expirations.items(())] == [1, 0]
    assert [item.id for item in ctx.state.htlcs_from.items(ALICE)] == [0, 1]
    assert [item.id for item in ctx.state.htlcs_to.items(BOB)] == [0, 1]
    assert balance(ctx, ALICE) == 400
    assert ctx.state.statistics_of(ALICE).total_core_in_orders == 0
    check_all(ctx.state)


@pytest.mark.parametrize(
    "op", [create(amount=core(0)), create(fee=core(-1)), redeem(fee=core(-1)), extend(fee=core(-1))]
)
def test_what_no_chain_takes(op: Operation) -> None:
    """H2.1."""
    with pytest.raises(ValidationError):
        op.validate()


def test_what_every_chain_takes(ctx: Context) -> None:
    """H2.1: oneself as receiver, no time, no length."""
    apply(ctx, create(to=ALICE, claim_period_seconds=0, preimage_size=0, amount=core(1000)))
    assert boundary(ctx, ctx.now)
    assert balance(ctx, ALICE) == 1000


def test_limits_of_a_contract(ctx: Context) -> None:
    """H2.2: at the limits it is made, one beyond it is refused, in the order of the checks."""
    worst = create(
        claim_period_seconds=MAX_S + 1, preimage_size=MAX_SIZE + 1, amount=core(1001), to=NOBODY
    )
    error: PegboardError = expect(ctx, TimeoutTooLong, worst)
    assert (error.value, error.limit, error.unit) == (MAX_S + 1, MAX_S, "s")
    worst = replace(worst, claim_period_seconds=MAX_S)
    error = expect(ctx, PreimageTooLong, worst)
    assert (error.value, error.limit) == (MAX_SIZE + 1, MAX_SIZE)
    worst = replace(worst, preimage_size=MAX_SIZE)
    error = expect(ctx, InsufficientBalance, worst)
    assert (error.value, error.limit, error.unit) == (1000, 1001, "1.3.0")
    worst = replace(worst, amount=core(1000))
    expect(ctx, NoSuchObject, worst)
    apply(ctx, replace(worst, to=BOB))
    assert contract(ctx).expiration == GENESIS_TIME + MAX_S


def test_an_end_must_be_a_time(ctx: Context) -> None:
    """H2.3: BitShares' node wraps here."""
    ctx.now = MAX_TIMESTAMP - 60
    apply(ctx, create())
    error = expect(ctx, TimeoutTooLong, create(claim_period_seconds=61))
    assert (error.rule, error.value, error.limit) == ("H2.3", MAX_TIMESTAMP + 1, MAX_TIMESTAMP)


def listed_token(ctx: Context, flags: int) -> AssetId:
    options = replace(core_options(), flags=flags, blacklist_authorities=(CAROL,))
    token = add_asset(ctx.state, "TOKEN", issuer=CAROL, options=options)
    for account in (ALICE, BOB, CAROL):
        issue(ctx.state, account, AssetAmount(10, token))
    return token


def test_lists_are_asked_when_a_contract_is_made(ctx: Context) -> None:
    """H2.2, H3.1: both sides must pass then; what comes later does not matter."""
    token = listed_token(ctx, WHITE_LIST)
    op = create(amount=AssetAmount(10, token))
    for account in (ALICE, BOB):
        apply(ctx, AccountWhitelist(NO_FEE, CAROL, account, BLACK_LISTED))
        assert expect(ctx, NotAuthorized, op).rule == "R2.20"
        apply(ctx, AccountWhitelist(NO_FEE, CAROL, account, NO_LISTING))
    apply(ctx, op)
    apply(ctx, AccountWhitelist(NO_FEE, CAROL, BOB, BLACK_LISTED))
    apply(ctx, redeem(redeemer=BOB))
    assert ctx.state.balance_of(BOB, token) == 20


def test_a_restricted_asset_is_locked_from_or_for_its_issuer(ctx: Context) -> None:
    """H2.2: transfer_restricted."""
    amount = AssetAmount(5, listed_token(ctx, TRANSFER_RESTRICTED))
    expect(ctx, TransferRestricted, create(amount=amount))
    apply(ctx, create(amount=amount, to=CAROL))
    apply(ctx, create(amount=amount, from_=CAROL, to=BOB))


def fee(op: Operation) -> int:
    return required_fee(op, DEFAULT_FEE_SCHEDULE)


def test_fees() -> None:
    """H2.4: by begun days, also where BitShares' sum has no room; the memo as in a transfer."""
    for seconds, days in ((0, 0), (1, 1), (86_400, 1), (86_401, 2), (2**32 - 1, 49_711)):
        assert fee(create(claim_period_seconds=seconds)) == (1 + days) * CORE_UNIT
        assert fee(extend(seconds_to_add=seconds)) == (1 + days) * CORE_UNIT
    memo = Memo(key_of("alice"), key_of("bob"), 1, b"x" * 200)
    price = 10 * CORE_UNIT
    size = 1 + 33 + 33 + 8 + 2 + 200
    with_memo = create(claim_period_seconds=0, extensions=HtlcCreateExtensions(memo))
    assert fee(with_memo) == CORE_UNIT + size * price // 1024
    for length, kilobytes in ((0, 0), (1, 1), (1024, 1), (1025, 2)):
        assert fee(redeem(preimage=bytes(length))) == (1 + kilobytes) * CORE_UNIT


def test_who_signs_and_who_is_told() -> None:
    """H2.5, H3.1, H4.1: the active authority of creator, redeemer, creator."""
    for op, signer, told in (
        (create(), ALICE, (ALICE, BOB)),
        (redeem(), CAROL, (CAROL,)),
        (extend(), ALICE, (ALICE,)),
    ):
        assert required_authorities(op).active == (signer,)
        assert accounts_of_operation(op, VoidResult()) == told


def test_anybody_redeems_for_the_receiver(ctx: Context) -> None:
    """H3.1, H3.2, H6.1: carol shows it, bob is paid, alice and bob are told."""
    apply(ctx, create())
    assert apply(ctx, redeem()) == VoidResult()
    assert (balance(ctx, ALICE), balance(ctx, BOB), balance(ctx, CAROL)) == (700, 1300, 1000)
    assert ctx.state.htlcs.find(FIRST) is None
    told = ctx.applied[-1].op
    assert told == HtlcRedeemed(
        NO_FEE, FIRST, ALICE, BOB, CAROL, core(300), LOCK, len(SECRET), SECRET
    )
    assert accounts_of_operation(told, VoidResult()) == (ALICE, BOB)
    assert account_not_notified(told) is None
    assert account_not_notified(replace(told, redeemer=BOB)) == BOB
    expect(ctx, NoSuchObject, redeem())
    check_all(ctx.state)


def test_the_preimage_must_fit(ctx: Context) -> None:
    """H3.1: first its length, then its hash; without a length any preimage that hashes right."""
    apply(ctx, create())
    error: PegboardError = expect(ctx, PreimageSizeMismatch, redeem(preimage=SECRET[1:]))
    assert (error.value, error.limit) == (20, 21)
    error = expect(ctx, PreimageWrong, redeem(preimage=bytes(21)))
    assert error.value == hash_of_preimage(2, bytes(21)).value.hex()  # type: ignore[attr-defined]
    apply(ctx, create(preimage_size=0))
    apply(ctx, create(preimage_size=20))
    apply(ctx, redeem(htlc_id=HtlcId(1)))
    expect(ctx, PreimageSizeMismatch, redeem(htlc_id=HtlcId(2)))


def test_more_time(ctx: Context) -> None:
    """H4.1: from its creator only, and never beyond what a new contract could have."""
    apply(ctx, create())
    assert expect(ctx, NotTheCreator, extend(update_issuer=BOB)).rule == "H4.1"
    expect(ctx, NoSuchObject, extend(htlc_id=HtlcId(1)))
    error = expect(ctx, ExtensionTooLong, extend(seconds_to_add=MAX_S - 59))
    assert (error.value, error.limit) == (GENESIS_TIME + MAX_S + 1, GENESIS_TIME + MAX_S)
    apply(ctx, extend(seconds_to_add=0))
    assert apply(ctx, extend(seconds_to_add=MAX_S - 60)) == VoidResult()
    assert contract(ctx).expiration == GENESIS_TIME + MAX_S
    ctx.now += 1
    apply(ctx, extend(seconds_to_add=1))
    assert boundary(ctx, GENESIS_TIME + MAX_S) == []
    assert len(boundary(ctx, GENESIS_TIME + MAX_S + 1)) == 1


def test_no_end_is_the_end_of_time(ctx: Context) -> None:
    """H4.1: the last second is none, which a new contract may have (H2.3)."""
    ctx.now = MAX_TIMESTAMP - 60
    apply(ctx, create(claim_period_seconds=59))
    error = expect(ctx, ExtensionTooLong, extend(seconds_to_add=1))
    assert (error.value, error.limit) == (MAX_TIMESTAMP, MAX_TIMESTAMP - 1)


def test_what_is_not_claimed_returns(ctx: Context) -> None:
    """H5.1, H6.2: by end, then by age; only the creator is told."""
    apply(ctx, create())
    apply(ctx, create(claim_period_seconds=59, from_=CAROL))
    apply(ctx, create(claim_period_seconds=59, from_=DAVE, amount=core(1)))
    assert boundary(ctx, GENESIS_TIME + 58) == []
    returned = boundary(ctx, GENESIS_TIME + 60)
    assert returned == [
        HtlcRefund(NO_FEE, HtlcId(number), to, BOB, core(amount), LOCK, len(SECRET))
        for number, to, amount in ((1, CAROL, 300), (2, DAVE, 1), (0, ALICE, 300))
    ]
    assert accounts_of_operation(returned[0], VoidResult()) == (CAROL,)
    assert [balance(ctx, account) for account in (ALICE, BOB, CAROL, DAVE)] == [1000] * 4
    assert len(ctx.state.htlcs) == 0


def chain_with_locks() -> TestChain:
    genesis = make_genesis(
        "alice", "bob", "carol", core=1000, parameters=make_parameters(extensions=OPTIONS)
    )
    chain = TestChain(genesis=genesis)
    chain.block()
    return chain


def on(chain: TestChain, op: HtlcCreate | HtlcRedeem | HtlcExtend) -> Operation:
    """The operation with the accounts of a chain, which has witnesses before them."""
    names = {ALICE: "alice", BOB: "bob", CAROL: "carol"}
    changes = {
        field: chain.account(names[account])
        for field in ("from_", "to", "redeemer", "update_issuer")
        if (account := getattr(op, field, None)) is not None
    }
    return replace(op, **changes)


def test_the_last_block_that_redeems() -> None:
    """H5.1: it is the first that is not before the end, for operations see the parent's time; and
    a time of 0 returns in its own block. A popped block takes all back."""
    chain = chain_with_locks()
    chain.block(on(chain, create(claim_period_seconds=11)))
    chain.block(on(chain, create(claim_period_seconds=0)))
    assert len(chain.state.htlcs) == 1
    before = chain.chain.state_hash()
    twin = chain.twin()
    twin.follow(chain)
    chain.block(on(chain, redeem()))
    assert chain.balance("bob") == 1300
    late = twin.block()
    assert [type(applied.op) for applied in late.operations] == [HtlcRefund]
    assert twin.balance("alice") == 1000
    with twin.chain.head_state() as state:
        state.log.revert(late.revision)
        assert state.state_hash() == before


def test_one_transaction_makes_extends_and_redeems() -> None:
    """H7.2: and a proposal holds any of it."""
    chain = chain_with_locks()
    chain.block(
        chain.transaction(
            on(chain, create()),
            on(chain, extend()),
            on(chain, redeem()),
            signers=["alice", "carol"],
        )
    )
    assert chain.balance("bob") == 1300
    chain.block(on(chain, create()))
    again = on(chain, redeem(htlc_id=HtlcId(1)))
    bob, carol = chain.account("bob"), chain.account("carol")
    chain.block(
        ProposalCreate(NO_FEE, bob, chain.chain.head_time + 60, (ProposedOperation(again),))
    )
    chain.block(ProposalUpdate(NO_FEE, carol, ProposalId(0), active_approvals_to_add=(carol,)))
    assert chain.balance("bob") == 1600


def test_what_holds_after_each_block_is_checked(ctx: Context) -> None:
    """H8.1, I1: an overdue contract, one that locks nothing, one out of nothing."""
    apply(ctx, create())
    check_all(ctx.state)
    htlc = contract(ctx)
    for broken, rule_id in (
        (replace(htlc.transfer, amount=0), "I2"),
        (replace(htlc.transfer, amount=301), "I2"),
    ):
        kept, htlc.transfer = htlc.transfer, broken
        with pytest.raises(InvariantViolated) as found:
            check_all(ctx.state)
        htlc.transfer = kept
        assert found.value.rule == rule_id
    head = ctx.state.dynamic_properties.rows[0]
    head.head_block_number, head.time = 1, GENESIS_TIME + 60
    with pytest.raises(InvariantViolated, match="expired contract"):
        check_all(ctx.state)


@dataclass
class Lock:
    """A contract as the slow twin keeps it."""

    number: int
    creator: AccountId
    to: AccountId
    amount: int
    secret: bytes
    size: int
    end: int


PEOPLE = st.sampled_from((ALICE, BOB, CAROL))
SECRETS = st.sampled_from((b"", b"a", b"bb"))


class HtlcMachine(RuleBasedStateMachine):
    """Contracts of three people beside a twin that keeps a list and walks all of it."""

    @initialize()
    def start(self) -> None:
        extensions = ChainParametersExtensions(HtlcOptions(40, 2))
        self.ctx = make_context(
            make_state("alice", "bob", "carol", core=100, parameters=parameters(extensions))
        )
        self.now = self.ctx.now
        self.held = dict.fromkeys((ALICE, BOB, CAROL), 100)
        self.locks: list[Lock] = []
        self.made = 0
        self.waiting: dict[int, tuple[int, HtlcRedeem]] = {}
        self.ctx.state.log.begin()

    def attempt(self, op: Operation, *, passes: bool) -> None:
        """Apply an operation, which must pass or be refused as the twin says."""
        before = self.ctx.state.state_hash()
        try:
            apply(self.ctx, op)
        except PegboardError:
            assert not passes, op
            assert self.ctx.state.state_hash() == before
        else:
            assert passes, op

    @rule(
        creator=PEOPLE,
        to=PEOPLE,
        amount=st.integers(1, 60),
        secret=SECRETS,
        size=st.integers(0, 3),
        tag=st.integers(0, 3),
        seconds=st.sampled_from((0, 5, 10, 40, 41)),
    )
    def create(
        self,
        creator: AccountId,
        to: AccountId,
        amount: int,
        secret: bytes,
        size: int,
        tag: int,
        seconds: int,
    ) -> None:
        lock = hash_of_preimage(tag, secret)
        passes = seconds <= 40 and size <= 2 and amount <= self.held[creator]
        op = HtlcCreate(NO_FEE, creator, to, core(amount), lock, size, seconds)
        self.attempt(op, passes=passes)
        if passes:
            self.held[creator] -= amount
            end = self.now + seconds
            self.locks.append(Lock(self.made, creator, to, amount, secret, size, end))
            self.made += 1

    def opens(self, op: HtlcRedeem) -> Lock | None:
        """The contract that a redemption ends."""
        for lock in self.locks:
            if lock.number == op.htlc_id and op.preimage == lock.secret:
                return lock if lock.size in (0, len(lock.secret)) else None
        return None

    def pay(self, op: HtlcRedeem) -> None:
        lock = self.opens(op)
        if lock is not None:
            self.held[lock.to] += lock.amount
            self.locks.remove(lock)

    @rule(pick=st.integers(0, 9), redeemer=PEOPLE, secret=SECRETS)
    def redeem(self, pick: int, redeemer: AccountId, secret: bytes) -> None:
        op = HtlcRedeem(NO_FEE, self.pick(pick), redeemer, secret)
        self.attempt(op, passes=self.opens(op) is not None)
        self.pay(op)

    def pick(self, pick: int) -> HtlcId:
        """A contract that is there, or the next one, which is not."""
        numbers = [*(lock.number for lock in self.locks), self.made]
        return HtlcId(numbers[pick % len(numbers)])

    @rule(pick=st.integers(0, 9), who=PEOPLE, seconds=st.sampled_from((0, 5, 30, 50)))
    def extend(self, pick: int, who: AccountId, seconds: int) -> None:
        number = self.pick(pick)
        found = [lock for lock in self.locks if (lock.number, lock.creator) == (number, who)]
        passes = bool(found) and found[0].end + seconds <= self.now + 40
        self.attempt(HtlcExtend(NO_FEE, number, who, seconds), passes=passes)
        if passes:
            found[0].end += seconds

    @precondition(lambda self: len(self.waiting) < 3)
    @rule(pick=st.integers(0, 9), redeemer=PEOPLE, secret=SECRETS, seconds=st.integers(11, 30))
    def propose(self, pick: int, redeemer: AccountId, secret: bytes, seconds: int) -> None:
        """A proposal that redeems when its review is over."""
        op = HtlcRedeem(NO_FEE, self.pick(pick), redeemer, secret)
        number = self.ctx.state.proposals.next_id
        end = self.now + seconds
        apply(self.ctx, ProposalCreate(NO_FEE, ALICE, end, (ProposedOperation(op),), 10))
        approval = ProposalUpdate(NO_FEE, redeemer, number, active_approvals_to_add=(redeemer,))
        apply(self.ctx, approval)
        self.waiting[number] = (end, op)

    @rule(seconds=st.sampled_from((5, 5, 10, 40)))
    def block(self, seconds: int) -> None:
        """The boundary; proposals go before contracts that end, those by end and age."""
        self.now += seconds
        state = self.ctx.state
        dynamic = state.dynamic_properties.edit(state.dynamic)
        dynamic.head_block_number += 1
        dynamic.time = self.ctx.now = self.now
        settle_expired_proposals(self.ctx)
        for number, (end, op) in sorted(self.waiting.items(), key=lambda one: (one[1][0], one[0])):
            if end <= self.now:
                self.pay(op)
                del self.waiting[number]
        before = len(self.ctx.applied)
        run_boundary(self.ctx)
        due = sorted((lock.end, lock.number) for lock in self.locks if lock.end <= self.now)
        told = [applied.op for applied in self.ctx.applied[before:]]
        assert [op.htlc_id for op in told if isinstance(op, HtlcRefund)] == [n for _, n in due]
        for lock in [lock for lock in self.locks if lock.end <= self.now]:
            self.held[lock.creator] += lock.amount
            self.locks.remove(lock)
        self.compare()

    def compare(self) -> None:
        state = self.ctx.state
        assert {account: balance(self.ctx, account) for account in self.held} == self.held
        found = [
            (item.id, item.transfer.from_, item.transfer.to, item.amount.amount, item.expiration)
            for item in state.htlcs.in_order()
        ]
        assert found == [
            (lock.number, lock.creator, lock.to, lock.amount, lock.end) for lock in self.locks
        ]
        check_all(state)
        check_block(state, state.log.finish())
        state.log.begin()


HtlcMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestHtlcMachine = HtlcMachine.TestCase
