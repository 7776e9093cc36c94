"""A node ends when it is asked to, however it was started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_network import LiveNode

pytestmark = pytest.mark.functional


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    """A development node that is not started yet."""
    found = LiveNode.development(tmp_path / "dev", "manual")
    yield found
    if found.process is not None and found.process.poll() is None:
        found.kill()


def test_a_background_job_ends_on_sigterm(node: LiveNode) -> None:
    """S6: a script's `pegboard node --dev &` is born with SIGINT ignored, and still stops."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        node.start()
    finally:
        signal.signal(signal.SIGINT, previous)
    assert node.process is not None
    assert node.stop() == 0, node.log_tail()
