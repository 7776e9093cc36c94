"""How two nodes find the last block that both have: a synopsis and what follows it."""

from __future__ import annotations

from itertools import takewhile

from node.p2p.chain_view import ChainView
from protocol.block import block_num_of
from protocol.p2p.messages import MAX_BLOCK_IDS, MAX_SYNOPSIS_IDS, BlockIds
from protocol.schema import BlockId


def build_synopsis(chain: ChainView) -> tuple[BlockId, ...]:
    """Ids of our main chain, ascending: the last irreversible block, then ever denser to the head.

    The steps back from the head double, so the answer begins at most as far behind the true fork
    point as that is behind the head.
    """
    lowest = max(1, chain.last_irreversible_num)
    nums: list[int] = []
    num = chain.head_num
    step = 1
    while num > lowest and len(nums) < MAX_SYNOPSIS_IDS - 1:
        nums.append(num)
        num -= step
        step *= 2
    if chain.head_num >= lowest:
        nums.append(lowest)
    ids = [chain.id_at(num) for num in reversed(nums)]
    return tuple(block_id for block_id in ids if block_id is not None)


def continue_synopsis(chain: ChainView, synopsis: tuple[BlockId, ...]) -> BlockIds:
    """Ids of our main chain after the last one of the synopsis that is on it, 2,000 at most.

    The genesis is always in common, so without a match the answer begins with block 1. It ends
    before a block that is damaged here: whoever lists what it cannot deliver is taken for a liar.
    """
    first_num = 1
    for block_id in reversed(synopsis):
        if chain.id_at(block_num_of(block_id)) == block_id:
            first_num = block_num_of(block_id) + 1
            break
    ids = list(
        takewhile(lambda one: not chain.is_mending(one), chain.ids_from(first_num, MAX_BLOCK_IDS))
    )
    remaining = max(0, chain.head_num - (first_num + len(ids) - 1)) if ids else 0
    return BlockIds(first_num, tuple(ids), remaining)
