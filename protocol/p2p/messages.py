"""The messages of the peer protocol, and the one table of their numbers.

On the wire a message is a msgpack list `[number, field, ...]` in one frame; `message_codec` reads
and writes it. The lengths that a field allows stand in its declaration, and bound the size of the
message before it is read (T-P2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from ipaddress import ip_address
from typing import Annotated

from protocol.block import block_num_of
from protocol.constants import MAX_BLOCK_BYTES, MAX_TRANSACTION_BYTES
from protocol.errors import DecodeError
from protocol.finality import Vote
from protocol.schema import (
    BlockId,
    Digest,
    Length,
    Record,
    Timestamp,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)

PROTOCOL_VERSION = 1
"""Version of this peer protocol; unrelated to BitShares' numbers."""

NODE_ID_BYTES = 32
MAX_INVENTORY_IDS = 1_000
MAX_FETCH_IDS = 200
MAX_SYNOPSIS_IDS = 64
MAX_BLOCK_IDS = 2_000
MAX_ADDRESSES = 200
MAX_TEXT_BYTES = 200

ItemId = Annotated[bytes, Length(20, 20)]
"""A block id or a transaction id."""

NodeId = Annotated[bytes, Length(NODE_ID_BYTES, NODE_ID_BYTES)]
"""The public node key."""

Text = Annotated[str, Length(0, MAX_TEXT_BYTES)]
"""A sentence for the other side's log."""

HostText = Annotated[str, Length(1, 45)]
"""An IPv4 or IPv6 address as text; names are refused, nobody resolves a stranger's names."""


class ItemKind(IntEnum):
    """What an inventory, a fetch or a refusal speaks of."""

    TRANSACTION = 0
    BLOCK = 1


class GoodbyeCode(IntEnum):
    """Why a connection is closed. A code that this version does not know is refused."""

    SHUTTING_DOWN = 0
    OTHER_CHAIN = 1
    SELF_CONNECTION = 2
    ALREADY_CONNECTED = 3
    UNSUPPORTED_VERSION = 4
    CLOCK_SKEW = 5
    NULL_NODE_ID = 6
    TOO_MANY_CONNECTIONS = 7
    BANNED = 8
    MALFORMED = 9
    UNEXPECTED_MESSAGE = 10
    UNREQUESTED_ITEM = 11
    RATE_LIMIT = 12
    TIMEOUT = 13
    FORK_BELOW_IRREVERSIBLE = 14
    INVALID_ITEM = 15
    LYING_SYNC = 16
    FALSE_NODE_ID = 17
    KEY_NOT_ALLOWED = 18


class Hello(Record):
    """First message of both sides; the one who dialled speaks first."""

    protocol_version: UInt16
    chain_id: Digest
    node_id: NodeId
    """Tells a connection to oneself and a second one."""
    head_num: UInt32
    head_id: BlockId
    """Id of the head block; zeros while the chain has only its genesis."""
    head_time: Timestamp
    lib_num: UInt32
    """Number of the last irreversible block."""
    lib_id: BlockId
    """Id of that block; zeros while there is none."""
    user_agent: Text
    listen_port: UInt16
    """Port on which the sender accepts connections; 0 when it accepts none."""
    time_ms: UInt64
    """The sender's clock, milliseconds since 1970, UTC."""


class HelloAccepted(Record):
    """The one who dialled accepts the other's `Hello`: the handshake is done."""


class Goodbye(Record):
    """The last message of a connection."""

    code: UInt8
    """A `GoodbyeCode`."""
    reason: Text

    def validate(self) -> None:
        """Raises `DecodeError` for an unknown code."""
        if self.code not in _GOODBYE_CODES:
            raise DecodeError("unknown goodbye code", rule="T-P1", value=self.code)


class Ping(Record):
    """Asks for a `Pong` with the same number."""

    nonce: UInt64


class Pong(Record):
    """Answers a `Ping`."""

    nonce: UInt64


class Inventory(Record):
    """Ids of items that the sender can deliver."""

    kind: UInt8
    """An `ItemKind`."""
    ids: Annotated[tuple[ItemId, ...], Length(1, MAX_INVENTORY_IDS)]

    def validate(self) -> None:
        """Raises `DecodeError` for an unknown kind."""
        _check_kind(self.kind)


class Fetch(Record):
    """Asks for items; each is answered by its message or by a `NotAvailable`."""

    kind: UInt8
    """An `ItemKind`."""
    ids: Annotated[tuple[ItemId, ...], Length(1, MAX_FETCH_IDS)]

    def validate(self) -> None:
        """Raises `DecodeError` for an unknown kind."""
        _check_kind(self.kind)


class NotAvailable(Record):
    """Items of a `Fetch` that the sender does not have, or no longer."""

    kind: UInt8
    """An `ItemKind`."""
    ids: Annotated[tuple[ItemId, ...], Length(1, MAX_FETCH_IDS)]

    def validate(self) -> None:
        """Raises `DecodeError` for an unknown kind."""
        _check_kind(self.kind)


class TransactionMessage(Record):
    """One signed transaction that was fetched."""

    data: Annotated[bytes, Length(1, MAX_TRANSACTION_BYTES)]
    """Its binary form, with signatures."""


class BlockMessage(Record):
    """One signed block that was fetched."""

    data: Annotated[bytes, Length(1, MAX_BLOCK_BYTES)]
    """Its binary form."""


class GetBlockIds(Record):
    """Asks how the other's main chain goes on after the last block that both know."""

    synopsis: Annotated[tuple[BlockId, ...], Length(0, MAX_SYNOPSIS_IDS)]
    """Ids of the sender's main chain, ascending, thinning out towards its irreversible block;
    empty when it has no block. The genesis is always in common."""


class BlockIds(Record):
    """Answers `GetBlockIds`: the ids that follow, in order."""

    first_num: UInt32
    """Number of the first id; one more than that of the last block in common."""
    ids: Annotated[tuple[BlockId, ...], Length(0, MAX_BLOCK_IDS)]
    remaining: UInt32
    """How many more ids follow on the sender's main chain."""

    def validate(self) -> None:
        """Raises `DecodeError` unless each id carries the number of its place."""
        for offset, block_id in enumerate(self.ids):
            if block_num_of(block_id) != self.first_num + offset:
                raise DecodeError(
                    "block id does not carry the number of its place",
                    rule="T-P1",
                    value=block_num_of(block_id),
                    limit=self.first_num + offset,
                )


class GetAddresses(Record):
    """Asks for addresses of other nodes."""


class KnownAddress(Record):
    """Where a node accepts connections."""

    host: HostText
    port: UInt16
    last_seen: Timestamp
    """When the sender last spoke with it."""


class Addresses(Record):
    """Answers `GetAddresses`."""

    addresses: Annotated[tuple[KnownAddress, ...], Length(0, MAX_ADDRESSES)]

    def validate(self) -> None:
        """Raises `DecodeError` for a host that is no address or a port of 0."""
        for known in self.addresses:
            if not is_ip_address(known.host) or known.port == 0:
                raise DecodeError(
                    "not an address of a node", rule="T-P9", value=f"{known.host}:{known.port}"
                )


ConnectionMessage = Hello | HelloAccepted | Goodbye
"""What begins and ends a connection."""

ActiveMessage = (
    Ping
    | Pong
    | Inventory
    | Fetch
    | NotAvailable
    | TransactionMessage
    | BlockMessage
    | GetBlockIds
    | BlockIds
    | GetAddresses
    | Addresses
    | Vote
)
"""What peers say to each other in between."""

Message = ConnectionMessage | ActiveMessage


MESSAGES: Mapping[int, type[Message]] = {
    1: Hello,
    2: HelloAccepted,
    3: Goodbye,
    4: Ping,
    5: Pong,
    6: Inventory,
    7: Fetch,
    8: NotAvailable,
    9: TransactionMessage,
    10: BlockMessage,
    11: GetBlockIds,
    12: BlockIds,
    13: GetAddresses,
    14: Addresses,
    15: Vote,
}
"""Number and class of every message."""

_GOODBYE_CODES = frozenset(int(code) for code in GoodbyeCode)
_KINDS = frozenset(int(kind) for kind in ItemKind)


def is_ip_address(host: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _check_kind(kind: int) -> None:
    if kind not in _KINDS:
        raise DecodeError("unknown kind of item", rule="T-P1", value=kind)
