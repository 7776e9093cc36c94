"""A node that is told to end while a peer has thousands of blocks for it (P15)."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from node.chain.chain import Chain
from node.config import read_settings
from node.presets import development_key
from node.services.opened import read_genesis
from node.storage.block_store import BlockStore
from protocol.block import BlockEnvelope
from protocol.crypto.signatures import sign_digest
from protocol.genesis import chain_id
from protocol.p2p.messages import (
    MAX_BLOCK_IDS,
    BlockIds,
    BlockMessage,
    Fetch,
    GetBlockIds,
    Message,
)
from protocol.schema import BlockId, Digest
from tests.support.live_network import STOP_TIMEOUT_S, LiveNetwork, LiveNode
from tests.support.socket_peer import SocketPeer

SLOT_S = 1
WITNESS = "init0"


class Stopped(NamedTuple):
    """How a node ended."""

    took_s: float
    """From the signal to its end."""
    told_num: int
    """The highest block that it had told of, to clients and in its log."""
    stored_num: int
    """The highest block that it has."""
    unsent: int
    """Blocks that the peer still had for it."""

    def line(self) -> str:
        """One line."""
        return (
            f"P15: ended {self.took_s:.2f} s after SIGTERM with {self.unsent:,} blocks still to "
            f"come; told of {self.told_num:,}, has {self.stored_num:,}"
        )


def chain_id_of(node: LiveNode) -> Digest:
    """The id of a node's chain, by its files."""
    settings = read_settings(node.plan.settings)
    return chain_id(read_genesis(node.directory / settings.genesis))


def make_blocks(node: LiveNode, count: int) -> list[BlockEnvelope]:
    """A chain on a network's genesis, by the key of its only witness."""
    settings = read_settings(node.plan.settings)
    chain = Chain(read_genesis(node.directory / settings.genesis))
    secret = development_key(WITNESS, "signing")
    made = []
    for _ in range(count):
        block = chain.build_block(
            chain.scheduled_witness(1), chain.slot_time(1), partial(sign_digest, secret)
        )
        chain.push_block(block, trusted=True)
        made.append(block)
    return made


class Feeder:
    """A peer that has a chain, and sends what it is asked for as fast as it can."""

    def __init__(self, node: LiveNode, blocks: list[BlockEnvelope]) -> None:
        address = json.loads(node.endpoints.read_text())["p2p"]
        self.ids = tuple(block.id for block in blocks)
        self.served = 0
        self._data = {block.id: block.packed for block in blocks}
        head = (len(blocks), blocks[-1].id)
        self._peer = SocketPeer(("127.0.0.1", address), chain_id_of(node), "127.15.0.1", head=head)
        self._answer_all(self._peer.seen)

    def feed(self, until: Callable[[], bool]) -> None:
        """Serve until something has happened, or the node has closed the connection."""
        while not until() and not self._peer.is_closed:
            self._answer_all(self._peer.read(0.05))

    def close(self) -> None:
        """End the connection."""
        self._peer.close()

    def _answer_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            match message:
                case GetBlockIds():
                    known = [one for one in message.synopsis if one in self._data]
                    first = self.ids.index(known[-1]) + 1 if known else 0
                    told = self.ids[first : first + MAX_BLOCK_IDS]
                    remaining = len(self.ids) - first - len(told)
                    self._peer.send(BlockIds(first + 1, told, remaining))
                case Fetch():
                    self.served += len(message.ids)
                    self._peer.send(
                        *(BlockMessage(self._data[BlockId(one)]) for one in message.ids)
                    )
                case _:
                    pass


def stop_amid(directory: Path, count: int) -> Stopped:
    """Let a fresh node have half of a chain of some blocks, and then end it by SIGTERM.

    Raises `AssertionError` when it does not end by itself with code 0.
    """
    network = LiveNetwork.create(directory, 1, SLOT_S, now_s=int(time.time()) - count * SLOT_S)
    node = network.nodes["api"]
    text = node.plan.settings.read_text()
    node.plan.settings.write_text(re.sub(r"seeds = \[.*?\]", "seeds = []", text, flags=re.DOTALL))
    blocks = make_blocks(node, count - 1)
    node.start()
    try:
        feeder = Feeder(node, blocks)
        feeder.feed(lambda: feeder.served >= count // 2)
        told = node.head()
        assert node.process is not None
        node.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        feeder.feed(lambda: not node.is_running)
        assert node.process.wait(STOP_TIMEOUT_S) == 0, node.log_tail()
        took_s = time.monotonic() - began
        feeder.close()
    finally:
        network.stop_all()
    lines = [json.loads(line) for line in node.plan.log.read_text().splitlines()]
    told_num = max(told.num, *(line["num"] for line in lines if line.get("ev") == "block"))
    data = node.directory / read_settings(node.plan.settings).data_dir
    store = BlockStore(data / "blocks.sqlite", chain_id_of(node))
    try:
        head = store.head()
        stored_num = 0 if head is None else head[0]
        assert store.ids_from(1, stored_num) == list(feeder.ids[:stored_num])
    finally:
        store.close()
    return Stopped(took_s, told_num, stored_num, len(feeder.ids) - feeder.served)
