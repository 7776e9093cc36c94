"""Accounts: registration, change of keys and options, listing, membership."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import AssetAmount
from protocol.authority import NULL_AUTHORITY, Authority
from protocol.checks import check_fee, check_percent, require
from protocol.constants import COMMITTEE_ACCOUNT, PROXY_TO_SELF_ACCOUNT, TEMP_ACCOUNT
from protocol.errors import ACCOUNT, ASSET
from protocol.ids import AccountId, AssetId, VoteId, account_text, vote_kind
from protocol.names import is_valid_account_name
from protocol.operations.base import Void
from protocol.schema import (
    EXTENSION,
    SORTED,
    NoExtensions,
    PublicKey,
    Record,
    UInt8,
    UInt16,
    Variant,
)

COMMITTEE_VOTE = 0
"""Kind of a `VoteId` that names a committee member."""
WITNESS_VOTE = 1
"""Kind of a `VoteId` that names a witness."""
WORKER_VOTE = 2
"""Kind of a `VoteId` that names a worker."""

NO_LISTING, WHITE_LISTED, BLACK_LISTED = 0, 1, 2
"""Bits of `AccountWhitelist.new_listing`; both may be set."""


class AccountOptions(Record):
    """What an account decides about itself."""

    memo_key: PublicKey
    """Key that memos to this account are encrypted for."""
    voting_account: AccountId = PROXY_TO_SELF_ACCOUNT
    """Account whose votes count for this one; `PROXY_TO_SELF_ACCOUNT` to vote oneself."""
    num_witness: UInt16 = 0
    """How many witnesses the account wants; at most the number of witnesses it votes for."""
    num_committee: UInt16 = 0
    """How many committee members the account wants; at most those it votes for."""
    votes: Annotated[tuple[VoteId, ...], SORTED] = ()
    """Witnesses, committee members and workers that the account votes for."""
    extensions: NoExtensions = ()

    def is_voting(self) -> bool:
        """Whether the stake of the account takes part in the next count of votes."""
        return self.voting_account != PROXY_TO_SELF_ACCOUNT or len(self.votes) > 0

    def number_of_votes(self, kind: int) -> int:
        """How many of one kind, as `COMMITTEE_VOTE`, the account votes for."""
        return sum(1 for vote in self.votes if vote_kind(vote) == kind)

    def validate(self) -> None:
        """Raise `ValidationError` when it wants more members than it votes for."""
        for field, wanted, kind in (
            ("num_witness", self.num_witness, WITNESS_VOTE),
            ("num_committee", self.num_committee, COMMITTEE_VOTE),
        ):
            voted = self.number_of_votes(kind)
            require(
                wanted <= voted,
                f"{field} exceeds the number voted for",
                rule="R8.11",
                value=wanted,
                limit=voted,
            )


class TopHoldersSpecialAuthority(Record):
    """An authority made of the largest holders of an asset, at each maintenance (Y1.2)."""

    asset: AssetId
    num_top_holders: UInt8 = 1

    def validate(self) -> None:
        """Raise `ValidationError` unless at least one holder is asked for."""
        require(self.num_top_holders > 0, "no top holder", value=0, limit=1)


SpecialAuthority = Annotated[
    Void | TopHoldersSpecialAuthority, Variant({0: Void, 1: TopHoldersSpecialAuthority})
]
"""Where an account's authority comes from when it is not written down."""


class BuybackAccountOptions(Record):
    """An account that only buys one asset back (Y2.1)."""

    asset_to_buy: AssetId
    asset_to_buy_issuer: AccountId
    """Issuer of the asset; has to sign too."""
    markets: Annotated[tuple[AssetId, ...], SORTED]
    """Assets that the account buys with."""

    def validate(self) -> None:
        """Raise `ValidationError` unless it buys with something else."""
        require(len(self.markets) > 0, "buyback account without a market", value=0, limit=1)
        require(
            self.asset_to_buy not in self.markets,
            "buyback account would buy an asset with itself",
            value=self.asset_to_buy,
            unit=ASSET,
        )


class AccountCreateExtensions(Record):
    """Options of `AccountCreate` that came later: who decides, and what is bought (Y1.1, Y2.1)."""

    null_ext: Void | None = None
    owner_special_authority: SpecialAuthority | None = None
    active_special_authority: SpecialAuthority | None = None
    buyback_options: BuybackAccountOptions | None = None


class AccountCreate(Record):
    """Register an account under a name of its own."""

    fee: AssetAmount
    registrar: AccountId
    """Lifetime member that registers the account and pays the fee."""
    referrer: AccountId
    """Account that takes the referrer's share of the new account's fees (R8.20)."""
    referrer_percent: UInt16
    """Referrer's share of what is left for registrar and referrer; of 10,000."""
    name: str
    """Unique name; see `protocol.names`."""
    owner: Authority
    """Authority that may change everything, itself included."""
    active: Authority
    """Authority over funds and everyday operations."""
    options: AccountOptions
    extensions: Annotated[AccountCreateExtensions, EXTENSION] = AccountCreateExtensions()

    def validate(self) -> None:
        check_fee(self.fee)
        require(is_valid_account_name(self.name), "not an account name", value=self.name)
        check_percent(self.referrer_percent, "referrer_percent", rule="R8.20")
        _check_authority(self.owner, "owner")
        _check_authority(self.active, "active")
        self.options.validate()
        _check_special_authority(self.extensions.owner_special_authority)
        _check_special_authority(self.extensions.active_special_authority)
        if self.extensions.buyback_options is not None:
            self._check_buyback(self.extensions.buyback_options)

    def _check_buyback(self, options: BuybackAccountOptions) -> None:
        require(
            self.extensions.owner_special_authority is None
            and self.extensions.active_special_authority is None,
            "buyback account with a special authority",
        )
        require(
            self.owner == NULL_AUTHORITY and self.active == NULL_AUTHORITY,
            "buyback account must have the null authority",
        )
        options.validate()


class AccountUpdateExtensions(Record):
    """Options of `AccountUpdate` that came later: who decides for the account (Y1.1)."""

    null_ext: Void | None = None
    owner_special_authority: SpecialAuthority | None = None
    active_special_authority: SpecialAuthority | None = None


class AccountUpdate(Record):
    """Change an account's authorities or options."""

    fee: AssetAmount
    account: AccountId
    """Account that changes and pays the fee."""
    owner: Authority | None = None
    """New owner authority; needs the old one (R9.6)."""
    active: Authority | None = None
    """New active authority."""
    new_options: AccountOptions | None = None
    """New memo key and votes; charged by the size of the operation."""
    extensions: Annotated[AccountUpdateExtensions, EXTENSION] = AccountUpdateExtensions()

    def changes_owner(self) -> bool:
        """Whether the owner authority has to sign (R9.6)."""
        return self.owner is not None or self.extensions.owner_special_authority is not None

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.account not in (COMMITTEE_ACCOUNT, TEMP_ACCOUNT),
            "this account never changes",
            rule="R9.8",
            value=self.account,
            unit=ACCOUNT,
        )
        require(
            self.changes_owner()
            or self.active is not None
            or self.new_options is not None
            or self.extensions.active_special_authority is not None,
            "nothing to update",
        )
        if self.owner is not None:
            _check_authority(self.owner, "owner")
        if self.active is not None:
            _check_authority(self.active, "active")
        if self.new_options is not None:
            self.new_options.validate()
        _check_special_authority(self.extensions.owner_special_authority)
        _check_special_authority(self.extensions.active_special_authority)


class AccountWhitelist(Record):
    """Put an account on one's white list or black list, or take it off (R2.20)."""

    fee: AssetAmount
    authorizing_account: AccountId
    """Account whose list changes; pays the fee."""
    account_to_list: AccountId
    """Account that is listed."""
    new_listing: UInt8 = NO_LISTING
    """Bit 1 white listed, bit 2 black listed; 0 takes it off both."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        limit = WHITE_LISTED | BLACK_LISTED
        require(
            self.new_listing <= limit,
            "unknown bit of new_listing",
            rule="R2.20",
            value=self.new_listing,
            limit=limit,
        )


class AccountUpgrade(Record):
    """Buy membership: a member keeps a share of the fees of those it registers (R8.20)."""

    fee: AssetAmount
    account_to_upgrade: AccountId
    """Account that becomes a member; pays the fee."""
    upgrade_to_lifetime_member: bool = False
    """True for ever, False for one more year."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)


class AccountTransfer(Record):
    """Hand an account over to another: a transfer of title, where an update changes keys.

    BitShares declares it and executes it nowhere. What it says there holds here: owner, active,
    memo and voting authority become the new owner's, and white listings end. It needs the owner
    authority, which it replaces.
    """

    fee: AssetAmount
    account_id: AccountId
    """Account that is handed over; pays the fee."""
    new_owner: AccountId
    """Account that owns it from then on."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        require(
            self.account_id > PROXY_TO_SELF_ACCOUNT,
            "special accounts are not handed over",
            rule="R9.8",
            value=account_text(self.account_id),
        )
        require(
            self.account_id != self.new_owner,
            "an account cannot own itself",
            rule="R9.5",
            value=account_text(self.new_owner),
        )


def _check_authority(authority: Authority, field: str) -> None:
    require(authority.size() > 0, f"{field} authority is empty", rule="R9.5", value=0, limit=1)
    require(
        len(authority.address_auths) == 0,
        f"{field} authority holds addresses",
        rule="R9.5",
        value=len(authority.address_auths),
        limit=0,
    )
    require(
        not authority.is_impossible(),
        f"{field} authority can never be satisfied",
        rule="R9.5",
        value=authority.weight_threshold,
        limit=authority.total_weight(),
    )


def _check_special_authority(authority: Void | TopHoldersSpecialAuthority | None) -> None:
    if isinstance(authority, TopHoldersSpecialAuthority):
        authority.validate()
