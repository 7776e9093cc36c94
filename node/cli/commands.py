"""Which commands there are; each is loaded when it is asked for, so that all start quickly."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

PLACES = {
    "up": "up:up",
    "node": "node_command:node",
    "blocks": "blocks:blocks",
    "wallet": "wallet:wallet",
    "show": "show:show",
    "why": "why:why",
    "genesis": "genesis:genesis",
    "keys": "keys:keys",
    "replay": "replay:replay",
    "rule": "rule:show_rule",
    "demo": "demo:demo",
    "play": "play:play",
    "lesson": "lesson:lesson",
    "export": "export:export",
    "lab": "lab:lab",
    "mine": "time_commands:mine",
    "travel": "time_commands:travel",
    "snapshot": "time_commands:snapshot",
    "revert": "time_commands:revert",
    "rewind": "time_commands:rewind",
    "branch": "time_commands:branch",
    "set-balance": "state_commands:set_balance",
    "impersonate": "state_commands:impersonate",
    "faucet": "state_commands:faucet",
    "dump": "state_commands:dump",
    "load": "state_commands:load",
    "shock": "shock:shock",
    "completion": "completion:completion",
}
"""Module in this folder, and name in it."""


class Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order of the alphabet."""
        return sorted(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None if there is none."""
        if cmd_name not in PLACES:
            return None
        module, name = PLACES[cmd_name].split(":")
        return cast(click.Command, getattr(import_module(f"node.cli.{module}"), name))
