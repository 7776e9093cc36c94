"""Positions: borrowing a BitAsset against collateral (R3)."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount
from protocol.checks import check_fee, require
from protocol.errors import ASSET
from protocol.ids import AccountId
from protocol.schema import EXTENSION, Record, UInt16


class CallOrderUpdateExtensions(Record):
    """Options of `CallOrderUpdate` that came later."""

    target_collateral_ratio: UInt16 | None = None
    """TCR, over 1,000: a margin call covers no more than needed to reach it (BSIP38, R3.7)."""


class CallOrderUpdate(Record):
    """Open, adjust or close the position of an account in a BitAsset (R3.1)."""

    fee: AssetAmount
    funding_account: AccountId
    """Owner of the position; pays the fee."""
    delta_collateral: AssetAmount
    """Backing that is added (positive) or withdrawn (negative)."""
    delta_debt: AssetAmount
    """BitAsset that is borrowed (positive) or paid back (negative)."""
    extensions: Annotated[CallOrderUpdateExtensions, EXTENSION] = CallOrderUpdateExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.delta_collateral.asset_id != self.delta_debt.asset_id,
            "collateral and debt are one asset",
            rule="R3.1",
            value=self.delta_debt.asset_id,
            unit=ASSET,
        )
        require(
            self.delta_collateral.amount != 0 or self.delta_debt.amount != 0,
            "nothing to update",
            rule="R3.1",
            value=0,
        )
