"""The block store on disk and its twin in memory keep the same promises."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.storage.block_store import BlockStore
from node.storage.errors import StorageError, StoreLocked, WrongChain, WrongFormat
from node.storage.interface import BlockStorage, StoredBlock
from protocol.block import block_num_of
from protocol.schema import BlockId, Digest
from tests.support.memory_stores import MemoryBlockStore

CHAIN = Digest(bytes(range(32)))


def make_block(num: int, fork: str = "a", size: int = 200) -> StoredBlock:
    """A block whose id has the shape of a real one (R9.7)."""
    seed = f"{num}{fork}".encode()
    data = hashlib.shake_128(seed).digest(size)
    return StoredBlock(
        BlockId(num.to_bytes(4, "big") + hashlib.sha224(data).digest()[:16]), num, data
    )


def make_chain(first: int, last: int, fork: str = "a") -> list[StoredBlock]:
    """Blocks of one fork with ascending numbers."""
    return [make_block(num, fork) for num in range(first, last + 1)]


def extend(store: BlockStorage, blocks: list[StoredBlock]) -> None:
    """Store blocks and make them the top of the main chain."""
    store.append(blocks, blocks[-1].id, [block.id for block in blocks])


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlockStorage]:
    opened: BlockStorage = (
        BlockStore(tmp_path / "blocks.sqlite", CHAIN)
        if request.param == "disk"
        else MemoryBlockStore()
    )
    yield opened
    opened.close()


def test_a_new_store_is_empty(store: BlockStorage) -> None:
    assert store.head() is None
    assert store.id_at(1) is None
    assert store.block(make_block(1).id) is None
    assert store.blocks_from(1, 10) == []


def test_blocks_come_back(store: BlockStorage) -> None:
    chain = make_chain(1, 20)
    extend(store, chain[:2])
    extend(store, chain[2:])
    assert store.head() == (20, chain[-1].id)
    assert [store.block(block.id) for block in chain] == [block.data for block in chain]
    assert [store.id_at(block.num) for block in chain] == [block.id for block in chain]
    assert store.blocks_from(3, 4) == chain[2:6]
    assert store.blocks_from(0, 2) == chain[:2]
    assert store.blocks_from(19, 100) == chain[18:]
    assert store.blocks_from(21, 1) == []
    assert store.blocks_from(1, 0) == store.blocks_from(1, -1) == []


@pytest.mark.parametrize("num", [-1, 0, 21, 1 << 32, 1 << 70])
def test_there_is_no_block_outside_the_chain(store: BlockStorage, num: int) -> None:
    extend(store, make_chain(1, 20))
    assert store.id_at(num) is None


def test_blocks_of_other_forks_do_not_touch_the_main_chain(store: BlockStorage) -> None:
    chain, fork = make_chain(1, 5), make_chain(3, 9, "b")
    extend(store, chain)
    store.append(fork, chain[-1].id)
    assert store.head() == (5, chain[-1].id)
    assert store.blocks_from(1, 10) == chain
    assert store.block(fork[-1].id) == fork[-1].data


def test_a_fork_switch_replaces_the_top(store: BlockStorage) -> None:
    """R9.2: a longer fork takes over from the last common block."""
    chain, fork = make_chain(1, 5), make_chain(3, 6, "b")
    extend(store, chain)
    store.append(fork[:-1], chain[-1].id)
    store.append(fork[-1:], fork[-1].id, [block.id for block in fork])
    assert store.head() == (6, fork[-1].id)
    assert store.blocks_from(1, 10) == chain[:2] + fork
    assert store.block(chain[-1].id) == chain[-1].data


def test_a_switch_to_a_shorter_chain_leaves_nothing_above(store: BlockStorage) -> None:
    chain, fork = make_chain(1, 9), make_chain(3, 4, "b")
    extend(store, chain)
    extend(store, fork)
    assert store.head() == (4, fork[-1].id)
    assert store.blocks_from(1, 10) == chain[:2] + fork
    assert store.id_at(5) is None


def test_the_irreversible_number_never_falls(store: BlockStorage) -> None:
    """I14: what a node once called irreversible outlasts a fork that knows a lower one."""
    assert store.irreversible_num() == 0
    chain = make_chain(1, 6)
    store.append(chain, chain[-1].id, [block.id for block in chain], 4)
    fork = make_chain(6, 7, "b")
    store.append(fork, fork[-1].id, [block.id for block in fork], 3)
    assert store.irreversible_num() == 4


def test_popped_blocks_leave_the_main_chain_only(store: BlockStorage) -> None:
    chain = make_chain(1, 5)
    extend(store, chain)
    store.append([], chain[2].id)
    assert store.head() == (3, chain[2].id)
    assert store.blocks_from(1, 10) == chain[:3]
    assert store.block(chain[4].id) == chain[4].data
    store.append([], None)
    assert store.head() is None
    assert store.blocks_from(1, 10) == []


def test_a_chain_may_start_above_one(store: BlockStorage) -> None:
    """A node that started from a snapshot has no blocks below it."""
    chain = make_chain(100, 103)
    extend(store, chain)
    assert store.blocks_from(0, 10) == chain


MISUSES: dict[str, Callable[[BlockStorage, list[StoredBlock]], None]] = {
    "gap": lambda store, chain: store.append(chain[3:], chain[5].id, [chain[3].id, chain[5].id]),
    "hole": lambda store, chain: store.append(chain[5:], chain[5].id, [chain[5].id]),
    "unknown block": lambda store, chain: store.append([], chain[3].id, [chain[3].id]),
    "other head": lambda store, chain: store.append(chain[3:4], chain[2].id, [chain[3].id]),
    "unknown head": lambda store, chain: store.append(chain[3:4], chain[3].id),
    "wrong number": lambda store, chain: store.append(
        [chain[3]._replace(num=9)], chain[3].id, [chain[3].id]
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_move_with_a_gap_is_a_bug_and_changes_nothing(store: BlockStorage, misuse: str) -> None:
    chain = make_chain(1, 6)
    extend(store, chain[:3])
    with pytest.raises(AssertionError):
        MISUSES[misuse](store, chain)
    assert store.head() == (3, chain[2].id)
    assert store.blocks_from(1, 10) == chain[:3]
    assert store.block(chain[3].id) is None


def test_prune_forgets_old_forks_only(store: BlockStorage) -> None:
    chain, fork = make_chain(1, 9), make_chain(3, 8, "b")
    extend(store, chain)
    store.append(fork, chain[-1].id)
    assert store.prune_forks(6) == 3
    assert store.prune_forks(6) == 0
    kept = [block.num for block in fork if store.block(block.id) is not None]
    assert kept == [6, 7, 8]
    assert store.prune_forks(8) == 2
    assert store.blocks_from(1, 10) == chain


def test_a_chain_that_goes_back_takes_its_clock_along(store: BlockStorage) -> None:
    """R9.10: in the same write; a clock that is moved alone is kept, too."""
    chain = make_chain(1, 5)
    store.append(chain, chain[-1].id, [block.id for block in chain], 4)
    assert store.clock_offset_ms() == 0
    store.keep_clock(86_400_000)
    store.go_back(chain[1].id, 1, -7)
    assert (store.head(), store.irreversible_num()) == ((2, chain[1].id), 1)
    assert store.clock_offset_ms() == -7
    store.go_back(chain[0].id, 0)
    assert store.clock_offset_ms() == -7
    store.keep_clock(1 << 40)
    assert store.clock_offset_ms() == 1 << 40


def test_disk_and_memory_agree_on_random_histories(tmp_path: Path) -> None:
    """The twin that simulations use behaves as the store of production does."""
    choice = random.Random(7)
    disk, memory = BlockStore(tmp_path / "blocks.sqlite", CHAIN), MemoryBlockStore()
    chain: list[StoredBlock] = []
    for step in range(150):
        kept = chain[: len(chain) - choice.randrange(min(4, len(chain) + 1))]
        fresh = make_chain(len(kept) + 1, len(kept) + choice.randrange(4), f"{step}")
        side = make_chain(max(1, len(kept)), len(kept) + 2, f"side{step}")
        chain = kept + fresh
        head = chain[-1].id if chain else None
        for store in (disk, memory):
            store.append(side + fresh, head, [block.id for block in fresh])
        if step % 20 == 19:
            assert disk.prune_forks(len(chain) - 2) == memory.prune_forks(len(chain) - 2)
            disk.close()
            disk = BlockStore(tmp_path / "blocks.sqlite", CHAIN)
        assert disk.head() == memory.head() == ((len(chain), head) if head else None)
        assert disk.blocks_from(1, 1000) == memory.blocks_from(1, 1000) == chain
        assert [disk.block(block.id) for block in side] == [memory.block(b.id) for b in side]
    disk.close()


def test_reopening_finds_everything(tmp_path: Path) -> None:
    chain = make_chain(1, 50)
    for block in chain:
        store = BlockStore(tmp_path / "blocks.sqlite", CHAIN)
        store.append([block], block.id, [block.id], block.num // 2)
        store.close()
        store.close()
    store = BlockStore(tmp_path / "blocks.sqlite", CHAIN)
    assert store.blocks_from(1, 100) == chain
    assert store.irreversible_num() == 25
    store.close()


def test_many_bytes_reach_the_file_through_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "blocks.sqlite"
    store = BlockStore(path, CHAIN)
    chain = [make_block(num, size=400_000) for num in range(1, 31)]
    for block in chain:
        extend(store, [block])
    assert path.stat().st_size > 8_000_000
    assert path.with_name("blocks.sqlite-wal").stat().st_size < 8_000_000
    assert store.blocks_from(1, 100) == chain
    store.close()


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    """T-S5: two nodes on one data directory."""
    path = tmp_path / "blocks.sqlite"
    store = BlockStore(path, CHAIN)
    with pytest.raises(StoreLocked) as refusal:
        BlockStore(path, CHAIN)
    assert refusal.value.exit_code == 75
    assert "process " in str(refusal.value.value)
    extend(store, make_chain(1, 2))
    store.close()
    BlockStore(path, CHAIN).close()


def test_the_store_of_another_chain_is_refused(tmp_path: Path) -> None:
    """T-S5: a store belongs to one chain id."""
    path = tmp_path / "blocks.sqlite"
    BlockStore(path, CHAIN).close()
    with pytest.raises(WrongChain) as refusal:
        BlockStore(path, Digest(bytes(32)))
    assert (refusal.value.exit_code, refusal.value.value) == (78, CHAIN.hex())
    BlockStore(path, CHAIN).close()


def test_nobody_who_reads_waits_for_a_write(tmp_path: Path) -> None:
    """T-R3: a flush takes as long as the disk likes; what was there before it is read meanwhile."""
    store = BlockStore(tmp_path / "blocks.sqlite", CHAIN)
    chain = make_chain(1, 9)
    extend(store, chain)
    with ThreadPoolExecutor() as reader, store._writing():
        assert reader.submit(store.block, chain[3].id).result(timeout=20) == chain[3].data
        assert reader.submit(store.blocks_from, 1, 9).result(timeout=20) == chain
        assert reader.submit(store.id_at, 9).result(timeout=20) == chain[-1].id
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "blocks.sqlite", CHAIN)
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.id_at(1)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks.sqlite"
    path.write_bytes(b"no database at all, but long enough to look like one " * 40)
    with pytest.raises(WrongFormat):
        BlockStore(path, CHAIN)


def test_memory_loses_what_is_not_durable() -> None:
    store = MemoryBlockStore(durable_at_once=False)
    chain, fork = make_chain(1, 5), make_chain(3, 9, "b")
    extend(store, chain)
    store.append(fork[:1], chain[-1].id)
    store.flush()
    extend(store, fork)
    store.prune_forks(9)
    store.append([], fork[1].id, (), 2)
    store.crash()
    assert store.irreversible_num() == 0
    assert store.head() == (5, chain[-1].id)
    assert store.blocks_from(1, 10) == chain
    assert store.block(fork[0].id) == fork[0].data
    assert store.block(fork[1].id) is None


def test_memory_that_keeps_at_once_survives() -> None:
    store = MemoryBlockStore()
    extend(store, make_chain(1, 5))
    store.crash()
    assert store.head() == (5, make_block(5).id)


def test_num_of_reads_the_number_in_an_id() -> None:
    """R9.7: the first four bytes of a block id are its number, big endian."""
    assert block_num_of(make_block(77).id) == 77
