"""Workers: projects that the holders of CORE vote to pay from the reserve (R8.14, R8.15)."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount
from protocol.checks import check_fee, check_positive, check_url, require
from protocol.constants import CORE_ASSET, MAX_SUPPLY, SECONDS_PER_DAY, WORKER_NAME_LENGTH_MAX
from protocol.errors import TIME
from protocol.ids import AccountId, asset_text
from protocol.schema import MAX_TIMESTAMP, Int64, Record, Timestamp, UInt16, Variant

PAY_VESTING_DAYS_MAX = MAX_TIMESTAMP // SECONDS_PER_DAY
"""Longest vesting of pay: a vesting balance counts it in seconds, in 32 bits."""


class RefundWorkerInitializer(Record):
    """The pay returns to the reserve (R8.15)."""


class VestingBalanceWorkerInitializer(Record):
    """The pay goes to a vesting balance of the worker's account (R8.15)."""

    pay_vesting_period_days: UInt16
    """Days after which a payment is wholly available."""


class BurnWorkerInitializer(Record):
    """The pay goes to the null account, which nobody owns (R8.15)."""


WorkerInitializer = Annotated[
    RefundWorkerInitializer | VestingBalanceWorkerInitializer | BurnWorkerInitializer,
    Variant(
        {0: RefundWorkerInitializer, 1: VestingBalanceWorkerInitializer, 2: BurnWorkerInitializer}
    ),
]
"""What happens to the pay of a worker."""


class WorkerCreate(Record):
    """Propose a worker; from then on it can be voted for, and it never changes."""

    fee: AssetAmount
    owner: AccountId
    """Lifetime member that works; pays the fee."""
    work_begin_date: Timestamp
    """Nothing is paid before."""
    work_end_date: Timestamp
    """Nothing is paid after."""
    daily_pay: Int64
    """CORE, smallest units, for 86,400 seconds."""
    name: str
    """Title for people, below 63 bytes."""
    url: str
    """Where the worker is described, below 127 bytes."""
    initializer: WorkerInitializer

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.work_end_date > self.work_begin_date,
            "work ends before it begins",
            rule="R8.15",
            value=self.work_end_date,
            limit=self.work_begin_date,
            unit=TIME,
        )
        check_positive(self.daily_pay, "daily_pay", rule="R8.15", unit=asset_text(CORE_ASSET))
        require(
            self.daily_pay < MAX_SUPPLY,
            "daily_pay is all that can exist",
            rule="R8.15",
            value=self.daily_pay,
            limit=MAX_SUPPLY - 1,
            unit=asset_text(CORE_ASSET),
        )
        require(
            len(self.name.encode()) < WORKER_NAME_LENGTH_MAX,
            "name too long",
            rule="R8.15",
            value=len(self.name.encode()),
            limit=WORKER_NAME_LENGTH_MAX - 1,
        )
        check_url(self.url)
        if isinstance(self.initializer, VestingBalanceWorkerInitializer):
            days = self.initializer.pay_vesting_period_days
            require(
                days <= PAY_VESTING_DAYS_MAX,
                "pay_vesting_period_days is too long",
                rule="R8.15",
                value=days,
                limit=PAY_VESTING_DAYS_MAX,
            )
