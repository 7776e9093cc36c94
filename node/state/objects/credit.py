"""Loans between accounts: credit offers, the deals made by them, and what each borrower owes."""

from __future__ import annotations

from node.state.objects.base import StateObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, AssetId, CreditDealId, CreditDealSummaryId, CreditOfferId
from protocol.operations.credit_offer import AcceptableBorrowers, AcceptableCollateral
from protocol.schema import Int64, Timestamp, UInt8, UInt32


class CreditOffer(StateObject):
    """An amount that is lent to whoever brings the stated collateral (1.21.n, O1)."""

    id: CreditOfferId
    owner_account: AccountId
    asset_type: AssetId
    """The asset that is lent."""
    total_balance: Int64
    """What is here and what is lent; the difference to `current_balance` is the debt of deals."""
    current_balance: Int64
    """What can be lent now; not in the owner's balance."""
    fee_rate: UInt32
    """Share of what is repaid that is paid on top, of 1,000,000."""
    max_duration_seconds: UInt32
    """How long a deal lasts."""
    min_deal_amount: Int64
    """Least that is lent at once."""
    enabled: bool
    auto_disable_time: Timestamp
    """Time at which an enabled offer is disabled (O8)."""
    acceptable_collateral: AcceptableCollateral
    acceptable_borrowers: AcceptableBorrowers

    @property
    def lent(self) -> int:
        """What its deals owe."""
        return self.total_balance - self.current_balance


class CreditDeal(StateObject):
    """A loan by an offer, at the terms that the offer had then (1.22.n, O1)."""

    id: CreditDealId
    borrower: AccountId
    offer_id: CreditOfferId
    offer_owner: AccountId
    debt_asset: AssetId
    debt_amount: Int64
    """What is still to be repaid, the fee not counted."""
    collateral_asset: AssetId
    collateral_amount: Int64
    """What the deal still holds; a default gives it to the owner of the offer."""
    fee_rate: UInt32
    """Of 1,000,000."""
    latest_repay_time: Timestamp
    """Time at which it is in default (O8)."""
    auto_repay: UInt8
    """An `AutoRepayment`."""

    @property
    def debt(self) -> AssetAmount:
        """What is still to be repaid, the fee not counted."""
        return AssetAmount(self.debt_amount, self.debt_asset)

    @property
    def collateral(self) -> AssetAmount:
        """What the deal still holds."""
        return AssetAmount(self.collateral_amount, self.collateral_asset)


class CreditDealSummary(StateObject):
    """All that a borrower owes by an offer; there is none without debt (2.18.n, O1)."""

    id: CreditDealSummaryId
    borrower: AccountId
    offer_id: CreditOfferId
    offer_owner: AccountId
    debt_asset: AssetId
    total_debt_amount: Int64
