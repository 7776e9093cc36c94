"""The steps of a scenario: each is a word of `pegboard.Market` or `pegboard.Account`, declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from pegboard.vocabulary import Market

Plain: TypeAlias = int | float | str
"""A number, also as text: 1_000, 0.3, "30%"."""


OWN = ("refused", "say")
"""What is said of a step, rather than to its word."""


class Step(
    msgspec.Struct,
    tag_field="do",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """What all steps may say."""

    refused: str | None = None
    """Name of the refusal that the step must meet, such as "below_required_ratio"."""
    say: str | None = None
    """What the step is about, told before what comes of it."""

    def run(self, market: Market) -> None:
        """Say the word with all that the step says."""
        asked = {name: getattr(self, name) for name in self.__struct_fields__ if name not in OWN}
        account = asked.pop("account", None)
        speaker = market if account is None else market.find(account)
        getattr(speaker, self.verb)(**asked)

    @property
    def verb(self) -> str:
        """The word of `pegboard.Market` or `pegboard.Account`, as `do` says it."""
        return str(self.__struct_config__.tag)


class AccountStep(Step, tag="account"):
    """`Market.account`."""

    name: str
    core: Plain | None = None
    holds: tuple[str, ...] = ()


class AccountsStep(Step, tag="accounts"):
    """`Market.accounts`."""

    names: tuple[str, ...]
    core: Plain | None = None
    holds: tuple[str, ...] = ()


class HireStep(Step, tag="hire"):
    """`Market.hire`."""

    rule: str
    name: str
    core: Plain | None = None
    holds: tuple[str, ...] = ()
    options: dict[str, Plain] = {}

    def run(self, market: Market) -> None:
        """Options of a rule are arguments of their own."""
        market.hire(self.rule, self.name, core=self.core, holds=self.holds, **self.options)


class BitassetStep(Step, tag="bitasset"):
    """`Market.bitasset`."""

    symbol: str
    precision: int = 4
    settlement_delay: str | None = None
    producers: tuple[str, ...] = ()


class PredictStep(Step, tag="predict"):
    """`Market.predict`."""

    asset: str
    accounts: tuple[str, ...]


class FeedStep(Step, tag="feed"):
    """`Market.feed`."""

    asset: str
    price: Plain | None = None
    fall: Plain | None = None
    rise: Plain | None = None
    mcr: Plain | None = None
    msqr: Plain | None = None


class PublishStep(Step, tag="publish"):
    """`Market.publish`."""

    asset: str
    prices: tuple[Plain, ...]


class FollowStep(Step, tag="follow"):
    """`Market.follow`."""

    asset: str
    source: str
    shocks: tuple[tuple[int, Plain], ...] = ()
    mcr: Plain | None = None
    msqr: Plain | None = None


class BlockStep(Step, tag="block"):
    """`Market.block`."""

    count: int = 1


class TravelStep(Step, tag="travel"):
    """`Market.travel`."""

    duration: str


class BorrowStep(Step, tag="borrow"):
    """`Account.borrow`."""

    account: str
    amount: str
    ratio: Plain | None = None
    collateral: str | None = None
    target: Plain | None = None


class AdjustStep(Step, tag="adjust"):
    """`Account.adjust`."""

    account: str
    asset: str
    debt: str | None = None
    collateral: str | None = None
    ratio: Plain | None = None
    target: Plain | None = None


class CoverStep(Step, tag="cover"):
    """`Account.cover`."""

    account: str
    what: str


class SellStep(Step, tag="sell"):
    """`Account.sell`."""

    account: str
    amount: str
    receive: str | None = None
    at: Plain | None = None
    expires_in: str | None = None
    fill_or_kill: bool = False
    name: str | None = None


class BuyStep(Step, tag="buy"):
    """`Account.buy`."""

    account: str
    amount: str
    give: str | None = None
    at: Plain | None = None
    expires_in: str | None = None
    fill_or_kill: bool = False
    name: str | None = None


class CancelStep(Step, tag="cancel"):
    """`Account.cancel`."""

    account: str
    order: str


class SettleStep(Step, tag="settle"):
    """`Account.settle`."""

    account: str
    amount: str


class BidCollateralStep(Step, tag="bid_collateral"):
    """`Account.bid_collateral`."""

    account: str
    collateral: str
    debt: str


class TransferStep(Step, tag="transfer"):
    """`Account.transfer`."""

    account: str
    to: str
    amount: str


class ExpectStep(Step, tag="expect"):
    """Expectations that are looked at here, rather than at the end."""

    that: tuple[str, ...]

    def run(self, market: Market) -> None:
        """The player looks at them."""


AnyStep: TypeAlias = (
    AccountStep
    | AccountsStep
    | HireStep
    | BitassetStep
    | PredictStep
    | FeedStep
    | PublishStep
    | FollowStep
    | BlockStep
    | TravelStep
    | BorrowStep
    | AdjustStep
    | CoverStep
    | SellStep
    | BuyStep
    | CancelStep
    | SettleStep
    | BidCollateralStep
    | TransferStep
    | ExpectStep
)
"""Every step, told apart by `do`."""
