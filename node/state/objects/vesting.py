"""Vesting balances and the claimable balances of genesis."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.asset import AssetAmount
from protocol.ids import AccountId, BalanceId, VestingBalanceId
from protocol.schema import Address, Int64, Record, Timestamp, UInt8, UInt32, UInt128, Variant


class LinearVesting(Record):
    """Released evenly over a duration, nothing before a cliff (R8.16)."""

    begin_timestamp: Timestamp
    vesting_cliff_seconds: UInt32
    vesting_duration_seconds: UInt32
    begin_balance: Int64


class CddVesting(Record):
    """Released as coin seconds accumulate (R8.16)."""

    vesting_seconds: UInt32
    start_claim: Timestamp
    coin_seconds_earned: UInt128
    coin_seconds_earned_last_update: Timestamp


class InstantVesting(Record):
    """Everything is withdrawable at any time (R8.16)."""


VestingPolicy = LinearVesting | CddVesting | InstantVesting

BALANCE_UNSPECIFIED = 0
BALANCE_CASHBACK = 1
BALANCE_WORKER = 2
BALANCE_WITNESS = 3
BALANCE_MARKET_FEE_SHARING = 4
BALANCE_NAMES = ("unspecified", "cashback", "worker", "witness", "market_fee_sharing")
"""What BitShares calls them, by their numbers."""


class VestingBalance(StateObject):
    """A balance released over time (1.13.n)."""

    id: VestingBalanceId
    owner: AccountId
    balance: AssetAmount
    policy: Annotated[VestingPolicy, Variant({0: LinearVesting, 1: CddVesting, 2: InstantVesting})]
    balance_type: UInt8
    """What it is for: one of the `BALANCE_` constants."""


class GenesisBalance(StateObject):
    """An amount of genesis that the holder of a key may claim (1.15.n)."""

    id: BalanceId
    owner: Address
    balance: AssetAmount
    vesting_policy: LinearVesting | None
    last_claim_date: Timestamp
