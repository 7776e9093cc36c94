"""A client of a node that will be killed: it notes all that it is told, and asks for it again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Literal

from node.cli.client import NodeClient, as_int, as_list, as_object
from node.cli.exits import NodeUnreachable
from node.cli.network_files import Wanted, open_network, plan_nodes
from node.config import ProductionMode
from node.presets import TEST_NETWORK_ID, development_key
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import wif
from protocol.ids import AccountId
from protocol.json_form import JsonValue, parse_time, to_json
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from protocol.transaction import Transaction, reference_block, sign
from tests.support.live_network import LiveNode, NodeEnded

MODES: tuple[ProductionMode, ...] = ("interval", "manual", "instant", "slots")

Moment = Literal["early", "told"]
"""A process is killed early, while it starts or is asked the first things, or after it has
confirmed a transfer; however slow the machine is, in the second case something was told."""

MOMENTS: Sequence[Moment] = ("early", "told")
EARLY_MAX_S = 2.5
"""An early kill comes so long after the process was made, at most."""
TOLD_MAX_S = 1.5
"""Any other comes so long after the first transfer that this process confirmed, at most."""
TELL_TIMEOUT_S = 300
"""A running process that confirms nothing for so long is broken."""


class Client:
    """Somebody who transfers, each time another amount, and believes what he is told."""

    def __init__(self, mode: str, seed: str) -> None:
        self.mode = mode
        self.rng = Random(seed)
        self.sent = 0
        self.confirmed: dict[int, tuple[int, int]] = {}
        """Block and place in it by the amount of each confirmed transfer."""
        self.heads: dict[int, str] = {}
        """Ids of head blocks that were told, by number."""

    def use(self, node: LiveNode, first_told: Callable[[], object]) -> None:
        """Go on until it is killed; `first_told` is called once this life confirmed a transfer."""
        assert node.client is not None
        turns: list[Callable[[NodeClient], object]] = [self.transfer, self.look]
        if self.mode != "slots":
            turns.append(self.generate)
        confirmed_before, is_told = len(self.confirmed), False
        deadline = time.monotonic() + TELL_TIMEOUT_S
        while node.is_running:
            try:
                self.rng.choice(turns)(node.client)
            except NodeUnreachable:
                """It was killed, or is slow."""
            if not is_told and len(self.confirmed) > confirmed_before:
                is_told = True
                first_told()
            assert is_told or time.monotonic() < deadline, f"nothing is told\n{node.log_tail()}"

    def transfer(self, node: NodeClient) -> None:
        """Transfer and wait for the block; on a manual chain, make it."""
        self.sent += 1
        amount = self.sent
        body = self.transaction(node, amount)
        if self.mode != "manual":
            told = as_object(
                node.call("network_broadcast", "broadcast_transaction_synchronous", body)
            )
            self.confirmed[amount] = (as_int(told["block_num"]), as_int(told["trx_num"]))
            return
        node.call("network_broadcast", "broadcast_transaction", body)
        num = self.generate(node)
        found = as_object(node.call("database", "get_block", num))
        amounts = [amount_of(found, place) for place in range(len(as_list(found["transactions"])))]
        assert amount in amounts
        self.confirmed[amount] = (num, amounts.index(amount))

    def generate(self, node: NodeClient) -> int:
        """Make blocks on demand; the number of the first."""
        count = self.rng.choice((1, 7, 300)) if self.mode == "manual" else 1
        key = wif(development_key("init0", "signing"))
        head = as_int(node.call("debug", "debug_generate_blocks", key, count))
        first = head - count + 1
        for num in range(max(first, head - 5), head + 1):
            assert node.call("database", "get_block", num) is not None
        return first

    def look(self, node: NodeClient) -> None:
        """Note the head."""
        properties = as_object(node.call("database", "get_dynamic_global_properties"))
        self.heads[as_int(properties["head_block_number"])] = str(properties["head_block_id"])

    def transaction(self, node: NodeClient, amount: int) -> JsonValue:
        """A signed transfer from alice to bob."""
        properties = as_object(node.call("database", "get_dynamic_global_properties"))
        alice, bob = (
            AccountId(int(str(as_object(item)["id"]).rpartition(".")[2]))
            for item in as_list(node.call("database", "lookup_account_names", ["alice", "bob"]))
        )
        num, prefix = reference_block(BlockId(bytes.fromhex(str(properties["head_block_id"]))))
        expiration = parse_time(str(properties["time"])) + 600
        op = Transfer(NO_FEE, alice, bob, AssetAmount(amount, CORE_ASSET), None)
        fees = as_list(
            node.call("database", "get_required_fees", [[0, to_json(op, "TEST")]], "1.3.0")
        )
        fee = AssetAmount(as_int(as_object(fees[0])["amount"]), CORE_ASSET)
        op = Transfer(fee, alice, bob, AssetAmount(amount, CORE_ASSET), None)
        secrets = [development_key("alice", "active")]
        signed = sign(Transaction(num, prefix, expiration, (op,), ()), secrets, TEST_NETWORK_ID)
        return to_json(signed, "TEST")

    def check(self, node: NodeClient) -> None:
        """All that was told is there."""
        properties = as_object(node.call("database", "get_dynamic_global_properties"))
        head = as_int(properties["head_block_number"])
        for num, block_id in self.heads.items():
            assert num <= head, f"block {num} is gone, the head is {head}"
            found = (
                properties["head_block_id"]
                if num == head
                else as_object(node.call("database", "get_block_header", num + 1))["previous"]
            )
            assert num == 0 or found == block_id, f"block {num} is another one"
        for amount, (num, place) in self.confirmed.items():
            block = as_object(node.call("database", "get_block", num))
            assert amount_of(block, place) == amount, f"transfer {amount} is not in block {num}"


def amount_of(block: dict[str, JsonValue], place: int) -> int:
    """What the only operation of a block's transaction transfers."""
    transaction = as_object(as_list(block["transactions"])[place])
    (operation,) = as_list(transaction["operations"])
    return as_int(as_object(as_object(as_list(operation)[1])["amount"])["amount"])


def make_node(directory: Path, mode: ProductionMode) -> LiveNode:
    """A node that is not started yet; "slots" is the one witness of a real network."""
    wanted = Wanted(block_interval_s=1, witness_count=1 if mode == "slots" else 3)
    if mode == "slots":
        network, _ = open_network(directory, wanted, now_s=int(time.time()))
        node = LiveNode(plan_nodes(network, "127.0.0.1:0", {})[0])
    else:
        node = LiveNode.development(directory, mode, wanted)
    node.answer_timeout_s = TELL_TIMEOUT_S
    return node


def live_and_die(node: LiveNode, client: Client, moment: Moment) -> None:
    """One life: the node starts, has all that it told, is used, and is killed."""
    longest_s = EARLY_MAX_S if moment == "early" else TOLD_MAX_S
    killer = threading.Timer(client.rng.uniform(0, longest_s), node.kill)
    node.spawn()
    if moment == "early":
        killer.start()
    try:
        node.wait_until_served()
        assert node.client is not None
        client.check(node.client)
        client.use(node, first_told=killer.start if moment == "told" else lambda: None)
    except (NodeEnded, NodeUnreachable):
        if moment != "early":
            raise
    killer.join()
    assert node.process is not None
    assert node.process.returncode == -signal.SIGKILL, f"ended by itself\n{node.log_tail()}"
