"""P1 to P5, P8, P10 to P12, P15: a real witness under attack over sockets still makes its blocks.

127.x addresses stand for remote hosts. Each test prints its figure (`pytest -rP`), and none may
cost the witness more slots than its process had to wait for a processor.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from node.api.arguments import LIST_MAX
from node.api.rpc import BATCH_MAX
from node.cli.client import CallRefused, as_int, as_object
from node.config import read_settings, split_address
from node.core.proofs import CONFLICT_FILE, PROOFS_FILE, load_proofs
from node.exit_codes import Exit
from node.p2p.charges import CHARGES, RECOVERY, REFUSED_FACTOR
from node.p2p.limits import PeerLimits
from node.storage.block_store import BlockStore
from node.storage.key_files import read_key_file
from protocol.asset import AssetAmount
from protocol.block import BlockBody, BlockEnvelope, BlockHeader, merkle_root, pack_results
from protocol.constants import CORE_ASSET, MAX_TRANSACTION_SIGNATURES
from protocol.crypto.keys import PrivateKey, parse_wif, public_key
from protocol.crypto.signatures import sign_digest
from protocol.finality import Vote, vote_digest
from protocol.ids import AccountId, WitnessId
from protocol.json_form import JsonValue
from protocol.operations.custom import Custom
from protocol.p2p.messages import (
    BlockIds,
    BlockMessage,
    Fetch,
    GetBlockIds,
    GoodbyeCode,
    Inventory,
    ItemKind,
    NotAvailable,
    TransactionMessage,
)
from protocol.schema import BlockId, Digest, Signature, TransactionId
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.live_network import LiveNetwork, LiveNode, wait_for
from tests.support.queued_blocks import stop_amid
from tests.support.socket_peer import SocketPeer

pytestmark = pytest.mark.functional

SLOT_S = 1
MISSED_MAX = 1
"""Slots that an attack may cost, beside those for which the node found no processor."""
GROWN_MIB_MAX = 164
"""By clients that read nothing: 64 MiB of answers that wait (T-R1), and what it takes to read such
requests and to build an answer."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """What a node has used, and how far it is."""

    at_s: float
    cpu_s: float
    rss_mib: float
    log_bytes: int
    waited_s: float
    """For a processor, of its main thread."""
    slots: int
    """That have passed up to the head block; the witness owes each."""
    head_num: int


class Target:
    """A running witness, alone on its network, with a slot every second."""

    def __init__(self, node: LiveNode) -> None:
        self.node = node
        assert node.client is not None
        self.client = node.client
        self.chain_id = Digest(bytes.fromhex(str(self.client.call("database", "get_chain_id"))))
        endpoints = json.loads((node.directory / "data" / "endpoints.json").read_text())
        self.address = ("127.0.0.1", int(endpoints["p2p"]))
        self.before = self.usage()

    def peer(self, host: str, **options: object) -> SocketPeer:
        """A peer from an address."""
        connect = partial(SocketPeer, self.address, self.chain_id, host)
        return connect(**options)  # type: ignore[arg-type]

    def head(self) -> tuple[int, BlockId]:
        """Number and id of the head block."""
        found = self.node.head()
        return found.num, BlockId(bytes.fromhex(found.block_id))

    def usage(self) -> Usage:
        """As it is now."""
        assert self.node.process is not None
        process = Path(f"/proc/{self.node.process.pid}")
        fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
        pages = int((process / "statm").read_text().split()[1])
        head = as_object(self.client.call("database", "get_dynamic_global_properties"))
        return Usage(
            time.monotonic(),
            (int(fields[11]) + int(fields[12])) / CLOCK_TICKS,
            pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            self.node.plan.log.stat().st_size,
            int((process / "schedstat").read_text().split()[1]) / 1e9,
            as_int(head["current_aslot"]),
            as_int(head["head_block_number"]),
        )

    def begin(self) -> None:
        """From here on the attack counts."""
        self.before = self.usage()

    def tell(self, what: str) -> Usage:
        """Print the figure of the attack; what was used meanwhile."""
        now, before = self.usage(), self.before
        used = Usage(
            now.at_s - before.at_s,
            now.cpu_s - before.cpu_s,
            now.rss_mib - before.rss_mib,
            now.log_bytes - before.log_bytes,
            now.waited_s - before.waited_s,
            now.slots - before.slots,
            now.head_num - before.head_num,
        )
        print(
            f"{what}: {used.at_s:.1f} s, signed {used.head_num} of {used.slots} slots,"
            f" CPU {used.cpu_s:.1f} s (and waited for it {used.waited_s:.1f} s),"
            f" RSS {used.rss_mib:+.1f} MiB, log {used.log_bytes:,} bytes"
        )
        return used

    def check_goes_on(self, what: str) -> Usage:
        """The witness has signed what it owed during the attack, and goes on."""
        num = self.head()[0]
        wait_for(lambda: self.head()[0] > num, "one more block", 10, [self.node])
        used = self.tell(what)
        missed = used.slots - used.head_num
        assert missed <= MISSED_MAX + used.waited_s / SLOT_S, f"{missed} slots missed"
        assert self.node.process is not None
        assert self.node.process.poll() is None
        return used


def set_seeds(node: LiveNode, seeds: str) -> None:
    """Whom a node dials by its settings."""
    text = node.plan.settings.read_text()
    changed = re.sub(r"seeds = \[.*?\]", f"seeds = [{seeds}]", text, flags=re.DOTALL)
    node.plan.settings.write_text(changed)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    live = LiveNetwork.create(tmp_path_factory.mktemp("hostile") / "net", 1, SLOT_S)
    for node in live.nodes.values():
        set_seeds(node, "")
    try:
        live.nodes["init0"].start()
        live.wait_for_height("init0", 5)
        yield live
    finally:
        live.stop_all()


@pytest.fixture
def target(network: LiveNetwork) -> Target:
    return Target(network.nodes["init0"])


def heavy_body(signatures: int) -> BlockBody:
    """Transactions full of signatures."""
    some = tuple(Signature(bytes(64) + bytes((n,))) for n in range(MAX_TRANSACTION_SIGNATURES))
    body = BlockBody()
    for number in range(signatures // MAX_TRANSACTION_SIGNATURES):
        envelope = often_signed(number, some)
        body.append(envelope, (), envelope.packed() + pack_results(()))
    return body


def often_signed(number: int, signatures: tuple[Signature, ...]) -> TransactionEnvelope:
    operation = Custom(AssetAmount(1, CORE_ASSET), AccountId(0), (), 0, number.to_bytes(8, "big"))
    return TransactionEnvelope.from_transaction(
        SignedTransaction(0, 0, int(time.time()) + 50, (operation,), (), signatures)
    )


def forged(previous: BlockId, time_s: int, body: BlockBody) -> BlockEnvelope:
    """A block by a key of nobody."""
    header = BlockHeader(previous, time_s, WitnessId(1), merkle_root(body.digests))
    secret = PrivateKey(os.urandom(31) + b"\x01")
    return BlockEnvelope.produce(header, body, partial(sign_digest, secret))


def deliver(peer: SocketPeer, block: BlockEnvelope) -> None:
    """Announce a block, and deliver it when it is asked for."""
    peer.send(Inventory(ItemKind.BLOCK, (block.id,)))
    peer.wait_for(Fetch)
    peer.send(BlockMessage(block.packed))


def test_p1_blocks_full_of_signatures_on_an_unknown_parent(target: Target) -> None:
    """P1, T-P6: five blocks of 29,000 signatures each cost a look at their headers."""
    body = heavy_body(29_000)
    num, _ = target.head()
    target.begin()
    for number in range(5):
        peer = target.peer(f"127.1.{number}.1")
        lost = BlockId(num.to_bytes(4, "big") + os.urandom(16))
        deliver(peer, forged(lost, int(time.time()), body))
        peer.wait_for(GetBlockIds)
        peer.close()
    used = target.check_goes_on("P1: 145,000 signatures of strangers")
    assert used.rss_mib < 64


def test_p2_blocks_by_random_keys_are_neither_kept_nor_passed_on(target: Target) -> None:
    """P2, T-P6: on a known parent; each sender is banned, the next node hears nothing of them."""
    listener = target.peer("127.2.200.1")
    made: list[BlockId] = []
    for number in range(10):
        head = target.head()[1]
        peer = target.peer(f"127.2.{number}.1")
        block = forged(head, int(time.time()), BlockBody())
        peer.send(Inventory(ItemKind.BLOCK, (block.id,)))
        peer.wait_for(Fetch)
        peer.send(BlockMessage(block.packed))
        assert peer.goodbye() == GoodbyeCode.INVALID_ITEM
        peer.close()
        made.append(block.id)
    target.check_goes_on("P2: 10 blocks by random keys")
    listener.read(0.5)
    told = {
        item for message in listener.seen if isinstance(message, Inventory) for item in message.ids
    }
    assert told
    assert not told & set(made)
    listener.send(Fetch(ItemKind.BLOCK, tuple(made)))
    assert set(listener.wait_for(NotAvailable).ids) == set(made)
    listener.close()


def test_p3_ten_thousand_ids_that_nobody_has(target: Target) -> None:
    """P3: each is refused by a message of its own."""
    peer = target.peer("127.3.0.1")
    for start in range(0, 10_000, 1_000):
        ids = tuple(TransactionId(n.to_bytes(20, "big")) for n in range(start + 1, start + 1_001))
        peer.send(Inventory(ItemKind.TRANSACTION, ids))
    refused = 0
    deadline = time.monotonic() + 15
    while refused < 10_000 and time.monotonic() < deadline:
        for message in peer.read(0.2):
            if isinstance(message, Fetch):
                refused += len(message.ids)
                peer.send(*(NotAvailable(message.kind, (item,)) for item in message.ids))
    target.check_goes_on(f"P3: {refused:,} ids refused one by one")
    assert refused >= 2_000
    assert not peer.is_closed
    peer.close()


def test_p4_thirty_peers_that_ask_for_ids(target: Target) -> None:
    """P4: as often as they may; all are answered."""
    peers = [target.peer(f"127.4.{number}.1") for number in range(30)]
    target.begin()
    answers = 0
    for _ in range(20):
        for peer in peers:
            peer.send(GetBlockIds(()))
        for peer in peers:
            answers += bool(peer.wait_for(BlockIds).ids)
    used = target.check_goes_on(f"P4: {answers} lists of ids for 30 peers")
    assert answers == 600
    assert used.cpu_s < 20
    for peer in peers:
        peer.close()


def test_p5_transactions_of_twenty_signatures(target: Target) -> None:
    """P5: of five peers, refused by the state; after a while they are hardly asked any more."""
    peers = [target.peer(f"127.5.{number}.1") for number in range(5)]
    # one key signs: canonical signatures that recover to keys of nobody
    secret = PrivateKey(bytes(31) + b"\x07")
    some = tuple(
        sign_digest(secret, Digest(n.to_bytes(32, "big")))
        for n in range(MAX_TRANSACTION_SIGNATURES)
    )
    made: dict[bytes, TransactionEnvelope] = {}
    for number in range(2_000):
        envelope = often_signed(number, some)
        made[envelope.id] = envelope
    ids = [TransactionId(item) for item in made]
    began = time.monotonic()
    for number, peer in enumerate(peers):
        peer.send(Inventory(ItemKind.TRANSACTION, tuple(ids[number * 400 : number * 400 + 400])))
    asked = 0
    until = began + 4
    while time.monotonic() < until:
        for peer in peers:
            for message in peer.read(0.02):
                if isinstance(message, Fetch):
                    asked += len(message.ids)
                    peer.send(*(TransactionMessage(made[item].packed()) for item in message.ids))
    target.check_goes_on(f"P5: {asked:,} of 2,000 transactions of 20 signatures asked for")
    price = REFUSED_FACTOR * (CHARGES[TransactionMessage].answer + 20 * RECOVERY)
    limits = PeerLimits()
    paid = int(limits.work_cap + (time.monotonic() - began) * limits.work_per_s) // price
    assert asked <= 5 * (paid + limits.max_requests_per_peer)
    assert not any(peer.is_closed for peer in peers)
    for peer in peers:
        peer.close()


def test_p8_clients_that_ask_for_much_and_read_nothing(target: Target) -> None:
    """P8: ten ask for more than a gigabyte: what waits for them has a limit, and others are
    answered."""
    target.begin()
    ids: list[JsonValue] = ["2.0.0"] * LIST_MAX
    call: JsonValue = {"id": 1, "method": "call", "params": ["database", "get_objects", [ids]]}
    body = json.dumps([call] * BATCH_MAX).encode()
    text = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    request = text.encode() + b"Content-Type: application/json\r\n\r\n" + body
    port = int(target.client.url.rpartition(":")[2])
    clients = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(10)]
    for client in clients:
        client.sendall(request)
    most = 0.0
    for _ in range(20):
        most = max(most, target.usage().rss_mib)
        time.sleep(0.2)
    grown = most - target.before.rss_mib
    target.check_goes_on(f"P8: ten clients that read nothing, at most {grown:+.1f} MiB")
    assert grown < GROWN_MIB_MAX
    for client in clients:
        client.close()


def test_p10_a_listed_block_comes_from_who_has_it(network: LiveNetwork, target: Target) -> None:
    """P10: a peer lists the next block and never delivers it; another that has it is asked."""
    source = target.peer("127.10.0.1")
    source.send(GetBlockIds(()))
    first = source.wait_for(BlockIds).ids[0]
    source.send(Fetch(ItemKind.BLOCK, (first,)))
    block = source.wait_for(BlockMessage)
    source.close()
    alone = network.nodes["api"]
    alone.start()
    fresh = Target(alone)
    liar = fresh.peer("127.10.1.1", head=(1, first))
    liar.wait_for(GetBlockIds)
    liar.send(BlockIds(1, (first,), 0))
    liar.wait_for(Fetch)
    honest = fresh.peer("127.10.2.1")
    time.sleep(0.6)
    began = time.monotonic()
    honest.send(Inventory(ItemKind.BLOCK, (first,)))
    assert honest.wait_for(Fetch).ids == (first,)
    honest.send(BlockMessage(block.data))
    wait_for(lambda: fresh.head()[0] == 1, "the block", 10, [alone])
    print(f"P10: the block is the head {time.monotonic() - began:.2f} s after it was announced")
    liar.close()
    honest.close()
    assert alone.stop() == 0


def test_p11_idle_peers_shut_out_nobody(target: Target) -> None:
    """P11: 200 idle peers of 20 networks; ten newcomers find room."""
    idle = [target.peer(f"127.11.{n // 10}.{n % 10 + 1}") for n in range(200)]
    newcomers = [target.peer(f"127.12.{n}.1") for n in range(10)]
    for peer in newcomers:
        peer.send(GetBlockIds(()))
    admitted = sum(bool(peer.wait_for(BlockIds).ids) for peer in newcomers)
    target.check_goes_on(f"P11: {admitted} of 10 newcomers admitted beside 200 idle peers")
    assert admitted >= 9
    for peer in (*idle, *newcomers):
        peer.close()


def test_p12_a_storm_of_connections(target: Target) -> None:
    """P12: two thousand connections that end at once leave few lines."""
    for number in range(2_000):
        host = f"127.{20 + number % 100}.{number // 100}.1"
        with socket.create_connection(target.address, 5, source_address=(host, 0)) as stranger:
            stranger.sendall(b"\x00\x60" + b"\xff" * 96)
    time.sleep(1)
    used = target.check_goes_on("P12: 2,000 connections")
    assert used.log_bytes < 400 * 300


def test_p15_a_node_that_syncs_ends_when_it_is_told(tmp_path: Path) -> None:
    """P15: a peer has hundreds of blocks more for it: it ends soon, with all that it has told of;
    `scripts/flood` does it with thousands."""
    stopped = stop_amid(tmp_path / "net", 600)
    print(stopped.line())
    assert stopped.stored_num >= stopped.told_num > 0
    assert stopped.unsent > 0


def test_a_node_that_hears_of_a_split_stays_stopped(network: LiveNetwork, target: Target) -> None:
    """T-W4, F11: a quorum (of the one witness) for another block than the irreversible one ends a
    node with 70; so does each start, until people have decided."""
    witness = network.nodes["init0"]
    [key_file] = [one.key_file for one in read_settings(witness.plan.settings).witnesses]
    secret = parse_wif(read_key_file(witness.directory / key_file).strip())
    node = network.nodes["api"]
    set_seeds(node, f'"127.0.0.1:{target.address[1]}"')
    node.start()
    fresh = Target(node)
    wait_for(lambda: fresh.head()[0] >= target.head()[0], "the blocks", 30, [node])
    liar = fresh.peer("127.13.0.1")
    num, source = fresh.head()
    rival = BlockId((num + 1).to_bytes(4, "big") + bytes(16))
    signed = sign_digest(secret, vote_digest(target.chain_id, source, rival))
    liar.send(Vote(source, rival, signed))
    assert node.process is not None
    assert node.process.wait(30) == Exit.BROKEN
    liar.close()
    last = json.loads(node.log_tail().splitlines()[-1])
    assert (last["ev"], rival.hex() in last["reason"]) == ("fatal", True)
    proofs = load_proofs((node.directory / "data" / PROOFS_FILE).read_bytes())
    assert [proof.key for proof in proofs] == [public_key(secret)]

    node.spawn()
    assert node.process.wait(30) == Exit.BROKEN
    again = json.loads(node.log_tail().splitlines()[-1])["reason"]
    conflict = node.directory / "data" / CONFLICT_FILE
    assert again.startswith(last["reason"])
    assert f"move {conflict}" in again
    conflict.rename(conflict.with_suffix(".decided"))
    node.start()
    assert node.stop() == 0
    target.check_goes_on("T-W4: three starts of a node that has heard of a split")


def test_p15_small_doors(target: Target, network: LiveNetwork) -> None:
    """P15: a false Host, a peer named by a client, and the end of the node, of which peers hear."""
    port = int(target.client.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80@evil\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 403")
    with pytest.raises(CallRefused, match="allow_add_node"):
        target.client.call("network_node", "add_node", "127.0.0.9:1776")
    body = heavy_body(29_000)
    for number in range(5):
        peer = target.peer(f"127.15.{number}.1")
        deliver(peer, forged(target.head()[1], int(time.time()), body))
        peer.close()
    friend = target.peer("127.15.9.1")
    began = time.monotonic()
    assert target.node.stop() == 0
    assert friend.goodbye() == GoodbyeCode.SHUTTING_DOWN
    friend.close()
    print(f"P15: ended {time.monotonic() - began:.2f} s after SIGTERM, with blocks on their way")
    settings = read_settings(target.node.plan.settings)
    assert split_address(settings.p2p.listen)[0]
    store = BlockStore(target.node.directory / settings.data_dir / "blocks.sqlite", target.chain_id)
    assert store.head() is not None
    store.close()
