"""Inputs that no coverage steers: kept ones that are changed by hypothesis, or by chance alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import Target

EXAMPLES = 500
"""Inputs of one seed."""
PATCH_BYTES = 8
JOINED = 0.2
EDITS = st.lists(
    st.tuples(st.integers(0, 1 << 16), st.integers(0, 4), st.binary(max_size=PATCH_BYTES)),
    max_size=4,
)
"""Where, how many bytes leave, and what comes in their place."""


def edited(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """The input with some places changed."""
    for at, removed, inserted in edits:
        at %= len(data) + 1
        data = data[:at] + inserted + data[at + removed :]
    return data


def inputs(kept: Sequence[bytes], max_bytes: int) -> st.SearchStrategy[bytes]:
    """Random bytes, and kept inputs with some places changed or joined to others."""
    one = st.builds(edited, st.sampled_from(kept), EDITS)
    two = st.builds(lambda first, second: first + second, one, st.sampled_from(kept))
    return st.one_of(st.binary(max_size=64), one, one, two).map(lambda data: data[:max_bytes])


def changed(rng: Random, kept: Sequence[bytes], max_bytes: int) -> bytes:
    """A kept input with some places changed, at times joined to another; cheap to make."""
    data = rng.choice(kept)
    if rng.random() < JOINED:
        data += rng.choice(kept)
    edits = [
        (rng.randrange(1 << 16), rng.randrange(5), rng.randbytes(rng.randrange(PATCH_BYTES + 1)))
        for _ in range(rng.randrange(1, 5))
    ]
    return edited(data, edits)[:max_bytes]


class Tried(NamedTuple):
    """What became of the inputs of one seed."""

    executions: int
    let_in: int
    finding: bytes | None
    """The smallest input that raises; None if there is none."""


def run(target: Target, kept: Sequence[bytes], seed_number: int, examples: int = EXAMPLES) -> Tried:
    """Try so many inputs of a seed, until one raises."""
    tried: list[bytes] = []
    let_in = 0

    @seed(seed_number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(inputs(kept, target.max_bytes))
    def check(data: bytes) -> None:
        nonlocal let_in
        tried.append(data)
        let_in += target.check(data)

    try:
        check()
    except Exception:  # noqa: BLE001  # hypothesis tries the smallest one last
        return Tried(len(tried), let_in, tried[-1])
    return Tried(len(tried), let_in, None)
