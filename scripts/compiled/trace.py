"""A plugin of pytest: writes what every block of every chain left in the state, in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.fork_database import ForkItem

TRACE = "PEGBOARD_TRACE"
"""Environment variable; the file."""


class Tracer:
    """Keeps a line for each test, and one for each block that a chain applies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.patch = pytest.MonkeyPatch()

    def listen(self) -> None:
        """Have every chain tell of its blocks from now on."""
        plain, lines = Chain._apply, self.lines

        def apply(chain: Chain, item: ForkItem, *, trusted: bool) -> AppliedBlock:
            applied = plain(chain, item, trusted=trusted)
            block, state = applied.envelope, chain.state.state_hash()
            lines.append(f"{block.num} {block.id.hex()} {state.hex()}")
            return applied

        self.patch.setattr(Chain, "_apply", apply)
        # Hypothesis also tries numbers that it finds in sources, and extensions are none.
        self.patch.setattr(providers, "_get_local_constants", lambda: providers._local_constants)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test the next blocks are of."""
        self.lines.append(f"# {nodeid}")

    def pytest_unconfigure(self) -> None:
        """Write the lines down."""
        self.patch.undo()
        self.path.write_text("\n".join(self.lines))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin; the same cases are tried in every run."""
    settings.register_profile("traced", deadline=None, derandomize=True, database=None)
    settings.load_profile("traced")
    tracer = Tracer(Path(os.environ[TRACE]))
    tracer.listen()
    config.pluginmanager.register(tracer)
