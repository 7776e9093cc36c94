"""A plugin of pytest: writes what every push of a block to a chain left in the state, in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from node.chain.chain import Chain, PushResult
from node.chain.header_rules import HeaderVerdict
from protocol.block import BlockEnvelope

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
        plain, lines = Chain.push_block, self.lines

        def push_block(
            chain: Chain,
            envelope: BlockEnvelope,
            *,
            trusted: bool = False,
            verdict: HeaderVerdict | None = None,
        ) -> PushResult:
            result = plain(chain, envelope, trusted=trusted, verdict=verdict)
            for block in result.applied:
                lines.append(f"{block.envelope.num} {block.envelope.id.hex()}")
            if result.applied:
                lines[-1] += f" {chain.state.state_hash().hex()}"
            return result

        self.patch.setattr(Chain, "push_block", push_block)
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
