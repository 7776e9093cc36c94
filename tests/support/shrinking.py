"""Makes what fails smaller, for as long as it still fails (ddmin)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Items = TypeVar("Items", bytes, tuple[Any, ...])


def shrink(items: Items, fails: Callable[[Items], bool]) -> Items:
    """Fewer items that fail, too: parts are left out, from halves to single ones."""
    size = max(1, len(items) // 2)
    while size:
        at = 0
        while at < len(items):
            fewer = items[:at] + items[at + size :]
            if fails(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items
