"""A development node that goes back and forth in time: all that remembers goes along.

The node is whole but for sockets: its stores keep what they are told to, its history is a file, a
client is subscribed, and it may end at any step and start again from what is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.api.json_text import joined
from node.chain.undo_marks import NotUndoable
from node.core.settings import CoreSettings
from node.core.time_travel import (
    PAUSE_MAX_MS,
    NoSuchPlace,
    NotPaused,
    PausedByAnother,
    TimeTravel,
)
from protocol.constants import CORE_ASSET
from protocol.schema import BlockId, Digest
from tests.support.core_nodes import transfer
from tests.support.served_node import Json, ServedNode
from tests.support.world import GENESIS_TIME

START_MS = GENESIS_TIME * 1_000
ON_DEMAND = CoreSettings(by_the_clock=False)


class Traveller:
    """A node, a client that follows alice's balance and the chain, and what each head was."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.node = ServedNode(directory, ON_DEMAND)
        self.hashes: dict[BlockId, Digest] = {}
        self.sent = 0
        self.subscribe()
        self.blocks(2)

    def subscribe(self) -> None:
        self.session = self.node.api.open_session()
        state = self.node.chain.state
        found = state.balances_of_account.find(state.account_named("alice").id, CORE_ASSET)
        assert found is not None
        self.balance_id = f"{state.balances.object_id(found.id)}"
        self.call("database", "set_subscribe_callback", 1, False)
        [view] = self.call("database", "get_objects", [self.balance_id])
        self.known = int(view["balance"])
        self.call("pegboard_dev", "set_rewind_callback", 2)
        self.told_head = ""

    def call(self, api: str, method: str, *arguments: Json) -> Json:
        request = {"id": 1, "method": "call", "params": [api, method, list(arguments)]}
        [text] = self.session.receive(json.dumps(request))
        answer = json.loads(joined(text))
        assert "error" not in answer, answer["error"]["message"]
        return answer["result"]

    def listen(self) -> None:
        """Store all, and take in what the client is told."""
        self.node.store_all()
        for text in self.session.take_outgoing():
            callback, [argument] = json.loads(joined(text))["params"]
            if callback == 2:
                self.told_head = argument["head_block_id"]
            for item in argument if callback == 1 else ():
                if isinstance(item, dict) and item["id"] == self.balance_id:
                    self.known = int(item["balance"])

    def blocks(self, count: int) -> None:
        for _ in range(count):
            self.node.inputs.generate_blocks(1)
            self.hashes[self.node.chain.head_id] = self.node.chain.state_hash()
        self.node.history.write_all(self.node.chain.lowest_undoable_num)

    def pay(self) -> None:
        self.sent += 1
        chain = self.node.chain
        expiration = chain.head_time + 60 + self.sent % 600
        self.node.inputs.broadcast(transfer(chain, self.sent, expiration))

    def restart(self) -> None:
        """kill -9: what the stores keep is all there is."""
        self.listen()
        self.node.history.close()
        self.node = ServedNode(self.directory, ON_DEMAND, before=self.node)
        self.subscribe()

    def check(self) -> None:
        """State, blocks, history and the client's picture are all those of the head."""
        self.listen()
        node, chain = self.node, self.node.chain
        assert chain.state_hash() == self.hashes[chain.head_id]
        assert node.blocks.head() == (chain.head_num, chain.head_id)
        assert node.blocks.irreversible_num() <= chain.last_irreversible_num
        recent = node.history.recent.blocks
        assert (recent[-1].num if recent else node.history.stored_num) == chain.head_num
        ids = node.blocks.ids_from(1, chain.head_num + 1)
        assert len(ids) == chain.head_num
        assert [block.id for block in recent] == ids[node.history.stored_num :]
        assert self.call("block", "get_blocks", chain.head_num + 1, chain.head_num + 1) == [None]
        if not chain.pending:
            alice = chain.state.account_named("alice").id
            assert self.known == chain.state.balance_of(alice, CORE_ASSET)


@pytest.fixture
def traveller(tmp_path: Path) -> Traveller:
    return Traveller(tmp_path)


def test_back_to_a_snapshot(traveller: Traveller) -> None:
    """Pool, blocks, votes and clock are as they were, and the chain goes on."""
    node = traveller.node
    traveller.pay()
    before = node.chain.head_id, node.inputs.slot_s(), len(node.chain.pending)
    found = node.inputs.go(lambda travel, now: travel.snapshot(now))
    traveller.blocks(9)
    node.backend.travel_to(node.chain.head_time + 86_400)
    assert node.inputs.slot_s() == node.chain.head_time
    traveller.pay()
    node.inputs.go(lambda travel, now: travel.revert(found.number, now))
    assert (node.chain.head_id, node.inputs.slot_s(), len(node.chain.pending)) == before
    traveller.check()
    assert traveller.told_head == node.chain.head_id.hex()
    irreversible = node.chain.last_irreversible_num
    traveller.blocks(4)
    traveller.check()
    assert node.chain.last_irreversible_num == irreversible + 4
    traveller.restart()
    traveller.check()


def test_refusals_name_what_there_is(traveller: Traveller) -> None:
    """No snapshot, a dropped one, a taken name, a block that is not held."""
    travel, now_ms = traveller.node.inputs.travel, traveller.node.inputs.now_ms()
    with pytest.raises(NoSuchPlace, match="limit none"):
        travel.revert(None, now_ms)
    number = travel.snapshot(now_ms).number
    with pytest.raises(NoSuchPlace, match="is there"):
        travel.snapshot(now_ms, number)
    with pytest.raises(NoSuchPlace, match=f"limit {number}"):
        travel.revert(number + 1, now_ms)
    travel.drop(number)
    with pytest.raises(NoSuchPlace):
        travel.drop(number)
    travel.name_branch("calm")
    with pytest.raises(NoSuchPlace, match="is there"):
        travel.name_branch("calm")
    with pytest.raises(NoSuchPlace, match="limit calm"):
        travel.switch("crash", now_ms)
    with pytest.raises(NotUndoable):
        travel.rewind(traveller.node.chain.head_num + 1, now_ms)


def test_futures_side_by_side(traveller: Traveller) -> None:
    """Three futures of one block: each is come back to, block by block the same."""
    node = traveller.node
    travel, base = node.inputs.travel, node.chain.head_num
    travel.snapshot(node.inputs.now_ms())
    heads = {}
    for length, name in enumerate(("calm", "crash", "boom"), 3):
        for _ in range(length):
            traveller.pay()
            traveller.blocks(1)
        travel.name_branch(name)
        heads[name] = node.chain.head_id
        node.inputs.go(lambda travel, now: travel.rewind(base, now))
        traveller.check()
    for name in ("crash", "calm", "boom", "calm"):
        node.inputs.go(lambda travel, now, name=name: travel.switch(name, now))  # type: ignore[misc]
        assert node.chain.head_id == heads[name]
        traveller.check()
        traveller.blocks(1)
    travel.drop_branch("crash")
    assert [one.name for one in travel.known_branches()] == ["calm", "boom"]


def test_branches_keep_so_many_bytes(traveller: Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that the oldest that keeps blocks is let go, and its name is free; neither the one
    that is come back to, nor one that keeps nothing. Nothing is held for a branch that is gone."""
    node = traveller.node
    travel, base = node.inputs.travel, node.chain.head_num
    travel.name_branch("base")
    for name in ("calm", "crash"):
        traveller.pay()
        traveller.blocks(3)
        travel.name_branch(name)
        node.inputs.go(lambda travel, now: travel.rewind(base, now))
    kept = [sum(len(block.packed) for block in one.blocks) for one in travel.known_branches()]
    monkeypatch.setattr("node.core.time_travel.BRANCH_BYTES_MAX", sum(kept) + 100)
    traveller.pay()
    traveller.blocks(3)
    travel.name_branch("boom")
    node.inputs.go(lambda travel, now: travel.switch("calm", now))
    assert [one.name for one in travel.known_branches()] == ["base", "calm", "crash", "boom"]
    monkeypatch.setattr("node.core.time_travel.BRANCH_BYTES_MAX", max(kept) - 1)
    node.inputs.go(lambda travel, now: travel.rewind(base, now))
    assert [one.name for one in travel.known_branches()] == ["base"]
    assert len(node.chain.marks) == 1
    travel.name_branch("calm")
    node.chain.release(travel.branches["calm"].mark)
    travel.name_branch("calm")


def test_processes_of_a_network_pause_before_they_move(traveller: Traveller) -> None:
    """One of several neither goes back, nor makes blocks at once, nor moves its clock alone; a
    pause ends by itself."""
    inputs, head = traveller.node.inputs, traveller.node.chain.head_id
    inputs.travel = travel = TimeTravel(traveller.node.core, is_alone=False)
    now_ms = inputs.now_ms()
    number = travel.snapshot(now_ms).number
    for move in (
        lambda: travel.revert(number, now_ms),
        lambda: travel.rewind(2, now_ms),
        lambda: travel.set_clock_offset(5, now_ms),
        lambda: inputs.generate_blocks(1),
        lambda: traveller.node.backend.travel_to(traveller.node.chain.head_time + 60),
    ):
        with pytest.raises(NotPaused, match="network_mine"):
            move()
    assert (traveller.node.chain.head_id, travel.moved_ms) == (head, 0)
    travel.pause(now_ms)
    assert inputs.generate_blocks(1)
    travel.revert(number, now_ms)
    travel.set_clock_offset(5, now_ms)
    travel.tick(now_ms + PAUSE_MAX_MS - 1)
    assert traveller.node.core.is_paused
    travel.tick(now_ms + PAUSE_MAX_MS)
    assert not traveller.node.core.is_paused


def test_a_process_that_ends_stands_still(traveller: Traveller) -> None:
    """P15: who has it paused may prolong that until it is gone, as `rewind` does that waits for it
    to start again; nobody ends it, and nobody else takes it over."""
    travel, core = traveller.node.inputs.travel, traveller.node.core
    now_ms = traveller.node.inputs.now_ms()
    travel.pause(now_ms, "me")
    travel.stop(now_ms)
    travel.pause(now_ms, "me")
    with pytest.raises(PausedByAnother):
        travel.pause(now_ms, "you")
    travel.resume("me")
    travel.tick(now_ms + PAUSE_MAX_MS)
    assert core.is_paused


STEPS = (
    *("pay", "block", "block", "blocks", "travel", "restart"),
    *("snapshot", "revert", "drop", "rewind", "branch", "switch"),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=25))
def test_any_journey(steps: list[tuple[str, int]]) -> None:
    """Wherever the chain comes back to, all is as it was there; also over a restart."""
    with TemporaryDirectory() as directory:
        one = Traveller(Path(directory))
        for step, number in steps:
            travel, inputs = one.node.inputs.travel, one.node.inputs
            places = [place.number for place in travel.known_snapshots()]
            names = [branch.name for branch in travel.known_branches()]
            if step == "pay":
                one.pay()
            elif step in ("block", "blocks"):
                one.blocks(1 if step == "block" else number)
            elif step == "travel":
                one.blocks(1)
                one.node.backend.travel_to(one.node.chain.head_time + 1 + number * 900)
                one.hashes[one.node.chain.head_id] = one.node.chain.state_hash()
            elif step == "snapshot":
                inputs.go(lambda travel, now: travel.snapshot(now))
            elif step == "revert" and places:
                place = places[number % len(places)]
                inputs.go(lambda travel, now, place=place: travel.revert(place, now))  # type: ignore[misc]
            elif step == "drop" and places:
                travel.drop(places[number % len(places)])
            elif step == "rewind":
                low = max(one.node.chain.lowest_undoable_num, 2)
                num = max(low, one.node.chain.head_num - number)
                inputs.go(lambda travel, now, num=num: travel.rewind(num, now))  # type: ignore[misc]
            elif step == "branch" and str(number) not in names:
                travel.name_branch(str(number))
            elif step == "switch" and names:
                name = names[number % len(names)]
                inputs.go(lambda travel, now, name=name: travel.switch(name, now))  # type: ignore[misc]
            elif step == "restart":
                one.restart()
            one.check()
        one.node.history.close()
