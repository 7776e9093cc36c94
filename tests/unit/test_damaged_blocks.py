"""P13, T-S3: a block that is damaged on the disk is not served, is fetched again, and is told of.

One node's file is damaged below its snapshot, at one place after the other; a newcomer asks it for
everything, and another node has the blocks whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from node.core.effects import Report
from node.core.settings import CoreSettings
from node.storage.block_store import BlockStore
from node.storage.interface import SnapshotStorage, StoredBlock
from protocol.genesis import chain_id
from protocol.genesis_form import Genesis
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run
from tests.support.memory_stores import MemoryBlockStore, MemorySigningGuard, MemorySnapshots

BLOCKS = 30
SNAPSHOT_AT = 20
VICTIM = 7
SETTINGS = CoreSettings(enable_stale=True, start_grace_ms=0, snapshot_interval=SNAPSHOT_AT)


class Made(NamedTuple):
    """What a node has left behind that made some blocks."""

    genesis: Genesis
    path: Path
    snapshots: SnapshotStorage
    blocks: list[StoredBlock]
    end_ms: int


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    genesis = make_genesis(witnesses=3)
    path = tmp_path_factory.mktemp("made") / "blocks.sqlite"
    store, snapshots = BlockStore(path, chain_id(genesis)), MemorySnapshots()
    stores = store, MemorySigningGuard(), snapshots
    node = CoreNode(genesis, witness_names(3), SETTINGS, stores=stores)
    end_ms = run([node], START_MS, BLOCKS * 5 + 1)
    blocks = store.blocks_from(1, 100)
    assert len(blocks) == BLOCKS
    store.close()
    return Made(genesis, path, snapshots, blocks, end_ms)


Damage = Callable[[bytearray, StoredBlock], None]


def flip_at(position: int) -> Damage:
    """A flipped bit somewhere in the victim's bytes."""

    def damage(data: bytearray, victim: StoredBlock) -> None:
        data[data.index(victim.data) + position] ^= 0x10

    return damage


def flip_id(occurrence: int, position: int = 9) -> Damage:
    """A flipped bit in one of the places where the victim's id stands."""

    def damage(data: bytearray, victim: StoredBlock) -> None:
        at = -1
        for _ in range(occurrence + 1):
            at = data.index(victim.id, at + 1)
        data[at + position] ^= 0x10

    return damage


def flip_checksum(data: bytearray, victim: StoredBlock) -> None:
    """A flipped bit in the checksum, which stands before the bytes."""
    data[data.index(victim.data) - 5] ^= 0x10


FLIPS: dict[str, Damage] = {
    "first byte": flip_at(0),
    "middle": flip_at(40),
    "last byte": flip_at(-1),
    "checksum": flip_checksum,
    **{f"id, place {place}": flip_id(place) for place in range(4)},
    "number in an id": flip_id(0, 3),
}
"""The victim's id stands in its row, in the index, on the main chain and in the next block."""

OTHERS = {"id, place 2": (VICTIM + 1,), "number in an id": range(VICTIM, BLOCKS)}
"""Where the damage shows in other blocks: in the one after it, and behind a gap of the index."""
HARMLESS = {
    "id, place 1",
    "id, place 3",
    "another number",
    "another key",
    "place of no block",
    "place of another block",
}
"""What the index or the next block still tells, and what nobody reads."""

CHANGES = {
    "row lost": "DELETE FROM block WHERE num = 7",
    "row under another id": "UPDATE block SET id = x'0000000700' WHERE num = 7",
    "no bytes": "UPDATE block SET data = 'text' WHERE num = 7",
    "another number": "UPDATE block SET num = 900 WHERE num = 7",
    "another key": "UPDATE block SET key = 900 WHERE num = 7",
    "bytes of another block": "UPDATE block SET data = (SELECT data FROM block WHERE num = 6)"
    " WHERE num = 7",
    "place of no block": "UPDATE main_chain SET id = x'00' WHERE num = 7",
    "place of another block": "UPDATE main_chain SET id ="
    " (SELECT id FROM block WHERE num = 6) WHERE num = 7",
}


def copy_damaged(made: Made, directory: Path, name: str) -> Path:
    """The file, damaged in the way of that name."""
    path = directory / "blocks.sqlite"
    data = bytearray(made.path.read_bytes())
    if name in FLIPS:
        FLIPS[name](data, made.blocks[VICTIM - 1])
    path.write_bytes(data)
    if name in CHANGES:
        with sqlite3.connect(path) as database:
            database.execute(CHANGES[name])
        database.close()
    return path


def reports(node: CoreNode, name: str) -> list[Report]:
    """What the node's log said."""
    return [effect for effect in node.seen if isinstance(effect, Report) and effect.name == name]


@pytest.mark.parametrize("name", [*FLIPS, *CHANGES])
def test_a_damaged_block_is_fetched_again_and_said(made: Made, tmp_path: Path, name: str) -> None:
    """P13: at any column; nobody is punished, and whoever asks has the block in the end."""
    store = BlockStore(copy_damaged(made, tmp_path, name), chain_id(made.genesis))
    whole = MemoryBlockStore()
    whole.append(made.blocks, made.blocks[-1].id, [block.id for block in made.blocks], 20)
    damaged = CoreNode(made.genesis, (), SETTINGS, 1, (store, MemorySigningGuard(), made.snapshots))
    assert damaged.started.replayed == BLOCKS - SNAPSHOT_AT
    stores = whole, MemorySigningGuard(), MemorySnapshots()
    other = CoreNode(made.genesis, (), SETTINGS, 2, stores)
    newcomer = CoreNode(made.genesis, (), SETTINGS, 3)
    newcomer.connect(damaged, made.end_ms)
    now_ms = run([damaged, newcomer], made.end_ms, 2)
    damaged.connect(other, now_ms)
    run([damaged, other, newcomer], now_ms, 25)

    assert newcomer.chain.head_id == made.blocks[-1].id
    assert store.block(made.blocks[VICTIM - 1].id) == made.blocks[VICTIM - 1].data
    assert store.blocks_from(1, 100) == made.blocks
    told, mended = reports(damaged, "block_damaged"), reports(damaged, "block_mended")
    assert len(told) == len(mended), told
    assert bool(told) == (name not in HARMLESS)
    for report in told:
        nums = OTHERS.get(name, (VICTIM,))
        assert any(f"block {num} " in str(report.fields["reason"]) for num in nums)
    for node in (damaged, other, newcomer):
        assert not reports(node, "peer_penalised")
    store.close()
    again = BlockStore(tmp_path / "blocks.sqlite", chain_id(made.genesis))
    assert again.blocks_from(1, 100) == made.blocks
    assert again.prune_forks(BLOCKS) in (0, 1)
    assert again.blocks_from(1, 100) == made.blocks
    again.close()
