"""SameT funds: loans that are repaid in the same transaction (U1)."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, check_positive, require
from protocol.ids import AccountId, AssetId, SametFundId, asset_text
from protocol.schema import Int64, NoExtensions, Record, UInt32


class SametFundCreate(Record):
    """Put an amount aside to be lent."""

    fee: AssetAmount
    owner_account: AccountId
    """Account that the balance leaves; pays the fee."""
    asset_type: AssetId
    balance: Int64
    """What can be lent, in smallest units of the asset."""
    fee_rate: UInt32
    """Share of a loan that the borrower pays, of 1,000,000."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_positive(self.balance, "balance", rule="U2")


class SametFundDelete(Record):
    """Close a fund; its balance returns."""

    fee: AssetAmount
    owner_account: AccountId
    """Owner of the fund; pays the fee."""
    fund_id: SametFundId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class SametFundUpdate(Record):
    """Change the balance or the fee rate of a fund."""

    fee: AssetAmount
    owner_account: AccountId
    """Owner of the fund; pays the fee."""
    fund_id: SametFundId
    delta_amount: AssetAmount | None = None
    """What is added to, or taken from, the balance."""
    new_fee_rate: UInt32 | None = None
    """Of 1,000,000."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.delta_amount is not None or self.new_fee_rate is not None,
            "nothing to update",
            rule="U4",
        )
        if self.delta_amount is not None:
            require(self.delta_amount.amount != 0, "delta_amount is zero", rule="U4", value=0)


class SametFundBorrow(Record):
    """Borrow from a fund until the end of the transaction."""

    fee: AssetAmount
    borrower: AccountId
    """Account that borrows; pays the fee."""
    fund_id: SametFundId
    borrow_amount: AssetAmount
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.borrow_amount, "borrow_amount", rule="U5")


class SametFundRepay(Record):
    """Repay what was borrowed in the same transaction."""

    fee: AssetAmount
    account: AccountId
    """Account that repays; pays the fee."""
    fund_id: SametFundId
    repay_amount: AssetAmount
    fund_fee: AssetAmount
    """What the owner of the fund earns; of the same asset."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.repay_amount, "repay_amount", rule="U6")
        require(
            self.fund_fee.amount >= 0,
            "fund_fee is negative",
            rule="U6",
            value=self.fund_fee.amount,
            limit=0,
            unit=asset_text(self.fund_fee.asset_id),
        )
        require(
            self.repay_amount.asset_id == self.fund_fee.asset_id,
            "repay_amount and fund_fee are of two assets",
            rule="U6",
            value=asset_text(self.fund_fee.asset_id),
            limit=asset_text(self.repay_amount.asset_id),
        )
