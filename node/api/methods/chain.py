"""Database API: the chain itself."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import Boolean, integer
from node.api.call import Answer, Call
from node.history.records import NEWEST
from node.state.errors import NoSuchObject
from protocol import constants
from protocol.ids import ID_TYPES, OperationHistoryId, account_text, operation_text

Byte = Annotated[int, integer(0, (1 << 8) - 1)]


def get_chain_id(call: Call) -> Answer:
    """The chain id, which every signature commits to, in hexadecimal."""
    return call.backend.chain_id.hex()


def get_chain_properties(call: Call) -> Answer:
    """What genesis fixed (2.11.0)."""
    return call.view(call.state.chain)


def get_global_properties(call: Call) -> Answer:
    """Chain parameters and elected producers (2.0.0)."""
    return call.view(call.state.properties)


def get_dynamic_global_properties(call: Call) -> Answer:
    """The head of the chain (2.1.0)."""
    return call.view(call.state.dynamic)


def get_config(call: Call) -> Answer:
    """Constants of the protocol, by BitShares' names."""
    core = call.state.assets.get(constants.CORE_ASSET)
    return {
        "GRAPHENE_SYMBOL": core.symbol,
        "GRAPHENE_ADDRESS_PREFIX": call.backend.address_prefix,
        "GRAPHENE_MAX_SHARE_SUPPLY": str(constants.MAX_SUPPLY),
        "GRAPHENE_BLOCKCHAIN_PRECISION": constants.CORE_UNIT,
        "GRAPHENE_BLOCKCHAIN_PRECISION_DIGITS": constants.CORE_PRECISION,
        "GRAPHENE_100_PERCENT": constants.HUNDRED_PERCENT,
        "GRAPHENE_1_PERCENT": constants.ONE_PERCENT,
        "GRAPHENE_COLLATERAL_RATIO_DENOM": constants.RATIO_DENOMINATOR,
        "GRAPHENE_MIN_COLLATERAL_RATIO": constants.MIN_COLLATERAL_RATIO,
        "GRAPHENE_MAX_COLLATERAL_RATIO": constants.MAX_COLLATERAL_RATIO,
        "GRAPHENE_IRREVERSIBLE_THRESHOLD": constants.IRREVERSIBLE_THRESHOLD,
        "GRAPHENE_COMMITTEE_ACCOUNT": account_text(constants.COMMITTEE_ACCOUNT),
        "GRAPHENE_WITNESS_ACCOUNT": account_text(constants.WITNESS_ACCOUNT),
        "GRAPHENE_RELAXED_COMMITTEE_ACCOUNT": account_text(constants.RELAXED_COMMITTEE_ACCOUNT),
        "GRAPHENE_NULL_ACCOUNT": account_text(constants.NULL_ACCOUNT),
        "GRAPHENE_TEMP_ACCOUNT": account_text(constants.TEMP_ACCOUNT),
        "GRAPHENE_PROXY_TO_SELF_ACCOUNT": account_text(constants.PROXY_TO_SELF_ACCOUNT),
    }


def get_next_object_id(
    call: Call, space_id: Byte, type_id: Byte, with_pending_transactions: Boolean
) -> Answer:
    """The id that the next object of a type will have, after the last block or what is pending."""
    kind = (space_id, type_id)
    if kind == ID_TYPES[OperationHistoryId]:
        return operation_text(OperationHistoryId(call.backend.history.operations_until(NEWEST)))
    table = call.state.table_of_type.get(kind)
    if table is None:
        raise NoSuchObject("no such type of objects", rule="R0.1", value=f"{space_id}.{type_id}")
    first = None if with_pending_transactions else call.state.log.first_created(table)
    return str(table.object_id(table.next_id if first is None else first.id))


METHODS = (
    get_chain_id,
    get_chain_properties,
    get_global_properties,
    get_dynamic_global_properties,
    get_config,
    get_next_object_id,
)
