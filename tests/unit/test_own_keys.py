"""A key that two processes have, as when a data directory was copied, signs once (T-W1)."""

from __future__ import annotations

from pathlib import Path
from random import Random
from shutil import copyfile

import pytest
from msgspec.structs import replace

from node.core.ballots import Ballots
from node.core.effects import Report, ReserveSlot, ReserveVote
from node.core.own_blocks import OwnBlocks, draw_listen_ms
from node.core.proofs import PROOFS_FILE, load_proofs
from node.core.settings import CoreSettings
from node.p2p.effects import PeerKey
from node.storage.errors import VoteAlreadySigned
from node.storage.guard import RECORD_FILE, SigningGuard
from node.storage.interface import SignedVote
from protocol.genesis import chain_id
from protocol.genesis_form import FINALITY_BITSHARES, FINALITY_VOTES
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, transfer
from tests.support.memory_stores import MemoryBlockStore, MemorySnapshots
from tests.support.world import BLOCK_INTERVAL_S, key_of, secret_of

NAMES = witness_names(4)
ROUND_S = len(NAMES) * BLOCK_INTERVAL_S
SETTINGS = CoreSettings(enable_stale=True, required_participation=0)


class Desk:
    """The first witness in a directory of its own, the others in one process, and later a copy."""

    def __init__(self, directory: Path) -> None:
        self.genesis = make_genesis("alice", "bob", witnesses=len(NAMES), finality=FINALITY_VOTES)
        self.directory = directory
        self.first = self.open(directory / "first", 1)
        self.others = CoreNode(self.genesis, NAMES[1:], SETTINGS, name=2)
        self.first.connect(self.others, START_MS)
        self.nodes = [self.first, self.others]
        self.now_ms = START_MS

    def open(self, directory: Path, name: int, listen_ms: int = 0) -> CoreNode:
        """A node of the first witness whose record lies in a directory."""
        directory.mkdir(exist_ok=True)
        guard = SigningGuard(directory / RECORD_FILE, chain_id(self.genesis))
        guard.begin()
        stores = MemoryBlockStore(), guard, MemorySnapshots()
        settings = replace(SETTINGS, listen_ms=listen_ms)
        return CoreNode(self.genesis, NAMES[:1], settings, name, stores)

    def start_copy(self, record: Path, name: int = 3, listen_ms: int = 0) -> CoreNode:
        """A process with the same key and a record of some time."""
        directory = self.directory / f"copy {name}"
        directory.mkdir()
        copyfile(record, directory / RECORD_FILE)
        copy = self.open(directory, name, listen_ms)
        copy.connect(self.others, self.now_ms)
        self.nodes.append(copy)
        return copy

    def end(self, node: CoreNode) -> None:
        """A process is gone."""
        self.nodes.remove(node)
        for near, (other, far) in node.links.items():
            node.core.peer_disconnected(near, self.now_ms)
            other.core.peer_disconnected(far, self.now_ms)
            del other.links[far]

    def run(self, rounds: int) -> None:
        """Some rounds of slots, a tick a second."""
        seconds = rounds * ROUND_S
        self.now_ms = run(self.nodes, self.now_ms + 1_000, seconds, tick_ms=1_000) - 1_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """After some rounds."""
    found = Desk(tmp_path)
    found.run(3)
    return found


def slots(node: CoreNode) -> list[int]:
    """Times of the slots that a process has signed."""
    return [effect.slot_time_s for effect in node.seen if isinstance(effect, ReserveSlot)]


def votes(node: CoreNode) -> int:
    """How many votes a process has cast."""
    return sum(isinstance(effect, ReserveVote) for effect in node.seen)


def told(node: CoreNode, name: str) -> list[str]:
    """The reasons, if any, of a node's reports of a name."""
    seen = [e for e in node.seen if isinstance(e, Report) and e.name == name]
    return [str(one.fields.get("reason", "")) for one in seen]


def test_a_copied_directory_signs_nothing_while_the_original_does(desk: Desk) -> None:
    """T-W1: neither a slot nor a vote twice; once the original is gone, the copy goes on."""
    record = desk.directory / "saved"
    copyfile(desk.directory / "first" / RECORD_FILE, record)
    desk.run(2)
    copy = desk.start_copy(record)
    before = len(slots(desk.first))
    desk.run(6)
    assert slots(copy) == []
    assert told(copy, "not_producing")[-1] == "key_elsewhere"
    assert told(copy, "key_elsewhere")
    assert len(slots(desk.first)) - before == 6, "the original loses no slot"
    assert told(desk.others, "equivocation") == []
    desk.end(desk.first)
    desk.run(5)
    assert slots(copy), "two rounds after the last block of the original"
    assert not set(slots(copy)) & set(slots(desk.first))
    assert told(desk.others, "equivocation") == []
    assert desk.others.chain.head_num - desk.others.chain.last_irreversible_num <= len(NAMES)


def test_of_two_copies_that_start_together_one_signs(desk: Desk) -> None:
    """T-W1: they listen for different times, and the later one hears the other's first vote."""
    desk.run(1)
    desk.end(desk.first)
    record = desk.directory / "first" / RECORD_FILE
    slot_ms = BLOCK_INTERVAL_S * 1_000
    early = desk.start_copy(record, 3, 2 * slot_ms)
    late = desk.start_copy(record, 4, 3 * slot_ms)
    for _ in range(6):
        early.chain.push_transaction(transfer(early.chain, 1 + len(slots(early))))
        desk.run(1)
    assert len(slots(early)) >= 5
    assert slots(late) == []
    assert votes(late) == 0
    assert told(late, "key_elsewhere")
    assert told(late, "not_producing")[-1] == "key_elsewhere"
    assert told(desk.others, "equivocation") == []
    desk.end(early)
    desk.run(5)
    assert slots(late), "two rounds after the last vote of the other"
    assert told(desk.others, "equivocation") == []


def test_a_node_that_starts_again_is_not_silenced_by_its_own_votes(desk: Desk) -> None:
    """T-W1: those of its former life, which its record tells of, are nobody else's."""
    desk.run(1)
    desk.end(desk.first)
    again = desk.start_copy(desk.directory / "first" / RECORD_FILE, 3, BLOCK_INTERVAL_S * 1_000)
    desk.now_ms = run(desk.nodes, desk.now_ms + 1_000, 2, tick_ms=1_000) - 1_000
    former = desk.others.core.ballots.pool._votes[again.chain.head_num][key_of("init0 block")]
    again.core.voting.receive(PeerKey(1), former, desk.now_ms)
    assert former in again.core.ballots.pool._votes[again.chain.head_num].values()
    desk.run(3)
    assert told(again, "key_elsewhere") == []
    assert len(slots(again)) >= 2


def test_a_key_that_is_elsewhere_costs_no_other_and_its_record_only_rises(desk: Desk) -> None:
    """F5, T-W1: time and again; also for one that joins the voting set later."""
    chain = desk.others.chain
    keys = [key_of(f"{name} block") for name in NAMES]
    secrets = [secret_of(f"{name} block") for name in NAMES[:2]] + [secret_of("alice")]
    own = OwnBlocks(chain, SETTINGS, secrets, {})
    ballots = Ballots(chain, {keys[0]: (1, 2)})
    former = [
        vote
        for num in (chain.head_num - 1, chain.head_num)
        if (vote := desk.others.core.ballots.pool._votes[num].get(keys[0])) is not None
    ]
    now_s = desk.now_ms // 1_000
    assert [one.name for one in ballots.find_twin(former[0], own)] == ["key_elsewhere"]
    first = ballots.cast(own.secrets, now_s + 100)
    marked = [one for one in first if one.vote is None]
    assert [one.key for one in marked] == [keys[0]]
    assert keys[1] in {one.key for one in first if one.vote}, "never voted, and never doubted"
    own.has_signed = False
    for later_s in (100, 0):
        assert ballots.find_twin(former[-1], own) == [], "the record says more than that vote"
        ballots._doubted.add(keys[0])
        assert ballots.cast(own.secrets, now_s + later_s) == []
    ballots._doubted.add(key_of("alice"))
    ballots.cast(own.secrets, now_s)
    assert ballots._doubted == {key_of("alice")}, "a member of no voting set yet"


def test_how_long_a_node_listens(desk: Desk) -> None:
    """T-W1: from one slot on, or a round without votes or a record, and each start another time;
    where nobody can have signed anything, not at all."""
    slot_ms = BLOCK_INTERVAL_S * 1_000
    chain = desk.first.chain
    for has_record, least in ((True, slot_ms), (False, len(NAMES) * slot_ms)):
        drawn = {draw_listen_ms(chain, Random(n), has_record=has_record) for n in range(200)}
        assert len(drawn) > 150
        assert least <= min(drawn) < least + slot_ms // 4
        assert least + 7 * slot_ms // 4 < max(drawn) < least + 2 * slot_ms
    fresh = CoreNode(desk.genesis)
    assert draw_listen_ms(fresh.chain, Random(1), has_record=False) == 0
    silent = make_genesis("alice", witnesses=len(NAMES), finality=FINALITY_BITSHARES)
    node = CoreNode(silent, NAMES, replace(SETTINGS, by_the_clock=False))
    node.core.generate_blocks(1, START_MS)
    assert draw_listen_ms(node.chain, Random(1), has_record=True) >= len(NAMES) * slot_ms


def test_who_hears_that_a_slot_was_signed_twice_stops_and_it_is_proven(desk: Desk) -> None:
    """P14, T-W1, T-W2: where neither could know; others keep the proof, also over a restart."""
    copy = desk.start_copy(desk.directory / "first" / RECORD_FILE)
    copy.core.own.note_applied = lambda block: None  # type: ignore[method-assign]
    for _ in range(3):
        copy.chain.push_transaction(transfer(copy.chain, 1 + len(slots(copy))))
        desk.run(1)
    twins = set(slots(copy)) & set(slots(desk.first))
    assert twins
    assert told(desk.others, "equivocation")
    kept = load_proofs(desk.others.evidence[PROOFS_FILE])
    assert {proof.kind for proof in kept} <= {"blocks", "votes"}
    assert "blocks" in {proof.kind for proof in kept}
    later = CoreNode(desk.genesis, proofs=desk.others.evidence[PROOFS_FILE])
    assert list(later.core.ballots.pool.equivocations) == kept
    stopped = len(slots(copy))
    desk.run(6)
    assert len(slots(copy)) == stopped
    assert told(copy, "not_producing")[-1] == "key_elsewhere", "its block lost, so it has both"
    assert len(slots(desk.first)) >= 12


def test_the_record_of_votes_is_durable_and_never_goes_back(tmp_path: Path) -> None:
    """F5: one file for slots and votes; a missing one is told from one without votes."""
    path, chain = tmp_path / RECORD_FILE, chain_id(make_genesis("alice"))
    key = key_of("init0 block")
    guard = SigningGuard(path, chain)
    assert guard.load_votes() is None
    guard.begin()
    assert guard.load_votes() == {}
    guard.reserve([], [SignedVote(key, 9, 9)])
    guard.forget([], [SignedVote(key, 2, 5)])
    assert guard.load_votes() == {key: (2, 5)}
    for source_num, target_num in ((2, 5), (1, 6), (3, 4)):
        with pytest.raises(VoteAlreadySigned):
            guard.reserve([], [SignedVote(key, source_num, target_num)])
    guard.close()
    guard = SigningGuard(path, chain)
    assert guard.load_votes() == {key: (2, 5)}
    guard.begin()
    assert guard.load_votes() == {key: (2, 5)}
    guard.close()
