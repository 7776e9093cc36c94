"""Slow peers and greedy clients on a producing witness; `scripts/siege` has more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.siege import besieged, running_witness, watch

pytestmark = pytest.mark.functional

PEERS, CLIENTS = 50, 10
BLOCK_INTERVAL_S = 3
SIEGE_S = 20


def test_a_witness_under_siege_misses_no_slot(tmp_path: Path) -> None:
    """T-P5, T-A2: peers that say little, read nothing and come back; clients that want it all.

    Every slot has its block, and an honest client gets every answer.
    """
    with (
        running_witness(tmp_path / "net", BLOCK_INTERVAL_S) as node,
        besieged(node, PEERS, CLIENTS),
    ):
        siege = watch(node, SIEGE_S)
    assert siege.slots >= SIEGE_S // BLOCK_INTERVAL_S - 1
    assert siege.missed == 0, siege.line()
    assert siege.waited_s
    assert siege.unanswered == 0
