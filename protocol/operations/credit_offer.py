"""Credit offers and deals: loans against collateral at fixed terms (O1-O8)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from protocol.asset import AssetAmount, Price
from protocol.checks import check_amount, check_fee, check_positive, require
from protocol.constants import MAX_SUPPLY, SECONDS_PER_DAY
from protocol.errors import SECONDS
from protocol.ids import AccountId, AssetId, CreditDealId, CreditOfferId, asset_text
from protocol.operations.base import refuse_virtual
from protocol.schema import EXTENSION, SORTED, Int64, NoExtensions, Record, Timestamp, UInt8, UInt32

MAX_CREDIT_DEAL_S = 380 * SECONDS_PER_DAY
"""A deal lasts no longer, and an offer stands open no longer (O2)."""

AcceptableCollateral = Annotated[tuple[tuple[AssetId, Price], ...], SORTED]
"""Collateral asset -> price, base the asset that is lent, quote the collateral."""

AcceptableBorrowers = Annotated[tuple[tuple[AccountId, Int64], ...], SORTED]
"""Account -> the most that it may borrow, in smallest units."""


class AutoRepayment(IntEnum):
    """Whether a deal repays itself out of the borrower's balance when its time is up."""

    NONE = 0
    ONLY_FULL = 1
    ALLOW_PARTIAL = 2


class CreditOfferCreate(Record):
    """Offer an amount to those who bring the stated collateral."""

    fee: AssetAmount
    """Charged by the size of the operation."""
    owner_account: AccountId
    """Account that the balance leaves; pays the fee."""
    asset_type: AssetId
    balance: Int64
    """What can be lent, in smallest units of the asset."""
    fee_rate: UInt32
    """Share of a loan that the borrower pays, of 1,000,000."""
    max_duration_seconds: UInt32
    """Seconds after which a loan is to be repaid."""
    min_deal_amount: Int64
    """Least that is lent at once."""
    enabled: bool
    auto_disable_time: Timestamp
    """Time at which the offer is disabled by itself."""
    acceptable_collateral: AcceptableCollateral
    """At least one."""
    acceptable_borrowers: AcceptableBorrowers
    """Empty: anybody."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_positive(self.balance, "balance", rule="O2")
        _check_duration(self.max_duration_seconds, "O2")
        _check_amount(self.min_deal_amount, "min_deal_amount", "O2")
        _check_collateral(self.acceptable_collateral, self.asset_type, "O2")
        _check_borrowers(self.acceptable_borrowers, "O2")


class CreditOfferDelete(Record):
    """Close an offer; what is not lent returns."""

    fee: AssetAmount
    owner_account: AccountId
    """Owner of the offer; pays the fee."""
    offer_id: CreditOfferId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class CreditOfferUpdate(Record):
    """Change an offer; what is absent stays."""

    fee: AssetAmount
    """Charged by the size of the operation."""
    owner_account: AccountId
    """Owner of the offer; pays the fee."""
    offer_id: CreditOfferId
    delta_amount: AssetAmount | None = None
    """What is added to, or taken from, the balance."""
    fee_rate: UInt32 | None = None
    max_duration_seconds: UInt32 | None = None
    min_deal_amount: Int64 | None = None
    enabled: bool | None = None
    auto_disable_time: Timestamp | None = None
    acceptable_collateral: AcceptableCollateral | None = None
    acceptable_borrowers: AcceptableBorrowers | None = None
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        changes = (
            self.delta_amount,
            self.fee_rate,
            self.max_duration_seconds,
            self.min_deal_amount,
            self.enabled,
            self.auto_disable_time,
            self.acceptable_collateral,
            self.acceptable_borrowers,
        )
        require(any(change is not None for change in changes), "nothing to update", rule="O4")
        if self.delta_amount is not None:
            require(self.delta_amount.amount != 0, "delta_amount is zero", rule="O4", value=0)
        if self.max_duration_seconds is not None:
            _check_duration(self.max_duration_seconds, "O4")
        if self.min_deal_amount is not None:
            _check_amount(self.min_deal_amount, "min_deal_amount", "O4")
        if self.acceptable_collateral is not None:
            _check_collateral(self.acceptable_collateral, None, "O4")
        if self.acceptable_borrowers is not None:
            _check_borrowers(self.acceptable_borrowers, "O4")


class CreditOfferAcceptExtensions(Record):
    """Options of `CreditOfferAccept` that came later."""

    auto_repay: UInt8 | None = None
    """An `AutoRepayment`."""


class CreditOfferAccept(Record):
    """Borrow by an offer: a deal is made."""

    fee: AssetAmount
    borrower: AccountId
    """Account that borrows; pays the fee and the collateral."""
    offer_id: CreditOfferId
    borrow_amount: AssetAmount
    collateral: AssetAmount
    max_fee_rate: UInt32
    """Highest fee rate that is accepted, of 1,000,000."""
    min_duration_seconds: UInt32
    """Shortest duration that is accepted."""
    extensions: Annotated[CreditOfferAcceptExtensions, EXTENSION] = CreditOfferAcceptExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.borrow_amount, "borrow_amount", rule="O5")
        check_amount(self.collateral, "collateral", rule="O5")
        if self.extensions.auto_repay is not None:
            _check_auto_repay(self.extensions.auto_repay, "O5")


class CreditDealRepay(Record):
    """Repay a deal, or a part of it."""

    fee: AssetAmount
    account: AccountId
    """The borrower; pays the fee."""
    deal_id: CreditDealId
    repay_amount: AssetAmount
    credit_fee: AssetAmount
    """What the owner of the offer earns; of the same asset."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.repay_amount, "repay_amount", rule="O6")
        require(
            self.credit_fee.amount >= 0,
            "credit_fee is negative",
            rule="O6",
            value=self.credit_fee,
        )
        require(
            self.repay_amount.asset_id == self.credit_fee.asset_id,
            "repay_amount and credit_fee are of two assets",
            rule="O6",
            value=asset_text(self.credit_fee.asset_id),
            limit=asset_text(self.repay_amount.asset_id),
        )


class CreditDealExpired(Record):
    """Virtual: a deal ran out unpaid, and its collateral went to the owner of the offer."""

    fee: AssetAmount
    deal_id: CreditDealId
    offer_id: CreditOfferId
    offer_owner: AccountId
    borrower: AccountId
    unpaid_amount: AssetAmount
    collateral: AssetAmount
    fee_rate: UInt32
    """Of 1,000,000."""

    def validate(self) -> None:
        refuse_virtual("credit_deal_expired")


class CreditDealUpdate(Record):
    """Change whether a deal repays itself."""

    fee: AssetAmount
    account: AccountId
    """The borrower; pays the fee."""
    deal_id: CreditDealId
    auto_repay: UInt8
    """An `AutoRepayment`."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_auto_repay(self.auto_repay, "O7")


def _check_duration(seconds: int, rule: str) -> None:
    require(
        seconds <= MAX_CREDIT_DEAL_S,
        "max_duration_seconds is too long",
        rule=rule,
        value=seconds,
        limit=MAX_CREDIT_DEAL_S,
        unit=SECONDS,
    )


def _check_amount(amount: int, field: str, rule: str) -> None:
    require(
        0 <= amount <= MAX_SUPPLY,
        f"{field} is out of range, in smallest units",
        rule=rule,
        value=amount,
        limit=f"0..{MAX_SUPPLY}",
    )


def _check_collateral(collateral: AcceptableCollateral, lent: AssetId | None, rule: str) -> None:
    """Each price is of the asset that is lent, the same in all, in the collateral that it names."""
    require(len(collateral) > 0, "no acceptable collateral", rule=rule, value=0, limit=1)
    base = collateral[0][1].base.asset_id if lent is None else lent
    for asset, price in collateral:
        require(
            price.base.asset_id == base,
            "base of a collateral's price is not the asset that is lent",
            rule=rule,
            value=asset_text(price.base.asset_id),
            limit=asset_text(base),
        )
        require(
            price.quote.asset_id == asset,
            "quote of a collateral's price is another asset",
            rule=rule,
            value=asset_text(price.quote.asset_id),
            limit=asset_text(asset),
        )
        price.validate("acceptable_collateral", check_upper_bound=True)


def _check_borrowers(borrowers: AcceptableBorrowers, rule: str) -> None:
    for _, amount in borrowers:
        _check_amount(amount, "acceptable_borrowers", rule)


def _check_auto_repay(auto_repay: int, rule: str) -> None:
    require(
        auto_repay < len(AutoRepayment),
        "unknown auto_repay",
        rule=rule,
        value=auto_repay,
        limit=len(AutoRepayment) - 1,
    )
