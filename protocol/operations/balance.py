"""Balances of the genesis that belong to a key until they are claimed."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import require
from protocol.ids import AccountId, BalanceId
from protocol.schema import PublicKey, Record

NULL_KEY = PublicKey(bytes(33))
"""The key of nobody."""


class BalanceClaim(Record):
    """Move a genesis balance to an account; free of charge, signed by the balance's key."""

    fee: AssetAmount
    """Must be 0 CORE."""
    deposit_to_account: AccountId
    """Account that receives the balance."""
    balance_to_claim: BalanceId
    balance_owner_key: PublicKey
    """Key whose address owns the balance; has to sign (R9.6)."""
    total_claimed: AssetAmount
    """What is claimed, in smallest units: all of it, or what has vested."""

    def validate(self) -> None:
        require(
            self.fee.amount == 0 and self.fee.asset_id == 0,
            "balance_claim is free",
            rule="R8.17",
            value=self.fee,
        )
        require(self.balance_owner_key != NULL_KEY, "balance_owner_key is the null key")
