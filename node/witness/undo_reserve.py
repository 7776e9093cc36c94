"""The last blocks before a chain may grow no more are kept for those that bring it on (R8.9)."""

from __future__ import annotations

from collections.abc import Callable

from node.chain.chain import Chain
from node.chain.irreversibility import missing_witnesses
from node.witness.producer import Production, Refusal
from protocol.constants import MAX_UNDO_HISTORY
from protocol.finality import Certificate
from protocol.ids import witness_text

RESERVE_BLOCKS = 2_000
"""In the last so many blocks each waits one slot longer than the one before."""


def standstill(
    chain: Chain, production: Production, certificate: Callable[[], Certificate | None]
) -> Refusal | None:
    """Why a slot is left out for the sake of later ones, or None.

    With each block of the reserve one slot more is left out after the head, so that votes have
    something new to agree on, but ever more rarely. A block that brings irreversibility on is made
    at once, and the last numbers that R8.9 allows, as many as there are witnesses, are for such
    blocks alone.
    """
    lowest = chain.last_irreversible_num
    used = chain.head_num + 1 - lowest - (MAX_UNDO_HISTORY - RESERVE_BLOCKS)
    if used <= 0 or _brings_on(chain, production, certificate):
        return None
    is_kept = used >= RESERVE_BLOCKS - len(chain.state.properties.active_witnesses)
    if not is_kept and chain.slot_at(production.slot_time_s) > used:
        return None
    missing = ", ".join(map(witness_text, missing_witnesses(chain.state)))
    return Refusal(
        "standstill",
        f"head {chain.head_num}, last irreversible {lowest}, limit {MAX_UNDO_HISTORY} apart "
        "(R8.9): "
        f"start the witnesses that are missing ({missing or 'their votes are on their way'}), or "
        f'set checkpoint = "{chain.head_id.hex()}" in the settings of all nodes and start them '
        "again (F9)",
        True,
    )


def _brings_on(
    chain: Chain, production: Production, certificate: Callable[[], Certificate | None]
) -> bool:
    """Whether the block carries a certificate or is due to the checkpoint, or, by BitShares' rule,
    is its witness's first since the last irreversible one."""
    if chain.checkpoint == chain.head_id:
        return True
    if chain.state.finality is not None:
        return certificate() is not None
    witness = chain.state.witnesses.get(production.witness)
    return witness.last_confirmed_block_num <= chain.last_irreversible_num
