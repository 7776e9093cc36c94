"""A block beneath what waits: it must come to the same as to apply all that waits anew (R9.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from node.chain import pending_session, pending_split
from node.chain.chain import AppliedBlock, AppliedTransaction
from node.chain.pending_footprint import Footprint, Reading
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.block import BlockEnvelope
from protocol.chain_parameters import ChainParametersExtensions, CustomAuthorityOptions
from protocol.constants import TAPOS_WINDOW
from protocol.errors import PegboardError
from protocol.genesis_form import InitialAsset
from protocol.ids import LimitOrderId
from protocol.operations.account import AccountCreate, AccountOptions, AccountUpdate
from protocol.operations.asset import AssetIssue
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.custom_authority import CustomAuthorityCreate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.operations.vesting import CddVestingPolicy, VestingBalanceCreate
from protocol.schema import MAX_TIMESTAMP, TransactionId
from protocol.transaction import TransactionEnvelope, reference_block
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.world import BLOCK_INTERVAL_S, key_of

WAITING = ("ann", "bea", "cid", "dan")
"""Whose transactions wait at the node..."""
TRADING = ("eve", "fay", "gus", "dan")
"""...and who is in blocks that come from others; one is both."""
SEEDS = range(12)
STEPS = 60
CYCLE = 24
"""Blocks from one maintenance to the next."""
PARAMETERS = make_parameters(
    maintenance_interval=CYCLE * BLOCK_INTERVAL_S,
    extensions=ChainParametersExtensions(custom_authority_options=CustomAuthorityOptions()),
)

Act = Callable[[Random, TestChain, tuple[str, ...]], Operation]


def pay(rng: Random, chain: TestChain, people: tuple[str, ...]) -> Transfer:
    sender, receiver = rng.sample(people, 2)
    symbol = rng.choice(("TEST", "TEST", "USD", "OWN"))
    fee = chain.amount(rng.choice((0, 7)))
    amount = chain.amount(rng.choice((1, 50, 400)), symbol)
    return Transfer(fee, chain.account(sender), chain.account(receiver), amount, None)


def trade(rng: Random, chain: TestChain, people: tuple[str, ...]) -> Operation:
    seller = chain.account(rng.choice(people))
    own = chain.state.orders_of_account.items(seller)
    if own and rng.random() < 0.3:
        return LimitOrderCancel(NO_FEE, seller, LimitOrderId(rng.choice(own).id))
    sold, wanted = rng.sample(("TEST", "TEST", "OWN", "OWN", "USD"), 2)
    if sold == wanted:
        sold = "USD"
    return LimitOrderCreate(
        NO_FEE,
        seller,
        chain.amount(rng.randint(10, 60), sold),
        chain.amount(rng.randint(10, 60), wanted),
        chain.chain.head_time + rng.choice((4, 20, 3600)),
        fill_or_kill=False,
    )


def borrow(rng: Random, chain: TestChain, people: tuple[str, ...]) -> CallOrderUpdate:
    debt, collateral = rng.choice(((40, 100), (20, 60), (0, 10), (-5, 0)))
    who = chain.account(rng.choice(people))
    return CallOrderUpdate(NO_FEE, who, chain.amount(collateral), chain.amount(debt, "USD"))


def publish(rng: Random, chain: TestChain, people: tuple[str, ...]) -> Operation:
    (feed,) = chain.feed("USD", 10, rng.randint(8, 14))
    return feed


def settle(rng: Random, chain: TestChain, people: tuple[str, ...]) -> AssetSettle:
    return AssetSettle(NO_FEE, chain.account(rng.choice(people)), chain.amount(5, "USD"))


def register(rng: Random, chain: TestChain, people: tuple[str, ...]) -> AccountCreate:
    """An account remembers when it was made: at the time of its block."""
    registrar, key = chain.account(rng.choice(people)), Authority(1, (), ((key_of("new"), 1),), ())
    name = f"new-{rng.randint(0, 10**9)}"
    options = AccountOptions(memo_key=key_of("new"))
    return AccountCreate(NO_FEE, registrar, registrar, 0, name, key, key, options)


ACTS: dict[Act, int] = {pay: 60, trade: 25, borrow: 3, publish: 1, settle: 1, register: 1}
"""How often somebody does what."""


def _told(entry: AppliedTransaction) -> str:
    return repr(replace(entry, reads=None))


def _traces(applied: AppliedBlock) -> object:
    """All that observers hear of a block, without the order in which objects changed."""
    changes = {
        (change.table.id_of(change.item), change.kind, change.old_values)
        for change in applied.revision.changes()
    }
    assert len(changes) == len(list(applied.revision.changes()))
    return repr(applied.operations), repr(applied.events), changes


def _is_of_orders(entry: AppliedTransaction) -> bool:
    return type(entry.operations[0].op) is not Transfer


class Twins:
    """A node that is tried, one that applies all anew, and one that makes the blocks."""

    def __init__(self, rng: Random, *, is_paranoid: bool = False) -> None:
        genesis = make_genesis(*WAITING, *TRADING[:-1], core=2_000, parameters=PARAMETERS)
        own = InitialAsset("OWN", "init0")
        genesis = replace(genesis, initial_assets=(*genesis.initial_assets, own))
        self.tried = TestChain(genesis=genesis, paranoid=is_paranoid)
        self.plain, self.maker = (TestChain(genesis=genesis) for _ in range(2))
        self.spared: Counter[str] = Counter()
        """What has become of waiting transactions when a block came, and of blocks."""
        self.produce()
        feed = publish(rng, self.maker, ())
        debts = [(name, 40) for name in (*WAITING, "eve", "fay")]
        issues = (self._issue(name) for name in (*WAITING, *TRADING[:-1]))
        self.produce(feed, *(self._debt(name, debt) for name, debt in debts), *issues)

    def _debt(self, name: str, debt: int) -> CallOrderUpdate:
        chain, who = self.maker, self.maker.account(name)
        return CallOrderUpdate(NO_FEE, who, chain.amount(4 * debt), chain.amount(debt, "USD"))

    def _issue(self, name: str) -> AssetIssue:
        issuer, amount = self.maker.account("init0"), self.maker.amount(1_000, "OWN")
        return AssetIssue(NO_FEE, issuer, amount, self.maker.account(name), None)

    def push(self, envelope: TransactionEnvelope) -> None:
        """A transaction comes to both nodes, which agree on it."""
        told: list[str] = []
        for chain in (self.tried, self.plain):
            try:
                applied = chain.chain.push_transaction(envelope)
                told.append(_told(applied))
            except PegboardError as error:
                told.append(f"{error.name} {error}")
        assert told[0] == told[1]

    def wait(self, operation: Operation, seconds: int = 600, **how: Any) -> None:
        """A transaction of one operation waits at both nodes, not at the maker."""
        expiration = self.maker.chain.head_time + seconds
        self.push(self.maker.transaction(operation, expiration=expiration, **how))
        assert self.tried.chain.pending

    def produce(self, *operations: Operation, slot: int = 1) -> None:
        """A block of what the maker can apply of some operations comes to both nodes."""
        for operation in operations:
            with suppress(PegboardError):
                self.maker.push(operation)
        self.receive(self.maker.build(slot))

    def receive(self, block: BlockEnvelope) -> None:
        self.maker.receive(block)
        before = list(self.tried.chain.pending)
        result = self.tried.chain.push_block(block)
        self._count(before, result.applied[-1])
        dropped = [(one, str(why)) for one, why in result.dropped]
        assert (dropped, _traces(result.applied[-1])) == self._apply_anew(block)
        self.compare()

    def _apply_anew(self, block: BlockEnvelope) -> tuple[object, object]:
        """Have the plain node take all back before a block; what it drops, and what that did."""
        chain, dropped = self.plain.chain, list[tuple[TransactionId, str]]()
        waiting = [entry.envelope for entry in chain.pending]
        session = chain._session
        session.close()
        session.reopen(())
        (applied,) = chain.push_block(block).applied
        traces = _traces(applied)
        held = {envelope.id for envelope, _ in block.transactions}
        for envelope in waiting:
            if envelope.id not in held:
                try:
                    chain.push_transaction(envelope)
                except PegboardError as error:
                    dropped.append((envelope.id, str(error)))
        return dropped, traces

    def _count(self, before: Sequence[AppliedTransaction], applied: AppliedBlock) -> None:
        """Who is still the same object was not applied again."""
        operations = set(map(id, applied.operations))
        taken = [entry for entry in before if id(entry.operations[0]) in operations]
        after = set(map(id, self.tried.chain.pending))
        kept = [entry for entry in before if id(entry) in after]
        self.spared["taken"] += len(taken)
        self.spared["kept"] += len(kept)
        self.spared["kept orders"] += sum(_is_of_orders(entry) for entry in kept)
        self.spared["both at once"] += bool(taken and kept)
        self.spared["anew"] += len(before) - len(taken) - len(kept)
        self.spared["blocks anew"] += bool(before) and not taken and not kept

    def compare(self) -> None:
        """The same waits, in the same order, with the same answers, over the same state."""
        tried, plain = self.tried.chain, self.plain.chain
        assert [entry.envelope.id for entry in tried.pending] == [
            entry.envelope.id for entry in plain.pending
        ]
        for mine, theirs in zip(tried.pending, plain.pending, strict=True):
            assert _told(mine) == _told(theirs)
        assert tried.state.state_hash() == plain.state.state_hash()
        for table, other in zip(tried.state.tables, plain.state.tables, strict=True):
            assert table.next_id == other.next_id, table.cls
        witness, slot = tried.scheduled_witness(1), tried.slot_time(1)
        mine_next, their_next = (
            chain.build_block(witness, slot, lambda digest: bytes(65))  # type: ignore[arg-type, return-value]
            for chain in (tried, plain)
        )
        assert mine_next.packed == their_next.packed

    def finish(self) -> None:
        """Beneath all that waits the heads are the same, and so are their undone blocks."""
        tried, plain = self.tried.chain, self.plain.chain
        assert tried.state_hash() == plain.state_hash()
        for chain in (tried, plain):
            chain.rewind(chain.lowest_undoable_num)
        assert tried.state_hash() == plain.state_hash()


def live(twins: Twins, rng: Random) -> None:
    """Some transactions and blocks of a market; many a block is made of what waits."""
    if rng.random() < 0.75:
        operation = act(rng, twins, WAITING)
        expiration = twins.tried.chain.head_time + rng.choice((3, 10, *(9 * [600])))
        twins.maker.serial += 1
        with suppress(KeyError):
            twins.push(
                twins.maker.transaction(operation, expiration=expiration + twins.maker.serial % 3)
            )
        return
    if rng.random() < 0.6:
        take_in(rng, twins)
    operations = [act(rng, twins, TRADING) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
    twins.produce(*operations, slot=rng.choice((1, 1, 1, 2, 4)))


def act(rng: Random, twins: Twins, people: tuple[str, ...]) -> Operation:
    """Somebody does something."""
    (chosen,) = rng.choices(list(ACTS), list(ACTS.values()))
    return chosen(rng, twins.maker, people)


def take_in(rng: Random, twins: Twins) -> None:
    """The maker has heard of what waits: of the oldest, of some, or of all in another order."""
    waiting = [entry.envelope for entry in twins.tried.chain.pending]
    count = rng.randint(0, len(waiting))
    places = rng.choice((range(count), sorted(rng.sample(range(len(waiting)), count))))
    heard = [waiting[place] for place in places]
    if rng.random() < 0.1:
        rng.shuffle(heard)
    for envelope in heard:
        with suppress(PegboardError):
            twins.maker.chain.push_transaction(envelope)


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


def of_both(twins: Twins) -> None:
    """A waiting payment spends what a trade in a block brings."""
    order = LimitOrderCreate(
        NO_FEE,
        twins.maker.account("ann"),
        twins.maker.amount(40),
        twins.maker.amount(20, "USD"),
        twins.maker.chain.head_time + 3600,
        fill_or_kill=False,
    )
    twins.produce(order)
    twins.wait(twins.maker.transfer("ann", "bea", 30, "USD"))
    other = replace(
        order,
        seller=twins.maker.account("eve"),
        amount_to_sell=order.min_to_receive,
        min_to_receive=order.amount_to_sell,
    )
    twins.produce(other)


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


def blind(name: str, value: object) -> Callable[[pytest.MonkeyPatch], None]:
    """A footprint that has forgotten something of what waits."""
    add = Footprint.add

    def forget(self: Footprint, *told: Any) -> None:
        add(self, *told)
        setattr(self, name, value)

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


CASES: dict[Callable[[Twins], None], tuple[Callable[[pytest.MonkeyPatch], None], ...]] = {
    of_both: (blind("touched", set()), without(Footprint, "is_apart", answer=True)),
    numbered_by_both: (blind("_created", set()),),
    of_the_clock: (overtrustful,),
    signed_by_a_deputy: (overtrustful,),
    expired: (blind("_expiration", MAX_TIMESTAMP),),
    of_a_forgotten_block: (blind("_references", set()),),
    counted: (
        overlook_maintenance,
        blind("_reads", set()),
    ),
    signed_with_an_old_key: (
        without(Footprint, "_meets", answer=False),
        blind("_reads", set()),
    ),
}
"""Where a block and what waits meet, each with what would have to be overlooked."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_where_they_meet_all_is_applied_anew(
    case: Callable[[Twins], None],
) -> None:
    """R9.2."""
    assert _run(case).spared["blocks anew"]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_to_overlook_where_they_meet_would_be_seen(
    case: Callable[[Twins], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R9.2: what the test above is worth."""
    for overlook in CASES[case]:
        overlook(monkeypatch)
    with pytest.raises((AssertionError, PegboardError)):
        _run(case)


def _run(case: Callable[[Twins], None]) -> Twins:
    """A case, played by both nodes: they agree after each of its steps."""
    twins = Twins(Random(0))
    case(twins)
    twins.finish()
    return twins
