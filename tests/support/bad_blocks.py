"""Blocks on top of a chain that are wrong in what a test says, and floods of those."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from node.chain.chain import Chain
from node.core.inbox import WORKER_FROM_SIGNATURES
from protocol.asset import NO_FEE
from protocol.block import BlockBody, BlockEnvelope, BlockHeader, merkle_root, pack_results
from protocol.constants import MAX_TRANSACTION_SIGNATURES
from protocol.crypto.keys import PrivateKey
from protocol.crypto.signatures import sign_digest
from protocol.ids import AccountId
from protocol.operations.custom import Custom
from protocol.schema import BlockId, Signature
from protocol.transaction import SignedTransaction, TransactionEnvelope
from tests.support.world import secret_of

STRANGER = secret_of("stranger")


def heavy_body(signatures: int = WORKER_FROM_SIGNATURES) -> BlockBody:
    """Transactions with so many signatures that a worker has to recover the keys."""
    body = BlockBody()
    for number in range(-(-signatures // MAX_TRANSACTION_SIGNATURES)):
        operation = Custom(NO_FEE, AccountId(0), (), number, b"")
        some = tuple(Signature(bytes(64) + bytes((n,))) for n in range(MAX_TRANSACTION_SIGNATURES))
        envelope = TransactionEnvelope.from_transaction(
            SignedTransaction(0, 0, 0, (operation,), (), some)
        )
        body.append(envelope, (), envelope.packed() + pack_results(()))
    return body


class Maker:
    """Blocks on top of a node's head, right or wrong in what a test says."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def make(
        self,
        *,
        slot: int = 1,
        previous: BlockId | None = None,
        late_s: int = 0,
        turn: int | None = None,
        secret: PrivateKey | None = None,
        body: BlockBody | None = None,
    ) -> BlockEnvelope:
        """A block; without changes it is that of the scheduled witness."""
        chain = self.chain
        witness = chain.scheduled_witness(slot if turn is None else turn)
        name = chain.state.accounts.get(chain.state.witnesses.get(witness).witness_account).name
        body = heavy_body() if body is None else body
        header = BlockHeader(
            chain.head_id if previous is None else previous,
            chain.slot_time(slot) + late_s,
            witness,
            merkle_root(body.digests),
        )
        return BlockEnvelope.produce(
            header, body, partial(sign_digest, secret or secret_of(f"{name} block"))
        )


def lost_parent(maker: Maker, rng: Random) -> BlockEnvelope:
    """After a block that nobody has."""
    num = maker.chain.head_num + rng.randrange(-1, 8)
    lost = BlockId(max(num, 1).to_bytes(4, "big") + rng.randbytes(16))
    return maker.make(previous=lost, secret=STRANGER, body=BlockBody())


def by_a_stranger(maker: Maker, rng: Random) -> BlockEnvelope:
    """After the head, in its slot, by another key than its witness's."""
    return maker.make(secret=PrivateKey(rng.randbytes(31) + b"\1"), body=BlockBody())


def on_a_fork(maker: Maker, rng: Random) -> BlockEnvelope:
    """After a block below the head, by a stranger."""
    num = max(maker.chain.last_irreversible_num, maker.chain.head_num - rng.randrange(1, 4))
    return maker.make(previous=maker.chain.id_at(num), secret=STRANGER, slot=rng.randrange(1, 3))


def out_of_turn(maker: Maker, rng: Random) -> BlockEnvelope:
    """By a witness in the slot of another."""
    return maker.make(turn=rng.randrange(2, 4), secret=STRANGER, body=BlockBody())


def between_slots(maker: Maker, rng: Random) -> BlockEnvelope:
    """At a time of no slot."""
    return maker.make(late_s=rng.randrange(1, 3), secret=STRANGER, body=BlockBody())


def from_the_future(maker: Maker, rng: Random) -> BlockEnvelope:
    """Many slots ahead of the clock."""
    return maker.make(slot=rng.randrange(50, 10_000), secret=STRANGER, body=BlockBody())


def too_heavy(maker: Maker, rng: Random) -> BlockEnvelope:
    """By a stranger, with signatures enough for the worker."""
    return maker.make(secret=STRANGER, late_s=rng.randrange(2), body=heavy_body())


BAD: tuple[Callable[[Maker, Random], BlockEnvelope], ...] = (
    lost_parent,
    by_a_stranger,
    on_a_fork,
    out_of_turn,
    between_slots,
    from_the_future,
    too_heavy,
)
"""Blocks that anybody can make who has no witness's key (T-P6)."""
