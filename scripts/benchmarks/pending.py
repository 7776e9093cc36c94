"""(x) What waiting transactions cost a block: one that leaves them as they are, and another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice

from node.chain.chain import Chain
from protocol.block import BlockEnvelope
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign
from tests.support.world import secret_of

from .measure import cpu_seconds, print_time
from .workload import EXPIRATION_S, TRANSACTIONS_A_BLOCK, Recorder, SignedBy

ACCOUNTS = 1_000
WAITING = 20_000
ROUNDS = 5
LIMIT_MS = 20
KINDS = {
    "an empty block": (0, f"limit {LIMIT_MS} ms"),
    "a block of others' transfers": (TRANSACTIONS_A_BLOCK, f"{TRANSACTIONS_A_BLOCK} of them"),
}


def bench_pending() -> None:
    """(x): CPU time of blocks that come to a node with an empty pool, and with a full one."""
    waiting, others = Recorder(2 * ACCOUNTS), Recorder(2 * ACCOUNTS)
    waiting.ids, waiting.names = waiting.ids[:ACCOUNTS], waiting.names[:ACCOUNTS]
    others.ids, others.names = others.ids[ACCOUNTS:], others.names[ACCOUNTS:]
    bare, full = (Chain(others.chain.genesis) for _ in range(2))
    others.make_block()
    for chain in (bare, full):
        _push(chain, others.blocks[-1])
    full.pending.transactions_max = WAITING
    fill(full, waiting.transfers(WAITING))
    transfers = others.transfers(ROUNDS * TRANSACTIONS_A_BLOCK)
    for what, (count, note) in KINDS.items():
        times: dict[str, list[float]] = {"nothing": [], f"{WAITING:,} transfers": []}
        for _ in range(ROUNDS):
            for signer, transfer in islice(transfers, count):
                others.push(signer, transfer)
            others.make_block()
            for took, chain in zip(times.values(), (bare, full), strict=True):
                took.append(cpu_seconds(partial(_push, chain, others.blocks[-1])))
        for waits, took in times.items():
            print_time("x", f"{what}; {waits} wait", took, note)
    assert len(full.pending) == WAITING, "none of them is in these blocks"
    (one,) = islice(full.pending, 1)
    others.chain.push_transaction(one.envelope)
    others.make_block()
    took = [cpu_seconds(partial(_push, full, others.blocks[-1]))]
    print_time("x", f"a block of one of them; {WAITING:,} wait", took, "all applied anew")


def fill(chain: Chain, operations: Iterable[SignedBy]) -> None:
    """Let a transaction of each operation wait."""
    number, prefix = reference_block(chain.head_id)
    for serial, (signer, operation) in enumerate(operations):
        expiration = chain.head_time + EXPIRATION_S - serial % 600
        transaction = Transaction(number, prefix, expiration, (operation,))
        signed = sign(transaction, [secret_of(signer)], chain.chain_id)
        chain.push_transaction(TransactionEnvelope.from_transaction(signed))


def _push(chain: Chain, data: bytes) -> None:
    chain.push_block(BlockEnvelope.from_bytes(data))
