"""Addresses of other nodes: asked of the peers that we dialled, answered to all (T-P9)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from node.p2p.effects import PeerAddress, PeerKey
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer, unasked_answer
from node.p2p.peer_database import PeerDatabase, wide_group
from protocol.p2p.messages import Addresses, GetAddresses


class _Question:
    """When a peer was asked for addresses, and whether it has answered."""

    __slots__ = ("asked_ms", "is_answered")

    def __init__(self, asked_ms: int) -> None:
        self.asked_ms = asked_ms
        self.is_answered = False


class AddressRelay:
    """Fills the peer database from peers, and tells peers from it."""

    def __init__(
        self,
        peers: Mapping[PeerKey, Peer],
        database: PeerDatabase,
        limits: PeerLimits,
        rng: Random,
    ) -> None:
        self._peers = peers
        self._database = database
        self._limits = limits
        self._rng = rng
        self._questions: dict[PeerKey, _Question] = {}
        """The last question to each peer that we dialled."""

    def add_peer(self, peer: Peer, now_ms: int) -> None:
        """Ask a new peer for addresses if we dialled it."""
        if peer.outbound:
            self._ask(peer, now_ms)

    def remove_peer(self, peer: PeerKey) -> None:
        """Expect no answer any more."""
        self._questions.pop(peer, None)

    def tick(self, now_ms: int) -> None:
        """Ask the peers that we dialled again, after a while (T-P9)."""
        for key, question in list(self._questions.items()):
            if now_ms - question.asked_ms >= self._limits.ask_addresses_ms:
                self._ask(self._peers[key], now_ms)

    def answer(self, peer: Peer, now_ms: int) -> None:
        """Tell a peer some addresses, not its own."""
        peer.send(Addresses(self._database.sample(self._rng, peer.listen_address)), now_ms)

    def take(self, peer: Peer, message: Addresses) -> None:
        """Remember what a peer answered; raises a `PeerError` when it was not asked."""
        question = self._questions.get(peer.key)
        if question is None or question.is_answered:
            raise unasked_answer("Addresses", was_answered=question is not None)
        question.is_answered = True
        source = wide_group(peer.address.host)
        for known in message.addresses:
            self._database.add(PeerAddress(known.host, known.port), source, self._rng)

    def _ask(self, peer: Peer, now_ms: int) -> None:
        self._questions[peer.key] = _Question(now_ms)
        peer.send(GetAddresses(), now_ms)
