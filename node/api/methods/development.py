"""API `pegboard_dev`: the time of a development chain."""

from __future__ import annotations

from node.api.arguments import MomentArg
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.errors import InvalidParams
from node.api.methods.debug import BlockCount
from protocol.constants import SECONDS_PER_DAY
from protocol.json_form import JsonValue, format_time

TRAVEL_MAX_S = 366 * SECONDS_PER_DAY
"""How far one call may travel."""


def generate_blocks(call: Call, count: BlockCount) -> Answer:
    """Make blocks at the next slots, signed with this node's keys; the new head.

    Others are served between two blocks. Chain time runs ahead of the clock then: a node that
    makes blocks by the clock waits until the clock has caught up.
    """
    return Stepwise(_generate(call, count))


def travel_to(call: Call, time: MomentArg) -> Answer:
    """Make one block at the first slot from a time on; the new head.

    The slots before it stay empty, as if all witnesses had slept. What was due meanwhile happens
    in that block: expirations, settlements, maintenance, once however much time went by.
    """
    head_time = call.state.dynamic.time
    wanted = time.after(head_time)
    if not head_time < wanted <= head_time + TRAVEL_MAX_S:
        raise InvalidParams(
            f"time travel leads forward from {format_time(head_time)}, a year at most",
            value=format_time(wanted) if wanted <= head_time else wanted - head_time,
            limit=TRAVEL_MAX_S,
        )
    call.backend.travel_to(wanted)
    return _view_head(call)


def _generate(call: Call, count: int) -> Steps:
    yield from call.backend.generate_blocks(count)
    return _view_head(call)


def _view_head(call: Call) -> JsonValue:
    head = call.state.dynamic
    return {
        "head_block_number": head.head_block_number,
        "head_block_id": head.head_block_id.hex(),
        "head_block_time": format_time(head.time),
    }


METHODS = (generate_blocks, travel_to)
