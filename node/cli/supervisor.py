"""Runs the processes of a network, watches them, and ends them all when asked to."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from node.cli.block_lines import BlockLines, block_line
from node.cli.client import JsonObject, NodeClient
from node.cli.exits import NodeUnreachable
from node.cli.network_files import NodePlan
from node.cli.output import Output
from node.cli.remote_chain import RemoteChain
from node.cli.time_network import TimeNetwork
from node.exit_codes import Exit
from protocol.errors import PegboardError
from protocol.json_form import JsonValue

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 8
"""Time that processes have to end by themselves before they are killed."""
POLL_S = 0.2
LOG_TAIL_BYTES = 4096
VERBS: dict[str, Callable[[TimeNetwork, Any], JsonObject]] = {
    "mine": TimeNetwork.mine,
    "travel": TimeNetwork.travel,
    "rewind": TimeNetwork.rewind,
}
"""What a node may ask for."""


class Supervisor:
    """Starts nothing twice: a node that dies is reported, and stays dead."""

    def __init__(
        self, output: Output, plans: Sequence[NodePlan], chain: RemoteChain, api_node: str
    ) -> None:
        self._output = output
        self._plans = tuple(plans)
        self._chain = chain
        self._api_node = api_node
        self._running: dict[str, trio.Process] = {}
        self._turn = trio.Lock()
        self._exit_code: int = Exit.OK
        self._is_late = False
        self._failure: OSError | None = None

    async def run(self, greet: Callable[[], None]) -> int:
        """Run the network until a signal comes, the API's node ends, or no node is left.

        `greet` is called once the API answers. Returns the exit code of the command: 0 after a
        signal, else that of the node that ended, 1 where it has none of its own. Raises
        `NodeUnreachable` when the API does not come up.
        """
        with open_signals() as signals:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._stop_on_signal, signals, nursery.cancel_scope)
                    for plan in self._plans:
                        nursery.start_soon(self._watch, plan, nursery.cancel_scope)
                    if await self._wait_for_api():
                        greet()
                        await self._follow_blocks()
                    nursery.cancel_scope.cancel()
            except* BrokenPipeError:
                self._exit_code = Exit.OK
            except* OSError as group:
                self._failure = next(flat_errors(group))
            finally:
                with trio.CancelScope(shield=True):
                    await self._stop_all()
        if self._failure is not None:
            raise self._failure
        if self._is_late:
            raise NodeUnreachable(
                "the API did not answer in time",
                value=self._chain.client.url,
                limit=f"{START_TIMEOUT_S} s",
            )
        return self._exit_code

    async def _stop_on_signal(
        self, signals: trio.abc.ReceiveChannel[int], scope: trio.CancelScope
    ) -> None:
        number = await signals.receive()
        self._tell(f"stopping ({signal.Signals(number).name})", event="stopping")
        self._exit_code = Exit.OK
        scope.cancel()

    async def _watch(self, plan: NodePlan, scope: trio.CancelScope) -> None:
        ours, theirs = socket.socketpair()
        with plan.log.open("ab") as log, theirs:
            process = await trio.lowlevel.open_process(
                [
                    *(sys.executable, "-m", "node", "node"),
                    *("--config", str(plan.settings), "--with-parent"),
                ],
                stdin=theirs,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[plan.name] = process
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve, ours)
            code = await process.wait()
            nursery.cancel_scope.cancel()
        del self._running[plan.name]
        reason = last_reason(plan.log)
        self._tell(
            f"{plan.name} ended with exit code {code}{': ' if reason else ''}{reason} "
            f"(log: {plan.log})",
            event="node_ended",
            node=plan.name,
            exit_code=code,
            reason=reason,
        )
        if not self._running or plan.name == self._api_node:
            self._exit_code = code if code > 0 else Exit.REFUSED
            scope.cancel()

    async def _serve(self, end: socket.socket) -> None:
        """Take the network through time for a node that is asked to, as whoever reaches its API may
        do process by process; one demand at a time."""
        with suppress(OSError, trio.BrokenResourceError):
            async with trio.SocketStream(trio.socket.from_stdlib_socket(end)) as stream:
                received = b""
                async for data in stream:
                    *lines, received = (received + data).split(b"\n")
                    for line in lines:
                        async with self._turn:
                            go = partial(answer_demand, self._chain.client, line)
                            answer = await trio.to_thread.run_sync(go, abandon_on_cancel=True)
                        await stream.send_all(answer)

    async def _wait_for_api(self) -> bool:
        with trio.move_on_after(START_TIMEOUT_S):
            while True:
                try:
                    await trio.to_thread.run_sync(self._chain.info, abandon_on_cancel=True)
                except NodeUnreachable:
                    await trio.sleep(POLL_S)
                else:
                    return True
        self._is_late = True
        return False

    async def _follow_blocks(self) -> None:
        lines = BlockLines(self._chain)
        told = ""

        def read() -> list[JsonObject]:
            return list(lines.new_blocks())

        while True:
            try:
                for block in await trio.to_thread.run_sync(read, abandon_on_cancel=True):
                    if self._output.is_json:
                        self._output.document(block)
                    else:
                        self._output.line(block_line(block))
                told = ""
            except PegboardError as error:
                if str(error) != told:
                    told = str(error)
                    self._tell(f"cannot read blocks: {error}", event="api_error", reason=told)
            await trio.sleep(POLL_S)

    async def _stop_all(self) -> None:
        for process in self._running.values():
            process.terminate()
        with trio.move_on_after(STOP_TIMEOUT_S):
            for process in list(self._running.values()):
                await process.wait()
        for name, process in self._running.items():
            if process.poll() is None:
                self._tell(f"{name} does not end; killed", event="node_killed", node=name)
                process.kill()
                await process.wait()
        self._tell("stopped", event="stopped")

    def _tell(self, text: str, **fields: JsonValue) -> None:
        with suppress(OSError):
            self._output.answer(fields, [text])


def answer_demand(client: NodeClient, line: bytes) -> bytes:
    """Do what a node's `Parent` asks for; the line that answers it."""
    demand = json.loads(line)
    answer: dict[str, object] = {"number": demand["number"]}
    try:
        answer["result"] = VERBS[demand["verb"]](TimeNetwork(client), demand["argument"])
    except PegboardError as error:
        answer["error"] = {
            "name": error.name,
            "what": error.what,
            "rule": error.rule,
            "value": error.value,
            "limit": error.limit,
        }
    return json.dumps(answer, default=str).encode() + b"\n"


def flat_errors(group: BaseExceptionGroup[OSError]) -> Iterator[OSError]:
    """The errors of a group, and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from flat_errors(error)
        else:
            yield error


@contextmanager
def open_signals() -> Iterator[trio.abc.ReceiveChannel[int]]:
    """The signals that end the command, as a stream; later ones are ignored while it stops."""
    sender, receiver = trio.open_memory_channel[int](1)
    token = trio.lowlevel.current_trio_token()

    def deliver(number: int) -> None:
        try:
            sender.send_nowait(number)
        except trio.WouldBlock:
            return

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda got, frame: token.run_sync_soon(deliver, got))
        for number in numbers
    }
    try:
        yield receiver
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def last_reason(log: Path) -> str:
    """Why a node ended, as its log says: its last error, or the end of a traceback, or nothing."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("reason") and event.get("level") == "error":
            return str(event["reason"])
    bare = (line.strip(" |+-") for line in reversed(lines))
    return next((line for line in bare if line and not line.startswith("{")), "")
