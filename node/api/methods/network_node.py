"""API `network_node`: this node among others.

BitShares' answers have more keys; those are left out of which this node knows nothing.
"""

from __future__ import annotations

from node.api.arguments import EndpointArg
from node.api.backend import KnownPeer, PeerInfo
from node.api.call import Answer, Call
from node.api.errors import AccessDenied, NotPossible
from protocol.json_form import JsonValue, format_time


def get_info(call: Call) -> Answer:
    """Where this node listens, its id, which is its public key, and how many connections it has.

    `listening_on` has no host: it is empty, or a colon and the port.
    """
    network = call.backend.network()
    return {
        "listening_on": f":{network.listen_port}" if network.listen_port else "",
        "node_id": network.node_id.hex(),
        "connection_count": len(network.peers),
    }


def get_connected_peers(call: Call) -> Answer:
    """The connections, with what each peer said of itself; its `node_id` is proven (T-P13)."""
    return [_view_peer(peer) for peer in call.backend.network().peers]


def get_potential_peers(call: Call) -> Answer:
    """The addresses that this node may connect to."""
    return [_view_known(known) for known in call.backend.network().known]


def get_advanced_node_parameters(call: Call) -> Answer:
    """Limits of the peer layer; times in seconds."""
    return dict(call.backend.network().parameters)


def set_advanced_node_parameters(call: Call) -> Answer:
    """Always refused: the limits of the peer layer are fixed while a node runs (T-P5)."""
    raise NotPossible("the limits of the peer layer do not change while the node runs")


def add_node(call: Call, endpoint: EndpointArg) -> Answer:
    """Connect to a node, "host:port" with a number as host, as soon as there is room (T-P9).

    Only on a development chain, or with `allow_add_node` under `[api]` in the settings: whoever
    chooses a node's peers chooses what it believes (P15).
    """
    if not call.backend.may_add_peers:
        raise AccessDenied(
            "Access denied: the settings do not let clients name peers (api.allow_add_node)",
            rule="T-P9",
        )
    host, port = endpoint
    if not call.backend.add_peer(host, port):
        raise NotPossible("no room for one more address, or it is this node's own", rule="T-P9")
    return None


def _view_peer(peer: PeerInfo) -> JsonValue:
    return {
        "version": 0,
        "host": peer.address,
        "info": {
            "addr": peer.address,
            "node_id": peer.node_id.hex(),
            "subver": peer.version,
            "inbound": not peer.outbound,
            "bytessent": peer.sent_bytes,
            "bytesrecv": peer.received_bytes,
            "current_head_block_number": peer.head_num,
        },
    }


def _view_known(known: KnownPeer) -> JsonValue:
    disposition = "last_connection_succeeded" if known.is_tried else "never_attempted_to_connect"
    if known.failures:
        disposition = "last_connection_failed"
    return {
        "endpoint": known.address,
        "last_seen_time": format_time(known.last_seen_s),
        "last_connection_disposition": disposition,
        "number_of_failed_connection_attempts": known.failures,
    }


METHODS = (
    get_info,
    get_connected_peers,
    get_potential_peers,
    get_advanced_node_parameters,
    set_advanced_node_parameters,
    add_node,
)
