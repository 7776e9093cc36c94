"""The files of a development network: what is written, what is refused, what is deleted."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from node.cli.exits import SetupRefused, UsageProblem
from node.cli.feeds import Running, choose_feeds, read_running
from node.cli.network_files import (
    Wanted,
    check_free,
    open_network,
    plan_development_node,
    plan_nodes,
    remove_network,
)
from node.config import ConfigError, read_settings
from node.presets import PRESETS, build_genesis
from node.storage.key_files import read_key_file
from node.witness.feed_source import PriceRatio
from node.witness.feed_text import FeedContext, FeedSourceError, parse_feed_source
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import parse_wif, public_key
from protocol.genesis import chain_id, genesis_to_json, load_genesis

NOW_S = 1_800_000_001
API = "127.0.0.1:8090"


def test_settings_are_those_that_a_node_reads(tmp_path: Path) -> None:
    """Every node has settings of its own: ports, peers, one witness, its keys, its feeds."""
    network, is_new = open_network(
        tmp_path / "net", Wanted(witness_count=3, block_interval_s=2), now_s=NOW_S
    )
    assert is_new
    assert network.genesis.initial_timestamp == NOW_S - NOW_S % 2
    plans = plan_nodes(network, API, choose_feeds(network, [], now_s=NOW_S))
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
    (directory / "network.json").write_text("[" * 100_000)
    with pytest.raises(SetupRefused, match="damaged"):
        open_network(directory, Wanted(), now_s=NOW_S)
    (directory / "network.json").write_text('{"version": 9, "preset": "testnet"}')
    with pytest.raises(SetupRefused):
        open_network(directory, Wanted(), now_s=NOW_S)


def test_origins_are_for_the_node_with_the_api(tmp_path: Path) -> None:
    """A13: `--allow-origin` of `up` and of `node --dev`; no origin of all pages."""
    network, _ = open_network(tmp_path / "net", Wanted(witness_count=2), now_s=NOW_S)
    given = ("https://Wallet.example/", "http://localhost:3000")
    plans = plan_nodes(network, API, {}, origins=given)
    plans.append(plan_development_node(network, "instant", API, {}, given))
    found = [read_settings(plan.settings).api.origins for plan in plans]
    allowed = ("https://wallet.example", "http://localhost:3000")
    assert found == [(), (), allowed, allowed]
    with pytest.raises(ConfigError, match="no origin"):
        plan_nodes(network, API, {}, origins=["*"])


def test_a_development_node_holds_all_keys(tmp_path: Path) -> None:
    """One process has every witness, one of them publishes, and nobody can dial it."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    plan = plan_development_node(network, "instant", API, choose_feeds(network, [], now_s=NOW_S))
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
    feeds = choose_feeds(
        network,
        ["walk:seed=7,start=0.1,step=30bp", f"EUR=csv:{series}?every=3s"],
        now_s=NOW_S,
    )
    assert feeds["USD"] == "walk:seed=7,start=0.1,step=30bp"
    assert feeds["EUR"] == f"csv:{series}?every=3s"
    assert feeds["GOLD"].startswith("fixed:")
    with pytest.raises(UsageProblem):
        choose_feeds(network, ["NOPE=fixed:1"], now_s=NOW_S)
    with pytest.raises(FeedSourceError):
        choose_feeds(network, ["USD=fixed:0"], now_s=NOW_S)
    with pytest.raises(FeedSourceError):
        choose_feeds(network, ["USD=csv:/nonexistent.csv"], now_s=NOW_S)
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


def test_feeds_are_switched_off(tmp_path: Path) -> None:
    """`none` for all, or for one; a price published by hand then stays alone."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    assert choose_feeds(network, ["none"], now_s=NOW_S) == {}
    feeds = choose_feeds(network, ["bitUSD=none"], now_s=NOW_S)
    assert set(network.peg_symbols) - set(feeds) == {"USD"}
    plans = plan_nodes(network, API, feeds)
    assert {feed.asset for feed in read_settings(plans[0].settings).feeds} == set(feeds)
    again = read_running(network)
    assert again is not None
    assert choose_feeds(network, [], now_s=NOW_S, before=again) == feeds, "it stays off"


def test_a_second_run_continues_its_prices(tmp_path: Path) -> None:
    """A pause of an hour neither plays on nor begins anew; nobody asked for another price."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    series = tmp_path / "series.csv"
    rows = "".join(f"2021-01-{day:02},0.{10 + day}\n" for day in range(4, 30))
    series.write_text(f"time,price\n{rows}")
    start = network.genesis.initial_timestamp
    sources = {"USD": f"csv:{series}?every=60s", "EUR": "walk:seed=7,start=0.1,step=300bp"}
    for head in (start + 300, start + 900):
        before = Running(sources, head)
        found = choose_feeds(network, [], now_s=head + 3_600, before=before)
        for symbol, source in sources.items():
            was, now = price_of(source, start, head), price_of(found[symbol], start, head + 3_600)
            assert was == now, symbol
        sources = found
    assert sources["USD"].count("at=") == sources["EUR"].count("at=") == 1


def price_of(source: str, start_s: int, time_s: int) -> PriceRatio:
    context = FeedContext(start_s, 3, lambda name: Path(name).read_text())
    return parse_feed_source(source, context).prices.price_at(time_s)


def test_a_price_does_not_jump_unasked(tmp_path: Path) -> None:
    """A running chain's price moves by --feed only with --allow-jump; a new chain's freely."""
    network, _ = open_network(tmp_path / "net", Wanted(), now_s=NOW_S)
    option = ["USD=csv:config/prices/try_usd.csv?every=3s&from=2021-11-15"]
    assert "at=" not in choose_feeds(network, option, now_s=NOW_S)["USD"]
    before = Running({"USD": "fixed:0.1357", "EUR": "fixed:0.1104"}, NOW_S)
    with pytest.raises(SetupRefused) as refused:
        choose_feeds(network, option, now_s=NOW_S + 60, before=before)
    assert "the price of bitUSD from 0.13570000 to 0.09" in refused.value.what
    assert "--allow-jump" in refused.value.what
    forced = choose_feeds(network, option, now_s=NOW_S + 60, before=before, may_jump=True)
    assert forced["USD"].endswith(f"&at={NOW_S + 60}"), "it begins with its first row"
    near = choose_feeds(network, ["USD=fixed:0.14"], now_s=NOW_S, before=before)
    assert near["USD"] == "fixed:0.14", "a few percent are no jump"
    with pytest.raises(SetupRefused, match="is off"):
        choose_feeds(network, ["GOLD=fixed:0.00007"], now_s=NOW_S, before=before)


def test_a_genesis_and_a_trigger(tmp_path: Path) -> None:
    """`up --genesis FILE --trigger feed`; the same options continue it, others are refused."""
    own = build_genesis(PRESETS["graphene"], witness_count=2)
    assert own.settings().margin_call_trigger == "bid"
    wanted = Wanted(genesis=own, trigger="feed")
    network, is_new = open_network(tmp_path / "net", wanted, now_s=NOW_S)
    assert (is_new, network.genesis.settings().margin_call_trigger) == (True, "feed")
    assert network.genesis.initial_timestamp == own.initial_timestamp
    assert not open_network(tmp_path / "net", wanted, now_s=NOW_S)[1]
    for other in (Wanted(genesis=own), Wanted(trigger="bid"), Wanted(witness_count=3)):
        with pytest.raises(SetupRefused):
            open_network(tmp_path / "net", other, now_s=NOW_S)
    file = json.dumps(genesis_to_json(own), indent=7)
    loaded = Wanted(genesis=load_genesis(file))
    kept, _ = open_network(tmp_path / "loaded", loaded, now_s=NOW_S)
    assert chain_id(kept.genesis) == sha256(file.encode()), "C13: that of the user's own file"
    assert not open_network(tmp_path / "loaded", loaded, now_s=NOW_S)[1]
    preset, _ = open_network(tmp_path / "other", Wanted(trigger="feed"), now_s=NOW_S)
    assert preset.genesis.settings().margin_call_trigger == "feed"
