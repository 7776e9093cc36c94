"""(y) Where the time of a block goes: nanoseconds a transaction, stage by stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from node.api.news import BlockNews
from node.chain.apply_block import AppliedBlock, apply_block
from node.chain.apply_transaction import apply_transaction
from node.chain.invariants_incremental import check_block
from node.evaluators.authority import verify_authority
from node.evaluators.base import apply_operation, run_proposed_operation
from node.history.block import BlockHistory, HistoryCounts
from node.history.numbering import number_block
from node.services.garbage import GarbageSchedule
from node.state.context import Context
from node.state.database import State
from node.state.undo import EDIT, Revision
from protocol.block import BlockEnvelope, pack_results
from tests.support.api import ChainBackend
from tests.support.chain import TestChain

from .measure import cpu_seconds, print_value
from .workload import Recording, record_orders, record_transfers

ACCOUNTS = 2_000
TRANSFERS = 3_000
TRADERS = 1_000
ORDERS = 2_000
REPEATS = 5
"""How often a stage of a block is done; the quickest time counts."""

STAGES = {
    "decode": "bytes to objects, ids, digests",
    "validate": "what needs no state",
    "authority": "the keys, which are known, against the accounts'",
    "operations": "fees, evaluators, market, with the undo log",
    "transactions": "all of that but decoding, and place, time and duplicates",
    "block": "the transactions and the boundary",
    "invariants": "what the block changed, compared",
    "undo: saving": "the first touch of each object that it edited",
    "undo: taking back": "what a popped block costs",
    "undo: sessions": "one for each pending transaction",
    "results": "the answers in binary form, for its producer",
    "history": "rows for operations, accounts and markets",
    "notices": "objects and fills in JSON, for who subscribed to them",
}
"""What is measured, each for itself: they are parts of each other, not of a sum."""


class Stages:
    """One block, and each stage of it done alone on the state before it, or after."""

    def __init__(self, test_chain: TestChain, read: Callable[[bytes], BlockEnvelope]) -> None:
        self._chain, self._read = test_chain.chain, read
        self._backend = ChainBackend(test_chain)
        self.seconds: dict[str, float] = defaultdict(float)

    @property
    def _state(self) -> State:
        return self._chain.state

    def take(self, data: bytes) -> int:
        """Measure a block and make it the head; how many transactions it has."""
        envelope = self._read(data)
        self._note("decode", partial(BlockEnvelope.from_bytes, data))
        with self._chain.head_state():
            for stage in (self._validate, self._authority, self._operations, self._transactions):
                self._note(stage.__name__.strip("_"), partial(stage, envelope), undo=True)
            self._note_block(envelope)
        (applied,) = self._chain.push_block(envelope).applied
        self._note_applied(applied)
        return len(envelope.transactions)

    def _note(self, stage: str, work: Callable[[], object], *, undo: bool = False) -> None:
        self.seconds[stage] += min(self._time(work, undo=undo) for _ in range(REPEATS))

    def _time(self, work: Callable[[], object], *, undo: bool) -> float:
        if not undo:
            return cpu_seconds(work)
        self._state.log.begin()
        found = cpu_seconds(work)
        self._state.log.undo()
        return found

    def _context(self, envelope: BlockEnvelope) -> Context:
        dynamic = self._state.dynamic
        return Context(self._state, dynamic.time, envelope.num, run_proposed_operation)

    def _validate(self, envelope: BlockEnvelope) -> None:
        for transaction, _ in envelope.transactions:
            for op in transaction.transaction.operations:
                op.validate()

    def _authority(self, envelope: BlockEnvelope) -> None:
        state, chain_id = self._state, self._chain.chain_id
        for transaction, _ in envelope.transactions:
            keys = transaction.signature_keys(chain_id)
            verify_authority(state, transaction.transaction.operations, keys)

    def _operations(self, envelope: BlockEnvelope) -> None:
        ctx = self._context(envelope)
        for transaction, _ in envelope.transactions:
            for op in transaction.transaction.operations:
                apply_operation(ctx, op)

    def _transactions(self, envelope: BlockEnvelope) -> None:
        ctx, chain_id = self._context(envelope), self._chain.chain_id
        for transaction, _ in envelope.transactions:
            transaction._validated = False
            apply_transaction(ctx, transaction, chain_id)

    def _note_block(self, envelope: BlockEnvelope) -> None:
        """Apply it, and take it back."""
        state, applying, going_back = self._state, [], []
        for _ in range(REPEATS):
            found: list[AppliedBlock] = []

            def apply(found: list[AppliedBlock] = found) -> None:
                found.append(apply_block(state, envelope, self._chain.chain_id))

            applying.append(cpu_seconds(apply))
            going_back.append(cpu_seconds(partial(state.log.revert, found[0].revision)))
        self.seconds["block"] += min(applying)
        self.seconds["undo: taking back"] += min(going_back)

    def _note_applied(self, applied: AppliedBlock) -> None:
        records = applied.revision.records
        results = [answers for _, answers in applied.envelope.transactions]
        self._note("results", lambda: [pack_results(one) for one in results])
        self._note("history", lambda: number_block(BlockHistory.of(applied), HistoryCounts()))
        self._note("notices", partial(self._tell, applied))
        with self._chain.head_state() as state:
            self._note("invariants", lambda: check_block(state, Revision(records)))
            edited = [(table, item) for kind, table, item, _ in records if kind == EDIT]
            known = {id(table): table for table in state.tables}
            found = [(known[id(table)], item) for table, item in edited]
            self._note(
                "undo: saving",
                lambda: [table.edit(item) for table, item in found if item.id in table.rows],
                undo=True,
            )
            self._note("undo: sessions", partial(self._sessions, len(results)), undo=True)

    def _tell(self, applied: AppliedBlock) -> None:
        news = BlockNews(self._backend, applied)
        assert news.objects
        assert news.fills is not None

    def _sessions(self, count: int) -> None:
        log = self._state.log
        for _ in range(count):
            log.begin()
            log.merge()


def bench_stages() -> None:
    """(y): each stage of full blocks for itself; keys known, CPU time."""
    resting, matching = record_orders(TRADERS, ORDERS)
    for what, recording in (
        ("transfers", record_transfers(ACCOUNTS, TRANSFERS)),
        ("orders that rest", resting),
        ("orders that match", matching),
    ):
        _bench(what, recording)


def _bench(what: str, recording: Recording) -> None:
    chain = TestChain(genesis=recording.genesis)
    chain.chain.paranoid = False
    for data in recording.prepared:
        chain.chain.push_block(BlockEnvelope.from_bytes(data), trusted=True)
    stages = Stages(chain, recording.reader_with_keys())
    GarbageSchedule()
    count = sum(map(stages.take, recording.measured))
    for stage, meaning in STAGES.items():
        value = f"{stages.seconds[stage] / count * 1e9:>10,.0f} ns a transaction"
        print_value("y", f"{what}: {stage}", value, meaning)
