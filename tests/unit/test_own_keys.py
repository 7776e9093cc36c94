"""A key that two processes have, as when a data directory was copied, signs once (T-W1)."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

import pytest

from node.core.effects import Report, ReserveSlot
from node.core.proofs import load_proofs
from node.core.settings import CoreSettings
from node.storage.guard import RECORD_FILE, SigningGuard
from protocol.genesis import chain_id
from protocol.genesis_form import FINALITY_VOTES
from tests.support.chain import make_genesis, witness_names
from tests.support.core_nodes import START_MS, CoreNode, run, transfer
from tests.support.memory_stores import MemoryBlockStore, MemorySnapshots
from tests.support.world import BLOCK_INTERVAL_S

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

    def open(self, directory: Path, name: int) -> CoreNode:
        """A node of the first witness whose record lies in a directory."""
        directory.mkdir(exist_ok=True)
        guard = SigningGuard(directory / RECORD_FILE, chain_id(self.genesis))
        guard.begin()
        stores = MemoryBlockStore(), guard, MemorySnapshots()
        return CoreNode(self.genesis, NAMES[:1], SETTINGS, name, stores)

    def start_copy(self, record: Path) -> CoreNode:
        """A process with the same key and a record of some time."""
        directory = self.directory / "copy"
        directory.mkdir()
        copyfile(record, directory / RECORD_FILE)
        copy = self.open(directory, 3)
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
    kept = load_proofs(desk.others.proofs)
    assert {proof.kind for proof in kept} <= {"blocks", "votes"}
    assert "blocks" in {proof.kind for proof in kept}
    later = CoreNode(desk.genesis, proofs=desk.others.proofs)
    assert list(later.core.ballots.pool.equivocations) == kept
    stopped = len(slots(copy))
    desk.run(6)
    assert len(slots(copy)) == stopped
    assert told(copy, "not_producing")[-1] == "key_elsewhere", "its block lost, so it has both"
    assert len(slots(desk.first)) >= 12
