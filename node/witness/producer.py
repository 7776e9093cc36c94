"""Whether it is this node's turn to make a block, decided from the chain and a time alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from node.chain.chain import Chain
from protocol.constants import HUNDRED_PERCENT
from protocol.ids import WitnessId, witness_text
from protocol.schema import PublicKey, Record

MAX_LAG_MS = 500
"""A slot that began longer ago is left to pass (T-K1)."""

DEFAULT_PARTICIPATION = 33
"""Percent of recent slots with a block below which this node fears to be on a minority fork."""

SLOTS_AHEAD_MAX = 10_000
"""How far generated blocks may skip slots whose witness keys are missing."""


class Production(Record):
    """A block to be built and signed now."""

    witness: WitnessId
    slot_time_s: int
    signing_key: PublicKey


class Refusal(Record):
    """Why no block is made."""

    name: str
    """`not_time_yet`, `not_my_turn`, `not_synced`, `clock_behind`, `already_signed`,
    `low_participation` or `lag`."""
    detail: str
    """The numbers behind it."""
    worth_telling: bool
    """Whether an operator should hear of it; waiting for one's turn is no news."""


ProduceDecision = Production | Refusal


def is_synced(chain: Chain, now_ms: int) -> bool:
    """Whether the next slot is now or later, so that nobody can have built on the head yet."""
    return chain.slot_time(1) * 1000 + MAX_LAG_MS >= now_ms


def maybe_produce(
    chain: Chain,
    now_ms: int,
    my_keys: Collection[PublicKey],
    *,
    stale_ok: bool = False,
    required_participation: int = DEFAULT_PARTICIPATION,
    last_signed: Mapping[WitnessId, int] | None = None,
) -> ProduceDecision:
    """Decide about the slot that holds a time.

    `my_keys` are the signing keys at hand. `stale_ok` says that this node has been in step with
    the chain before, or starts one: without it a head from the past is taken for a lack of sync.
    `required_participation` is in percent. `last_signed` is, by witness, the time of the last slot
    that was signed, in seconds; no slot is ever signed twice (T-W1).
    """
    now_s = now_ms // 1000
    if now_s + chain.state.parameters.block_interval < chain.head_time:
        return Refusal("clock_behind", f"head {chain.head_time}, clock {now_s}", True)
    if not stale_ok and not is_synced(chain, now_ms):
        return Refusal("not_synced", f"head {chain.head_time}, clock {now_s}", True)
    slot = chain.slot_at(now_s)
    if slot == 0:
        return Refusal("not_time_yet", f"next slot {chain.slot_time(1)}", False)
    witness = chain.scheduled_witness(slot)
    key = chain.signing_key(witness)
    if key is None or key not in my_keys:
        return Refusal("not_my_turn", f"slot of witness {witness_text(witness)}", False)
    slot_time_s = chain.slot_time(slot)
    signed_s = (last_signed or {}).get(witness, 0)
    if slot_time_s <= signed_s:
        return Refusal("already_signed", f"slot {slot_time_s}, signed {signed_s}", True)
    participation = chain.participation()
    if participation * 100 < required_participation * HUNDRED_PERCENT:
        detail = f"{participation // 100} %, required {required_participation} %"
        return Refusal("low_participation", detail, True)
    lag_ms = now_ms - slot_time_s * 1000
    if lag_ms > MAX_LAG_MS:
        return Refusal("lag", f"slot began {lag_ms} ms ago", True)
    return Production(witness, slot_time_s, key)


def next_production(
    chain: Chain,
    my_keys: Collection[PublicKey],
    *,
    earliest_s: int = 0,
    last_signed: Mapping[WitnessId, int] | None = None,
) -> Production | None:
    """The next slot whose witness key is at hand, whatever the clock says; None: there is none.

    Slots that begin before `earliest_s` are left out, and those that their witness has signed, or
    later ones: after a crash the record of signed slots may be ahead of the chain (T-W1).
    """
    slots, signed_s = chain.next_slots, last_signed or {}
    first = max(slots.at(earliest_s), 1)
    if slots.time_of(first) < earliest_s:
        first += 1
    for slot in range(first, first + SLOTS_AHEAD_MAX):
        witness, slot_time_s = slots.witness_of(slot), slots.time_of(slot)
        key = chain.signing_key(witness)
        if key is not None and key in my_keys and slot_time_s > signed_s.get(witness, 0):
            return Production(witness, slot_time_s, key)
    return None
