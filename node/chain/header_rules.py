"""What a header must satisfy, by the state that its parent left (R8.1).

Kept with each block that was applied, it judges every header that follows such a block, also on a
fork, whoever was elected there (T-W6), before the transactions are looked at (T-P6).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from node.chain.witness_schedule import NextSlots
from node.state.database import State
from node.state.errors import BlockTooLarge, WrongTimestamp, WrongWitness, WrongWitnessSignature
from protocol.block import HeaderEnvelope
from protocol.errors import TIME, KeyFormatError
from protocol.ids import WitnessId, witness_text
from protocol.schema import PublicKey, Record


class HeaderVerdict(Enum):
    """What is known of a block by its header."""

    RIGHT = "right"
    """By the state that its parent left: it is so for good, and need not be asked again."""
    BY_WITNESS = "by its witness"
    """Its parent was never applied; it is signed with the key that its witness has at our head."""
    STRANGE = "by a stranger"
    """Its parent was never applied; another key may be right on that fork."""


class HeaderRules(Record):
    """The slots after a block, the keys of their witnesses, and how large the next block may be."""

    slots: NextSlots
    keys: Mapping[WitnessId, PublicKey]
    """Signing key of each witness that has a turn."""
    size_max: int

    @classmethod
    def after(cls, state: State, like: HeaderRules | None = None) -> HeaderRules:
        """The rules after the head; nothing that waits may have changed them. Equal keys are shared
        with `like`."""
        slots = NextSlots.after(state)
        keys: Mapping[WitnessId, PublicKey] = {
            witness: state.witnesses.get(witness).signing_key for witness in slots.witnesses
        }
        if like is not None and like.keys == keys:
            keys = like.keys
        return cls(slots, keys, state.parameters.maximum_block_size)

    def check(self, front: HeaderEnvelope, size: int, *, trusted: bool = False) -> None:
        """Judge a header and the size of its block in bytes; raises a `BlockRejected` (R8.1).

        Of a trusted block, one that this node has checked before, the signature is not looked at.
        """
        if size > self.size_max:
            raise BlockTooLarge("block too large", rule="R8.1", value=size, limit=self.size_max)
        header, slots = front.header, self.slots
        slot = slots.at(header.timestamp)
        if slot == 0 or slots.time_of(slot) != header.timestamp:
            raise WrongTimestamp(
                "not the time of a slot after the head",
                rule="R8.1",
                value=header.timestamp,
                limit=slots.time_of(max(slot, 1)),
                unit=TIME,
            )
        expected = slots.witness_of(slot)
        if header.witness != expected:
            raise WrongWitness(
                f"another witness is scheduled for slot {slot}",
                rule="R8.1",
                value=witness_text(header.witness),
                limit=witness_text(expected),
            )
        if not trusted:
            self._check_signature(front)

    def judge_elsewhere(self, front: HeaderEnvelope, before: HeaderEnvelope) -> HeaderVerdict:
        """What can be known of a header whose parent, `before`, was never applied (T-P6).

        Raises `WrongTimestamp` for one that is wrong wherever its parent is.
        """
        if front.header.timestamp <= before.header.timestamp:
            raise WrongTimestamp(
                "not later than the block before",
                rule="R8.1",
                value=front.header.timestamp,
                limit=before.header.timestamp + 1,
                unit=TIME,
            )
        if self.keys.get(front.header.witness) == signer_of(front):
            return HeaderVerdict.BY_WITNESS
        return HeaderVerdict.STRANGE

    def _check_signature(self, front: HeaderEnvelope) -> None:
        witness = front.header.witness
        expected, signer = self.keys[witness], signer_of(front)
        if signer != expected:
            raise WrongWitnessSignature(
                f"not signed by the key of witness {witness_text(witness)}",
                rule="R8.1",
                value=signer.hex(),
                limit=expected.hex(),
            )


def signer_of(front: HeaderEnvelope) -> PublicKey:
    """The key that signed a header; raises `WrongWitnessSignature` when there is none."""
    try:
        return front.signing_key()
    except KeyFormatError as error:
        raise WrongWitnessSignature(str(error), rule="R8.1") from error
