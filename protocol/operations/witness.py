"""Witnesses: the accounts that produce blocks."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import check_fee, check_url
from protocol.ids import AccountId, WitnessId
from protocol.schema import PublicKey, Record


class WitnessCreate(Record):
    """Stand for election as a witness (R8.12)."""

    fee: AssetAmount
    witness_account: AccountId
    """Lifetime member that becomes a candidate; pays the fee."""
    url: str
    """Where voters learn more; less than 127 bytes."""
    block_signing_key: PublicKey
    """Key that signs the blocks."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_url(self.url)


class WitnessUpdate(Record):
    """Change the URL or the signing key of a witness."""

    fee: AssetAmount
    witness: WitnessId
    witness_account: AccountId
    """Owner of the witness; pays the fee."""
    new_url: str | None = None
    new_signing_key: PublicKey | None = None
    """The null key takes the witness out of production."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_url(self.new_url)
