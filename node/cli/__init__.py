"""The command line: `pegboard`."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import suppress

import click

from node.cli.commands import PLACES, LazyGroup
from node.cli.completion import COMPLETE_VARIABLE
from node.cli.exits import UsageProblem, exit_code_of
from node.cli.output import show_error
from node.cli.program import PROGRAM
from node.exit_codes import Exit
from protocol.errors import PegboardError

PR_SET_DUMPABLE = 4
"""Of Linux' <sys/prctl.h>."""
EXIT_CODES = "\n".join(f"{code.value:>4}  {code.meaning}" for code in Exit)


def _show_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from node.compiled import how_it_runs
        from node.version import VERSION

        click.echo(f"{PROGRAM}, version {VERSION} ({how_it_runs()})")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    places=PLACES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Exit codes:\n\n\b\n{EXIT_CODES}",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version, and whether the inner modules are compiled.",
)
def cli() -> None:
    """A market for BitAssets on one's own desk: a network, wallets, and a look inside.

    \b
    pegboard up                          start four witnesses and an API
    pegboard show asset bitUSD           feed, prices, supply
    pegboard why bob bitUSD              called or not, why, and what would change it
    pegboard wallet borrow "100 bitUSD" --ratio 2.5 --dev-keys -a alice
    pegboard demo margin-call            a fall of prices, played and checked
    pegboard shock bitUSD --feed -30%    who would be called, at which price
    pegboard lab FILE --vary MCR=1.4..2.0 --out DIR   a scenario thousands of times
    pegboard snapshot; pegboard revert   a moment to come back to, and back
    pegboard travel +1d                  a day later, on all processes of the network

    Every command takes --help, and --json where it prints something. NO_COLOR is respected.
    """


def guard_memory() -> None:
    """Dump no core, and let no other process of this user read the memory or trace it (T-X1)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def main() -> None:
    """Run the command line and end the process with one of `Exit`.

    The process never shows its memory: keys could be in it. Those that it starts never import from
    the working directory: a reader's own `node` or `random.py` could be in it.
    """
    guard_memory()
    os.environ["PYTHONSAFEPATH"] = "1"
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = code or _cannot_write(error)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command line; its exit code."""
    is_json = "--json" in arguments
    try:
        try:
            code = cli.main(
                arguments,
                prog_name=PROGRAM,
                complete_var=COMPLETE_VARIABLE,
                standalone_mode=False,
            )
        except click.Abort:
            click.echo("interrupted", err=True)
            return Exit.INTERRUPTED
        except click.ClickException as error:
            _show_usage(error, is_json=is_json)
            return Exit.USAGE
        except PegboardError as error:
            code = exit_code_of(error)
            show_error(error, is_json=is_json, exit_code=code)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except OSError as error:
        return _cannot_write(error)
    return code if isinstance(code, int) else 0


def _show_usage(error: click.ClickException, *, is_json: bool) -> None:
    """What is wrong with a command line; a number below zero looks like an option to click."""
    if isinstance(error, click.NoSuchOption) and error.option_name.lstrip("-")[:1].isdigit():
        what = f"an amount cannot be negative: {error.option_name}"
        error = click.UsageError(what, error.ctx)
    if is_json:
        problem = UsageProblem(error.format_message())
        show_error(problem, is_json=True, exit_code=Exit.USAGE)
    else:
        error.show()


def _cannot_write(error: OSError) -> Exit:
    """Nobody reads what is printed any more, which is no error; or the disk takes no more."""
    if isinstance(error, BrokenPipeError):
        return Exit.OK
    with suppress(OSError):
        click.echo(f"stopped: {error}", err=True)
    return Exit.DISK
