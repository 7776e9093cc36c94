"""Withdraw permissions: an account lets another take a limited amount in every period."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, check_positive, require
from protocol.ids import AccountId, WithdrawPermissionId, account_text
from protocol.operations.memo import Memo
from protocol.schema import Record, Timestamp, UInt32


class WithdrawPermissionCreate(Record):
    """Let another account withdraw up to a limit in each of a number of periods."""

    fee: AssetAmount
    withdraw_from_account: AccountId
    """Account that gives the permission; pays the fee."""
    authorized_account: AccountId
    """Account that may withdraw."""
    withdrawal_limit: AssetAmount
    """The most that may be withdrawn in one period, in smallest units."""
    withdrawal_period_sec: UInt32
    """Length of a period; at least one block interval."""
    periods_until_expiration: UInt32
    """Number of periods."""
    period_start_time: Timestamp
    """Start of the first period; lies ahead."""

    def validate(self) -> None:
        check_fee(self.fee)
        _check_parties(self.withdraw_from_account, self.authorized_account)
        check_amount(self.withdrawal_limit, "withdrawal_limit")
        check_positive(self.withdrawal_period_sec, "withdrawal_period_sec")
        check_positive(self.periods_until_expiration, "periods_until_expiration")


class WithdrawPermissionUpdate(Record):
    """Replace limit and periods of a permission; its two accounts stay."""

    fee: AssetAmount
    withdraw_from_account: AccountId
    """Account that gave the permission; pays the fee."""
    authorized_account: AccountId
    """Account that may withdraw; the one of the permission."""
    permission_to_update: WithdrawPermissionId
    withdrawal_limit: AssetAmount
    """The most that may be withdrawn in one period; may be of another asset."""
    withdrawal_period_sec: UInt32
    """Length of a period; at least one block interval."""
    period_start_time: Timestamp
    """Start of the first of the new periods."""
    periods_until_expiration: UInt32
    """Number of the new periods."""

    def validate(self) -> None:
        check_fee(self.fee)
        _check_parties(self.withdraw_from_account, self.authorized_account)
        check_amount(self.withdrawal_limit, "withdrawal_limit")
        check_positive(self.withdrawal_period_sec, "withdrawal_period_sec")
        check_positive(self.periods_until_expiration, "periods_until_expiration")


class WithdrawPermissionClaim(Record):
    """Withdraw by a permission; the account that gave it does not sign."""

    fee: AssetAmount
    withdraw_permission: WithdrawPermissionId
    withdraw_from_account: AccountId
    """Account that the amount leaves; the one of the permission."""
    withdraw_to_account: AccountId
    """Account that receives the amount; signs and pays the fee."""
    amount_to_withdraw: AssetAmount
    """What is withdrawn, in smallest units."""
    memo: Memo | None = None
    """Message to the account that gave the permission; charged by its size."""

    def validate(self) -> None:
        check_fee(self.fee)
        _check_parties(self.withdraw_from_account, self.withdraw_to_account)
        check_amount(self.amount_to_withdraw, "amount_to_withdraw")


class WithdrawPermissionDelete(Record):
    """Take a permission back."""

    fee: AssetAmount
    withdraw_from_account: AccountId
    """Account that gave the permission; pays the fee."""
    authorized_account: AccountId
    """Account that could withdraw; the one of the permission."""
    withdrawal_permission: WithdrawPermissionId

    def validate(self) -> None:
        check_fee(self.fee)
        _check_parties(self.withdraw_from_account, self.authorized_account)


def _check_parties(giver: AccountId, receiver: AccountId) -> None:
    require(giver != receiver, "an account withdraws from itself", value=account_text(giver))
