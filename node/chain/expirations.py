"""What runs out at a block's boundary: transactions, proposals, permissions (R8.3)."""

from __future__ import annotations

from node.evaluators.proposal import execute_proposal, is_authorized
from node.state.context import Context
from node.state.database import ALL


def forget_expired_transactions(ctx: Context) -> None:
    """Forget transactions that have expired: they cannot come back (R8.3, R9.3, T-C2)."""
    state = ctx.state
    for entry in state.transaction_expirations.up_to(ctx.now - 1):
        state.transactions.remove(entry)


def settle_expired_proposals(ctx: Context) -> None:
    """Execute expired proposals that have their approvals; remove all (R8.3 step 9, R8.23)."""
    state = ctx.state
    for proposal_id in [item.id for item in state.proposal_expirations.up_to(ctx.now)]:
        proposal = state.proposals.find(proposal_id)
        if proposal is None:
            continue
        if is_authorized(ctx, proposal):
            execute_proposal(ctx, proposal)
        left = state.proposals.find(proposal_id)
        if left is not None:
            state.proposals.remove(left)


def remove_expired_permissions(ctx: Context) -> None:
    """Remove withdraw permissions whose last period is over (R8.3 step 15)."""
    state = ctx.state
    for permission in state.permission_expirations.up_to(ALL, ctx.now):
        state.withdraw_permissions.remove(permission)
