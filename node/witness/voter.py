"""What this node's witnesses vote, decided from the chain, their keys and their record (F5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from node.chain.chain import Chain
from node.chain.finality import (
    choose_voters,
    missing_votes,
    needed_sets,
    note_own_vote,
    voting_keys,
)
from node.state.objects.finality import Finality, VotingSet
from protocol.block import block_num_of
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.finality import Vote, vote_digest
from protocol.schema import BlockId, PublicKey, Record

LATE_ROUNDS = 2
"""While more blocks than so many for each member can be taken back, parents are voted for (F5)."""

VOTED_LAST = 3
"""So many blocks at the end of a demand are voted for each, so that it ends as if all were."""

PASSED_OVER_MAX = 1_000
"""So many blocks that can be taken back are let grow by a demand before two are voted for."""

SLOTS_AHEAD = 2
"""So many slots a block may have been ahead of this node's clock when it was voted for (T-W3)."""


class VoteSpan(NamedTuple):
    """Numbers of a vote's source and target: what must be remembered of it."""

    source_num: int
    target_num: int

    def may_follow(self, last: VoteSpan) -> bool:
        """Whether an honest member that voted `last` may vote so: neither number falls (F5)."""
        return self.source_num >= last.source_num and self.target_num > last.target_num

    def raised_to(self, floor_num: int) -> VoteSpan:
        """The span of a key that has voted so, and elsewhere for anything up to a block."""
        return VoteSpan(max(self.source_num, floor_num), max(self.target_num, floor_num))


NEVER = VoteSpan(0, 0)
"""What a key that has not voted is taken to have voted last."""


class Cast(Record):
    """A vote to be recorded and told, or with `vote` None only to be recorded."""

    key: PublicKey
    span: VoteSpan
    vote: Vote | None


def may_pass_over(chain: Chain, keys: Collection[PublicKey], to_come: int) -> bool:
    """Whether votes for the head may be left out, as the same demand makes more blocks (F5).

    `to_come` is how many. With votes for two later blocks in a row this one becomes irreversible
    as well, if whoever has these `keys` needs nobody else for them.
    """
    finality = chain.state.finality
    if finality is None or to_come < VOTED_LAST:
        return False
    undoable = chain.head_num - chain.last_irreversible_num
    return undoable < PASSED_OVER_MAX and _is_quorum(finality.sets, keys)


def cast_votes(
    chain: Chain,
    secrets: Mapping[PublicKey, PrivateKey],
    last_votes: Mapping[PublicKey, VoteSpan],
    *,
    doubted: Collection[PublicKey] = (),
    floor_num: int | None = 0,
) -> list[Cast]:
    """The votes for the head, or for its parent while little becomes irreversible: from the highest
    justified block of its chain, once a height (F5).

    `last_votes` is what each key has voted last. Keys that are `doubted` may have voted for any
    block up to `floor_num` beside that, because the record was lost or somebody else has them; so
    it is recorded as if they had, where that says more than the record does, and they vote again
    once the chain has justified that block. While `floor_num` is None nobody can say, and such
    keys do not vote.
    """
    finality = chain.state.finality
    if finality is None or chain.head_num == 0:
        return []
    target = _target_of(chain, finality.sets, secrets)
    source = chain.source_of(target)
    assert source is not None, "blocks of the main chain are in the fork database"
    span = VoteSpan(block_num_of(source), block_num_of(target))
    digest = vote_digest(chain.chain_id, source, target)
    found = []
    for key in _voters(finality, span, secrets, last_votes, doubted):
        last = last_votes.get(key, NEVER)
        if key in doubted:
            if floor_num is None:
                continue
            raised = last.raised_to(floor_num)
            if raised != last:
                found.append(Cast(key, raised, None))
            last = raised
        if span.may_follow(last):
            vote = Vote(source, target, sign_digest(secrets[key], digest))
            note_own_vote(chain.chain_id, source, target, vote.signature, key)
            found.append(Cast(key, span, vote))
    return found


def _voters(
    finality: Finality,
    span: VoteSpan,
    secrets: Collection[PublicKey],
    last_votes: Mapping[PublicKey, VoteSpan],
    doubted: Collection[PublicKey],
) -> Sequence[PublicKey]:
    """Who of this node's keys votes; where it has all, no more than a certificate takes (F5)."""
    keys = voting_keys(finality.sets)
    own = sorted([key for key in keys if key in secrets])
    if doubted or len(own) < len(keys):
        return own
    free = [key for key in own if span.may_follow(last_votes.get(key, NEVER))]
    return choose_voters(needed_sets(finality, span.target_num), free) or free


def _is_quorum(sets: Sequence[VotingSet], keys: Collection[PublicKey]) -> bool:
    """Whether whoever has these keys has a quorum of every set without anybody else (F2, F8)."""
    return not any(missing_votes(one, keys) for one in sets)


def _target_of(chain: Chain, sets: Sequence[VotingSet], keys: Collection[PublicKey]) -> BlockId:
    """What to vote for: the head, or its parent, of which all have chosen already, while blocks of
    one height part the votes (F5). A node that has just started may know no block below its head.
    """
    parent = None
    undoable = chain.head_num - chain.last_irreversible_num
    if undoable > LATE_ROUNDS * len(sets[-1].members) and not _is_quorum(sets, keys):
        parent = chain.id_at(chain.head_num - 1)
    return chain.head_id if parent is None else parent


def floor_without_record(chain: Chain, secrets: Collection[PublicKey], now_s: int) -> int | None:
    """The highest block that keys without a record may have voted for, as far as it matters (F5).

    Votes against the last irreversible block do no harm, whatever the key signs next; and a block
    that builds on it is no further above it than slots have begun since. None while its time is
    not known. A node with the keys of all members has nobody to contradict.
    """
    finality = chain.state.finality
    if finality is None or voting_keys(finality.sets) <= set(secrets):
        return 0
    since_s = chain.irreversible_time
    if since_s is None:
        return None
    slots = max(0, now_s - since_s) // chain.state.parameters.block_interval
    return chain.last_irreversible_num + slots + SLOTS_AHEAD
