"""Addresses: caps, order of dialling, back-off, and what survives a restart."""

from __future__ import annotations

import json
from random import Random

import pytest

from node.p2p.effects import PeerAddress
from node.p2p.peer_database import MAX_NEW_PER_SOURCE, MAX_PEERS, PeerDatabase, network_group
from protocol.errors import DecodeError
from protocol.p2p.messages import MAX_ADDRESSES

NOW_MS = 1_700_000_000_000


def address(number: int) -> PeerAddress:
    return PeerAddress(f"10.{number >> 8}.{number & 255}.1", 1776)


def filled(count: int, tried: int = 0) -> PeerDatabase:
    database = PeerDatabase()
    rng = Random(1)
    for number in range(count):
        assert database.add(address(number), f"source {number // 100}", rng)
        if number < tried:
            database.mark_connected(address(number), NOW_MS)
    return database


def test_the_table_is_full_at_1000() -> None:
    """T-P9: new addresses push out new ones by chance, never a tried one or a seed."""
    database = filled(MAX_PEERS, tried=600)
    rng = Random(2)
    for number in range(2_000, 3_000):
        database.add(address(number), f"other {number // 100}", rng)
    assert len(database) == MAX_PEERS
    assert all(address(number) in database for number in range(600))
    full = filled(MAX_PEERS, tried=MAX_PEERS)
    assert not full.add(address(5_000), "", rng)


def test_one_source_cannot_fill_the_table() -> None:
    """T-P9: an eighth of it at most."""
    database = PeerDatabase()
    rng = Random(1)
    added = sum(database.add(address(number), "liar", rng) for number in range(500))
    assert added == MAX_NEW_PER_SOURCE
    assert database.add(address(600), "honest", rng)


def test_waits_double_from_a_second_to_five_minutes() -> None:
    """T-P9: with a jitter of a quarter, drawn from the given source."""
    database = filled(1)
    rng = Random(3)
    for failures in range(12):
        database.mark_failed(address(0), NOW_MS, rng)
        record = database.find(address(0))
        assert record is not None
        wait = min(1_000 << failures, 300_000)
        assert wait <= record.next_attempt_ms - NOW_MS <= wait * 5 // 4
    assert not database.candidates(NOW_MS + 299_999, 5, rng, lambda _: True)
    assert database.candidates(NOW_MS + 375_000, 5, rng, lambda _: True) == [address(0)]
    database.clear_failures(address(0), NOW_MS)
    database.mark_failed(address(0), NOW_MS, rng)
    assert database.candidates(NOW_MS + 1_250, 5, rng, lambda _: True) == [address(0)]


def test_seeds_come_first_and_stay() -> None:
    """T-P9: seeds are dialled first until they answer, and never forgotten."""
    seeds = (PeerAddress("seed.example", 1), PeerAddress("10.99.0.1", 1))
    database = PeerDatabase(seeds)
    rng = Random(1)
    for number in range(2 * MAX_PEERS):
        database.add(address(number), "", rng)
    assert database.candidates(NOW_MS, 2, rng, lambda _: True) == list(seeds)
    assert all(seed in database for seed in seeds)
    database.mark_failed(seeds[0], NOW_MS, rng)
    assert seeds[0] not in database.candidates(NOW_MS, 2_000, rng, lambda _: True)
    assert seeds[0] in database.candidates(NOW_MS + 400_000, 2_000, rng, lambda _: True)


def test_tried_and_new_addresses_take_turns() -> None:
    """T-P9: a flood of new addresses does not crowd out those that answered."""
    database = filled(500, tried=4)
    chosen = database.candidates(NOW_MS, 8, Random(5), lambda _: True)
    assert {address(number) for number in range(4)} == set(chosen[::2])


def test_an_address_that_is_wanted_waits_for_nothing() -> None:
    """T-P9: named by the operator, it is tried at once again; the table's bounds stay."""
    database, rng = filled(1), Random(1)
    database.mark_failed(address(0), NOW_MS, rng)
    assert database.candidates(NOW_MS, 9, rng, lambda _: True) == []
    assert database.want(address(0), rng)
    assert database.want(address(1), rng)
    assert set(database.candidates(NOW_MS, 9, rng, lambda _: True)) == {address(0), address(1)}
    assert [item.address for item in database.records()] == [address(0), address(1)]
    own = address(2)
    database.forget_own(own)
    assert not database.want(own, rng)
    assert not filled(MAX_PEERS, tried=MAX_PEERS).want(address(5_000), rng)


def test_a_sample_holds_only_those_seen() -> None:
    """T-P9: 200 at most, never the asker's own, never a seed's name."""
    database = filled(500, tried=300)
    sample = database.sample(Random(1), address(0))
    assert len(sample) == MAX_ADDRESSES
    assert len({known.host for known in sample}) == MAX_ADDRESSES
    few = filled(10, tried=5)
    assert {known.host for known in few.sample(Random(1), address(0))} == {
        address(number).host for number in range(1, 5)
    }
    named = PeerDatabase((PeerAddress("seed.example", 1),))
    named.mark_connected(PeerAddress("seed.example", 1), NOW_MS)
    assert named.sample(Random(1), None) == ()


def test_what_is_known_survives_a_restart() -> None:
    """T-P9: through JSON text; seeds come from the configuration."""
    database = filled(20, tried=7)
    database.set_anchors([address(3), address(5)])
    text = json.dumps(database.to_json())
    again = PeerDatabase((PeerAddress("10.99.0.1", 1),))
    again.load_json(json.loads(text))
    assert len(again) == 21
    assert again.sample(Random(1), None) == database.sample(Random(1), None)
    assert json.dumps(again.to_json()) == text
    assert set(again.candidates(NOW_MS, 2, Random(1), lambda _: True)) == {address(3), address(5)}
    again.set_anchors([])
    assert again.anchors == {address(3), address(5)}


def test_a_file_without_anchors_is_read() -> None:
    """T-P9: that of an earlier release."""
    database = PeerDatabase()
    database.load_json({"version": 1, "peers": [ROW]})
    assert len(database) == 1
    assert not database.anchors


ROW = {"host": "10.0.0.1", "port": 1, "source": "", "tried": False, "last_seen": 0}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"version": 2, "peers": []},
        {"version": 1},
        {"version": 1, "peers": {}},
        {"version": 1, "peers": [ROW] * (MAX_PEERS + 1)},
        {"version": 1, "peers": ["10.0.0.1:1"]},
        *(
            {"version": 1, "peers": [ROW, {**ROW, **wrong}]}
            for wrong in (
                {"host": "example.org"},
                {"host": 1},
                {"port": 0},
                {"port": 65_536},
                {"port": True},
                {"port": "1"},
                {"source": None},
                {"source": "x" * 65},
                {"tried": 1},
                {"anchor": 1},
                {"last_seen": -1},
                {"last_seen": 2**32},
                {"last_seen": 1.5},
            )
        ),
    ],
)
def test_a_damaged_file_is_refused_whole(data: object) -> None:
    """T-P9: a typed error, and nothing of it is added."""
    database = PeerDatabase()
    with pytest.raises(DecodeError):
        database.load_json(data)
    assert len(database) == 0


def test_network_groups() -> None:
    """T-P9: /16 of IPv4, /32 of IPv6, a name for itself."""
    assert network_group("10.1.2.3", v4_bits=16, v6_bits=32) == "10.1.0.0/16"
    assert network_group("2001:db8:1::1", v4_bits=16, v6_bits=32) == "2001:db8::/32"
    assert network_group("seed.example", v4_bits=16, v6_bits=32) == "seed.example"
