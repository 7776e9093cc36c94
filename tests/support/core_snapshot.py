"""A state of bitshares-core 7.0.2, what was sent to it then, and what its API answered afterwards.

The three files are described in `tests/vectors/CORE_SNAPSHOT.md`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from node.api.backend import ApiBackend
from node.api.views import view_object
from node.chain.chain import Chain
from node.fork.core_state import read_lines
from node.fork.genesis import begin_fork
from node.history.memory import MemoryHistory
from node.presets import development_key
from protocol.block import BlockEnvelope
from protocol.crypto.hashes import sha256
from protocol.crypto.keys import public_key
from protocol.crypto.signatures import sign_digest
from protocol.ids import ObjectId
from protocol.json_form import from_json_as
from protocol.operations import Operation
from protocol.operations.base import TaggedOperation
from protocol.schema import PublicKey
from protocol.transaction import SignedTransaction, TransactionEnvelope, reference_block

Json = Any
VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SNAPSHOT = VECTORS / "core_snapshot.jsonl.gz"
PREFIX = "BTS"
LIFETIME_S = 600


@cache
def snapshot_lines() -> list[bytes]:
    """The objects of the snapshot, one a line."""
    return gzip.decompress(SNAPSHOT.read_bytes()).splitlines()


@cache
def lines_of_state() -> tuple[bytes, ...]:
    """The same without histories, and without places for blocks to come."""
    left_out = (b'{"id":"1.11.', b'{"id":"2.9.', b'{"id":"5.')
    free = b'"' + b"0" * 40
    return tuple(
        line for line in snapshot_lines() if not line.startswith(left_out) and free not in line
    )


def objects_after() -> dict[str, Json]:
    """Every object that core's API answered in the end, by id."""
    found: dict[str, Json] = json.loads(
        gzip.decompress((VECTORS / "core_snapshot_after.json.gz").read_bytes())
    )
    return found


def block_key(name: str) -> PublicKey:
    """The key that a witness signs with once the chain is forked."""
    return public_key(development_key(name, "signing"))


def fork(*, is_everybody: bool = True) -> Chain:
    """The chain at the end of the snapshot; operations of everybody pass unsigned, or do not."""
    core = read_lines(snapshot_lines())
    state = core.finish(is_everybody=is_everybody)
    genesis = begin_fork(state, core.prefix, sha256(SNAPSHOT.read_bytes()), block_key)
    return Chain.continue_from(genesis, state)


class Replay:
    """A forked chain that is given what core was given, in the same blocks."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        data = json.loads(gzip.decompress((VECTORS / "core_snapshot_ops.json.gz").read_bytes()))
        self.last_block: int = data["last_block"]
        self.by_block: dict[int, list[list[Json]]] = {}
        for entry in data["transactions"]:
            self.by_block.setdefault(entry["block"], []).append(entry["operations"])

    def run(self) -> None:
        """All blocks up to the last one."""
        while self.chain.head_num < self.last_block:
            self.next_block()

    def next_block(self) -> BlockEnvelope:
        """The next slot's block, of what core had in it."""
        chain = self.chain
        for operations in self.by_block.get(chain.head_num + 1, []):
            chain.push_transaction(self._transaction(operations))
        witness = chain.scheduled_witness(1)
        name = chain.state.accounts.get(chain.state.witnesses.get(witness).witness_account).name
        secret = development_key(name, "signing")
        block = chain.build_block(
            witness, chain.slot_time(1), lambda digest: sign_digest(secret, digest)
        )
        assert not chain.push_block(block).dropped
        return block

    def _transaction(self, operations: list[Json]) -> TransactionEnvelope:
        chain = self.chain
        known = chain.has_transaction
        made = SignedTransaction(
            *reference_block(chain.head_id),
            chain.head_time + LIFETIME_S,
            tuple(_operation(one) for one in operations),
        )
        envelope = TransactionEnvelope.from_transaction(made)
        while known(envelope.id):
            made = replace(made, expiration=made.expiration + 1)
            envelope = TransactionEnvelope.from_transaction(made)
        return envelope


def _operation(data: Json) -> Operation:
    return cast(Operation, from_json_as(TaggedOperation, data, PREFIX))


class StateView:
    """As much of an API's backend as the views of objects need."""

    def __init__(self, chain: Chain) -> None:
        self.state = chain.state
        self.address_prefix = PREFIX
        self.history = MemoryHistory()

    def objects(self) -> Iterator[tuple[ObjectId, Json]]:
        """All objects of the state, as the API shows them."""
        for table in self.state.tables:
            for item in table.in_order():
                yield table.id_of(item), view_object(cast(ApiBackend, self), item)
