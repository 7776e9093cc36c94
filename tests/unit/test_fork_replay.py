"""A chain of bitshares-core goes on here as it went on there.

Every balance, position, order, bid, supply, feed and fee, with the ids that they have there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

from tests.support.core_snapshot import Json, Replay, StateView, fork, objects_after

KEPT_ELSEWHERE = {"1.11", "2.8", "2.9", "2.16"}
"""Histories, pools that nobody uses, and ids of blocks, which depend on who signed them."""

DIFFERENT: dict[tuple[str, str], str] = {
    ("1.2", "num_committee_voted"): "core leaves it unset in the accounts of its genesis",
    ("1.6", "signing_key"): "witnesses sign with development keys here",
    ("2.1", "head_block_id"): "who signed",
    ("2.5", "maintenance_flag"): "a mark of core's own",
    ("2.6", "most_recent_op"): "the history begins with the first block here",
    ("2.6", "total_ops"): "the history begins with the first block here",
    ("2.4", "current_feed_publication_time"): "core looks at an expired feed again and again",
}


@cache
def played() -> dict[str, Json]:
    """The objects that the chain here has in the end, by id."""
    chain = fork()
    Replay(chain).run()
    return {str(found): view for found, view in StateView(chain).objects()}


def test_all_objects_are_those_of_bitshares_core() -> None:
    """247 transactions in 631 blocks: margin calls, settlements, bids, cancelled orders, fees.

    Nothing that core shows is missing here, and each field is the same but for those named above
    (R4.5, R5.4, R6.2, R6.5, R2.7, R2.12).
    """
    ours, counted = played(), Counter[str]()
    different: dict[tuple[str, str], list[object]] = defaultdict(list)
    for key, theirs in objects_after().items():
        kind = key.rpartition(".")[0]
        if kind in KEPT_ELSEWHERE:
            continue
        counted[kind] += 1
        mine = ours[key]
        for name in sorted({*theirs, *mine}):
            if theirs.get(name) != mine.get(name):
                different[kind, name].append((key, theirs.get(name), mine.get(name)))
    assert {kind: found for kind, found in different.items() if kind not in DIFFERENT} == {}
    assert {*DIFFERENT} <= {*different}, "a difference that is none any more"
    assert {kind: counted[kind] for kind in ("1.7", "1.8", "2.5")} == {
        "1.7": 20,
        "1.8": 41,
        "2.5": 275,
    }


def test_nothing_is_here_that_bitshares_core_has_not() -> None:
    """Positions, orders, requests and bids that core closed are closed here."""
    kinds = ("1.2.", "1.3.", "1.4.", "1.7.", "1.8.", "1.13.", "2.3.", "2.4.", "2.5.", "2.17.")
    theirs = {key for key in objects_after() if key.startswith(kinds)}
    assert {key for key in played() if key.startswith(kinds)} == theirs
