"""Every API and its methods, declared once; a method's name is its function's (Y6)."""

from __future__ import annotations

from collections.abc import Callable, Generator

from node.api.arguments import read_arguments
from node.api.call import Answer, Call, Steps, Stepwise
from node.api.errors import MethodNotFound
from node.api.json_text import write_json, written
from node.api.methods import (
    accounts,
    asset_holders,
    assets,
    block,
    blocks,
    chain,
    credit,
    crypto,
    debug,
    development,
    development_state,
    explanations,
    funds,
    history,
    htlc,
    lessons,
    limits,
    listings,
    login,
    market,
    network_broadcast,
    network_node,
    objects,
    orders,
    pegboard,
    pools,
    storage,
    subscriptions,
    tickets,
    transactions,
    unbuilt,
    voting,
    whatif,
)
from node.api.openrpc import describe_apis
from node.api.rpc import Request

Method = Callable[..., Answer]

DATABASE = "database"
LOGIN = "login"
RPC = "rpc"


def _by_name(*groups: tuple[Method, ...]) -> dict[str, Method]:
    table = {method.__name__: method for group in groups for method in group}
    assert len(table) == sum(len(group) for group in groups), "a method is declared twice"
    return table


def discover(call: Call) -> Answer:
    """Every method of every API, as an OpenRPC document."""
    return Stepwise(_discover(call.backend.info().version))


def _discover(version: str) -> Steps:
    return written((yield from api_document(version)))


APIS: dict[str, dict[str, Method]] = {
    LOGIN: _by_name(login.METHODS, limits.METHODS),
    DATABASE: _by_name(
        accounts.METHODS,
        assets.METHODS,
        blocks.METHODS,
        chain.METHODS,
        htlc.METHODS,
        credit.METHODS,
        funds.METHODS,
        market.METHODS,
        objects.METHODS,
        pools.METHODS,
        subscriptions.METHODS,
        tickets.METHODS,
        transactions.METHODS,
        unbuilt.METHODS,
        voting.METHODS,
    ),
    "network_broadcast": _by_name(network_broadcast.METHODS),
    "network_node": _by_name(network_node.METHODS),
    "history": _by_name(history.METHODS, pools.HISTORY_METHODS),
    "block": _by_name(block.METHODS),
    "asset": _by_name(asset_holders.METHODS),
    "orders": _by_name(orders.METHODS),
    "crypto": _by_name(crypto.METHODS),
    "custom_operations": _by_name(storage.METHODS),
    "debug": _by_name(debug.METHODS),
    "pegboard": _by_name(
        pegboard.METHODS, explanations.METHODS, listings.METHODS, whatif.METHODS, lessons.METHODS
    ),
    "pegboard_dev": _by_name(development.METHODS, development_state.METHODS),
    RPC: _by_name((discover,)),
}
"""API -> method name -> method."""


def invoke(call: Call, api: str, request: Request) -> Answer:
    """Find the method, read its arguments and call it; raises any `PegboardError`."""
    method = APIS[api].get(request.method)
    if method is None:
        raise MethodNotFound(f"no such method in the API {api}", value=request.method)
    return method(call, *read_arguments(call.backend, method, request.arguments))


def api_document(version: str) -> Generator[None, None, bytes]:
    """Every method of every API, as the text of an OpenRPC document, which is kept; in steps."""
    if version not in _documents:
        _documents[version] = write_json((yield from describe_apis(APIS, version, DATABASE)))
    return _documents[version]


_documents: dict[str, bytes] = {}
