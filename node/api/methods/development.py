"""API `pegboard_dev`: the time of a development chain.

Only a node that is a development chain of its own, or one of a network with development keys, has
it, and only on a loopback address. Networks of several processes go through time together, as
`pegboard travel` has them do: each is asked to `pause`, then to move, then to `resume`.
"""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import BlockNum, Callback, MomentArg, Text, integer
from node.api.call import Answer, Call, Later, Steps, Stepwise
from node.api.development import Development, Place, WentBack
from node.api.errors import InvalidParams, no_development
from node.api.methods.debug import BlockCount
from node.api.moments import parse_moment
from protocol.constants import SECONDS_PER_DAY
from protocol.json_form import JsonValue, format_time

TRAVEL_MAX_S = 366 * SECONDS_PER_DAY
"""How far one call may travel."""


SNAPSHOTS_MAX = (1 << 31) - 1
OFFSET_MAX_MS = 100 * TRAVEL_MAX_S * 1_000
NAME_LENGTH_MAX = 63
NETWORK_BLOCKS_MAX = 1_000
"""Most blocks that one call has a network make: each goes to each process."""

SnapshotNumber = Annotated[int, integer(1, SNAPSHOTS_MAX)]
OptionalNumber = Annotated[int | None, integer(1, SNAPSHOTS_MAX)]
NetworkCount = Annotated[int, integer(1, NETWORK_BLOCKS_MAX)]
Offset = Annotated[int, integer(-OFFSET_MAX_MS, OFFSET_MAX_MS)]


def development_of(call: Call) -> Development:
    """The node's development calls; raises `AccessDenied` where there are none."""
    if call.backend.development is None:
        raise no_development()
    return call.backend.development


def snapshot(call: Call, number: OptionalNumber = None) -> Answer:
    """Remember this moment, what is pending and what the clock shows; its number, and the head.

    It costs nothing; what changes from now on is held, within a bound, until it is dropped. A
    restart of the node forgets it. The number is the next one unless it is given.
    """
    return _view_place(development_of(call).snapshot(number), "snapshot")


def get_snapshots(call: Call) -> Answer:
    """The moments that can be come back to, oldest first."""
    return [_view_place(one, "snapshot") for one in development_of(call).snapshots()]


def drop_snapshot(call: Call, number: SnapshotNumber) -> Answer:
    """Need a snapshot no more; null."""
    development_of(call).drop_snapshot(number)
    return None


def revert(call: Call, number: OptionalNumber = None) -> Answer:
    """Go back to a snapshot, the newest without a number; the head as it is again.

    Blocks, history, pool, irreversibility and clock are as they were. The snapshot stays good;
    later ones are gone. It takes as long as what has changed since, whatever the state's size.
    """
    return _view_back(call, development_of(call).revert(number))


def rewind(call: Call, block_num: BlockNum) -> Answer:
    """Make a block of the chain the head again, with nothing pending; the head as it is then.

    Blocks that are still held are undone at once. Farther back the node starts again from its
    stores: `is_replaying` is true then, and connections end.
    """
    return _view_back(call, development_of(call).rewind(block_num))


def name_branch(call: Call, name: Text) -> Answer:
    """Name the head, to come back to it from any other future of the chain; the place."""
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidParams("not a name", value=name, limit=NAME_LENGTH_MAX)
    return _view_place(development_of(call).name_branch(name), "branch")


def get_branches(call: Call) -> Answer:
    """The named blocks, in the order in which they were named."""
    return [_view_place(one, "branch") for one in development_of(call).branches()]


def drop_branch(call: Call, name: Text) -> Answer:
    """Forget a name, and the blocks that only it keeps; null."""
    development_of(call).drop_branch(name)
    return None


def switch_branch(call: Call, name: Text) -> Answer:
    """Come back to a named block: back to where its future begins, then along its blocks."""
    return _view_back(call, development_of(call).switch(name))


def get_clock(call: Call) -> Answer:
    """What the node's clock shows, and how far it was moved from the machine's."""
    offset_ms = development_of(call).clock_offset_ms
    return {"time": format_time(call.backend.now_s()), "offset_ms": offset_ms}


def set_clock_offset(call: Call, offset_ms: Offset) -> Answer:
    """Set how far the clock is from the machine's, in milliseconds, and make no block; null.

    Blocks by the clock go on from there; the slots before it stay empty.
    """
    development_of(call).set_clock_offset(offset_ms)
    return None


def pause(call: Call, by: Text = "") -> Answer:
    """Make no blocks by the clock and have no peers until `resume`, a minute at most; the head.

    `by` is any word of the caller's own: nobody else can pause or resume meanwhile.
    """
    development_of(call).pause(by)
    return _view_head(call)


def resume(call: Call, by: Text = "") -> Answer:
    """Go on after a `pause` of the same word; null."""
    development_of(call).resume(by)
    return None


def get_next_slot(call: Call) -> Answer:
    """When the next slot begins that this node can sign a block for; null if none soon."""
    time_s = development_of(call).next_slot_s()
    return None if time_s is None else format_time(time_s)


def get_members(call: Call) -> Answer:
    """URLs of the APIs of all processes of this network, this one's among them; none if alone."""
    return [*development_of(call).members]


def can_go_together(call: Call) -> Answer:
    """Whether `network_mine`, `network_travel` and `network_rewind` work here: they do where
    `pegboard up` started all processes of the network."""
    return development_of(call).can_go_together


def network_mine(call: Call, count: NetworkCount = 1) -> Answer:
    """Have the processes of a network make blocks at once, each in its turn; the new head.

    All pause, all take each block, all set their clocks along, and all go on.
    """
    return _go_together(call, "mine", count)


def network_travel(call: Call, time: Text) -> Answer:
    """Have all processes of a network travel to a time; the first block that is made there."""
    parse_moment(time)
    return _go_together(call, "travel", time)


def network_rewind(call: Call, block_num: BlockNum) -> Answer:
    """Make a block the head again in all processes of a network; the head as it is then.

    Far back, all start again from their stores, this node too: the connection ends then without an
    answer, and the node comes back as the others do.
    """
    return _go_together(call, "rewind", block_num)


def set_rewind_callback(call: Call, callback: Callback) -> Answer:
    """Tell whenever the chain goes back: the head as it is again, and which blocks are no more.

    Followed objects are told as after a block: what they are again, or that they are gone.
    """
    call.session.subscriptions.follow_rewinds(callback)
    return None


def generate_blocks(call: Call, count: BlockCount) -> Answer:
    """Make blocks at the next slots, signed with this node's keys; the new head.

    Others are served after every few blocks. Chain time runs ahead of the clock then: a node that
    makes blocks by the clock waits until the clock has caught up. In a network of several processes
    it is refused unless all are paused; `network_mine` has all of them make and take the blocks.
    """
    return Stepwise(_generate(call, count), is_change=True)


def mine(call: Call, count: BlockCount = 1) -> Answer:
    """The same, and the clock goes along: blocks by the clock go on at once."""
    return Stepwise(_mine(call, count), is_change=True)


def travel_to(call: Call, time: MomentArg) -> Answer:
    """Make one block at the first slot from a time on; the new head.

    The slots before it stay empty, as if all witnesses had slept. What was due meanwhile happens
    in that block: expirations, settlements, maintenance, once however much time went by. The clock
    goes along, so that blocks by the clock go on from there.
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


def _go_together(call: Call, verb: str, argument: JsonValue) -> Answer:
    call.session.require_room()
    later = Later()
    development_of(call).go_together(verb, argument, later.settle)
    return later


def _generate(call: Call, count: int) -> Steps:
    yield from call.backend.generate_blocks(count)
    return _view_head(call)


def _mine(call: Call, count: int) -> Steps:
    yield from call.backend.generate_blocks(count)
    development_of(call).catch_up()
    return _view_head(call)


def _view_place(place: Place, what: str) -> JsonValue:
    return {
        what: place.name,
        "block_num": place.block_num,
        "block_id": place.block_id.hex(),
    }


def _view_back(call: Call, back: WentBack) -> JsonValue:
    return {
        **_view_head(call),
        "popped": back.popped,
        "is_replaying": back.is_replaying,
    }


def _view_head(call: Call) -> dict[str, JsonValue]:
    head = call.state.dynamic
    return {
        "head_block_number": head.head_block_number,
        "head_block_id": head.head_block_id.hex(),
        "head_block_time": format_time(head.time),
    }


METHODS = (
    snapshot,
    get_snapshots,
    drop_snapshot,
    revert,
    rewind,
    name_branch,
    get_branches,
    drop_branch,
    switch_branch,
    get_clock,
    set_clock_offset,
    pause,
    resume,
    get_next_slot,
    get_members,
    can_go_together,
    network_mine,
    network_travel,
    network_rewind,
    set_rewind_callback,
    generate_blocks,
    mine,
    travel_to,
)
