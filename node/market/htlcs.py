"""Hash time lock contracts that end at a block's boundary (H5.1)."""

from __future__ import annotations

from node.state.balances import credit
from node.state.context import Context
from node.state.database import ALL
from protocol.asset import NO_FEE
from protocol.operations.htlc import HtlcRefund


def refund_expired_htlcs(ctx: Context) -> None:
    """Give back what nobody has claimed in time: earliest end first, then the older (H5.1)."""
    state = ctx.state
    for htlc in state.htlc_expirations.up_to(ALL, ctx.now):
        lock, creator = htlc.conditions.hash_lock, htlc.transfer.from_
        credit(state, creator, htlc.amount)
        ctx.emit(
            HtlcRefund(
                fee=NO_FEE,
                htlc_id=htlc.id,
                to=creator,
                original_htlc_recipient=htlc.transfer.to,
                htlc_amount=htlc.amount,
                htlc_preimage_hash=lock.preimage_hash,
                htlc_preimage_size=lock.preimage_size,
            )
        )
        state.htlcs.remove(htlc)
