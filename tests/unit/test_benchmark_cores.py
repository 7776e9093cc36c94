"""What the benchmarks tell of the cores of a machine."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from protocol.crypto.hashes import sha256
from protocol.crypto.signatures import sign_digest
from tests.support.world import secret_of

cores: Any = import_module("scripts.benchmarks.cores")

DIGEST = sha256(b"who signed?")
QUESTIONS = 20 * (DIGEST + sign_digest(secret_of("alice"), DIGEST))


def test_slices_are_taken_by_turns_and_by_living_workers() -> None:
    rates = cores.core_rates(QUESTIONS, turns=3)
    assert len(rates.alone) == len(rates.both) == 3
    assert min(*rates.alone, *rates.both) > 0


def test_a_gain_is_that_of_medians_and_one_core_is_half_of_both() -> None:
    """A slice that somebody else has slowed down, or the host has hurried, is one of many."""
    rates = cores.CoreRates([10, 10, 1], [13, 13, 1]).joined(cores.CoreRates([10, 12], [13, 15]))
    assert rates.gain == pytest.approx(1.3)
    assert rates.best_gain == pytest.approx(1.25)
    assert rates.half_of_both == pytest.approx(7.5)


def test_things_are_counted_by_one_core_while_the_other_is_busy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rounds = [cores.CoreRates([10], [12]), cores.CoreRates([10], [16])]
    cores.print_cores("g", "synced transfers", [9.0, 8.0], rounds)
    gains, ratios = capsys.readouterr().out.splitlines()
    assert "median 1.40 (1.20 1.60)" in gains
    assert "synced transfers / half of what both recover" in ratios
    assert "median 1.25 (1.50 1.00)" in ratios
