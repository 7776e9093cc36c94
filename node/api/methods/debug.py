"""API `debug`: blocks on demand, on a development chain only."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import Text, integer
from node.api.call import Answer, Call
from node.api.errors import NotPossible

BLOCKS_MAX = 10_000

BlockCount = Annotated[int, integer(1, BLOCKS_MAX)]


def debug_generate_blocks(call: Call, debug_key: Text, count: BlockCount) -> Answer:
    """Make blocks at the next slots, signed with a key in WIF; the number of the new head.

    Chain time runs ahead of the clock then.
    """
    if not call.backend.is_development:
        raise NotPossible("access denied: this is no development chain", rule="T-A4")
    return call.backend.generate_blocks(debug_key, count)


METHODS = (debug_generate_blocks,)
