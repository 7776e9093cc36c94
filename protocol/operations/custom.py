"""Operations that change nothing: data for others to read, and assertions."""

from __future__ import annotations

from typing import Annotated

from protocol.asset import NO_FEE, AssetAmount
from protocol.checks import check_amount, check_fee, require
from protocol.constants import TEMP_ACCOUNT
from protocol.ids import AccountId, AssetId
from protocol.names import is_valid_account_name, is_valid_symbol
from protocol.schema import SORTED, BlockId, NoExtensions, Record, UInt16, Variant

DEVELOPMENT_MARK = b"pegboard_dev"
"""Begins the data of what `protocol.development` knows."""


class Custom(Record):
    """Put data into the chain; the chain itself does not read it."""

    fee: AssetAmount
    """Must be positive, but for what is for development chains."""
    payer: AccountId
    """Account that pays the fee."""
    required_auths: Annotated[tuple[AccountId, ...], SORTED]
    """Accounts whose active authority has to sign too."""
    id: UInt16
    """Tells applications apart."""
    data: bytes
    """Meant for applications; charged by size."""

    def validate(self) -> None:
        if not (self.is_for_development() and self.fee == NO_FEE):
            check_amount(self.fee, "fee", rule="R8.17")

    def is_for_development(self) -> bool:
        """Whether a development chain does more than to keep the data (R9.10)."""
        return self.payer == TEMP_ACCOUNT and self.data.startswith(DEVELOPMENT_MARK)


class AccountNamePredicate(Record):
    """True while an account has this name."""

    account_id: AccountId
    name: str

    def validate(self) -> None:
        """Raise `ValidationError` for a name that no account can have."""
        require(is_valid_account_name(self.name), "not an account name", value=self.name)


class AssetSymbolPredicate(Record):
    """True while an asset has this symbol."""

    asset_id: AssetId
    symbol: str

    def validate(self) -> None:
        """Raise `ValidationError` for a symbol that no asset can have (R2.19)."""
        require(is_valid_symbol(self.symbol), "not a symbol", rule="R2.19", value=self.symbol)


class BlockIdPredicate(Record):
    """True when the chain holds this block among the last 65,536."""

    id: BlockId

    def validate(self) -> None:
        """Every id passes."""


Predicate = Annotated[
    AccountNamePredicate | AssetSymbolPredicate | BlockIdPredicate,
    Variant({0: AccountNamePredicate, 1: AssetSymbolPredicate, 2: BlockIdPredicate}),
]
"""A statement about the state that is true or false."""


class Assert(Record):
    """Make the transaction fail unless all predicates are true."""

    fee: AssetAmount
    """Charged by the number of predicates."""
    fee_paying_account: AccountId
    """Account that pays the fee."""
    predicates: tuple[Predicate, ...]
    required_auths: Annotated[tuple[AccountId, ...], SORTED] = ()
    """Kept for its place in the bytes; BitShares does not ask for these authorities."""
    extensions: NoExtensions = ()

    def validate(self) -> None:
        check_fee(self.fee)
        for predicate in self.predicates:
            predicate.validate()
