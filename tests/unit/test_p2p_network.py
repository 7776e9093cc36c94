"""Whole networks of peer managers in one process: sync, gossip, forks, liars."""

from __future__ import annotations

from itertools import pairwise

import pytest

from node.p2p.effects import PeerAddress
from protocol.p2p.messages import GoodbyeCode
from tests.support.fake_chain import (
    GENESIS_ID,
    INVALID,
    FakeChain,
    id_of_block,
    make_block,
    make_envelope,
    make_transaction,
)
from tests.support.fake_network import FakeNetwork, FakeNode


def chain_of(count: int, payload: bytes = b"", lib_distance: int = 20) -> FakeChain:
    chain = FakeChain(lib_distance)
    chain.extend(count, payload)
    return chain


def codes(node: FakeNode) -> list[GoodbyeCode]:
    return [effect.code for effect in node.closed]


def test_a_fresh_node_gets_all_blocks_in_order() -> None:
    """S5: 500 blocks reach a fresh node, each handed to the core once and in order."""
    network = FakeNetwork()
    network.add_node("old", chain_of(500))
    fresh = network.add_node("fresh")
    network.connect("fresh", "old")
    network.run(10_000)
    assert fresh.chain.main == network.nodes["old"].chain.main
    assert list(fresh.blocks_received) == fresh.chain.main[1:]
    assert set(fresh.blocks_received.values()) == {1}
    assert not fresh.penalties
    assert not fresh.manager.is_syncing


def test_sync_goes_on_beyond_one_answer() -> None:
    """T-N5: a chain longer than one answer of 2,000 ids takes several rounds without a wait."""
    network = FakeNetwork()
    network.add_node("old", chain_of(4_500))
    fresh = network.add_node("fresh")
    network.connect("fresh", "old")
    network.run(40_000)
    assert fresh.chain.head_num == 4_500
    assert fresh.manager.statistics().sync_rounds == 3


def test_several_peers_share_the_work() -> None:
    """S5: blocks come from all peers that have them, and each only once."""
    network = FakeNetwork()
    chain = chain_of(500)
    for name in ("a", "b", "c"):
        node = network.add_node(name)
        node.chain.blocks.update(chain.blocks)
        node.chain.main[:] = chain.main
    fresh = network.add_node("fresh")
    links = [network.connect("fresh", name) for name in ("a", "b", "c")]
    network.run(10_000)
    assert fresh.chain.head_num == 500
    assert set(fresh.blocks_received.values()) == {1}
    received = {row.key: row.received_bytes for row in fresh.manager.statistics().peers}
    for link in links:
        assert received[min(link.owners)] > 500 * 20 + 80 * 24


def test_a_silent_peer_does_not_stall_a_sync() -> None:
    """T-P5, S5: blocks asked of a peer that falls silent come from another within seconds."""
    network = FakeNetwork()
    chain = chain_of(500)
    for name in ("mute", "good"):
        node = network.add_node(name)
        node.chain.blocks.update(chain.blocks)
        node.chain.main[:] = chain.main
    fresh = network.add_node("fresh")
    network.connect("fresh", "mute")
    network.connect("fresh", "good")
    while not fresh.manager.statistics().sync_pending:
        network.run(100)
    network.nodes["mute"].is_silent = True
    network.run(12_000)
    assert fresh.chain.head_num == 500
    network.run(60_000)
    assert GoodbyeCode.TIMEOUT in codes(fresh)


def test_a_peer_that_lies_about_its_chain_is_dropped() -> None:
    """S5: a peer that lists blocks which it lacks is penalised, dropped, and stops nothing."""
    network = FakeNetwork()
    liar = network.add_node("liar", chain_of(100))
    liar.chain.extend(200, b"lie")
    for block_id in liar.chain.main[101:]:
        del liar.chain.blocks[block_id]
    network.add_node("good", chain_of(400))
    fresh = network.add_node("fresh")
    network.connect("fresh", "liar")
    network.connect("fresh", "good")
    network.run(30_000)
    assert fresh.chain.head_id == network.nodes["good"].chain.head_id
    assert fresh.penalties[0].reason.startswith("lying_sync")
    assert codes(fresh)
    for penalty in fresh.penalties:
        assert "liar" in fresh.links[penalty.peer].owners.values()


def test_an_invalid_chain_is_left() -> None:
    """T-N5, T-P6: the peer whose chain holds an invalid block is banned and nothing of it stays."""
    network = FakeNetwork()
    bad = network.add_node("bad", chain_of(50))
    good = network.add_node("good")
    for block_id in bad.chain.main[1:]:
        good.chain.push(bad.chain.blocks[block_id])
    data = make_block(bad.chain.head_id, INVALID)
    bad.chain.blocks[id_of_block(data)] = data
    bad.chain.main.append(id_of_block(data))
    bad.chain.extend(30)
    fresh = network.add_node("fresh")
    network.connect("fresh", "bad")
    network.connect("fresh", "good")
    network.run(10_000)
    assert fresh.chain.main == good.chain.main
    assert codes(fresh)[0] == GoodbyeCode.INVALID_ITEM
    assert set(codes(fresh)[1:]) <= {GoodbyeCode.BANNED}


@pytest.mark.parametrize("seed", range(6))
def test_sync_survives_broken_connections(seed: int) -> None:
    """S5, T-N5, T-P8: connections that break at random delay a sync and never stop it."""
    network = FakeNetwork(seed, break_rate=0.01)
    for name in ("a", "b", "c"):
        node = network.add_node(name)
        for _ in range(500):
            node.chain.push(make_block(node.chain.head_id))
    fresh = network.add_node("fresh", seeds=("a", "b", "c"))
    network.run(240_000)
    assert len(fresh.dials) > 3, "no connection broke"
    assert fresh.chain.head_num == 500
    assert set(fresh.blocks_received.values()) == {1}
    assert not [item for item in fresh.penalties if item.points >= 50]


def test_the_longer_fork_wins() -> None:
    """T-V1: two nodes on different forks above the irreversible block end on the longer one."""
    network = FakeNetwork()
    short = network.add_node("short", chain_of(100, lib_distance=50))
    long = network.add_node("long", chain_of(90, lib_distance=50))
    short.chain.extend(5, b"short")
    long.chain.extend(30, b"long")
    network.connect("short", "long")
    network.run(5_000)
    assert short.chain.head_id == long.chain.head_id
    assert not short.closed


def test_a_minority_fork_below_the_irreversible_block_is_brought_over() -> None:
    """S2: a peer alone on its fork joins the longer chain, however far that is irreversible."""
    network = FakeNetwork()
    majority = network.add_node("majority", chain_of(100, lib_distance=50))
    minority = network.add_node("minority", chain_of(100, lib_distance=50))
    minority.chain.extend(5, b"alone")
    majority.chain.extend(200)
    assert majority.chain.last_irreversible_num > minority.chain.head_num
    network.connect("minority", "majority")
    network.run(5_000)
    assert minority.chain.head_id == majority.chain.head_id
    assert not minority.closed


def test_a_longer_fork_that_is_not_irreversible_may_come_over() -> None:
    """F6, S2: a peer that is sure of another chain is asked for it, and not dropped while it hands
    it over, though the own fork is longer."""
    network = FakeNetwork()
    majority = network.add_node("majority", chain_of(20, lib_distance=5))
    minority = network.add_node("minority", chain_of(20, lib_distance=200))
    minority.chain.extend(50, b"alone with liars")
    majority.chain.extend(10)
    assert minority.chain.last_irreversible_num < 20 < majority.chain.last_irreversible_num
    network.connect("minority", "majority")
    network.run(2_000)
    wanted = [majority.chain.id_at(num) for num in range(21, 31)]
    assert list(minority.blocks_received) == wanted
    assert not minority.closed


def test_a_fork_below_the_irreversible_block_is_refused() -> None:
    """S3: a peer whose chain leaves ours below our irreversible block is dropped and told so."""
    network = FakeNetwork()
    ours = network.add_node("ours", chain_of(100))
    theirs = network.add_node("theirs", chain_of(200, b"other"))
    network.connect("ours", "theirs")
    network.run(5_000)
    assert GoodbyeCode.FORK_BELOW_IRREVERSIBLE in codes(ours) + codes(theirs)
    assert not ours.blocks_received
    assert not theirs.blocks_received
    assert not ours.links or not ours.manager.statistics().peers


def test_a_peer_that_forked_away_while_ahead_is_refused() -> None:
    """S3: the answer to a synopsis shows a fork below our irreversible block, too."""
    network = FakeNetwork()
    ours = network.add_node("ours", chain_of(100))
    theirs = network.add_node("theirs", chain_of(200, b"other", lib_distance=1_000))
    network.connect("ours", "theirs")
    network.run(5_000)
    assert codes(ours)[0] == GoodbyeCode.FORK_BELOW_IRREVERSIBLE
    assert not ours.blocks_received
    assert theirs.chain.head_num == 200


def ring(network: FakeNetwork, names: str) -> None:
    """Each node is connected with the next two."""
    for name in names:
        network.add_node(name)
    for index, name in enumerate(names):
        network.connect(name, names[(index + 1) % len(names)])
        network.connect(name, names[(index + 2) % len(names)])


def test_gossip_reaches_all_and_each_fetches_once() -> None:
    """T-P7, T-P8: of ten blocks and thirty transactions every node gets each exactly once."""
    network = FakeNetwork()
    ring(network, "abcde")
    network.run(1_000)
    for number in range(30):
        node = network.nodes["abcde"[number % 5]]
        transaction = make_transaction(f"transaction {number}".encode())
        node.chain.add_transaction(transaction)
        node.manager.announce_transaction(transaction, network.now_ms)
        network.carry_out(node)
        if number % 3 == 0:
            block = make_envelope(node.chain.head_id)
            node.chain.push(block.packed)
            node.manager.announce_block(block, network.now_ms)
            network.carry_out(node)
        network.run(1_000)
    for node in network.nodes.values():
        assert node.chain.head_num == 10
        assert len(node.chain.transactions) == 30
        assert sum(node.blocks_received.values()) == 8
        assert sum(node.transactions_received.values()) == 24
        assert not node.penalties
        assert not node.manager.statistics().wanted_items


def test_a_late_node_hears_of_the_head_when_its_source_has_synced() -> None:
    """T-N5: c knows only b, and b is still fetching from a: c ends at a's head without gossip."""
    network = FakeNetwork()
    network.add_node("a", chain_of(300))
    network.add_node("b")
    network.add_node("c")
    network.connect("c", "b")
    network.run(500)
    network.connect("b", "a")
    network.run(20_000)
    assert network.nodes["c"].chain.head_num == 300


def test_unlinkable_blocks_do_not_cause_a_storm() -> None:
    """RELIABILITY 0.3: a block that can never link costs a bounded number of messages."""
    network = FakeNetwork()
    ring(network, "abcde")
    network.run(1_000)
    network.event_count = 0
    lost = id_of_block(make_block(GENESIS_ID, b"lost"))
    mad = network.nodes["a"]
    for number in range(50):
        orphan = make_envelope(lost, b"orphan" + bytes([number]))
        mad.manager.announce_block(orphan, network.now_ms)
        network.carry_out(mad)
    network.run(600_000, max_events=4_000)
    rounds = [node.manager.statistics().sync_rounds for node in network.nodes.values()]
    assert max(rounds) <= 4 * 20


def test_the_same_seed_gives_the_same_run() -> None:
    """T-P8: everything follows from the inputs."""

    def play() -> list[object]:
        network = FakeNetwork(3, break_rate=0.02)
        for name in ("a", "b"):
            network.add_node(name, chain_of(200))
        fresh = network.add_node("fresh", seeds=("a", "b"))
        network.run(60_000)
        return [network.event_count, fresh.dials, list(fresh.blocks_received), fresh.closed]

    assert play() == play()


def test_nodes_find_each_other_through_a_seed() -> None:
    """T-P9: nodes that know one seed learn each other's addresses and connect."""
    network = FakeNetwork()
    network.add_node("seed")
    for name in ("b", "c", "d"):
        network.add_node(name, seeds=("seed",))
    network.run(90_000)
    for node in network.nodes.values():
        assert node.manager.statistics().active_count >= 3, node.name


def test_a_dead_address_is_tried_less_and_less() -> None:
    """T-P9: the wait doubles from 1 s to 5 min, with a jitter of at most a quarter."""
    network = FakeNetwork()
    node = network.add_node("a")
    dead = PeerAddress("10.200.0.1", 1776)
    node.manager.database.add(dead, "", network.rng)
    network.run(3_600_000)
    at = [ms for ms, address in node.dials if address == dead]
    waits = [later - earlier for earlier, later in pairwise(at)]
    for index, wait in enumerate(waits):
        expected = min(1_000 << index, 300_000)
        assert expected <= wait <= expected * 5 // 4 + 300
    assert len(at) < 25


def test_a_lost_seed_is_found_again() -> None:
    """T-P9: a seed that was down for a minute is connected after it is back."""
    network = FakeNetwork()
    network.add_node("seed", chain_of(10))
    lonely = network.add_node("lonely", seeds=("seed",))
    seed = network.nodes.pop("seed")
    network.run(60_000)
    assert not lonely.manager.statistics().peers
    network.nodes["seed"] = seed
    network.run(90_000)
    assert lonely.chain.head_num == 10


def test_two_nodes_that_dial_each_other_keep_one_connection() -> None:
    """T-P10: of two crossing connections both sides keep the same one."""
    network = FakeNetwork()
    network.add_node("a")
    network.add_node("b")
    links = [network.connect("a", "b"), network.connect("b", "a")]
    network.run(2_000)
    assert [link.is_open for link in links].count(True) == 1
    for node in network.nodes.values():
        assert node.manager.statistics().active_count == 1
        assert not node.penalties


def test_a_node_that_dials_itself_never_does_it_again() -> None:
    """T-P10: the connection is closed and the address forgotten."""
    network = FakeNetwork()
    node = network.add_node("a")
    node.manager.database.add(node.address, "", network.rng)
    network.run(60_000)
    assert [address for _, address in node.dials] == [node.address]
    assert set(codes(node)) == {GoodbyeCode.SELF_CONNECTION}
    assert not node.penalties
    assert node.address not in node.manager.database


def test_a_pause_is_no_failure_of_the_peers_that_it_ends() -> None:
    """R9.10: however often a network of processes stands still, its peers come back at once."""
    network = FakeNetwork()
    network.add_node("old")
    network.add_node("new", seeds=("old",))
    managers = [node.manager for node in network.nodes.values()]
    network.run(1_000)
    for _ in range(8):
        for manager in managers:
            assert manager.statistics().active_count == 1
            manager.pause(network.now_ms)
        network.run(5_000)
        assert [manager.statistics().active_count for manager in managers] == [0, 0]
        for manager in managers:
            manager.resume()
        network.run(1_000)
