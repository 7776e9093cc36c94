"""Transfers between accounts."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, require
from protocol.errors import ACCOUNT, ValidationError
from protocol.ids import AccountId
from protocol.operations.memo import Memo
from protocol.schema import NoExtensions, Record


class Transfer(Record):
    """Move an amount of one asset from one account to another."""

    fee: AssetAmount
    from_: AccountId
    """Account that the amount and the fee leave."""
    to: AccountId
    """Account that receives the amount."""
    amount: AssetAmount
    """What is moved, in smallest units; must be positive."""
    memo: Memo | None = None
    """Message to the receiver; charged by its size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_receiver(self.from_, self.to)
        check_amount(self.amount, "amount")


class OverrideTransfer(Record):
    """Move an amount of an asset by the will of its issuer (flag `override_authority`)."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; signs and pays the fee."""
    from_: AccountId
    """Account that the amount leaves, without its consent."""
    to: AccountId
    """Account that receives the amount."""
    amount: AssetAmount
    """What is moved, in smallest units; must be positive."""
    memo: Memo | None = None
    """Message to the receiver; charged by its size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_receiver(self.from_, self.to)
        check_amount(self.amount, "amount")
        require(
            self.issuer != self.from_, "issuer needs no override", value=self.issuer, unit=ACCOUNT
        )


def _check_receiver(sender: AccountId, receiver: AccountId) -> None:
    if sender == receiver:
        raise ValidationError(
            "sender and receiver are the same", rule="R9.3", value=receiver, unit=ACCOUNT
        )
