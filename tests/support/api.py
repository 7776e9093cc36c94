"""An API over a chain made in a test: what it broadcasts becomes pending, blocks come on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

from node.api.api import Api
from node.api.backend import FeedInfo, KnownPeer, NetworkInfo, NodeInfo, PeerInfo
from node.api.development import Development, Place, WentBack
from node.api.errors import NotPossible
from node.api.json_text import joined
from node.api.session import ApiSession
from node.chain.apply_block import AppliedBlock
from node.chain.chain import Chain
from node.chain.undo_marks import Mark, Rewound
from node.chain.vote_pool import Equivocation
from node.core.head_hash import HashedHead, HeadHash
from node.history.account_storage import AccountStorage
from node.history.memory import MemoryHistory
from node.state.context import AppliedOperation
from node.state.database import State
from node.witness.stall import Stall
from pegboard.lessons.told import LessonTeacher
from protocol.block import BlockEnvelope
from protocol.crypto.keys import parse_wif
from protocol.ids import WitnessId
from protocol.json_form import to_json
from protocol.operations.base import Operation
from protocol.schema import BlockId, Digest, TransactionId
from protocol.transaction import TransactionEnvelope
from tests.support.chain import TestChain

Json = Any
PEERS = (PeerInfo("127.0.0.1:1776", bytes(32), "test/1", 0, True, 100, 200),)
KNOWN_PEERS_MAX = 2


class ChainBackend:
    """`ApiBackend` of a test chain. With `instant`, each transaction is in a block at once."""

    def __init__(self, chain: TestChain, *, instant: bool = False) -> None:
        self.test_chain = chain
        self.history = MemoryHistory(storage=AccountStorage())
        self.instant = instant
        self.is_development = True
        self.may_add_peers = True
        self.block_mode = "instant" if instant else "manual"
        self.added_peers: list[str] = []
        self.stall: Stall | None = None
        self.split = ""
        self.feeds: tuple[FeedInfo, ...] = ()
        self.address_prefix = "TEST"
        self.blocks: dict[int, BlockEnvelope] = {}
        self.bugs: list[Exception] = []
        self.places: dict[int | str, tuple[Place, Mark]] = {}
        self.clock_offset_ms = 0
        self.api = Api(self, load_teacher=LessonTeacher)

    @property
    def state(self) -> State:
        return self.test_chain.state

    @property
    def development(self) -> Development | None:
        return ChainDevelopment(self) if self.is_development else None

    def take_back(self, rewound: Rewound) -> WentBack:
        """Let all that remembers popped blocks forget them."""
        self.test_chain.ballots.go_back()
        for block in rewound.popped:
            del self.blocks[block.envelope.num]
            self.history.revert_block()
        self.api.chain_rewound(rewound)
        return WentBack(len(rewound.popped))

    @property
    def chain(self) -> Chain:
        return self.test_chain.chain

    @property
    def chain_id(self) -> Digest:
        return self.test_chain.chain.chain_id

    def now_s(self) -> int:
        return self.test_chain.chain.head_time

    def info(self) -> NodeInfo:
        witnesses, mode = (WitnessId(1),), self.block_mode
        facts = ("0.1.0", "TEST", "bit", "witness", witnesses, PEERS, mode, self.feeds)
        return NodeInfo(*facts, stall=self.stall, split=self.split)

    def equivocations(self) -> Sequence[Equivocation]:
        return self.test_chain.ballots.pool.equivocations

    def network(self) -> NetworkInfo:
        known = (
            KnownPeer("127.0.0.1:1776", 1_700_000_000, is_tried=True, failures=0),
            *(KnownPeer(address, 0, is_tried=False, failures=0) for address in self.added_peers),
        )
        return NetworkInfo(bytes(32), 1776, PEERS, known, {"desired_number_of_connections": 8})

    def add_peer(self, host: str, port: int) -> bool:
        if len(self.added_peers) == KNOWN_PEERS_MAX:
            return False
        self.added_peers.append(f"{host}:{port}")
        return True

    def block_at(self, num: int) -> BlockEnvelope | None:
        return self.blocks.get(num)

    def block_of_id(self, block_id: BlockId) -> BlockEnvelope | None:
        return next((block for block in self.blocks.values() if block.id == block_id), None)

    def head_state_hash(self) -> Generator[None, None, HashedHead]:
        return HeadHash(self.test_chain.chain).steps()

    def broadcast(self, envelope: TransactionEnvelope) -> None:
        self.test_chain.chain.push_transaction(envelope)
        self.api.transaction_accepted(envelope)
        if self.instant:
            self.produce()

    def push_block(self, envelope: BlockEnvelope) -> None:
        self.receive(envelope)

    def simulate(self, envelope: TransactionEnvelope) -> list[AppliedOperation]:
        return self.test_chain.chain.simulate(envelope).operations

    def generate_blocks(self, count: int, wif: str | None = None) -> Generator[None, None, int]:
        if wif is not None:
            parse_wif(wif)
        for _ in range(count):
            self.produce()
            yield
        return self.test_chain.chain.head_num

    def travel_to(self, time_s: int) -> int:
        chain = self.test_chain.chain
        slot = max(chain.slot_at(time_s), 1)
        self.produce(slot=slot if chain.slot_time(slot) >= time_s else slot + 1)
        return chain.head_num

    def report_bug(self, method: str, error: Exception) -> None:
        self.bugs.append(error)

    def produce(self, *operations: Operation, slot: int = 1) -> AppliedBlock:
        """Make the next block of these operations and of what is pending."""
        for op in operations:
            self.test_chain.push(op)
        return self.receive(self.test_chain.build(slot))

    def receive(self, envelope: BlockEnvelope) -> AppliedBlock:
        """Take the next block, whoever made it."""
        result = self.test_chain.receive(envelope)
        (applied,) = result.applied
        self.blocks[applied.envelope.num] = applied.envelope
        self.history.apply_block(applied)
        self.api.block_applied(applied)
        for transaction, reason in result.dropped:
            self.api.transaction_dropped(transaction, reason)
        self.api.flush_sessions()
        return applied


def transaction_json(envelope: TransactionEnvelope) -> Json:
    """A signed transaction as clients send it."""
    return to_json(envelope.transaction, "TEST")


class ChainDevelopment:
    """`Development` of a backend: marks of its chain; its clock stands, and it has no peers."""

    genesis_hash = Digest(bytes(32))
    members: tuple[str, ...] = ()

    def __init__(self, backend: ChainBackend) -> None:
        self.backend = backend
        self.chain = backend.test_chain.chain

    def snapshot(self, number: int | None) -> Place:
        numbers = [name for name in self.backend.places if isinstance(name, int)]
        return self._place(max(numbers, default=0) + 1 if number is None else number)

    def name_branch(self, name: str) -> Place:
        return self._place(name)

    def _place(self, name: int | str) -> Place:
        mark = self.chain.mark()
        self.backend.places[name] = Place(name, mark.num, mark.block_id), mark
        return self.backend.places[name][0]

    def snapshots(self) -> list[Place]:
        return [place for place, _ in self.backend.places.values() if isinstance(place.name, int)]

    def branches(self) -> list[Place]:
        return [place for place, _ in self.backend.places.values() if isinstance(place.name, str)]

    def drop_snapshot(self, number: int) -> None:
        self._drop(number)

    def drop_branch(self, name: str) -> None:
        self._drop(name)

    def _drop(self, name: int | str) -> None:
        if name not in self.backend.places:
            raise NotPossible("no such place", value=name)
        self.chain.release(self.backend.places.pop(name)[1])

    def revert(self, number: int | None) -> WentBack:
        if number is None:
            number = max(
                (one.name for one in self.snapshots() if isinstance(one.name, int)), default=0
            )
        return self._go_back(number)

    def switch(self, name: str) -> WentBack:
        return self._go_back(name)

    def _go_back(self, name: int | str) -> WentBack:
        if name not in self.backend.places:
            raise NotPossible("no such place", value=name)
        return self.backend.take_back(self.chain.revert(self.backend.places[name][1]))

    def rewind(self, block_num: int) -> WentBack:
        return self.backend.take_back(self.chain.rewind(block_num))

    @property
    def clock_offset_ms(self) -> int:
        return self.backend.clock_offset_ms

    def set_clock_offset(self, offset_ms: int) -> None:
        self.backend.clock_offset_ms = offset_ms

    def catch_up(self) -> None:
        """The clock shows the head's time anyway."""

    def pause(self, by: str) -> None:
        """There are no blocks by the clock."""

    def resume(self, by: str) -> None:
        """There are no blocks by the clock."""

    def next_slot_s(self) -> int | None:
        chain = self.backend.test_chain.chain
        return chain.slot_time(1)

    can_go_together = False

    def go_together(self, verb: str, argument: Json, done: Callable[[Json], None]) -> None:
        raise NotPossible("this chain has no other processes")

    def push(self, operations: Sequence[Operation]) -> TransactionId:
        envelope = self.backend.test_chain.transaction(*operations, signers=[])
        self.backend.broadcast(envelope)
        return envelope.id


class Client:
    """A connection that speaks the `call` dialect; numbers its requests from 0, as btsdex does."""

    def __init__(self, backend: ChainBackend, *, can_push: bool = True) -> None:
        self.session: ApiSession = backend.api.open_session(can_push=can_push)
        self.serial = -1

    def request(self, body: Json) -> Json:
        """The one answer to any JSON value."""
        (text,) = self.session.receive(json.dumps(body))
        return json.loads(joined(text))

    def answer(self, method: str, *arguments: Json, api: int | str = 0) -> Json:
        """The whole answer of a call."""
        self.serial += 1
        params = [api, method, list(arguments)]
        return self.request({"id": self.serial, "method": "call", "params": params})

    def call(self, method: str, *arguments: Json, api: int | str = 0) -> Json:
        """The result of a call that must not fail."""
        answer = self.answer(method, *arguments, api=api)
        assert "error" not in answer, answer["error"]["message"]
        return answer["result"]

    def refuse(self, method: str, *arguments: Json, api: int | str = 0) -> Json:
        """The error of a call that must fail."""
        answer = self.answer(method, *arguments, api=api)
        assert "result" not in answer, answer
        return answer["error"]

    def notices(self) -> list[Json]:
        """The `params` of every notice that waits."""
        messages = [json.loads(joined(text)) for text in self.session.take_outgoing()]
        assert all(message["method"] == "notice" for message in messages), messages
        return [message["params"] for message in messages]
