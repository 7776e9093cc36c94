"""People who use a network and take back all that they did, for as long as it is watched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

from node.cli.client import NodeClient
from node.cli.exits import CliError
from pegboard.client import TrioAccount, connect_trio
from protocol.errors import PegboardError
from protocol.json_form import JsonValue
from tests.campaigns.siege import client_of
from tests.support.live_network import LiveNode

VISITOR_S = 300.0
"""So long the node that comes and goes is there, and about a third of that it is away."""
STAY_S = 40.0
"""The longest that a subscriber stays."""
CALLS_MAX = 20
"""Of one client."""
TRADERS = ("alice", "bob")
LISTEN: tuple[tuple[str, list[JsonValue]], ...] = (
    ("set_subscribe_callback", [7, True]),
    ("set_block_applied_callback", [8]),
    ("get_full_accounts", [["alice", "bob"], True]),
)
QUESTIONS: tuple[tuple[str, str, list[JsonValue]], ...] = (
    ("database", "get_dynamic_global_properties", []),
    ("database", "get_account_by_name", ["alice"]),
    ("database", "get_full_accounts", [["bob", "alice"], False]),
    ("database", "get_limit_orders", ["1.3.0", "USD", 50]),
    ("database", "get_ticker", ["TEST", "USD"]),
    ("database", "get_block", [2]),
    ("database", "get_objects", [["2.1.0", "2.0.0", "1.2.17"]]),
    ("history", "get_account_history", ["alice", "1.11.0", 20, "1.11.0"]),
    ("pegboard", "get_asset_market", ["USD"]),
    ("pegboard", "nobody_knows_this", []),
)


class Traffic:
    """All who use the network meanwhile, and what they came to."""

    def __init__(self, nodes: list[LiveNode], seed: int) -> None:
        self.nodes = nodes
        self.rng = Random(seed)
        self.counts: Counter[str] = Counter()

    async def trade(self, name: str, pause_s: float) -> None:
        """Borrow, sell, cancel, pay and cover, and begin anew at another node."""
        while True:
            account = await connect_trio(self._url()).account(name)
            steps: tuple[Callable[[], Awaitable[object]], ...] = (
                partial(account.borrow, "10 bitUSD", ratio=3),
                partial(account.sell, "1 bitUSD", at=50),
                partial(_cancel_all, account),
                partial(account.transfer, "carol", "1 TEST"),
                partial(account.cover, "bitUSD"),
            )
            for step in steps:
                try:
                    await step()
                    self.counts["transactions"] += 1
                except (PegboardError, CliError):
                    self.counts["transactions refused"] += 1
                await self._pause(pause_s)

    async def subscribe(self) -> None:
        """Come, ask to be told of everything, listen or do not, and leave."""
        while True:
            with trio.move_on_after(self.rng.uniform(1, STAY_S)):
                try:
                    await self._listen(is_deaf=self.rng.randrange(3) == 0)
                except (OSError, ConnectionClosed, HandshakeError):
                    self.counts["connections lost"] += 1
            await self._pause(STAY_S / 8)

    async def _listen(self, *, is_deaf: bool) -> None:
        async with open_websocket_url(f"ws{self._url().removeprefix('http')}/ws") as socket:
            for number, (method, arguments) in enumerate(LISTEN, 1):
                body = {"id": number, "method": "call", "params": ["database", method, arguments]}
                await socket.send_message(json.dumps(body))
                await socket.get_message()
            self.counts["subscriptions"] += 1
            if is_deaf:
                await trio.sleep_forever()
            while True:
                await socket.get_message()
                self.counts["notices"] += 1

    async def ask(self, pause_s: float) -> None:
        """Some questions, and then somebody else comes."""
        while True:
            client = NodeClient(self._url())
            for _ in range(self.rng.randrange(1, CALLS_MAX)):
                api, method, arguments = self.rng.choice(QUESTIONS)
                question = partial(client.call, api, method, *arguments)
                try:
                    await trio.to_thread.run_sync(question, abandon_on_cancel=True)
                    self.counts["calls"] += 1
                except (PegboardError, CliError):
                    self.counts["calls refused"] += 1
                await self._pause(pause_s)

    async def visit(self, node: LiveNode) -> None:
        """A node that comes, follows the chain, and leaves."""
        while True:
            await trio.to_thread.run_sync(node.start, abandon_on_cancel=True)
            self.counts["visits of a node"] += 1
            await trio.sleep(VISITOR_S)
            await trio.to_thread.run_sync(node.stop, abandon_on_cancel=True)
            await trio.sleep(VISITOR_S / 3)

    async def _pause(self, mean_s: float) -> None:
        await trio.sleep(self.rng.uniform(0, 2 * mean_s))

    def _url(self) -> str:
        return client_of(self.rng.choice(self.nodes)).url


async def _cancel_all(account: TrioAccount) -> None:
    for order in await account.orders():
        await account.cancel(order)
