"""Assets of any kind: creation, options, issuer, supply, fee pool."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount, multiply_floor
from protocol.checks import check_amount, check_fee, check_positive, check_suppliable, require
from protocol.constants import ASSET_PRECISION_MAX, CORE_ASSET
from protocol.errors import ACCOUNT, ASSET
from protocol.ids import AccountId, AssetId, asset_text
from protocol.names import is_valid_symbol
from protocol.operations.asset_options import (
    BITASSET_ONLY_MASK,
    COMMITTEE_FED_ASSET,
    DISABLE_BSRM_UPDATE,
    GLOBAL_SETTLE,
    WITNESS_FED_ASSET,
    AssetOptions,
)
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.memo import Memo
from protocol.schema import EXTENSION, Int64, NoExtensions, Record, UInt8

NEW_ASSET = AssetId(1)
"""Stands for the asset itself in the core exchange rate of `AssetCreate`."""


class AssetCreate(Record):
    """Create a user-issued asset, or with `bitasset_opts` a BitAsset."""

    fee: AssetAmount
    issuer: AccountId
    """Account that will own the asset; pays the fee."""
    symbol: str
    """Unique name of the asset (R2.19); its length decides the fee (R8.19)."""
    precision: UInt8
    """Decimal places that people see; the chain counts smallest units."""
    common_options: AssetOptions
    """Options; in `core_exchange_rate` the new asset is called 1.3.1."""
    bitasset_opts: BitassetOptions | None = None
    """Present for a BitAsset."""
    is_prediction_market: bool = False
    """A BitAsset whose positions hold as much collateral as debt, settled by its issuer."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(is_valid_symbol(self.symbol), "not a symbol", rule="R2.19", value=self.symbol)
        self.common_options.validate()
        only_bitasset = BITASSET_ONLY_MASK & ~(WITNESS_FED_ASSET | COMMITTEE_FED_ASSET)
        permissions = self.common_options.issuer_permissions
        if self.bitasset_opts is None:
            require(
                not permissions & only_bitasset,
                "permission that only a BitAsset has",
                rule="BSIP48",
                value=f"{permissions:#x}",
                limit=f"{~only_bitasset & 0xFFFF:#x}",
            )
        else:
            self.bitasset_opts.validate()
        if self.is_prediction_market:
            self._check_prediction_market()
        _check_core_exchange_rate(self.common_options, NEW_ASSET, AssetAmount(1, CORE_ASSET))
        _check_precision(self.precision)

    def _check_prediction_market(self) -> None:
        require(self.bitasset_opts is not None, "prediction market must be a BitAsset", rule="R7.1")
        permissions = self.common_options.issuer_permissions
        require(
            permissions & GLOBAL_SETTLE != 0,
            "prediction market that can never be settled",
            rule="R7.1",
            value=f"{permissions:#x}",
        )
        require(
            not permissions & DISABLE_BSRM_UPDATE
            and self.bitasset_opts is not None
            and self.bitasset_opts.extensions.black_swan_response_method is None,
            "prediction market with a black swan response",
            rule="R7.1",
        )


class AssetUpdateExtensions(Record):
    """Options of `AssetUpdate` that came later."""

    new_precision: UInt8 | None = None
    """New number of decimal places; only while no supply exists."""
    skip_core_exchange_rate: bool | None = None
    """True: keep the present core exchange rate; never False."""


class AssetUpdate(Record):
    """Change the options of an asset."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee."""
    asset_to_update: AssetId
    new_issuer: AccountId | None
    """Obsolete way to change the issuer; `AssetUpdateIssuer` replaced it."""
    new_options: AssetOptions
    """Replaces all options."""
    extensions: Annotated[AssetUpdateExtensions, EXTENSION] = AssetUpdateExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_new_issuer(self.issuer, self.new_issuer)
        self.new_options.validate()
        _check_core_exchange_rate(
            self.new_options, self.asset_to_update, AssetAmount(1, self.asset_to_update)
        )
        if self.extensions.new_precision is not None:
            _check_precision(self.extensions.new_precision)
        require(
            self.extensions.skip_core_exchange_rate is not False,
            "skip_core_exchange_rate, if present, must be true",
            value=False,
        )


class AssetUpdateIssuer(Record):
    """Hand an asset over; needs the issuer's owner authority (R9.6)."""

    fee: AssetAmount
    issuer: AccountId
    """Present issuer; pays the fee."""
    asset_to_update: AssetId
    new_issuer: AccountId
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_new_issuer(self.issuer, self.new_issuer)


class AssetIssue(Record):
    """Create supply of a user-issued asset."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee."""
    asset_to_issue: AssetAmount
    """What is created, in smallest units."""
    issue_to_account: AccountId
    """Account that receives it."""
    memo: Memo | None = None
    """Message to the receiver; charged by its size."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_suppliable(self.asset_to_issue, "asset_to_issue")
        require(
            self.asset_to_issue.asset_id != CORE_ASSET,
            "CORE cannot be issued",
            value=CORE_ASSET,
            unit=ASSET,
        )


class AssetReserve(Record):
    """Destroy supply: take it out of circulation for good."""

    fee: AssetAmount
    payer: AccountId
    """Account whose balance is destroyed; pays the fee."""
    amount_to_reserve: AssetAmount
    """What is destroyed, in smallest units; not of a BitAsset."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_suppliable(self.amount_to_reserve, "amount_to_reserve")


class AssetFundFeePool(Record):
    """Put CORE into an asset's fee pool, so that fees can be paid in the asset (R8.22)."""

    fee: AssetAmount
    """Must be CORE."""
    from_account: AccountId
    """Account that the CORE and the fee leave."""
    asset_id: AssetId
    """Asset whose pool is filled."""
    amount: Int64
    """CORE in smallest units."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.fee.asset_id == CORE_ASSET,
            "fee of asset_fund_fee_pool must be CORE",
            rule="R8.22",
            value=self.fee.asset_id,
            limit=CORE_ASSET,
            unit=ASSET,
        )
        check_positive(self.amount, "amount", rule="R8.22", unit=asset_text(CORE_ASSET))


class AssetClaimFeesExtensions(Record):
    """Options of `AssetClaimFees` that came later."""

    claim_from_asset_id: AssetId | None = None
    """BitAsset whose collateral fees are claimed; absent: the claimed asset's own (R8.22)."""


class AssetClaimFees(Record):
    """Pay the fees that an asset has accumulated out to its issuer (R8.22)."""

    fee: AssetAmount
    issuer: AccountId
    """Issuer of the asset; pays the fee and receives the claim."""
    amount_to_claim: AssetAmount
    """What is claimed, in smallest units."""
    extensions: Annotated[AssetClaimFeesExtensions, EXTENSION] = AssetClaimFeesExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount_to_claim, "amount_to_claim", rule="R8.22")
        require(
            self.extensions.claim_from_asset_id != self.amount_to_claim.asset_id,
            "claim_from_asset_id is the claimed asset itself",
            rule="R8.22",
            value=self.amount_to_claim.asset_id,
            unit=ASSET,
        )


class AssetClaimPool(Record):
    """Pay CORE out of an asset's fee pool to its issuer (R8.22)."""

    fee: AssetAmount
    """Must not be of the asset itself."""
    issuer: AccountId
    """Issuer of the asset; pays the fee and receives the claim."""
    asset_id: AssetId
    """Asset whose pool is claimed."""
    amount_to_claim: AssetAmount
    """CORE in smallest units."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.fee.asset_id != self.asset_id,
            "fee of asset_claim_pool is of the asset itself",
            rule="R8.22",
            value=self.asset_id,
            unit=ASSET,
        )
        check_amount(self.amount_to_claim, "amount_to_claim", rule="R8.22")
        require(
            self.amount_to_claim.asset_id == CORE_ASSET,
            "a fee pool holds CORE only",
            rule="R8.22",
            value=self.amount_to_claim.asset_id,
            limit=CORE_ASSET,
            unit=ASSET,
        )


def _check_core_exchange_rate(options: AssetOptions, asset: AssetId, unit: AssetAmount) -> None:
    rate = options.core_exchange_rate
    require(
        {rate.base.asset_id, rate.quote.asset_id} == {CORE_ASSET, asset},
        "core_exchange_rate is not between CORE and the asset",
        rule="R8.17",
        value=rate,
        limit=asset_text(asset),
    )
    multiply_floor(unit, rate)


def _check_precision(precision: int) -> None:
    require(
        precision <= ASSET_PRECISION_MAX,
        "too many decimal places",
        rule="R2.19",
        value=precision,
        limit=ASSET_PRECISION_MAX,
    )


def _check_new_issuer(issuer: AccountId, new_issuer: AccountId | None) -> None:
    require(new_issuer != issuer, "new issuer is the issuer", value=issuer, unit=ACCOUNT)
