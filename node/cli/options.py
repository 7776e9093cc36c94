"""Options that many commands share, and how a command gets more of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, TypeVar

import click

from node.cli.output import Output

Command = TypeVar("Command", bound=Callable[..., Any])


def output_options(command: Command) -> Command:
    """The option `--json`; the command's first argument becomes an `Output`."""

    def invoke(*args: Any, is_json: bool, **kwargs: Any) -> Any:
        return command(Output(is_json=is_json), *args, **kwargs)

    return with_options(command, invoke, [JSON])


def with_options(
    command: Command,
    invoke: Callable[..., Any],
    options: Sequence[Callable[[Callable[..., Any]], Callable[..., Any]]],
) -> Command:
    """A command with more options, listed behind its own; `invoke` is called in its place."""
    params = getattr(command, "__click_params__", [])
    wrapped: Any = update_wrapper(invoke, command)
    wrapped.__click_params__ = list(params)
    for option in reversed(options):
        wrapped = option(wrapped)
    # Click lists options in reverse order of decoration; the command's own come first.
    own = len(params)
    wrapped.__click_params__ = wrapped.__click_params__[own:] + wrapped.__click_params__[:own]
    result: Command = wrapped
    return result


JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON instead of text.")
