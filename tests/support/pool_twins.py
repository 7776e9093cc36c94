"""A pool that blocks come beneath, beside one that has all applied anew (R9.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from msgspec.structs import replace

from node.chain.chain import AppliedBlock, AppliedTransaction
from protocol.asset import NO_FEE
from protocol.authority import Authority
from protocol.block import BlockEnvelope
from protocol.chain_parameters import ChainParametersExtensions, CustomAuthorityOptions
from protocol.errors import PegboardError
from protocol.genesis_form import InitialAsset
from protocol.ids import LimitOrderId
from protocol.operations.account import AccountCreate, AccountOptions
from protocol.operations.asset import AssetIssue
from protocol.operations.base import Operation
from protocol.operations.bitasset import AssetSettle
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.call_order import CallOrderUpdate
from protocol.operations.limit_order import LimitOrderCancel, LimitOrderCreate
from protocol.operations.transfer import Transfer
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain, make_genesis, make_parameters
from tests.support.world import BLOCK_INTERVAL_S, key_of

WAITING = ("ann", "bea", "cid", "dan")
"""Whose transactions wait at the node..."""
TRADING = ("eve", "fay", "gus", "dan")
"""...and who is in blocks that come from others; one is both."""
PUBLISHERS = ("init0", "init1", "init2")
FEED_LIFETIME_S = 100
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
    sold, wanted = rng.choice(
        (("TEST", "OWN"), ("OWN", "TEST"), ("TEST", "USD"), ("USD", "TEST"), ("USD", "OWN"))
    )
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
    (feed,) = chain.feed("USD", 10, rng.randint(8, 25), rng.sample(PUBLISHERS, 1))
    return feed


def settle(rng: Random, chain: TestChain, people: tuple[str, ...]) -> AssetSettle:
    return AssetSettle(NO_FEE, chain.account(rng.choice(people)), chain.amount(5, "USD"))


def register(rng: Random, chain: TestChain, people: tuple[str, ...]) -> AccountCreate:
    """An account remembers when it was made: at the time of its block."""
    registrar, key = chain.account(rng.choice(people)), Authority(1, (), ((key_of("new"), 1),), ())
    name = f"new-{rng.randint(0, 10**9)}"
    options = AccountOptions(memo_key=key_of("new"))
    return AccountCreate(NO_FEE, registrar, registrar, 0, name, key, key, options)


ACTS: dict[Act, int] = {pay: 60, trade: 25, borrow: 3, publish: 4, settle: 1, register: 1}
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
        genesis = make_genesis(
            *WAITING,
            *TRADING[:-1],
            core=2_000,
            parameters=PARAMETERS,
            options=BitassetOptions(feed_lifetime_sec=FEED_LIFETIME_S),
        )
        own = InitialAsset("OWN", "init0")
        genesis = replace(genesis, initial_assets=(*genesis.initial_assets, own))
        self.tried = TestChain(genesis=genesis, paranoid=is_paranoid)
        self.plain, self.maker = (TestChain(genesis=genesis) for _ in range(2))
        self.spared: Counter[str] = Counter()
        """What has become of waiting transactions when a block came, and of blocks."""
        self.produce()
        (feed,) = self.maker.feed("USD", 10, 11)
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

    def wait(self, operation: Operation, seconds: int = 600, **how: Any) -> TransactionEnvelope:
        """A transaction of one operation waits at both nodes, not at the maker."""
        expiration = self.maker.chain.head_time + seconds
        self.maker.serial += 1
        envelope = self.maker.transaction(operation, expiration=expiration, **how)
        self.push(envelope)
        assert self.tried.chain.has_transaction(envelope.id)
        return envelope

    def take_in(self, envelope: TransactionEnvelope) -> None:
        """The maker hears of what waits."""
        self.maker.chain.push_transaction(envelope)

    def offer(
        self, seller: str, sold: int, symbol: str, wanted: int, for_symbol: str
    ) -> LimitOrderCreate:
        """An order that is good for an hour."""
        who, end = self.maker.account(seller), self.maker.chain.head_time + 3600
        offered, asked = self.maker.amount(sold, symbol), self.maker.amount(wanted, for_symbol)
        return LimitOrderCreate(NO_FEE, who, offered, asked, end, fill_or_kill=False)

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
