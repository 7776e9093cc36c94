"""The ledger of a chain in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.pending import AppliedTransaction
from node.explain.position import explain_position
from node.explain.records import PositionExplanation
from node.explain.wording import Wording
from node.state.database import State
from node.state.objects.assets import Asset, BitassetData
from node.state.objects.market import CallOrder, LimitOrder
from node.whatif.shock import Shock, try_shock
from pegboard.ledger import (
    AssetFacts,
    FeedFacts,
    HeadFacts,
    OrderFacts,
    PositionFacts,
    RequestFacts,
    Sent,
    ShockFacts,
)
from pegboard.views import Explained, Reason
from protocol.block import OperationResults
from protocol.ids import (
    AccountId,
    AssetId,
    ForceSettlementId,
    ObjectId,
    asset_text,
    id_text,
    order_text,
)
from protocol.operations import Operation
from protocol.operations.asset_options import (
    COMMITTEE_FED_ASSET,
    WITNESS_FED_ASSET,
    AssetOptions,
)
from protocol.operations.bitasset_options import BitassetOptions
from protocol.operations.results import ExtendableOperationResult, GenericOperationResult

_request_text = id_text(ForceSettlementId)


class HeldChain(Protocol):
    """A chain in this process, and the keys of those who act on it: a `DevelopmentChain`, say."""

    @property
    def chain(self) -> Chain:
        """The chain itself."""
        ...

    @property
    def state(self) -> State:
        """The state at the head with pending transactions on top."""
        ...

    def push(self, *operations: Operation) -> AppliedTransaction:
        """Price, sign and apply operations as one transaction."""
        ...

    def generate_block(self, *, earliest_s: int = 0) -> AppliedBlock:
        """Make a block, in the next slot or the first from a time on."""
        ...


class LocalLedger:
    """Reads the state as it stands with what is pending; writes by signed transactions."""

    def __init__(self, chain: HeldChain) -> None:
        self.chain = chain
        self.heard: list[Callable[[Sent], None]] = []
        """Who is told of each transaction that was pushed."""
        self.watchers: list[Callable[[AppliedBlock], None]] = []
        """Who is told of each block once it is applied."""
        self._prefix = chain.chain.genesis.settings().display_prefix

    @property
    def state(self) -> State:
        """The state at the head with pending transactions on top; to be read, not written."""
        return self.chain.state

    def asset(self, name: str) -> AssetFacts:
        """An asset by symbol, display symbol or id; raises `NoSuchObject`."""
        for symbol in (name, name.removeprefix(self._prefix)):
            found = self.state.asset_by_symbol.find(symbol)
            if found is not None:
                return self._facts(found)
        for found in self.state.assets.in_order():
            if asset_text(found.id) == name:
                return self._facts(found)
        return self._facts(self.state.asset_named(name))

    def asset_at(self, asset_id: AssetId) -> AssetFacts:
        """An asset by its number; raises `NoSuchObject`."""
        return self._facts(self.state.assets.get(asset_id))

    def _facts(self, asset: Asset) -> AssetFacts:
        if asset.bitasset_data_id is None:
            return AssetFacts(asset.id, asset.symbol, asset.precision, asset.symbol, None)
        backing = self.state.bitassets.get(asset.bitasset_data_id).options.short_backing_asset
        display = f"{self._prefix}{asset.symbol}"
        return AssetFacts(asset.id, asset.symbol, asset.precision, display, backing)

    def full_name(self, name: str) -> str:
        """The name itself: the chain is this market's own."""
        return name

    def find_account(self, name: str) -> AccountId | None:
        """The account of a name, if there is one."""
        found = self.state.account_by_name.find(name)
        return None if found is None else found.id

    def account_name(self, account: AccountId) -> str:
        """The name of an account; raises `NoSuchObject`."""
        return self.state.accounts.get(account).name

    def head(self) -> HeadFacts:
        """The head block."""
        return HeadFacts(self.chain.chain.head_num, self.chain.chain.head_time)

    def block_interval_s(self) -> int:
        """Seconds between two slots (R8.4)."""
        return self.state.parameters.block_interval

    def transaction_size_max(self) -> int:
        """Bytes that a transaction may have (R9.3)."""
        return self.state.parameters.maximum_transaction_size

    def margin_call_trigger(self) -> str:
        """What calls positions: "bid" or "feed" (R4.2)."""
        return self.chain.chain.genesis.settings().margin_call_trigger

    def settle_match(self) -> bool:
        """Whether margin calls that find no bid take settlement requests (SM1)."""
        return self.state.chain.settle_match

    def own_symbol(self, symbol: str) -> str:
        """The symbol itself: the chain is this market's own."""
        return symbol

    def send(self, *operations: Operation) -> Sent:
        """Push operations as one transaction; raises `TransactionRejected` or `ProtocolError`."""
        pushed = self.chain.push(*operations)
        signed = pushed.envelope
        created = tuple(_created(pushed.results))
        sent = Sent(signed.id.hex(), created, signed.transaction.operations)
        for hear in self.heard:
            hear(sent)
        return sent

    def balance(self, account: AccountId, asset: AssetId) -> int:
        """What an account holds."""
        return self.state.balance_of(account, asset)

    def position(self, account: AccountId, asset: AssetId) -> PositionFacts | None:
        """The position of an account in a BitAsset."""
        found = self.state.positions_of_account.find(account, asset)
        return None if found is None else _position(found)

    def borrowed(self) -> Sequence[AssetId]:
        """The BitAssets in which somebody has a position, by ascending number."""
        bitassets = (bitasset.asset_id for bitasset in self.state.bitassets.in_order())
        return sorted(one for one in bitassets if self.state.positions.count(one))

    def positions(self, asset: AssetId) -> Sequence[PositionFacts]:
        """All positions in a BitAsset, the least collateralised first."""
        return [_position(item) for item in self.state.positions.items(asset)]

    def orders(self, account: AccountId) -> Sequence[OrderFacts]:
        """The orders of an account, the oldest first."""
        return [_order(item) for item in self.state.orders_of_account.items(account)]

    def book(self, sold: AssetId, wanted: AssetId) -> Sequence[OrderFacts]:
        """The offers of one side of a market, the best first."""
        return [_order(item) for item in self.state.book.items((sold, wanted))]

    def requests(self, asset: AssetId) -> Sequence[RequestFacts]:
        """The settlement requests of a BitAsset, the earliest first."""
        return [
            RequestFacts(
                _request_text(item.id), item.owner, item.balance.amount, item.settlement_date
            )
            for item in self.state.settlements.items(asset)
        ]

    def feed(self, asset: AssetId) -> FeedFacts | None:
        """The feed in force; None where there is none."""
        bitasset = self._bitasset(asset)
        if not bitasset.has_feed():
            return None
        feed = bitasset.current_feed
        return FeedFacts(
            feed.settlement_price,
            feed.maintenance_collateral_ratio,
            feed.maximum_short_squeeze_ratio,
            feed.initial_collateral_ratio,
        )

    def publishers(self, asset: AssetId) -> Sequence[AccountId]:
        """Who may publish feeds of a BitAsset (R1.13)."""
        found, state = self.state.assets.get(asset), self.state
        if found.has_flag(WITNESS_FED_ASSET):
            active = state.properties.active_witnesses
            return [state.witnesses.get(witness).witness_account for witness in active]
        if found.has_flag(COMMITTEE_FED_ASSET):
            members = state.properties.active_committee_members
            return [state.committee_members.get(one).committee_member_account for one in members]
        return [publisher for publisher, _ in self._bitasset(asset).feeds]

    def asset_options(self, asset: AssetId) -> AssetOptions:
        """What the issuer of an asset has decided about it."""
        return self.state.assets.get(asset).options

    def bitasset_options(self, asset: AssetId) -> BitassetOptions:
        """What the issuer of a BitAsset has decided about its feed and settlement."""
        return self._bitasset(asset).options

    def supply(self, asset: AssetId) -> int:
        """How much of an asset there is."""
        return self.state.figures_of(asset).current_supply

    def settlement_fund(self, asset: AssetId) -> int | None:
        """What a global settlement has put aside for the holders; None while there was none."""
        bitasset = self._bitasset(asset)
        return bitasset.settlement_fund if bitasset.is_globally_settled() else None

    def explain(self, account: AccountId, asset: AssetId) -> Explained:
        """Why the position of an account in a BitAsset is called or not."""
        state = self.state
        owner, pegged = state.accounts.get(account), state.assets.get(asset)
        work = explain_position(
            state, Wording(state, self._prefix), owner, pegged, self._bitasset(asset)
        )
        while True:
            try:
                next(work)
            except StopIteration as stopped:
                told: PositionExplanation = stopped.value
                return Explained(
                    told.status, tuple(Reason(one.text, one.rule) for one in told.statements)
                )

    def shock(self, asset: AssetId, feed_change: int, take_bids: int) -> ShockFacts:
        """What would come of other feeds and bids, both in parts of 10,000; nothing is done."""
        found = try_shock(self.chain.chain, asset, Shock(feed_change, take_bids=take_bids))
        return ShockFacts(
            found.called,
            found.debt_covered,
            found.collateral_paid,
            found.fees,
            found.global_settlement is not None,
            len(found.settled_alone),
        )

    def block(self, *, earliest_s: int = 0) -> None:
        """Make a block of what is pending, in the next slot or the first from a time on."""
        applied = self.chain.generate_block(earliest_s=earliest_s)
        for watch in self.watchers:
            watch(applied)

    def state_hash(self) -> str:
        """The hash of the whole state at the head, without what is pending."""
        return self.chain.chain.state_hash().hex()

    def _bitasset(self, asset: AssetId) -> BitassetData:
        found = self.state.bitasset_of(asset)
        assert found is not None, "asked of BitAssets only"
        return found


def _created(results: OperationResults) -> Iterator[str]:
    for result in results:
        if isinstance(result, ObjectId):
            yield str(result)
        elif isinstance(result, GenericOperationResult | ExtendableOperationResult):
            yield from map(str, result.new_objects or ())


def _position(found: CallOrder) -> PositionFacts:
    return PositionFacts(
        found.borrower, found.collateral, found.debt, found.target_collateral_ratio
    )


def _order(found: LimitOrder) -> OrderFacts:
    return OrderFacts(order_text(found.id), found.seller, found.for_sale, found.sell_price)
