"""What a simulation says of a block, kept until the block is made, to be compared with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.state.context import AppliedOperation
from node.state.database import State
from node.whatif.outcome import Outcome, difference_of
from node.whatif.plan import Step
from node.whatif.simulate import simulate


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The outcome of a plan of one block, and whether pending transactions are in it."""

    outcome: Outcome
    has_pending: bool
    balances: dict[tuple[int, int], int]
    """What each account held of each asset, pending transactions included."""

    @classmethod
    def of(cls, chain: Chain, plan: Sequence[Step]) -> Foreseen:
        """Simulate, and see that nothing of it stays."""
        before = _standing(chain)
        balances = balances_of(chain.state)
        outcome = simulate(chain, plan)
        assert _standing(chain) == before
        assert outcome.stopped is None
        return cls(outcome, len(chain.pending) > 0, balances)

    def compare(self, state: State, applied: AppliedBlock) -> None:
        """The block did what was foreseen, in the same order, and nothing else."""
        assert self.outcome.refusals == []
        (block,) = self.outcome.blocks
        assert (block.num, block.time) == (applied.envelope.num, applied.envelope.header.timestamp)
        assert places(block.operations) == places(applied.operations)
        assert block.events == applied.events
        found = self.outcome.difference
        told = {(one.account, one.asset_id): (one.before, one.after) for one in found.balances}
        now = balances_of(state)
        moved = {
            key: (self.balances.get(key, 0), now.get(key, 0)) for key in {*self.balances, *now}
        }
        assert told == {key: pair for key, pair in moved.items() if pair[0] != pair[1]}
        if not self.has_pending:
            assert found == difference_of(state, applied.revision.records)


def _standing(chain: Chain) -> object:
    pending = [one.envelope for one in chain.pending]
    return chain.state_hash(), chain.state.state_hash(), pending


def balances_of(state: State) -> dict[tuple[int, int], int]:
    """All balances by account and asset."""
    return {(one.owner, one.asset_type): one.balance for one in state.balances.rows.values()}


def places(operations: Iterable[AppliedOperation]) -> list[tuple[object, ...]]:
    """Operations with their places and answers, to be compared."""
    return [
        (one.op, one.trx_in_block, one.op_in_trx, one.virtual_op, one.is_virtual, one.result)
        for one in operations
    ]
