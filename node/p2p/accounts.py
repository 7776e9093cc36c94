"""The accounts that all peers share, and what judging costs."""

from __future__ import annotations

from node.p2p.charges import CHARGES, RECOVERY, Account
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from protocol.p2p.messages import TransactionMessage
from protocol.transaction import TransactionEnvelope


class SharedAccounts:
    """What all peers together may cause: many that are each within their own account (P4, P5)."""

    def __init__(self, limits: PeerLimits) -> None:
        self.serving = Account(limits.all_serving_per_s, limits.all_serving_per_s // 4)
        """For answers to all peers."""
        self.intake = Account(limits.all_intake_per_s, limits.all_intake_per_s)
        """For what those who dialled us send to be judged."""
        self.turn_left = limits.judged_at_once
        """For transactions of all up to the next tick, so that others have their turn."""

    def admits(self, peer: Peer, now_ms: int) -> bool:
        """Whether what this peer sends may be judged; those that we dialled do not share (P5)."""
        return peer.work.has_left(now_ms) and (peer.outbound or self.intake.has_left(now_ms))

    def charge_intake(self, peer: Peer, work: int, now_ms: int) -> None:
        """Judging what the peer sent takes so much work; that it waits for it is no fault."""
        peer.work.charge(work, now_ms)
        if not peer.outbound:
            self.intake.charge(work, now_ms)


def work_to_judge(envelope: TransactionEnvelope) -> int:
    """The price of judging a transaction: by signatures, of which each needs its key (P5)."""
    return CHARGES[TransactionMessage].answer + RECOVERY * len(envelope.transaction.signatures)
