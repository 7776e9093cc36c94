"""Votes on irreversibility and the certificate that a block header carries (F1, F3).

A block id begins with its block's number, so ids alone name source and target of a vote. A
signature tells its key, so signatures alone name who voted.
"""

from __future__ import annotations

from protocol.crypto.hashes import sha256
from protocol.schema import BlockId, Digest, Record, Signature, UInt32

VOTE_DOMAIN = sha256(b"pegboard: a vote on irreversibility")
"""Begins what a vote signs; no chain has it for its id, so that a vote is never read as a
transaction, nor a transaction or a header as a vote (F1)."""


class Vote(Record):
    """A member of a voting set says: from this justified block on to that one (F1)."""

    source: BlockId
    """The highest justified block of the chain that ends with the target; zeros for genesis."""
    target: BlockId
    signature: Signature
    """By the member's block signing key, on `vote_digest`."""


class Certificate(Record):
    """Votes of a quorum for one link, in the extensions of a block header (F3).

    Both blocks are ancestors of the block that carries it, so their numbers tell their ids.
    """

    source_num: UInt32
    target_num: UInt32
    signatures: tuple[Signature, ...]
    """In ascending order of the keys that made them."""


def vote_digest(chain_id: Digest, source: BlockId, target: BlockId) -> Digest:
    """What a vote signs: SHA256(domain, chain id, source id, target id) (F1)."""
    return sha256(VOTE_DOMAIN + chain_id + source + target)
