"""API `block`: several blocks at once."""

from __future__ import annotations

from node.api.arguments import BlockNum
from node.api.call import Answer, Call
from node.api.errors import InvalidParams
from node.api.views import view_block

BLOCKS_MAX = 100


def get_blocks(call: Call, block_num_from: BlockNum, block_num_to: BlockNum) -> Answer:
    """Blocks of a range of numbers, both ends included; null where there is none."""
    wanted = block_num_to - block_num_from + 1
    if not 0 < wanted <= BLOCKS_MAX:
        raise InvalidParams("range of blocks", rule="T-A2", value=wanted, limit=BLOCKS_MAX)
    found = [call.backend.block_at(num) for num in range(block_num_from, block_num_to + 1)]
    return [None if one is None else view_block(call.backend, one) for one in found]


METHODS = (get_blocks,)
