"""What this node's witnesses vote, decided from the chain, their keys and their record (F5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from node.chain.chain import Chain
from node.chain.finality import voting_keys
from protocol.block import block_num_of
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.finality import Vote, vote_digest
from protocol.schema import PublicKey

SLOTS_AHEAD = 2
"""So many slots a block may have been ahead of this node's clock when it was voted for (T-W3)."""


class VoteSpan(NamedTuple):
    """Numbers of a vote's source and target: what must be remembered of it."""

    source_num: int
    target_num: int

    def may_follow(self, last: VoteSpan | None) -> bool:
        """Whether an honest member that voted `last` may vote so: neither number falls (F5)."""
        return last is None or (
            self.source_num >= last.source_num and self.target_num > last.target_num
        )


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote to be recorded and told, or with `vote` None only to be recorded."""

    key: PublicKey
    span: VoteSpan
    vote: Vote | None


def cast_votes(
    chain: Chain,
    secrets: Mapping[PublicKey, PrivateKey],
    last_votes: Mapping[PublicKey, VoteSpan],
    *,
    floor_num: int | None = 0,
) -> list[Cast]:
    """The votes for the head: from the highest justified block of its chain, once a height (F5).

    `last_votes` is what each key has voted last. A key that is missing there may have voted for
    any block up to `floor_num`, because the record was lost; so it is recorded as if it had, and
    votes again once the chain has justified that block. While `floor_num` is None nobody can say,
    and such a key does not vote.
    """
    finality = chain.state.finality
    if finality is None or chain.head_num == 0:
        return []
    source = chain.source_of(chain.head_id)
    assert source is not None, "the head is in the fork database"
    span = VoteSpan(block_num_of(source), chain.head_num)
    digest = vote_digest(chain.chain_id, source, chain.head_id)
    found = []
    for key in sorted(voting_keys(finality.sets) & secrets.keys()):
        last = last_votes.get(key)
        if last is None and floor_num != 0:
            if floor_num is not None:
                found.append(Cast(key, VoteSpan(floor_num, floor_num), None))
        elif span.may_follow(last):
            vote = Vote(source, chain.head_id, sign_digest(secrets[key], digest))
            found.append(Cast(key, span, vote))
    return found


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
