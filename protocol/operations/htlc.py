"""Hash time lock contracts: an amount for whoever shows a secret in time (H1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee
from protocol.crypto.hashes import hash160, ripemd160, sha1, sha256
from protocol.ids import AccountId, HtlcId
from protocol.operations.base import refuse_virtual
from protocol.operations.memo import Memo
from protocol.schema import (
    EXTENSION,
    Digest,
    Hash160,
    NoExtensions,
    Record,
    Ripemd160,
    Sha1,
    Tagged,
    UInt16,
    UInt32,
    Variant,
)

HtlcHash = Annotated[Tagged, Variant({0: Ripemd160, 1: Sha1, 2: Digest, 3: Hash160})]
"""The hash of a preimage: RIPEMD160, SHA1, SHA256, or RIPEMD160 of SHA256."""


class HashKind(Record, gc=True):
    """One of the hashes that a contract may be locked by."""

    name: str
    size: int
    """Bytes of a hash."""
    of: Callable[[bytes], bytes]


HASH_KINDS = (
    HashKind("ripemd160", 20, ripemd160),
    HashKind("sha1", 20, sha1),
    HashKind("sha256", 32, sha256),
    HashKind("hash160", 20, hash160),
)
"""By their tags on the wire (H1.2)."""


def hash_of_preimage(tag: int, preimage: bytes) -> Tagged:
    """The hash of a kind that a preimage opens (H1.2)."""
    return Tagged(tag, HASH_KINDS[tag].of(preimage))


class HtlcCreateExtensions(Record):
    """Options of `HtlcCreate` that came later."""

    memo: Memo | None = None
    """Message to the receiver; charged by its size at the price of a transfer's."""


class HtlcCreate(Record):
    """Lock an amount for whoever shows the preimage of a hash before a deadline (H2.1, H2.5)."""

    fee: AssetAmount
    from_: AccountId
    """Account that the amount leaves; pays the fee."""
    to: AccountId
    """Account that receives the amount when the preimage is shown."""
    amount: AssetAmount
    """What is locked, in smallest units."""
    preimage_hash: HtlcHash
    preimage_size: UInt16
    """Length of the preimage in bytes."""
    claim_period_seconds: UInt32
    """Seconds after which the amount returns; charged by the day."""
    extensions: Annotated[HtlcCreateExtensions, EXTENSION] = HtlcCreateExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount")


class HtlcRedeem(Record):
    """Show the preimage, so that the receiver is paid."""

    fee: AssetAmount
    htlc_id: HtlcId
    redeemer: AccountId
    """Anybody who knows the preimage; pays the fee."""
    preimage: bytes
    """Charged by its size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class HtlcRedeemed(Record):
    """Virtual: a contract was redeemed, told to both its sides."""

    fee: AssetAmount
    htlc_id: HtlcId
    from_: AccountId
    """Account that had locked the amount."""
    to: AccountId
    """Account that received the amount."""
    redeemer: AccountId
    """Account that showed the preimage."""
    amount: AssetAmount
    """What was paid."""
    htlc_preimage_hash: HtlcHash
    htlc_preimage_size: UInt16
    preimage: bytes

    def validate(self) -> None:
        refuse_virtual("htlc_redeemed")


class HtlcExtend(Record):
    """Give the receiver more time."""

    fee: AssetAmount
    htlc_id: HtlcId
    update_issuer: AccountId
    """Account that locked the amount; pays the fee."""
    seconds_to_add: UInt32
    """Charged by the day."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class HtlcRefund(Record):
    """Virtual: a contract ran out and the amount returned."""

    fee: AssetAmount
    htlc_id: HtlcId
    to: AccountId
    """Account that had locked the amount and has it back."""
    original_htlc_recipient: AccountId
    """Account that would have received it."""
    htlc_amount: AssetAmount
    """What returned."""
    htlc_preimage_hash: HtlcHash
    htlc_preimage_size: UInt16

    def validate(self) -> None:
        refuse_virtual("htlc_refund")
