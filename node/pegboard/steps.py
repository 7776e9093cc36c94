"""The steps of a scenario: each is a word of `pegboard.Market` or `pegboard.Account`, declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from pegboard.vocabulary import Market

Plain: TypeAlias = int | float | str
"""A number, also as text: 1_000, 0.3, "30%"."""


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


class AccountStep(Step, tag="account"):
    """`Market.account`."""

    name: str
    core: Plain | None = None
    holds: tuple[str, ...] = ()

    def run(self, market: Market) -> None:
        market.account(self.name, core=self.core, holds=self.holds)


class HireStep(Step, tag="hire"):
    """`Market.hire`."""

    rule: str
    name: str
    core: Plain | None = None
    holds: tuple[str, ...] = ()
    options: dict[str, Plain] = {}

    def run(self, market: Market) -> None:
        market.hire(self.rule, self.name, core=self.core, holds=self.holds, **self.options)


class FeedStep(Step, tag="feed"):
    """`Market.feed`."""

    asset: str
    price: Plain | None = None
    fall: Plain | None = None
    rise: Plain | None = None
    mcr: Plain | None = None
    msqr: Plain | None = None

    def run(self, market: Market) -> None:
        market.feed(
            self.asset,
            self.price,
            fall=self.fall,
            rise=self.rise,
            mcr=self.mcr,
            msqr=self.msqr,
        )


class PublishStep(Step, tag="publish"):
    """`Market.publish`."""

    asset: str
    prices: tuple[Plain, ...]

    def run(self, market: Market) -> None:
        market.publish(self.asset, self.prices)


class FollowStep(Step, tag="follow"):
    """`Market.follow`."""

    asset: str
    source: str
    shocks: tuple[tuple[int, Plain], ...] = ()
    mcr: Plain | None = None
    msqr: Plain | None = None

    def run(self, market: Market) -> None:
        market.follow(self.asset, self.source, shocks=self.shocks, mcr=self.mcr, msqr=self.msqr)


class BlockStep(Step, tag="block"):
    """`Market.block`."""

    count: int = 1

    def run(self, market: Market) -> None:
        market.block(self.count)


class TravelStep(Step, tag="travel"):
    """`Market.travel`."""

    duration: str

    def run(self, market: Market) -> None:
        market.travel(self.duration)


class BorrowStep(Step, tag="borrow"):
    """`Account.borrow`."""

    account: str
    amount: str
    ratio: Plain | None = None
    collateral: str | None = None
    target: Plain | None = None

    def run(self, market: Market) -> None:
        market.find(self.account).borrow(
            self.amount, ratio=self.ratio, collateral=self.collateral, target=self.target
        )


class AdjustStep(Step, tag="adjust"):
    """`Account.adjust`."""

    account: str
    asset: str
    debt: str | None = None
    collateral: str | None = None
    ratio: Plain | None = None
    target: Plain | None = None

    def run(self, market: Market) -> None:
        market.find(self.account).adjust(
            self.asset,
            debt=self.debt,
            collateral=self.collateral,
            ratio=self.ratio,
            target=self.target,
        )


class CoverStep(Step, tag="cover"):
    """`Account.cover`."""

    account: str
    what: str

    def run(self, market: Market) -> None:
        market.find(self.account).cover(self.what)


class SellStep(Step, tag="sell"):
    """`Account.sell`."""

    account: str
    amount: str
    receive: str | None = None
    at: Plain | None = None
    expires_in: str | None = None
    fill_or_kill: bool = False
    name: str | None = None

    def run(self, market: Market) -> None:
        market.find(self.account).sell(
            self.amount,
            receive=self.receive,
            at=self.at,
            expires_in=self.expires_in,
            fill_or_kill=self.fill_or_kill,
            name=self.name,
        )


class BuyStep(Step, tag="buy"):
    """`Account.buy`."""

    account: str
    amount: str
    give: str | None = None
    at: Plain | None = None
    expires_in: str | None = None
    fill_or_kill: bool = False
    name: str | None = None

    def run(self, market: Market) -> None:
        market.find(self.account).buy(
            self.amount,
            give=self.give,
            at=self.at,
            expires_in=self.expires_in,
            fill_or_kill=self.fill_or_kill,
            name=self.name,
        )


class CancelStep(Step, tag="cancel"):
    """`Account.cancel`."""

    account: str
    order: str

    def run(self, market: Market) -> None:
        market.find(self.account).cancel(self.order)


class SettleStep(Step, tag="settle"):
    """`Account.settle`."""

    account: str
    amount: str

    def run(self, market: Market) -> None:
        market.find(self.account).settle(self.amount)


class TransferStep(Step, tag="transfer"):
    """`Account.transfer`."""

    account: str
    to: str
    amount: str

    def run(self, market: Market) -> None:
        market.find(self.account).transfer(self.to, self.amount)


class ExpectStep(Step, tag="expect"):
    """Expectations that are looked at here, rather than at the end."""

    that: tuple[str, ...]

    def run(self, market: Market) -> None:
        """The player looks at them."""


AnyStep: TypeAlias = (
    AccountStep
    | HireStep
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
    | TransferStep
    | ExpectStep
)
"""Every step, told apart by `do`."""
