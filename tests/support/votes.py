"""Votes on irreversibility that a test casts itself, and blocks that carry them."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.block import NO_BLOCK, BlockEnvelope
from protocol.crypto.signatures import sign_digest
from protocol.finality import Certificate, Vote, vote_digest
from protocol.genesis import FINALITY_VOTES
from protocol.schema import BlockId
from tests.support.chain import TestChain, witness_names
from tests.support.world import key_of, secret_of

ALL = witness_names(4)
PEER = 7


def silent(**settings: object) -> TestChain:
    """A chain of four witnesses whose votes come only when a test casts them."""
    chain = TestChain(**({"witnesses": 4, "finality": FINALITY_VOTES} | settings))  # type: ignore[arg-type]
    chain.voters = {}
    return chain


def vote(chain: TestChain, name: str, source: BlockId, target: BlockId) -> Vote:
    """A signed vote of a witness."""
    digest = vote_digest(chain.chain.chain_id, source, target)
    return Vote(source, target, sign_digest(secret_of(f"{name} block"), digest))


def certify(
    chain: TestChain, source_num: int, target_num: int, names: Sequence[str] = ALL[:3]
) -> Certificate:
    """A certificate with the votes of some witnesses for a link of the main chain."""
    ids = [NO_BLOCK if num == 0 else chain.main[num].id for num in (source_num, target_num)]
    names = sorted(names, key=lambda name: key_of(f"{name} block"))
    votes = [vote(chain, name, *ids).signature for name in names]
    return Certificate(source_num, target_num, tuple(votes))


def build(chain: TestChain, certificate: Certificate | None, slot: int = 1) -> BlockEnvelope:
    """A block that carries a certificate, right or wrong."""
    witness = chain.chain.scheduled_witness(slot)
    secret = chain.witness_secret(witness)
    return chain.chain.build_block(
        witness,
        chain.chain.slot_time(slot),
        lambda digest: sign_digest(secret, digest),
        certificate,
    )


def extend(chain: TestChain, *links: tuple[int, int] | None) -> None:
    """Blocks on the head, each with the certificate of a link."""
    for link in links:
        chain.receive(build(chain, None if link is None else certify(chain, *link)))


def irreversible(chain: TestChain) -> int:
    return chain.state.dynamic.last_irreversible_block_num
