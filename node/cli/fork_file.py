"""The file of a bitshares-core state, as `pegboard node --dev --fork` reads it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.exits import FileUnreadable
from node.clock import monotonic_s
from node.presets import development_key
from node.state.cut import StateCut
from protocol.crypto.keys import public_key
from protocol.errors import PegboardError
from protocol.genesis import Genesis
from protocol.schema import Digest, Record
from protocol.wording import count_of

if TYPE_CHECKING:
    from node.fork.core_state import CoreState

GZIP = b"\x1f\x8b"
READ_BYTES = 1 << 20
SLICE_OBJECTS = 10_000
TELL_EVERY_S = 2.0


class ForkedState(Record):
    """What a forked chain begins with."""

    genesis: Genesis
    parts: tuple[bytes, ...]
    """The state, packed as snapshots are."""


class ForkFile(Record):
    """A snapshot of bitshares-core, compressed by gzip or not, and how to go on from it."""

    path: Path
    is_everybody: bool
    """Whether operations of all accounts pass without signatures."""

    def digest(self) -> Digest:
        """SHA256 of the file; raises `FileUnreadable`."""
        state = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                while part := file.read(READ_BYTES):
                    state.update(part)
        except OSError as error:
            raise FileUnreadable(f"cannot read: {error}", value=self.path) from error
        return Digest(state.digest())

    def load(self) -> ForkedState:
        """Read the state, and tell on standard error how far that is.

        Raises `FileUnreadable`, and what `CoreState` raises, with the file's name.
        """
        from node.fork.core_state import read_lines  # few chains are forked
        from node.fork.genesis import begin_fork

        source = self.digest()
        try:
            with self.path.open("rb") as file:
                found = read_lines(self._lines(file))
            state = found.finish(is_everybody=self.is_everybody)
            genesis = begin_fork(
                state,
                found.prefix,
                source,
                lambda name: public_key(development_key(name, "signing")),
            )
        except (OSError, EOFError, zlib.error) as error:
            raise FileUnreadable(f"cannot read: {error}", value=self.path) from error
        except PegboardError as error:
            error.what = f"{self.path}: {error.what}"
            raise
        _tell(found)
        cut = StateCut(state)
        try:
            return ForkedState(genesis, tuple(cut.dump_slices(SLICE_OBJECTS)))
        finally:
            cut.close()

    def _lines(self, file: BufferedReader) -> Iterator[bytes]:
        import gzip

        is_packed = file.peek(len(GZIP)).startswith(GZIP)
        size, told_at = self.path.stat().st_size, monotonic_s()
        with gzip.open(file) if is_packed else nullcontext(file) as lines:
            for line in lines:
                yield line
                if monotonic_s() - told_at >= TELL_EVERY_S:
                    told_at = monotonic_s()
                    click.echo(f"{self.path}: {100 * file.tell() // size} % read", err=True)


def _tell(found: CoreState) -> None:
    counts = found.counts()
    carried = sum(counts.carried.values())
    click.echo(f"carried over: {count_of(carried, 'object')}", err=True)
    for what, count in counts.left_out.items():
        click.echo(f"left out: {count:,} {what}", err=True)
