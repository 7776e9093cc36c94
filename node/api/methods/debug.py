"""API `debug`: blocks on demand, on a development chain only.

What writes around the rules of the chain, or names files of this machine, is refused.
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import JsonObjectArg, Text, integer
from node.api.call import Answer, Call, Stepwise
from node.api.errors import NotPossible

BLOCKS_MAX = 10_000
"""Most blocks that one call makes (T-A2)."""

BlockCount = Annotated[int, integer(1, BLOCKS_MAX)]


def debug_generate_blocks(call: Call, debug_key: Text, count: BlockCount) -> Answer:
    """Make blocks at the next slots, signed with a key in WIF; the number of the last of them.

    Others are served after every few blocks. Chain time runs ahead of the clock then.
    `pegboard_dev.generate_blocks` needs no key.
    """
    return Stepwise(call.backend.generate_blocks(count, debug_key), is_change=True)


def debug_push_blocks(call: Call, src_filename: Text, count: BlockCount) -> Answer:
    """Always refused: a call of the API names no files of the node's machine (T-A7)."""
    raise NotPossible("the API reads no files: give a node the blocks as a peer", rule="T-A7")


def debug_update_object(call: Call, update: JsonObjectArg) -> Answer:
    """Always refused: a state that no block explains has no hash that replaying could confirm.

    Whatever a test needs can be in the genesis of its chain, or in transactions.
    """
    raise NotPossible("the state changes by blocks alone: use genesis or transactions")


def debug_stream_json_objects(call: Call, filename: Text) -> Answer:
    """Always refused: a call of the API names no files of the node's machine (T-A7)."""
    raise NotPossible("the API writes no files: use set_subscribe_callback", rule="T-A7")


def debug_stream_json_objects_flush(call: Call) -> Answer:
    """Null: there is no stream, for `debug_stream_json_objects` is refused."""
    return None


METHODS = (
    debug_generate_blocks,
    debug_push_blocks,
    debug_update_object,
    debug_stream_json_objects,
    debug_stream_json_objects_flush,
)
