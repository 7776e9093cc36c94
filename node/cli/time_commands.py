"""`pegboard mine`, `travel`, `snapshot`, `revert`, `rewind`, `branch`: the time of a chain."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_int, as_object, as_objects
from node.cli.exits import UsageProblem
from node.cli.output import table
from node.cli.sessions import Session, chain_options
from node.cli.time_network import API, TimeNetwork
from protocol.wording import count_of


@click.command()
@click.argument("count", type=click.IntRange(1, 1_000_000), default=1)
@chain_options
def mine(session: Session, count: int) -> None:
    """Make COUNT blocks at once, one by default; in a network each process makes its own.

    Transactions that wait come into the first of them. The clock goes along.

    \b
    pegboard mine
    pegboard mine 100
    """
    head = TimeNetwork(session.chain.client).mine(count)
    _show_head(session, head, f"{count_of(count, 'block')} made")


@click.command()
@click.argument("time")
@chain_options
def travel(session: Session, time: str) -> None:
    """Travel to TIME: the slots before it stay empty, and what is due by then happens.

    TIME is in UTC, or a distance from the head: +90s, +15m, +1h, +2d. All processes of a network
    that `up` started travel together, and its witnesses go on from there. Maintenance happens once,
    however far the way is. Only `revert` and `rewind` lead back.

    \b
    pegboard travel +1d
    pegboard travel 2030-01-01T00:00:00
    """
    _show_head(session, TimeNetwork(session.chain.client).travel(time), "travelled")


@click.command()
@click.option("--drop", type=click.IntRange(min=1), metavar="N", help="Forget a snapshot.")
@click.option("--list", "is_list", is_flag=True, help="Show the snapshots instead.")
@chain_options
def snapshot(session: Session, drop: int | None, is_list: bool) -> None:
    """Remember this moment, to come back to it by `pegboard revert`; prints its number.

    It copies nothing, however large the state is. Restarted nodes have forgotten it.

    \b
    pegboard snapshot
    pegboard revert
    """
    network = TimeNetwork(session.chain.client)
    if is_list:
        _show_places(session, as_objects(network.api.call(API, "get_snapshots")), "snapshot")
        return
    if drop is not None:
        network.each("drop_snapshot", drop)
        session.output.answer({"dropped": drop}, [f"snapshot {drop} dropped"])
        return
    with network.paused():
        known = [as_objects(places) for places in network.each("get_snapshots")]
        numbers = [as_int(one["snapshot"]) for places in known for one in places]
        found = network.each(
            "snapshot", *([] if network.is_alone else [max(numbers, default=0) + 1])
        )
    place = as_object(found[-1])
    session.output.answer(
        place, [f"snapshot {place['snapshot']} at block {place['block_num']} {place['block_id']}"]
    )


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@chain_options
def revert(session: Session, number: int | None) -> None:
    """Go back to snapshot NUMBER, the newest without one, as if nothing had happened since.

    Blocks, state, history, pool, irreversibility and clock are as they were then, in all processes
    of a network. The snapshot stays good; later ones are gone. It takes milliseconds.

    \b
    pegboard revert
    pegboard revert 2
    """
    network = TimeNetwork(session.chain.client)
    if number is None:
        places = as_objects(network.api.call(API, "get_snapshots"))
        number = max((as_int(place["snapshot"]) for place in places), default=None)
    head = network.move("revert") if number is None else network.come_back("snapshot", number)
    _show_back(session, head)


@click.command()
@click.argument("block", type=click.IntRange(min=1))
@chain_options
def rewind(session: Session, block: int) -> None:
    """Make BLOCK the head again; all after it is gone, in all processes of a network.

    Blocks above the oldest snapshot, and those that are not irreversible yet, are undone at once.
    Farther back the nodes start again from their stores, which takes longer.

    \b
    pegboard rewind 120
    """
    _show_back(session, TimeNetwork(session.chain.client).rewind(block))


@click.command()
@click.argument("name", required=False)
@click.option("--switch", is_flag=True, help="Come back to it, from whichever future.")
@click.option("--drop", is_flag=True, help="Forget it, and the blocks that only it keeps.")
@chain_options
def branch(session: Session, name: str | None, switch: bool, drop: bool) -> None:
    """Name the head, to come back to it from any other future of the chain; without NAME, list.

    Several named futures are kept side by side, within a bound, until the node ends.

    \b
    pegboard branch calm
    pegboard rewind 100
    pegboard wallet publish-feed bitUSD 0.05 --dev-keys -a init0
    pegboard branch crash
    pegboard branch calm --switch
    """
    network = TimeNetwork(session.chain.client)
    if name is None:
        if switch or drop:
            raise UsageProblem("which branch?")
        _show_places(session, as_objects(network.api.call(API, "get_branches")), "branch")
    elif switch:
        _show_back(session, network.come_back("branch", name))
    elif drop:
        network.each("drop_branch", name)
        session.output.answer({"dropped": name}, [f"branch {name} dropped"])
    else:
        with network.paused():
            place = as_object(network.each("name_branch", name)[-1])
        session.output.answer(
            place, [f"branch {name} is block {place['block_num']} {place['block_id']}"]
        )


def _show_places(session: Session, places: list[JsonObject], what: str) -> None:
    rows = [(str(one[what]), str(one["block_num"]), str(one["block_id"])) for one in places]
    session.output.answer([*places], table((what, ">block", "id"), rows))


def _show_back(session: Session, head: JsonObject) -> None:
    gone = f"{count_of(as_int(head['popped']), 'block')} taken back"
    _show_head(session, head, gone + (" by a replay" if head["is_replaying"] else ""))


def _show_head(session: Session, head: JsonObject, done: str) -> None:
    num, time = head["head_block_number"], head["head_block_time"]
    session.output.answer(head, [f"{done}, head {num} at {time}"])
