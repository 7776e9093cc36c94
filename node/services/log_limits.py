"""How many lines an event may take in the log: whoever makes them happen must not fill the disk.

A storm of connections wrote 27 GB a day (P12). Every event has a bucket of lines, and so has every
event of one host or peer; what is left out is counted, and the next line of the event says how many
were. Errors are always written: those are what ends the process.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

EVENT_BURST, EVENT_PER_S = 200, 2.0
"""Lines of one event at once, and then in a second: at most 35 MB a day of an event."""
SENDER_BURST, SENDER_PER_S = 10, 0.1
"""The same of one event for one host, or for one connection where the host is not known."""
SENDERS_MAX = 1_000
"""Buckets of hosts and peers that are kept; the one used longest ago is forgotten."""
FIELDS = "fields"
"""Attribute of a record that holds the fields of its event."""


class _Bucket:
    """Lines that may still be written."""

    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, burst: int, per_s: float, now_s: float) -> None:
        self._burst = self._left = float(burst)
        self._per_s = per_s
        self._at_s = now_s

    def has_left(self, now_s: float) -> bool:
        """Whether one more may be written."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return self._left >= 1

    def take(self) -> None:
        """One is written."""
        self._left -= 1


class LogLimits:
    """A filter of a handler of `logging`; `now_s` is a clock that never steps."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._events: dict[str, _Bucket] = {}
        self._senders: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._left_out: dict[str, int] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Whether to write an event; says in its fields how many were left out before it."""
        name, fields = record.getMessage(), getattr(record, FIELDS)
        if record.levelno < logging.ERROR and not self._may_write(name, fields):
            self._left_out[name] = self._left_out.get(name, 0) + 1
            return False
        left_out = self._left_out.pop(name, 0)
        if left_out:
            fields["left_out"] = left_out
        return True

    def _may_write(self, name: str, fields: Mapping[str, object]) -> bool:
        now_s = self._now_s()
        if name not in self._events:
            self._events[name] = _Bucket(EVENT_BURST, EVENT_PER_S, now_s)
        buckets = [self._events[name]]
        sender = fields.get("host", fields.get("peer"))
        if sender is not None:
            buckets.append(self._bucket_of((name, str(sender)), now_s))
        if not all(bucket.has_left(now_s) for bucket in buckets):
            return False
        for bucket in buckets:
            bucket.take()
        return True

    def _bucket_of(self, sender: tuple[str, str], now_s: float) -> _Bucket:
        found = self._senders.pop(sender, None) or _Bucket(SENDER_BURST, SENDER_PER_S, now_s)
        self._senders[sender] = found
        if len(self._senders) > SENDERS_MAX:
            self._senders.popitem(last=False)
        return found
