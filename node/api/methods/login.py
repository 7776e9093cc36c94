"""API 1: the handshake that hands out the numbers of the other APIs (Y9.1)."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from node.api.arguments import TEXT
from node.api.call import Answer, Call
from node.api.errors import AccessDenied, InvalidParams, no_development
from protocol.json_form import JsonValue

LOGIN_NUMBER = 1

OptionalText = Annotated[str | None, TEXT]


def check_access(call: Call, api: str) -> None:
    """Raise the refusal of an API that this connection may not open (T-A4)."""
    if not call.session.is_logged_in:
        raise AccessDenied("Access denied", rule="T-A4")
    if api == "custom_operations" and call.backend.history.storage is None:
        raise AccessDenied("The custom_operations plugin is not enabled", rule="T-A4")
    if api == "debug" and not call.backend.is_development:
        raise no_development()
    if api == "pegboard_dev" and call.backend.development is None:
        raise no_development()


def login(call: Call, user: OptionalText = None, password: OptionalText = None) -> Answer:
    """Always true: there are no users; who may connect is decided by the socket.

    Without arguments, the number of this API.
    """
    if user is None and password is None:
        return LOGIN_NUMBER
    if user is None or password is None:
        raise InvalidParams("user and password go together")
    call.session.is_logged_in = True
    return True


def logout(call: Call) -> Answer:
    """Always false, as BitShares answers. Until the next `login` no API can be opened; the numbers
    that were handed out stay good."""
    call.session.is_logged_in = False
    return False


def get_info(call: Call) -> Answer:
    """What this node is, in a few words."""
    return f"pegboard {call.backend.info().version}"


def get_available_api_sets(call: Call) -> Answer:
    """Names of the APIs that this connection may open, ascending; none after `logout`."""
    names: list[JsonValue] = []
    for opener in OPENERS:
        name = opener.__name__
        with suppress(AccessDenied):
            check_access(call, name)
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
    raise AccessDenied("Access denied: this chain has no blinded transfers", rule="T-A4")


def custom_operations(call: Call) -> Answer:
    """The number of the API of what accounts store; refused where the node does not keep it."""
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
    check_access(call, api)
    return call.session.open_api(api)


OPENERS = (
    database,
    network_broadcast,
    network_node,
    history,
    block,
    asset,
    orders,
    custom_operations,
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
)
