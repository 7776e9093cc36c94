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


class FalseNodeId(HelloRefused):
    """The peer's node id is not the key that it showed in the encrypted handshake."""

    name = "false_node_id"
    code = GoodbyeCode.FALSE_NODE_ID


class KeyNotAllowed(HelloRefused):
    """This node speaks with the nodes of a list only, and the peer is none of them."""

    name = "key_not_allowed"
    code = GoodbyeCode.KEY_NOT_ALLOWED


class PinnedKeyDiffers(HelloRefused):
    """Another node answers at an address whose node this one knows by its key."""

    name = "pinned_key_differs"
    code = GoodbyeCode.KEY_NOT_ALLOWED


class HandshakePolicy(Record):
    """What this node is and accepts."""

    chain_id: Digest
    node_id: bytes
    """The public node key; where nothing is encrypted, any 32 bytes that no other node has."""
    allowed_keys: frozenset[bytes] = frozenset()
    """Public keys of the nodes that may be peers; empty for all."""
    pinned_key: bytes | None = None
    """The key that the node at the other end of this connection must have; None for any."""
    versions: range = range(PROTOCOL_VERSION, PROTOCOL_VERSION + 1)
    """Versions of the protocol that this node speaks."""
    max_clock_offset_ms: int = MAX_CLOCK_OFFSET_MS


def check_key(node_key: bytes | None, policy: HandshakePolicy) -> None:
    """Raises `PinnedKeyDiffers` for another key than the pinned one, and `KeyNotAllowed` for one
    that is not on the list, if there is a list; no key at all is another key.

    `node_key` is what the transport has proven of the other end (T-P13).
    """
    if policy.pinned_key is not None and node_key != policy.pinned_key:
        raise PinnedKeyDiffers(
            "another node than the one that is named for this address",
            rule="T-P13",
            value=_hexadecimal(node_key),
            limit=policy.pinned_key.hex(),
        )
    if policy.allowed_keys and node_key not in policy.allowed_keys:
        raise KeyNotAllowed(
            "node key is not on the list of peers", rule="T-P13", value=_hexadecimal(node_key)
        )


def check_hello(hello: Hello, policy: HandshakePolicy, node_key: bytes | None, now_ms: int) -> None:
    """Judge a greeting by itself; raises the `HelloRefused` that names what is wrong (T-P10).

    The version comes first: of another version nothing else is understood. `node_key` is the key
    that the transport has proven, None where nothing is encrypted; `now_ms` is this node's clock,
    milliseconds since 1970.
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
    if node_key is not None and hello.node_id != node_key:
        raise FalseNodeId("node id is not the node key", rule="T-P13", value=hello.node_id.hex())
    check_key(node_key, policy)
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


def _hexadecimal(key: bytes | None) -> str:
    return "none" if key is None else key.hex()
