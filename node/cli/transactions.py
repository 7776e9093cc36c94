"""Transactions built and signed on this side of the wire, and broadcast through a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from msgspec.structs import replace

from node.cli.client import as_int, as_list, as_object, as_text
from node.cli.keyring import KeyRing
from node.cli.remote_chain import RemoteChain
from node.cli.signers import Signers
from protocol.asset import AssetAmount
from protocol.constants import CORE_ASSET
from protocol.ids import AssetId, asset_text, parse_id
from protocol.json_form import JsonValue, from_json_as, parse_time, to_json, to_json_as
from protocol.operations import Operation
from protocol.operations.base import TaggedOperation
from protocol.operations.proposal import ProposalCreate, ProposedOperation
from protocol.schema import BlockId, Record
from protocol.transaction import Transaction, TransactionEnvelope, reference_block, sign

LIFETIME_S = 120
"""Seconds from the head block's time until a transaction expires."""


class Broadcast(Record):
    """A transaction that the chain has taken."""

    id: str
    operations: tuple[Operation, ...]
    """As signed, with their fees."""
    block_num: int | None
    """Block that holds it; None when nobody waited for one."""
    results: tuple[JsonValue, ...]
    """One answer for each operation, as [tag, value]."""

    def to_json(self, chain: RemoteChain) -> dict[str, JsonValue]:
        """The JSON form that commands print."""
        return {
            "id": self.id,
            "block_num": self.block_num,
            "operations": [operation_json(item, chain.prefix) for item in self.operations],
            "operation_results": list(self.results),
        }


def operation_json(operation: Operation, prefix: str) -> JsonValue:
    """An operation as [id, fields]."""
    return to_json_as(TaggedOperation, operation, prefix)


def read_operation(data: JsonValue, prefix: str) -> Operation:
    """An operation from [id, fields]; raises `DecodeError`."""
    return cast(Operation, from_json_as(TaggedOperation, data, prefix))


def broadcast(
    chain: RemoteChain, keys: KeyRing, operations: Sequence[Operation], *, wait: bool = True
) -> Broadcast:
    """Price, sign and send operations in one transaction.

    With `wait` the answer comes once it is in a block. Raises `CallRefused` when the chain
    refuses it, `KeyMissing` when a signature cannot be made, `NodeUnreachable`.
    """
    priced = price(chain, operations)
    envelope = sign_for(chain, keys, priced)
    signed = to_json(envelope.transaction, chain.prefix)
    if not wait:
        chain.client.call("network_broadcast", "broadcast_transaction", signed)
        return Broadcast(envelope.id.hex(), priced, None, ())
    answer = as_object(
        chain.client.call("network_broadcast", "broadcast_transaction_synchronous", signed)
    )
    return Broadcast(
        envelope.id.hex(),
        priced,
        as_int(answer["block_num"]),
        tuple(as_list(as_object(answer["trx"])["operation_results"])),
    )


def price(chain: RemoteChain, operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The operations with the fees that the chain asks for, in its core asset (R8.17)."""
    for operation in operations:
        operation.validate()
    asked: list[JsonValue] = [operation_json(item, chain.prefix) for item in operations]
    fees = as_list(
        chain.client.call("database", "get_required_fees", asked, asset_text(CORE_ASSET))
    )
    return tuple(with_fee(operation, fee) for operation, fee in zip(operations, fees, strict=True))


def with_fee(operation: Operation, fee: JsonValue) -> Operation:
    """An operation with its fee; a proposal's is [fee, [fees of what it proposes]]."""
    if isinstance(fee, list):
        assert isinstance(operation, ProposalCreate), operation
        proposed = tuple(
            ProposedOperation(with_fee(item.op, inner))
            for item, inner in zip(operation.proposed_ops, as_list(fee[1]), strict=True)
        )
        return with_fee(replace(operation, proposed_ops=proposed), fee[0])
    fields = as_object(fee)
    asset = parse_id(AssetId, as_text(fields["asset_id"]))
    amount = AssetAmount(as_int(fields["amount"]), asset)
    return cast(Operation, replace(cast(Any, operation), fee=amount))


def sign_for(
    chain: RemoteChain, keys: KeyRing, operations: tuple[Operation, ...]
) -> TransactionEnvelope:
    """A transaction on the head block with every signature that it needs, and no other."""
    head = chain.head()
    num, prefix = reference_block(BlockId(bytes.fromhex(as_text(head["head_block_id"]))))
    transaction = Transaction(
        num, prefix, parse_time(as_text(head["time"])) + LIFETIME_S, operations
    )
    secrets = Signers(chain, keys).secrets_for(operations)
    return TransactionEnvelope.from_transaction(sign(transaction, secrets, chain.chain_id))
