"""T-R1: when a soak says that its network grows."""

from __future__ import annotations

import pytest

from tests.campaigns.soak import JUDGED_HOURS, Memory


@pytest.mark.parametrize(
    ("hours", "growth", "is_kept", "word"),
    [
        (JUDGED_HOURS, 0.9, True, "kept"),
        (JUDGED_HOURS, 1.1, False, "BROKEN"),
        (0.5, 15, True, "too short to tell"),
        (0.5, 200, False, "BROKEN"),
    ],
)
def test_a_day_must_show_it_and_less_is_judged_by_what_can_fill_up(
    hours: float, growth: float, word: str, capsys: pytest.CaptureFixture[str], *, is_kept: bool
) -> None:
    """The warm-up does not count, however much it grows."""
    memory = Memory([])
    times = [hours * at / 500 for at in range(500)]
    memory.samples = {"init0": [(at, 70 + growth * max(at, hours / 4)) for at in times]}
    assert memory.judge(hours, 0.25) is is_kept
    assert f"below 1 MiB/h: {word}" in capsys.readouterr().out
