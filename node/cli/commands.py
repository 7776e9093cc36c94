"""Which commands there are; each is loaded when it is asked for, so that all start quickly."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, cast

import click


class Place(NamedTuple):
    """Where a command stands, and what lists say of it."""

    where: str
    """Module in this folder, and name in it."""
    told: str
    """The first sentence of its help; a list of commands loads none of them."""

    def load(self) -> click.Command:
        """The command itself."""
        module, name = self.where.split(":")
        return cast(click.Command, getattr(import_module(f"node.cli.{module}"), name))


class LazyGroup(click.Group):
    """A group whose commands stand in other modules."""

    def __init__(self, *args: Any, places: Mapping[str, Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order of the alphabet."""
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None if there is none."""
        place = self.places.get(cmd_name)
        return None if place is None else place.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in a help, as click does."""
        told = {name: click.Command(name, help=one.told) for name, one in self.places.items()}
        click.Group(commands=told).format_commands(ctx, formatter)


PLACES = {
    "up": Place(
        "up:up",
        "Start a whole network: witness processes over TCP, prices, an API, funded accounts.",
    ),
    "node": Place(
        "node_command:node",
        "Run a node: one of a network with --config, or a whole chain of its own with --dev.",
    ),
    "blocks": Place("blocks:blocks", "Make blocks on demand, on a chain of `pegboard node --dev`."),
    "wallet": Place(
        "wallet:wallet", "Keep keys, and use them: transfers, positions, orders, pools, votes."
    ),
    "show": Place(
        "show:show", "Look into the chain: its head, producers, accounts, markets and blocks."
    ),
    "why": Place("why:why", "Why something is as it is, each sentence beside its rule."),
    "genesis": Place(
        "genesis:genesis", "Make, check and read genesis files, in the format of bitshares-core."
    ),
    "keys": Place("keys:keys", "Make, derive and convert keys."),
    "replay": Place(
        "replay:replay",
        "Rebuild the state from the stored blocks alone; print head, state hash and speed.",
    ),
    "rule": Place(
        "rule:show_rule",
        "Print the rule of an id such as R4.2; those of a section for R4; all titles without an "
        "ID.",
    ),
    "demo": Place("demo:demo", "Play stories on a running development network."),
    "play": Place(
        "play:play",
        "Play the scenario in FILE on a market in this process, and say what came of it.",
    ),
    "lesson": Place(
        "lesson:lesson",
        "Learn the rules of the market by guessing: each sentence is played on a chain of its own.",
    ),
    "export": Place(
        "export:export", "Write trades, feeds, margin calls, positions or blocks as CSV or Parquet."
    ),
    "lab": Place(
        "lab:lab",
        "Play the scenario in FILE for each combination of parameters, on many paths of prices.",
    ),
    "mine": Place(
        "time_commands:mine",
        "Make COUNT blocks at once, one by default; in a network each process makes its own.",
    ),
    "travel": Place(
        "time_commands:travel",
        "Travel to TIME: the slots before it stay empty, and what is due by then happens.",
    ),
    "snapshot": Place(
        "time_commands:snapshot",
        "Remember this moment, to come back to it by `pegboard revert`; prints its number.",
    ),
    "revert": Place(
        "time_commands:revert",
        "Go back to snapshot NUMBER, the newest without one, as if nothing had happened since.",
    ),
    "rewind": Place(
        "time_commands:rewind",
        "Make BLOCK the head again; all after it is gone, in all processes of a network.",
    ),
    "branch": Place(
        "time_commands:branch",
        "Name the head, to come back to it from any other future of the chain; without NAME, list.",
    ),
    "set-balance": Place(
        "state_commands:set_balance",
        "Let ACCOUNT hold AMOUNT, whatever it held before, from the next block on.",
    ),
    "impersonate": Place(
        "state_commands:impersonate",
        "Let operations of ACCOUNT pass without its signatures, until --stop.",
    ),
    "faucet": Place(
        "state_commands:faucet",
        "Make a key, the account NAME and its money in one step; an account that is there gets "
        "money.",
    ),
    "dump": Place(
        "state_commands:dump",
        "Write the chain into FILE: its blocks, and the hash of the state that they make.",
    ),
    "load": Place(
        "state_commands:load",
        "Bring the chain to where FILE of `pegboard dump` has it; what it has beyond that is gone.",
    ),
    "shock": Place(
        "shock:shock",
        "What if the price of a BitAsset falls, or bids go: on the chain as it is, which stays so.",
    ),
    "completion": Place(
        "completion:completion", "Print a script that completes commands and options in a shell."
    ),
}
"""The commands of `pegboard`."""
