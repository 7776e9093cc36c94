"""Accounts, their statistics and their balances."""

from __future__ import annotations

from typing import Annotated

from node.state.objects.base import StateObject
from protocol.authority import Authority
from protocol.ids import (
    AccountBalanceId,
    AccountId,
    AccountStatisticsId,
    AssetId,
    SpecialAuthorityId,
    VestingBalanceId,
)
from protocol.operations.account import AccountOptions, TopHoldersSpecialAuthority
from protocol.schema import (
    MAX_TIMESTAMP,
    SORTED,
    Int64,
    Record,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)

AccountSet = Annotated[tuple[AccountId, ...], SORTED]
OWNER_BY_HOLDERS, ACTIVE_BY_HOLDERS = 1, 2
"""Bits of `SpecialAuthorities.top_n_control_flags`."""


class SpecialAuthorities(Record):
    """Which authorities of an account are made of the largest holders of an asset (Y1.1)."""

    owner: TopHoldersSpecialAuthority | None = None
    active: TopHoldersSpecialAuthority | None = None
    top_n_control_flags: UInt8 = 0
    """Bits of those that a maintenance has made since the account last changed them (Y1.2)."""


NO_HOLDERS = SpecialAuthorities()


class Account(StateObject):
    """A named account (1.2.n)."""

    id: AccountId
    membership_expiration_date: Timestamp
    """`MAX_TIMESTAMP` for a lifetime member; the past for a basic account."""
    registrar: AccountId
    referrer: AccountId
    lifetime_referrer: AccountId
    network_fee_percentage: UInt16
    """Share of this account's fees for the network, over 10,000 (R8.20)."""
    lifetime_referrer_fee_percentage: UInt16
    referrer_rewards_percentage: UInt16
    """The referrer's share of what is left for registrar and referrer, over 10,000."""
    name: str
    owner: Authority
    active: Authority
    options: AccountOptions
    statistics: AccountStatisticsId
    whitelisting_accounts: AccountSet
    """Accounts that have whitelisted this one (R2.20)."""
    blacklisting_accounts: AccountSet
    whitelisted_accounts: AccountSet
    blacklisted_accounts: AccountSet
    cashback_vb: VestingBalanceId | None
    """Vesting balance that receives this account's share of fees (R8.20)."""
    creation_block_num: UInt32
    creation_time: Timestamp
    """Own time of the block that created it."""
    special: SpecialAuthorities | None = None
    """None: its authorities are what was written down."""
    allowed_assets: Annotated[tuple[AssetId, ...], SORTED] | None = None
    """All that a buyback account may hold (Y2.2); None: anything."""

    def is_lifetime_member(self) -> bool:
        """Whether the membership never ends."""
        return self.membership_expiration_date == MAX_TIMESTAMP

    def is_member(self, now: int) -> bool:
        """Whether the account is an annual or lifetime member at a time."""
        return now <= self.membership_expiration_date


class SpecialAuthority(StateObject):
    """Notes that an account has a special authority (2.14.n), for maintenance to find it (Y1.2)."""

    id: SpecialAuthorityId
    account: AccountId


class TicketFigures(Record):
    """What an account has in tickets, CORE in smallest units (K3.4)."""

    total_core_pol: Int64 = 0
    """In tickets that are not locked for ever."""
    total_pol_value: Int64 = 0
    total_core_pob: Int64 = 0
    """Locked for ever, and of value still."""
    total_pob_value: Int64 = 0
    total_core_inactive: Int64 = 0
    """Locked for ever, and of no value any more."""


NO_TICKETS = TicketFigures()


class VotingPower(Record):
    """The stake of an opinion where votes decay, after the last count of votes (K4.7)."""

    active: UInt64
    committee: UInt64
    witness: UInt64
    worker: UInt64


class AccountStatistics(StateObject):
    """What changes often about an account (2.6.n, the same number as the account)."""

    id: AccountStatisticsId
    owner: AccountId
    name: str
    total_core_in_orders: Int64
    """CORE in limit orders and as collateral of positions (I5)."""
    core_in_balance: Int64
    """CORE balance, as of the last maintenance."""
    voting_stake: UInt64
    """Stake counted for the account's votes at the last maintenance (R8.11, K4.7)."""
    voting_power: VotingPower | None
    """What it came to; None: all of it, as wherever votes do not decay."""
    vote_tally_time: Timestamp
    last_vote_time: Timestamp
    """When the account has last changed its votes or its proxy (K4.5)."""
    tickets: TicketFigures | None
    """None: it has no tickets."""
    lifetime_fees_paid: Int64
    pending_fees: Int64
    """Fees to distribute at maintenance, the rebate vesting (R8.20)."""
    pending_vested_fees: Int64
    """Fees to distribute at maintenance, the rebate withdrawable at once (R8.20)."""


class AccountBalance(StateObject):
    """What an account holds of one asset, in its smallest units (2.5.n)."""

    id: AccountBalanceId
    owner: AccountId
    asset_type: AssetId
    balance: Int64
