"""(a), (b) Blocks of signed transfers against raw key recovery; (c) blocks of limit orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from time import perf_counter, process_time
from typing import NamedTuple

import trio

from node.chain.chain import Chain
from node.chain.header_rules import HeaderVerdict
from node.core.effects import RecoverKeys
from node.core.inbox import BlockInbox
from node.p2p.effects import PeerKey
from node.p2p.limits import PeerLimits
from node.services.garbage import GarbageSchedule
from node.services.signature_pool import SignaturePool
from protocol.block import BlockEnvelope
from protocol.crypto.signatures import QUESTION_LENGTH, recover_keys
from protocol.operations.limit_order import FillOrder

from .measure import (
    cpu_seconds,
    cpu_seconds_of,
    print_rate,
    print_ratio,
    print_time,
)
from .workload import Recording, record_orders, record_transfers

ACCOUNTS = 10_000
TRANSFERS = 12_000
TRADERS = 1_000
ORDERS = 4_000
ROUNDS = 5
RAW_SIGNATURES = 3_000

ReadBlock = Callable[[bytes], BlockEnvelope]


@cache
def recorded_transfers() -> Recording:
    """Some thousand transfers between many accounts."""
    return record_transfers(ACCOUNTS, TRANSFERS)


def bench_full_validation() -> None:
    """(a): decode, recover in worker processes, check and apply; two cores, on the wall."""
    rounds = trio.run(validate_rounds, recorded_transfers())
    print_rate("a", "raw key recovery, one core, wall", [one.raw for one in rounds])
    print_rate("a", "transfers, full validation, two cores, wall", [one.rate for one in rounds])
    print_time("a", "of which the main process, CPU a transfer", [one.main_s for one in rounds])
    print_time("a", "and the two workers, CPU a transfer", [one.workers_s for one in rounds])
    print_ratio(
        "a",
        "transfers / raw recoveries, wall",
        [one.rate / one.raw for one in rounds],
        "target 1.25, on a machine that is otherwise idle",
    )
    print_ratio(
        "a",
        "transfers / raw recoveries, if two cores are full",
        [2 * one.raw_s / (one.main_s + one.workers_s) for one in rounds],
        "CPU time alone; target 1.25",
    )


class Validation(NamedTuple):
    """One run through all measured blocks."""

    raw: float
    """Recoveries a second on one core, just before."""
    raw_s: float
    """CPU time of one of them."""
    rate: float
    """Transfers a second."""
    main_s: float
    """CPU time of the main process for one of them."""
    workers_s: float
    """And of both workers."""


async def validate_rounds(recording: Recording) -> list[Validation]:
    """Validate the measured blocks again and again, with two workers."""
    questions = recording.questions(TRANSFERS)
    sample = questions[: RAW_SIGNATURES * QUESTION_LENGTH]
    pool = SignaturePool(workers_max=2)
    rounds: list[Validation] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await pool.recover(questions)
        for _ in range(ROUNDS):
            chain = recording.start()
            garbage = GarbageSchedule()
            start, cpu_start = perf_counter(), process_time()
            recover_keys(sample)
            raw = RAW_SIGNATURES / (perf_counter() - start)
            raw_s = (process_time() - cpu_start) / RAW_SIGNATURES
            start, cpu_start = perf_counter(), process_time()
            workers_start = sum(map(cpu_seconds_of, pool.processes))
            await _validate(chain, recording.measured, pool, garbage)
            rate = TRANSFERS / (perf_counter() - start)
            main_s = (process_time() - cpu_start) / TRANSFERS
            workers_s = (sum(map(cpu_seconds_of, pool.processes)) - workers_start) / TRANSFERS
            rounds.append(Validation(raw, raw_s, rate, main_s, workers_s))
        nursery.cancel_scope.cancel()
    return rounds


async def _validate(
    chain: Chain, blocks: Sequence[bytes], pool: SignaturePool, garbage: GarbageSchedule
) -> None:
    """Apply blocks in order, the workers as many blocks ahead as in a sync."""
    inbox = BlockInbox(chain.chain_id)
    room = trio.Semaphore(PeerLimits().sync_unjudged)

    async def recover(question: RecoverKeys) -> None:
        inbox.set_keys(question.token, await pool.recover(question.questions))
        while (queued := inbox.take_ready()) is not None:
            chain.push_block(queued.envelope)
            garbage.collect_if_due()
            room.release()

    async with trio.open_nursery() as nursery:
        for data in blocks:
            await room.acquire()
            envelope = BlockEnvelope.from_bytes(data)
            question = inbox.add(PeerKey(1), envelope, HeaderVerdict.RIGHT)
            assert question is not None, "a full block"
            nursery.start_soon(recover, question)
            await trio.lowlevel.checkpoint()


def bench_known_signatures() -> None:
    """(b): decode, check and apply with the keys found beforehand; one core, CPU time."""
    recording = recorded_transfers()
    read = recording.reader_with_keys()
    sample = recording.questions(RAW_SIGNATURES)
    rates, raw_rates, decoding = [], [], []
    for _ in range(ROUNDS):
        chain = recording.start()
        garbage = GarbageSchedule()
        raw_rates.append(RAW_SIGNATURES / cpu_seconds(partial(recover_keys, sample)))
        push = partial(_push_all, chain, recording, read, garbage)
        rates.append(TRANSFERS / cpu_seconds(push))
        decoding.append(cpu_seconds(partial(_decode_all, recording)) / TRANSFERS)
    print_rate("b", "raw key recovery, one core, CPU", raw_rates)
    print_rate("b", "transfers, keys known, one core, CPU", rates)
    print_time("b", "of which decoding, a transfer", decoding)
    _print_ratios("b", "transfers", rates, raw_rates, "target 3.0")


def _print_ratios(
    section: str, what: str, rates: Sequence[float], raw_rates: Sequence[float], target: str
) -> None:
    ratios = [rate / raw for rate, raw in zip(rates, raw_rates, strict=True)]
    print_ratio(section, f"{what} / raw recoveries", ratios, target)


def _decode_all(recording: Recording) -> None:
    for data in recording.measured:
        BlockEnvelope.from_bytes(data)


def _push_all(chain: Chain, recording: Recording, read: ReadBlock, garbage: GarbageSchedule) -> int:
    """Apply the measured blocks, garbage collected between them; matches, of two fills each."""
    fills = 0
    for data in recording.measured:
        for block in chain.push_block(read(data)).applied:
            fills += sum(isinstance(entry.op, FillOrder) for entry in block.operations)
        garbage.collect_if_due()
    return fills // 2


def bench_orders() -> None:
    """(c): limit orders that rest, and limit orders that match; keys known, CPU time."""
    resting, matching = record_orders(TRADERS, ORDERS)
    sample = recorded_transfers().questions(RAW_SIGNATURES)
    for what, recording, target in (
        ("that rest", resting, "target 3.1"),
        ("that match", matching, "target 1.15"),
    ):
        read = recording.reader_with_keys()
        count = len(recording.transactions())
        matches = _push_all(recording.start(), recording, read, GarbageSchedule())
        rates, raw_rates = [], []
        for _ in range(ROUNDS):
            chain = recording.start()
            garbage = GarbageSchedule()
            raw_rates.append(RAW_SIGNATURES / cpu_seconds(partial(recover_keys, sample)))
            push = partial(_push_all, chain, recording, read, garbage)
            rates.append(count / cpu_seconds(push))
        note = f"{matches / count:.2f} matches an order"
        print_rate("c", f"limit orders {what}, one core, CPU", rates, note)
        _print_ratios("c", f"orders {what}", rates, raw_rates, target)
