"""The pool of votes: what it takes, and how much of what it cannot judge yet (F7)."""

from __future__ import annotations

import pytest

from node.chain import finality
from node.chain.vote_pool import (
    ALL_WAITING_MAX,
    WAITING_MAX,
    Judgement,
    VotePool,
)
from node.witness.voter import cast_votes
from protocol.block import NO_BLOCK
from protocol.crypto.signatures import recover_key
from protocol.finality import Vote
from protocol.schema import BlockId, Digest, PublicKey, Signature
from tests.support.votes import ALL, PEER, build, extend, silent, vote
from tests.support.world import key_of, secret_of


def test_the_pool_takes_one_vote_of_each_member_and_height() -> None:
    """F7: of members, for known blocks, with the source that the target's chain has."""
    chain = silent()
    extend(chain, None, (0, 1))
    pool = VotePool(chain.chain)
    good = vote(chain, "init0", chain.main[1].id, chain.main[2].id)
    unknown = BlockId((3).to_bytes(4, "big") + bytes(16))
    cases = [
        (good, Judgement.TAKEN),
        (good, Judgement.PASSED_OVER),
        (vote(chain, "alice", *[chain.main[num].id for num in (1, 2)]), Judgement.DROPPED),
        (vote(chain, "init1", NO_BLOCK, chain.main[2].id), Judgement.DROPPED),
        (vote(chain, "init0", NO_BLOCK, chain.main[2].id), Judgement.LIE),
        (vote(chain, "init2", chain.main[1].id, unknown), Judgement.WAITS),
        (Vote(good.source, good.target, Signature(bytes(65))), Judgement.MALFORMED),
        (Vote(good.source, BlockId(b"\xff" * 20), good.signature), Judgement.PASSED_OVER),
    ]
    assert [pool.add(one, PEER) for one, _ in cases] == [expected for _, expected in cases]
    assert [found.kind for found in pool.equivocations] == ["votes"]


def test_the_key_behind_a_vote_is_recovered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F7, F3: when the vote comes in, and not again for the certificate that carries it; that of
    this node's own vote never."""
    chain = silent()
    extend(chain, None, (0, 1))
    finality.KNOWN_SIGNERS.clear()
    recovered: list[Signature] = []

    def recover(digest: Digest, signature: Signature) -> PublicKey:
        recovered.append(signature)
        return recover_key(digest, signature)

    monkeypatch.setattr(finality, "recover_key", recover)
    pool = VotePool(chain.chain)
    votes = [vote(chain, name, chain.main[1].id, chain.main[2].id) for name in ALL]
    assert [pool.add(one, PEER) for one in votes] == [Judgement.TAKEN] * len(votes)
    chain.receive(build(chain, pool.certificate()))
    assert chain.chain.head_num == 3
    assert sorted(recovered) == sorted(one.signature for one in votes)
    finality.KNOWN_SIGNERS.clear()
    secret = secret_of("init0 block")
    [cast] = cast_votes(chain.chain, {key_of("init0 block"): secret}, {})
    assert cast.vote is not None
    assert VotePool(chain.chain).add(cast.vote, PEER) is Judgement.TAKEN
    assert len(recovered) == len(votes)


def test_votes_that_wait_for_their_block_are_bounded() -> None:
    """F7: each sender has its own room, and gets it back."""
    chain = silent()
    chain.blocks(1)
    pool = VotePool(chain.chain)
    block = BlockId((2).to_bytes(4, "big") + bytes(16))
    votes = [
        Vote(NO_BLOCK, block, Signature(bytes(63) + bytes(divmod(n, 256)))) for n in range(300)
    ]
    found = [pool.add(one, PEER) for one in votes]
    assert found == [Judgement.WAITS] * WAITING_MAX + [Judgement.PASSED_OVER] * (300 - WAITING_MAX)
    assert pool.add(votes[-1], PEER + 1) is Judgement.WAITS
    assert len(pool.take_waiting(block)) == WAITING_MAX + 1
    assert pool.add(votes[-1], PEER) is Judgement.WAITS


def test_votes_of_many_senders_that_wait_are_bounded() -> None:
    """F7, T-P7: whoever comes back under ever new names fills no memory; the newest block's votes
    stay, and a sender without room leaves no trace."""
    chain = silent()
    chain.blocks(1)
    pool = VotePool(chain.chain)

    def names(sender: int, block: int) -> Judgement:
        target = BlockId((2 + block % 9).to_bytes(4, "big") + block.to_bytes(16, "big"))
        return pool.add(Vote(NO_BLOCK, target, Signature(bytes(65))), sender)

    for number in range(ALL_WAITING_MAX + 1_000):
        assert names(number // 100, number) is Judgement.WAITS
        assert pool._waiting_of.total() <= ALL_WAITING_MAX
    last = 10**6
    found = [names(last, last + number) for number in range(2 * WAITING_MAX)]
    assert found.count(Judgement.PASSED_OVER) == WAITING_MAX
    assert sum(map(len, pool._waiting.values())) == pool._waiting_of.total() == ALL_WAITING_MAX
    assert all(pool._waiting.values())
