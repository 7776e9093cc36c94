"""The fee schedule as it stands in the chain parameters; `protocol.fees` computes with it."""

from __future__ import annotations

from typing import Annotated

from protocol.constants import HUNDRED_PERCENT
from protocol.schema import SORTED, Record, Tagged, UInt32, UInt64, Variant


class NoFee(Record):
    """Virtual and free operations have no parameters."""


class FlatFee(Record):
    """One price for every operation of its kind."""

    fee: UInt64
    """CORE, smallest units."""


class SizedFee(Record):
    """A price and a charge for the bytes of a memo or of the whole operation."""

    fee: UInt64
    """CORE, smallest units."""
    price_per_kbyte: UInt32
    """CORE, smallest units for 1,024 bytes."""


class AccountCreateFee(Record):
    """Fee of account_create: by name, and by size."""

    basic_fee: UInt64
    """CORE, smallest units; for cheap names (`protocol.names`)."""
    premium_fee: UInt64
    """CORE, smallest units; for all other names."""
    price_per_kbyte: UInt32
    """CORE, smallest units for 1,024 bytes."""


class AccountUpgradeFee(Record):
    """Fee of account_upgrade: for a year or for life."""

    membership_annual_fee: UInt64
    """CORE, smallest units."""
    membership_lifetime_fee: UInt64
    """CORE, smallest units."""


class AssetCreateFee(Record):
    """Fee of asset_create: by the length of the symbol, and by size."""

    symbol3: UInt64
    """CORE, smallest units; for a symbol of 3 characters."""
    symbol4: UInt64
    """CORE, smallest units; for a symbol of 4 characters."""
    long_symbol: UInt64
    """CORE, smallest units; for longer symbols."""
    price_per_kbyte: UInt32
    """CORE, smallest units for 1,024 bytes."""


class OutputFee(Record):
    """Fee of blind transfers: for each output."""

    fee: UInt64
    """CORE, smallest units."""
    price_per_output: UInt32
    """CORE, smallest units."""


class DailyFee(Record):
    """Fee of hash time locks: for each day."""

    fee: UInt64
    """CORE, smallest units."""
    fee_per_day: UInt64
    """CORE, smallest units."""


class PreimageFee(Record):
    """Fee of a hash time lock's redemption: by the size of the preimage."""

    fee: UInt64
    """CORE, smallest units."""
    fee_per_kb: UInt64
    """CORE, smallest units for 1,024 bytes."""


class ByteFee(Record):
    """Fee of custom authorities: for each byte."""

    basic_fee: UInt64
    """CORE, smallest units."""
    price_per_byte: UInt32
    """CORE, smallest units."""


FeeParameters = (
    NoFee
    | FlatFee
    | SizedFee
    | AccountCreateFee
    | AccountUpgradeFee
    | AssetCreateFee
    | OutputFee
    | DailyFee
    | PreimageFee
    | ByteFee
)
"""The parameters of one kind of operation."""


class FeeSchedule(Record):
    """What operations cost, in CORE (R8.17)."""

    parameters: Annotated[tuple[Annotated[Tagged, Variant("fee_parameters")], ...], SORTED]
    """Parameters by operation id; an absent id costs what `protocol.fees` says."""
    scale: UInt32 = HUNDRED_PERCENT
    """Factor on all fees, over 10,000."""
