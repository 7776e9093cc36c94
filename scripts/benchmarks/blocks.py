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
from protocol.crypto.recovery import QUESTION_LENGTH, recover_keys
from protocol.operations.limit_order import FillOrder

from .cores import CoreRates, core_rates, print_cores
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
ROUNDS = 7
RAW_SIGNATURES = 3_000
RECOVERIES_BETWEEN = 60
"""Recovered between any two blocks."""

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
    print_cores("a", "transfers", [one.rate for one in rounds], [one.cores for one in rounds])


class Validation(NamedTuple):
    """One run through all measured blocks."""

    raw: float
    """Recoveries a second on one core, just before."""
    raw_s: float
    """CPU time of one of them."""
    cores: CoreRates
    """And of two processes at once."""
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
            cores = core_rates(sample)
            start, cpu_start = perf_counter(), process_time()
            workers_start = sum(map(cpu_seconds_of, pool.processes))
            await _validate(chain, recording.measured, pool, garbage)
            rate = TRANSFERS / (perf_counter() - start)
            main_s = (process_time() - cpu_start) / TRANSFERS
            workers_s = (sum(map(cpu_seconds_of, pool.processes)) - workers_start) / TRANSFERS
            rounds.append(Validation(raw, raw_s, cores, rate, main_s, workers_s))
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
    rounds = _rounds_with_keys(recording)
    decoding = [cpu_seconds(partial(_decode_all, recording)) / TRANSFERS for _ in range(ROUNDS)]
    print_rate("b", "raw key recovery, one core, CPU", [1 / one.raw_s for one in rounds])
    _print_rounds("b", "transfers", rounds, "target 3.0")
    print_time("b", "of which decoding, a transfer", decoding)


def bench_orders() -> None:
    """(c): limit orders that rest, and limit orders that match; keys known, CPU time."""
    resting, matching = record_orders(TRADERS, ORDERS)
    for what, recording, target in (
        ("orders that rest", resting, "target 3.1"),
        ("orders that match", matching, "target 1.15"),
    ):
        matches = _matches_of(recording) / len(recording.transactions())
        note = f"{target}; {matches:.2f} matches an order"
        _print_rounds("c", what, _rounds_with_keys(recording), note)


class Round(NamedTuple):
    """One run through all measured blocks on one core, and recoveries in the midst of it."""

    cost_s: float
    """CPU time of one transaction whose keys are known."""
    raw_s: float
    """CPU time of one recovery of a key."""


def _rounds_with_keys(recording: Recording) -> list[Round]:
    """Push the measured blocks again and again, and recover a few keys between any two.

    So a core that is faster at one time than at another is so for both.
    """
    sample = recorded_transfers().questions(RECOVERIES_BETWEEN)
    read = recording.reader_with_keys()
    count = len(recording.transactions())
    rounds = []
    for number in range(ROUNDS + 1):
        chain, garbage = recording.start(), GarbageSchedule()
        cost_s = raw_s = 0.0
        for data in recording.measured:
            raw_s += cpu_seconds(partial(recover_keys, sample))
            cost_s += cpu_seconds(partial(_push, chain, read, data, garbage))
        recoveries = RECOVERIES_BETWEEN * len(recording.measured)
        if number:
            rounds.append(Round(cost_s / count, raw_s / recoveries))
    return rounds


def _push(chain: Chain, read: ReadBlock, data: bytes, garbage: GarbageSchedule) -> None:
    chain.push_block(read(data))
    garbage.collect_if_due()


def _print_rounds(section: str, what: str, rounds: Sequence[Round], target: str) -> None:
    print_rate(section, f"{what}, one core, CPU", [1 / one.cost_s for one in rounds])
    ratios = [one.raw_s / one.cost_s for one in rounds]
    print_ratio(section, f"{what} / raw recoveries", ratios, target)


def _decode_all(recording: Recording) -> None:
    for data in recording.measured:
        BlockEnvelope.from_bytes(data)


def _matches_of(recording: Recording) -> int:
    """Matches in all measured blocks, of two fills each."""
    chain, read = recording.start(), recording.reader_with_keys()
    blocks = (
        block for data in recording.measured for block in chain.push_block(read(data)).applied
    )
    return (
        sum(isinstance(entry.op, FillOrder) for block in blocks for entry in block.operations) // 2
    )
