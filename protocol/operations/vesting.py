"""Vesting balances: funds that become available over time (R8.16)."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, require
from protocol.constants import TEMP_ACCOUNT
from protocol.errors import ACCOUNT
from protocol.ids import AccountId, VestingBalanceId
from protocol.schema import Record, Timestamp, UInt32, Variant


class LinearVestingPolicy(Record):
    """Equal parts of the first deposit become available as time passes."""

    begin_timestamp: Timestamp
    """Start of the time that counts."""
    vesting_cliff_seconds: UInt32
    """Nothing is available before this many seconds have passed."""
    vesting_duration_seconds: UInt32
    """Everything is available once this many seconds have passed."""


class CddVestingPolicy(Record):
    """Coin-days destroyed: each withdrawal spends coin seconds earned by waiting."""

    start_claim: Timestamp
    """Nothing is available before."""
    vesting_seconds: UInt32
    """Seconds after which a deposit is wholly available."""


class InstantVestingPolicy(Record):
    """Everything is available at once."""


VestingPolicy = Annotated[
    LinearVestingPolicy | CddVestingPolicy | InstantVestingPolicy,
    Variant({0: LinearVestingPolicy, 1: CddVestingPolicy, 2: InstantVestingPolicy}),
]
"""How a new vesting balance vests."""


class VestingBalanceCreate(Record):
    """Put funds aside for an account."""

    fee: AssetAmount
    creator: AccountId
    """Account that the amount leaves; pays the fee."""
    owner: AccountId
    """Account that may withdraw."""
    amount: AssetAmount
    """What is put aside, in smallest units."""
    policy: VestingPolicy

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount", rule="R8.16")


class VestingBalanceWithdraw(Record):
    """Withdraw what has become available."""

    fee: AssetAmount
    vesting_balance: VestingBalanceId
    owner: AccountId
    """Owner of the vesting balance; receives the amount and pays the fee."""
    amount: AssetAmount
    """What is withdrawn, in smallest units."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_amount(self.amount, "amount", rule="R8.16")
        require(
            self.owner != TEMP_ACCOUNT,
            "the temp account owns no vesting balance",
            rule="R9.8",
            value=self.owner,
            unit=ACCOUNT,
        )
