"""API 1: the handshake that hands out the numbers of the other APIs."""

from __future__ import annotations

from node.api.arguments import Text
from node.api.call import Answer, Call
from node.api.errors import NotPossible


def login(call: Call, user: Text, password: Text) -> Answer:
    """Always true: there are no users; who may connect is decided by the socket."""
    return True


def database(call: Call) -> Answer:
    """The number of the database API."""
    return call.session.open_api("database")


def network_broadcast(call: Call) -> Answer:
    """The number of the API that takes transactions."""
    return call.session.open_api("network_broadcast")


def history(call: Call) -> Answer:
    """The number of the history API."""
    return call.session.open_api("history")


def block(call: Call) -> Answer:
    """The number of the block API."""
    return call.session.open_api("block")


def orders(call: Call) -> Answer:
    """The number of the orders API."""
    return call.session.open_api("orders")


def debug(call: Call) -> Answer:
    """The number of the debug API; only a development chain has one."""
    if not call.backend.is_development:
        raise NotPossible("access denied: this is no development chain", rule="T-A4")
    return call.session.open_api("debug")


def pegboard(call: Call) -> Answer:
    """The number of this node's own API."""
    return call.session.open_api("pegboard")


METHODS = (login, database, network_broadcast, history, block, orders, debug, pegboard)
