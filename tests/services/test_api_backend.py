"""How many blocks on demand a node makes before it lets others in."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from node.services import api_backend
from node.services.api_backend import BLOCKS_A_STEP_MAX, BLOCKS_FIRST, STEP_S, NodeApiBackend
from node.services.node_inputs import NodeInputs


class TimedInputs:
    """Makes blocks of which each takes as long as it is told."""

    def __init__(self, block_s: float) -> None:
        self.block_s = block_s
        self.now_s = 0.0
        self.steps: list[tuple[int, int, int]] = []

    def generate_blocks(
        self, count: int, secret: None, *, made: int, to_come: int
    ) -> list[SimpleNamespace]:
        self.steps.append((count, made, to_come))
        self.now_s += count * self.block_s
        return [SimpleNamespace(num=made + at) for at in range(1, count + 1)]


@pytest.mark.parametrize(
    ("block_s", "usual"),
    [
        (STEP_S / 40, 40),
        (STEP_S * 3, 1),
        (STEP_S / 1_000, BLOCKS_A_STEP_MAX),
        (0.0, BLOCKS_A_STEP_MAX),
    ],
)
def test_a_demand_lets_others_in_before_long(
    monkeypatch: pytest.MonkeyPatch, block_s: float, usual: int
) -> None:
    """T-A2: as many blocks at once as their cost allows, one however much it costs, and no more
    than so many where the clock is too coarse to tell."""
    inputs = TimedInputs(block_s)
    monkeypatch.setattr(api_backend, "cpu_s", lambda: inputs.now_s)
    backend = object.__new__(NodeApiBackend)
    backend.inputs = cast(NodeInputs, inputs)
    ends = []

    def demand() -> Iterator[None]:
        ends.append((yield from backend.generate_blocks(300)))

    breaks = len(list(demand()))
    sizes = [size for size, _, _ in inputs.steps]
    assert ends == [300]
    assert len(sizes) == breaks + 1
    assert sizes[0] == BLOCKS_FIRST
    assert max(sizes[1:]) <= usual + 1
    assert usual - 1 <= sizes[4] <= usual
    done = 0
    for size, made, to_come in inputs.steps:
        assert (made, to_come) == (done, 300 - done - size)
        done += size
    assert done == 300
