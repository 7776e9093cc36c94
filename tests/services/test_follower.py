"""A node that follows a trusted one: its irreversible blocks, over its real API (Y7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from node.config import ConfigError, parse_settings
from node.services import follower
from node.services.event_log import log
from node.services.follower import Follower
from node.state.errors import InsufficientBalance, WrongChain
from protocol.block import BlockEnvelope
from protocol.schema import Digest
from tests.support.served_node import ServedNode, serve_node

from .test_api_limits import serve

Push = Callable[[BlockEnvelope], None]


class Node:
    """What a follower fills: a chain of its own, of the same genesis."""

    def __init__(self, directory: Path, trusted: ServedNode) -> None:
        directory.mkdir()
        self.node = ServedNode(directory, trusted.core.settings, keys=0)
        self.taken: list[int] = []

    def follower(self, port: int, push: Push | None = None) -> Follower:
        chain = self.node.core.chain

        def take(envelope: BlockEnvelope) -> None:
            self.node.inputs.push_block(envelope)
            self.taken.append(envelope.num)

        return Follower(
            ("127.0.0.1", port), chain.chain_id, "TEST", lambda: chain.head_num, push or take
        )


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.01)


def produce(trusted: ServedNode, count: int) -> None:
    trusted.clock.time_ms += count * 10_000
    trusted.inputs.generate_blocks(count)


@pytest.mark.trio
async def test_it_takes_what_is_irreversible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Y7: what there is at the start, then what every new block makes irreversible; after an end
    of the connection it goes on where it stood."""
    monkeypatch.setattr(follower, "RETRY_S", 0.01)
    connects, refused = trio.open_tcp_stream, list[int]()

    async def connect(host: str, port: int) -> trio.SocketStream:
        if not refused:
            refused.append(port)
            raise OSError("nobody there yet")
        return await connects(host, port)

    async with serve_node(tmp_path) as trusted, trio.open_nursery() as nursery:
        monkeypatch.setattr(trio, "open_tcp_stream", connect)
        chain = trusted.core.chain
        produce(trusted, 8)
        other = Node(tmp_path / "other", trusted)
        head = other.node.core.chain
        other.node.clock.time_ms = trusted.clock.time_ms
        nursery.start_soon(other.follower(trusted.port).run)
        await until(lambda: head.head_num == chain.last_irreversible_num > 3)
        for _ in range(3):
            produce(trusted, 1)
            other.node.clock.time_ms = trusted.clock.time_ms
            await until(lambda: head.head_num == chain.last_irreversible_num)
        assert refused
        assert other.taken == [*range(1, head.head_num + 1)]
        assert chain.head_num > head.head_num
        assert head.head_id == chain.id_at(head.head_num)
        nursery.cancel_scope.cancel()
    other.node.history.close()


@pytest.mark.trio
async def test_what_a_trusted_node_says_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Y7: a block that is refused is told, and asked for again later; another chain is the end."""
    monkeypatch.setattr(follower, "RETRY_S", 0.01)
    told: list[str] = []
    monkeypatch.setattr(log, "warning", lambda *_, reason, **__: told.append(reason))
    asked: list[int] = []

    def refuse(envelope: BlockEnvelope) -> None:
        asked.append(envelope.num)
        raise InsufficientBalance("for a test")

    async with serve_node(tmp_path) as trusted:
        produce(trusted, 8)
        other = Node(tmp_path / "other", trusted)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other.follower(trusted.port, refuse).run)
            await until(lambda: len(asked) > 1)
            nursery.cancel_scope.cancel()
        assert set(asked) == {1}
        assert "for a test" in told[0]
        other.node.history.close()
    async with serve() as port:
        wrong = Follower(("127.0.0.1", port), Digest(bytes(32)), "TEST", lambda: 0, refuse)
        with pytest.raises(WrongChain):
            await wrong.run()


@pytest.mark.trio
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 404 \r\n\r\n", b"nonsense\r\n\r\n"])
async def test_whatever_answers_it_tries_again(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Y7: what is no node's API ends nothing."""
    monkeypatch.setattr(follower, "RETRY_S", 0.01)
    connections: list[int] = []
    told: list[str] = []
    monkeypatch.setattr(log, "warning", lambda *_, reason, **__: told.append(reason))

    async def handle(stream: trio.SocketStream) -> None:
        connections.append(1)
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        port = listener.socket.getsockname()[1]
        lost = Follower(("127.0.0.1", port), Digest(bytes(32)), "TEST", lambda: 0, lambda _: None)
        nursery.start_soon(lost.run)
        await until(lambda: len(connections) > 2)
        assert len(told) >= 2, "each failure is told"
        assert all(reason.startswith(("trusted_node_failed", "[")) for reason in told), told
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "more",
    [
        '[p2p]\nseeds = ["127.0.0.1:1"]\n',
        '[[witnesses]]\naccount = "init0"\nkey_file = "x"\n',
        '[production]\nmode = "instant"\n',
    ],
)
def test_it_has_neither_peers_nor_witnesses(more: str) -> None:
    """Y7: settings that contradict each other are refused at the start."""
    text = 'genesis = "g"\ntrusted_node = "127.0.0.1:8090"\n'
    assert parse_settings(text, "x").trusted_node == "127.0.0.1:8090"
    with pytest.raises(ConfigError, match="follows") as refusal:
        parse_settings(text + more, "x")
    assert refusal.value.rule == "Y7"
    with pytest.raises(ConfigError):
        parse_settings('genesis = "g"\ntrusted_node = "nowhere"\n', "x")
