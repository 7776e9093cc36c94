"""What active peers pass on to each other: blocks and transactions, block ids, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import assert_never

from node.p2p.accounts import SharedAccounts, work_to_judge
from node.p2p.address_relay import AddressRelay
from node.p2p.chain_view import ChainView
from node.p2p.effects import (
    BlockReceived,
    BlockRefetched,
    Effect,
    PeerKey,
    TransactionReceived,
    VoteReceived,
)
from node.p2p.errors import MalformedMessage, PeerError, RepeatedItem, UnrequestedItem
from node.p2p.inventory import Gossip
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer, unasked_answer
from node.p2p.peer_database import PeerDatabase
from node.p2p.refetch import Refetch
from node.p2p.requests import Delivery, Item, RequestTracker
from node.p2p.serving import ItemServer
from node.p2p.sync import BlockSync
from node.p2p.waiting_transactions import WaitingTransactions
from protocol.block import HeaderEnvelope, block_num_of
from protocol.errors import ProtocolError
from protocol.finality import Vote
from protocol.p2p.messages import (
    ActiveMessage,
    Addresses,
    BlockIds,
    BlockMessage,
    Fetch,
    GetAddresses,
    GetBlockIds,
    Inventory,
    ItemId,
    ItemKind,
    NotAvailable,
    Ping,
    Pong,
    TransactionMessage,
)
from protocol.schema import BlockId
from protocol.transaction import TransactionEnvelope

NEAR_BLOCKS = 10
"""An announced block so little above our head is fetched; one further up starts a sync round."""


class Relay:
    """Handles the messages of active peers; a peer's fault leaves it as a `PeerError`.

    What a peer delivers is read here, once: a transaction as a whole, for its id needs it, a block
    as far as its header.
    """

    def __init__(
        self,
        chain: ChainView,
        peers: Mapping[PeerKey, Peer],
        database: PeerDatabase,
        limits: PeerLimits,
        rng: Random,
        effects: list[Effect],
    ) -> None:
        self._chain = chain
        self._effects = effects
        self._limits = limits
        self.addresses = AddressRelay(peers, database, limits, rng)
        self.tracker = RequestTracker(limits)
        self.accounts = SharedAccounts(limits)
        self.waiting = WaitingTransactions(limits.waiting_transactions_bytes)
        self.server = ItemServer(chain, limits, self.accounts.serving)
        self.gossip = Gossip(chain, peers, self.tracker, self.accounts, limits)
        self.sync = BlockSync(chain, peers, self.tracker, limits)
        self.refetch = Refetch(peers, self.tracker, limits)

    def add_peer(self, peer: Peer, now_ms: int) -> None:
        """A peer has become active: sync with it, and ask it for addresses if we dialled it."""
        assert peer.hello is not None
        self.tracker.add_peer(peer.key)
        self.server.add_peer(peer.key, now_ms)
        self.gossip.add_peer(peer.key)
        self.gossip.note_known(peer.key, [Item(ItemKind.BLOCK, peer.hello.head_id)])
        self.sync.add_peer(peer, peer.hello.head_num, now_ms)
        self.addresses.add_peer(peer, now_ms)

    def remove_peer(self, peer: PeerKey, now_ms: int) -> None:
        """A peer is gone; others are asked for what it owed."""
        self.addresses.remove_peer(peer)
        owed = self.tracker.remove_peer(peer)
        self.server.remove_peer(peer)
        self.refetch.remove_peer(peer)
        for envelope in self.waiting.remove_peer(peer):
            self.gossip.forget(Item(ItemKind.TRANSACTION, envelope.id))
        self.gossip.remove_peer(peer, owed, now_ms)
        self.sync.remove_peer(peer, now_ms)

    def handle(self, peer: Peer, message: ActiveMessage, now_ms: int) -> None:
        """Carry out one message; raises the `PeerError` that it amounts to."""
        match message:
            case Inventory():
                self._on_inventory(peer, message, now_ms)
            case Fetch():
                self.server.request(peer, message, now_ms)
            case NotAvailable():
                self._on_not_available(peer, message, now_ms)
            case TransactionMessage():
                self._on_transaction(peer, message, now_ms)
            case BlockMessage():
                self._on_block(peer, message, now_ms)
            case GetBlockIds():
                self.server.answer_synopsis(peer, message, now_ms)
            case BlockIds():
                self.sync.on_block_ids(peer.key, message, now_ms)
                self.deliver_ready(now_ms)
            case GetAddresses():
                self.addresses.answer(peer, now_ms)
            case Addresses():
                self.addresses.take(peer, message)
            case Vote():
                self._on_vote(peer, message, now_ms)
            case Ping():
                peer.answer_ping(message, now_ms)
            case Pong():
                peer.check_pong(message, now_ms)
            case _:
                assert_never(message)

    def begin_turn(self) -> None:
        """With each tick a few more transactions may be judged."""
        self.accounts.turn_left = self._limits.judged_at_once
        self._judge_waiting()

    def _judge_waiting(self) -> None:
        """Hand over transactions that have waited, one of each peer in turns."""
        while self.waiting and self.accounts.turn_left > 0:
            self._hand_over(*self.waiting.take())

    def deliver_ready(self, now_ms: int) -> None:
        """Hand over the synced blocks whose turn has come."""
        self._effects.extend(self.sync.take_ready(now_ms))

    def _on_inventory(self, peer: Peer, message: Inventory, now_ms: int) -> None:
        items = [Item(ItemKind(message.kind), item_id) for item_id in message.ids]
        self.gossip.note_known(peer.key, items)
        if message.kind == ItemKind.BLOCK:
            items = [item for item in items if self._is_to_fetch(peer, item.id, now_ms)]
        self.gossip.want(peer, items, now_ms)

    def _is_to_fetch(self, peer: Peer, item_id: ItemId, now_ms: int) -> bool:
        """Whether an announced block is to be fetched by itself, and not only by a sync round.

        One near our head is, though a round lists it: its peer may never deliver it (P10).
        """
        block_id = BlockId(item_id)
        num = block_num_of(block_id)
        if num <= self._chain.last_irreversible_num or self._chain.has_block(block_id):
            return False
        if self.sync.is_rejected(block_id):
            return False
        self.sync.note_head(peer.key, num)
        is_far = num > self._chain.head_num + NEAR_BLOCKS
        if is_far or self.sync.is_running_with(peer.key):
            self.sync.request_round(peer.key, now_ms)
        return not is_far

    def _on_not_available(self, peer: Peer, message: NotAvailable, now_ms: int) -> None:
        """Turn to others for all that the peer lacks, whatever else it names (P10)."""
        items = [Item(ItemKind(message.kind), item_id) for item_id in message.ids]
        missed = []
        faults: list[PeerError] = []
        for item in items:
            if self.tracker.settle(peer.key, item):
                missed.append(item)
            else:
                was_answered = self.tracker.was_answered(peer.key, item)
                faults.append(unasked_answer("NotAvailable", was_answered=was_answered))
        if message.kind == ItemKind.BLOCK:
            lie = self.sync.on_unavailable(peer.key, [BlockId(item.id) for item in missed], now_ms)
            faults += [] if lie is None else [lie]
        self.gossip.missed(missed, now_ms)
        self.gossip.go_on(peer, now_ms)
        if faults:
            raise max(faults, key=lambda fault: fault.points)

    def _on_vote(self, peer: Peer, vote: Vote, now_ms: int) -> None:
        """Hand a vote on, unless the peer cannot pay: with the next block come new ones (F7)."""
        if self.accounts.admits(peer, now_ms):
            self._effects.append(VoteReceived(peer.key, vote))

    def _on_transaction(self, peer: Peer, message: TransactionMessage, now_ms: int) -> None:
        try:
            envelope = TransactionEnvelope.from_bytes(message.data)
        except ProtocolError as error:
            raise MalformedMessage(f"transaction: {error.what}", rule=error.rule) from error
        item = Item(ItemKind.TRANSACTION, envelope.id)
        self._check_requested(peer, item)
        if self.gossip.take(item) and not self._chain.has_transaction(envelope.id):
            peer.last_transaction_ms = now_ms
            self.accounts.charge_intake(peer, work_to_judge(envelope), now_ms)
            if not self.waiting.add(peer.key, envelope):
                self.gossip.forget(item)
            self._judge_waiting()
        self.gossip.go_on(peer, now_ms)

    def _hand_over(self, peer: PeerKey, envelope: TransactionEnvelope) -> None:
        if not self._chain.has_transaction(envelope.id):
            self.accounts.turn_left -= work_to_judge(envelope)
            self._effects.append(TransactionReceived(peer, envelope))

    def _on_block(self, peer: Peer, message: BlockMessage, now_ms: int) -> None:
        try:
            front = HeaderEnvelope.read(message.data)
        except ProtocolError as error:
            raise MalformedMessage(f"block: {error.what}", rule=error.rule) from error
        item = Item(ItemKind.BLOCK, front.id)
        self._check_requested(peer, item)
        received = BlockReceived(peer.key, front, message.data)
        was_announced = self.gossip.is_wanted(item)
        may_follow = was_announced and self._chain.has_block(front.header.previous)
        if self.refetch.take(front.id):
            self._effects.append(BlockRefetched(peer.key, front, message.data))
        elif self.sync.wants(front.id) and not may_follow:
            self.sync.on_block(received, now_ms)
            self.deliver_ready(now_ms)
        elif self.gossip.take(item) and not self._chain.has_block(front.id):
            peer.last_block_ms = now_ms
            self._effects.append(received)
        self.gossip.go_on(peer, now_ms)

    def _check_requested(self, peer: Peer, item: Item) -> None:
        delivery = self.tracker.finish(peer.key, item)
        if delivery is Delivery.UNREQUESTED:
            raise UnrequestedItem("item was not asked for", rule="T-P7", value=item.id.hex())
        if delivery is Delivery.REPEATED:
            raise RepeatedItem("item delivered again", rule="T-P8", value=item.id.hex())
        self.gossip.note_known(peer.key, [item])
