"""(l) Filling a chain over the socket: what a broadcast costs at the end and at the start."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import trio

from node.cli.client import NodeClient, as_int, as_object
from node.cli.network_files import Wanted
from node.presets import TEST_NETWORK_ID, development_key
from protocol.asset import NO_FEE, AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId
from protocol.json_form import parse_time, to_json
from protocol.operations.transfer import Transfer
from protocol.schema import BlockId
from protocol.transaction import Transaction, reference_block, sign
from tests.support.live_network import LiveNode

from .api_clients import SocketClient, call, frame
from .measure import print_ratio, print_value

BROADCASTS = 80_000
TENTHS = 10
LONGEST_SUCCESS = len('{"id":1,"result":null}')
EXPIRES_S = 3_600
"""Longer than the run, so that all of them are remembered until its end."""


def bench_broadcasts() -> None:
    """(l): one client of a development node with a block a second, one call after the other."""
    with tempfile.TemporaryDirectory(prefix="pegboard-bench-") as directory:
        wanted = Wanted(block_interval_s=1)
        node = LiveNode.development(Path(directory) / "dev", "interval", wanted)
        node.start()
        try:
            trio.run(_fill, node)
        finally:
            node.stop()


async def _fill(node: LiveNode) -> None:
    assert node.client is not None
    assert node.process is not None
    socket = await SocketClient.connect(int(node.client.url.rpartition(":")[2]))
    await socket.ask(frame(call("network_broadcast", api=1)))
    before = _received(node.client)
    cpu, wall, refused = [], [], 0
    count = BROADCASTS // TENTHS
    for tenth in range(TENTHS):
        requests = _transfers(node.client, tenth * count, count)
        cpu_before, wall_before = _cpu_seconds(node.process.pid), time.perf_counter()
        for request in requests:
            refused += await socket.ask(request) > LONGEST_SUCCESS
        wall.append((time.perf_counter() - wall_before) / count)
        cpu.append((_cpu_seconds(node.process.pid) - cpu_before) / count)
    received, sent = _received(node.client) - before, BROADCASTS * (BROADCASTS + 1) // 2
    if refused or received != sent:
        raise RuntimeError(f"{refused} broadcasts refused, {received} of {sent} units received")
    shown = " ".join(f"{seconds * 1e6:.0f}" for seconds in cpu)
    print_value("l", f"{BROADCASTS:,} broadcasts, CPU time by tenths", f"{shown} us a call")
    shown = " ".join(f"{seconds * 1e6:.0f}" for seconds in wall)
    print_value("l", f"{BROADCASTS:,} broadcasts, time by tenths", f"{shown} us a call")
    print_ratio("l", "CPU time, last tenth to first", [cpu[-1] / cpu[0]], "target 1.1")
    print_ratio("l", "time, last tenth to first", [wall[-1] / wall[0]], "target 1.1")


def _transfers(client: NodeClient, first: int, count: int) -> list[bytes]:
    """Frames of signed transfers, all different, that refer to the present head."""
    properties = as_object(client.call("database", "get_dynamic_global_properties"))
    number, prefix = reference_block(BlockId(bytes.fromhex(str(properties["head_block_id"]))))
    expiration = parse_time(str(properties["time"])) + EXPIRES_S
    alice, bob = _account(client, "alice"), _account(client, "bob")
    draft = to_json(Transfer(NO_FEE, alice, bob, AssetAmount(1, CORE_ASSET), None), "TEST")
    fees: Any = client.call("database", "get_required_fees", [[0, draft]], "1.3.0")
    fee = AssetAmount(as_int(fees[0]["amount"]), CORE_ASSET)
    secret = development_key("alice", "active")
    frames = []
    for serial in range(first, first + count):
        op = Transfer(fee, alice, bob, AssetAmount(1 + serial, CORE_ASSET), None)
        transaction = Transaction(number, prefix, expiration, (op,), ())
        body: Any = to_json(sign(transaction, [secret], TEST_NETWORK_ID), "TEST")
        frames.append(frame(call("broadcast_transaction", body, api="network_broadcast")))
    return frames


def _account(client: NodeClient, name: str) -> AccountId:
    found = as_object(client.call("database", "get_account_by_name", name))
    return AccountId(int(str(found["id"]).rpartition(".")[2]))


def _received(client: NodeClient) -> int:
    """Units that bob has, what is pending included."""
    found: Any = client.call("database", "get_account_balances", "bob", ["1.3.0"])
    return as_int(found[0]["amount"])


def _cpu_seconds(pid: int) -> float:
    """CPU time that a process' main thread has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
