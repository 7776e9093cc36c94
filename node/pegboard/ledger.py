"""What the market's vocabulary asks of a chain: in this process, or behind a URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from pegboard.views import Explained
from protocol.asset import Price
from protocol.errors import PegboardError
from protocol.ids import AccountId, AssetId
from protocol.operations import Operation
from protocol.operations.asset_options import AssetOptions
from protocol.operations.bitasset_options import BitassetOptions


class NotPossibleHere(PegboardError):
    """Something that only another kind of chain can do, such as to travel in time."""

    name = "not_possible_here"


class AssetFacts(NamedTuple):
    """What never changes of an asset."""

    id: AssetId
    symbol: str
    precision: int
    display: str
    """What people read: a BitAsset's symbol with the chain's display prefix (R2.19)."""
    backing: AssetId | None
    """The asset that backs a BitAsset; None for any other."""


class HeadFacts(NamedTuple):
    """The head block's number, and its time in seconds since 1970."""

    num: int
    time: int


class FeedFacts(NamedTuple):
    """The feed that is in force: BitAsset for backing, smallest units; ratios in thousandths."""

    price: Price
    maintenance_ratio: int
    squeeze_ratio: int
    initial_ratio: int


class PositionFacts(NamedTuple):
    """A position in smallest units."""

    owner: AccountId
    collateral: int
    debt: int
    target_ratio: int | None


class OrderFacts(NamedTuple):
    """An order that waits."""

    id: str
    owner: AccountId
    for_sale: int
    price: Price
    """What is sold for what is wanted, as the order was made."""


class RequestFacts(NamedTuple):
    """A settlement request that waits."""

    id: str
    owner: AccountId
    amount: int
    due: int
    """Seconds since 1970."""


class ShockFacts(NamedTuple):
    """What a shock would do, in smallest units."""

    called: int
    """Positions that would be called."""
    debt_covered: int
    collateral_paid: int
    fees: int
    """Margin call fees, in backing."""
    is_swan: bool
    """Whether the BitAsset would be settled as a whole."""
    settled_alone: int
    """Positions that would be settled individually."""


class Sent(NamedTuple):
    """A transaction that the chain has taken."""

    id: str
    created: tuple[str, ...]
    """The ids of all objects that its operations made, in their order."""
    operations: tuple[Operation, ...] = ()
    """As they were signed, with their fees."""
    is_in_block: bool = False
    """Whether a block holds it already; else it waits for the next."""


class Ledger(Protocol):
    """A chain as the vocabulary sees it. Amounts are smallest units; all refusals are typed."""

    heard: list[Callable[[Sent], None]]
    """Who is told of each transaction that the chain has taken."""

    def asset(self, name: str) -> AssetFacts:
        """An asset by symbol, display symbol or id."""
        ...

    def asset_at(self, asset_id: AssetId) -> AssetFacts:
        """An asset by its number."""
        ...

    def full_name(self, name: str) -> str:
        """What the chain calls somebody of a name here."""
        ...

    def find_account(self, name: str) -> AccountId | None:
        """The account of a name, if there is one."""
        ...

    def account_name(self, account: AccountId) -> str:
        """The name of an account."""
        ...

    def head(self) -> HeadFacts:
        """The head block."""
        ...

    def block_interval_s(self) -> int:
        """Seconds between two slots (R8.4)."""
        ...

    def transaction_size_max(self) -> int:
        """Bytes that a transaction may have (R9.3)."""
        ...

    def margin_call_trigger(self) -> str:
        """What calls positions: "bid" or "feed" (R4.2)."""
        ...

    def settle_match(self) -> bool:
        """Whether margin calls that find no bid take settlement requests (SM1)."""
        ...

    def own_symbol(self, symbol: str) -> str:
        """What the chain calls an asset that is to be made here, and is found by its symbol."""
        ...

    def send(self, *operations: Operation) -> Sent:
        """Price, sign and send operations in one transaction."""
        ...

    def balance(self, account: AccountId, asset: AssetId) -> int:
        """What an account holds."""
        ...

    def position(self, account: AccountId, asset: AssetId) -> PositionFacts | None:
        """The position of an account in a BitAsset."""
        ...

    def borrowed(self) -> Sequence[AssetId]:
        """The BitAssets in which somebody has a position, by ascending number."""
        ...

    def positions(self, asset: AssetId) -> Sequence[PositionFacts]:
        """All positions in a BitAsset, the least collateralised first."""
        ...

    def orders(self, account: AccountId) -> Sequence[OrderFacts]:
        """The orders of an account, the oldest first."""
        ...

    def book(self, sold: AssetId, wanted: AssetId) -> Sequence[OrderFacts]:
        """The offers of one side of a market, the best first."""
        ...

    def requests(self, asset: AssetId) -> Sequence[RequestFacts]:
        """The settlement requests of a BitAsset, the earliest first."""
        ...

    def feed(self, asset: AssetId) -> FeedFacts | None:
        """The feed in force; None where there is none."""
        ...

    def publishers(self, asset: AssetId) -> Sequence[AccountId]:
        """Who may publish feeds of a BitAsset (R1.13)."""
        ...

    def asset_options(self, asset: AssetId) -> AssetOptions:
        """What the issuer of an asset has decided about it."""
        ...

    def bitasset_options(self, asset: AssetId) -> BitassetOptions:
        """What the issuer of a BitAsset has decided about its feed and settlement."""
        ...

    def supply(self, asset: AssetId) -> int:
        """How much of an asset there is."""
        ...

    def settlement_fund(self, asset: AssetId) -> int | None:
        """What a global settlement has put aside for the holders; None while there was none."""
        ...

    def explain(self, account: AccountId, asset: AssetId) -> Explained:
        """Why the position of an account in a BitAsset is called or not."""
        ...

    def shock(self, asset: AssetId, feed_change: int, take_bids: int) -> ShockFacts:
        """What would come of other feeds and bids, both in parts of 10,000; nothing is done."""
        ...

    def block(self, *, earliest_s: int = 0) -> None:
        """Make a block in the next slot, or in the first from a time on; or wait for one."""
        ...

    def state_hash(self) -> str:
        """The hash of the whole state at the head, in hexadecimal."""
        ...
