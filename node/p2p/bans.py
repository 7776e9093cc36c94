"""Who is not spoken to for a while: by node id and by host (T-P1, T-P7)."""

from __future__ import annotations

from collections import OrderedDict

from node.p2p.limits import PeerLimits
from protocol.p2p.messages import GoodbyeCode
from protocol.schema import Record

_INVALID_CODES = frozenset(
    (GoodbyeCode.INVALID_ITEM, GoodbyeCode.LYING_SYNC, GoodbyeCode.UNREQUESTED_ITEM)
)


class _Ban(Record):
    until_ms: int
    offences: int


class Bans:
    """Bans by name, a node id in hexadecimal or a host. The oldest of too many is forgotten."""

    __slots__ = ("_bans", "_limits")

    def __init__(self, limits: PeerLimits) -> None:
        self._limits = limits
        self._bans: OrderedDict[str, _Ban] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bans)

    def add(self, name: str, code: GoodbyeCode, now_ms: int) -> int:
        """Ban a name for what it was dropped for; returns when the ban ends.

        A broken protocol costs 10 s, doubling with each offence to an hour; a broken rate 300 s,
        an invalid item 600 s.
        """
        limits = self._limits
        previous = self._bans.pop(name, None)
        offences = previous.offences + 1 if previous else 1
        if code is GoodbyeCode.RATE_LIMIT:
            duration_ms = limits.rate_ban_ms
        elif code in _INVALID_CODES:
            duration_ms = limits.invalid_item_ban_ms
        else:
            duration_ms = limits.protocol_ban_ms << min(offences - 1, 20)
        until_ms = now_ms + min(duration_ms, limits.max_ban_ms)
        if len(self._bans) >= limits.max_bans:
            self._bans.popitem(last=False)
        self._bans[name] = _Ban(until_ms, offences)
        return until_ms

    def is_banned(self, name: str, now_ms: int) -> bool:
        """Whether a ban of the name has not ended yet."""
        ban = self._bans.get(name)
        return ban is not None and now_ms < ban.until_ms
