"""API `block`: several blocks at once."""

from __future__ import annotations

from node.api.arguments import BlockNum
from node.api.call import Answer, Call, Listing
from node.api.errors import InvalidParams
from node.api.views import view_block
from protocol.json_form import JsonValue

BLOCKS_MAX = 100


def get_blocks(call: Call, block_num_from: BlockNum, block_num_to: BlockNum) -> Answer:
    """Blocks of a range of numbers, both ends included; null where there is none."""
    wanted = block_num_to - block_num_from + 1
    if not 0 < wanted <= BLOCKS_MAX:
        raise InvalidParams("range of blocks", rule="T-A2", value=wanted, limit=BLOCKS_MAX)
    numbers = range(block_num_from, block_num_to + 1)
    return Listing(lambda: (_view_block_at(call, num) for num in numbers))


def _view_block_at(call: Call, num: int) -> JsonValue:
    envelope = call.backend.block_at(num)
    return None if envelope is None else view_block(call.backend, envelope)


METHODS = (get_blocks,)
