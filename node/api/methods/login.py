"""API 1: the handshake that hands out the numbers of the other APIs."""

from __future__ import annotations

from typing import Annotated

from node.api.arguments import TEXT
from node.api.backend import ApiBackend
from node.api.call import Answer, Call
from node.api.errors import AccessDenied, InvalidParams
from protocol.json_form import JsonValue

LOGIN_NUMBER = 1
DEVELOPMENT_APIS = ("debug", "pegboard_dev")

OptionalText = Annotated[str | None, TEXT]


def check_access(backend: ApiBackend, api: str) -> None:
    """Raise the refusal of an API that BitShares has, and that this node does not give (T-A4)."""
    if api == "crypto":
        raise AccessDenied("Access denied", rule="T-A4")
    if api == "custom_operations":
        raise AccessDenied("The custom_operations plugin is not enabled", rule="T-A4")
    if api in DEVELOPMENT_APIS and not backend.is_development:
        raise AccessDenied("Access denied: this is no development chain", rule="T-A4")


def login(call: Call, user: OptionalText = None, password: OptionalText = None) -> Answer:
    """Always true: there are no users; who may connect is decided by the socket.

    Without arguments, the number of this API.
    """
    if user is None and password is None:
        return LOGIN_NUMBER
    if user is None or password is None:
        raise InvalidParams("user and password go together")
    return True


def logout(call: Call) -> Answer:
    """Always false, as BitShares answers; nobody was logged in, and nothing changes."""
    return False


def get_info(call: Call) -> Answer:
    """What this node is, in a few words."""
    return f"pegboard {call.backend.info().version}"


def get_available_api_sets(call: Call) -> Answer:
    """Names of the APIs that this connection may use, ascending."""
    names: list[JsonValue] = []
    for opener in OPENERS:
        name = opener.__name__
        if name not in DEVELOPMENT_APIS or call.backend.is_development:
            names.append(name if name.startswith("pegboard") else f"{name}_api")
    return sorted(names, key=str)


def database(call: Call) -> Answer:
    """The number of the database API."""
    return _open(call, "database")


def network_broadcast(call: Call) -> Answer:
    """The number of the API that takes transactions."""
    return _open(call, "network_broadcast")


def network_node(call: Call) -> Answer:
    """The number of the API about this node's peers."""
    return _open(call, "network_node")


def history(call: Call) -> Answer:
    """The number of the history API."""
    return _open(call, "history")


def block(call: Call) -> Answer:
    """The number of the block API."""
    return _open(call, "block")


def asset(call: Call) -> Answer:
    """The number of the API about holders of assets."""
    return _open(call, "asset")


def orders(call: Call) -> Answer:
    """The number of the orders API."""
    return _open(call, "orders")


def crypto(call: Call) -> Answer:
    """Refused: it computes blinded transfers, which this chain does not have."""
    return _open(call, "crypto")


def custom_operations(call: Call) -> Answer:
    """Refused, as BitShares does without its plugin: nothing is derived from custom operations."""
    return _open(call, "custom_operations")


def debug(call: Call) -> Answer:
    """The number of the debug API; only a development chain has one."""
    return _open(call, "debug")


def pegboard(call: Call) -> Answer:
    """The number of this node's own API."""
    return _open(call, "pegboard")


def pegboard_dev(call: Call) -> Answer:
    """The number of the API that moves a development chain; no other chain has one."""
    return _open(call, "pegboard_dev")


def _open(call: Call, api: str) -> int:
    check_access(call.backend, api)
    return call.session.open_api(api)


OPENERS = (
    database,
    network_broadcast,
    network_node,
    history,
    block,
    asset,
    orders,
    debug,
    pegboard,
    pegboard_dev,
)
METHODS = (
    login,
    logout,
    get_info,
    get_available_api_sets,
    *OPENERS,
    crypto,
    custom_operations,
)
