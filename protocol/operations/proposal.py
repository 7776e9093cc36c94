"""Proposals: operations that wait until their authorities have approved (R8.23)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from protocol.asset import AssetAmount
from protocol.checks import check_fee, require
from protocol.constants import MAX_NESTED_OPERATIONS
from protocol.ids import AccountId, ProposalId
from protocol.operations.base import TaggedOperation
from protocol.schema import SORTED, NoExtensions, PublicKey, Record, Timestamp, UInt32


class ProposedOperation(Record):
    """One operation inside a proposal."""

    op: TaggedOperation


class ProposalCreate(Record):
    """Propose operations, to be executed at once when all authorities have approved."""

    fee: AssetAmount
    fee_paying_account: AccountId
    """Account that proposes; pays the fee."""
    expiration_time: Timestamp
    """Time at which the proposal ends, executed or not."""
    proposed_ops: tuple[ProposedOperation, ...]
    """Executed together or not at all."""
    review_period_seconds: UInt32 | None = None
    """Seconds before the expiration in which no account may approve any more."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(len(self.proposed_ops) > 0, "nothing proposed", rule="R8.23", value=0, limit=1)
        depth = proposal_depth(self)
        require(
            depth <= MAX_NESTED_OPERATIONS,
            "proposals nested too deep",
            rule="R8.23",
            value=depth,
            limit=MAX_NESTED_OPERATIONS,
        )
        for proposed in self.proposed_ops:
            proposed.op.validate()


class ProposalUpdate(Record):
    """Add or remove approvals of a proposal; each needs the authority it speaks for (R9.6)."""

    fee: AssetAmount
    fee_paying_account: AccountId
    """Account that pays the fee."""
    proposal: ProposalId
    active_approvals_to_add: Annotated[tuple[AccountId, ...], SORTED] = ()
    """Accounts that approve with their active authority."""
    active_approvals_to_remove: Annotated[tuple[AccountId, ...], SORTED] = ()
    owner_approvals_to_add: Annotated[tuple[AccountId, ...], SORTED] = ()
    """Accounts that approve with their owner authority."""
    owner_approvals_to_remove: Annotated[tuple[AccountId, ...], SORTED] = ()
    key_approvals_to_add: Annotated[tuple[PublicKey, ...], SORTED] = ()
    """Keys that approve by their signature."""
    key_approvals_to_remove: Annotated[tuple[PublicKey, ...], SORTED] = ()
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        changes: tuple[tuple[str, Collection[object], Collection[object]], ...] = (
            ("active", self.active_approvals_to_add, self.active_approvals_to_remove),
            ("owner", self.owner_approvals_to_add, self.owner_approvals_to_remove),
            ("key", self.key_approvals_to_add, self.key_approvals_to_remove),
        )
        require(any(add or remove for _, add, remove in changes), "no approval", rule="R8.23")
        for kind, add, remove in changes:
            for item in add:
                require(
                    item not in remove,
                    f"{kind} approval added and removed at once",
                    rule="R8.23",
                    value=item,
                )


class ProposalDelete(Record):
    """Veto a proposal: only an account whose authority it requires may (R8.23)."""

    fee: AssetAmount
    fee_paying_account: AccountId
    """Account that vetoes; pays the fee."""
    using_owner_authority: bool
    """Whether it is the owner authority of that account that the proposal requires."""
    proposal: ProposalId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


def proposal_depth(proposal: ProposalCreate) -> int:
    """How many proposals lie inside each other; 1 for one that holds none."""
    depth = 0
    level = [proposal]
    while level:
        depth += 1
        level = [
            proposed.op
            for outer in level
            for proposed in outer.proposed_ops
            if isinstance(proposed.op, ProposalCreate)
        ]
    return depth
