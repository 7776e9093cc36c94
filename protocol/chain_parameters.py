"""The parameters of a chain that its committee may change (R8.23)."""

from __future__ import annotations

from typing import Annotated

from protocol.checks import check_percent, require
from protocol.constants import (
    CORE_ASSET,
    CORE_UNIT,
    MAX_BLOCK_BYTES,
    MAX_BLOCK_INTERVAL_S,
    MAX_DELAY_S,
    MAX_MARKET_FEE_NETWORK_PERCENT,
    MAX_TRANSACTION_BYTES,
    MIN_BLOCK_INTERVAL_S,
    MIN_BLOCK_SIZE_LIMIT,
    MIN_TRANSACTION_SIZE_LIMIT,
    ONE_PERCENT,
    SECONDS_PER_DAY,
    SECONDS_PER_YEAR,
)
from protocol.errors import PERCENT, SECONDS
from protocol.fee_schedule import FeeSchedule
from protocol.ids import asset_text
from protocol.schema import EXTENSION, Int64, Record, UInt8, UInt16, UInt32

WITNESS_PAY_VESTING_S = SECONDS_PER_DAY
"""Seconds after which a witness's pay is wholly available (R8.7); no parameter on the wire."""


class HtlcOptions(Record):
    """Limits of hash time locks; without them there are none (H1.1)."""

    max_timeout_secs: UInt32
    """Longest time of a lock, in seconds."""
    max_preimage_size: UInt32
    """Largest preimage, in bytes."""


class CustomAuthorityOptions(Record):
    """Limits of custom authorities; without them none is made (C1.1)."""

    max_custom_authority_lifetime_seconds: UInt32 = 30 * SECONDS_PER_DAY
    max_custom_authorities_per_account: UInt32 = 10
    max_custom_authorities_per_account_op: UInt32 = 3
    max_custom_authority_restrictions: UInt32 = 10


class ChainParametersExtensions(Record):
    """Chain parameters that came later."""

    updatable_htlc_options: HtlcOptions | None = None
    custom_authority_options: CustomAuthorityOptions | None = None
    market_fee_network_percent: UInt16 | None = None
    """Network's share of market fees, of 10,000; absent: 0 (R2.15)."""
    maker_fee_discount_percent: UInt16 | None = None
    """Part of the creation fee that a maker gets back, of 10,000; absent: 0 (R2.12)."""


class ChainParameters(Record):
    """What the committee decides; all times in seconds, all shares of 10,000, amounts in CORE."""

    current_fees: FeeSchedule
    block_interval: UInt8 = 5
    """Seconds between two slots (R8.4)."""
    maintenance_interval: UInt32 = SECONDS_PER_DAY
    """Seconds between two maintenances (R8.10)."""
    maintenance_skip_slots: UInt8 = 3
    """Slots without a block after a maintenance (R8.4)."""
    committee_proposal_review_period: UInt32 = 14 * SECONDS_PER_DAY
    """Shortest review period of what the committee account is asked to approve (R8.23)."""
    maximum_transaction_size: UInt32 = 2048
    """Most bytes of a transaction, signatures included (R9.3)."""
    maximum_block_size: UInt32 = 2_000_000
    """Most bytes of a block, header included (R8.1)."""
    maximum_time_until_expiration: UInt32 = SECONDS_PER_DAY
    """How far ahead a transaction may expire (R9.3)."""
    maximum_proposal_lifetime: UInt32 = 28 * SECONDS_PER_DAY
    """How far ahead a proposal may expire (R8.23)."""
    maximum_asset_whitelist_authorities: UInt8 = 10
    """Largest list of accounts whose lists an asset follows (R2.20)."""
    maximum_asset_feed_publishers: UInt8 = 10
    """Most named feed producers of a BitAsset (R1.14)."""
    maximum_witness_count: UInt16 = 1001
    """Most witnesses that are elected (R8.12)."""
    maximum_committee_count: UInt16 = 1001
    """Most active committee members (R8.12)."""
    maximum_authority_membership: UInt16 = 10
    """Most entries of an authority (R9.5)."""
    reserve_percent_of_fee: UInt16 = 20 * ONE_PERCENT
    """Obsolete share that is burned."""
    network_percent_of_fee: UInt16 = 20 * ONE_PERCENT
    """Network's share of fees (R8.20)."""
    lifetime_referrer_percent_of_fee: UInt16 = 30 * ONE_PERCENT
    """Lifetime referrer's share of fees (R8.20)."""
    cashback_vesting_period_seconds: UInt32 = SECONDS_PER_YEAR
    """Time after which a referrer's income is wholly available (R8.20)."""
    cashback_vesting_threshold: Int64 = 100 * CORE_UNIT
    """Fees up to it are available at once (R8.20)."""
    count_non_member_votes: bool = True
    """Whether votes of accounts that are no members count."""
    allow_non_member_whitelists: bool = False
    """Whether accounts that are no members may list accounts."""
    witness_pay_per_block: Int64 = 10 * CORE_UNIT
    """Pay of the witness for a block (R8.7)."""
    worker_budget_per_day: Int64 = 500_000 * CORE_UNIT
    """Most that all workers together get in a day (R8.14)."""
    max_predicate_opcode: UInt16 = 1
    """Predicates of `assert` with a tag below it are allowed."""
    fee_liquidation_threshold: Int64 = 100 * CORE_UNIT
    """Obsolete: accumulated fees that are sold."""
    accounts_per_fee_scale: UInt16 = 1000
    """Registrations after which the basic fee rises (R8.21)."""
    account_fee_scale_bitshifts: UInt8 = 4
    """By how many bits it rises (R8.21)."""
    max_authority_depth: UInt8 = 2
    """Depth to which accounts in authorities are followed (R9.5)."""
    extensions: Annotated[ChainParametersExtensions, EXTENSION] = ChainParametersExtensions()

    def market_fee_network_percent(self) -> int:
        """Network's share of market fees, of 10,000 (R2.15)."""
        return self.extensions.market_fee_network_percent or 0

    def maker_fee_discount_percent(self) -> int:
        """Part of the creation fee that a maker gets back, of 10,000 (R2.12)."""
        return self.extensions.maker_fee_discount_percent or 0

    def validate(self) -> None:
        """Raise `ValidationError` for parameters with which the chain could not go on."""
        for field, percent in (
            ("reserve_percent_of_fee", self.reserve_percent_of_fee),
            ("network_percent_of_fee", self.network_percent_of_fee),
            ("lifetime_referrer_percent_of_fee", self.lifetime_referrer_percent_of_fee),
            (
                "network_percent_of_fee and lifetime_referrer_percent_of_fee together",
                self.network_percent_of_fee + self.lifetime_referrer_percent_of_fee,
            ),
        ):
            check_percent(percent, field, rule="R8.20")
        self._check_times()
        self._check_sizes()
        self._check_pay()
        network_percent = self.market_fee_network_percent()
        require(
            network_percent <= MAX_MARKET_FEE_NETWORK_PERCENT,
            "market_fee_network_percent exceeds 30 %",
            rule="R2.15",
            value=network_percent,
            limit=MAX_MARKET_FEE_NETWORK_PERCENT,
            unit=PERCENT,
        )
        check_percent(self.maker_fee_discount_percent(), "maker_fee_discount_percent", rule="R2.12")

    def _check_times(self) -> None:
        interval = self.block_interval
        require(
            MIN_BLOCK_INTERVAL_S <= interval <= MAX_BLOCK_INTERVAL_S,
            "block_interval is out of range",
            rule="R8.4",
            value=interval,
            limit=f"{MIN_BLOCK_INTERVAL_S}..{MAX_BLOCK_INTERVAL_S}",
        )
        require(
            self.maintenance_interval > interval and self.maintenance_interval % interval == 0,
            "maintenance_interval must be a multiple of block_interval, and longer",
            rule="R8.10",
            value=self.maintenance_interval,
            limit=interval,
            unit=SECONDS,
        )
        require(
            self.maximum_time_until_expiration > interval,
            "maximum_time_until_expiration is not longer than a block interval",
            rule="R9.3",
            value=self.maximum_time_until_expiration,
            limit=interval + 1,
            unit=SECONDS,
        )
        review = self.committee_proposal_review_period
        for field, delay, rule in (
            ("maintenance_interval", self.maintenance_interval, "R8.10"),
            ("committee_proposal_review_period", review, "R8.23"),
        ):
            require(
                delay <= MAX_DELAY_S,
                f"{field} is too long",
                rule=rule,
                value=delay,
                limit=MAX_DELAY_S,
                unit=SECONDS,
            )
        require(
            self.maximum_proposal_lifetime - review > interval,
            "committee_proposal_review_period does not fit maximum_proposal_lifetime",
            rule="R8.23",
            value=review,
            limit=self.maximum_proposal_lifetime - interval - 1,
            unit=SECONDS,
        )

    def _check_sizes(self) -> None:
        """What peers would not take can neither be sent nor stored: no block could be made."""
        for field, size, low, high in (
            (
                "maximum_transaction_size",
                self.maximum_transaction_size,
                MIN_TRANSACTION_SIZE_LIMIT,
                MAX_TRANSACTION_BYTES,
            ),
            ("maximum_block_size", self.maximum_block_size, MIN_BLOCK_SIZE_LIMIT, MAX_BLOCK_BYTES),
        ):
            require(size >= low, f"{field} is too low", rule="R9.3", value=size, limit=low)
            require(size <= high, f"{field} is too high", rule="R9.3", value=size, limit=high)

    def _check_pay(self) -> None:
        """Nobody can be paid less than nothing."""
        for field, pay, rule in (
            ("witness_pay_per_block", self.witness_pay_per_block, "R8.7"),
            ("worker_budget_per_day", self.worker_budget_per_day, "R8.14"),
        ):
            require(
                pay >= 0,
                f"{field} is negative",
                rule=rule,
                value=pay,
                limit=0,
                unit=asset_text(CORE_ASSET),
            )


class ImmutableChainParameters(Record):
    """What genesis fixes for good."""

    min_committee_member_count: UInt16 = 11
    """Fewest active committee members; odd (R8.12)."""
    min_witness_count: UInt16 = 11
    """Fewest active witnesses; odd (R8.12)."""
    num_special_accounts: UInt32 = 0
    """Account ids below it are reserved."""
    num_special_assets: UInt32 = 0
    """Asset ids below it are reserved."""

    def validate(self) -> None:
        """Raise `ValidationError` unless both counts are odd (R8.12)."""
        for field, count in (
            ("min_committee_member_count", self.min_committee_member_count),
            ("min_witness_count", self.min_witness_count),
        ):
            require(count % 2 == 1, f"{field} must be odd", rule="R8.12", value=count)
