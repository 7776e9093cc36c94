"""(k) The longest stretch that the main loop is busy with one thing, with 250,000 accounts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from time import perf_counter, thread_time

import trio

from node.api.json_text import joined
from node.api.session import ApiSession
from node.chain.apply_block import AppliedBlock
from node.core.chain_reader import ChainReader
from node.core.core import NodeCore
from node.core.effects import SaveSnapshot
from node.core.settings import CoreSettings
from node.p2p.config import PeerConfig
from node.p2p.manager import PeerManager
from node.services.garbage import GarbageSchedule
from node.services.request_runner import RequestRunner
from protocol.block import BlockEnvelope
from protocol.errors import PegboardError
from protocol.ids import AccountId, account_text
from protocol.p2p.transport import PlainTransport
from protocol.schema import TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.api import ChainBackend
from tests.support.chain import TestChain
from tests.support.memory_stores import MemoryBlockStore
from tests.support.world import secret_of

from .large_state import HOLDERS, LARGE, MAKERS, large_chain, touch_accounts
from .measure import print_value

TARGET_MS = 50
BLOCKS = 10
TRANSFERS_A_BLOCK = 100
LAST_SLOTS_S = 30
TICK_S = 0.01
SNAPSHOT_EVERY = 100
ANYBODY = "account77777"

LISTINGS: tuple[tuple[str, str, list[object]], ...] = (
    ("database", "get_top_voters", [200]),
    ("asset", "get_asset_holders", ["TEST", 0, 100]),
    ("asset", "get_asset_holders", ["TEST", 100_000, 100]),
    ("asset", "get_asset_holders_count", ["TEST"]),
    ("asset", "get_all_asset_holders", []),
    ("database", "lookup_accounts", ["account5", 1_000]),
    ("database", "list_assets", ["", 100]),
    ("database", "get_limit_orders", ["TEST", "USD", 300]),
    ("database", "get_order_book", ["TEST", "USD", 50]),
    ("database", "get_ticker", ["TEST", "USD"]),
    ("database", "get_call_orders", ["USD", 300]),
    ("database", "get_full_accounts", [[ANYBODY, MAKERS[0], HOLDERS[0]], False]),
    ("database", "get_account_limit_orders", [MAKERS[0], "TEST", "USD", 101]),
    ("database", "get_limit_orders_by_account", [MAKERS[0], 101]),
    ("database", "get_account_references", [ANYBODY]),
    (
        "database",
        "get_objects",
        [[account_text(AccountId(number)) for number in range(100, 200)], False],
    ),
    ("database", "lookup_witness_accounts", ["", 1_000]),
    ("database", "get_all_workers", []),
    ("orders", "get_grouped_limit_orders", ["TEST", "USD", 10, None, 101]),
    ("pegboard", "get_positions", ["USD", 300]),
    ("pegboard", "get_asset_market", ["USD"]),
    ("rpc", "discover", []),
)


class Stopwatch(trio.abc.Instrument):
    """The longest time that one task ran without giving way: time of this thread's processor, for
    other programs of the machine are no fault of the node."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._started = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task goes on."""
        self._started = thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task waits, or has ended."""
        self.longest_s = max(self.longest_s, thread_time() - self._started)

    def take_ms(self) -> float:
        """The longest stretch since the last call."""
        longest_s, self.longest_s = self.longest_s, 0.0
        return longest_s * 1_000


class LargeNode:
    """A node core, its API and its time, with stores in memory and without sockets."""

    def __init__(self, chain: TestChain) -> None:
        self.test_chain = chain
        self.chain = chain.chain
        self.backend = ChainBackend(chain)
        reader = ChainReader(self.chain, MemoryBlockStore())
        peers = PeerManager(
            reader, PeerConfig(bytes(32), "bench"), Random(1), make_transport=PlainTransport
        )
        self.core = NodeCore(
            self.chain,
            peers,
            CoreSettings(by_the_clock=False, snapshot_interval=SNAPSHOT_EVERY),
            secrets=[secret_of(f"init{number} block") for number in range(3)],
        )
        self.core.observe(self)
        self.runner = RequestRunner()
        self.saved: list[SaveSnapshot] = []
        self.now_ms = 0

    def block_applied(self, block: AppliedBlock) -> None:
        """See `ChainObserver`."""
        self.backend.history.apply_block(block)
        self.backend.api.block_applied(block)

    def block_popped(self, block: BlockEnvelope) -> None:
        """See `ChainObserver`."""

    def transaction_pending(self, envelope: TransactionEnvelope) -> None:
        """See `ChainObserver`."""
        self.backend.api.transaction_accepted(envelope)

    def transaction_dropped(self, transaction: TransactionId, reason: PegboardError) -> None:
        """See `ChainObserver`."""
        self.backend.api.transaction_dropped(transaction, reason)

    async def tick(self) -> None:
        """Let time pass, as the shell of a node does."""
        garbage = GarbageSchedule()
        while True:
            self.now_ms += 100
            self.core.tick(self.now_ms)
            self.take_effects()
            garbage.collect_if_due()
            await trio.sleep(TICK_S)

    def take_effects(self) -> None:
        """Keep the snapshots; nothing else matters here."""
        self.saved += [one for one in self.core.take_effects() if isinstance(one, SaveSnapshot)]

    async def blocks(self, count: int = 1, transfers: int = 0, *, earliest_s: int = 0) -> None:
        """Make blocks, each of so many transfers by different accounts."""
        for _ in range(count):
            for envelope in touch_accounts(self.test_chain, transfers):
                self.core.broadcast(envelope, self.now_ms)
                await trio.lowlevel.checkpoint()
            self.core.generate_blocks(1, self.now_ms, earliest_s=earliest_s)
            await trio.lowlevel.checkpoint()

    async def wait_for_maintenance(self) -> None:
        """Make a block not long before the next maintenance; what expires until then is gone."""
        due = self.chain.state.dynamic.next_maintenance_time
        await self.blocks(earliest_s=due - LAST_SLOTS_S)

    async def maintain(self) -> None:
        """Make the next maintenance block."""
        await self.blocks(earliest_s=self.chain.state.dynamic.next_maintenance_time)

    async def call(self, session: ApiSession, api: str, method: str, arguments: object) -> object:
        """A call by way of the runner, as from a socket."""
        client = self.runner.queue.open_client("127.0.0.1")
        text = json.dumps({"id": 1, "method": "call", "params": [api, method, arguments]})
        (answer,) = await self.runner.serve(session, client, text)
        found = json.loads(joined(answer))
        assert "result" in found, (method, found)
        return found["result"]


def bench_stretches() -> None:
    """(k): milliseconds of the longest task step, by what the node does."""
    watch = Stopwatch()
    node = LargeNode(large_chain())
    trio.run(_measure, node, watch, instruments=[watch])


async def _measure(node: LargeNode, watch: Stopwatch) -> None:
    session = node.backend.api.open_session()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.runner.run)
        nursery.start_soon(node.tick)
        await node.blocks()
        await trio.sleep(0.2)

        async def report(what: str, work: Callable[[], Awaitable[object]]) -> None:
            await trio.lowlevel.checkpoint()
            watch.take_ms()
            start = perf_counter()
            await work()
            await trio.lowlevel.checkpoint()
            longest_ms, whole_s = watch.take_ms(), perf_counter() - start
            note = f"target {TARGET_MS}; all of it {whole_s:,.2f} s"
            print_value("k", what, f"longest stretch {longest_ms:6.1f} ms", note)

        await report("blocks of 100 transfers", lambda: node.blocks(BLOCKS, TRANSFERS_A_BLOCK))
        for _ in range(2):
            await node.maintain()
        await node.blocks(BLOCKS, TRANSFERS_A_BLOCK)
        await node.wait_for_maintenance()
        voting = LARGE.voters + LARGE.followers
        await report(f"maintenance, {LARGE.voters:,} opinions of {voting:,}", node.maintain)
        await report("snapshot, and blocks meanwhile", lambda: _snapshot(node))
        await report("state hash", lambda: node.call(session, "pegboard", "get_state_hash", []))
        for api, method, arguments in LISTINGS:
            await node.blocks(transfers=5)
            what = f"{method} {_short(arguments)}"
            await report(what, lambda a=api, m=method, b=arguments: node.call(session, a, m, b))  # type: ignore[misc]
        nursery.cancel_scope.cancel()


async def _snapshot(node: LargeNode) -> None:
    """From the block that a snapshot is due at until it is there."""
    while node.chain.head_num % SNAPSHOT_EVERY:
        await node.blocks()
    while not node.saved:
        await node.blocks(transfers=10)
        await trio.sleep(5 * TICK_S)


def _short(arguments: Sequence[object]) -> str:
    return " ".join(str(one) for one in arguments if isinstance(one, str | int))
