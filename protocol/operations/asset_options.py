"""The options of an asset: supply, market fee, permissions, flags, lists."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import Price
from protocol.checks import check_percent, require
from protocol.constants import CORE_ASSET, MAX_SUPPLY
from protocol.errors import ASSET
from protocol.ids import AccountId, AssetId
from protocol.schema import EXTENSION, SORTED, Int64, Record, UInt16

CHARGE_MARKET_FEE = 0x01
"""Trades in the asset may be charged a market fee (R2.14)."""
WHITE_LIST = 0x02
"""Accounts must pass the whitelist test (R2.20)."""
OVERRIDE_AUTHORITY = 0x04
"""The issuer may move anybody's balance."""
TRANSFER_RESTRICTED = 0x08
"""Only transfers from and to the issuer."""
DISABLE_FORCE_SETTLE = 0x10
"""Holders cannot ask for settlement while the asset is live (R5.1)."""
GLOBAL_SETTLE = 0x20
"""The issuer may settle globally; a permission, never a flag (R6.3)."""
DISABLE_CONFIDENTIAL = 0x40
"""No blinded transfers."""
WITNESS_FED_ASSET = 0x80
"""The active witnesses publish the feeds (R1.13)."""
COMMITTEE_FED_ASSET = 0x100
"""The active committee members publish the feeds (R1.13)."""
LOCK_MAX_SUPPLY = 0x200
"""The largest supply stays as it is."""
DISABLE_NEW_SUPPLY = 0x400
"""No new supply may be created (R3.2)."""
DISABLE_MCR_UPDATE = 0x800
"""The issuer may not set the MCR; a permission, never a flag."""
DISABLE_ICR_UPDATE = 0x1000
"""The issuer may not set the ICR; a permission, never a flag."""
DISABLE_MSSR_UPDATE = 0x2000
"""The issuer may not set the MSSR; a permission, never a flag."""
DISABLE_BSRM_UPDATE = 0x4000
"""The issuer may not set the black swan response; a permission, never a flag."""
DISABLE_COLLATERAL_BIDDING = 0x8000
"""No collateral bids after a global settlement."""

PERMISSION_MASK = 0xFFFF
"""All bits; each is a permission of a BitAsset's issuer."""
ENABLE_BITS_MASK = 0x1FF
"""Bits that, set in the permissions, allow the issuer something."""
DISABLE_BITS_MASK = PERMISSION_MASK ^ ENABLE_BITS_MASK
"""Bits that, set in the permissions, forbid the issuer something."""
UIA_PERMISSION_MASK = (
    CHARGE_MARKET_FEE
    | WHITE_LIST
    | OVERRIDE_AUTHORITY
    | TRANSFER_RESTRICTED
    | DISABLE_CONFIDENTIAL
    | LOCK_MAX_SUPPLY
    | DISABLE_NEW_SUPPLY
)
"""Permissions and flags of a user-issued asset."""
DEFAULT_UIA_PERMISSIONS = UIA_PERMISSION_MASK & ENABLE_BITS_MASK
BITASSET_ONLY_MASK = PERMISSION_MASK ^ UIA_PERMISSION_MASK
"""Permissions that only a BitAsset can have."""
PERMISSION_ONLY_MASK = (
    GLOBAL_SETTLE
    | DISABLE_MCR_UPDATE
    | DISABLE_ICR_UPDATE
    | DISABLE_MSSR_UPDATE
    | DISABLE_BSRM_UPDATE
)
"""Bits that are permissions and never flags."""
VALID_FLAGS_MASK = PERMISSION_MASK ^ PERMISSION_ONLY_MASK
"""Flags of a BitAsset."""


class AssetOptionsExtensions(Record):
    """Options of an asset that came later."""

    reward_percent: UInt16 | None = None
    """Share of the market fee for the seller's registrar and referrer; of 10,000 (R2.15)."""
    whitelist_market_fee_sharing: Annotated[tuple[AccountId, ...], SORTED] | None = None
    """Registrars that share in the market fee; absent or empty: all (R2.15)."""
    taker_fee_percent: UInt16 | None = None
    """Market fee of takers, of 10,000; absent: `market_fee_percent` (R2.14)."""


class AssetOptions(Record):
    """What the issuer of an asset decides about it."""

    max_supply: Int64
    """Largest supply that may ever exist, in smallest units."""
    market_fee_percent: UInt16
    """Market fee on what is received in a trade, of 10,000 (R2.14)."""
    max_market_fee: Int64
    """Largest market fee of one fill, in smallest units."""
    issuer_permissions: UInt16
    """Bits that say what the issuer may still change; see the constants of this module."""
    flags: UInt16
    """Bits in force now; see the constants of this module."""
    core_exchange_rate: Price
    """Price in CORE at which the fee pool takes fees in this asset (R8.17)."""
    whitelist_authorities: Annotated[tuple[AccountId, ...], SORTED] = ()
    """Accounts whose white list admits holders (R2.20)."""
    blacklist_authorities: Annotated[tuple[AccountId, ...], SORTED] = ()
    """Accounts whose black list excludes holders (R2.20)."""
    whitelist_markets: Annotated[tuple[AssetId, ...], SORTED] = ()
    """The only assets that it may be traded for; empty: all."""
    blacklist_markets: Annotated[tuple[AssetId, ...], SORTED] = ()
    """Assets that it may not be traded for."""
    description: str = ""
    """Text, or JSON with the keys `main`, `short_name`, `market`; charged by size."""
    extensions: Annotated[AssetOptionsExtensions, EXTENSION] = AssetOptionsExtensions()

    def validate(self) -> None:
        """Raise `ValidationError` for options that no asset can have (R2.16, R1.13)."""
        _check_bounded(self.max_supply, "max_supply", low=1)
        check_percent(self.market_fee_percent, "market_fee_percent", rule="R2.16")
        check_percent(self.extensions.taker_fee_percent, "taker_fee_percent", rule="R2.16")
        check_percent(self.extensions.reward_percent, "reward_percent", rule="R2.16")
        _check_bounded(self.max_market_fee, "max_market_fee", low=0)
        require(
            not self.flags & GLOBAL_SETTLE,
            "global_settle is a permission, not a flag",
            value=self.flags,
        )
        fed_by_both = WITNESS_FED_ASSET | COMMITTEE_FED_ASSET
        require(
            self.flags & fed_by_both != fed_by_both,
            "fed by witnesses and by the committee",
            rule="R1.13",
            value=self.flags,
        )
        rate = self.core_exchange_rate
        rate.validate("core_exchange_rate")
        require(
            CORE_ASSET in (rate.base.asset_id, rate.quote.asset_id),
            "core_exchange_rate is not in CORE",
            rule="R8.17",
            value=rate,
        )
        self._check_lists()

    def validate_flags(self, *, is_bitasset: bool) -> None:
        """Raise `ValidationError` for flags that this kind of asset cannot have (BSIP48)."""
        allowed = VALID_FLAGS_MASK if is_bitasset else UIA_PERMISSION_MASK
        require(
            not self.flags & ~allowed,
            "flag that this kind of asset cannot have",
            rule="BSIP48",
            value=f"{self.flags:#x}",
            limit=f"{allowed:#x}",
        )

    def enabled_permissions(self) -> int:
        """Bits that the issuer may change, whichever way the permission bit is meant (BSIP48)."""
        permissions = self.issuer_permissions
        return permissions & ENABLE_BITS_MASK | ~permissions & DISABLE_BITS_MASK

    def _check_lists(self) -> None:
        if self.whitelist_authorities or self.blacklist_authorities:
            require(
                self.flags & WHITE_LIST != 0,
                "list authorities without the white_list flag",
                rule="R2.20",
                value=self.flags,
            )
        for asset in self.whitelist_markets:
            require(
                asset not in self.blacklist_markets,
                "market on the white list and on the black list",
                rule="R2.1",
                value=asset,
                unit=ASSET,
            )


def _check_bounded(value: int, field: str, *, low: int) -> None:
    require(
        low <= value <= MAX_SUPPLY,
        f"{field} is out of range, in smallest units",
        rule="R2.16",
        value=value,
        limit=f"{low}..{MAX_SUPPLY}",
    )
