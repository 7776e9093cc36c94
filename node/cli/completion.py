"""`pegboard completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from node.cli.program import PROGRAM

COMPLETE_VARIABLE = "_PEGBOARD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in a shell.

    \b
    source <(pegboard completion bash)
    pegboard completion zsh > ~/.zfunc/_pegboard
    pegboard completion fish > ~/.config/fish/completions/pegboard.fish
    """
    found = get_completion_class(shell)
    assert found is not None, shell
    click.echo(found(context.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source())
