"""T-P13: the file of a node's own key, and how a node gets it from its settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.app import make_peers
from node.config import ConfigError, parse_settings, read_seeds
from node.core.chain_reader import ChainReader
from node.core.startup import start_chain
from node.p2p.effects import PeerAddress, PeerKey, SendBytes
from node.p2p.manager import PeerManager
from node.services.opened import open_node
from node.storage.errors import KeyFileRefused
from node.storage.node_key import open_node_key
from protocol.errors import KeyFormatError
from protocol.genesis import chain_id, genesis_to_json
from tests.support.chain import make_genesis


def test_a_key_is_made_kept_and_kept_secret(tmp_path: Path) -> None:
    """T-P13: 32 random bytes in a file of mode 0600, in a directory of mode 0700; one that others
    can read is refused (exit code 77)."""
    path = tmp_path / "keys" / "node.key"
    key = open_node_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert open_node_key(path) == key
    assert open_node_key(tmp_path / "other" / "node.key") != key
    assert key.reveal().hex() == path.read_text().strip()
    path.chmod(0o640)
    with pytest.raises(KeyFileRefused) as caught:
        open_node_key(path)
    assert caught.value.exit_code == 77


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    """T-P13: and not replaced; the error does not repeat what may be a secret."""
    path = tmp_path / "keys" / "node.key"
    open_node_key(path)
    path.write_text(text)
    with pytest.raises(KeyFormatError) as caught:
        open_node_key(path)
    assert not text or text not in str(caught.value)
    assert path.read_text() == text


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """T-P13: a key is not made where a link says."""
    path = tmp_path / "keys" / "node.key"
    open_node_key(path)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileRefused):
        open_node_key(path)
    assert not (tmp_path / "elsewhere").exists()


def make_node(directory: Path, text: str = "", node_key: Path | None = None) -> PeerManager:
    """The peer layer of a node with such settings of its peers."""
    genesis = make_genesis()
    named = genesis_to_json(genesis)
    assert isinstance(named, dict)
    named["initial_chain_id"] = chain_id(genesis).hex()
    (directory / "genesis.json").write_text(json.dumps(named))
    (directory / "node.toml").write_text(f'genesis = "genesis.json"\n[p2p]\n{text}')
    opened = open_node(directory / "node.toml", node_key)
    try:
        started = start_chain(opened.genesis, opened.stores.blocks, None)
        return make_peers(opened, ChainReader(started.chain, opened.stores.blocks))
    finally:
        opened.stores.close()


def test_a_node_is_known_by_its_key(tmp_path: Path) -> None:
    """T-P13: that of the data directory, of the settings, or of the command line, in this order;
    it stays when the node starts again."""
    default = make_node(tmp_path).config.node_id
    assert default == open_node_key(tmp_path / "data" / "keys" / "node.key").public
    assert make_node(tmp_path).config.node_id == default
    named = make_node(tmp_path, 'key_file = "own/node.key"').config.node_id
    assert named == open_node_key(tmp_path / "own" / "node.key").public
    given = tmp_path / "given" / "node.key"
    chosen = make_node(tmp_path, 'key_file = "own/node.key"', given).config.node_id
    assert chosen == open_node_key(given).public
    assert len({default, named, chosen}) == 3


def test_real_nodes_encrypt(tmp_path: Path) -> None:
    """T-P12: the first bytes that a node sends are those of a handshake, whatever the settings."""
    peers = make_node(tmp_path)
    peers.connected(PeerKey(1), PeerAddress("10.0.0.1", 1), outbound=True, now_ms=0)
    (effect,) = peers.take_effects()
    assert isinstance(effect, SendBytes)
    assert effect.data[:2] == (96).to_bytes(2, "big")
    assert effect.data[34:] == bytes(64)


def test_a_list_of_keys_is_read_from_the_settings(tmp_path: Path) -> None:
    """T-P13: hexadecimal; what is none is refused with its place."""
    peers = make_node(tmp_path, f'allowed_keys = ["{"AB" * 32}"]')
    assert peers.config.allowed_keys == frozenset((b"\xab" * 32,))
    for wrong in ("ab", "zz" * 32, "ab" * 33):
        with pytest.raises(ConfigError, match=r"p2p\.allowed_keys"):
            parse_settings(f'genesis = "g"\n[p2p]\nallowed_keys = ["{wrong}"]', "node.toml")


def test_pins_of_seeds_are_read_from_settings_and_command_line(tmp_path: Path) -> None:
    """T-P13: `key@host:port`; the address alone pins nothing."""
    peers = make_node(tmp_path, f'seeds = ["10.0.0.1:1", "{"AB" * 32}@[::1]:2"]')
    assert peers.config.seeds == (PeerAddress("10.0.0.1", 1), PeerAddress("::1", 2))
    assert peers.config.pinned_keys == {PeerAddress("::1", 2): b"\xab" * 32}
    opened = open_node(tmp_path / "node.toml", seeds=("seed.example:3",))
    opened.stores.close()
    assert opened.settings.p2p.seeds[2] == "seed.example:3"
    with pytest.raises(ConfigError, match="host:port"):
        open_node(tmp_path / "node.toml", seeds=("seed.example",))


SEED = f"{'ab' * 32}@10.0.0.1:1"


def test_seeds_are_read_strictly() -> None:
    """T-P13: a wrong key, a wrong address and two keys for one address are refused by name."""
    assert read_seeds([SEED, "10.0.0.1:1", SEED]) == {("10.0.0.1", 1): b"\xab" * 32}
    assert read_seeds(["10.0.0.1:1", SEED]) == {("10.0.0.1", 1): b"\xab" * 32}
    for wrong in ("@10.0.0.1:1", "ab@10.0.0.1:1", f"{SEED}@10.0.0.1:1", SEED.partition(":")[0]):
        with pytest.raises(ConfigError):
            parse_settings(f'genesis = "g"\n[p2p]\nseeds = ["{wrong}"]', "node.toml")
    with pytest.raises(ConfigError, match=f"two keys.*{'ab' * 32}"):
        read_seeds([SEED, f"{'cd' * 32}@10.0.0.1:1"])


def test_a_peer_list_that_nests_without_end_is_no_peer_list(tmp_path: Path) -> None:
    """T-P9: as any other that is damaged: the node starts without it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "peers.json").write_text("[" * 100_000)
    assert len(make_node(tmp_path).database) == 0
