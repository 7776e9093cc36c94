"""Bits of a stored chain that flip at rest: whatever flips, no wrong block is served (T-S3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from shutil import copytree, rmtree

from node.storage.block_store import BlockStore
from node.storage.errors import StorageError
from node.storage.interface import StoredBlock
from protocol.genesis import chain_id
from tests.crashpoints.disk import Image
from tests.crashpoints.enumeration import put, read
from tests.crashpoints.workload import Run, main_chain


class WrongAnswer(AssertionError):
    """What was never stored is served."""


class Flips:
    """One stored chain as a running node has it, with a log, and as a stopped one leaves it."""

    def __init__(self, run: Run, directory: Path) -> None:
        self.chain = chain_id(run.genesis)
        self.blocks = main_chain(run, run.moves[-1].head)
        newest = run.moves[-1].irreversible_num
        self.irreversible_nums = [0, newest // 2, newest]
        """That of nothing, of half of the chain, and of all of it."""
        self.directory = directory / "flipped"
        self.images = self._images(run, directory)
        self.outcomes: Counter[str] = Counter()
        self.wrong: list[str] = []

    def _images(self, run: Run, directory: Path) -> list[Image]:
        """With half of the chain in the log, and with all of it in the file."""
        half = len(self.blocks) // 2
        stored = directory / "stored"
        stored.mkdir()
        with closing(BlockStore(stored / "blocks.sqlite", self.chain)) as store:
            _extend(store, self.blocks[:half], self.irreversible_nums[1])
        with closing(BlockStore(stored / "blocks.sqlite", self.chain)) as store:
            _extend(store, self.blocks[half:], self.irreversible_nums[2])
            running = read(copytree(stored, directory / "running"))
        return [running, read(stored)]

    def flip(self, rng: Random) -> None:
        """Flip one bit of one of them, and read all of it in every way."""
        image = rng.choice(self.images)
        (name,) = rng.choices(list(image), [len(data) for data in image.values()])
        data = bytearray(image[name])
        place, bit = rng.randrange(len(data)), rng.randrange(8)
        data[place] ^= 1 << bit
        put(image | {name: bytes(data)}, self.directory)
        try:
            self.outcomes[self._read_all()] += 1
        except WrongAnswer as error:
            self.wrong.append(f"bit {bit} of byte {place} of {name}: {error}")
        rmtree(self.directory)

    def _read_all(self) -> str:
        try:
            store = BlockStore(self.directory / "blocks.sqlite", self.chain)
        except StorageError:
            return "refused at the start"
        with closing(store):
            head = store.head()
            kept = self.blocks[: head[0]] if head else []
            _check(head == ((len(kept), kept[-1].id) if kept else None), f"head {head}")
            reads: list[Callable[[], None]] = [
                lambda: _check(store.irreversible_num() in self.irreversible_nums, "irreversible"),
                lambda: _check(store.blocks_from(1, len(kept)) == kept, "blocks_from"),
                lambda: _check_ids(store, kept),
            ]
            reads.extend(partial(_check_block, store, block) for block in kept)
            refused = sum(map(_is_refused, reads))
        if refused:
            return "refused when read"
        return "unharmed" if len(kept) == len(self.blocks) else "cut to an earlier head"


def _is_refused(read: Callable[[], None]) -> bool:
    try:
        read()
    except StorageError:
        return True
    return False


def _check_block(store: BlockStore, block: StoredBlock) -> None:
    _check(store.id_at(block.num) == block.id, f"id_at {block.num}")
    _check(store.block(block.id) == block.data, f"block {block.num}")


def _check_ids(store: BlockStore, kept: list[StoredBlock]) -> None:
    """They may end before one that is damaged."""
    ids = store.ids_from(1, len(kept))
    _check(bool(ids) == bool(kept), "no ids")
    _check(ids == [block.id for block in kept[: len(ids)]], "ids_from")


def _check(is_right: bool, what: str) -> None:
    if not is_right:
        raise WrongAnswer(what)


def _extend(store: BlockStore, blocks: list[StoredBlock], irreversible_num: int) -> None:
    for block in blocks:
        store.append([block], block.id, [block.id], irreversible_num)
