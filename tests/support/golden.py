"""Chains with the state hash after each block, for versions of the node to agree about (T-V1).

python -m tests.support.golden            record the kept chain anew, after a wanted change of rules
python -m tests.support.golden FILE...    replay recordings
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgpack

from node.chain.chain import Chain
from protocol.block import BlockEnvelope
from protocol.genesis import Genesis, genesis_from_json, genesis_to_json
from protocol.schema import Digest
from tests.support.random_life import RandomLife

KEPT = Path(__file__).resolve().parents[1] / "vectors" / "golden_chain.msgpack.gz"
KEPT_BLOCKS = 400
KEPT_SEED = "golden"


class GoldenBlock(NamedTuple):
    """A block in its binary form, and the hash of the state that it leads to."""

    data: bytes
    state_hash: Digest


class Deviation(NamedTuple):
    """Where a chain becomes another one than that which was recorded."""

    block_num: int
    found: str
    recorded: str


def grow(seed: int | str, blocks: int) -> Iterator[GoldenBlock]:
    """The first blocks of a life in which people try all operations, as another chain takes them.

    Both must agree: one has built the blocks from what was pending, the other applies them.
    """
    life = RandomLife(seed)
    other = Chain(life.node.genesis)
    for num in range(1, blocks + 1):
        while num not in life.node.main:
            life.try_one()
            if life.chance.randrange(2):
                life.make_block()
        data = life.node.main[num].packed
        other.push_block(BlockEnvelope.from_bytes(data))
        state_hash = other.state_hash()
        if num == life.node.chain.head_num:
            assert state_hash == life.node.chain.state_hash(), f"two states at {num}, seed {seed}"
        yield GoldenBlock(data, state_hash)


def replay(genesis: Genesis, blocks: Iterable[GoldenBlock]) -> Deviation | None:
    """Apply recorded blocks to a fresh chain, signatures checked; where it deviates, if it does."""
    chain = Chain(genesis)
    for num, block in enumerate(blocks, 1):
        chain.push_block(BlockEnvelope.from_bytes(block.data))
        found = chain.state_hash()
        if found != block.state_hash:
            return Deviation(num, found.hex(), block.state_hash.hex())
    return None


def write_recording(path: Path, genesis: Genesis, blocks: Sequence[GoldenBlock]) -> None:
    """Record a chain."""
    data = msgpack.packb([json.dumps(genesis_to_json(genesis)), blocks])
    path.write_bytes(gzip.compress(data, mtime=0))


def read_recording(path: Path = KEPT) -> tuple[Genesis, list[GoldenBlock]]:
    """A recorded chain; by default the one that an earlier version of this node has made."""
    text, blocks = msgpack.unpackb(gzip.decompress(path.read_bytes()))
    return genesis_from_json(json.loads(text)), [GoldenBlock(*block) for block in blocks]


def record(path: Path, seed: int | str, blocks: int) -> None:
    """Grow a chain and record it."""
    write_recording(path, RandomLife(seed).node.genesis, list(grow(seed, blocks)))


def main(arguments: Sequence[str]) -> int:
    """Replay recordings, and say where they deviate; without any, record the kept one anew."""
    if not arguments:
        record(KEPT, KEPT_SEED, KEPT_BLOCKS)
    deviations = [replay(*read_recording(Path(name))) for name in arguments]
    print(*deviations, sep="\n")
    return int(any(deviations))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
