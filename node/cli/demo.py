"""`pegboard demo`: stories played on a running development network, and checked."""

from __future__ import annotations

import click

from node.cli.sessions import Session, chain_options
from node.shipped import shipped_file

STORY = "config/scenarios/margin_call.toml"


@click.group()
def demo() -> None:
    """Play stories on a running development network."""


@demo.command()
@chain_options
def margin_call(session: Session) -> None:
    """Three borrowers, resting bids, a fall of prices, margin calls, a settlement, a cover.

    Plays the scenario config/scenarios/margin_call.toml on a BitAsset of its own, so that it can be
    played again and again. After every step all balances are foretold by the rules alone and
    compared with the chain's; a difference ends the command with exit code 1. The prices are real:
    see config/prices/README.md.

    \b
    pegboard up            (in another terminal)
    pegboard demo margin-call
    """
    from node.cli.playing import play_file  # loading the chain takes longer than most commands

    client = session.chain.client
    play_file(session.output, shipped_file(STORY), seed=None, rules=(), url=client.url)
