"""Irreversibility by votes: the rules F1 to F12, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import pytest

from node.chain import apply_block, finality
from node.chain.chain import Chain
from node.chain.finality import quorum_of
from node.chain.vote_pool import (
    EQUIVOCATIONS_MAX,
    Conflict,
    Judgement,
    VotePool,
    contradict,
)
from node.core.effects import Report, StopNode
from node.core.proofs import CONFLICT_FILE, PROOFS_FILE, dump_proofs, load_proofs, read_conflict
from node.exit_codes import Exit
from node.state.errors import AgainstCheckpoint, BlockTooOld, WrongCertificate
from node.witness.voter import LATE_ROUNDS, VoteSpan, cast_votes, floor_without_record
from protocol.asset import NO_FEE
from protocol.binary import pack
from protocol.block import NO_BLOCK, BlockEnvelope, block_id, certificate_in
from protocol.crypto.signatures import sign_digest
from protocol.errors import ValidationError
from protocol.finality import VOTE_DOMAIN, Certificate, Vote, vote_digest
from protocol.genesis import FINALITY_BITSHARES, FINALITY_VOTES, genesis_from_json, genesis_to_json
from protocol.genesis_form import Genesis
from protocol.operations.witness import WitnessUpdate
from protocol.schema import BlockId, PublicKey, Signature
from tests.support.chain import TestChain, make_genesis, make_parameters, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run
from tests.support.votes import ALL, PEER, build, certify, extend, irreversible, silent, vote
from tests.support.world import BLOCK_INTERVAL_S, key_of, secret_of

# F1, F2.


def test_a_vote_is_no_header_and_no_transaction() -> None:
    """F1: what a vote signs begins with 32 bytes that no chain has for its id."""
    chain = silent()
    chain.blocks(1)
    assert chain.chain.chain_id != VOTE_DOMAIN
    head = chain.main[1]
    digest = vote_digest(chain.chain.chain_id, NO_BLOCK, head.id)
    assert digest != vote_digest(VOTE_DOMAIN, NO_BLOCK, head.id)
    misread = build(chain, Certificate(0, 1, (head.header.witness_signature,)))
    with pytest.raises(WrongCertificate, match="not a member's"):
        chain.receive(misread)


def test_two_quorums_share_more_than_a_third() -> None:
    """F2: so they share an honest member, if less than a third lie."""
    expected = {1: 1, 2: 2, 3: 3, 4: 3, 7: 5, 11: 8, 21: 15}
    assert {count: quorum_of(count) for count in expected} == expected
    for count in range(1, 200):
        assert 3 * (2 * quorum_of(count) - count) > count
        assert 3 * (quorum_of(count) - 1) <= 2 * count


# F3.


@pytest.mark.parametrize(
    ("link", "names", "words"),
    [
        ((0, 3), ALL[:2], "no quorum"),
        ((0, 3), (*ALL[:2], ALL[0]), "given twice"),
        ((0, 3), (*ALL[:3], "alice"), "not a member's"),
        ((0, 3), (*ALL, "alice"), "more votes than members"),
        ((1, 3), ALL[:3], "source is not justified"),
        ((0, 4), ALL[:3], "target is no ancestor"),
        ((0, 0), ALL[:3], "target is not new"),
    ],
)
def test_a_certificate_must_be_right(
    link: tuple[int, int], names: Sequence[str], words: str
) -> None:
    """F3: a quorum of different members, a justified source, and an ancestor above it."""
    chain = silent()
    chain.blocks(3)
    chain.main[4] = chain.build()
    with pytest.raises(WrongCertificate, match=words) as refusal:
        chain.receive(build(chain, certify(chain, *link, names)))
    assert refusal.value.rule == "F3"
    assert irreversible(chain) == 0
    chain.receive(build(chain, certify(chain, 0, 3)))
    assert chain.state.finality is not None
    assert chain.state.finality.justified == (0, 3)


def test_votes_of_another_chain_or_another_link_certify_nothing() -> None:
    """F1, F3: a signature holds for one link of one chain."""
    chain, other = silent(), silent(trigger="feed")
    chain.blocks(2)
    other.blocks(2)
    for wrong in (certify(other, 0, 1), certify(chain, 0, 2)):
        with pytest.raises(WrongCertificate, match="not a member's"):
            chain.receive(build(chain, Certificate(0, 1, wrong.signatures)))


def test_a_fresh_node_checks_the_votes_in_headers() -> None:
    """F3: what one node takes, another takes from its bytes; with one bit changed, none does."""
    chain, fresh = silent(), silent()
    extend(chain, None, (0, 1), (1, 2))
    for num in (1, 2):
        fresh.receive(BlockEnvelope.from_bytes(chain.main[num].packed))
    certificate = certificate_in(chain.main[3].header)
    assert certificate is not None
    first = bytearray(certificate.signatures[0])
    first[40] ^= 1
    spoilt = Certificate(1, 2, (Signature(bytes(first)), *certificate.signatures[1:]))
    with pytest.raises(WrongCertificate):
        fresh.receive(build(fresh, spoilt))
    fresh.receive(BlockEnvelope.from_bytes(chain.main[3].packed))
    assert irreversible(fresh) == irreversible(chain) == 1
    assert fresh.chain.state_hash() == chain.chain.state_hash()


def one_of(genesis: Genesis, *, name: int) -> CoreNode:
    """A node with the keys of all witnesses, whose chain has grown for twenty slots."""
    node = CoreNode(genesis, ALL, name=name)
    run([node], START_MS, 20 * BLOCK_INTERVAL_S)
    return node


def sync_from(source: CoreNode, genesis: Genesis) -> CoreNode:
    """A fresh node that had a few seconds to fetch what another has."""
    fresh = CoreNode(genesis, name=9)
    now_ms = START_MS + 20 * BLOCK_INTERVAL_S * 1_000
    source.core.own.secrets.clear()
    fresh.connect(source, now_ms)
    run([source, fresh], now_ms, 10)
    return fresh


@pytest.mark.usefixtures("interpreted")
def test_a_fresh_node_that_syncs_checks_the_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """F3: it takes a chain up to the first block whose votes are not those of a quorum, and no
    further, however many blocks follow; a true one it takes with all that is irreversible."""
    genesis = make_genesis("alice", "bob", witnesses=4, finality=FINALITY_VOTES)
    honest = one_of(genesis, name=1)
    fresh = sync_from(honest, genesis)
    assert fresh.chain.head_id == honest.chain.head_id
    assert fresh.chain.last_irreversible_num == honest.chain.head_num - 2 > 10

    with monkeypatch.context() as lying:
        lying.setattr(apply_block, "check_certificate", lambda *args, **options: None)
        lying.setattr(VotePool, "certificate", with_too_few_votes(VotePool.certificate))
        liar = one_of(genesis, name=2)
    fresh = sync_from(liar, genesis)
    assert liar.chain.head_num > 15
    assert (fresh.chain.head_num, fresh.chain.last_irreversible_num) == (9, 7)


def with_too_few_votes(
    certificate: Callable[[VotePool], Certificate | None],
) -> Callable[[VotePool], Certificate | None]:
    """`VotePool.certificate` that gives all votes but one from the tenth block on."""

    def spoilt(pool: VotePool) -> Certificate | None:
        found = certificate(pool)
        if found is None or found.target_num < 9:
            return found
        return Certificate(found.source_num, found.target_num, found.signatures[1:])

    return spoilt


def test_a_producer_adds_no_more_votes_than_it_takes() -> None:
    """F3: the certificate of the highest block, with the votes of a quorum."""
    chain = TestChain(witnesses=11, finality=FINALITY_VOTES)
    chain.blocks(5)
    for num in range(2, 6):
        certificate = certificate_in(chain.main[num].header)
        assert certificate is not None
        assert (certificate.source_num, certificate.target_num) == (max(0, num - 2), num - 1)
        assert len(certificate.signatures) == quorum_of(11)


@pytest.mark.parametrize(
    ("links", "wanted"),
    [((None, (0, 1), None, (1, 3), None), (3, 4)), ((None, (0, 1), (1, 2), None), (2, 4))],
    ids=["gap", "none"],
)
def test_after_a_gap_the_lowest_block_is_certified(
    links: Sequence[tuple[int, int] | None], wanted: tuple[int, int]
) -> None:
    """F3: of two that are ready; the highest would leave a new gap with each certificate."""
    chain = silent()
    extend(chain, *links)
    pool = VotePool(chain.chain)
    for num in (chain.chain.head_num - 1, chain.chain.head_num):
        for name in ALL[:3]:
            one = vote(chain, name, chain.main[wanted[0]].id, chain.main[num].id)
            assert pool.add(one, PEER) is Judgement.TAKEN
    found = pool.certificate()
    assert found is not None
    assert (found.source_num, found.target_num) == wanted


# F4, F12.


@pytest.mark.parametrize("count", [1, 2, 4, 11])
def test_the_block_before_the_last_is_irreversible(count: int) -> None:
    """F4, F12: `head - 2` in quiet conditions, whatever the number of witnesses."""
    chain = TestChain(witnesses=count, finality=FINALITY_VOTES)
    for num in range(1, 30):
        chain.block()
        assert chain.chain.last_irreversible_num == irreversible(chain) == max(0, num - 2)


def test_only_links_without_a_gap_make_irreversible() -> None:
    """F4: the source of a link, when every block from it to the target is justified."""
    chain = silent()
    extend(chain, None, (0, 1), None, (1, 3), None, (3, 5))
    assert irreversible(chain) == 0
    assert chain.state.finality is not None
    assert chain.state.finality.justified == (0, 1, 3, 5)
    extend(chain, (5, 6))
    assert irreversible(chain) == 5


def test_votes_that_travel_for_more_than_a_slot_make_irreversible_too() -> None:
    """F4: each certificate comes a block late, so that no link goes to the next block."""
    chain = silent()
    extend(chain, None, None, (0, 1), (0, 2), (1, 3))
    assert irreversible(chain) == 1
    extend(chain, (2, 4), (3, 5))
    assert irreversible(chain) == 3


def test_what_is_irreversible_forks_with_the_state_but_stays_said() -> None:
    """F4, I14: no fork reaches below it, in the same process and after a restart from its state."""
    chain = TestChain(witnesses=4, finality=FINALITY_VOTES)
    chain.blocks(6)
    with pytest.raises(BlockTooOld):
        chain.chain.push_block(silent().twin().build())
    restored = Chain.restore(chain.genesis, chain.chain.dump())
    assert restored.state.finality is not None
    assert restored.state.finality.justified == (4, 5)


def test_no_certificate_for_votes_whose_source_is_remembered_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F3: where nothing becomes irreversible for long, old votes would make a bad block."""
    monkeypatch.setattr(finality, "JUSTIFIED_MAX", 2)
    chain = silent()
    extend(chain, *(None,) * 9)
    pool, voted = VotePool(chain.chain), 8
    for name in ALL[:3]:
        found = vote(chain, name, NO_BLOCK, chain.main[voted].id)
        assert pool.add(found, PEER) is Judgement.TAKEN
    certificate = pool.certificate()
    assert certificate is not None
    assert (certificate.source_num, certificate.target_num) == (0, voted)
    extend(chain, (0, 2), (0, 3))
    assert chain.state.finality is not None
    assert chain.state.finality.justified == (2, 3)
    assert pool.certificate() is None


# F5.


def test_an_honest_member_never_contradicts_itself() -> None:
    """F5: among all pairs of votes of few heights, those that may follow each other are safe."""
    spans = [VoteSpan(a, b) for a in range(5) for b in range(a + 1, 6)]

    def as_vote(span: VoteSpan) -> Vote:
        ids = [BlockId(num.to_bytes(4, "big") + bytes(16)) for num in span]
        return Vote(ids[0], ids[1], Signature(bytes(65)))

    for first, second in combinations(spans, 2):
        one, other = as_vote(first), as_vote(second)
        assert contradict(one, other) == contradict(other, one)
        if second.may_follow(first) or first.may_follow(second):
            assert not contradict(one, other), (first, second)


def test_who_has_all_keys_votes_with_no_more_than_a_certificate_takes() -> None:
    """F5: it is the certificate that all votes would give; of a part of the keys all vote."""
    chain = silent(witnesses=11)
    extend(chain, None, None)
    secrets = {key_of(f"{name} block"): secret_of(f"{name} block") for name in witness_names(11)}
    few, all_votes = VotePool(chain.chain), VotePool(chain.chain)
    cast = cast_votes(chain.chain, secrets, {})
    assert len(cast) == quorum_of(11) == 8
    for one in cast:
        assert one.vote is not None
        few.add(one.vote, PEER)
    for name in witness_names(11):
        all_votes.add(vote(chain, name, NO_BLOCK, chain.main[2].id), PEER)
    assert len(all_votes.voters()) == 11
    assert few.certificate() == all_votes.certificate() is not None
    assert len(cast_votes(chain.chain, secrets, {}, doubted=[cast[0].key])) == 11
    left_out = min(secrets.keys() - {one.key for one in cast})
    voted = {one.key: one.span for one in cast if one is not cast[0]}
    assert [one.key for one in cast_votes(chain.chain, secrets, voted)] == sorted(
        secrets.keys() - voted.keys()
    )
    del secrets[left_out]
    assert len(cast_votes(chain.chain, secrets, {})) == 10


def test_a_vote_goes_from_the_highest_justified_block_to_the_head() -> None:
    """F5: once a height, by the keys at hand that are in a voting set."""
    chain = silent()
    extend(chain, None, (0, 1), None)
    secrets = {key_of(name): secret_of(name) for name in ("init0 block", "init2 block", "alice")}
    cast = cast_votes(chain.chain, secrets, {})
    assert {one.key for one in cast} == {key_of("init0 block"), key_of("init2 block")}
    assert {one.span for one in cast} == {VoteSpan(1, 3)}
    last = {one.key: one.span for one in cast}
    assert cast_votes(chain.chain, secrets, last) == []
    last[key_of("init0 block")] = VoteSpan(2, 2)
    extend(chain, None)
    assert [one.key for one in cast_votes(chain.chain, secrets, last)] == [key_of("init2 block")]


def test_while_little_becomes_irreversible_the_parent_is_voted_for() -> None:
    """F5: once more than two blocks for each member can be taken back, and until they are fewer;
    on the way there and back no height is voted for twice, and no number falls."""
    chain, late = silent(), LATE_ROUNDS * len(ALL)
    own = {key_of("init0 block"): secret_of("init0 block")}
    last: dict[PublicKey, VoteSpan] = {}

    def voted(*links: tuple[int, int] | None) -> list[VoteSpan]:
        extend(chain, *links)
        found = cast_votes(chain.chain, own, last)
        last.update({one.key: one.span for one in found})
        return [one.span for one in found]

    extend(chain, *[None] * (late - 1))
    assert voted(None) == [VoteSpan(0, late)]
    assert voted(None) == []
    assert voted(None) == [VoteSpan(0, late + 1)]
    assert voted((0, late)) == [VoteSpan(0, late + 2)]
    assert voted((late, late + 1)) == [VoteSpan(late + 1, late + 4)], "four can be taken back"
    assert irreversible(chain) == late


def test_without_its_record_a_key_waits_for_what_it_may_have_signed() -> None:
    """F5: no vote before the floor is justified; with the keys of all, none to wait for."""
    chain = silent()
    extend(chain, None, (0, 1), (1, 2), (2, 3))
    own = {key_of("init0 block"): secret_of("init0 block")}
    now_s = chain.chain.head_time + 4 * BLOCK_INTERVAL_S
    floor = floor_without_record(chain.chain, own, now_s)
    assert floor is not None
    assert floor >= chain.chain.head_num + 4
    [mark] = cast_votes(chain.chain, own, {}, doubted=own, floor_num=floor)
    assert (mark.vote, mark.span) == (None, VoteSpan(floor, floor))
    last = {mark.key: mark.span}
    voted = []
    for num in range(5, floor + 4):
        extend(chain, (num - 2, num - 1))
        voted += [num for one in cast_votes(chain.chain, own, last) if one.vote]
    assert voted == list(range(floor + 1, floor + 4))
    every = {key_of(f"{name} block"): secret_of(f"{name} block") for name in ALL}
    assert floor_without_record(chain.chain, every, now_s) == 0


def test_a_floor_never_takes_back_what_the_record_says() -> None:
    """F5: a chain that left slots out has a lower floor once more of it is irreversible; a key that
    is trusted is not raised, and one for which the record says more is, from then on."""
    chain = silent()
    extend(chain, None, (0, 1), (1, 2))
    names = ("init0 block", "init1 block", "init2 block")
    secrets = {key_of(name): secret_of(name) for name in names}
    above, between, trusted = map(key_of, names)
    last = {above: VoteSpan(9, 9), between: VoteSpan(1, 9), trusted: VoteSpan(0, 1)}
    cast = cast_votes(chain.chain, secrets, last, doubted=(above, between), floor_num=6)
    spans = {one.key: (one.span, one.vote is None) for one in cast}
    assert spans == {between: (VoteSpan(6, 9), True), trusted: (VoteSpan(2, 3), False)}
    last[above] = VoteSpan(2, 2)
    extend(chain, None)
    cast = cast_votes(chain.chain, {above: secrets[above]}, last, doubted=(above,), floor_num=2)
    assert [one.span for one in cast] == [VoteSpan(2, 4)], "the record says it all: it votes"


def test_a_restarted_node_knows_no_floor_before_a_block_is_irreversible() -> None:
    """F5: it does not vote meanwhile."""
    chain = TestChain(witnesses=4, finality=FINALITY_VOTES)
    chain.blocks(4)
    restored = Chain.restore(chain.genesis, chain.chain.dump())
    own = {key_of("init0 block"): secret_of("init0 block")}
    assert floor_without_record(restored, own, chain.chain.head_time) is None
    assert cast_votes(restored, own, {}, doubted=own, floor_num=None) == []


# F6.


def test_the_chain_with_the_highest_justified_block_wins_against_a_longer_one() -> None:
    """F6: and a longer chain wins where nothing more is justified."""
    long, short = silent(), silent()
    extend(long, None, None, None, None)
    extend(short, None)
    short.receive(build(short, certify(short, 0, 1), slot=2))
    for num in range(1, 5):
        long.chain.push_block(long.main[num])
    result = long.receive(short.main[2])
    assert [block.num for block in result.popped] == [4, 3, 2]
    assert long.chain.head_id == short.chain.head_id
    assert long.state.finality is not None
    assert long.state.finality.justified == (0, 1)


def test_a_block_that_lies_about_its_votes_wins_nothing() -> None:
    """F6, F3: the old head is back, and the block is forgotten."""
    chain = silent()
    chain.blocks(3)
    twin = silent()
    twin.receive(chain.main[1])
    liar = build(twin, Certificate(0, 1, ()), slot=3)
    head = chain.chain.head_id
    with pytest.raises(WrongCertificate):
        chain.chain.push_block(liar)
    assert chain.chain.head_id == head
    assert not chain.chain.has_block(liar.id)


# F7, F11.


def test_proofs_of_lying_are_kept_and_bounded() -> None:
    """F11, P14, T-W2: two votes of one height, one around another, and two blocks of one slot; once
    each, whole, and so that a later process knows them."""
    chain = silent()
    extend(chain, None, (0, 1), (1, 2), None)
    pool = VotePool(chain.chain)
    ids = {0: NO_BLOCK} | {num: block.id for num, block in chain.main.items()}
    assert pool.add(vote(chain, "init0", ids[2], ids[3]), PEER) is Judgement.TAKEN
    for _ in range(3):
        assert pool.add(vote(chain, "init0", ids[1], ids[4]), PEER) is Judgement.LIE
    assert [found.kind for found in pool.take_news()] == ["votes"]
    assert len(pool.equivocations) == 1
    slot_block = build(chain, None)
    twin = build(chain, certify(chain, 2, 3))
    for block in (slot_block, twin):
        chain.receive(block)
    for _ in range(2):
        pool.note_block(slot_block.id, key_of("any"))
    assert [found.kind for found in pool.take_news()] == ["blocks"]
    assert [found.kind for found in pool.equivocations] == ["votes", "blocks"]
    assert pool.equivocations.maxlen == EQUIVOCATIONS_MAX
    kept = load_proofs(dump_proofs(pool.equivocations))
    assert kept == list(pool.equivocations)
    header = kept[1].second
    assert not isinstance(header, Vote)
    assert block_id(header) == slot_block.id, "a proof is what was signed, not only its id"
    again = VotePool(chain.chain, kept)
    again.note_block(twin.id, key_of("any"))
    assert again.take_news() == []
    assert list(again.equivocations) == kept


@pytest.mark.parametrize("is_known", [True, False], ids=["block known", "votes alone"])
@pytest.mark.parametrize(
    ("own", "names", "is_proof"),
    [
        (ALL[:3], ALL[1:], True),
        (ALL[:3], ALL, True),
        (ALL[:3], ALL[2:], False),
        (ALL[:3], ("alice", "bob", *ALL[2:]), False),
        (ALL[:2], ALL[1:], False),
    ],
)
def test_a_quorum_for_another_block_proves_a_conflict(
    own: Sequence[str], names: Sequence[str], *, is_proof: bool, is_known: bool
) -> None:
    """T-W4: where ours is irreversible by another one, and of members alone; who voted for both is
    told. A block that a checkpoint made irreversible proves nothing (F9)."""
    chain = silent()
    extend(chain, None, (0, 1))
    pool = VotePool(chain.chain)
    rival = build(chain, certify(chain, 1, 2), slot=2)
    extend(chain, (1, 2))
    if is_known:
        chain.receive(rival)
    ids = [chain.main[num].id for num in (2, 3)]
    for one in own:
        assert pool.add(vote(chain, one, *ids), PEER) is Judgement.TAKEN
    for one in names:
        pool.add(vote(chain, one, ids[0], rival.id), PEER)
    told = []
    for link in ((2, 3), (3, 4)):
        extend(chain, link)
        pool.forget_old()
        told.append(pool.conflict)
    liars = frozenset(key_of(f"{name} block") for name in names if name in own)
    proof = Conflict(3, ids[1], rival.id, liars) if is_proof else None
    assert told == [None, proof], "one of 3 when that is irreversible, and not before"
    if is_proof:
        assert {found.key for found in pool.equivocations} == liars


def test_a_chain_that_was_taken_back_on_purpose_proves_no_conflict() -> None:
    """T-W4, R9.10: its voters vote again at the same heights, and lie to nobody."""
    chain = silent()
    extend(chain, None, (0, 1), (1, 2))
    pool = VotePool(chain.chain)
    pool.forget_above_head()
    other = BlockId((3).to_bytes(4, "big") + bytes(16))
    for target in (chain.main[3].id, other):
        for name in ALL:
            pool.add(vote(chain, name, chain.main[2].id, target), PEER)
    extend(chain, (2, 3), (3, 4))
    pool.forget_old()
    assert (pool.conflict, irreversible(chain)) == (None, 3)


@pytest.mark.parametrize("hears", [True, False])
def test_a_node_stops_at_the_proof_of_a_conflict(*, hears: bool) -> None:
    """T-W4: with 70, and it says why; the proofs of who lied are kept (F11). One that has missed
    the votes for its own blocks, as whoever fetches them later, reads them in the certificates."""
    genesis = make_genesis("alice", "bob", witnesses=4, finality=FINALITY_VOTES)
    nodes = [CoreNode(genesis, [name], name=number + 1) for number, name in enumerate(ALL)]
    for index, node in enumerate(nodes[:-1]):
        node.connect(nodes[index + 1], START_MS)
    now_ms = run(nodes, START_MS, 6 * BLOCK_INTERVAL_S)
    victim = nodes[0]
    if not hears:
        victim.core.ballots.pool._heard.clear()
        victim.core.voting.receive = lambda *heard: None  # type: ignore[method-assign]
    head_num, source = victim.chain.head_num, victim.chain.head_id
    rival = BlockId((head_num + 1).to_bytes(4, "big") + bytes(16))
    digest = vote_digest(victim.chain.chain_id, source, rival)
    for name in ALL[1:]:
        one = Vote(source, rival, sign_digest(secret_of(f"{name} block"), digest))
        assert victim.core.ballots.pool.add(one, PEER) is Judgement.WAITS
    run(nodes, now_ms, 5 * BLOCK_INTERVAL_S)
    told = [effect.name for effect in victim.seen if isinstance(effect, Report)]
    assert "conflict" in told
    stops = [effect for effect in victim.seen if isinstance(effect, StopNode)]
    assert stops[0].exit_code is Exit.BROKEN
    assert rival.hex() in stops[0].reason
    assert read_conflict(victim.evidence[CONFLICT_FILE]) == stops[0].reason
    liars = {found.key for found in load_proofs(victim.evidence[PROOFS_FILE])}
    expected = {key_of(f"{name} block") for name in ALL[1:]}
    assert liars == expected if hears else liars < expected
    assert len(liars) >= 2, "a certificate has no more votes than it takes"
    assert not any(isinstance(effect, StopNode) for effect in nodes[1].seen)


def test_four_nodes_flood_votes_and_go_on_without_one_of_them() -> None:
    """F7, F2: `head - 2` on nodes that talk; three of four are enough, two are not."""
    genesis = make_genesis("alice", "bob", witnesses=4, finality=FINALITY_VOTES)
    nodes = [CoreNode(genesis, [name], name=number + 1) for number, name in enumerate(ALL)]
    for index, node in enumerate(nodes[:-1]):
        node.connect(nodes[index + 1], START_MS)
    now_ms = run(nodes, START_MS, 20 * BLOCK_INTERVAL_S)
    for node in nodes:
        assert node.chain.last_irreversible_num == node.chain.head_num - 2 > 10
    now_ms = run(nodes[:3], now_ms, 20 * BLOCK_INTERVAL_S)
    before = nodes[0].chain.last_irreversible_num
    assert before >= nodes[0].chain.head_num - 4
    now_ms = run(nodes[:2], now_ms, 12 * BLOCK_INTERVAL_S)
    assert nodes[0].chain.last_irreversible_num <= before + 1
    assert nodes[0].chain.head_num > before + 4


def test_every_vote_is_recorded_before_it_leaves() -> None:
    """F5: slots and votes stand in the record of the node that signs."""
    genesis = make_genesis("alice", "bob", witnesses=2, finality=FINALITY_VOTES)
    node = CoreNode(genesis, ALL[:2])
    now_ms = run([node], START_MS, 5 * BLOCK_INTERVAL_S)
    voted = node.guard.load_votes()
    assert voted is not None
    assert voted == {
        key_of(f"{name} block"): (node.chain.head_num - 1, node.chain.head_num) for name in ALL[:2]
    }
    again = CoreNode(genesis, ALL[:2], stores=(node.blocks, node.guard, node.snapshots))
    run([again], now_ms, 3 * BLOCK_INTERVAL_S)
    assert again.chain.last_irreversible_num == again.chain.head_num - 2


# F8.


def with_new_key(name: str) -> TestChain:
    """Four witnesses, of which one has changed its key before the last, a maintenance block."""
    parameters = make_parameters(maintenance_interval=6 * BLOCK_INTERVAL_S)
    chain = silent(parameters=parameters)
    chain.block_secrets[key_of("another block")] = secret_of("another block")
    owner = chain.account(name)
    witness = chain.state.witness_by_account.find(owner)
    assert witness is not None
    update = WitnessUpdate(NO_FEE, witness.id, owner, None, key_of("another block"))
    chain.block(update)
    assert chain.state.finality is not None
    while len(chain.state.finality.sets) == 1:
        chain.block()
    return chain


def test_two_sets_must_agree_until_a_block_of_the_new_one_is_irreversible() -> None:
    """F8: the old and the new one, for targets above the maintenance block; then the new one."""
    chain = with_new_key("init3")
    finality = chain.state.finality
    assert finality is not None
    changed = chain.chain.head_num
    assert [one.since_num for one in finality.sets] == [0, changed]
    chain.blocks(3)
    old, both, new = ALL[1:], ALL[:3], ("init1", "init2", "another")
    for names in (old, new):
        with pytest.raises(WrongCertificate, match="no quorum"):
            chain.receive(build(chain, certify(chain, 0, changed + 1, names)))
    chain.receive(build(chain, certify(chain, 0, changed + 1, both)))
    chain.receive(build(chain, certify(chain, changed + 1, changed + 2, both)))
    assert irreversible(chain) == changed + 1
    assert [one.since_num for one in finality.sets] == [changed]
    chain.receive(build(chain, certify(chain, changed + 2, changed + 3, new)))
    assert irreversible(chain) == changed + 2


def test_where_the_voting_set_is_forgotten_nothing_proves_a_conflict() -> None:
    """T-W4, F8: nobody can say any more what was a quorum there, and a single vote is none."""
    chain = with_new_key("init3")
    changed = chain.chain.head_num
    pool = VotePool(chain.chain)
    rival = BlockId(changed.to_bytes(4, "big") + bytes(16))
    for target in (chain.main[changed].id, rival):
        pool.add(vote(chain, "init1", NO_BLOCK, target), PEER)
    chain.blocks(2)
    for source_num in (0, changed + 1):
        target_num = max(source_num, changed) + 1
        chain.receive(build(chain, certify(chain, source_num, target_num)))
    assert irreversible(chain) == changed + 1
    pool.forget_old()
    assert pool.conflict is None


def test_a_target_up_to_the_maintenance_block_needs_the_old_set_alone() -> None:
    """F8: the new set begins to count above its block."""
    chain = with_new_key("init3")
    changed = chain.chain.head_num
    chain.blocks(1)
    chain.receive(build(chain, certify(chain, 0, changed, ALL[1:])))
    assert chain.state.finality is not None
    assert chain.state.finality.justified == (0, changed)
    assert len(chain.state.finality.sets) == 2


# F9, F10.


def test_a_checkpoint_lets_a_chain_go_on_whose_voters_are_gone() -> None:
    """F9: it is irreversible with the block after it, and no other block can have its place."""
    stuck = silent()
    stuck.blocks(5)
    fork = silent()
    for num in range(1, 3):
        fork.receive(stuck.main[num])
    other = build(fork, None, slot=2)
    chain = Chain(stuck.genesis, checkpoint=stuck.main[3].id)
    for num in (1, 2):
        chain.push_block(stuck.main[num])
    with pytest.raises(AgainstCheckpoint):
        chain.push_block(other)
    for num in (3, 4, 5):
        chain.push_block(stuck.main[num])
    assert chain.last_irreversible_num == 3
    assert chain.state.finality is not None
    assert chain.state.finality.justified == (3,)
    assert [one.since_num for one in chain.state.finality.sets] == [3]


def test_a_genesis_may_choose_the_rule_of_bitshares() -> None:
    """F10, R8.8: no votes, nothing of ours in the state, and a certificate is refused."""
    chain = TestChain(witnesses=4, finality=FINALITY_BITSHARES)
    chain.blocks(8)
    assert chain.state.finality is None
    assert chain.chain.last_irreversible_num > 4
    assert all(not block.header.extensions for block in chain.main.values())
    assert not [entry for entry in chain.chain.dump() if entry[1] == 200]  # type: ignore[union-attr, index]
    with pytest.raises(WrongCertificate) as refusal:
        chain.receive(build(chain, certify(chain, 0, 1)))
    assert refusal.value.rule == "F10"


def test_an_unknown_rule_is_refused() -> None:
    """F10: the error names the field and what it may say."""
    data = genesis_to_json(make_genesis())
    assert isinstance(data, dict)
    section = data["pegboard"]
    assert isinstance(section, dict)
    section["finality"] = "hope"
    with pytest.raises(ValidationError, match=r"\.pegboard\.finality"):
        genesis_from_json(data)


def test_a_header_without_votes_is_what_it_was() -> None:
    """F3: an empty list of extensions, one byte."""
    chain = silent()
    chain.blocks(1)
    header = chain.main[1].header
    assert header.extensions == ()
    assert pack(header)[-66:-65] == b"\x00"
