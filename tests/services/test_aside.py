"""Long work in forked children: their answers, their limits, their end; and the node meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from node.api.aside import Aside
from node.api.call import Later, Work
from node.api.errors import ApiError, InternalError, InvalidParams, NotPossible, TooSlow
from node.api.rpc import Envelope, failure
from node.services import aside_runner
from node.services.aside_runner import AsideRunner
from node.services.forked_child import ChildLimits, fork_child, read_answer
from node.state.errors import InsufficientBalance
from node.whatif.plan import MakeBlocks
from node.whatif.simulate import Guard, WorkLimit, simulate
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.errors import PegboardError, ValidationError
from tests.support.api import ChainBackend, Client
from tests.support.chain import TestChain
from tests.support.served_node import serve_node

ENDED_WITHIN_S = 20
SHORT = ChildLimits(cpu_ms=100)


def children() -> set[str]:
    """Processes that this one has begun and not waited for, those of other tests among them."""
    process = os.getpid()
    return set(Path(f"/proc/{process}/task/{process}/children").read_text().split())


@asynccontextmanager
async def running(limits: ChildLimits = SHORT) -> AsyncIterator[Callable[[Work], Later]]:
    """A runner; what is given asks it for work."""
    aside, session = Aside(), Client(ChainBackend(TestChain())).session
    async with trio.open_nursery() as nursery:
        nursery.start_soon(AsideRunner(aside, lambda: None, limits).run)
        await trio.testing.wait_all_tasks_blocked()

        def ask(work: Work) -> Later:
            later = aside.ask(session, work)
            assert isinstance(later, Later)
            return later

        yield ask
        nursery.cancel_scope.cancel()


async def outcome_of(later: Later) -> object:
    with trio.fail_after(60):
        while not later.outcomes:
            await trio.sleep(0.005)
    return later.outcomes[0]


def answer(guard: Guard) -> bytes:
    return b"[1]"


def spin(guard: Guard) -> bytes:
    """Work without end, that tells what stopped it."""
    try:
        while True:
            guard()
    except WorkLimit as limit:
        return repr(tuple(limit.stopped)).encode()


def hoard(guard: Guard) -> bytes:
    """Work that takes memory without end."""
    held = []
    try:
        while True:
            guard()
            held.append(bytearray(1 << 20))
    except WorkLimit as limit:
        return f"{limit.stopped.what} {len(held) > 10}".encode()


def rest(guard: Guard) -> bytes:
    """Work that waits for others who have the processor."""
    try:
        while True:
            guard()
            time.sleep(0.01)
    except WorkLimit as limit:
        return repr(tuple(limit.stopped)).encode()


def refuse(guard: Guard) -> bytes:
    raise NotPossible("not today", rule="T-A2", value=7)


def fail(guard: Guard) -> bytes:
    raise ZeroDivisionError


def sleep(guard: Guard) -> bytes:
    time.sleep(60)
    return b""


def die(guard: Guard) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def text(found: object) -> bytes:
    return bytes(found)  # type: ignore[call-overload, no-any-return]


@pytest.mark.trio
async def test_a_child_answers_refuses_fails_and_stops() -> None:
    """T-A2: also a child that uses up its time or memory tells how far it came."""
    async with running() as ask:
        laters = [ask(work) for work in (answer, spin, refuse, fail, die)]
        found = [await outcome_of(later) for later in laters]
    assert text(found[0]) == b"[1]"
    assert text(found[1]) == b"('time', 100)"
    told, meant = found[2], NotPossible("not today", rule="T-A2", value=7)
    assert isinstance(told, ApiError)
    assert vars(told) == {**vars(meant), "name": meant.name, "code": meant.code}
    assert isinstance(found[3], InternalError)
    assert isinstance(found[4], TooSlow)
    async with running(ChildLimits(memory_bytes=32 << 20)) as ask:
        assert text(await outcome_of(ask(hoard))) == b"memory True"
    async with running(ChildLimits(wall_ms=100)) as ask:
        assert text(await outcome_of(ask(rest))) == b"('time', 100)"


@pytest.mark.trio
async def test_a_child_that_is_too_slow_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-A2: by the wall, however little of the processor it got; the next one is served."""
    monkeypatch.setattr(aside_runner, "DEADLINE_S", 0.3)
    async with running() as ask:
        sleeping = ask(sleep)
        assert isinstance(await outcome_of(sleeping), TooSlow)
        monkeypatch.setattr(aside_runner, "DEADLINE_S", 30)
        assert text(await outcome_of(ask(lambda guard: b"2"))) == b"2"


def told_by(work: Work) -> bytes:
    """What a child of this very thread writes."""
    child = fork_child(work, ChildLimits())
    with os.fdopen(child.answer_fd, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child.pid, 0)
    return data


def test_what_was_cut_is_no_answer() -> None:
    """T-A2: a child may be killed while it writes; each kind of answer, cut at each place."""
    for work in (answer, refuse, fail):
        told = told_by(work)
        assert read_answer(told) is not None
        assert {read_answer(told[:size]) for size in range(len(told))} == {None}


def test_a_refusal_is_told_as_if_nobody_had_forked() -> None:
    """Its name, its code and its values are what a client is told of the one that was raised."""
    for error in (
        InvalidParams("x", value=1 << 40, limit=[1], unit="s"),
        ValidationError("\u00fc", rule="R1.12", value=AssetAmount(5, CORE_ASSET), limit=b"1"),
        InsufficientBalance("y", value=None, limit=True),
    ):

        def work(guard: Guard, error: PegboardError = error) -> bytes:
            raise error

        found = read_answer(told_by(work))
        assert isinstance(found, PegboardError)
        texts = [failure(Envelope(1), one, "m", 0, "") for one in (error, found)]
        assert texts[0] == texts[1]


def test_a_child_has_nothing_of_the_node_s() -> None:
    """No file but the three first, its pipe, and the folder that it looks into."""

    def look(guard: Guard) -> bytes:
        return str(len(list(Path("/proc/self/fd").iterdir()))).encode()

    with Path(__file__).open() as other:
        assert other.fileno() > 2
        assert read_answer(told_by(look)) == b"5"


def test_a_child_ends_with_its_node_however_that_ends() -> None:
    """Killed, a node says goodbye to nobody; its child would have slept for a minute more."""
    read_end, write_end = os.pipe()
    node = os.fork()
    if node == 0:
        child = fork_child(sleep, ChildLimits())
        os.write(write_end, str(child.pid).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(node, 0)
    pid = int(os.read(read_end, 20))
    os.close(read_end)
    os.close(write_end)
    deadline = time.monotonic() + ENDED_WITHIN_S
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_a_child_tries_is_not_done_here() -> None:
    """The state of the parent stays as it is, whatever the child left undone in its own."""
    chain = TestChain("alice")
    before = chain.chain.state_hash()

    def work(guard: Guard) -> bytes:
        found = simulate(chain.chain, [MakeBlocks(3)], guard=guard)
        chain.block()
        return str(len(found.blocks)).encode()

    assert read_answer(told_by(work)) == b"3"
    assert chain.chain.state_hash() == before
    assert chain.chain.head_num == 0


@pytest.mark.trio
async def test_a_node_answers_simulations_by_http(tmp_path: Path) -> None:
    """Ten at once, while it goes on; nothing of them is left when they are over."""
    others = children()
    async with serve_node(tmp_path) as node:
        before = node.chain.state_hash()
        answers = []

        async def ask() -> None:
            answers.append(await node.call("pegboard", "simulate", [{"blocks": 5}]))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
        assert len(answers) == 10
        for status, body in answers:
            assert status == 200
            assert body["result"]["counts"]["blocks"] == 5
        assert node.chain.state_hash() == before
    assert children() <= others
