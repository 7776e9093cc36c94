"""Which connections may exist: caps on those that come, a plan for those to open (T-P5, T-P9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

from node.p2p.bans import Bans
from node.p2p.effects import Effect, OpenConnection, PeerAddress, PeerKey
from node.p2p.eviction import choose_victim
from node.p2p.handshake_rate import HandshakeRate
from node.p2p.limits import PeerLimits
from node.p2p.peer import Peer
from node.p2p.peer_database import (
    ANCHORS,
    PeerDatabase,
    host_group,
    narrow_group,
    wide_group,
)
from protocol.p2p.messages import GoodbyeCode

_NEVER_MS = -1
_DIAL_FORGOTTEN_MS = 60_000
"""An attempt of which the shell said nothing for so long counts as failed."""


class Connections:
    """Admission and dialling; knows hosts and addresses, nothing of messages."""

    def __init__(
        self,
        peers: Mapping[PeerKey, Peer],
        database: PeerDatabase,
        limits: PeerLimits,
        trusted_hosts: frozenset[str],
        rng: Random,
        effects: list[Effect],
    ) -> None:
        self.bans = Bans(limits)
        self._peers = peers
        self._database = database
        self._limits = limits
        self._trusted_hosts = trusted_hosts
        self._rng = rng
        self._effects = effects
        self._dialling: dict[PeerAddress, int] = {}
        self._handshakes = HandshakeRate(limits)
        self._secret = rng.randbytes(16)

    @property
    def dialling_count(self) -> int:
        """Attempts of which the outcome is not known yet."""
        return len(self._dialling)

    def refusal(self, address: PeerAddress, now_ms: int) -> GoodbyeCode | None:
        """Why one more inbound connection from an address is not admitted (T-P5).

        Asked once for each; one that is not refused counts as a handshake of its address.
        """
        limits = self._limits
        inbound = self._inbound()
        if address.host in self._trusted_hosts:
            return None
        host = host_group(address.host)
        if self.bans.is_banned(host, now_ms):
            return GoodbyeCode.BANNED
        if [peer.machine for peer in inbound].count(host) >= limits.max_inbound_per_host:
            return GoodbyeCode.TOO_MANY_CONNECTIONS
        group = narrow_group(address.host)
        if [peer.group for peer in inbound].count(group) >= limits.max_inbound_per_group:
            return GoodbyeCode.TOO_MANY_CONNECTIONS
        return None if self._handshakes.take(address.host, now_ms) else GoodbyeCode.RATE_LIMIT

    def make_room(self) -> Peer | GoodbyeCode | None:
        """Which connection has to go for one more that was not refused; None if there is room.

        A code where nobody has to: then the newcomer is one too many. Of those in the handshake
        the oldest goes of the largest group, for it has had the most time.
        """
        inbound, limits = self._inbound(), self._limits
        strangers = [peer for peer in inbound if not peer.is_active]
        if len(strangers) >= limits.max_in_handshake:
            sizes = Counter([peer.group for peer in strangers])
            victim = max(
                self._crowd(strangers),
                key=lambda peer: (sizes[peer.group], -peer.connected_ms),
                default=None,
            )
        elif len(inbound) >= limits.max_inbound:
            victim = choose_victim(self._crowd(inbound), self._secret)
        else:
            return None
        return GoodbyeCode.TOO_MANY_CONNECTIONS if victim is None else victim

    def _crowd(self, peers: Sequence[Peer]) -> list[Peer]:
        return [peer for peer in peers if peer.address.host not in self._trusted_hosts]

    def _inbound(self) -> list[Peer]:
        return [peer for peer in self._peers.values() if not peer.outbound]

    def ban(self, peer: Peer, code: GoodbyeCode, now_ms: int) -> None:
        """Ban the node, and its host unless that is trusted."""
        if peer.hello is not None:
            self.bans.add(peer.hello.node_id.hex(), code, now_ms)
        if peer.address.host not in self._trusted_hosts:
            self.bans.add(host_group(peer.address.host), code, now_ms)

    def anchors(self) -> list[PeerAddress]:
        """The peers that are worth most after a restart, of those that this node chose (T-P9).

        Those that delivered a new block last: who surrounds a node to keep blocks from it does not.
        Among others those that are anchors already, then those that are here longest. A seed is
        dialled anyway.
        """
        anchors = self._database.anchors
        chosen = [
            peer
            for peer in self._peers.values()
            if peer.outbound and peer.is_active and peer.address not in self._database.seeds
        ]
        chosen.sort(key=lambda peer: (peer.address not in anchors, peer.connected_ms))
        chosen.sort(key=lambda peer: peer.last_block_ms or _NEVER_MS, reverse=True)
        return [peer.address for peer in chosen[:ANCHORS]]

    def dialled(self, address: PeerAddress) -> None:
        """The attempt at an address has come to an end."""
        self._dialling.pop(address, None)

    def failed(self, address: PeerAddress, now_ms: int) -> None:
        """The attempt at an address, or its handshake, failed."""
        self._dialling.pop(address, None)
        self._database.mark_failed(address, now_ms, self._rng)

    def dial(self, now_ms: int) -> None:
        """Open connections until there are `target_outbound`, one per network group (T-P9).

        One more goes to a seed when none of them does, and one to each anchor: whoever has filled
        the others, by being told of and never leaving, has not chosen those.
        """
        for address, started_ms in list(self._dialling.items()):
            if now_ms - started_ms >= _DIAL_FORGOTTEN_MS:
                self.failed(address, now_ms)
        outbound = [peer for peer in self._peers.values() if peer.outbound]
        busy = len(outbound) + len(self._dialling)
        room = min(
            self._limits.target_outbound - busy, self._limits.max_dialling - len(self._dialling)
        )
        dialled = [peer.address for peer in outbound] + list(self._dialling)
        wanted: frozenset[PeerAddress] = frozenset()
        if room <= 0:
            wanted = self._database.anchors.difference(dialled)
            if self._database.seeds.isdisjoint(dialled):
                wanted |= self._database.seeds
            if not wanted:
                return
            room = 1
        taken = {peer.listen_address for peer in self._peers.values()} | set(self._dialling)
        groups = {wide_group(address.host) for address in dialled}

        def is_allowed(address: PeerAddress) -> bool:
            if address in taken or self.bans.is_banned(host_group(address.host), now_ms):
                return False
            if wanted:
                return address in wanted
            group = wide_group(address.host)
            if address.host not in self._trusted_hosts and group in groups:
                return False
            groups.add(group)
            return True

        for address in self._database.candidates(now_ms, room, self._rng, is_allowed):
            self._dialling[address] = now_ms
            self._effects.append(OpenConnection(address))
