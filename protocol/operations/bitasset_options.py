"""The options of a BitAsset and the feed that its producers publish."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal, TypeAlias, get_args

from protocol.asset import NULL_PRICE, Price
from protocol.checks import check_percent, check_ratio, require
from protocol.constants import (
    CORE_ASSET,
    DEFAULT_FEED_LIFETIME_S,
    DEFAULT_FORCE_SETTLEMENT_DELAY_S,
    DEFAULT_FORCE_SETTLEMENT_OFFSET,
    DEFAULT_FORCE_SETTLEMENT_VOLUME,
    DEFAULT_MAINTENANCE_COLLATERAL_RATIO,
    DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO,
    MAX_COLLATERAL_RATIO,
)
from protocol.errors import RATIO
from protocol.ids import AssetId
from protocol.schema import EXTENSION, Record, UInt8, UInt16, UInt32


class BlackSwanResponse(IntEnum):
    """What happens when a position cannot pay its debt (R6.9)."""

    GLOBAL_SETTLEMENT = 0
    NO_SETTLEMENT = 1
    INDIVIDUAL_SETTLEMENT_TO_FUND = 2
    INDIVIDUAL_SETTLEMENT_TO_ORDER = 3


ResponseName: TypeAlias = Literal["global", "none", "fund", "order"]
RESPONSE_NAMES: tuple[ResponseName, ...] = get_args(ResponseName)
"""What people call the responses, by their numbers."""


class BitassetOptionsExtensions(Record):
    """Options of a BitAsset that came later; ratios are over 1,000."""

    initial_collateral_ratio: UInt16 | None = None
    """ICR, instead of the producers' (BSIP77, R1.16)."""
    maintenance_collateral_ratio: UInt16 | None = None
    """MCR, instead of the producers' (BSIP75, R1.16)."""
    maximum_short_squeeze_ratio: UInt16 | None = None
    """MSSR (MSQR), instead of the producers' (BSIP75, R1.16)."""
    margin_call_fee_ratio: UInt16 | None = None
    """MCFR: part of the squeeze protection that the issuer takes (BSIP74, R1.8)."""
    force_settle_fee_percent: UInt16 | None = None
    """Share of a settlement that the issuer takes, of 10,000 (BSIP87)."""
    black_swan_response_method: UInt8 | None = None
    """A `BlackSwanResponse`; absent: global settlement (BS1)."""

    def response(self) -> BlackSwanResponse:
        """What happens when a position cannot pay; the options are valid (BS1)."""
        return BlackSwanResponse(self.black_swan_response_method or 0)


class BitassetOptions(Record):
    """What the issuer of a BitAsset decides about its feed and settlement."""

    feed_lifetime_sec: UInt32 = DEFAULT_FEED_LIFETIME_S
    """Seconds for which a published feed counts (R1.15)."""
    minimum_feeds: UInt8 = 1
    """Live feeds that make a median (R1.16)."""
    force_settlement_delay_sec: UInt32 = DEFAULT_FORCE_SETTLEMENT_DELAY_S
    """Seconds between the request of a settlement and its execution (R5.2)."""
    force_settlement_offset_percent: UInt16 = DEFAULT_FORCE_SETTLEMENT_OFFSET
    """What a settler gets less than the feed, of 10,000 (R5.4)."""
    maximum_force_settlement_volume: UInt16 = DEFAULT_FORCE_SETTLEMENT_VOLUME
    """Share of the supply that may be settled in one maintenance interval, of 10,000 (R5.4)."""
    short_backing_asset: AssetId = CORE_ASSET
    """Asset of the collateral."""
    extensions: Annotated[BitassetOptionsExtensions, EXTENSION] = BitassetOptionsExtensions()

    def validate(self) -> None:
        """Raise `ValidationError` for options out of bounds (section 0)."""
        require(
            self.minimum_feeds > 0,
            "minimum_feeds must be positive",
            rule="R1.16",
            value=self.minimum_feeds,
            limit=1,
        )
        check_percent(
            self.force_settlement_offset_percent, "force_settlement_offset_percent", rule="R5.4"
        )
        check_percent(
            self.maximum_force_settlement_volume, "maximum_force_settlement_volume", rule="R5.4"
        )
        options = self.extensions
        check_ratio(options.initial_collateral_ratio, "initial_collateral_ratio")
        check_ratio(options.maintenance_collateral_ratio, "maintenance_collateral_ratio")
        check_ratio(options.maximum_short_squeeze_ratio, "maximum_short_squeeze_ratio")
        if options.margin_call_fee_ratio is not None:
            require(
                options.margin_call_fee_ratio <= MAX_COLLATERAL_RATIO,
                "margin_call_fee_ratio is out of range",
                rule="R1.8",
                value=options.margin_call_fee_ratio,
                limit=MAX_COLLATERAL_RATIO,
                unit=RATIO,
            )
        check_percent(options.force_settle_fee_percent, "force_settle_fee_percent", rule="BSIP87")
        if options.black_swan_response_method is not None:
            require(
                options.black_swan_response_method < len(BlackSwanResponse),
                "unknown black_swan_response_method",
                rule="R6.9",
                value=options.black_swan_response_method,
                limit=len(BlackSwanResponse) - 1,
            )


class PriceFeed(Record):
    """What a producer says about a BitAsset (R1.12). The ICR travels beside it, in extensions."""

    settlement_price: Price = NULL_PRICE
    """Debt per backing: base is the BitAsset, quote its backing asset."""
    maintenance_collateral_ratio: UInt16 = DEFAULT_MAINTENANCE_COLLATERAL_RATIO
    """MCR, over 1,000."""
    maximum_short_squeeze_ratio: UInt16 = DEFAULT_MAXIMUM_SHORT_SQUEEZE_RATIO
    """MSSR, which is the MSQR, over 1,000."""
    core_exchange_rate: Price = NULL_PRICE
    """CER: base is the BitAsset, quote CORE."""

    def validate(self) -> None:
        """Raise `ValidationError` for an impossible price or a ratio out of bounds (R1.12)."""
        if not self.settlement_price.is_null():
            self.settlement_price.validate("settlement_price")
        if not self.core_exchange_rate.is_null():
            self.core_exchange_rate.validate("core_exchange_rate")
        check_ratio(self.maintenance_collateral_ratio, "maintenance_collateral_ratio")
        check_ratio(self.maximum_short_squeeze_ratio, "maximum_short_squeeze_ratio")
