"""What makes a block justified and irreversible by votes: the rules as functions of the state.

The argument why no two nodes ever call conflicting blocks irreversible (T-W4, S2) stands in
`FINALITY.md`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from itertools import pairwise

from node.state.database import State
from node.state.errors import WrongCertificate
from node.state.objects.finality import Finality, VotingSet
from protocol.crypto.signatures import recover_key
from protocol.errors import KeyFormatError
from protocol.finality import Certificate, vote_digest
from protocol.ids import FinalityId, WitnessId
from protocol.schema import BlockId, Digest, PublicKey, Signature

JUSTIFIED_MAX = 64
"""Justified blocks that are remembered as sources while nothing becomes irreversible (F4)."""

SIGNERS_KEPT = 4_096
"""Votes whose signers are remembered: some hundred blocks of a large set."""


def quorum_of(count: int) -> int:
    """So many of `count` members that any two quorums share more than a third of them (F2)."""
    return 2 * count // 3 + 1


def start_finality(state: State) -> None:
    """Let the genesis be justified and its witnesses vote (F4, F8)."""
    sets = (VotingSet(0, _active_members(state)),)
    state.finalities.create(Finality(id=FinalityId(0), justified=(0,), sets=sets))


def justified_num(state: State) -> int:
    """Number of the highest justified block; 0 for genesis, and for BitShares' rule."""
    finality = state.finality
    return 0 if finality is None else finality.justified[-1]


def needed_sets(finality: Finality, target_num: int) -> Sequence[VotingSet]:
    """The sets of which each must have a quorum among the votes for a target (F8)."""
    return [one for one in finality.sets if one.since_num < target_num]


def voting_keys(sets: Sequence[VotingSet]) -> frozenset[PublicKey]:
    """The keys of all members."""
    return frozenset(key for one in sets for _, key in one.members)


def missing_votes(one: VotingSet, keys: Collection[PublicKey]) -> int:
    """How many members more must vote until the set has its quorum (F2)."""
    voted = len([key for _, key in one.members if key in keys])
    return max(0, quorum_of(len(one.members)) - voted)


def choose_voters(sets: Sequence[VotingSet], keys: Collection[PublicKey]) -> list[PublicKey] | None:
    """No more of some keys than it takes for a certificate, in their order; None for too few."""
    chosen: set[PublicKey] = set()
    for one in sets:
        for _, key in one.members:
            if key in keys and missing_votes(one, chosen):
                chosen.add(key)
        if missing_votes(one, chosen):
            return None
    return sorted(chosen)


KNOWN_SIGNERS: OrderedDict[tuple[Digest, BlockId, BlockId, Signature], PublicKey | None] = (
    OrderedDict()
)
"""Who signed a vote, a pure function of it: the newest are kept."""


def signer_of_vote(
    chain_id: Digest, source: BlockId, target: BlockId, signature: Signature
) -> PublicKey | None:
    """The key that signed a vote, recovered once; None for a signature that is none (F1).

    A vote is judged when it comes in and again in the certificate that carries it.
    """
    vote = (chain_id, source, target, signature)
    if vote in KNOWN_SIGNERS:
        return KNOWN_SIGNERS[vote]
    try:
        key = recover_key(vote_digest(chain_id, source, target), signature)
    except KeyFormatError:
        key = None
    _keep_signer(vote, key)
    return key


def note_own_vote(
    chain_id: Digest, source: BlockId, target: BlockId, signature: Signature, key: PublicKey
) -> None:
    """Remember who signed a vote: this node has just done so with that key."""
    _keep_signer((chain_id, source, target, signature), key)


def _keep_signer(vote: tuple[Digest, BlockId, BlockId, Signature], key: PublicKey | None) -> None:
    if len(KNOWN_SIGNERS) >= SIGNERS_KEPT:
        KNOWN_SIGNERS.popitem(last=False)
    KNOWN_SIGNERS[vote] = key


def check_certificate(
    state: State, certificate: Certificate, chain_id: Digest, *, trusted: bool
) -> None:
    """Raise `WrongCertificate` unless a block on the head may carry it (F3).

    The votes of a trusted one are not looked at.
    """
    finality = state.finality
    if finality is None:
        raise WrongCertificate("a chain of BitShares' rule has no votes", rule="F10")
    source_num, target_num = certificate.source_num, certificate.target_num
    if source_num not in finality.justified:
        raise _wrong("the source is not justified", source_num, finality.justified[-1])
    if target_num <= finality.justified[-1]:
        raise _wrong("the target is not new", target_num, finality.justified[-1] + 1)
    if target_num > state.dynamic.head_block_number:
        raise _wrong("the target is no ancestor", target_num, state.dynamic.head_block_number)
    if trusted:
        return
    sets = needed_sets(finality, target_num)
    members, count = voting_keys(sets), len(certificate.signatures)
    if count > len(members):
        raise _wrong("more votes than members", count, len(members))
    source, target = id_of(state, source_num), id_of(state, target_num)
    found = [signer_of_vote(chain_id, source, target, one) for one in certificate.signatures]
    keys = [key for key in found if key is not None and key in members]
    if len(keys) < count:
        raise _wrong("a vote is not a member's", len(keys), count)
    if any(one >= other for one, other in pairwise(keys)):
        raise _wrong("votes not in the order of their keys, or given twice", count, count)
    voted = frozenset(keys)
    for one in sets:
        missing = missing_votes(one, voted)
        if missing:
            quorum = quorum_of(len(one.members))
            raise _wrong("no quorum of a voting set", quorum - missing, quorum)


def apply_certificate(state: State, certificate: Certificate) -> None:
    """Let the target be justified, and the source irreversible if nothing lies between (F4).

    A source from which every block up to the target is justified is irreversible too: votes that
    travel for longer than a slot would otherwise never make anything so.
    """
    finality = state.finality
    assert finality is not None, "checked before"
    source_num, target_num = certificate.source_num, certificate.target_num
    justified = (*finality.justified, target_num)
    state.finalities.edit(finality)
    at = justified.index(source_num)
    if len(justified) - at == target_num - source_num + 1:
        if source_num > state.dynamic.last_irreversible_block_num:
            dynamic = state.dynamic_properties.edit(state.dynamic)
            dynamic.last_irreversible_block_num = source_num
        justified = justified[at:]
        finality.sets = _sets_from(finality.sets, source_num)
    finality.justified = justified[-JUSTIFIED_MAX:]


def renew_voting_sets(state: State) -> None:
    """Let the witnesses elected by a maintenance block vote with their present keys (F8)."""
    finality = state.finality
    members = _active_members(state)
    if finality is None or finality.sets[-1].members == members:
        return
    state.finalities.edit(finality)
    added = VotingSet(state.dynamic.head_block_number, members)
    finality.sets = (*finality.sets, added)


def take_checkpoint(state: State) -> None:
    """Take the head's parent as irreversible because operators say so, and the set anew (F9)."""
    num = state.dynamic.head_block_number - 1
    state.dynamic_properties.edit(state.dynamic).last_irreversible_block_num = num
    finality = state.finality
    if finality is not None:
        state.finalities.edit(finality)
        finality.justified = (num,)
        finality.sets = (VotingSet(num, _active_members(state)),)


def id_of(state: State, num: int) -> BlockId:
    """Id of a block of the chain that ends with the head, not too far below it (R9.3)."""
    found = state.block_summary(num)
    assert found is not None, "the window of references is wider than the undo history"
    return found.block_id


def _active_members(state: State) -> tuple[tuple[WitnessId, PublicKey], ...]:
    return tuple(
        (witness, state.witnesses.get(witness).signing_key)
        for witness in state.properties.active_witnesses
    )


def _sets_from(sets: tuple[VotingSet, ...], irreversible_num: int) -> tuple[VotingSet, ...]:
    """Without those that a set of an irreversible block has taken the place of (F8)."""
    newest = max(at for at, one in enumerate(sets) if at == 0 or one.since_num <= irreversible_num)
    return sets[newest:]


def _wrong(what: str, value: int, limit: int) -> WrongCertificate:
    return WrongCertificate(f"certificate: {what}", rule="F3", value=value, limit=limit)
