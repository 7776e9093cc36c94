"""Which block can no longer be undone by BitShares' rule (R8.8), where the genesis chose it (F10).

Whatever the rule says, the last irreversible block lies below the head: clients take their
reference block from the one after it (F12).
"""

from __future__ import annotations

from node.state.database import State
from protocol.constants import HUNDRED_PERCENT, IRREVERSIBLE_THRESHOLD
from protocol.ids import WitnessId


def irreversible_num(state: State) -> int:
    """Number of the last block that 70 % of the active witnesses have built upon (R8.8)."""
    confirmed = sorted(
        state.witnesses.get(witness).last_confirmed_block_num
        for witness in state.properties.active_witnesses
    )
    below = (HUNDRED_PERCENT - IRREVERSIBLE_THRESHOLD) * len(confirmed) // HUNDRED_PERCENT
    return min(confirmed[below], state.dynamic.head_block_number - 1)


def update_irreversible_num(state: State) -> None:
    """Move the last irreversible block on; it never goes back (R8.8, I14)."""
    found = irreversible_num(state)
    if found > state.dynamic.last_irreversible_block_num:
        state.dynamic_properties.edit(state.dynamic).last_irreversible_block_num = found


def missing_witnesses(state: State) -> list[WitnessId]:
    """Who has made no block since the last irreversible one, of those whose word counts."""
    finality, lowest = state.finality, state.dynamic.last_irreversible_block_num
    if finality is None:
        members = set(state.properties.active_witnesses)
    else:
        members = {witness for one in finality.sets for witness, _ in one.members}
    return sorted(
        witness
        for witness in members
        if state.witnesses.get(witness).last_confirmed_block_num <= lowest
    )
