"""Tickets: CORE locked for a time, for more voting power (K1.1, K2)."""

from __future__ import annotations

from enum import IntEnum

from protocol.asset import AssetAmount
from protocol.checks import check_amount, check_fee, check_positive, require
from protocol.constants import CORE_ASSET
from protocol.ids import AccountId, TicketId, asset_text
from protocol.schema import NoExtensions, Record, VarUInt32


class TicketType(IntEnum):
    """For how long a ticket locks its CORE."""

    LIQUID = 0
    LOCK_180_DAYS = 1
    LOCK_360_DAYS = 2
    LOCK_720_DAYS = 3
    LOCK_FOREVER = 4


class TicketCreate(Record):
    """Lock CORE."""

    fee: AssetAmount
    account: AccountId
    """Account that the CORE leaves; pays the fee."""
    target_type: VarUInt32
    """The `TicketType` that the ticket works up to; not `LIQUID`."""
    amount: AssetAmount
    """CORE, smallest units."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        check_positive(self.target_type, "target_type")
        _check_type(self.target_type)
        _check_core(self.amount)


class TicketUpdate(Record):
    """Change what a ticket, or a part of it, works up to."""

    fee: AssetAmount
    ticket: TicketId
    account: AccountId
    """Owner of the ticket; pays the fee."""
    target_type: VarUInt32
    """New `TicketType`; `LIQUID` frees the CORE bit by bit."""
    amount_for_new_target: AssetAmount | None = None
    """CORE that is split off for the new target; absent: all."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        _check_type(self.target_type)
        if self.amount_for_new_target is not None:
            _check_core(self.amount_for_new_target)


def _check_type(target_type: int) -> None:
    require(
        target_type < len(TicketType),
        "unknown target_type",
        value=target_type,
        limit=len(TicketType) - 1,
    )


def _check_core(amount: AssetAmount) -> None:
    check_amount(amount, "amount")
    require(
        amount.asset_id == CORE_ASSET,
        "a ticket locks CORE only",
        value=asset_text(amount.asset_id),
        limit=asset_text(CORE_ASSET),
    )
