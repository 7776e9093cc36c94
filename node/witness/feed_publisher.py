"""Publishes a witness's prices as signed transactions, when its last feed grows old."""

from __future__ import annotations

from collections.abc import Sequence

from node.chain.chain import Chain
from node.state.objects.assets import Asset, BitassetData
from node.witness.feed_source import FeedSource, PeggedAsset, publish_feed
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.crypto.keys import PrivateKey
from protocol.fees import required_fee
from protocol.ids import AccountId
from protocol.schema import Record
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign

LIFETIME_S = 60
"""Seconds from the head block until a feed's transaction expires."""


class FeedPlan(Record, gc=True):
    """One witness's feed of one BitAsset."""

    publisher: AccountId
    secret: PrivateKey
    """Active key of the publisher."""
    symbol: str
    source: FeedSource
    interval_s: int


class FeedPublisher:
    """Decides by the chain's own record of feeds, so that a restart publishes nothing twice."""

    def __init__(self, plans: Sequence[FeedPlan]) -> None:
        self.plans = tuple(plans)
        self._attempts: dict[int, int] = {}

    def due(self, chain: Chain, now_s: int) -> list[TransactionEnvelope]:
        """The transactions to broadcast now; each is offered once an interval at most.

        On a development chain that runs ahead of the clock, the chain's time counts.
        """
        now_s = max(now_s, chain.head_time)
        found = []
        for index, plan in enumerate(self.plans):
            asset = chain.state.asset_by_symbol.find(plan.symbol)
            if asset is None or asset.bitasset_data_id is None:
                continue
            bitasset = chain.state.bitassets.get(asset.bitasset_data_id)
            last = max(self._attempts.get(index, 0), _last_published(bitasset, plan.publisher))
            if last + plan.interval_s > now_s:
                continue
            self._attempts[index] = now_s
            found.append(_transaction(chain, plan, asset, bitasset, now_s))
        return found

    def go_back(self, head_time_s: int) -> None:
        """The chain stands at an earlier head again: what was offered later is not."""
        self._attempts = {index: at for index, at in self._attempts.items() if at <= head_time_s}


def _last_published(bitasset: BitassetData, publisher: AccountId) -> int:
    return next((time for account, (time, _) in bitasset.feeds if account == publisher), 0)


def _transaction(
    chain: Chain, plan: FeedPlan, asset: Asset, bitasset: BitassetData, now_s: int
) -> TransactionEnvelope:
    backing = chain.state.assets.get(bitasset.options.short_backing_asset)
    pegged = PeggedAsset(asset.id, asset.precision, backing.id, backing.precision)
    free = AssetAmount(0, CORE_ASSET)
    draft = publish_feed(plan.source, plan.publisher, pegged, now_s, fee=free)
    fee = AssetAmount(required_fee(draft, chain.state.parameters.current_fees), CORE_ASSET)
    operation = publish_feed(plan.source, plan.publisher, pegged, now_s, fee=fee)
    transaction = Transaction(
        *reference_block(chain.head_id), chain.head_time + LIFETIME_S, (operation,)
    )
    return TransactionEnvelope.from_transaction(sign(transaction, [plan.secret], chain.chain_id))
