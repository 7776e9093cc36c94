"""The blocks that this node signs: which slot is next, and the signature; nothing is pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from node.chain.chain import Chain
from node.core.settings import CoreSettings
from node.witness.producer import (
    ProduceDecision,
    Production,
    Refusal,
    is_synced,
    maybe_produce,
    next_production,
)
from protocol.block import BlockEnvelope
from protocol.crypto.keys import PrivateKey, public_key
from protocol.crypto.signatures import sign_digest
from protocol.errors import PegboardError
from protocol.finality import Certificate
from protocol.ids import WitnessId, witness_text
from protocol.schema import Digest, PublicKey, Signature

INSTANT_LEAD_MS = 15_000
"""How far blocks of an instant node may run ahead of the clock; clients give half a minute."""

HOLD_ROUNDS = 2
"""Whoever has signed a block with a key within so many rounds is still there."""

FOR_GOOD = 1 << 32
"""Later than any time of a block, in seconds."""

LISTEN_SLOTS = 1
"""Whoever votes is heard within about so many slots..."""
SPREAD_SLOTS = 2
"""...and of two that start together one begins up to so many slots before the other."""


class NoSigningKey(PegboardError):
    """A block was asked for, and this node cannot sign for any scheduled witness."""

    name = "no_signing_key"


class OwnBlocks:
    """Keys and memory of this node's witnesses."""

    def __init__(
        self,
        chain: Chain,
        settings: CoreSettings,
        secrets: Sequence[PrivateKey],
        last_signed: Mapping[WitnessId, int],
    ) -> None:
        self.chain = chain
        self.settings = settings
        self.secrets: dict[PublicKey, PrivateKey] = {public_key(key): key for key in secrets}
        self.last_signed = {
            witness.id: max(chain.head_time, last_signed.get(witness.id, 0))
            for witness in chain.state.witnesses.rows.values()
        }
        """By witness the time of its last slot; a block of the head's time or before may be its own
        though no record tells of it, since it was stored before (T-W1)."""
        self.has_signed = False
        """Whether this process has signed a block or a vote."""
        self._in_step = False
        self._first_tick_ms: int | None = None
        self.held_until_s = 0
        """Before this time of slots nothing is signed, since somebody else does."""
        self._held_detail = ""
        self._lead_ms = 0
        """How far an instant node's chain was taken ahead of the clock on purpose."""

    def is_listening(self, now_ms: int) -> bool:
        """Whether it is too early to sign anything; `now_ms` is the time of the timers (T-W1)."""
        return self._runs_for_ms(now_ms) < self.settings.listen_ms

    def may_vote(self, slot_s: int, now_ms: int) -> bool:
        """Whether this node signs votes now, as far as others who have its keys let it (T-W1)."""
        return not self.is_listening(now_ms) and slot_s >= self.held_until_s

    def by_the_clock(self, slot_ms: int, now_ms: int) -> ProduceDecision:
        """Whether the present slot is one of this node's, and to be used (R8.5).

        `slot_ms` is the time of slots, `now_ms` that of the timers.
        """
        self._in_step = self._in_step or is_synced(self.chain, slot_ms)
        if slot_ms < self.held_until_s * 1_000:
            return Refusal("key_elsewhere", self._held_detail, True)
        if self.is_listening(now_ms):
            return Refusal("listening", f"for {self.settings.listen_ms} ms", False)
        decision = maybe_produce(
            self.chain,
            slot_ms,
            self.secrets,
            stale_ok=self._in_step or self._may_start(now_ms),
            required_participation=self.settings.required_participation,
            last_signed=self.last_signed,
        )
        self._in_step = self._in_step or isinstance(decision, Production)
        return decision

    def note_applied(self, block: BlockEnvelope) -> PublicKey | None:
        """A block came from a peer; the key if it is one of this node's, signed by somebody else.

        While another process signs with a key of this node, as after its data directory was copied,
        this one signs nothing: for two rounds after each such block (T-W1).
        """
        header, key = block.header, block.signing_key()
        if key not in self.secrets or header.timestamp <= self.last_signed.get(header.witness, 0):
            return None
        self.last_signed[header.witness] = header.timestamp
        self._hold_for_rounds(
            header.timestamp,
            f"another process signed block {block.num} for witness {witness_text(header.witness)}",
        )
        return key

    def note_vote(self, key: PublicKey, target_num: int) -> bool:
        """Somebody else voted with a key of this node; whether this process defers to that.

        It does until it has signed something itself: of two processes the one that began first goes
        on, and the other one is silent for two rounds after each such vote (T-W1).
        """
        if self.has_signed:
            return False
        self._hold_for_rounds(
            self.chain.head_time, f"another process voted for block {target_num} with {key.hex()}"
        )
        return True

    def go_back(self) -> None:
        """A development chain was taken back on purpose: its slots may be signed again."""
        self.last_signed = dict.fromkeys(self.last_signed, self.chain.head_time)
        self._lead_ms = 0

    def note_lie(self, key: PublicKey) -> None:
        """A key has signed what no honest node signs; if it is one of this node's, nothing is
        signed any more until an operator has looked and starts it again (T-W1)."""
        if key in self.secrets:
            self._hold(
                FOR_GOOD,
                "a key of this node has signed two ways: end the other process"
                " that has it, and start this one again",
            )

    def _hold_for_rounds(self, since_s: int, why: str) -> None:
        state = self.chain.state
        rounds_s = HOLD_ROUNDS * len(state.properties.active_witnesses)
        self._hold(since_s + rounds_s * state.parameters.block_interval, why)

    def _hold(self, until_s: int, why: str) -> None:
        if until_s > self.held_until_s:
            self.held_until_s, self._held_detail = until_s, why

    def on_demand(
        self, more: PrivateKey | None = None, *, earliest_s: int = 0, made: int = 0
    ) -> Production:
        """The next slot for which there is a key, also with one more, whatever the clock says.

        Slots that begin before `earliest_s` are left out. `NoSigningKey` tells how many blocks of
        the same demand were made before.
        """
        own = self.secrets.keys()
        keys = own if more is None else own | {public_key(more)}
        production = next_production(
            self.chain, keys, earliest_s=earliest_s, last_signed=self.last_signed
        )
        if production is None:
            what = "none of the scheduled witnesses' keys is here"
            raise NoSigningKey(
                f"{what} any more; {made} blocks were made before" if made else what,
                rule="R8.5",
                value=len(keys),
            )
        return production

    def for_pending(self, now_ms: int) -> Production | None:
        """The slot for what is pending on an instant node: the present one, or one soon after it.

        None for not yet: a client's transactions expire by its clock, so the chain must not run
        away from that, and what comes too fast for blocks of its own shares one (T-D1). Time that
        somebody skipped on purpose, in blocks that may be lost, is no haste: the clock is read as
        if it had skipped it, too.
        Raises `NoSigningKey`.
        """
        earliest_s = self.present_slot_s(now_ms)
        production = self.on_demand(earliest_s=earliest_s)
        latest_ms = now_ms + self._lead_ms + INSTANT_LEAD_MS
        return production if production.slot_time_s * 1_000 <= latest_ms else None

    def present_slot_s(self, now_ms: int) -> int:
        """When the slot began that holds the chain's present; 0 before its next slot."""
        newest_s = max([self.chain.head_time, *self.last_signed.values()])
        ahead_ms = newest_s * 1_000 - now_ms
        if ahead_ms > self._lead_ms + INSTANT_LEAD_MS:
            self._lead_ms = ahead_ms
        slot = self.chain.slot_at((now_ms + self._lead_ms) // 1_000)
        return self.chain.slot_time(slot) if slot else 0

    def build(
        self,
        production: Production,
        certificate: Certificate | None = None,
        more: PrivateKey | None = None,
    ) -> BlockEnvelope:
        """The signed block of a slot, which is not signed again (T-W1)."""
        secret = self.secrets.get(production.signing_key, more)
        assert secret is not None, "a production is for a key at hand"

        def sign(digest: Digest) -> Signature:
            return sign_digest(secret, digest)

        envelope = self.chain.build_block(
            production.witness, production.slot_time_s, sign, certificate
        )
        envelope.front.note_signer(production.signing_key)
        self.last_signed[production.witness] = production.slot_time_s
        self.has_signed = True
        return envelope

    def _may_start(self, now_ms: int) -> bool:
        """Whether this node may go on from an old head; a restarted one lets peers speak first."""
        waited_ms = self._runs_for_ms(now_ms)
        return self.settings.enable_stale and waited_ms >= self.settings.start_grace_ms

    def _runs_for_ms(self, now_ms: int) -> int:
        if self._first_tick_ms is None:
            self._first_tick_ms = now_ms
        return now_ms - self._first_tick_ms


def draw_listen_ms(chain: Chain, rng: Random, *, has_record: bool) -> int:
    """How long a node listens before it signs anything: whether others have its keys (T-W1).

    Two processes on copies of one directory that start together draw different times, and the later
    one hears the other's first vote. Without a record of what was signed, or without votes, it
    takes a round of slots to hear of each other. On a chain without blocks nobody has signed.
    """
    if not chain.has_begun:
        return 0
    state = chain.state
    has_votes = state.finality is not None
    slots = LISTEN_SLOTS if has_record and has_votes else len(state.properties.active_witnesses)
    interval_ms = state.parameters.block_interval * 1_000
    return slots * interval_ms + rng.randrange(SPREAD_SLOTS * interval_ms)
