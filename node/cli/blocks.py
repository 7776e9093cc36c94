"""`pegboard blocks`: the time of a development chain, by hand."""

from __future__ import annotations

import click

from node.cli.client import JsonObject, as_object
from node.cli.sessions import Session, chain_options
from protocol.wording import count_of

BLOCKS_AT_ONCE = 100
"""Blocks of one call, so that the node serves others in between."""


@click.group()
def blocks() -> None:
    """Make blocks on demand, on a chain of `pegboard node --dev`.

    With `--mode interval` the chain then stands still until the clock has caught up with it.

    \b
    pegboard node --dev --mode manual
    pegboard blocks generate 1
    pegboard blocks until +1d
    """


@blocks.command()
@click.argument("count", type=click.IntRange(1, 1_000_000), default=1)
@chain_options
def generate(session: Session, count: int) -> None:
    """Make COUNT blocks, one by default, at the next slots.

    Transactions that wait come into the first of them. Chain time runs ahead of the clock.
    """
    head: JsonObject = {}
    for start in range(0, count, BLOCKS_AT_ONCE):
        part = min(BLOCKS_AT_ONCE, count - start)
        head = as_object(session.chain.client.call("pegboard_dev", "generate_blocks", part))
    _show_head(session, head, count_of(count, "block"))


@blocks.command()
@click.argument("time")
@chain_options
def until(session: Session, time: str) -> None:
    """Travel to TIME with one block: the slots before it stay empty.

    TIME is in UTC, or a distance from the head: +90s, +15m, +1h, +2d. What is due by then, such as
    settlements, expirations and maintenance, happens in that block; maintenance once only.

    \b
    pegboard blocks until +1h
    pegboard blocks until 2030-01-01T00:00:00
    """
    head = as_object(session.chain.client.call("pegboard_dev", "travel_to", time))
    _show_head(session, head, "1 block")


def _show_head(session: Session, head: JsonObject, made: str) -> None:
    num, time = head["head_block_number"], head["head_block_time"]
    session.output.answer(head, [f"{made} made, head {num} at {time}"])
