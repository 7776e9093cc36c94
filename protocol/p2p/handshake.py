"""What makes a greeting acceptable, as pure functions with typed refusals (T-P10)."""

from __future__ import annotations

from collections.abc import Container

from protocol.errors import ProtocolError
from protocol.p2p.messages import NODE_ID_BYTES, PROTOCOL_VERSION, GoodbyeCode, Hello
from protocol.schema import Digest, Record

MAX_CLOCK_OFFSET_MS = 30_000
"""A peer whose clock is further away than this cannot follow the same slots."""


class HelloRefused(ProtocolError):
    """A greeting that this node does not accept; `code` is what the other side is told."""

    name = "hello_refused"
    code = GoodbyeCode.UNEXPECTED_MESSAGE


class OtherChain(HelloRefused):
    """The peer runs another chain."""

    name = "other_chain"
    code = GoodbyeCode.OTHER_CHAIN


class SelfConnection(HelloRefused):
    """This node dialled itself."""

    name = "self_connection"
    code = GoodbyeCode.SELF_CONNECTION


class AlreadyConnected(HelloRefused):
    """There is a connection with that node already."""

    name = "already_connected"
    code = GoodbyeCode.ALREADY_CONNECTED


class UnsupportedVersion(HelloRefused):
    """The peer speaks a version of the protocol that this node does not."""

    name = "unsupported_version"
    code = GoodbyeCode.UNSUPPORTED_VERSION


class ClockSkew(HelloRefused):
    """The clocks of both nodes are too far apart."""

    name = "clock_skew"
    code = GoodbyeCode.CLOCK_SKEW


class NullNodeId(HelloRefused):
    """The peer's node id is all zeros: it did not draw one."""

    name = "null_node_id"
    code = GoodbyeCode.NULL_NODE_ID


class HandshakePolicy(Record):
    """What this node is and accepts."""

    chain_id: Digest
    node_id: bytes
    """32 random bytes, drawn once per process by the shell."""
    versions: range = range(PROTOCOL_VERSION, PROTOCOL_VERSION + 1)
    """Versions of the protocol that this node speaks."""
    max_clock_offset_ms: int = MAX_CLOCK_OFFSET_MS


def check_hello(hello: Hello, policy: HandshakePolicy, now_ms: int) -> None:
    """Judge a greeting by itself; raises the `HelloRefused` that names what is wrong (T-P10).

    The version comes first: of another version nothing else is understood. `now_ms` is this
    node's clock, milliseconds since 1970.
    """
    if hello.protocol_version not in policy.versions:
        raise UnsupportedVersion(
            "protocol version not supported",
            rule="T-P10",
            value=hello.protocol_version,
            limit=f"{policy.versions.start}..{policy.versions.stop - 1}",
        )
    if hello.chain_id != policy.chain_id:
        raise OtherChain(
            "another chain", rule="T-P10", value=hello.chain_id.hex(), limit=policy.chain_id.hex()
        )
    if hello.node_id == bytes(NODE_ID_BYTES):
        raise NullNodeId("node id is all zeros", rule="T-P10")
    if hello.node_id == policy.node_id:
        raise SelfConnection("connected to oneself", rule="T-P10")
    offset_ms = abs(hello.time_ms - now_ms)
    if offset_ms > policy.max_clock_offset_ms:
        raise ClockSkew(
            "clocks too far apart, in milliseconds",
            rule="T-P10",
            value=offset_ms,
            limit=policy.max_clock_offset_ms,
        )


def check_not_connected(hello: Hello, connected_node_ids: Container[bytes]) -> None:
    """Raises `AlreadyConnected` when the node is among those connected (T-P10)."""
    if hello.node_id in connected_node_ids:
        raise AlreadyConnected(
            "already connected to this node", rule="T-P10", value=hello.node_id.hex()[:16]
        )


def keeps_new_connection(
    own_id: bytes, remote_id: bytes, *, old_is_outbound: bool, new_is_outbound: bool
) -> bool:
    """Which of two connections between the same two nodes lives: True for the new one.

    When both dialled each other at once, both keep the one that the smaller node id dialled, so
    neither is left without any. Otherwise the older one stays.
    """
    if old_is_outbound == new_is_outbound:
        return False
    return new_is_outbound == (own_id < remote_id)
