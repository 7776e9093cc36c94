"""Settings that are written are read back equal, whatever names and paths they hold."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import (
    ApiSettings,
    ConfigError,
    FeedSettings,
    NodeSettings,
    PeerSettings,
    ProductionSettings,
    StorageSettings,
    WitnessSettings,
    read_settings,
    write_settings,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
HOSTS = st.sampled_from(["127.0.0.1", "[::1]", "seed.example"])
ADDRESSES = st.builds("{}:{}".format, HOSTS, st.integers(0, 65_535))
ORIGINS = st.lists(st.builds("https://{}".format, ADDRESSES), max_size=3).map(tuple)
SETTINGS = st.builds(
    NodeSettings,
    genesis=TEXTS,
    data_dir=TEXTS,
    node_name=TEXTS,
    p2p=st.builds(PeerSettings, listen=ADDRESSES, seeds=st.lists(ADDRESSES).map(tuple)),
    api=st.builds(ApiSettings, listen=ADDRESSES, token_file=TEXTS, hosts=LISTS, origins=ORIGINS),
    production=st.builds(
        ProductionSettings,
        mode=st.sampled_from(["slots", "interval", "instant", "manual"]),
        enable_stale=st.booleans(),
        required_participation=st.integers(0, 100),
    ),
    storage=st.builds(StorageSettings, snapshot_interval=st.integers(1, 1_000_000)),
    witnesses=st.lists(st.builds(WitnessSettings, TEXTS, TEXTS, TEXTS), max_size=3).map(tuple),
    feeds=st.lists(st.builds(FeedSettings, TEXTS, TEXTS, st.integers(1, 86_400)), max_size=3).map(
        tuple
    ),
    clock_offset_ms=st.integers(-(2**63), 2**63 - 1),
    paranoid=st.booleans(),
)


@given(SETTINGS)
def test_written_settings_are_read_back_equal(settings: NodeSettings) -> None:
    """Quotes, backslashes, control characters and brackets in names and paths change nothing."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "node.toml"
        write_settings(path, settings)
        assert read_settings(path) == settings


def test_defaults_are_not_written(tmp_path: Path) -> None:
    """A file says what its owner chose, and follows the defaults in all else."""
    path = tmp_path / "node.toml"
    write_settings(path, NodeSettings("genesis.json", api=ApiSettings(listen="127.0.0.1:1")))
    assert path.read_text() == 'genesis = "genesis.json"\n\n[api]\nlisten = "127.0.0.1:1"\n'


def test_text_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    """A path that is not Unicode is named, and the file that was there stays."""
    path = tmp_path / "node.toml"
    write_settings(path, NodeSettings("genesis.json"))
    with pytest.raises(ConfigError, match="not Unicode"):
        write_settings(path, NodeSettings("\udc80.json"))
    assert read_settings(path) == NodeSettings("genesis.json")
