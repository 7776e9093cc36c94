"""The committee: its members and the chain parameters that they decide."""

from __future__ import annotations

from protocol.asset import AssetAmount
from protocol.chain_parameters import ChainParameters
from protocol.checks import check_fee, check_url
from protocol.ids import AccountId, CommitteeMemberId
from protocol.schema import Record


class CommitteeMemberCreate(Record):
    """Stand for election to the committee (R8.12)."""

    fee: AssetAmount
    committee_member_account: AccountId
    """Lifetime member that becomes a candidate; pays the fee."""
    url: str
    """Where voters learn more; less than 127 bytes."""

    def validate(self) -> None:
        check_fee(self.fee)
        check_url(self.url)


class CommitteeMemberUpdate(Record):
    """Change the URL of a committee member."""

    fee: AssetAmount
    committee_member: CommitteeMemberId
    committee_member_account: AccountId
    """Owner of the membership; pays the fee."""
    new_url: str | None = None

    def validate(self) -> None:
        check_fee(self.fee)
        check_url(self.new_url)


class CommitteeMemberUpdateGlobalParameters(Record):
    """Change the chain parameters at the next maintenance; only by a proposal (R8.23).

    The committee account pays the fee.
    """

    fee: AssetAmount
    new_parameters: ChainParameters
    """Replaces all parameters."""

    def validate(self) -> None:
        check_fee(self.fee)
        self.new_parameters.validate()
