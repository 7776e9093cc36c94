"""T-R1: when a soak says that its network grows."""

from __future__ import annotations

import pytest

from tests.campaigns import simulated_day
from tests.campaigns.siege import MEGABYTE
from tests.campaigns.simulated_day import Keeper, live_through
from tests.campaigns.slope import JUDGED_HOURS
from tests.campaigns.soak import Memory


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


def test_a_simulated_day_finds_what_a_node_keeps_of_each_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two nodes that keep 4 MiB of each block are found, and blocks become irreversible."""
    kept, write = [], Keeper.write

    def leak(keeper: Keeper, irreversible_num: int) -> None:
        write(keeper, irreversible_num)
        kept.append(b"." * (4 * MEGABYTE))

    monkeypatch.setattr(Keeper, "write", leak)
    assert not live_through(0.03, 2, 0.25)
    assert "BROKEN" in capsys.readouterr().out
    assert len(kept) == 2 * 22


def test_a_simulated_day_without_growth_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What comes before the end of the warm-up does not count."""
    samples = [(at / 10, 100.0 + min(at, 60)) for at in range(240)]
    monkeypatch.setattr(simulated_day, "watch", lambda nodes, keepers, hours: samples)
    assert live_through(24, 1, 0.25)
    assert "+0.00 MiB/h" in capsys.readouterr().out
