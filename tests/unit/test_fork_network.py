"""A forked chain on disk: made from a file, refused for another, rebuilt from its blocks."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from node.app import replay_node
from node.cli.exits import FileUnreadable, SetupRefused
from node.cli.fork_file import ForkFile
from node.cli.network_files import Network, Wanted, open_network, plan_development_node
from node.core.startup import FORK_DIRECTORY, ForkUnreadable, start_chain
from node.fork.errors import SnapshotIncomplete
from node.services.opened import open_node, open_stores
from protocol.genesis import genesis_from_json, genesis_to_json
from tests.support.core_snapshot import SNAPSHOT, Replay, lines_of_state

NOW_S = 1_800_000_000
HEAD = 1_760
API = "127.0.0.1:1"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ForkFile:
    """The snapshot without its histories, not compressed."""
    path = tmp_path_factory.mktemp("snapshot") / "state.jsonl"
    path.write_bytes(b"\n".join(lines_of_state()) + b"\n")
    return ForkFile(path, is_everybody=True)


@pytest.fixture
def network(tmp_path: Path, file: ForkFile) -> Network:
    """A new network that goes on from it."""
    return open_network(tmp_path / "net", Wanted(fork=file), now_s=NOW_S)[0]


def test_it_goes_on_in_its_own_time_and_under_its_own_id(network: Network, tmp_path: Path) -> None:
    """Feeds do not expire because the file is old; clients find the chain that they know."""
    genesis = network.genesis
    stores = open_stores(tmp_path / "net" / "dev" / "data", genesis)
    assert stores.blocks.clock_offset_ms() == (genesis.initial_timestamp - NOW_S) * 1_000
    stores.close()
    assert genesis_from_json(genesis_to_json(genesis)).pegboard == genesis.pegboard
    assert network.witnesses == tuple(f"init{number}" for number in range(11))


def test_another_file_is_refused(network: Network, file: ForkFile, tmp_path: Path) -> None:
    """The directory keeps the chain that it has; the same file finds it again."""
    again, is_new = open_network(network.directory, Wanted(fork=file), now_s=NOW_S)
    assert (is_new, again.genesis) == (False, network.genesis)
    other = ForkFile(SNAPSHOT, is_everybody=True)
    with pytest.raises(SetupRefused, match="another network"):
        open_network(network.directory, Wanted(fork=other), now_s=NOW_S)


def test_its_blocks_are_replayed_on_its_state(network: Network) -> None:
    """T-S6: without snapshots of its own it begins at the state that it goes on from."""
    plan = plan_development_node(network, "manual", API, {})
    opened = open_node(plan.settings)
    try:
        chain = start_chain(
            opened.genesis, opened.stores.blocks, None, fork=opened.forked_state
        ).chain
        assert (chain.head_num, chain.first_num, chain.has_begun) == (HEAD, HEAD + 1, False)
        replay = Replay(chain)
        blocks = [replay.next_block() for _ in range(12)]
        stored = [(block.id, block.num, block.packed) for block in blocks]
        ids = [block.id for block in blocks]
        opened.stores.blocks.append(stored, ids[-1], ids, HEAD + 1)
    finally:
        opened.stores.close()
    again = replay_node(plan.settings, with_history=True)
    assert (again.replayed, again.chain.state_hash()) == (12, chain.state_hash())


def test_a_state_that_is_lost_is_named(network: Network) -> None:
    """Without it the blocks mean nothing: the node does not start."""
    plan = plan_development_node(network, "manual", API, {})
    [state] = (network.directory / FORK_DIRECTORY).iterdir()
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    with pytest.raises(ForkUnreadable, match="fork it again"):
        replay_node(plan.settings)


def test_a_file_that_is_cut_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """A download that ended early, compressed or not; and one that is not there."""
    whole = SNAPSHOT.read_bytes()
    for name, data, error in (
        ("cut.gz", whole[: len(whole) // 2], FileUnreadable),
        ("damaged.gz", whole[:40] + b"?" + whole[41:], FileUnreadable),
        ("cut", gzip.decompress(whole).split(b'{"id":"2.0.0"')[0], SnapshotIncomplete),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(error, match=name):
            open_network(tmp_path / "net", Wanted(fork=ForkFile(path, False)), now_s=NOW_S)
    with pytest.raises(FileUnreadable):
        open_network(tmp_path / "net", Wanted(fork=ForkFile(tmp_path / "no", False)), now_s=NOW_S)
    assert not (tmp_path / "net").exists()
