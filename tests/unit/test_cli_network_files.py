"""The files of a development network: what is written, what is refused, what is deleted."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from node.cli.exits import SetupRefused, UsageProblem
from node.cli.network_files import (
    Wanted,
    check_free,
    choose_feeds,
    open_network,
    plan_development_node,
    plan_nodes,
    remove_network,
)
from node.config import ConfigError, read_settings
from node.presets import PRESETS, build_genesis
from node.storage.key_files import read_key_file
from node.witness.feed_text import FeedSourceError
from protocol.crypto.keys import parse_wif, public_key

NOW_S = 1_800_000_001
API = "127.0.0.1:8090"


def test_settings_are_those_that_a_node_reads(tmp_path: Path) -> None:
    """Every node has settings of its own: ports, peers, one witness, its keys, its feeds."""
    network, is_new = open_network(
        tmp_path / "net", Wanted(witness_count=3, block_interval_s=2), now_s=NOW_S
    )
    assert is_new
    assert network.genesis.initial_timestamp == NOW_S - NOW_S % 2
    plans = plan_nodes(network, API, choose_feeds(network, []))
    assert [plan.name for plan in plans] == ["init0", "init1", "init2", "api"]
    settings = [read_settings(plan.settings) for plan in plans]
    listening = {item.p2p.listen for item in settings}
    assert len(listening) == 4
    for item in settings:
        assert set(item.p2p.seeds) == listening - {item.p2p.listen}
    assert settings[-1].api.listen == API
    assert settings[-1].witnesses == ()
    for plan, item in zip(plans[:3], settings, strict=False):
        (witness,) = item.witnesses
        secret = parse_wif(read_key_file(plan.settings.parent / witness.key_file).strip())
        candidates = network.genesis.initial_witness_candidates
        keys = {entry.owner_name: entry.block_signing_key for entry in candidates}
        assert keys[witness.account] == public_key(secret)
        assert {feed.asset for feed in item.feeds} == set(network.peg_symbols)


def test_a_history_on_a_server_is_the_api_node_s_and_a_url(tmp_path: Path) -> None:
    """`up --history`: witnesses keep files; no URL of PostgreSQL is refused at the start."""
    network, _ = open_network(tmp_path / "net", Wanted(witness_count=2), now_s=NOW_S)
    url = "postgresql://user:secret@127.0.0.1/history"
    plans = plan_nodes(network, API, {}, url)
    assert [read_settings(plan.settings).history for plan in plans] == ["", "", url]
    plans = plan_nodes(network, API, {}, "mysql://user:secret@127.0.0.1/history")
    with pytest.raises(ConfigError, match="no URL of PostgreSQL") as refused:
        read_settings(plans[-1].settings)
    assert "secret" not in str(refused.value)


def test_a_second_time_continues(tmp_path: Path) -> None:
    """The same directory is the same chain; other wishes for it are refused."""
    directory = tmp_path / "net"
    first, _ = open_network(directory, Wanted(preset="graphene", witness_count=2), now_s=NOW_S)
    again, is_new = open_network(directory, Wanted(), now_s=NOW_S + 900)
    assert not is_new
    assert again == first
    for wanted in (
        Wanted(preset="testnet"),
        Wanted(witness_count=3),
        Wanted(block_interval_s=1),
        Wanted(genesis=build_genesis(PRESETS["graphene"])),
    ):
        with pytest.raises(SetupRefused) as refusal:
            open_network(directory, wanted, now_s=NOW_S)
        assert refusal.value.exit_code == 78


def test_only_networks_are_deleted(tmp_path: Path) -> None:
    """--fresh deletes a network, and never somebody's other files."""
    directory = tmp_path / "net"
    open_network(directory, Wanted(), now_s=NOW_S)
    remove_network(directory)
    assert list(directory.iterdir()) == []
    remove_network(directory)
    small, is_new = open_network(directory, Wanted(), now_s=NOW_S, default_witness_count=3)
    assert (small.witness_count, is_new) == (3, True)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    for refused in (
        lambda: remove_network(precious),
        lambda: open_network(precious, Wanted(), now_s=NOW_S),
    ):
        with pytest.raises(SetupRefused):
            refused()
    assert (precious / "thesis.txt").exists()


def test_a_damaged_network_is_named(tmp_path: Path) -> None:
    """Files that are not as they were written are refused with the place and the reason."""
    directory = tmp_path / "net"
    open_network(directory, Wanted(), now_s=NOW_S)
    (directory / "genesis.json").write_text("{}")
    with pytest.raises(SetupRefused, match="damaged"):
        open_network(directory, Wanted(), now_s=NOW_S)
    (directory / "network.json").write_text('{"version": 9, "preset": "testnet"}')
    with pytest.raises(SetupRefused):
        open_network(directory, Wanted(), now_s=NOW_S)


def test_a_development_node_holds_all_keys(tmp_path: Path) -> None:
    """One process has every witness, one of them publishes, and nobody can dial it."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    plan = plan_development_node(network, "instant", API, choose_feeds(network, []))
    settings = read_settings(plan.settings)
    assert len(settings.witnesses) == 11
    assert [bool(item.feed_key_file) for item in settings.witnesses] == [True] + [False] * 10
    assert settings.p2p.listen == ""
    assert settings.production.mode == "instant"


def test_feeds_by_option(tmp_path: Path) -> None:
    """A source is checked before anything starts; a CSV file is found from anywhere."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    series = tmp_path / "series.csv"
    series.write_text("time,price\n2021-01-04,0.1\n")
    feeds = choose_feeds(network, ["walk:seed=7,start=0.1,step=30bp", f"EUR=csv:{series}?every=3s"])
    assert feeds["USD"] == "walk:seed=7,start=0.1,step=30bp"
    assert feeds["EUR"] == f"csv:{series}?every=3s"
    assert feeds["GOLD"].startswith("fixed:")
    with pytest.raises(UsageProblem):
        choose_feeds(network, ["NOPE=fixed:1"])
    with pytest.raises(FeedSourceError):
        choose_feeds(network, ["USD=fixed:0"])
    with pytest.raises(FeedSourceError):
        choose_feeds(network, ["USD=csv:/nonexistent.csv"])
    plan = plan_nodes(network, API, feeds)[0]
    intervals = {feed.asset: feed.interval_s for feed in read_settings(plan.settings).feeds}
    assert (intervals["USD"], intervals["GOLD"]) == (network.block_interval_s, 600)


def test_a_taken_address_is_refused_before_anything_starts() -> None:
    """Two networks cannot serve one port; the second says so, with exit code 78."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SetupRefused) as refusal:
            check_free(address)
    assert refusal.value.exit_code == 78
    check_free(address)
