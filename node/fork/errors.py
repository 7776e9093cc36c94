"""Why a state of bitshares-core cannot go on living here."""

from __future__ import annotations

from protocol.errors import PegboardError


class NotCarriedOver(PegboardError):
    """An object, or a part of one, that this chain has no place for."""

    name = "not_carried_over"


class SnapshotIncomplete(PegboardError):
    """A snapshot that was cut, or that lacks what every chain has."""

    name = "snapshot_incomplete"
