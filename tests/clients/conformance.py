"""The table of calls, client by client, made from what a tap saw in the tests of the clients."""

from __future__ import annotations

from typing import Any, Final

from tests.clients.tap import Tally

Json = Any

TALLY_VARIABLE: Final = "PEGBOARD_CLIENT_TALLY"
"""Environment variable: the file that the tests write their tally to."""


def tally_to_json(tally: Tally) -> Json:
    """A tally as {client: {"calls": {"api.method": [calls, errors]}, "notices": n}}."""
    clients = sorted({client for client, _ in tally.calls})
    return {
        client: {
            "calls": {
                name: [count, tally.errors[client, name]]
                for (who, name), count in sorted(tally.calls.items())
                if who == client
            },
            "notices": tally.notices[client],
        }
        for client in clients
    }
