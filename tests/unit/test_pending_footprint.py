"""A block beneath what waits: it must come to the same as to apply all that waits anew (R9.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy
from functools import partial
from random import Random
from typing import Any, cast

import pytest
from msgspec.structs import replace

from node.chain import apply_block, pending_session, pending_split
from node.chain.block_builder import build_block
from node.chain.chain import AppliedTransaction
from node.chain.pending_footprint import Footprint, Reading
from node.chain.pending_split import Split
from node.state.context import Context
from node.state.cut import StateCut
from node.state.errors import InvalidTransactionInBlock
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.block import BlockEnvelope
from protocol.constants import TAPOS_WINDOW
from protocol.crypto.signatures import sign_digest
from protocol.errors import PegboardError
from protocol.operations.account import AccountUpdate
from protocol.operations.custom_authority import CustomAuthorityCreate
from protocol.operations.limit_order import LimitOrderCancel
from protocol.operations.vesting import CddVestingPolicy, VestingBalanceCreate
from protocol.schema import MAX_TIMESTAMP, Digest
from protocol.transaction import TransactionEnvelope, reference_block, sign, unsigned
from tests.support.chain import TestChain
from tests.support.pool_twins import (
    CYCLE,
    FEED_LIFETIME_S,
    WAITING,
    Twins,
    borrow,
    live,
    pay,
    publish,
    register,
    settle,
    trade,
)
from tests.support.world import BLOCK_INTERVAL_S, key_of, secret_of

CUTS = 10
SEEDS = range(12)
STEPS = 60


def test_a_block_beneath_comes_to_the_same() -> None:
    """R9.2: random markets, blocks and pools; the same stays, in the same order and state."""
    spared: Counter[str] = Counter()
    for seed in SEEDS:
        rng = Random(seed)
        twins = Twins(rng, is_paranoid=seed % 4 == 0)
        for _ in range(STEPS):
            live(twins, rng)
        twins.finish()
        spared += twins.spared
    print(spared)
    for what in ("taken", "kept", "kept orders", "both at once", "anew"):
        assert spared[what] > len(SEEDS), spared


def test_a_cut_is_read_while_blocks_take_over_what_waits() -> None:
    """T-S1: a state that is read piece by piece is that of its block, whatever stays or goes."""
    for seed in SEEDS[:CUTS]:
        rng = Random(seed)
        twins = Twins(rng)
        cut, expected = twins.tried.chain.cut(), twins.plain.chain.state_hash()
        assert _read(cut, partial(live, twins, rng)) == expected
        cut.close()


def _read(cut: StateCut, between: Callable[[], None]) -> Digest:
    """The hash of a cut, with something between its parts."""
    slices = cut.hash_slices(size=3)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return cast(Digest, end.value)
        for _ in range(4):
            between()


def of_both(twins: Twins) -> None:
    """A waiting payment spends what a trade in a block brings."""
    twins.produce(twins.offer("ann", 40, "TEST", 20, "USD"))
    twins.wait(twins.maker.transfer("ann", "bea", 30, "USD"))
    twins.produce(twins.offer("eve", 20, "USD", 40, "TEST"))


def numbered_by_both(twins: Twins) -> None:
    """Both make the first balance of somebody, which the table numbers."""
    twins.wait(twins.maker.transfer("ann", "gus", 1, "USD"))
    twins.produce(twins.maker.transfer("eve", "init1", 1, "USD"))


def of_the_clock(twins: Twins) -> None:
    """Coin seconds of a new vesting balance count from the time of the head."""
    ann, amount = twins.maker.account("ann"), twins.maker.amount(50)
    twins.wait(VestingBalanceCreate(NO_FEE, ann, ann, amount, CddVestingPolicy(0, 60)))
    twins.produce()


def expired(twins: Twins) -> None:
    """What waits expires."""
    twins.wait(twins.maker.transfer("ann", "bea", 1), seconds=BLOCK_INTERVAL_S)
    twins.produce()
    assert twins.tried.chain.pending
    twins.produce()


def of_a_forgotten_block(twins: Twins) -> None:
    """The summary of the block that a waiting transaction refers to makes room for the next."""
    for chain in (twins.tried, twins.plain, twins.maker):
        chain.jump_to(TAPOS_WINDOW + 1, TAPOS_WINDOW)
    summary = twins.maker.state.block_summary(2)
    assert summary is not None
    twins.wait(twins.maker.transfer("ann", "bea", 1), reference=reference_block(summary.block_id))
    twins.produce()


def counted(twins: Twins) -> None:
    """Maintenance looks at every balance that has moved."""
    twins.wait(twins.maker.transfer("ann", "bea", 100))
    for _ in range(CYCLE):
        twins.produce()


def signed_with_an_old_key(twins: Twins) -> None:
    """The key of an account whose transaction waits changes."""
    twins.wait(twins.maker.transfer("ann", "bea", 1))
    key = Authority(1, (), ((key_of("new"), 1),), ())
    twins.produce(AccountUpdate(NO_FEE, twins.maker.account("ann"), active=key, owner=key))


def signed_by_a_deputy(twins: Twins) -> None:
    """A custom authority ends while what it has signed waits (C4.1)."""
    ann, bea = twins.maker.account("ann"), twins.maker.account("bea")
    auth, end = Authority(1, ((bea, 1),)), twins.maker.chain.head_time + 3 * BLOCK_INTERVAL_S
    twins.produce(CustomAuthorityCreate(NO_FEE, ann, True, 0, end, 0, auth, ()))
    twins.wait(twins.maker.transfer("ann", "bea", 1), signers=("bea",))
    for _ in range(4):
        twins.produce()


def spent_before(twins: Twins) -> None:
    """A block holds a payment of two, which leaves something else in the balance without the first.

    What was before is then no part of what the block has changed, and comes back with it.
    """
    twins.wait(twins.maker.transfer("ann", "bea", 100))
    twins.take_in(twins.wait(twins.maker.transfer("bea", "cid", 10)))
    twins.produce()


def made_at_a_time(twins: Twins) -> None:
    """An account remembers the time of the block that makes it, which was not known before."""
    twins.take_in(twins.wait(register(Random(0), twins.maker, ("ann",))))
    twins.produce(slot=3)


def cancelled_at_once(twins: Twins) -> None:
    """A block holds an order, and its cancellation still waits."""
    order = twins.offer("ann", 40, "TEST", 20, "USD")
    number = twins.maker.state.limit_orders.next_id
    twins.take_in(twins.wait(order))
    twins.wait(LimitOrderCancel(NO_FEE, order.seller, number))
    twins.produce()


def outbid(twins: Twins) -> None:
    """A feed in a block calls no position while a high bid waits; without that it does (R4.1)."""
    twins.produce(twins.offer("bea", 7, "USD", 20, "TEST"))
    (feed,) = twins.maker.feed("USD", 10, 25)
    twins.take_in(twins.wait(feed))
    twins.wait(twins.offer("ann", 10, "USD", 20, "TEST"))
    twins.produce()
    assert not twins.maker.state.orders_of_account.items(twins.maker.account("bea"))


def cancelled_bid(twins: Twins) -> None:
    """A feed in a block calls a position, for whose bid a cancellation waits."""
    number, bid = twins.maker.state.limit_orders.next_id, twins.offer("bea", 7, "USD", 20, "TEST")
    twins.produce(bid)
    (feed,) = twins.maker.feed("USD", 10, 25)
    twins.take_in(twins.wait(feed))
    twins.wait(LimitOrderCancel(NO_FEE, bid.seller, number))
    twins.produce()
    assert not twins.maker.state.orders_of_account.items(bid.seller)


def outbid_as_feeds_end(twins: Twins) -> None:
    """The median falls when older feeds run out, beneath a high bid that waits (R1.17)."""
    high = twins.maker.feed("USD", 10, 11, ("init1",))
    twins.produce(twins.offer("bea", 7, "USD", 20, "TEST"), *high)
    twins.produce(slot=FEED_LIFETIME_S // BLOCK_INTERVAL_S // 2)
    twins.produce(*twins.maker.feed("USD", 10, 25, ("init2",)))
    twins.wait(twins.offer("ann", 10, "USD", 20, "TEST"))
    while twins.maker.state.orders_of_account.items(twins.maker.account("bea")):
        twins.produce()


def expired_in_the_book(twins: Twins) -> None:
    """An order that waits runs out with a block."""
    end = twins.maker.chain.head_time + BLOCK_INTERVAL_S
    twins.wait(replace(twins.offer("ann", 40, "TEST", 20, "OWN"), expiration=end))
    twins.produce()


def cancelled_in_time(twins: Twins) -> None:
    """An order that runs out with a block is cancelled by what waits, but not in that block."""
    end = twins.maker.chain.head_time + 2 * BLOCK_INTERVAL_S
    order = replace(twins.offer("ann", 40, "TEST", 20, "OWN"), expiration=end)
    number = twins.maker.state.limit_orders.next_id
    twins.produce(order)
    twins.wait(LimitOrderCancel(NO_FEE, order.seller, number))
    twins.produce()


def of_an_older_order(twins: Twins) -> None:
    """An order that waits would have found another before it in the book."""
    twins.wait(twins.offer("ann", 40, "TEST", 20, "OWN"))
    twins.produce(twins.offer("eve", 20, "OWN", 40, "TEST"))


def blind(**values: object) -> Callable[[pytest.MonkeyPatch], None]:
    """A footprint that has forgotten some things of what waits."""
    add = Footprint.add

    def forget(self: Footprint, *told: Any) -> None:
        add(self, *told)
        for name, value in values.items():
            setattr(self, name, copy(value))

    return lambda patch: patch.setattr(Footprint, "add", forget)


def without(owner: object, name: str, answer: object) -> Callable[[pytest.MonkeyPatch], None]:
    """A question that always has the same answer."""
    return lambda patch: patch.setattr(owner, name, lambda *_: answer)


def overtrustful(patch: pytest.MonkeyPatch) -> None:
    """All are taken for transfers."""
    patch.setattr(Reading, "of", lambda self, *_: self._of_transfers)


def overlook_maintenance(patch: pytest.MonkeyPatch) -> None:
    """Nothing is ever due."""
    for module in (pending_session, pending_split):
        patch.setattr(module, "is_balance_looked_at", lambda *_: False)


def time_without_a_note(patch: pytest.MonkeyPatch) -> None:
    """Nobody hears who asks for the time of a block."""
    patch.setattr(Context, "block_time", property(lambda self: self._block_time or self.now))


CASES: dict[Callable[[Twins], None], tuple[Callable[[pytest.MonkeyPatch], None], ...]] = {
    of_both: (blind(touched=set()), without(Footprint, "is_apart", answer=True)),
    numbered_by_both: (blind(_created=set()),),
    of_the_clock: (overtrustful,),
    signed_by_a_deputy: (overtrustful,),
    expired: (blind(_stays_until=MAX_TIMESTAMP),),
    of_a_forgotten_block: (blind(_references=set()),),
    counted: (
        overlook_maintenance,
        blind(_reads=set()),
    ),
    signed_with_an_old_key: (
        without(Footprint, "_meets", answer=False),
        blind(_reads=set()),
    ),
    spent_before: (
        without(Footprint, "may_change_places", answer=True),
        without(Split, "edited_since", answer=()),
    ),
    made_at_a_time: (time_without_a_note,),
    cancelled_at_once: (),
    outbid: (without(Footprint, "_has_bid", answer=False), blind(_reads=set())),
    cancelled_bid: (without(Footprint, "_has_bid", answer=False), blind(_reads=set())),
    outbid_as_feeds_end: (without(Footprint, "_has_bid", answer=False), blind(_reads=set())),
    expired_in_the_book: (blind(_stays_until=MAX_TIMESTAMP, _reads=set(), touched=set()),),
    cancelled_in_time: (blind(_stays_until=MAX_TIMESTAMP),),
    of_an_older_order: (),
}
"""Where a block and what waits meet, each with what would have to be overlooked; more than one
thing sees the others."""
SEEN_ONCE = [case for case in CASES if CASES[case]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_where_they_meet_all_is_applied_anew(
    case: Callable[[Twins], None],
) -> None:
    """R9.2."""
    assert _run(case).spared["anew"]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", SEEN_ONCE, ids=lambda case: case.__name__)
def test_to_overlook_where_they_meet_would_be_seen(
    case: Callable[[Twins], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.2: what the test above is worth."""
    for overlook in CASES[case]:
        overlook(monkeypatch)
    with pytest.raises((AssertionError, PegboardError)):
        _run(case)


def test_what_a_block_passes_over_stays_where_it_shares_balances() -> None:
    """R9.2: payments of the same people; the block's checks see what it has left itself."""
    twins = Twins(Random(0))
    first, *_ = (twins.wait(twins.maker.transfer("ann", "bea", amount)) for amount in (10, 11, 12))
    twins.take_in(first)
    twins.produce(twins.maker.transfer("eve", "fay", 1))
    assert (twins.spared["taken"], twins.spared["kept"], twins.spared["anew"]) == (1, 2, 0)
    assert twins.tried.balance("bea") == 2_000 - 160 + 33
    twins.finish()


def test_a_block_of_all_that_waits_applies_nothing_again() -> None:
    """R9.4: of whatever kind, in a block of its own node too, and at maintenance."""
    twins, rng = Twins(Random(0)), Random(3)
    for act in (pay, trade, borrow, publish, settle, pay):
        twins.take_in(twins.wait(act(rng, twins.maker, WAITING)))
    twins.produce()
    assert (twins.spared["taken"], twins.spared["anew"]) == (6, 0)
    while twins.maker.chain.head_num < CYCLE:
        amount = twins.maker.chain.head_num
        twins.take_in(twins.wait(twins.maker.transfer("ann", "bea", amount)))
        twins.produce()
    assert twins.spared["anew"] == 0
    twins.finish()


def test_what_expires_with_its_block_is_not_told_to_be_dropped() -> None:
    """R9.2: the boundary has forgotten it, and yet it is in the block."""
    twins = Twins(Random(0))
    twins.wait(publish(Random(0), twins.maker, ()))
    twins.take_in(twins.wait(twins.maker.transfer("ann", "bea", 1), seconds=1))
    late = twins.wait(twins.maker.transfer("ann", "bea", 2), seconds=1)
    ((dropped, error),) = twins.tried.chain.push_block(twins.maker.build()).dropped
    assert (dropped, error.name) == (late.id, "transaction_expired")
    assert len(twins.tried.chain.pending) == 1


def test_a_waiting_transaction_does_not_vouch_for_other_signatures() -> None:
    """R8.1: it has the same id, since signatures are no part of that."""
    twins = Twins(Random(0))
    envelope = twins.wait(twins.maker.transfer("ann", "bea", 1))
    forged = TransactionEnvelope.from_transaction(
        sign(unsigned(envelope.transaction), [secret_of("bea")], twins.maker.chain.chain_id)
    )
    assert forged.id == envelope.id
    (entry,) = twins.tried.chain.pending
    block = _block_of(twins.maker, replace(entry, envelope=forged))
    before = twins.tried.state.state_hash()
    with pytest.raises(InvalidTransactionInBlock):
        twins.tried.chain.push_block(block)
    assert twins.tried.state.state_hash() == before
    assert twins.tried.chain.has_transaction(envelope.id)


@pytest.mark.usefixtures("interpreted")
def test_a_bug_in_a_block_leaves_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """R9.2: whatever is raised; also what was taken back is there again."""
    twins = Twins(Random(0))
    twins.take_in(twins.wait(twins.maker.transfer("ann", "bea", 1)))
    twins.wait(publish(Random(0), twins.maker, ()))
    twins.wait(twins.maker.transfer("ann", "bea", 2))
    chain, block = twins.tried.chain, twins.maker.build()
    waiting, before = [entry.envelope.id for entry in chain.pending], chain.state.state_hash()
    with monkeypatch.context() as patch:
        patch.setattr(apply_block, "shuffle_schedule", lambda state: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            chain.push_block(block)
    assert [entry.envelope.id for entry in chain.pending] == waiting
    assert chain.state.state_hash() == before
    twins.receive(block)
    assert (twins.spared["taken"], twins.spared["anew"]) == (1, 2)


def _block_of(chain: TestChain, entry: AppliedTransaction) -> BlockEnvelope:
    """A signed block of one transaction, whatever is wrong with it."""
    witness = chain.chain.scheduled_witness(1)
    secret = chain.witness_secret(witness)
    return build_block(
        chain.chain.head_id,
        chain.chain.slot_time(1),
        witness,
        [entry],
        1_000_000,
        lambda digest: sign_digest(secret, digest),
    )


def _run(case: Callable[[Twins], None]) -> Twins:
    """A case, played by both nodes: they agree after each of its steps."""
    twins = Twins(Random(0))
    case(twins)
    twins.finish()
    return twins
