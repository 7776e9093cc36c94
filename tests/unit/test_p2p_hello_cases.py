"""T-P10: every greeting that does not fit, in one table: who is refused, how, and who is banned."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

import pytest

from node.p2p.manager import PeerManager
from protocol.p2p.messages import GetAddresses, GoodbyeCode, HelloAccepted, Inventory
from protocol.p2p.noise import NodeKey
from protocol.p2p.noise_transport import NoiseTransport
from tests.support.fake_chain import CHAIN_ID, FakeChain
from tests.support.fake_network import START_MS, Stranger, make_hello, make_manager

OURS, THEIRS, OTHER = NodeKey(b"o" * 32), NodeKey(b"t" * 32), NodeKey(b"x" * 32)
MINUTE_MS = 60_000


class Case(NamedTuple):
    """One way of greeting."""

    name: str
    greet: Callable[[Stranger], object]
    code: GoodbyeCode
    is_banned: bool = False
    key: NodeKey = THEIRS


def hello(**changes: object) -> Callable[[Stranger], object]:
    """Greets with changed fields."""
    return lambda peer: peer.send(make_hello(**{"node_id": THEIRS.public, **changes}))


def then(message: object) -> Callable[[Stranger], object]:
    """Greets well and says something else then."""

    def greet(peer: Stranger) -> None:
        peer.greet(make_hello(node_id=THEIRS.public))
        peer.send(message)  # type: ignore[arg-type]

    return greet


def twice(peer: Stranger) -> None:
    """Greets well on two connections."""
    first = connect(peer.manager, THEIRS, number=2)
    first.greet(make_hello(node_id=THEIRS.public))
    peer.send(make_hello(node_id=THEIRS.public))


def early(peer: Stranger) -> None:
    """Goes on to messages before the greeting is accepted."""
    peer.send(make_hello(node_id=THEIRS.public))
    peer.send(Inventory(0, (bytes(20),)))


FORK = b"\x00\x00\x00\x32" + bytes(16)
UNEXPECTED = GoodbyeCode.UNEXPECTED_MESSAGE
SKEW = GoodbyeCode.CLOCK_SKEW
VERSION = GoodbyeCode.UNSUPPORTED_VERSION

CASES = (
    Case("another chain", hello(chain_id=bytes(32)), GoodbyeCode.OTHER_CHAIN),
    Case("oneself", hello(node_id=OURS.public), GoodbyeCode.SELF_CONNECTION, key=OURS),
    Case("no id", hello(node_id=bytes(32)), GoodbyeCode.NULL_NODE_ID),
    Case("the id of another key", hello(node_id=OTHER.public), GoodbyeCode.FALSE_NODE_ID),
    Case("connected already", twice, GoodbyeCode.ALREADY_CONNECTED),
    Case("an older version", hello(protocol_version=0), VERSION),
    Case("a newer version", hello(protocol_version=2), VERSION),
    Case("a clock ahead", hello(time_ms=START_MS + MINUTE_MS), SKEW),
    Case("a clock behind", hello(time_ms=START_MS - MINUTE_MS), SKEW),
    Case("a second greeting", then(make_hello(node_id=THEIRS.public)), UNEXPECTED, True),
    Case("accepted again", then(HelloAccepted()), UNEXPECTED, True),
    Case("a request before hello", lambda peer: peer.send(GetAddresses()), UNEXPECTED, True),
    Case("accepted before hello", lambda peer: peer.send(HelloAccepted()), UNEXPECTED, True),
    Case("an item before accepted", early, UNEXPECTED, True),
    Case(
        "another irreversible block",
        hello(head_num=60, head_id=FORK, lib_num=50, lib_id=FORK),
        GoodbyeCode.FORK_BELOW_IRREVERSIBLE,
    ),
    Case("a key that is not listed", lambda peer: None, GoodbyeCode.KEY_NOT_ALLOWED, key=OTHER),
)


def connect(manager: PeerManager, key: NodeKey, number: int = 1) -> Stranger:
    """A stranger with a node key, past the encrypted handshake."""
    transport = NoiseTransport(key, CHAIN_ID, Random(number).randbytes, outbound=True)
    return Stranger(manager, key=number, host=f"10.{number}.0.1", transport=transport)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_greeting_that_does_not_fit(case: Case) -> None:
    """T-P10: refused by its own code; whoever may be honest is not banned for it."""
    chain = FakeChain(lib_distance=20)
    chain.extend(100)
    manager = make_manager(
        chain,
        node_id=OURS.public,
        allowed_keys=frozenset((OURS.public, THEIRS.public)),
        make_transport=partial(NoiseTransport, OURS, CHAIN_ID, Random(9).randbytes),
    )
    stranger = connect(manager, case.key)
    stranger.take()
    if stranger.closing is None:
        case.greet(stranger)
    assert stranger.closing is not None
    assert stranger.closing.code is case.code
    assert (manager.statistics().bans > 0) == case.is_banned
    assert 1 not in [row.key for row in manager.statistics().peers]
