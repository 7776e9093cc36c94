"""Fee-backed assets: the record of a share in stealth fees. Nothing pays into them any more."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.ids import AccountId, ObjectId
from protocol.operations.base import refuse_virtual
from protocol.schema import Int64, Record


class FbaDistribute(Record):
    """Virtual: an accumulator of fees was shared out; this node never emits it."""

    fee: AssetAmount
    """Always zero."""
    account_id: AccountId
    """Account that received the share."""
    fba_id: ObjectId
    """The accumulator."""
    amount: Int64
    """CORE, smallest units."""

    def validate(self) -> None:
        refuse_virtual("fba_distribute")
