"""What commands that look at a chain share: the node that they talk to, and their options."""

from __future__ import annotations

from typing import Any

import click

from node.cli.both_units import in_both_units
from node.cli.client import DEFAULT_URL, NodeClient
from node.cli.options import JSON, Command, with_options
from node.cli.output import Output
from node.cli.refusals import refusals_of
from node.cli.remote_chain import RemoteChain
from protocol.schema import Mutable


class Session(Mutable, gc=True):
    """A command that talks to a node."""

    output: Output
    chain: RemoteChain


def chain_options(command: Command) -> Command:
    """The options `--url` and `--json`; the command's first argument becomes a `Session`."""

    def invoke(*args: Any, is_json: bool, url: str, **kwargs: Any) -> Any:
        chain = RemoteChain(NodeClient(url))
        session = Session(make_output(chain, is_json=is_json), chain)
        with refusals_of(session.chain):
            return command(session, *args, **kwargs)

    return with_options(command, invoke, [URL, JSON])


def make_output(chain: RemoteChain, *, is_json: bool) -> Output:
    """Where the answer goes; its JSON has amounts and prices in both units."""
    return Output(is_json=is_json, finish=lambda document: in_both_units(chain, document))


URL = click.option(
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    envvar="PEGBOARD_URL",
    show_envvar=True,
    metavar="URL",
    help="API of the node to talk to.",
)
