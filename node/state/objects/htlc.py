"""Hash time lock contracts: amounts that wait for a preimage, or for their time to end."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, AssetId, HtlcId
from protocol.operations.htlc import HtlcHash
from protocol.operations.memo import Memo
from protocol.schema import Int64, Record, Timestamp, UInt16


class HtlcTransfer(Record):
    """What is paid from whom to whom, once the preimage is shown."""

    from_: AccountId
    """Account that made the contract; gets the amount back when its time ends."""
    to: AccountId
    amount: Int64
    """What is locked, in smallest units."""
    asset_id: AssetId


class HashLock(Record):
    """What has to be shown."""

    preimage_hash: HtlcHash
    preimage_size: UInt16
    """Length of the preimage in bytes; 0: any length."""


class TimeLock(Record):
    """Until when."""

    expiration: Timestamp
    """The amount returns at the first boundary of this time or later (H5.1)."""


class HtlcConditions(Record):
    """When the amount is paid, and when it returns."""

    hash_lock: HashLock
    time_lock: TimeLock


class Htlc(StateObject):
    """A hash time lock contract (1.16.n, H1.3)."""

    id: HtlcId
    transfer: HtlcTransfer
    conditions: HtlcConditions
    memo: Memo | None

    @property
    def amount(self) -> AssetAmount:
        """What is locked."""
        return AssetAmount(self.transfer.amount, self.transfer.asset_id)

    @property
    def expiration(self) -> int:
        """When its time ends, in seconds."""
        return self.conditions.time_lock.expiration
